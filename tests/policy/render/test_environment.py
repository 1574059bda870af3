import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.contract import ENVIRONMENT
from policy.errors import UserError
from policy.release import ReleaseFile
from policy.render import render_mta, render_proxy
from policy.render.environment import environment_file
from policy.render.example import example_addresses
from tests.examples import (
    LARGE,
    SMALL,
    mta_of,
    proxy_of,
    settings_of,
    stand_in_secrets,
    text_of,
)
from tests.policy.render.systemd_environment import parse

MTA_FILE = "/etc/default/kumomta"


def file_of(files: tuple[ReleaseFile, ...], path: str) -> ReleaseFile:
    return next(file for file in files if file.path == path)


@given(st.text(st.characters(codec=None, categories=None)))
@example('"$HOME" \\ `id` \\n %n \'')
@example("  spaces on both sides  ")
@example("# no comment")
@example("ünïcödé ✉ \U0001f4e7")
@example("ends with a backslash\\")
def test_a_value_comes_out_unharmed_or_is_refused(value: str) -> None:
    try:
        content = environment_file({"FIRST": value, "SECOND": "as ever"})
    except UserError:
        assert any(not character.isprintable() for character in value), (
            f"{value!r} could have been written"
        )
        return
    assert parse(content) == {"FIRST": value, "SECOND": "as ever"}


@pytest.mark.parametrize("value", ["two\nlines", "a\rreturn", "a\x00nul", "a\x7fdelete", "a\ttab"])
def test_a_control_character_is_refused_without_showing_the_secret(value: str) -> None:
    with pytest.raises(UserError) as refusal:
        environment_file({"PING8_WEBHOOK_TOKEN": value})
    assert "PING8_WEBHOOK_TOKEN" in str(refusal.value)
    assert value not in str(refusal.value)


def test_the_mta_gets_the_contracts_variables_and_they_describe_proxy_default() -> None:
    settings = settings_of(LARGE)
    addresses = example_addresses(settings)
    file = file_of(mta_of(LARGE).files, MTA_FILE)
    variables = parse(file.content)
    assert variables == {
        "PING8_WEBHOOK_TOKEN": "stand-in-webhook-token-0123456789",
        "PING8_TRACE_KEY": "stand-in-trace-key-0123456789",
        "PING8_WEBHOOK_URL": "https://app.example.com/api/kumo/events?tenant=a&b=%20",
        "KUMOPROXY_HOST": addresses.proxies["proxy-1"].private,
        "KUMOPROXY_PORT": "5000",
        "KUMOPROXY_PUBLIC_IP": addresses.sources["proxy-default"].public,
        "KUMOPROXY_HELO": "out1.mail.example.com",
        "KUMOPROXY_PASSWORD": "stand-in-proxy-password-0123456789",
    }


@pytest.mark.parametrize("path", [MTA_FILE, "/etc/default/kumoproxy"])
def test_environment_files_are_for_root_alone_and_restart_their_service(path: str) -> None:
    release = mta_of(LARGE) if path == MTA_FILE else proxy_of(LARGE)
    file = file_of(release.files, path)
    assert (file.mode, file.owner, file.group, file.secret) == (0o600, "root", "root", True)
    assert f"restart {path.rpartition('/')[2]}.service" in file.effects


def test_the_outbox_restarts_with_the_environment_that_it_reads() -> None:
    for host in (mta_of(LARGE), mta_of(SMALL)):
        assert "restart ping8-outbox.service" in file_of(host.files, MTA_FILE).effects


def test_a_proxy_listens_on_its_own_private_address_and_port() -> None:
    addresses = example_addresses(settings_of(LARGE))
    variables = parse(file_of(proxy_of(LARGE, "proxy-2").files, "/etc/default/kumoproxy").content)
    assert variables["KUMOPROXY_LISTEN"] == f"{addresses.proxies['proxy-2'].private}:5001"


def test_a_proxy_without_authentication_has_no_password_in_its_files() -> None:
    release = proxy_of(SMALL)
    assert not any(b"stand-in-proxy-password" in file.content for file in release.files)


def test_a_proxy_that_requires_a_password_without_one_is_refused() -> None:
    settings = settings_of(LARGE)
    secrets = stand_in_secrets(settings, proxy_password=None)
    addresses = example_addresses(settings)
    with pytest.raises(UserError, match="proxyPassword"):
        render_proxy(settings, "proxy-1", addresses, secrets)
    with pytest.raises(UserError, match="proxyPassword"):
        render_mta(settings, "mta-1", addresses, secrets)


def test_only_several_nodes_have_the_password_of_their_limits_and_need_it() -> None:
    assert "PING8_LIMITS_PASSWORD" not in text_of(mta_of(SMALL), ENVIRONMENT)
    settings = settings_of(SMALL, mta={"nodes": 2}, elasticIpQuota=9)
    addresses = example_addresses(settings)
    release = render_mta(settings, "mta-2", addresses, stand_in_secrets(settings))
    assert 'PING8_LIMITS_PASSWORD="stand-in-limits-password' in text_of(release, ENVIRONMENT)
    with pytest.raises(UserError, match="limitsPassword"):
        render_mta(settings, "mta-2", addresses, stand_in_secrets(settings, limits_password=None))
