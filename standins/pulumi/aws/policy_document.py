"""`iam.getPolicyDocument`: a policy's JSON out of its statements, without any request."""

import json
from typing import Any

from standins.pulumi.properties import Properties

_PRINCIPAL_EVERYONE = "*"


def policy_document(arguments: Properties) -> Properties:
    """The result of the function, its JSON in the order that the real provider writes."""
    document: dict[str, Any] = {"Version": arguments.get("version") or "2012-10-17"}
    if arguments.get("policyId"):
        document["Id"] = arguments["policyId"]
    document["Statement"] = [_statement(item) for item in arguments.get("statements") or []]
    return {
        **arguments,
        "json": json.dumps(document, indent=2),
        "minifiedJson": json.dumps(document, separators=(",", ":")),
    }


def _statement(given: Properties) -> dict[str, Any]:
    statement: dict[str, Any] = {}
    if given.get("sid"):
        statement["Sid"] = given["sid"]
    statement["Effect"] = given.get("effect") or "Allow"
    for name, member in {
        "actions": "Action",
        "notActions": "NotAction",
        "resources": "Resource",
        "notResources": "NotResource",
    }.items():
        if given.get(name):
            statement[member] = _one_or_many(sorted(given[name]))
    for name, member in {"principals": "Principal", "notPrincipals": "NotPrincipal"}.items():
        if given.get(name):
            statement[member] = _principals(given[name])
    if given.get("conditions"):
        statement["Condition"] = _conditions(given["conditions"])
    return statement


def _one_or_many(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _principals(given: list[Properties]) -> Any:
    if any(item["type"] == _PRINCIPAL_EVERYONE for item in given):
        return _PRINCIPAL_EVERYONE
    return {item["type"]: _one_or_many(sorted(item["identifiers"])) for item in given}


def _conditions(given: list[Properties]) -> dict[str, dict[str, Any]]:
    conditions: dict[str, dict[str, Any]] = {}
    for item in given:
        conditions.setdefault(item["test"], {})[item["variable"]] = _one_or_many(item["values"])
    return conditions
