"""The main job on one machine: everything up, the program deployed, one message sent."""

import concurrent.futures
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from pulumi import automation

from ops.doctor.resolver import Resolver
from ops.stack import Deployment, from_outputs
from sandbox import acme, claim, cloud, dns, operator, program, system, world
from sandbox.containers import Containers
from sandbox.engine import ensure_engine, real_providers
from sandbox.files import fill
from sandbox.image import ensure_image
from sandbox.journey import Ping8, Step, letter, travel
from sandbox.kumomta import VARIABLE, KumoTree, ensure_tree
from sandbox.layout import Layout
from sandbox.machine import Site
from sandbox.parts import STACK, Parts, require_up
from sandbox.process import SandboxError, wait_until
from sandbox.world import World
from sandbox.world.webhook import expect_token
from standins.pulumi.endpoints import Endpoints

ZONES = ("mail.ping8.test", "ping8.test")
"""Hosted zones that exist before the first `pulumi up`."""

Say = Callable[[str], None]
_CERTIFICATE_SECONDS = 180
_APEX = ("SOA", "NS")
_WORDS = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced"}


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A running sandbox, for commands and tests."""

    layout: Layout
    tree: KumoTree
    stack: automation.Stack
    parts: Parts
    real: tuple[str, ...] = ()
    """Providers whose real plugin is used."""

    @property
    def world(self) -> World:
        """Recipients and PING8's receiver."""
        return self.parts.world

    @property
    def hosts(self) -> Containers:
        """The hosts' containers, by instance id."""
        return self.parts.hosts

    @property
    def deployment(self) -> Deployment:
        """The live deployment, from the stack's outputs."""
        return from_outputs(STACK, self.outputs)

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Stack outputs, secrets in plain text."""
        return program.outputs(self.stack, self.layout)

    @property
    def resolver(self) -> Resolver:
        """DNS as the outside world sees it."""
        return Resolver([dns.SERVER])

    @property
    def ping8(self) -> Ping8:
        """PING8 with the current injection token."""
        return self.ping8_at(self.outputs["injection_addresses"][0])

    def ping8_at(self, address: str) -> Ping8:
        """PING8, injecting at one address."""
        name = self.deployment.settings.injection_host
        return Ping8(name, address, self.outputs["injection_token"], self.parts.trusted)

    def send(self, recipient: str, *, sender: str | None = None) -> list[Step]:
        """One message's journey to a recipients' server that accepts mail."""
        deployment = self.deployment
        resolver = self.resolver
        resolver.use_for_spf()
        one = letter(sender or f"news@{deployment.settings.domains[0].name}", recipient)
        return list(travel(one, deployment, self.ping8, self.world, resolver))


def existing(layout: Layout, say: Say, nodes: int = 1) -> Sandbox:
    """Everything but the program: machine, network, DNS, ACME, the world, AWS."""
    system.prepare(say, (*system.NEEDS, *(system.SEVERAL_NODES if nodes > 1 else ())))
    claim.take(layout)
    if layout.backend.exists() and not cloud.endpoints(layout.daemons):
        say("the stand-in for AWS has ended, and its account with it: starting over")
        down(layout, say)
        claim.take(layout)
    layout.state.mkdir(mode=0o700, exist_ok=True)
    engine, image, tree = _ingredients(layout, say)
    if nodes > 1 and not tree.real:
        raise SandboxError(
            f"--nodes {nodes} needs the real KumoMTA, and this machine has its stand-in alone, "
            "which knows no other nodes: unpack the package kumomta for Ubuntu 22.04, and set "
            f"{VARIABLE} to the folder with its sbin and share"
        )
    say(f"hosts run {tree.label}")
    parts = Parts(layout)
    parts.authority.ensure()
    parts.net.up(world_addresses=(dns.SERVER, acme.ADDRESS, *world.addresses()))
    parts.names.publish("world", [*world.zones(), acme.zone(), cloud.zone()])
    for server in (parts.names, parts.acme, parts.world, parts.limits, parts.balancer):
        server.start()
    site = Site(image=image, kumomta=tree.path, trusted=parts.authority.certificate)
    endpoints = cloud.start(layout.daemons, cloud.settings_for(layout, site))
    _ensure_zones(endpoints)
    real = real_providers(layout, engine)
    program.release_dead_locks(layout)
    stack = program.open_stack(layout, engine, endpoints, real=real)
    _boot_stopped(parts.hosts, say)
    return Sandbox(layout=layout, tree=tree, stack=stack, parts=parts, real=real)


def standing(layout: Layout) -> Sandbox:
    """The sandbox that is up; parts that stopped are started again."""
    require_up(layout)
    return existing(layout, lambda _text: None, program.nodes(layout))


def up(
    layout: Layout, say: Say, *, nodes: int | None = None, engine_output: Say | None = None
) -> Sandbox:
    """Starts everything that the stack needs, then runs `pulumi up`.

    Unless said otherwise there are as many MTA hosts as before: one at first.
    """
    nodes = nodes or program.nodes(layout)
    sandbox = existing(layout, say, nodes)
    program.take_settings(layout, nodes)
    operator.let_in(layout, sandbox.stack)
    # Before the deployment, so that the operators' commands work if it fails half-way.
    operator.introduce(layout, sandbox.stack, sandbox.parts.trusted)
    say("pulumi up")
    result = deploy(sandbox, engine_output)
    say(f"deployed: {_changes(result.summary.resource_changes or {})}")
    expect_token(layout.world, sandbox.outputs["webhook_token"])
    await_certificate(sandbox)
    say(f"{sandbox.deployment.settings.injection_host} has its certificate from the ACME server")
    return sandbox


def await_certificate(sandbox: Sandbox) -> None:
    """Wait until PING8 trusts the injection host's certificate, which is self-signed at first."""
    for host in sandbox.deployment.mta_hosts:
        trusts = sandbox.ping8_at(host.address).trusts
        try:
            wait_until(trusts, "the certificate", seconds=_CERTIFICATE_SECONDS, every=0.5)
        except SandboxError as error:
            raise SandboxError(
                f"{error}: PING8 does not trust the injection host's certificate; see "
                f"`ping8 sandbox logs {host.name} --unit ping8-certificate`"
            ) from error


def deploy(sandbox: Sandbox, engine_output: Say | None = None) -> automation.UpResult:
    """One `pulumi up`; an error has the engine's last lines."""
    log = sandbox.layout.state / "pulumi-up.log"
    with log.open("a") as file:

        def note(line: str) -> None:
            file.write(f"{line}\n")
            if engine_output:
                engine_output(line)

        try:
            result = sandbox.stack.up(on_output=note, suppress_progress=True)
        except automation.CommandError as error:
            raise SandboxError(
                f"pulumi up failed: {_reason(str(error))}\n"
                f"Full log: {log}; a host's journal: ping8 sandbox logs mta-1"
            ) from error
    return result


def down(layout: Layout, say: Say) -> None:
    """Removes containers, networks, rules, processes and state; the cache stays."""
    claim.require_ours(layout)
    parts = Parts(layout)
    say("removing hosts")
    parts.hosts.remove_all()
    for volume in parts.hosts.volumes.ids():
        parts.hosts.volumes.delete(volume)
    say("stopping servers")
    cloud.stop(layout.daemons)
    for server in (parts.balancer, parts.limits, parts.world, parts.acme, parts.names):
        server.stop()
    parts.net.down()
    shutil.rmtree(layout.state, ignore_errors=True)
    claim.give_up(layout)


def summary(sandbox: Sandbox, steps: int) -> str:
    """What is running, in an operator's terms."""
    played = [name for name in ("aws", "command", "tls", "random") if name not in sandbox.real]
    return fill(
        "summary.txt.j2",
        deployment=sandbox.deployment,
        zones={z.name: [r for r in z.records if r.type not in _APEX] for z in sandbox.parts.zones},
        kumomta=sandbox.tree.label,
        stand_ins=f"STAND-IN on moto; providers {', '.join(played)} are stand-ins, too",
        steps=steps,
    )


def _ingredients(layout: Layout, say: Say) -> tuple[Path, str, KumoTree]:
    """Prepares engine, image and KumoMTA in parallel; each may take minutes the first time."""
    started = time.monotonic()
    site = cloud.settings_of(layout.daemons).site if cloud.endpoints(layout.daemons) else None
    with concurrent.futures.ThreadPoolExecutor() as pool:
        engine = pool.submit(ensure_engine, layout.cache)
        image = pool.submit(ensure_image, layout.cache)
        tree = pool.submit(ensure_tree, layout.cache, running=site.kumomta if site else None)
        named: dict[str, concurrent.futures.Future[Any]] = {
            "the Pulumi engine": engine,
            "the hosts' image": image,
            "KumoMTA": tree,
        }
        concurrent.futures.wait(named.values(), timeout=2)
        slow = [name for name, future in named.items() if not future.done()]
        if slow:
            say(f"preparing {' and '.join(slow)} (takes minutes the first time)")
        result = engine.result(), image.result(), tree.result()
    if slow:
        say(f"ready in {time.monotonic() - started:.0f} s")
    return result


def _ensure_zones(endpoints: Endpoints) -> None:
    route53 = boto3.client(
        "route53",
        endpoint_url=endpoints.moto_url,
        region_name="us-east-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - moto takes any
    )
    present = {zone["Name"].rstrip(".") for zone in route53.list_hosted_zones()["HostedZones"]}
    for zone in ZONES:
        if zone not in present:
            route53.create_hosted_zone(Name=zone, CallerReference=f"sandbox-{zone}")


def _boot_stopped(hosts: Containers, say: Say) -> None:
    for name, running in hosts.states().items():
        if not running:
            say(f"booting {name}, which had stopped")
            hosts.start(name)
            hosts.wait_booted(name)


def _changes(counted: Mapping[Any, int]) -> str:
    """The engine's counts in words; only `same` means no change."""
    changed = {kind: count for kind, count in counted.items() if kind != "same"}
    same = counted.get("same", 0)
    if not changed:
        return f"no change ({same} resources)"
    said = [f"{count} {_WORDS.get(kind, kind)}" for kind, count in sorted(changed.items())]
    return ", ".join([*said, *([f"{same} unchanged"] if same else [])])


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if "error:" in line or "ping8:" in line]
    return "\n".join(dict.fromkeys(lines[-5:])) or text[-1500:]
