"""What names of instance types say, held to what AWS told moto."""

from moto.ec2.models.instance_types import INSTANCE_TYPES

from policy.settings.instances import instance_types, vcpus


def test_vcpus_follow_from_the_name() -> None:
    known = {
        name: found["VCpuInfo"]["DefaultVCpus"]
        for name, found in INSTANCE_TYPES.items()
        if name in instance_types()
    }
    assert len(known) > 100
    assert {name: vcpus(name) for name in known} == known
    assert vcpus("m7i.metal-24xl") is None
