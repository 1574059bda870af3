"""What the site says, without a running Nginx."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hostagent.contract import NGINX_CONF
from policy.errors import UserError
from policy.render import render_mta
from policy.render.example import example_addresses
from tests.examples import LARGE, SMALL, mta_of, settings_of, stand_in_secrets, text_of
from tests.policy.render.real_nginx import write_site

SITE = "/etc/nginx/sites-enabled/ping8.conf"


@pytest.mark.nginx
@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx on this machine")
@pytest.mark.parametrize("raw", [SMALL, LARGE])
def test_nginx_itself_takes_the_site(raw: dict[str, object], tmp_path: Path) -> None:
    main = write_site(mta_of(raw), tmp_path, port=443, upstream=8000, changes={})
    result = subprocess.run(
        ["nginx", "-t", "-q", "-c", main], check=False, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_size_limit_is_the_one_that_kumod_has() -> None:
    for raw in (SMALL, LARGE):
        release = mta_of(raw)
        server = json.loads(text_of(release, "/opt/kumomta/etc/policy/data/server.json"))
        limit = re.search(r"client_max_body_size (\d+)m;", text_of(release, SITE))
        assert limit is not None
        assert server["request_body_limit"] == int(limit[1]) * 1024**2


def test_port_80_stays_closed_and_the_distributions_sites_are_not_read() -> None:
    release = mta_of(SMALL)
    assert re.findall(r"listen .*;", text_of(release, SITE)) == ["listen 443 ssl default_server;"]
    main = text_of(release, NGINX_CONF)
    assert re.findall(r"include .*;", main) == [f"include {SITE};"]
    unit = text_of(release, "/etc/systemd/system/nginx.service.d/ping8.conf")
    assert unit.count(f"-c {NGINX_CONF}") == 3


def test_only_what_nginx_1_18_knows_is_used() -> None:
    """Each of these came later and would stop Ubuntu 22.04's Nginx."""
    later = ("ssl_reject_handshake", "http2 on", "http2 off", "ssl_conf_command", "keepalive_time ")
    assert not [word for word in later if word in text_of(mta_of(SMALL), SITE)]


def test_the_injection_token_is_only_in_nginxs_files() -> None:
    token = b"stand-in-injection-token-0123456789"
    holders = [file for file in mta_of(SMALL).files if token in file.content]
    assert {file.path.rpartition("/")[0] for file in holders} == {"/etc/nginx/ping8"}
    assert all((file.mode, file.secret) == (0o600, True) for file in holders)


@pytest.mark.parametrize(
    "token",
    ["too-short", 'quote"0123456789012345', "dollar$0123456789012345", "a b" * 10, "é" * 30],
)
def test_a_token_that_no_bearer_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    settings = settings_of(SMALL)
    secrets = stand_in_secrets(settings, injection_token=token)
    with pytest.raises(UserError) as refusal:
        render_mta(settings, "mta-1", example_addresses(settings), secrets)
    assert "injectionToken" in str(refusal.value)
    assert token not in str(refusal.value)
