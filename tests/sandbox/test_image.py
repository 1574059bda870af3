"""What the hosts' machine image is made of."""

from sandbox.image import fitting, packages, recipe_hash

LISTING = """\
http://mirror.test/debian/ bookworm main
http://mirror.test/debian/ bookworm main
http://mirror.test/debian-security/ bookworm-security main
http://mirror.test/debian/ bookworm-updates main
http://vendor.test/deb/ nodistro main
http://vendor.test/deb/ bookworm-backports main
"""


def test_the_image_comes_from_the_machines_own_sources_of_its_release() -> None:
    assert fitting(LISTING, "bookworm", None) == [
        "deb http://mirror.test/debian-security/ bookworm-security main",
        "deb http://mirror.test/debian/ bookworm main",
        "deb http://mirror.test/debian/ bookworm-updates main",
    ]


def test_another_release_is_another_image() -> None:
    assert recipe_hash("bookworm") != recipe_hash("trixie")


def test_the_recipe_brings_what_the_host_agent_needs() -> None:
    assert {"cloud-init", "openssh-server", "sudo", "nginx", "unbound", "certbot"} <= set(
        packages()
    )
