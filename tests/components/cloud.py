"""What AWS and the other providers would answer: the same for the same name."""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

SECRET_MARK = "4dabf18193072939515e22adb298388d"
SECRET_KIND = "1b47061264138c4ac30d75fd1eb44270"

_SECRET_OUTPUTS = (
    "result",
    "privateKeyOpenssh",
    "privateKeyPem",
    "privateKeyPemPkcs8",
    "stdout",
)
"""What the real providers mark; the remote command marks all that a secret input led to."""


class Refused(Exception):
    """What AWS says instead of an answer."""


Answers = Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]
"""What functions answer, by their token."""


class Cloud(Mocks):
    """Outputs of resources and functions. In a preview, what only creation decides is unknown."""

    def __init__(self, *, preview: bool = False, answers: Answers | None = None) -> None:
        self.preview = preview
        self._answers = {**_ANSWERS, **(answers or {})}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.resource_id:
            return args.resource_id, {**args.inputs, **_existing(args)}
        if self.preview or not args.custom:
            return (None if args.custom else ""), dict(args.inputs)
        made = _MADE.get(args.typ, lambda _: {})(args)
        hidden = {key: _secret(made[key]) for key in _SECRET_OUTPUTS if key in made}
        return f"{args.typ.rpartition(':')[2].lower()}-{_hash(args.name)}", {
            **args.inputs,
            **made,
            **hidden,
        }

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        try:
            return self._answers[args.token](args.args), []
        except Refused as error:
            return {}, [("", str(error))]


SEED = ""
"""Another seed makes other ids."""


def _hash(text: str, length: int = 12) -> str:
    return hashlib.sha256(f"{SEED}{text}".encode()).hexdigest()[:length]


def _secret(value: Any) -> dict[str, Any]:
    return {SECRET_MARK: SECRET_KIND, "value": value}


def public_address(name: str) -> str:
    """A documentation address (RFC 5737 and RFC 2544) that the name decides."""
    digest = hashlib.sha256(name.encode()).digest()
    return f"198.18.{digest[0]}.{digest[1]}"


def _elastic_ip(args: MockResourceArgs) -> dict[str, Any]:
    return {
        "allocationId": f"eipalloc-{_hash(args.name)}",
        "publicIp": public_address(args.name),
    }


def _existing(args: MockResourceArgs) -> dict[str, Any]:
    return {
        "allocationId": args.resource_id,
        "publicIp": public_address(str(args.resource_id)),
    }


def _pair(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> dict[str, str]:
    public = key.public_key()
    openssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {
        "publicKeyOpenssh": f"{openssh}\n",
        "publicKeyPem": pem,
        "privateKeyOpenssh": key.private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
        ).decode(),
        "privateKeyPem": key.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        ).decode()
        if isinstance(key, rsa.RSAPrivateKey)
        else "",
        "privateKeyPemPkcs8": key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode(),
    }


def hosted_zone(identity: str, name: str) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "zoneId": identity,
        "arn": f"arn:aws:route53:::hostedzone/{identity}",
    }


KEYS = {
    "ED25519": _pair(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
    "RSA": _pair(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
}
"""One key of each kind serves all: making thousands of RSA keys would test nothing more."""


@cache
def _key(name: str, kind: str) -> dict[str, str]:
    """Keys of Ed25519 are quickly made, so generations of a DKIM key differ."""
    if kind == "RSA" or "-dkim-" not in name:
        return KEYS[kind]
    seed = hashlib.sha256(name.encode()).digest()
    return _pair(ed25519.Ed25519PrivateKey.from_private_bytes(seed))


_MADE: dict[str, Any] = {
    "aws:ec2/eip:Eip": _elastic_ip,
    "aws:iam/role:Role": lambda args: {"name": args.name},
    "aws:iam/instanceProfile:InstanceProfile": lambda args: {"name": args.name},
    "aws:sns/topic:Topic": lambda args: {"arn": f"arn:aws:sns:{args.inputs['name']}"},
    "aws:secretsmanager/secret:Secret": lambda args: {"arn": f"arn:aws:{_hash(args.name)}"},
    "aws:lb/loadBalancer:LoadBalancer": lambda args: {"arnSuffix": f"net/{args.name}/1"},
    "aws:lb/targetGroup:TargetGroup": lambda args: {"arnSuffix": f"targetgroup/{args.name}/1"},
    "aws:elasticache/replicationGroup:ReplicationGroup": lambda args: {
        "primaryEndpointAddress": f"master.{args.inputs['replicationGroupId']}.cache.example.com"
    },
    "tls:index/privateKey:PrivateKey": lambda args: dict(_key(args.name, args.inputs["algorithm"])),
    "random:index/randomPassword:RandomPassword": lambda args: {
        "result": _hash(args.name, 64)[: int(args.inputs["length"])]
    },
    "command:remote:Command": lambda args: {"stdout": REPORT, "stderr": ""},
}

REPORT = '{"release": "0123456789abcdef", "previous": ""}'

_ANSWERS: Answers = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": lambda args: {
        "id": "eu-central-1",
        "names": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    },
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": lambda args: {
        "id": "offerings",
        "instanceTypes": [kind for kind in args["filters"][0]["values"] for _ in "abc"],
        "locations": [
            f"eu-central-1{zone}" for _ in args["filters"][0]["values"] for zone in "abc"
        ],
    },
    "aws:route53/getZone:getZone": lambda args: hosted_zone(
        args.get("zoneId") or f"Z{_hash(args['name']).upper()}", args.get("name", "")
    ),
    "aws:route53/getRecords:getRecords": lambda args: {
        "id": args["zoneId"],
        "zoneId": args["zoneId"],
        "resourceRecordSets": [],
    },
    "aws:ec2/getEips:getEips": lambda _: {"id": "addresses", "allocationIds": []},
    "aws:ec2/getElasticIp:getElasticIp": lambda args: {"id": args["id"], "associationId": ""},
    "aws:ec2/getInstances:getInstances": lambda _: {"id": "instances", "ids": []},
    "aws:ec2/getInstanceType:getInstanceType": lambda args: {
        "id": args["instanceType"],
        "instanceType": args["instanceType"],
        "defaultVcpus": 2,
    },
    "aws:servicequotas/getServiceQuota:getServiceQuota": lambda args: {
        "id": args["quotaCode"],
        "quotaCode": args["quotaCode"],
        "serviceCode": args["serviceCode"],
        "value": 1000,
    },
    "aws:ssm/getParameter:getParameter": lambda args: {
        "name": args["name"],
        "value": f"ami-{_hash(args['name'], 17)}",
        "insecureValue": f"ami-{_hash(args['name'], 17)}",
    },
}
