"""The server in which several MTA hosts count their limits."""

from typing import Any

import pytest

from tests.components import shapes
from tests.components.program import Program, run
from tests.components.test_credentials import files

PLACE = "rediss://master.ping8-nodes.cache.example.com:6379"


@pytest.fixture(scope="module")
def program() -> Program:
    config = shapes.MINIMAL | {"elasticIpQuota": 20, "mta": {"nodes": 2}}
    return run(config, environment="nodes")


def inputs(program: Program, kind: str) -> Any:
    (found,) = program.of_type(f"aws:elasticache/{kind[0].lower()}{kind[1:]}:{kind}")
    return found.inputs


def test_one_node_has_no_such_server() -> None:
    program = shapes.program("minimal")
    assert [item for item in program if "elasticache" in item.type] == []
    assert [item for item in program if "limits" in item.name] == []


def test_it_survives_the_loss_of_a_zone(program: Program) -> None:
    group = inputs(program, "ReplicationGroup")
    assert group["engine"] == "valkey"
    assert group["multiAzEnabled"] is group["automaticFailoverEnabled"] is True
    assert group["numCacheClusters"] == 2
    assert len(set(inputs(program, "SubnetGroup")["subnetIds"])) == 2


def test_only_mta_hosts_reach_it_over_tls_and_with_the_password(program: Program) -> None:
    group, user = inputs(program, "ReplicationGroup"), inputs(program, "User")
    assert group["transitEncryptionEnabled"] is True
    assert group["transitEncryptionMode"] == "required"
    assert group["userGroupIds"] == [inputs(program, "UserGroup")["userGroupId"]]
    assert inputs(program, "UserGroup")["userIds"] == [user["userId"]]
    # A group for Valkey needs a user of this name, and one without a password would let all in.
    assert user["userName"] == "default"
    assert not user.get("noPasswordRequired")
    assert " -@all " in user["accessString"]
    assert "+@" not in user["accessString"]


def test_every_node_is_pushed_its_address_and_its_own(program: Program) -> None:
    addresses = []
    for host in ("mta-1", "mta-2"):
        found = files(program, host)
        server = found["/opt/kumomta/etc/policy/data/server.json"]
        assert f'"node": "{PLACE}"' in server
        assert "PING8_LIMITS_PASSWORD=" in found["/etc/default/kumomta"]
        addresses.append(program.outputs["hosts"][host]["private_address"])
        assert f'"address": "{addresses[-1]}:8001"' in server
        assert addresses[-1] in found["/opt/kumomta/etc/policy/data/nodes.json"]
