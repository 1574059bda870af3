"""The machine images and public parameters that the sandbox's AWS offers."""

CANONICAL = "099720109477"
IMAGES = {
    "amd64": ("ami-05a2db0c20260801a", "x86_64"),
    "arm64": ("ami-05a2db0c20260801b", "arm64"),
}
_NAME = "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-{architecture}-server-20260801"
_PARAMETER = (
    "/aws/service/canonical/ubuntu/server/22.04/stable/current/{architecture}/hvm/ebs-gp2/ami-id"
)


def catalogue() -> list[dict[str, str]]:
    """Images as moto reads them at its start."""
    return [
        {
            "ami_id": identity,
            "name": _NAME.format(architecture=name),
            "description": "Canonical, Ubuntu, 22.04 LTS (a container of the sandbox)",
            "owner_id": CANONICAL,
            "public": "true",
            "virtualization_type": "hvm",
            "architecture": architecture,
            "state": "available",
            "platform": "",
            "image_type": "machine",
            "hypervisor": "xen",
            "root_device_name": "/dev/sda1",
            "root_device_type": "ebs",
            "sriov": "simple",
            "creation_date": "2026-08-01T00:00:00.000Z",
        }
        for name, (identity, architecture) in IMAGES.items()
    ]


def parameters() -> dict[str, str]:
    """Canonical's public parameters, which name the newest images."""
    return {
        _PARAMETER.format(architecture=name): identity for name, (identity, _) in IMAGES.items()
    }
