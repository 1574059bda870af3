"""User data: tiny, stable, and what cloud-init understands."""

import yaml
from syrupy.assertion import SnapshotAssertion

from policy.cloud_init import OPERATORS_KEYS, HostLogin, user_data

LOGIN = HostLogin(
    deploy_public_key="ssh-ed25519 AAAAdeploy\n",
    host_public_key="ssh-ed25519 AAAAhost\n",
    host_private_key="-----BEGIN STAND-IN-----\nstand-in\n-----END STAND-IN-----\n",
)


def test_a_change_of_this_text_would_replace_every_protected_host(
    snapshot: SnapshotAssertion,
) -> None:
    """Not a byte of it may change, wording and order included: leave the snapshot as it is."""
    assert user_data(LOGIN) == snapshot


def test_cloud_init_reads_it_as_cloud_config() -> None:
    text = user_data(LOGIN)
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    assert document["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAAdeploy"]
    assert document["ssh_keys"]["ed25519_private"] == LOGIN.host_private_key
    assert document["ssh_deletekeys"] is True


def test_sshd_also_reads_the_operators_keys_of_the_release() -> None:
    document = yaml.safe_load(user_data(LOGIN))
    (file,) = document["write_files"]
    assert f"AuthorizedKeysFile .ssh/authorized_keys {OPERATORS_KEYS}\n" in file["content"]


def test_nothing_is_fetched_at_boot() -> None:
    document = yaml.safe_load(user_data(LOGIN))
    assert not {"runcmd", "bootcmd", "apt", "packages"} & set(document)


def test_nothing_is_upgraded_at_boot() -> None:
    document = yaml.safe_load(user_data(LOGIN))
    assert (document["package_update"], document["package_upgrade"]) == (False, False)


def test_it_stays_far_below_the_16_kib_of_ec2() -> None:
    assert len(user_data(LOGIN)) < 2048


def test_the_private_key_shows_in_no_repr() -> None:
    assert "stand-in" not in repr(LOGIN)
