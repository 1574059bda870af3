import asyncssh
import pytest
from cryptography.hazmat.primitives import serialization

from standins.pulumi.properties import Secret
from standins.pulumi.service import Service
from standins.pulumi.tests.engine import Engine, Refused

KEY = "tls:index/privateKey:PrivateKey"
PASSWORD = "random:index/randomPassword:RandomPassword"


@pytest.fixture
def tls(service: Service) -> Engine:
    return Engine(service.endpoints.tls)


@pytest.fixture
def random(service: Service) -> Engine:
    return Engine(service.endpoints.random)


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ({"algorithm": "ED25519"}, "ssh-ed25519"),
        ({"algorithm": "RSA", "rsaBits": 2048}, "ssh-rsa"),
    ],
)
def test_every_form_of_a_key_is_the_same_key(
    tls: Engine, inputs: dict[str, object], kind: str
) -> None:
    state = tls.create(KEY, "key", inputs).state
    public = state["publicKeyOpenssh"].strip()
    assert public.startswith(kind)
    for name in ("privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"):
        key = asyncssh.import_private_key(state[name].value)
        assert key.export_public_key().decode().split()[1] == public.split()[1], name
    assert (
        asyncssh.import_public_key(public).get_fingerprint() == state["publicKeyFingerprintSha256"]
    )
    pem = serialization.load_pem_public_key(state["publicKeyPem"].encode())
    line = pem.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert line.decode() == public


def test_private_keys_are_secret_and_public_ones_are_not(tls: Engine) -> None:
    state = tls.create(KEY, "key", {"algorithm": "ED25519"}).state
    secret = {name for name, value in state.items() if isinstance(value, Secret)}
    assert secret == {"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"}


def test_another_algorithm_is_another_key(tls: Engine) -> None:
    made = tls.create(KEY, "key", {"algorithm": "ED25519"})
    assert list(tls.diff(made, {"algorithm": "RSA"}).replaces) == ["algorithm"]
    assert list(tls.diff(made, {"algorithm": "ED25519"}).diffs) == []


def test_a_password_keeps_to_its_classes_and_is_secret(random: Engine) -> None:
    made = random.create(PASSWORD, "token", {"length": 43, "special": False})
    result = made.state["result"]
    assert isinstance(result, Secret)
    assert len(result.value) == 43
    assert result.value.isalnum()


def test_a_changed_keeper_replaces_a_password(random: Engine) -> None:
    made = random.create(PASSWORD, "token", {"length": 20, "keepers": {"turn": "1"}})
    changed = random.diff(made, {"length": 20, "keepers": {"turn": "2"}})
    assert list(changed.replaces) == ["keepers"]


def test_a_generated_value_survives_a_refresh(random: Engine) -> None:
    made = random.create(PASSWORD, "token", {"length": 20})
    again = random.read(made)
    assert again is not None
    assert again.state == made.state


def test_a_misspelt_input_is_refused(random: Engine) -> None:
    with pytest.raises(Refused, match="lenght: unknown property; did you mean 'length'"):
        random.check(PASSWORD, "token", {"lenght": 20, "length": 20})
    with pytest.raises(Refused, match="minNumeric: not known to the sandbox"):
        random.check(PASSWORD, "token", {"length": 20, "minNumeric": 2})
