"""Lua reads no Python: its constants are held to the contract here."""

import re
from pathlib import Path

import pytest

from policy import contract
from policy.settings.egress import Brand

LUA = Path(contract.__file__).parent / "kumomta"
CONSTANT = re.compile(r"^(?:local |mod\.)([A-Z][A-Z_]+) = (?:'(.*)'|([\d.]+))$", re.MULTILINE)
AGREED = {
    "queues.WEBHOOK": contract.EVENT_QUEUE,
    "queues.SENDER": contract.SENDER,
    "log_hook.NAME": contract.LOG_HOOK,
    "inbox.PATH": contract.INBOX.removesuffix("/new"),
    "egress.PROXY_USER": contract.SOCKS_USER,
    "environment.FILE": contract.ENVIRONMENT,
    "outbox_log.DIRECTORY": contract.OUTBOX,
    "delivery.FORWARDER": contract.FORWARDER,
    "dead_letters.PATH": contract.DEAD_LETTERS,
    "signing.KEYS": contract.DKIM_KEYS,
    "data.DIRECTORY": f"{contract.POLICY}/data/",
    "server.SPOOLS": f"{contract.SPOOL}/",
    "server.LOGS": contract.LOGS,
}
#: Paths and names of one Lua module alone.
OWN = {
    "correlation.MAC",
    "correlation.MISSING",
    "events.INBOX",
    "inbox.QUEUE",
    "log_hook.EVENT_ID",
    "log_hook.EVENT_TIME",
    "transfer.INJECT",
}


def _constants() -> dict[str, str]:
    return {
        f"{path.stem}.{name}": text or number
        for path in LUA.glob("*.lua")
        for name, text, number in CONSTANT.findall(path.read_text())
    }


@pytest.mark.parametrize("name", AGREED)
def test_the_lua_constant_is_what_is_agreed(name: str) -> None:
    assert _constants()[name] == AGREED[name]


def test_every_path_and_every_name_of_ours_is_either_agreed_or_a_modules_own() -> None:
    shared = {name for name, value in _constants().items() if value.startswith(("/", "ping8"))}
    assert shared - set(AGREED) <= OWN


def test_mail_without_a_brand_is_retried_like_that_of_a_brand_which_sets_nothing() -> None:
    default = re.search(r"local DEFAULT = \{(.*?)\}", (LUA / "queues.lua").read_text(), re.DOTALL)
    assert default
    assert dict(re.findall(r"(\w+) = '(\w+)'", default[1])) == contract.RETRY
    brand = Brand.model_validate({"name": "news", "pool": "news"})
    assert {name: getattr(brand, name) for name in contract.RETRY} == contract.RETRY


@pytest.mark.parametrize(
    "path",
    [LUA / "server.lua", LUA.parent / "render/templates/mta/etc/nginx/sites-enabled/ping8.conf"],
    ids=lambda path: path.name,
)
def test_kumod_listens_where_nginx_and_the_agent_look_for_it(path: Path) -> None:
    assert f"127.0.0.1:{contract.KUMOD_PORT}" in path.read_text("utf-8")
