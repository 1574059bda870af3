"""Reads an environment: turns raw values of a stack file into `Settings`, or lists all problems."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from policy.settings.checks import CHECKS
from policy.settings.domain_list import DomainList, domain_list, joined
from policy.settings.model import FILLED_IN, Settings
from policy.settings.plain_secrets import Path as KeyPath
from policy.settings.plain_secrets import find_plain_secrets
from policy.settings.problems import HIDDEN, PROJECT, Problem, SettingsError, key_of, shown
from policy.settings.reading import Reading, keys_of_settings, read
from policy.settings.secret_checks import secret_problems, token_problems
from policy.settings.secret_values import SECRET_KEYS, GivenSecrets, given_secrets, hidden_problem
from policy.settings.stack_file import stack_file_problems

_NO_REGION = (
    "write it into the stack file, such as eu-central-1; AWS_REGION and AWS profiles are ignored, "
    "so that everybody uses the same region"
)

Values = Mapping[str, object]


def load(
    raw: Values,
    *,
    environment: str,
    region: str | None,
    directory: Path,
    secrets: GivenSecrets | None = None,
) -> Settings:
    """The settings of an environment; raises `SettingsError` with every problem together.

    `raw` holds the stack file's keys without their namespace, structured values as lists and
    tables, secret values as `SecretStr`. `directory` is where the stack file and `domainsFile`
    are. `secrets` are checked too; by default they are taken from `raw`.
    """
    problems = list(stack_file_problems(directory / f"Pulumi.{environment}.yaml"))
    if secrets is None:
        secrets, malformed = given_secrets(raw)
        problems += malformed
    misplaced = [key for key, value in raw.items() if _is_misplaced(key, value)]
    plain = {key: value for key, value in raw.items() if _is_setting(key) and key not in misplaced}
    domains = domain_list(plain, directory)
    spoilt = {keys_of_settings()[key] for key in misplaced}
    if domains.problems or not isinstance(plain.get("domainsFile", ""), str):
        spoilt.add("domains")
    filled_in = {"environment": environment, "region": region, "domains": list(domains.entries)}
    reading = read({**plain, **filled_in}, spoilt=frozenset(spoilt))

    problems += _misplaced(raw, misplaced)
    problems += domains.problems
    problems += _plain_secrets(plain, domains)
    problems += _faults(reading, domains)
    problems += _findings(reading, domains)
    problems += token_problems(secrets.single)
    if not reading.broken and not reading.thinned:
        problems += secret_problems(secrets, reading.settings)
    if problems:
        raise SettingsError(problems)
    return reading.settings


def _is_setting(key: str) -> bool:
    return key not in SECRET_KEYS and key not in FILLED_IN


def _is_misplaced(key: str, value: object) -> bool:
    """Whether a secret is in the place of a plain setting."""
    return _is_setting(key) and key in keys_of_settings() and _holds_secret(value)


def _holds_secret(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_secret(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_holds_secret(item) for item in value)
    return isinstance(value, SecretStr)


def _misplaced(raw: Values, misplaced: list[str]) -> Iterator[Problem]:
    for key in misplaced:
        fix = "this setting is not a secret: write it in plain text"
        yield Problem(key=f"{PROJECT}:{key}", value=HIDDEN, fix=fix)
    for key, fix in FILLED_IN.items():
        if key in raw:
            yield Problem(key=f"{PROJECT}:{key}", value=shown(raw[key]), fix=fix)


def _plain_secrets(plain: Values, domains: DomainList) -> Iterator[Problem]:
    fix = "this looks like a secret in plain text: remove it, and choose a new value"
    elsewhere = {key: value for key, value in plain.items() if key != "domains"}
    for path in find_plain_secrets(elsewhere):
        yield hidden_problem(key_of(path), fix)
    for place, entry in zip(domains.places, domains.own, strict=True):
        for path in find_plain_secrets(entry):
            yield Problem(key=joined(place, path), value=HIDDEN, fix=fix)


def _faults(reading: Reading, domains: DomainList) -> Iterator[Problem]:
    for fault in reading.faults:
        missing = fault.path == ("region",) and not fault.value
        yield Problem(
            key=_place(fault.path, {}, domains),
            value=HIDDEN if fault.hide else shown(fault.value),
            fix=_NO_REGION if missing else fault.fix,
        )


def _findings(reading: Reading, domains: DomainList) -> Iterator[Problem]:
    for check in CHECKS:
        if check.can_run(reading.broken, reading.thinned):
            for finding in check.rule(reading.settings):
                yield Problem(
                    key=_place(finding.path, reading.kept, domains),
                    value=shown(finding.value),
                    fix=finding.fix,
                )


def _place(path: KeyPath, kept: Mapping[str, tuple[int, ...]], domains: DomainList) -> str:
    """A value's place in the operator's files; `kept` maps to the indices before thinning."""
    if path[0] == "region":
        return "aws:region"
    if path[0] == "environment":
        return "the stack's name"
    if len(path) > 1 and isinstance(path[1], int):
        field, index = str(path[0]), path[1]
        index = kept[field][index] if field in kept else index
        if field == "domains":
            return domains.place(index, path[2:])
        path = (field, index, *path[2:])
    return f"{PROJECT}:{key_of(path)}"
