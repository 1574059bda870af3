"""A kind of the table over the API: checks against the SDK, tags, reading after writing."""

import contextlib
import json
from collections.abc import Iterator

from botocore.exceptions import ClientError

from standins.pulumi.aws.account import ACCOUNT_ID, Account, Client, absent, api_errors, region_of
from standins.pulumi.aws.kinds import Kind, Step, fill, kinds, plain
from standins.pulumi.aws.world import World
from standins.pulumi.errors import InvalidInputs, ProviderError
from standins.pulumi.properties import UNKNOWN, Properties, Value, has_unknown
from standins.pulumi.resource import (
    DEFAULTS,
    Call,
    Change,
    Resource,
    refreshed_inputs,
    with_autoname,
)
from standins.pulumi.schema import Refusal

_EVERYWHERE = frozenset({"region", "tags", "tagsAll", DEFAULTS})


class Scope:
    """One request's view of the account: the region it is about and the default tags."""

    def __init__(self, account: Account, call: Call, properties: Properties) -> None:
        self.account = account
        self.region = region_of(call.config, properties)
        self.default_tags = default_tags(call.config)

    def client(self, service: str) -> Client:
        return self.account.client(service, self.region)

    @property
    def ec2(self) -> Client:
        return self.client("ec2")


def default_tags(config: Properties) -> dict[str, str]:
    """Tags that the provider puts on everything that can have some."""
    return dict((config.get("defaultTags") or {}).get("tags") or {})


class AwsResource(Resource):
    """A kind of the table; subclasses add what no table says."""

    def __init__(self, world: World, token: str) -> None:
        self.table: Kind = kinds()[token]
        replace = self.table.replace | {"region"}
        super().__init__(token, self.table.model_copy(update={"replace": replace}))
        self.world = world

    # What subclasses add to

    def refusals(self, inputs: Properties) -> Iterator[Refusal]:
        """Inputs that the schema cannot refuse."""
        for name in sorted(set(inputs) - self.table.known - _EVERYWHERE):
            if inputs[name] not in (None, [], {}):
                yield Refusal(path=name, reason="not known to the sandbox")
        for each in self.table.refuse:
            if fill(each.when, inputs):
                yield Refusal(path=each.path, reason=each.reason)
        for name in sorted(self.table.documents):
            if isinstance(inputs.get(name), str):
                try:
                    json.loads(inputs[name])
                except json.JSONDecodeError as error:
                    yield Refusal(path=name, reason=f"contains an invalid JSON policy: {error}")

    def known(self, aws: Scope, properties: Properties) -> Properties:
        """What the table's expressions may name, beside the id."""
        return {**properties, "region": aws.region, "kind": self.table.type}

    def made(self, aws: Scope, inputs: Properties) -> str:
        """Creates it and returns its id."""
        known = self.known(aws, inputs)
        known["id"] = str(fill(self.table.id, {**known, **self._put(aws, known)}))
        for step in (*self.table.then, *self.table.apply):
            if not step.of or any(inputs.get(name) not in (None, {}) for name in step.of):
                self._run(aws, step, known)
        return str(known["id"])

    def found(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        """Its outputs as they are now; None, or the API's error, when it is gone."""
        context = {**self.known(aws, known), "id": identity, "known": known}
        first, *others = self.table.read
        found = self._run(aws, first, context)
        if found is None:
            return None
        for step in others:
            with _may_be_absent():
                found = {**found, **self._run(aws, step, {**context, **found})}
        outputs = self.table.described(found)
        for name, expression in self.table.outputs.items():
            outputs[name] = plain(fill(expression, {**context, **found}))
        if self.table.type:
            outputs["arn"] = f"arn:aws:ec2:{aws.region}:{ACCOUNT_ID}:{self.table.type}/{identity}"
        return {**outputs, "tagsAll": plain(found.get("Tags") or found.get("TagSet")) or {}}

    def changed(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        """Changes it in place."""
        names = {change.name for change in self.changes(olds, news)}
        if names & self.table.fixed:
            which = ", ".join(sorted(names & self.table.fixed))
            raise ProviderError(f"{which}: the sandbox does not know how to change it in place")
        known = {**self.known(aws, news), "id": identity, "old": olds}
        self._retag(aws, known)
        if self.table.put:
            self._put(aws, known)
        for step in (*self.table.change, *self.table.apply):
            if names & step.of:
                self._run(aws, step, known)

    def removed(self, aws: Scope, identity: str, state: Properties) -> None:
        """Removes it, step by step; ignores what is already gone."""
        known = {**self.known(aws, state), "id": identity}
        for step in self.table.delete:
            if not step.of or any(state.get(name) for name in step.of):
                with _may_be_absent():
                    self._run(aws, step, known)

    def _put(self, aws: Scope, known: Properties) -> Properties:
        inputs = {name: known.get(name) for name in self.table.known}
        optional = {**inputs, **fill(self.table.tagged, known)}
        return dict(self.table.create.run(aws.client(self.table.service), known, optional))

    def _run(self, aws: Scope, step: Step, known: Properties) -> Value:
        return step.run(aws.client(self.table.service), known)

    def _retag(self, aws: Scope, known: Properties) -> None:
        before, after = known["old"].get("tagsAll") or {}, known.get("tagsAll") or {}
        put = {key: value for key, value in after.items() if before.get(key) != value}
        tags = {"put": put, "drop": sorted(set(before) - set(after))}
        for step in (self.table.untag, self.table.tag):
            if step is not None and any(tags[name] for name in step.of & tags.keys()):
                self._run(aws, step, {**known["old"], **known, **tags})

    # The resource protocol

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:
        checked = with_autoname(self.traits, call, olds, super().check(call, olds, news))
        if "tagsAll" in self.schema.outputs:
            given = checked.get("tags")
            merged = {**default_tags(call.config), **(given if isinstance(given, dict) else {})}
            checked = {**checked, "tagsAll": UNKNOWN if given is UNKNOWN else merged}
        if refusals := list(self.refusals(checked)):
            raise InvalidInputs(*refusals)
        return checked

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        found = super().changes(olds, news)
        names = {change.name for change in found}
        if "tagsAll" in names and "tags" not in names and has_unknown(news.get("tagsAll")):
            return [change for change in found if change.name != "tagsAll"]
        return found

    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:
        aws = Scope(self.world.account, call, inputs)
        with api_errors():
            identity = self.made(aws, inputs)
            try:
                outputs = self._outputs(aws, identity, inputs)
                self._settle()
            except Exception:
                # The engine never hears of it, so nobody else would clean it up.
                with contextlib.suppress(Exception):
                    self.removed(aws, identity, inputs)
                raise
        return identity, outputs

    def read(
        self, call: Call, identity: str, inputs: Properties, state: Properties
    ) -> tuple[Properties, Properties] | None:
        aws = Scope(self.world.account, call, {**state, **inputs})
        found = None
        with api_errors(), _may_be_absent():
            found = self.found(aws, identity, {**state, **inputs})
        if found is None:
            return None
        present = self._complete(aws, {**inputs, **found}, inputs)
        return refreshed_inputs(self.traits, inputs, present), present

    def update(self, call: Call, identity: str, olds: Properties, news: Properties) -> Properties:
        aws = Scope(self.world.account, call, news)
        with api_errors():
            self.changed(aws, identity, olds, news)
            self._settle()
            computed = {k: v for k, v in olds.items() if k not in self.schema.inputs}
            return self._outputs(aws, identity, {**computed, **news})

    def delete(self, call: Call, identity: str, state: Properties) -> None:
        aws = Scope(self.world.account, call, state)
        with api_errors():
            self.removed(aws, identity, state)
            self._settle()

    def _settle(self) -> None:
        """Applies the change outside AWS."""
        if self.table.settle == "network":
            self.world.apply_network()
        if self.table.settle == "dns":
            self.world.publish_dns()
        if self.table.settle == "balancer":
            self.world.balance()

    def _outputs(self, aws: Scope, identity: str, known: Properties) -> Properties:
        return self._complete(aws, {**known, **(self.found(aws, identity, known) or {})}, known)

    def _complete(self, aws: Scope, outputs: Properties, known: Properties) -> Properties:
        """Adds what every kind has: its region, and tags with and without the default ones."""
        own = known.get("tags") or {}
        outputs["region"] = aws.region
        outputs["tags"] = {
            key: value
            for key, value in (outputs.get("tagsAll") or {}).items()
            if key in own or aws.default_tags.get(key) != value
        }
        return {k: value for k, value in outputs.items() if k in self.schema.outputs}


@contextlib.contextmanager
def _may_be_absent() -> Iterator[None]:
    """Ignores the API's error that something does not exist."""
    try:
        yield
    except ClientError as error:
        if not absent(error):
            raise
