"""The proxy host: its Lua under a strict stand-in, its addresses, its graceful restart."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import lupa.lua54
import pytest

from policy.render.example import example_addresses
from tests.examples import LARGE, SMALL, proxy_of, settings_of, text_of
from tests.policy.render.scripts import write
from tests.policy.render.systemd_environment import parse

CONTRACT = Path(__file__).parents[3] / "standins/kumod/data/contract.json"
INIT = "/opt/kumomta/etc/proxy/init.lua"
PASSWORD = "stand-in-proxy-password-0123456789"


class Started:
    """What the policy did: its listeners, and the answer to each log-in."""

    def __init__(self, variables: dict[str, str], text: str) -> None:
        contract = json.loads(CONTRACT.read_text())
        self.listeners: dict[str, dict[str, Any]] = {}
        self.handlers: dict[str, Any] = {}
        lua = lupa.lua54.LuaRuntime(unpack_returned_tuples=True)

        def on(event: str, handler: Any) -> None:
            assert event in contract["events"]
            assert event not in self.handlers
            self.handlers[event] = handler

        def listener(name: str) -> Any:
            allowed = contract["tables"][
                "kumo.start_http_listener" if "http" in name else f"proxy.{name}"
            ]

            def start(table: Any) -> None:
                assert set(table) <= set(allowed)
                self.listeners[name] = dict(table)

            return start

        modules = {
            "kumo": lua.table_from({"on": on}),
            "proxy": lua.table_from(
                {name: listener(name) for name in ("start_proxy_listener", "start_http_listener")}
            ),
        }
        lua.globals()["require"] = modules.__getitem__
        lua.globals()["os"]["getenv"] = variables.get
        lua.execute(text)
        self.handlers["proxy_init"]()


def started(raw: dict[str, Any], name: str = "proxy-1", **variables: str) -> Started:
    release = proxy_of(raw, name)
    content = next(f.content for f in release.files if f.path == "/etc/default/kumoproxy")
    return Started(parse(content) | variables, text_of(release, INIT))


def test_it_listens_on_its_private_address_and_shows_metrics_on_loopback_alone() -> None:
    listeners = started(SMALL).listeners
    private = example_addresses(settings_of(SMALL)).proxies["proxy-1"].private
    assert listeners["start_proxy_listener"]["listen"] == f"{private}:5000"
    assert listeners["start_proxy_listener"]["require_auth"] is False
    assert listeners["start_http_listener"]["listen"] == "127.0.0.1:8001"


def test_with_authentication_only_the_right_name_and_password_pass() -> None:
    proxy = started(LARGE)
    assert proxy.listeners["start_proxy_listener"]["require_auth"] is True
    check = proxy.handlers["proxy_server_auth_rfc1929"]
    assert check("ping8", PASSWORD, {}) is True
    assert check("ping8", PASSWORD.upper(), {}) is False
    assert check("ping8", "", {}) is False
    assert check("other", PASSWORD, {}) is False


def test_an_empty_password_never_opens_the_proxy() -> None:
    with pytest.raises(lupa.lua54.LuaError, match="KUMOPROXY_PASSWORD is not set"):
        started(LARGE, KUMOPROXY_PASSWORD="")


def test_a_missing_address_stops_it_with_the_variables_name() -> None:
    with pytest.raises(lupa.lua54.LuaError, match="KUMOPROXY_LISTEN is not set"):
        Started({}, text_of(proxy_of(SMALL), INIT))


def test_each_further_source_has_its_own_secondary_address() -> None:
    addresses = example_addresses(settings_of(LARGE))
    lines = text_of(proxy_of(LARGE), "/etc/ping8/addresses").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        f"primary {addresses.proxies['proxy-1'].private}",
        addresses.sources["shop-1"].private,
    ]
    assert addresses.sources["proxy-default"].private == addresses.proxies["proxy-1"].private


def run_with_stand_ins(
    script: str, root: Path, programs: dict[str, str], *arguments: str
) -> tuple[int, list[str]]:
    """Exit status, and each call of a stand-in with its arguments and standard input."""
    calls = root / "calls"
    for name, answer in programs.items():
        write(
            root / "bin" / name,
            f'#!/bin/sh\necho "{name} $*" >>"{calls}"\n'
            f'[ "$*" != "-f -" ] || cat >>"{calls}"\n{answer}\n',
            0o755,
        )
    write(root / "script", script)
    result = subprocess.run(
        ["/bin/sh", root / "script", *arguments],
        check=False,
        timeout=60,
        env=os.environ | {"PATH": f"{root / 'bin'}:{os.environ['PATH']}"},
    )
    return result.returncode, calls.read_text().splitlines()


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and a network of its own"
)
def test_addresses_of_sources_come_and_go_and_the_primary_stays(tmp_path: Path) -> None:
    """The real `ip`, in a network of its own."""
    script = text_of(proxy_of(LARGE), "/usr/local/lib/ping8/addresses")
    write(tmp_path / "addresses", script.replace("/etc/ping8/addresses", f"{tmp_path}/list"))
    write(tmp_path / "list", text_of(proxy_of(LARGE), "/etc/ping8/addresses"))
    addresses = example_addresses(settings_of(LARGE))
    primary, secondary = addresses.proxies["proxy-1"].private, addresses.sources["shop-1"].private

    def after(*more: str) -> list[str]:
        steps = (
            "ip link add ens5 type veth peer name other",
            "ip link set ens5 up && ip link set other up",
            f"ip address add {primary}/18 dev ens5",
            "ip route add default dev ens5",
            *more,
            f"sh {tmp_path}/addresses && sh {tmp_path}/addresses",
            "ip -4 -o address show dev ens5",
        )
        done = subprocess.run(
            ["unshare", "--net", "sh", "-euc", "\n".join(steps)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return sorted(line.split()[3] for line in done.stdout.splitlines())

    both = sorted([f"{primary}/18", f"{secondary}/32"])
    assert after() == both
    assert (
        after("ip address add 10.8.9.9/32 dev ens5", "ip address add 10.8.9.8/18 dev ens5") == both
    )
    # Another interface than the one that was meant: nothing is taken off.
    strange = after(
        f"ip address delete {primary}/18 dev ens5",
        "ip address add 10.9.0.4/24 dev ens5",
        "ip route replace default dev ens5",
    )
    assert strange == sorted(["10.9.0.4/24", f"{secondary}/32"])


def test_a_stop_refuses_new_sessions_and_waits_until_none_runs(tmp_path: Path) -> None:
    script = text_of(proxy_of(LARGE, "proxy-2"), "/usr/local/lib/ping8/drain-proxy")
    once = f'[ -e "{tmp_path}/asked" ] || {{ touch "{tmp_path}/asked"; echo session; }}'
    programs = {"nft": "", "ss": once, "sleep": ""}
    code, calls = run_with_stand_ins(script, tmp_path, programs, "close")
    assert code == 0
    assert any("tcp dport 5001" in call and "reject" in call for call in calls)
    assert [call for call in calls if call.startswith(("ss", "sleep"))] == [
        "ss -Hnt state established sport = :5001",
        "sleep 1",
        "ss -Hnt state established sport = :5001",
    ]


def test_a_start_takes_connections_again_also_when_nothing_was_refused(tmp_path: Path) -> None:
    script = text_of(proxy_of(SMALL), "/usr/local/lib/ping8/drain-proxy")
    code, calls = run_with_stand_ins(script, tmp_path, {"nft": "exit 1"}, "open")
    assert (code, calls) == (0, ["nft delete table inet ping8_drain"])


@pytest.mark.skipif(shutil.which("nft") is None, reason="no nftables on this machine")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
def test_real_nftables_takes_the_rules_and_loses_them_again(tmp_path: Path) -> None:
    script = tmp_path / "script"
    write(script, text_of(proxy_of(SMALL), "/usr/local/lib/ping8/drain-proxy"))
    steps = (
        f"sh {script} close && sh {script} close && nft list ruleset && sh {script} open "
        "&& echo ===== && nft list ruleset"
    )
    result = subprocess.run(
        ["unshare", "--net", "sh", "-c", steps], check=False, capture_output=True, text=True
    )
    if "Operation not permitted" in result.stderr:
        pytest.skip("this machine allows no network namespace")
    assert result.returncode == 0, result.stderr
    closed, _, opened = result.stdout.partition("=====")
    assert closed.count("tcp dport 5000") == 1
    assert opened.strip() == ""


def test_health_and_guard_are_a_socks5_greeting_on_the_listeners_address() -> None:
    """Its HTTP listener answers 401 to everybody at /proxy/status, and may outlive this one."""
    release = proxy_of(SMALL)
    listens = started(SMALL).listeners["start_proxy_listener"]["listen"]
    assert [(check.kind, check.target) for check in release.checks] == [("socks5", listens)]
    assert json.loads(text_of(release, "/etc/ping8/metrics.json"))["listener"] == listens
