"""Reads an environment: raw values of a stack file become `Settings`, or all their problems."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from policy.settings.checks import CHECKS
from policy.settings.domain_list import DomainList, domain_list
from policy.settings.model import Settings
from policy.settings.plain_secrets import Path as KeyPath
from policy.settings.plain_secrets import find_plain_secrets
from policy.settings.problems import HIDDEN, PROJECT, Finding, Problem, SettingsError, key_of, shown
from policy.settings.reading import Reading, read
from policy.settings.secret_checks import secret_problems, token_problems
from policy.settings.secret_values import SECRET_KEYS, GivenSecrets, given_secrets, plain_secret

_FROM_PULUMI = {
    "environment": "remove it: the environment is the stack's name",
    "region": "remove it, and set aws:region: resources and settings must agree",
}


def load(
    raw: Mapping[str, object],
    *,
    environment: str,
    region: str,
    directory: Path,
    secrets: GivenSecrets | None = None,
) -> Settings:
    """The settings of an environment; raises `SettingsError` with every problem together.

    `raw` holds the stack file's keys without their namespace, structured values as lists and
    tables, secret values as `SecretStr`. `directory` is where the stack file and `domainsFile`
    are. Given `secrets` are checked too; unless given, they are taken from `raw`.
    """
    found, problems = _read_all(raw, environment, region, directory)
    reading, places = found
    if secrets is None:
        secrets, wrong = given_secrets(raw)
        problems += wrong
    problems += _findings(reading, places)
    problems += token_problems(
        secrets.webhook_token, secrets.injection_token, secrets.previous_injection_token
    )
    if not reading.broken and not reading.thinned:
        problems += secret_problems(secrets, reading.settings)
    if problems:
        raise SettingsError(problems)
    return reading.settings


def _read_all(
    raw: Mapping[str, object], environment: str, region: str, directory: Path
) -> tuple[tuple[Reading, tuple[str, ...]], list[Problem]]:
    problems: list[Problem] = []
    plain: dict[str, object] = {}
    spoilt: set[str] = set()
    for key, value in raw.items():
        if key in SECRET_KEYS:
            continue
        if key in _FROM_PULUMI:
            problems.append(
                Problem(key=f"{PROJECT}:{key}", value=shown(value), mend=_FROM_PULUMI[key])
            )
        elif _holds_secret(value) and key in _known_keys():
            mend = "this setting is no secret: write it in plain text"
            problems.append(Problem(key=f"{PROJECT}:{key}", value=HIDDEN, mend=mend))
            spoilt.add(_known_keys()[key])
            continue
        else:
            plain[key] = value
    domains = domain_list(plain, directory)
    problems += domains.problems
    if domains.problems:
        spoilt.add("domains")
    given = {"environment": environment, "region": region, "domains": list(domains.entries)}
    reading = read({**plain, **given}, spoilt=frozenset(spoilt))
    problems += _plain_secret_problems(plain, domains)
    return (reading, domains.places), problems + [
        Problem(
            key=_place(fault.path, {}, domains.places),
            value=HIDDEN if fault.hide else shown(fault.value),
            mend=fault.mend,
        )
        for fault in reading.faults
    ]


def _known_keys() -> dict[str, str]:
    return {field.alias or name: name for name, field in Settings.model_fields.items()}


def _holds_secret(value: object) -> bool:
    if isinstance(value, SecretStr):
        return True
    if isinstance(value, Mapping):
        return any(_holds_secret(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_holds_secret(item) for item in value)


def _plain_secret_problems(plain: Mapping[str, object], domains: DomainList) -> Iterator[Problem]:
    elsewhere = {key: value for key, value in plain.items() if key != "domains"}
    for path in find_plain_secrets(elsewhere):
        yield plain_secret(key_of(path))
    for place, entry in zip(domains.places, domains.entries, strict=True):
        for path in find_plain_secrets(entry):
            problem = plain_secret("")
            mend = problem.mend.partition(", and set it")[0]
            yield Problem(key=_joined(place, path), value=HIDDEN, mend=mend)


def _findings(reading: Reading, places: tuple[str, ...]) -> Iterator[Problem]:
    for check in CHECKS:
        if check.can_run(reading.broken, reading.thinned):
            for finding in check.rule(reading.settings):
                yield _problem(finding, reading, places)


def _problem(finding: Finding, reading: Reading, places: tuple[str, ...]) -> Problem:
    return Problem(
        key=_place(finding.path, reading.kept, places),
        value=shown(finding.value),
        mend=finding.mend,
    )


def _place(path: KeyPath, kept: Mapping[str, tuple[int, ...]], places: tuple[str, ...]) -> str:
    """Where an operator finds a value; `kept` maps indices back to those before thinning."""
    if path[0] == "region":
        return "aws:region"
    if path[0] == "environment":
        return "the stack's name"
    if len(path) > 1 and isinstance(path[1], int):
        field, index = str(path[0]), path[1]
        index = kept[field][index] if field in kept else index
        if field == "domains":
            return _joined(places[index], path[2:])
        path = (field, index, *path[2:])
    return f"{PROJECT}:{key_of(path)}"


def _joined(place: str, path: KeyPath) -> str:
    rest = key_of(path)
    return f"{place}.{rest}" if rest and not rest.startswith("[") else f"{place}{rest}"
