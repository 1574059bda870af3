"""Every IAM document whole: a condition that is lost widens a right without a sound."""

import json
from typing import Any

from syrupy.assertion import SnapshotAssertion

from tests.components import shapes

_DOCUMENTS = {
    "aws:iam/role:Role": "assumeRolePolicy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:secretsmanager/secret:Secret": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
}


def test_documents_are_these(snapshot: SnapshotAssertion) -> None:
    documents: dict[str, Any] = {
        item.name: json.loads(item.inputs[_DOCUMENTS[item.type]])
        for item in shapes.program("prod")
        if item.inputs.get(_DOCUMENTS.get(item.type, ""))
    }
    assert documents == snapshot


def test_no_other_type_holds_a_document() -> None:
    for item in shapes.program("prod"):
        for name, value in item.inputs.items():
            if isinstance(value, str) and '"Statement"' in value:
                assert _DOCUMENTS[item.type] == name
