import pytest
from google.protobuf import json_format, struct_pb2

from standins.pulumi.properties import (
    SECRET,
    SIGNATURE,
    UNKNOWN,
    Secret,
    conceal,
    decode,
    encode,
    has_secret,
    has_unknown,
    reveal,
)

PROPERTIES = {
    "text": "a",
    "whole": 3,
    "fraction": 0.5,
    "flag": True,
    "nothing": None,
    "list": ["a", {"b": 1}],
    "secret": Secret({"key": "k"}),
    "later": UNKNOWN,
}


def test_properties_survive_the_wire_with_their_marks() -> None:
    assert decode(encode(PROPERTIES)) == PROPERTIES


def test_a_secret_has_the_form_that_the_engine_expects() -> None:
    plain = json_format.MessageToDict(encode({"token": Secret("t")}))
    assert plain == {"token": {SIGNATURE: SECRET, "value": "t"}}


def test_another_kind_of_value_is_refused_by_its_mark() -> None:
    asset = struct_pb2.Struct(fields={SIGNATURE: struct_pb2.Value(string_value="c44067")})
    wire = struct_pb2.Struct(fields={"file": struct_pb2.Value(struct_value=asset)})
    with pytest.raises(ValueError, match="unknown signature c44067"):
        decode(wire)


def test_a_secret_does_not_show_its_value() -> None:
    assert "hidden" not in repr(Secret("hidden"))


def test_marks_are_found_and_taken_off_at_every_depth() -> None:
    nested = {"a": [{"b": Secret({"c": UNKNOWN})}]}
    assert has_secret(nested)
    assert has_unknown(nested)
    assert reveal(nested) == {"a": [{"b": {"c": UNKNOWN}}]}
    assert not has_secret(reveal(nested))


def test_concealing_marks_the_named_properties_alone() -> None:
    assert conceal({"a": 1, "b": [Secret(2)]}, ["b"]) == {"a": 1, "b": Secret([2])}
