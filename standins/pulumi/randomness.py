"""The random provider: passwords, strings, ids and bytes, made once and kept in the state."""

import base64
import secrets
import string
import uuid

from standins.pulumi.errors import ProviderError
from standins.pulumi.generated import Generated
from standins.pulumi.properties import Properties
from standins.pulumi.server import Provider

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_CHOICES = {"lower": True, "upper": True, "numeric": True, "special": True}
_MINIMA = {"minLower": 0, "minUpper": 0, "minNumeric": 0, "minSpecial": 0}


def provider() -> Provider:
    """The random provider at the version that the program's SDK asks for."""
    secret = frozenset({"result", "bcryptHash"})
    resources = [
        Generated(
            "random:index/randomPassword:RandomPassword",
            _password,
            secrets=secret,
            defaults={**_CHOICES, **_MINIMA},
        ),
        Generated(
            "random:index/randomString:RandomString", _string, defaults={**_CHOICES, **_MINIMA}
        ),
        Generated("random:index/randomId:RandomId", _identifier),
        Generated(
            "random:index/randomBytes:RandomBytes", _bytes, secrets=frozenset({"base64", "hex"})
        ),
        Generated("random:index/randomUuid:RandomUuid", _uuid),
    ]
    return Provider(
        name="random", version="4.21.4", resources={item.kind: item for item in resources}
    )


def _password(inputs: Properties) -> tuple[str, Properties]:
    # The real provider adds a bcrypt hash; nothing here needs one, and it costs 50 ms.
    return "none", {"result": _characters(inputs), "bcryptHash": ""}


def _string(inputs: Properties) -> tuple[str, Properties]:
    result = _characters(inputs)
    return result, {"result": result}


def _characters(inputs: Properties) -> str:
    special = inputs.get("overrideSpecial") or _SPECIAL
    classes = {
        "Lower": string.ascii_lowercase,
        "Upper": string.ascii_uppercase,
        "Numeric": string.digits,
        "Special": special,
    }
    allowed = "".join(
        characters for name, characters in classes.items() if inputs.get(name.lower(), True)
    )
    length = int(inputs["length"])
    required = [
        secrets.choice(characters)
        for name, characters in classes.items()
        for _ in range(int(inputs.get(f"min{name}", 0)))
    ]
    if not allowed or len(required) > length:
        raise ProviderError(
            f"length {length} with these character classes and minima leaves nothing to draw from"
        )
    drawn = required + [secrets.choice(allowed) for _ in range(length - len(required))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def _identifier(inputs: Properties) -> tuple[str, Properties]:
    raw = secrets.token_bytes(int(inputs["byteLength"]))
    prefix = inputs.get("prefix", "")
    url = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return url, {
        "b64Url": prefix + url,
        "b64Std": prefix + base64.b64encode(raw).decode(),
        "hex": prefix + raw.hex(),
        "dec": prefix + str(int.from_bytes(raw)),
    }


def _bytes(inputs: Properties) -> tuple[str, Properties]:
    raw = secrets.token_bytes(int(inputs["length"]))
    return base64.b64encode(raw).decode(), {
        "base64": base64.b64encode(raw).decode(),
        "hex": raw.hex(),
    }


def _uuid(inputs: Properties) -> tuple[str, Properties]:  # noqa: ARG001
    result = str(uuid.uuid4())
    return result, {"result": result}
