"""The injection host's certificate: the script run for real, beside stand-ins for certbot."""

import shutil
import subprocess
from pathlib import Path

import pytest

from policy.errors import UserError
from policy.render import render_mta
from policy.render.certificate import KEPT
from policy.render.example import example_addresses
from tests.examples import LARGE, SMALL, mta_of, settings_of, stand_in_secrets, text_of
from tests.policy.render.scripts import run_script, write

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="no openssl on this machine"
)
RELEASE = mta_of(SMALL, certificate={"kind": "acme", "email": "ops@example.com"})
SCRIPT = "/usr/local/lib/ping8/certificate"


class HostStandIn:
    """A root with stand-ins for certbot, which issues what `authority` holds, and systemctl."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tls = root / "etc/ping8/tls"
        self.authority = root / "authority"
        self.calls = root / "calls"
        programs = root / "programs"
        write(
            programs / "certbot",
            f'#!/bin/sh\necho "certbot $*" >>"{self.calls}"\n'
            f'[ -d "{self.authority}" ] || exit 1\n'
            f'mkdir -p "{root}/etc/letsencrypt/live/ping8"\n'
            f'cp "{self.authority}"/*.pem "{root}/etc/letsencrypt/live/ping8/"\n',
            0o755,
        )
        write(programs / "systemctl", f'#!/bin/sh\necho "systemctl $*" >>"{self.calls}"\n', 0o755)
        self.programs = programs
        # A directory of the release.
        (root / KEPT.lstrip("/")).mkdir(mode=0o700, parents=True)

    def issue(
        self, days: int = 90, names: str = "mta.mail.example.com mta-1.mail.example.com"
    ) -> None:
        """The authority has a new pair."""
        stated = ",".join(f"DNS:{name}" for name in names.split())
        self.authority.mkdir(exist_ok=True)
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-subj", "/CN=issued"),
                *("-days", str(days), "-addext", f"subjectAltName={stated}"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-keyout", self.authority / "privkey.pem"),
                *("-out", self.authority / "fullchain.pem"),
            ],
            check=True,
            capture_output=True,
        )

    def run(self, verb: str) -> int:
        return run_script(RELEASE, SCRIPT, self.root, verb, programs=self.programs).returncode

    def live(self) -> bytes:
        return (self.tls / "fullchain.pem").read_bytes()

    def said(self, program: str) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith(program)]

    def fits(self) -> bool:
        def public(*arguments: str) -> bytes:
            return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout

        return public("x509", "-in", f"{self.tls}/fullchain.pem", "-noout", "-pubkey") == public(
            "pkey", "-in", f"{self.tls}/privkey.pem", "-pubout"
        )


@pytest.fixture
def host(tmp_path: Path) -> HostStandIn:
    return HostStandIn(tmp_path)


def test_before_the_first_issue_there_is_a_self_signed_pair_for_the_host(
    host: HostStandIn,
) -> None:
    assert host.run("ensure") == 0
    assert host.fits()
    text = subprocess.run(
        ["openssl", "x509", "-in", host.tls / "fullchain.pem", "-noout", "-text"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "DNS:mta.mail.example.com" in text
    assert (host.tls / "privkey.pem").stat().st_mode & 0o777 == 0o600


def test_a_pair_that_fits_is_left_alone(host: HostStandIn) -> None:
    host.run("ensure")
    before = host.live()
    assert host.run("ensure") == 0
    assert host.live() == before


def test_a_pair_that_does_not_fit_is_fixed_so_that_nginx_starts(host: HostStandIn) -> None:
    host.run("ensure")
    host.issue()
    shutil.copy(host.authority / "fullchain.pem", host.tls / "fullchain.pem")
    assert not host.fits()
    assert host.run("ensure") == 0
    assert host.fits()


def test_an_issued_pair_is_taken_before_a_self_signed_one(host: HostStandIn) -> None:
    host.issue()
    host.run("renew")
    (host.tls / "privkey.pem").unlink()
    assert host.run("ensure") == 0
    assert host.live() == (host.authority / "fullchain.pem").read_bytes()


def test_an_issued_pair_goes_live_with_one_reload(host: HostStandIn) -> None:
    host.run("ensure")
    host.issue()
    assert host.run("renew") == 0
    assert host.live() == (host.authority / "fullchain.pem").read_bytes()
    assert host.fits()
    assert host.said("systemctl") == ["systemctl reload nginx.service"]
    assert (host.tls / "privkey.pem").stat().st_mode & 0o777 == 0o600


def test_without_a_new_certificate_nginx_is_not_reloaded(host: HostStandIn) -> None:
    host.issue()
    host.run("renew")
    host.run("renew")
    assert len(host.said("certbot")) == 2
    assert len(host.said("systemctl")) == 1


def test_when_the_authority_refuses_the_old_pair_stays_and_the_unit_fails(
    host: HostStandIn,
) -> None:
    host.run("ensure")
    before = host.live()
    assert host.run("renew") != 0
    assert host.live() == before
    assert host.said("systemctl") == []


def replaced(host: HostStandIn) -> None:
    """The root volume is gone; the spool's is not."""
    for folder in ("etc/ping8", "etc/letsencrypt"):
        shutil.rmtree(host.root / folder, ignore_errors=True)
    host.calls.write_text("")


def test_a_replaced_host_has_the_issued_pair_at_once_and_requests_no_other(
    host: HostStandIn,
) -> None:
    host.issue()
    host.run("renew")
    before = host.live()
    key = host.root / KEPT.lstrip("/") / "privkey.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    replaced(host)
    assert host.run("ensure") == 0
    assert (host.live(), host.fits()) == (before, True)
    host.issue()
    assert host.run("renew") == 0
    assert (host.said("certbot"), host.said("systemctl"), host.live()) == ([], [], before)


@pytest.mark.parametrize("change", ["soon over", "other name", "other authority", "link", "torn"])
def test_a_kept_pair_that_will_not_do_is_not_taken(host: HostStandIn, change: str) -> None:
    host.issue(
        days=20 if change == "soon over" else 90,
        **(
            {"names": "mta.mail.example.com mta-2.mail.example.com"}
            if change == "other name"
            else {}
        ),
    )
    host.run("renew")
    before = host.live()
    kept = host.root / KEPT.lstrip("/")
    if change == "other authority":
        (kept / "authority").write_text("https://acme.example.com/directory\n")
    elif change == "torn":
        (kept / "fullchain.pem").write_text("")
    elif change == "link":
        kept.rename(kept.with_name("elsewhere"))
        kept.symlink_to("elsewhere")
    replaced(host)
    host.run("ensure")
    assert host.live() != before
    host.issue()
    assert host.run("renew") == 0
    assert host.live() == (host.authority / "fullchain.pem").read_bytes()
    assert len(host.said("certbot")) == 1
    # Through the link, the key would go wherever kumod wants it.
    assert change != "link" or (kept / "fullchain.pem").read_bytes() == before


def test_the_authority_is_asked_by_dns_for_the_injection_host(host: HostStandIn) -> None:
    host.issue()
    host.run("renew")
    command = host.said("certbot")[0]
    for part in (
        "certonly",
        "--dns-route53",
        "-d mta.mail.example.com",
        "--server https://acme-v02.api.letsencrypt.org/directory",
        "--email ops@example.com",
    ):
        assert part in command


def test_a_given_pair_comes_with_the_release_and_no_unit_would_overwrite_it() -> None:
    release = mta_of(LARGE)
    files = {file.path: file for file in release.files}
    key = files["/etc/ping8/tls/privkey.pem"]
    assert (key.mode, key.secret, key.effects) == (0o600, True, ("reload nginx.service",))
    assert "/etc/ping8/tls/fullchain.pem" in files
    assert not any("ping8-certificate" in path or "self-signed" in path for path in files)
    drop_in = text_of(release, "/etc/systemd/system/nginx.service.d/ping8.conf")
    assert "self-signed" not in drop_in


def test_a_given_certificate_without_its_key_is_refused() -> None:
    settings = settings_of(LARGE)
    secrets = stand_in_secrets(settings, certificate_key=None)
    with pytest.raises(UserError, match="certificateKey"):
        render_mta(settings, "mta-1", example_addresses(settings), secrets)
