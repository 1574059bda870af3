"""Every secret of an environment: generated unless given, kept in the stack's encrypted state."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pulumi_tls as tls

from components.tagging import named
from policy.secrets import Secrets
from policy.settings.domains import SenderDomain

TOKEN_LENGTH = 43
"""Letters and digits: 256 bits of entropy, and no character that a file or shell minds."""

Selector = tuple[str, str]
"""A sender domain and one of its selectors."""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """OpenSSH's forms for SSH keys, PEM for DKIM keys.

    The public half is no secret, so that previews show what DNS will say.
    """

    public: pulumi.Output[str]
    private: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Given:
    """Secrets that the stack file brings; each is a secret output."""

    webhook_token: pulumi.Output[str] | None
    injection_token: pulumi.Output[str] | None
    previous_injection_token: pulumi.Output[str] | None
    proxy_password: pulumi.Output[str] | None
    certificate_key: pulumi.Output[str] | None
    deploy_key: KeyPair | None
    host_keys: Mapping[str, KeyPair]
    dkim_keys: Mapping[Selector, KeyPair]


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """What secrets are needed, and which are given."""

    given: Given
    domains: tuple[SenderDomain, ...]
    hosts: tuple[str, ...]
    proxy_password: bool
    tags: Mapping[str, str]


class Credentials(pulumi.ComponentResource):
    """Tokens and keys.

    Creates:
    - the webhook token and the injection token, unless given; a Secrets Manager secret for each
    - the password of the proxies, when they ask for one and it is not given
    - a DKIM key for each selector of each sender domain, unless given
    - a deploy key and one SSH host key for each host, unless given
    - the key of the digests by which secrets enter release ids
    """

    webhook_token: pulumi.Output[str]
    injection_token: pulumi.Output[str]
    token_secrets: Mapping[str, pulumi.Output[str]]
    """ARNs in Secrets Manager, by token."""
    deploy: KeyPair
    host_keys: Mapping[str, KeyPair]
    dkim: Mapping[Selector, KeyPair]
    mta_secrets: pulumi.Output[Secrets]
    """All that the MTA host's files hold."""
    proxy_secrets: pulumi.Output[Secrets]
    """What proxy hosts' files hold: no token and no DKIM key."""

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Credentials", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        given = args.given
        self.webhook_token = given.webhook_token or self._token("webhook-token")
        self.injection_token = given.injection_token or self._token("injection-token")
        self.token_secrets = {
            "webhook_token": self._store("webhook-token", self.webhook_token, args),
            "injection_token": self._store("injection-token", self.injection_token, args),
        }
        self.deploy = given.deploy_key or self._ssh("deploy")
        self.host_keys = {
            host: given.host_keys.get(host) or self._ssh(f"host-{host}") for host in args.hosts
        }
        self.dkim = self._dkim(args)
        self.mta_secrets, self.proxy_secrets = self._secrets(args)
        self.register_outputs({})

    def _token(self, key: str) -> pulumi.Output[str]:
        made = random.RandomPassword(
            f"{self._name}-{key}", length=TOKEN_LENGTH, special=False, opts=self._child
        )
        return made.result

    def _store(
        self, key: str, value: pulumi.Output[str], args: CredentialsArgs
    ) -> pulumi.Output[str]:
        kept = aws.secretsmanager.Secret(
            f"{self._name}-{key}-secret",
            description=f"The {key.replace('-', ' ')} between PING8 and its mail platform",
            tags=named(args.tags, f"{self._name}-{key}"),
            opts=self._child,
        )
        aws.secretsmanager.SecretVersion(
            f"{self._name}-{key}-version",
            secret_id=kept.id,
            secret_string=value,
            opts=self._child,
        )
        return kept.arn

    def _ssh(self, key: str) -> KeyPair:
        made = tls.PrivateKey(f"{self._name}-{key}", algorithm="ED25519", opts=self._child)
        return KeyPair(public=made.public_key_openssh, private=made.private_key_openssh)

    def _dkim(self, args: CredentialsArgs) -> Mapping[Selector, KeyPair]:
        keys: dict[Selector, KeyPair] = {}
        for domain in args.domains:
            for selector, kind in domain.selectors():
                which = (domain.name, selector)
                keys[which] = args.given.dkim_keys.get(which) or self._dkim_key(
                    f"dkim-{domain.name}-{selector}", domain.dkim.bits if kind == "rsa" else None
                )
        return keys

    def _dkim_key(self, key: str, bits: int | None) -> KeyPair:
        made = tls.PrivateKey(
            f"{self._name}-{key}",
            algorithm="ED25519" if bits is None else "RSA",
            rsa_bits=bits,
            opts=self._child,
        )
        return KeyPair(public=made.public_key_pem, private=made.private_key_pem_pkcs8)

    def _secrets(self, args: CredentialsArgs) -> tuple[pulumi.Output[Secrets], ...]:
        given = args.given
        password = None
        if args.proxy_password:
            password = given.proxy_password or self._token("proxy-password")
        digest_key = self._token("digest-key")
        selectors = tuple(self.dkim)
        mta = pulumi.Output.all(
            webhook_token=self.webhook_token,
            injection_token=self.injection_token,
            previous_injection_token=given.previous_injection_token,
            proxy_password=password,
            certificate_key=given.certificate_key,
            digest_key=digest_key,
            dkim_keys=[self.dkim[which].private for which in selectors],
        ).apply(
            lambda values: Secrets(
                **{**values, "dkim_keys": dict(zip(selectors, values["dkim_keys"], strict=True))}
            )
        )
        proxy = pulumi.Output.all(proxy_password=password, digest_key=digest_key).apply(
            lambda values: Secrets(webhook_token="", injection_token="", dkim_keys={}, **values)
        )
        return pulumi.Output.secret(mta), pulumi.Output.secret(proxy)
