"""`ping8 rotate dkim` against a stack file, DNS on loopback, and hosts that run what is up."""

import base64
import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from ops.doctor.resolver import Resolver
from ops.rotate import command as work
from ops.rotate import look
from ops.stack import Deployment, HostAccess
from ops.stackfile import read_stack_file
from policy.dns.texts import dkim_record
from policy.errors import UsageError, UserError
from policy.settings import SettingsError
from tests.ops.doctor.dns_server import serving
from tests.ops.hosts import access
from tests.ops.test_yaml_edit import changed_lines

FILE = """\
# Ours.
config:
  aws:region: eu-central-1
  ping8-mail:zone: mail.example.com
  ping8-mail:webhook: {url: https://app.example.com/events}
  ping8-mail:operators: {cidrs: [198.51.100.7/32]}
  ping8-mail:brands:
    - {name: default, pool: shared-default, maxAge: 3d} # the first
    - name: news
      pool: shared-default # shared for now

  # Who sends.
  ping8-mail:domainDefaults: {dmarc: {policy: none}}
  ping8-mail:domains:
    - in.mail.example.com # in our zone
    - {name: out.example.net, dkim: {ed25519: true}} # DNS elsewhere
    - {name: news.example.org, brand: news, dkim: {keys: brand}}
    - {name: late.example.org, brand: news, dkim: {keys: brand}}
"""
NOW = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.UTC)
ALL = work.Wishes(brand=None, domain=None, leaked=False, every=None, yes=True, as_json=True)
ZONES = ("mail.example.com", "example.net", "example.org")
ALIASES = {"out.example.net": "out.example.net", "news.example.org": "news"}
"""Names elsewhere whose owners have published CNAMEs, and the owner of the keys."""


def new_key(selector: str) -> bytes:
    """A public key in PEM."""
    made = (
        ed25519.Ed25519PrivateKey.generate()
        if selector.endswith("-ed")
        else rsa.generate_private_key(public_exponent=65537, key_size=1024)  # quickly made
    )
    return made.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@dataclass
class World:
    """A stack file, what was up last, and DNS."""

    directory: Path
    records: dict[tuple[str, str], list[str]]
    now: datetime.datetime = NOW
    keys: dict[str, tuple[tuple[str, ...], bytes]] = field(default_factory=dict)
    release: str = "0123456789abcdef"
    other: str | None = None
    """The release of a second MTA host."""
    silent: bool = False
    """The second one does not answer."""

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.directory / "Pulumi.test.yaml"

    def up(self) -> None:
        """Makes the keys that are written, and publishes them in our zone."""
        self.deployed = read_stack_file("test", self.directory)
        for owner, keys in self.deployed.dkim_keys().items():
            for name, _ in keys.published():
                known = self.keys.get(f"{owner}/{name}")
                if known is None or known[0] != keys.generation(name):
                    self.keys[f"{owner}/{name}"] = (keys.generation(name), new_key(name))
                place = f"{name}.{owner}.dkim.mail.example.com"
                if owner == "in.mail.example.com":
                    place = f"{name}._domainkey.{owner}"
                text = dkim_record(self.keys[f"{owner}/{name}"][1].decode())
                self.records[place, "TXT"] = [f'"{text[:200]}" "{text[200:]}"']

    def publish(self, domain: str, owner: str) -> None:
        """The owner's CNAMEs."""
        for name in ("s1", "s2", "s1-ed", "s2-ed"):
            target = f"{name}.{owner}.dkim.mail.example.com."
            self.records[f"{name}._domainkey.{domain}", "CNAME"] = [target]

    def rotate(self, wishes: work.Wishes, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        """One run: what it did by keys, and its status."""
        status = 0
        try:
            work.dkim("test", wishes, directory=self.directory, now=self.now)
        except typer.Exit as ended:
            status = ended.exit_code
        rows = {row["keys"]: row for row in json.loads(capsys.readouterr().out)}
        return {**rows, "status": status}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    records: dict[tuple[str, str], list[str]] = {}
    for zone in ZONES:
        records[zone, "SOA"] = [f"ns.{zone}. root.{zone}. 1 1 1 1 1"]
        records[zone, "NS"] = [f"ns.{zone}."]
        records[f"ns.{zone}", "A"] = ["127.0.0.1"]
    made = World(directory=tmp_path, records=records)
    made.file.write_text(FILE, "utf-8")
    for domain, owner in ALIASES.items():
        made.publish(domain, owner)
    made.up()

    def ssh_json(host: HostAccess, verb: list[str]) -> Any:
        if host.name == "mta-2" and made.silent:
            raise UserError("mta-2 (198.18.0.2): no SSH connection")
        if verb == ["status"]:
            return {"release": made.other if host.name == "mta-2" else made.release}
        return {name: _der(pem) for name, (_, pem) in made.keys.items()}

    def deployment(_stack: str) -> Deployment:
        names = ("mta-1", "mta-2") if made.other else ("mta-1",)
        hosts = {name: access(name) for name in names}
        return Deployment(stack="test", settings=made.deployed, hosts=hosts, egress={})

    with serving(records) as server:
        port = int(server.rpartition(":")[2])
        monkeypatch.setattr(work, "ssh_json", ssh_json)
        monkeypatch.setattr(look, "ssh_json", ssh_json)
        monkeypatch.setattr(work, "read_deployment", deployment)
        monkeypatch.setattr(
            work, "Resolver", lambda _servers: Resolver([server], authority_port=port)
        )
        yield made


def _der(pem: bytes) -> str:
    key = serialization.load_pem_public_key(pem)
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(key.public_bytes(*form)).decode()


def kinds(rows: dict[str, Any]) -> set[str]:
    """What each unit does or waits for."""
    return {row["step"] or row["waits_for"] for name, row in rows.items() if name != "status"}


def test_brands_domains_and_aliases_rotate_side_by_side(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, first = [], {name: pem for name, (_, pem) in world.keys.items()}
    for _ in range(13):
        world.now += datetime.timedelta(seconds=1)
        rows = world.rotate(ALL, capsys)
        seen.append(kinds(rows))
        if rows["status"] == 1:
            world.up()
        elif not any(row["step"] for name, row in rows.items() if name != "status"):
            until = [row["until"] for name, row in rows.items() if name != "status"]
            world.now = max(map(datetime.datetime.fromisoformat, until))
    assert seen == [
        {"seen"}, {"caches"}, {"sign"}, {"signs"}, {"mail"}, {"make"},
        {"seen"}, {"caches"}, {"sign"}, {"signs"}, {"mail"}, {"make"}, {"seen"},
    ]  # fmt: skip
    assert all(pem != first[name] for name, (_, pem) in world.keys.items())
    assert world.now - NOW > 2 * datetime.timedelta(days=7)
    lines = changed_lines(FILE, world.file.read_text("utf-8"))
    gone = [line for line in lines if line[0] == "-"]
    assert gone == ["-  ping8-mail:domainDefaults: {dmarc: {policy: none}}"]
    assert len(lines) == 3


def test_a_second_run_writes_nothing_and_says_what_it_waits_for(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.rotate(ALL, capsys)
    written = world.file.read_text("utf-8")
    rows = world.rotate(ALL, capsys)
    assert rows["news"]["waits_for"] == "caches"
    assert rows["news"]["until"] == "2026-12-01T13:00:00Z"
    assert rows["status"] == 0
    world.now += datetime.timedelta(hours=1)
    assert world.rotate(ALL, capsys)["news"]["up"]
    assert world.file.read_text("utf-8") != written
    written = world.file.read_text("utf-8")
    rows = world.rotate(ALL, capsys)
    assert (rows["news"]["waits_for"], rows["status"]) == ("up", 1)
    assert world.file.read_text("utf-8") == written


def test_a_domain_without_the_next_record_stops_its_unit_alone(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """`late.example.org` publishes nothing at all, so no rotation waits for it."""
    del world.records["s2._domainkey.news.example.org", "CNAME"]
    rows = world.rotate(ALL, capsys)
    assert rows["domainDefaults"]["step"] == "seen"
    assert rows["news"]["waits_for"] == "dns"
    assert rows["news"]["details"] == [
        "s2._domainkey.news.example.org: ns.example.org has no record"
    ]
    assert rows["status"] == 1
    assert rows["news"]["owners"] == 1


def test_an_older_key_at_an_authority_is_waited_for(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ("s2.news.dkim.mail.example.com", "TXT")
    world.records[key] = world.records["s1.news.dkim.mail.example.com", "TXT"]
    rows = world.rotate(ALL, capsys)
    assert "ns.mail.example.com has" in rows["news"]["details"][0]


def test_a_host_that_was_rolled_back_stops_every_rotation(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.release = "fedcba9876543210"
    rows = world.rotate(ALL, capsys)
    assert kinds(rows) == {"up"}
    assert "runs release fedcba9876543210" in rows["news"]["details"][0]


def test_each_mta_host_must_run_the_last_release_and_answer(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.other = "fedcba9876543210"
    rows = world.rotate(ALL, capsys)
    assert kinds(rows) == {"up"}
    assert rows["news"]["details"][0].startswith("mta-2 runs release fedcba9876543210, not")
    world.other = world.release
    assert kinds(world.rotate(ALL, capsys)) != {"up"}
    world.silent = True
    # It may still sign with a key that this would replace.
    with pytest.raises(UserError, match=r"mta-2 .*: no SSH connection"):
        world.rotate(ALL, capsys)


def test_a_leaked_key_of_one_domain_is_replaced_in_its_entry_alone(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = work.Wishes(
        brand=None, domain="in.mail.example.com", leaked=True, every=None, yes=True, as_json=True
    )
    rows = world.rotate(wishes, capsys)
    assert "fails DKIM" in rows["in.mail.example.com"]["gives_up"]
    before = {name: pem for name, (_, pem) in world.keys.items()}
    world.up()
    changed = {name for name, (_, pem) in world.keys.items() if pem != before[name]}
    assert changed == {"in.mail.example.com/s1"}
    assert world.deployed.domains[0].dkim.active == "s2"
    assert world.deployed.domains[1].dkim.active is None
    assert len(changed_lines(FILE, world.file.read_text("utf-8"))) == 2


def test_after_a_leak_the_command_goes_on_without_the_option(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = work.Wishes(
        brand="news", domain=None, leaked=True, every=None, yes=True, as_json=False
    )
    with pytest.raises(typer.Exit):
        work.dkim("test", wishes, directory=world.directory, now=NOW)
    assert "then this command without --leaked: the leaked key is gone" in capsys.readouterr().out


def test_a_scheduled_job_begins_only_when_the_key_is_old(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = work.Wishes(
        brand="news", domain=None, leaked=False, every="90d", yes=True, as_json=True
    )
    for expected in ("seen", "caches", "signs", "due"):
        assert kinds(world.rotate(wishes, capsys)) == {expected}
        world.now += datetime.timedelta(minutes=30)
    world.now += datetime.timedelta(days=90)
    assert kinds(world.rotate(wishes, capsys)) == {"sign"}


def test_a_default_brand_gets_an_entry_of_its_own(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    head, _, rest = FILE.partition("  ping8-mail:brands:")
    text = head + "  domains: [{name: out.example.net, dkim: {keys: brand}}]\n"
    assert rest
    world.file.write_text(text, "utf-8")
    world.publish("out.example.net", "default")
    world.up()
    assert world.rotate(ALL, capsys)["default"]["step"] == "seen"
    assert world.file.read_text("utf-8").startswith(text)
    assert read_stack_file("test", world.directory).brand("default").dkim.seen


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"brand": "nws"}, "did you mean news"),
        ({"brand": "default"}, "its domains have keys of their own"),
        ({"domain": "news.example.org"}, "use --brand news"),
        ({"every": "soon"}, "such as 180d"),
    ],
)
def test_a_wrong_option_is_refused_before_the_deployment_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch, wishes: dict[str, str], says: str
) -> None:
    monkeypatch.setattr(work, "read_deployment", lambda _: pytest.fail("read"))
    chosen = {"brand": None, "domain": None, "leaked": False, "every": None, **wishes}
    with pytest.raises(UsageError, match=says):
        work.dkim(
            "test",
            work.Wishes(yes=True, as_json=True, **chosen),  # type: ignore[arg-type]
            directory=world.directory,
        )


def test_nothing_is_written_without_a_yes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "confirm", lambda *_, **__: False)
    wishes = work.Wishes(
        brand=None, domain=None, leaked=False, every=None, yes=False, as_json=False
    )
    with pytest.raises(UserError, match="nothing was changed"):
        work.dkim("test", wishes, directory=world.directory, now=NOW)
    assert world.file.read_text("utf-8") == FILE


def test_a_configured_key_is_set_by_its_owner(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with world.file.open("a", encoding="utf-8") as file:
        file.write(
            "  ping8-mail:dkimKeys:\n    in.mail.example.com/s1: {secure: v1:c2FsdA==:dGV4dA==}\n"
        )
    wishes = work.Wishes(
        brand=None, domain="in.mail.example.com", leaked=True, every=None, yes=True, as_json=True
    )
    details = world.rotate(wishes, capsys)["in.mail.example.com"]["details"]
    assert "pulumi config set --secret --path 'dkimKeys" in details[0]


def test_a_key_that_nobody_saw_in_dns_cannot_be_made_active_by_hand(world: World) -> None:
    text = FILE.replace(
        "    - name: news\n",
        '    - name: news\n      dkim: {active: s2, made: {s2: "2026-12-01T02:30:00Z"}}\n',
    )
    world.file.write_text(text, "utf-8")
    with pytest.raises(SettingsError, match="DNS was not seen with the key that s2 got"):
        read_stack_file("test", world.directory)
