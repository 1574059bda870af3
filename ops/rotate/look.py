"""What DNS and the MTA hosts have, for a rotation."""

import base64
from collections.abc import Mapping

from cryptography.hazmat.primitives import serialization

from ops.dns import asked
from ops.doctor.answers import Once
from ops.doctor.host_answers import HostStatus
from ops.doctor.resolver import LookupFailed, Resolver
from ops.nodes import ask_every
from ops.rotate.units import Unit
from ops.ssh import ssh_json
from ops.stack import Deployment
from policy import record_names as names
from policy.dns.texts import dkim_record
from policy.settings import Settings
from policy.settings.dkim import DkimKeys
from policy.settings.domains import SenderDomain
from policy.settings.txt import txt_value


def not_applied(
    unit: Unit, written: Settings, deployment: Deployment, statuses: Mapping[str, HostStatus]
) -> str | None:
    """Why an MTA host does not run what is written; None if all do."""
    wanted, deployed = written.dkim_keys(), deployment.settings.dkim_keys()
    if any(_applied(wanted[owner]) != _applied(deployed.get(owner)) for owner in unit.owners):
        return "the last `pulumi up` was before this was written"
    for name in late_hosts(deployment, statuses):
        return (
            f"{name} runs release {statuses[name].release}, not "
            f"{deployment.hosts[name].release_id} of the last `pulumi up`"
        )
    return None


def ask_statuses(deployment: Deployment) -> dict[str, HostStatus]:
    """Of every MTA host; a `UserError` if one does not answer, since it may still sign mail."""
    answers = ask_every(deployment.mta_hosts, lambda host: ssh_json(host, ["status"]))
    return {name: HostStatus.parse(answer) for name, answer in answers.items()}


def late_hosts(deployment: Deployment, statuses: Mapping[str, HostStatus]) -> list[str]:
    """The hosts that do not run the release of the last `pulumi up`."""
    return [
        name
        for name, status in statuses.items()
        if status.pending or status.release != deployment.hosts[name].release_id
    ]


def _applied(keys: DkimKeys | None) -> object:
    """What the hosts and DNS have of an owner's settings."""
    return keys and (keys.active_selector, keys.made, keys.published())


class PublishedKeys:
    """Compares keys in DNS, on every authoritative server, with the host's."""

    def __init__(self, resolver: Resolver, settings: Settings, on_host: Mapping[str, str]) -> None:
        self._resolver = resolver
        self._settings = settings
        self._on_host = on_host
        self._once = Once()

    def lacking(self, unit: Unit, selector: str) -> list[str]:
        """What is wrong with the records of a selector, one text a name; nothing if all is well.

        Domains that have neither this selector nor the active one do not count: their mail does
        not pass DKIM today either.
        """
        domains = [one for one in self._settings.domains if one.key_owner in unit.owners]
        found = asked(domains, lambda one: self._of_domain(one, selector))
        return list(dict.fromkeys(text for texts in found for text in texts))

    def _of_domain(self, domain: SenderDomain, selector: str) -> list[str]:
        keys = self._settings.dkim_of(domain)
        wrong = self._of_selector(domain, keys, selector)
        if wrong and self._of_selector(domain, keys, keys.active_selector):
            return []
        return wrong

    def _of_selector(self, domain: SenderDomain, keys: DkimKeys, selector: str) -> list[str]:
        made = (name for name, _ in keys.published() if keys.base(name) == selector)
        problems = (self._of_key(domain, name) for name in made)
        return [problem for problem in problems if problem]

    def _of_key(self, domain: SenderDomain, selector: str) -> str | None:
        owner = domain.key_owner
        target = names.dkim_target(selector, owner, self._settings.zone)
        says = self._says(names.dkim(selector, domain.name), f"{owner}/{selector}", target)
        if says != target:
            return says
        return self._once(target, lambda: self._says(target, f"{owner}/{selector}"))

    def _says(self, name: str, key: str, target: str | None = None) -> str | None:
        """What servers have of a name: None for the key, the target for an alias, or a problem."""
        found: set[str | None] = set()
        try:
            servers = self._once(
                ("zone", self._resolver.zone(name)), lambda: self._resolver.authorities(name)
            )
            for server, addresses in servers.items():
                if not addresses:
                    return f"{name}: name server {server} has no address"
                for address in addresses:
                    answer = self._resolver.ask(address, name, "TXT")
                    if answer == [target]:
                        found.add(target)
                    elif self._is_key(answer, key):
                        found.add(None)
                    else:
                        has = answer[0][:60] if answer else "no record"
                        return f"{name}: {server} has {has}"
        except LookupFailed as error:
            return f"{name}: not known: {error}"
        return target if target in found else None

    def _is_key(self, answer: list[str], key: str) -> bool:
        if len(answer) != 1 or key not in self._on_host:
            return False
        der = base64.b64decode(self._on_host[key])
        public = serialization.load_der_public_key(der)
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        wanted = dkim_record(public.public_bytes(*form).decode())
        try:
            return _public_half(txt_value(answer[0])) == _public_half(wanted)
        except ValueError:
            return False


def _public_half(record: str) -> str:
    """The value of `p=`, without the white space that a console may add."""
    tags = dict(tag.partition("=")[::2] for tag in "".join(record.split()).split(";"))
    return tags.get("p", "")
