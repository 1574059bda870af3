"""The table names only what the SDK and the API have."""

import boto3
import pytest

from standins.pulumi.aws.kinds import kinds, lookups
from standins.pulumi.schema import function_arguments, resource_schema


@pytest.mark.parametrize("token", sorted(kinds()))
def test_a_kind_has_inputs_outputs_and_calls_that_exist(token: str) -> None:
    kind, schema = kinds()[token], resource_schema(token)
    assert kind.known <= schema.inputs.keys()
    assert schema.required <= kind.known
    assert {*kind.outputs, *kind.volatile, *kind.secrets} <= schema.outputs
    assert kind.sets | kind.documents | kind.names.keys() <= kind.known
    assert {each.path for each in kind.refuse} <= kind.known
    steps = (*kind.then, *kind.change, *kind.apply, *kind.read, *kind.delete, kind.create)
    client = boto3.client(kind.service, region_name="eu-west-1")  # type: ignore[call-overload]
    assert {step.call for step in steps} <= client.meta.method_to_api_mapping.keys()
    assert {name for step in (*kind.change, *kind.apply) for name in step.of} <= kind.inputs


@pytest.mark.parametrize("token", sorted(lookups()))
def test_a_function_has_arguments_that_exist(token: str) -> None:
    assert lookups()[token].arguments <= function_arguments(token)
