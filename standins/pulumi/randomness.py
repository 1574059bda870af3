"""The random provider: passwords, made once and kept in the state."""

import secrets
import string

from standins.pulumi.errors import ProviderError
from standins.pulumi.generated import Generated
from standins.pulumi.properties import Properties
from standins.pulumi.server import Provider

_CLASSES = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "numeric": string.digits,
    "special": "!@#$%&*()-_=+[]{}<>:?",
}


def provider() -> Provider:
    """The random provider at the version that the program's SDK asks for."""
    password = Generated(
        "random:index/randomPassword:RandomPassword",
        _password,
        secrets=frozenset({"result", "bcryptHash"}),
        defaults=dict.fromkeys(_CLASSES, True),
        more=frozenset({"keepers", "length"}),
    )
    return Provider(name="random", version="4.21.4", resources={password.kind: password})


def _password(inputs: Properties) -> tuple[str, Properties]:
    allowed = "".join(each for name, each in _CLASSES.items() if inputs[name])
    if not allowed:
        raise ProviderError("a password without any class of characters")
    result = "".join(secrets.choice(allowed) for _ in range(int(inputs["length"])))
    # The real provider adds a bcrypt hash; nothing here needs one, and it costs 50 ms.
    return "none", {"result": result, "bcryptHash": ""}
