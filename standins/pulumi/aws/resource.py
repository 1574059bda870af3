# ruff: noqa: ARG002, B027 - every type's operations take the same arguments; some have none
"""The common ground of AWS resources: checks against the SDK, tags, reading after writing."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from botocore.exceptions import ClientError

from standins.pulumi.aws.account import Account, Client, absent, api_errors, region_of
from standins.pulumi.aws.world import World
from standins.pulumi.properties import UNKNOWN, Properties, Value, has_unknown
from standins.pulumi.resource import (
    DEFAULTS,
    Call,
    Change,
    Traits,
    check_against_schema,
    compare,
    refreshed_inputs,
    schema_of,
    with_autoname,
)


class Scope:
    """One request's view of the account: the region it is about and the default tags."""

    def __init__(self, account: Account, call: Call, properties: Properties) -> None:
        self.account = account
        self.call = call
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


class AwsResource(ABC):
    """A type over the API; subclasses say what to call."""

    kind: str
    traits = Traits()

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = world.account

    @abstractmethod
    def _create(self, aws: Scope, inputs: Properties) -> str:
        """Makes it and returns its id."""

    @abstractmethod
    def _read(self, aws: Scope, identity: str, known: Properties) -> Properties | None:
        """Its outputs as they are now; None, or the API's error, when it is gone."""

    def _update(self, aws: Scope, identity: str, olds: Properties, news: Properties) -> None:
        """Changes it in place."""

    @abstractmethod
    def _delete(self, aws: Scope, identity: str, state: Properties) -> None:
        """Removes it."""

    def _retag(
        self, aws: Scope, identity: str, state: Properties, put: dict[str, str], drop: list[str]
    ) -> None:
        """Changes its tags; EC2's way, which most types share."""
        if drop:
            aws.ec2.delete_tags(Resources=[identity], Tags=[{"Key": key} for key in drop])
        if put:
            aws.ec2.create_tags(Resources=[identity], Tags=tag_list(put))

    def _settle(self) -> None:
        """What has to happen outside AWS after any change."""

    def validate(self, inputs: Properties) -> None:
        """Refuses inputs that the schema cannot refuse; raises InvalidInputs."""

    # The resource protocol

    def check(self, call: Call, olds: Properties, news: Properties) -> Properties:
        check_against_schema(self, news)
        checked = with_autoname(self.traits, call, olds, news)
        if "tagsAll" in schema_of(self).outputs:
            given = checked.get("tags")
            merged = {**default_tags(call.config), **(given if isinstance(given, dict) else {})}
            checked = {**checked, "tagsAll": UNKNOWN if given is UNKNOWN else merged}
        self.validate(checked)
        return checked

    def changes(self, olds: Properties, news: Properties) -> list[Change]:
        found = compare(self.traits, olds, news)
        names = {change.name for change in found}
        if "tagsAll" in names and "tags" not in names and has_unknown(news.get("tagsAll")):
            return [change for change in found if change.name != "tagsAll"]
        return found

    def create(self, call: Call, inputs: Properties) -> tuple[str, Properties]:
        aws = Scope(self.account, call, inputs)
        with api_errors():
            identity = self._create(aws, inputs)
            try:
                outputs = self._outputs(aws, identity, inputs)
                self._settle()
            except Exception:
                # The engine never hears of it, so nobody else would clean it up.
                with contextlib.suppress(Exception):
                    self._delete(aws, identity, inputs)
                raise
        return identity, outputs

    def read(
        self, call: Call, identity: str, inputs: Properties, state: Properties
    ) -> tuple[Properties, Properties] | None:
        aws = Scope(self.account, call, {**state, **inputs})
        with api_errors():
            try:
                found = self._read(aws, identity, {**state, **inputs})
            except ClientError as error:
                if absent(error):
                    return None
                raise
        if found is None:
            return None
        present = self._complete(aws, {**_plain(inputs), **found}, inputs)
        return refreshed_inputs(self.traits, inputs, present), present

    def update(self, call: Call, identity: str, olds: Properties, news: Properties) -> Properties:
        aws = Scope(self.account, call, news)
        with api_errors():
            put, drop = tag_difference(olds.get("tagsAll"), news.get("tagsAll"))
            if put or drop:
                self._retag(aws, identity, olds, put, drop)
            self._update(aws, identity, olds, news)
            self._settle()
            inputs = schema_of(self).inputs
            computed = {name: value for name, value in olds.items() if name not in inputs}
            return self._outputs(aws, identity, {**computed, **news})

    def delete(self, call: Call, identity: str, state: Properties) -> None:
        aws = Scope(self.account, call, state)
        with api_errors():
            try:
                self._delete(aws, identity, state)
            except ClientError as error:
                if not absent(error):
                    raise
            self._settle()

    def _outputs(self, aws: Scope, identity: str, known: Properties) -> Properties:
        return self._complete(
            aws, {**_plain(known), **(self._read(aws, identity, known) or {})}, known
        )

    def _complete(self, aws: Scope, outputs: Properties, known: Properties) -> Properties:
        """Adds what every type has: its region, and its tags with and without the default ones."""
        names = schema_of(self).outputs
        if "region" in names:
            outputs["region"] = aws.region
        if "tagsAll" in names:
            everything = outputs.get("tagsAll") or {}
            own = known.get("tags") or {}
            outputs["tags"] = {
                key: value
                for key, value in everything.items()
                if key in own or aws.default_tags.get(key) != value
            }
        return {name: value for name, value in outputs.items() if name in names}


def _plain(inputs: Properties) -> Properties:
    return {name: value for name, value in inputs.items() if name != DEFAULTS}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as most of the API takes them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tag_map(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as the API gives them, as a map, without AWS's own."""
    return {tag["Key"]: tag["Value"] for tag in tags or [] if not tag["Key"].startswith("aws:")}


def tag_difference(olds: Value, news: Value) -> tuple[dict[str, str], list[str]]:
    """Tags to put and tags to drop."""
    before, after = dict(olds or {}), dict(news or {})
    put = {key: value for key, value in after.items() if before.get(key) != value}
    return put, sorted(set(before) - set(after))


def specification(kind: str, inputs: Properties) -> list[Properties]:
    """EC2's tags at creation."""
    tags = tag_list(inputs.get("tagsAll") or {})
    return [{"ResourceType": kind, "Tags": tags}] if tags else []


def given(inputs: Properties, names: Mapping[str, str]) -> Properties:
    """The inputs that are set, under the API's names for them."""
    return {api: inputs[name] for name, api in names.items() if inputs.get(name) is not None}
