"""Faults of hosts, of the ways to them and of PING8: each breaks one thing and puts it back."""

import datetime
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from hostagent.contract import DRAINING
from hostagent.reputation.kept import Kept, Refusals
from sandbox.journey import letter
from sandbox.process import run
from sandbox.world import APP_ADDRESS
from sandbox.world.webhook import Behaviour, Mode, behave, expect_token
from tests.ops.doctor.tls_server import Authority
from tests.sandbox.e2e import doctor_site
from tests.sandbox.e2e.doctor_faults import (
    FAIL,
    MTA,
    MTA_NAME,
    NEWS,
    PROXY,
    PUSH,
    REFRESH,
    UNKNOWN,
    WARN,
    Faults,
)
from tests.sandbox.e2e.doctor_site import Site
from tests.sandbox.e2e.watching import client

faults = Faults()
SOURCES = ("proxy-default", "out-2")
SITE = "/etc/nginx/sites-enabled/ping8.conf"
RELOAD = "systemctl reload nginx"
LISTENS = "until ss -Hltn sport = :5000 | grep -q .; do sleep 0.1; done"
"""Waits, in a shell, until the proxy takes connections: its unit is active before."""

_PATIENCE = 60


def _answers(port: int, address: str = "127.0.0.1") -> str:
    """Waits, in a shell, until a port answers."""
    return f"until curl -so /dev/null http://{address}:{port}/; do sleep 0.1; done"


# The proxy --------------------------------------------------------------------


@faults.fault(
    {
        **{("egress.port-25", source): FAIL for source in SOURCES},
        **{("egress.seen-as", source): UNKNOWN for source in SOURCES},
    },
    "ping8 doctor --before-launch --stack sandbox prints the request",
)
def _port_25_blocked(site: Site) -> Iterator[Site]:
    rules = (
        "add table inet doctor; add chain inet doctor out { type filter hook output priority 0; }"
    )
    rules += "; add rule inet doctor out tcp dport 25 reject with tcp reset"
    with site.done(PROXY, f"nft '{rules}'", "nft delete table inet doctor"):
        yield site


@faults.fault({("egress.seen-as", "out-2"): FAIL}, f"{REFRESH} associates")
def _mail_from_another_address(site: Site) -> Iterator[Site]:
    one, other = (site.deployment.egress[name].private for name in ("out-2", "proxy-default"))
    rules = (
        "add table ip doctor; add chain ip doctor out { type nat hook postrouting priority 100; }"
    )
    rules += f"; add rule ip doctor out ip saddr {one} tcp dport 25 snat to {other}"
    with site.done(PROXY, f"nft '{rules}'", "nft delete table ip doctor"):
        yield site


@faults.fault(
    {("egress.proxy-reached", PROXY): FAIL, ("host.units", PROXY): FAIL},
    "sudo journalctl -u kumoproxy",
)
def _proxy_down(site: Site) -> Iterator[Site]:
    with site.done(PROXY, "systemctl stop kumoproxy", f"systemctl start kumoproxy; {LISTENS}"):
        yield site


@faults.fault({("egress.proxy-closed", PROXY): FAIL})
def _proxy_open_to_the_world(site: Site) -> Iterator[Site]:
    with site.fence(PROXY, "tcp dport 5000 accept"):
        yield site


# The MTA from outside ---------------------------------------------------------


def _with_certificate(site: Site, folder: Path, **certificate: object) -> Iterator[Site]:
    """Another certificate of an authority that the operator trusts."""
    folder.mkdir(exist_ok=True)
    authority = Authority.make(folder)
    both = authority.issue(**certificate).read_text()  # type: ignore[arg-type]
    pem = both[both.index("-----BEGIN CERTIFICATE") :]
    key = both.removesuffix(pem)
    assert site.options.ca_file is not None
    trusted = folder / "trusted.pem"
    trusted.write_text(Path(site.options.ca_file).read_text() + Path(authority.ca_file).read_text())
    tls = "/etc/ping8/tls"
    try:
        with (
            site.changed(MTA, f"{tls}/privkey.pem", key),
            site.changed(MTA, f"{tls}/fullchain.pem", pem),
        ):
            site.shell(MTA, RELOAD)
            yield replace(site, options=replace(site.options, ca_file=str(trusted)))
    finally:
        site.shell(MTA, RELOAD)


@faults.fault({("mta.certificate", MTA_NAME): FAIL}, "sudo systemctl start ping8-certificate")
def _expired_certificate(site: Site) -> Iterator[Site]:
    yield from _with_certificate(site, site.folder / "expired", host=MTA_NAME, days=-3)


@faults.fault({("mta.certificate", MTA_NAME): FAIL}, "sudo systemctl start ping8-certificate")
def _certificate_of_another_name(site: Site) -> Iterator[Site]:
    yield from _with_certificate(site, site.folder / "name", host="other.ping8.test", days=90)


@faults.fault({("mta.certificate", MTA_NAME): WARN}, "sudo systemctl start ping8-certificate")
def _certificate_that_ends_soon(site: Site) -> Iterator[Site]:
    yield from _with_certificate(site, site.folder / "soon", host=MTA_NAME, days=3)


def _with_site(site: Site, old: str, new: str) -> Iterator[Site]:
    text = site.shell(MTA, f"cat {SITE}")
    assert old in text
    with site.changed(MTA, SITE, text.replace(old, new, 1), after=RELOAD):
        yield site


@faults.fault({("mta.token", MTA_NAME): FAIL, ("host.drift", MTA): FAIL}, "sudo nginx -T")
def _injection_without_a_token(site: Site) -> Iterator[Site]:
    yield from _with_site(site, "auth_request /token;", "")


@faults.fault({("mta.paths", MTA_NAME): FAIL, ("host.drift", MTA): FAIL}, "sudo nginx -T")
def _open_admin_path(site: Site) -> Iterator[Site]:
    opened = "location /api/admin/ { proxy_pass http://ping8_kumod; }\n    location / {"
    yield from _with_site(site, "location / {", opened)


@faults.fault({("mta.listener", MTA_NAME): FAIL}, f"{REFRESH}; {PUSH}")
def _listener_open_to_the_world(site: Site) -> Iterator[Site]:
    address = site.deployment.mta.private_address
    serve = f"systemd-run --quiet --unit=doctor-e2e python3 -m http.server --bind {address} 8000"
    with (
        site.fence(MTA, "tcp dport 8000 accept"),
        site.done(MTA, f"{serve}; {_answers(8000, address)}", "systemctl stop doctor-e2e"),
    ):
        yield site


@faults.fault({("mta.port-25", MTA_NAME): FAIL}, "systemctl status kumomta")
def _port_25_closed_to_bounces(site: Site) -> Iterator[Site]:
    rule = "tcp dport 25 drop"
    with site.fence(MTA, rule), site.public_fence(MTA, rule):
        yield site


# PING8 ------------------------------------------------------------------------


@faults.fault({("mta.webhook", MTA_NAME): FAIL}, "curl -sv")
def _dead_webhook(site: Site) -> Iterator[Site]:
    net = site.sandbox.parts.net
    rule = f"ip daddr {APP_ADDRESS} tcp dport 443 reject with tcp reset"
    chain = "type filter hook input priority 0;"
    refuse = f"table inet dead {{ chain input {{ {chain} {rule}; }}; }}"
    run(net.inside(net.world, "nft", refuse))
    try:
        yield site
    finally:
        run(net.inside(net.world, "nft", "delete table inet dead"))


@faults.fault({("mta.webhook", MTA_NAME): FAIL}, "pulumi stack output webhook_token")
def _wrong_token(site: Site) -> Iterator[Site]:
    folder = site.sandbox.layout.world
    expect_token(folder, "another-token-than-the-stack-has")
    try:
        yield site
    finally:
        expect_token(folder, site.sandbox.outputs["webhook_token"])


def _refuse_events(site: Site) -> None:
    """Until the test's end."""
    behave(site.sandbox.layout.world, Behaviour(mode=Mode.STATUS, status=503))


@faults.fault({("mta.webhook", MTA_NAME): FAIL}, "events stay queued and are retried")
def _webhook_out_of_order(site: Site) -> Iterator[Site]:
    _refuse_events(site)
    yield site


def _await(site: Site, check: str) -> None:
    """Until a check is no longer well: events and messages take their time."""
    end = time.monotonic() + _PATIENCE
    while not any(found.check == check for found in doctor_site.troubles(site.look(check))):
        assert time.monotonic() < end, f"{check} stays well"


@faults.fault(
    {("mta.events", MTA): FAIL, ("mta.webhook", MTA_NAME): FAIL}, "--only mta.webhook --test-event"
)
def _events_that_wait(site: Site) -> Iterator[Site]:
    few = site.with_settings(alarms={"eventBacklog": 1})
    _refuse_events(site)
    for _ in range(2):
        site.sandbox.ping8.inject(letter(f"news@{NEWS}", "reader@accept.example"))
    _await(few, "mta.events")
    yield few


@faults.fault({("mta.dead-letters", MTA): WARN}, "ping8 events replay --stack sandbox")
def _dead_letters(site: Site) -> Iterator[Site]:
    path = "/var/spool/kumomta/ping8/dead-letters.sqlite"
    schema = "event_id TEXT PRIMARY KEY, buried INTEGER NOT NULL, answer TEXT NOT NULL, record TEXT"
    plant = (
        f"CREATE TABLE IF NOT EXISTS dead_letters ({schema});"
        "INSERT INTO dead_letters VALUES ('doctor-e2e', 1, '400', '{}')"
    )
    undo = "DELETE FROM dead_letters WHERE event_id = 'doctor-e2e'"

    def as_kumod(sql: str) -> str:
        return f'runuser -u kumod -- sqlite3 {path} "{sql}"'

    with site.done(MTA, as_kumod(plant), as_kumod(undo)):
        yield site


@faults.fault({("mta.reputation", MTA): FAIL}, "ping8 reputation list --stack sandbox")
def _a_source_that_a_provider_blocks(site: Site) -> Iterator[Site]:
    path = "/var/spool/kumomta/ping8/reputation.json"
    one = Kept(provider="other", source="proxy-default", first=1.0, open=True, words="blocked")
    planted = shlex.quote(json.dumps(asdict(Refusals(kept=[one]))))
    undo = f"rm {path}; mv {path}.before {path} || true"
    with site.done(MTA, f"mv {path} {path}.before || true; echo {planted} >{path}", undo):
        yield site


@faults.fault({("mta.queue-age", MTA): WARN}, "kcli queue-summary")
def _old_mail_in_the_queue(site: Site) -> Iterator[Site]:
    quick = site.with_settings(alarms={"queueAge": "1s"})
    site.sandbox.ping8.inject(letter(f"news@{NEWS}", "reader@defer.example"))
    _await(quick, "mta.queue-age")
    yield quick


# Hosts ------------------------------------------------------------------------


@faults.fault({("host.units", MTA): FAIL}, "sudo systemctl start ping8-logs-prune.timer")
def _stopped_unit(site: Site) -> Iterator[Site]:
    unit = "ping8-logs-prune.timer"
    with site.done(MTA, f"systemctl stop {unit}", f"systemctl start {unit}"):
        yield site


@faults.fault({("host.units", PROXY): WARN}, "sudo journalctl -u kumoproxy.service -n 100")
def _unit_that_restarts_in_circles(site: Site) -> Iterator[Site]:
    again = "until systemctl is-active -q kumoproxy; do sleep 0.2; done"
    kill = f"for n in 1 2 3; do systemctl kill -s KILL kumoproxy; sleep 0.5; {again}; done"
    with site.done(PROXY, f"{kill}; {LISTENS}", f"systemctl restart kumoproxy; {LISTENS}"):
        yield site


@faults.fault({("host.release", PROXY): FAIL}, PUSH)
def _another_release_than_the_stacks(site: Site) -> Iterator[Site]:
    hosts = dict(site.deployment.hosts)
    hosts[PROXY] = replace(hosts[PROXY], release_id="f" * 16)
    yield site.with_deployment(hosts=hosts)


@faults.fault({("host.drift", MTA): FAIL}, f"{PUSH}; replaced files are kept")
def _drifted_file(site: Site) -> Iterator[Site]:
    path = "/etc/ping8/unbound.conf"
    text = site.shell(MTA, f"cat {path}")
    with site.changed(MTA, path, f"{text}# changed by hand\n"):
        yield site


@faults.fault({("host.modes", MTA): FAIL}, PUSH)
def _world_readable_secret(site: Site) -> Iterator[Site]:
    path = "$(readlink -f /etc/default/kumomta)"
    with site.done(MTA, f"chmod 0644 {path}", f"chmod 0600 {path}"):
        yield site


@faults.fault(
    {("host.disk", f"{MTA} spool"): FAIL, ("host.backlog-room", MTA): WARN}, "raise mta.spoolGib"
)
def _full_disk(site: Site) -> Iterator[Site]:
    path = "/var/spool/kumomta/doctor-e2e"
    size = "$(( $(df --output=avail -B1 /var/spool/kumomta | tail -1) * 88 / 100 ))"
    with site.done(MTA, f"fallocate -l {size} {path}", f"rm -f {path}"):
        yield site


@faults.fault({("host.backlog-room", MTA): WARN}, "raise mta.spoolGib or lower mta.expectedBacklog")
def _spool_sized_for_the_average(site: Site) -> Iterator[Site]:
    yield site.with_settings(mta={"expectedBacklog": 10_000_000})


@faults.fault({("host.memory", PROXY): WARN}, "a larger instanceType of the proxy")
def _little_memory(site: Site) -> Iterator[Site]:
    yield site.with_settings(alarms={"memoryUsed": 1})


@faults.fault({("host.clock", MTA): UNKNOWN, ("host.clock", PROXY): UNKNOWN}, "chronyc tracking")
def _time_synchronisation_down(site: Site) -> Iterator[Site]:
    stop, start = "systemctl stop chrony", "systemctl start chrony"
    with site.done(MTA, stop, start), site.done(PROXY, stop, start):
        yield site


@faults.fault({("host.version", MTA): FAIL}, "an image with the pinned version")
def _another_version_than_the_pinned_one(site: Site) -> Iterator[Site]:
    yield site.with_settings(kumomta={"version": "2026.10.06-aaaaaaa"})


@faults.fault({("host.draining", MTA): WARN}, f"ping8 drain {MTA} --back --stack sandbox")
def _drain_that_nobody_took_back(site: Site) -> Iterator[Site]:
    mark = {"since": int(time.time()), "by": "ann", "reason": "resize"}
    begin = f"echo {shlex.quote(json.dumps(mark))} >{DRAINING}"
    with site.done(MTA, begin, f"rm {DRAINING}"):
        yield site


@faults.fault({("host.reboot", PROXY): WARN}, "sudo reboot")
def _update_that_waits_for_a_reboot(site: Site) -> Iterator[Site]:
    with site.done(PROXY, "touch /run/reboot-required", "rm /run/reboot-required"):
        yield site


TOLD = ("units", "release", "disk", "memory", "clock", "reboot", "drift", "modes", "image")


@faults.fault(
    {
        ("host.login", PROXY): FAIL,
        **{(f"host.{check}", PROXY): UNKNOWN for check in TOLD},
        **{(f"egress.{c}", s): UNKNOWN for c in ("port-25", "seen-as") for s in SOURCES},
    },
    "aws ec2 describe-instance-status",
)
def _host_that_refuses_the_operator(site: Site) -> Iterator[Site]:
    doctor_site.forbid(site, PROXY)
    try:
        yield site
    finally:
        doctor_site.allow(site, PROXY)


# AWS --------------------------------------------------------------------------


@faults.fault({("host.image", PROXY): WARN}, "set ami of proxy-1 to an image that exists")
def _image_that_its_owner_removed(site: Site) -> Iterator[Site]:
    proxies = [
        proxy.model_dump(by_alias=True, exclude_none=True) | {"ami": "ami-0123456789abcdef0"}
        for proxy in site.deployment.settings.proxies
    ]
    yield site.with_settings(proxies=proxies)


@faults.fault({("alarms.subscriptions", "ping8-sandbox-alarms"): WARN}, "Subscription Confirmation")
def _alarms_that_nobody_confirmed(site: Site) -> Iterator[Site]:
    """The stand-in for AWS confirms each subscription itself, and takes any count."""
    topic = {"TopicArn": site.deployment.alarm_topic, "AttributeName": "SubscriptionsPending"}
    sns = client(site.sandbox, "sns")
    sns.set_topic_attributes(**topic, AttributeValue="1")
    try:
        yield site
    finally:
        sns.set_topic_attributes(**topic, AttributeValue="0")


# The repository ---------------------------------------------------------------


@faults.fault({("repository.secrets", "checkout"): FAIL}, "pulumi config set --secret KEY")
def _plain_secret_in_the_history(site: Site) -> Iterator[Site]:
    folder = site.folder / "checkout"
    stack = folder / "stacks" / "Pulumi.prod.yaml"
    stack.parent.mkdir(parents=True)
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True)

    git("init", "--quiet")
    for value in ("3vUbQk29dmWq", "{secure: AAAB}"):
        stack.write_text(f"config:\n  ping8-mail:webhookToken: {value}\n")
        git("add", ".")
        git("commit", "--quiet", "--message", str(datetime.date.min))
    yield replace(site, options=replace(site.options, folder=folder))
