"""Every secret of an environment: generated unless set, kept in the stack's encrypted state."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pulumi_tls as tls

from components.tagging import named
from policy.secrets import PROXY_TEXTS, TEXTS, MtaSecrets, ProxySecrets
from policy.settings.dkim import DkimKeys
from policy.settings.operation import Token, Tokens

TOKEN_LENGTH = 43
"""Letters and digits: 256 bits of entropy, and no character that needs an escape."""

Selector = tuple[str, str]
"""The owner of a DKIM key, a sender domain or a brand, and the selector."""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """OpenSSH's formats for SSH keys, PEM for DKIM keys.

    The public half is not secret, so that previews show the DNS records.
    """

    public: pulumi.Output[str]
    private: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Given:
    """Secrets from the stack file; each is a secret output."""

    texts: Mapping[str, pulumi.Output[str]]
    """By the field of `MtaSecrets`."""
    deploy_key: KeyPair | None
    host_keys: Mapping[str, KeyPair]
    dkim_keys: Mapping[Selector, KeyPair]


@dataclass(frozen=True, kw_only=True)
class CredentialsArgs:
    """The secrets that are needed, and those that are set."""

    given: Given
    dkim: Mapping[str, DkimKeys]
    """By owner: a sender domain or a brand."""
    hosts: tuple[str, ...]
    proxy_password: bool
    limits_password: bool
    tokens: Tokens
    tags: Mapping[str, str]


class Credentials(pulumi.ComponentResource):
    """Tokens and keys.

    Creates:
    - each secret text of the hosts, unless set; the proxies' password only if they require one,
      that of the shared limits only for several MTA hosts
    - a Secrets Manager secret for the webhook token and for the injection token
    - a DKIM key for each selector of each owner (a sender domain or a brand), unless set
    - a deploy key and one SSH host key for each host, unless set
    """

    webhook_token: pulumi.Output[str]
    injection_token: pulumi.Output[str]
    token_secrets: Mapping[str, pulumi.Output[str]]
    """ARNs in Secrets Manager, by token."""
    deploy: KeyPair
    host_keys: Mapping[str, KeyPair]
    dkim: Mapping[Selector, KeyPair]
    limits_password: pulumi.Output[str] | None
    mta_secrets: pulumi.Output[MtaSecrets]
    """The secrets in the MTA host's files."""
    proxy_secrets: pulumi.Output[ProxySecrets]
    """The secrets in proxy hosts' files: no token and no DKIM key."""

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ping8:mail:Credentials", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        given = args.given
        texts = self._texts(args)
        self.limits_password = texts.get("limits_password")
        injection = self._generations("injection_token", args.tokens.injection, texts)
        webhook = self._generations("webhook_token", args.tokens.webhook, texts)
        self.webhook_token, self.injection_token = webhook[-1], injection[-1]
        # The host accepts both tokens of PING8, and sends the one that PING8 knows already.
        texts |= {"webhook_token": webhook[0], "injection_token": injection[-1]}
        if len(injection) > 1:
            texts["previous_injection_token"] = injection[0]
        self.token_secrets = {
            "webhook_token": self._store("webhook-token", self.webhook_token, args),
            "injection_token": self._store("injection-token", self.injection_token, args),
        }
        self.deploy = given.deploy_key or self._ssh("deploy")
        self.host_keys = {
            host: given.host_keys.get(host) or self._ssh(f"host-{host}") for host in args.hosts
        }
        self.dkim = self._dkim(args)
        self.mta_secrets, self.proxy_secrets = self._secrets(texts)
        self.register_outputs({})

    def _texts(self, args: CredentialsArgs) -> dict[str, pulumi.Output[str]]:
        given = args.given.texts
        kept = {"injection_token": args.tokens.injection, "webhook_token": args.tokens.webhook}
        later = {field for field, token in kept.items() if token.kept[0]}
        return {
            text.field: given.get(text.field) or self._token(text.label)
            for text in TEXTS
            if (text.made and text.field not in later)
            or text.field in given
            or (text.field == "proxy_password" and args.proxy_password)
            or (text.field == "limits_password" and args.limits_password)
        }

    def _generations(
        self, field: str, token: Token, texts: Mapping[str, pulumi.Output[str]]
    ) -> list[pulumi.Output[str]]:
        """The kept tokens, the newest last; the first of all may be a configured one."""
        label = field.replace("_", "-")
        return [self._token(f"{label}-{each}") if each else texts[field] for each in token.kept]

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
        for owner, dkim in args.dkim.items():
            for selector, kind in dkim.published():
                which = (owner, selector)
                keys[which] = args.given.dkim_keys.get(which) or self._dkim_key(
                    "-".join(("dkim", owner, selector, *dkim.generation(selector))),
                    dkim.bits if kind == "rsa" else None,
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

    def _secrets(
        self, texts: Mapping[str, pulumi.Output[str]]
    ) -> tuple[pulumi.Output[MtaSecrets], pulumi.Output[ProxySecrets]]:
        selectors = tuple(self.dkim)
        keys = pulumi.Output.all(*(self.dkim[which].private for which in selectors))
        mta = pulumi.Output.all(**texts, dkim_keys=keys).apply(
            lambda values: MtaSecrets(
                **{**values, "dkim_keys": dict(zip(selectors, values["dkim_keys"], strict=True))}
            )
        )
        of_proxies = {field: value for field, value in texts.items() if field in PROXY_TEXTS}
        proxy = pulumi.Output.all(**of_proxies).apply(lambda values: ProxySecrets(**values))
        return pulumi.Output.secret(mta), pulumi.Output.secret(proxy)
