"""A stack file of each kind that two readers of YAML could take differently, and its verdict."""

_BASE = b"""\
config:
  aws:region: eu-central-1
  ping8-mail:zone: mail.example.com
  ping8-mail:webhook: {url: https://app.example.com/events}
  ping8-mail:operators: {cidrs: [198.51.100.7/32]}
"""
_DOMAINS = b"  ping8-mail:domains: [example.net]\n"
GOOD = _BASE + _DOMAINS
_SALT = b"encryptionsalt: v1:Xk3Zq0bLr4E=:v1:abcDEF0123456789:ABCdef0123456789abcdefABCDEF==\n"
_SECRET = b"Zq7Rk2Vw9Xc4Tn8Yb3Lm6Ph1Dj5Fs0Gu"

ACCEPTED: dict[str, bytes] = {
    "smallest": GOOD,
    "key-without-namespace": GOOD + b"  protect: false\n",
    "key-in-the-old-form": GOOD + b"  ping8-mail:config:protect: false\n",
    "byte-order-mark": b"\xef\xbb\xbf" + GOOD,
    "windows-line-ends": GOOD.replace(b"\n", b"\r\n"),
    "document-start": b"---\n" + GOOD,
    "comments": b"# ours\n" + GOOD + b"# end\n",
    "pulumis-own-parts": _SALT + b"secretsprovider: passphrase\nencryptedkey: abc\n" + GOOD,
    "environments": b"environment: [example/prod]\n" + GOOD,
    "encrypted-secret": GOOD + b"  ping8-mail:webhookToken: {secure: v1:abc}\n",
    "date-without-quotes": GOOD
    + b"  ping8-mail:shaping:\n    warmUp:\n"
    + b"      proxy-default: {start: 2026-12-01, daily: [5]}\n",
    "number-in-quotes": GOOD + b'  ping8-mail:elasticIpQuota: "7"\n',
    "list-as-text": _BASE + b"  ping8-mail:domains: '[\"example.net\"]'\n",
    "anchor-and-alias": _BASE + b"  ping8-mail:domains: [&a example.net]\n  aws:profile: *a\n",
    "aws-credentials-file": GOOD + b"  aws:sharedCredentialsFiles: [/etc/aws]\n",
}

REJECTED: dict[str, tuple[bytes, str]] = {
    "key-twice": (GOOD + _DOMAINS, "written twice"),
    "key-twice-inside": (GOOD + b"  ping8-mail:mta: {rootGib: 20, rootGib: 30}\n", "written twice"),
    "key-with-and-without-namespace": (
        GOOD + b"  protect: false\n  ping8-mail:protect: true\n",
        "written twice, in two forms",
    ),
    "second-document": (GOOD + b"---\n" + GOOD, "a second document"),
    "utf-16": (GOOD.decode().encode("utf-16"), "UTF-8"),
    "latin-1": (GOOD + b"  aws:profile: caf\xe9\n", "UTF-8"),
    "exponent": (GOOD + b"  ping8-mail:elasticIpQuota: 1e6\n", "a number to some readers"),
    "octal-look": (GOOD + b"  ping8-mail:mta: {spoolGib: 0400}\n", "a number to some readers"),
    "octal": (GOOD + b"  ping8-mail:mta: {spoolGib: 0o620}\n", "a number to some readers"),
    "hexadecimal": (GOOD + b"  ping8-mail:mta: {spoolGib: 0x100}\n", "a number to some readers"),
    "underscores": (GOOD + b"  ping8-mail:mta: {spoolGib: 1_00}\n", "a number to some readers"),
    "sexagesimal": (GOOD + b"  ping8-mail:mta: {spoolGib: 3:20}\n", "a number to some readers"),
    "infinity": (GOOD + b"  ping8-mail:alarms: {clockOffset: .inf}\n", "a number to some readers"),
    "not-a-number": (GOOD + b"  ping8-mail:alarms: {bounceShare: .nan}\n", "a number to some"),
    "time": (GOOD + b"  ping8-mail:tags: {since: 2026-12-01 10:00:00}\n", "a number to some"),
    "old-switch": (GOOD + b"  ping8-mail:protect: no\n", "write true or false"),
    "empty-value": (_BASE + b"  ping8-mail:domains:\n", "a value is missing"),
    "null": (_BASE + b"  ping8-mail:domains: null\n", "a value is missing"),
    "integer-key": (GOOD + b"  ping8-mail:tags: {1: a}\n", "no text: put it in quotes"),
    "switch-as-key": (GOOD + b"  ping8-mail:tags: {true: a}\n", "no text: put it in quotes"),
    "list-as-key": (GOOD + b"  ping8-mail:tags: {[a]: a}\n", "no text: put it in quotes"),
    "self-reference": (_BASE + b"  ping8-mail:domains: &a [*a]\n", "contains itself"),
    "many-aliases": (
        GOOD
        + b"  x:a0: &a0 [a, a, a, a, a, a, a, a, a, a]\n"
        + b"".join(
            b"  x:a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10))
            for n in range(1, 8)
        ),
        "aliases counted",
    ),
    "deep": (
        GOOD + b"  ping8-mail:tags: " + b"{a: " * 1500 + b"b" + b"}" * 1500 + b"\n",
        "in each other",
    ),
    "deep-as-text": (GOOD + b"  ping8-mail:tags: '" + b"[" * 3000 + b"'\n", "ping8-mail:tags"),
    "large": (GOOD + b"# " + b"x" * (9 << 20) + b"\n", "larger than 8 MiB"),
    "tag": (GOOD + b"  ping8-mail:protect: !!str false\n", "a tag"),
    "no-yaml": (b"config: [\n", "not valid YAML: line"),
    "control-character": (GOOD + b"  aws:profile: a\x00b\n", "not valid YAML"),
    "empty-file": (b"", "under `config:`"),
    "no-config": (b"zone: x\n", "under `config:`"),
    "config-is-a-list": (b"config: [a]\n", "under `config:`"),
    "unknown-part": (GOOD + b"confg: {}\n", "did you mean config?"),
    "colons": (GOOD + b"  a:b:c: x\n", "write NAMESPACE:NAME"),
    "region-encrypted": (
        GOOD.replace(b": eu-central-1", b": {secure: v1:abc}"),
        "write a region",
    ),
    "misspelt-namespace": (GOOD + b"  ping8mail:protect: false\n", "did you mean ping8-mail:prot"),
}

PLAIN_SECRETS: dict[str, bytes] = {
    "beside-an-encrypted-one": GOOD
    + b"  ping8-mail:dkimKeys: {example.net/s1: {secure: v1:abc}, example.net/s2: "
    + _SECRET
    + b"}\n",
    "without-namespace": GOOD + b"  webhookToken: " + _SECRET + b"\n",
    "in-a-table-without-namespace": GOOD + b"  dkimKeys: {example.net/s1: " + _SECRET + b"}\n",
    "in-a-second-document": GOOD + b"---\nconfig:\n  ping8-mail:webhookToken: " + _SECRET + b"\n",
    "of-the-provider": GOOD + b"  aws:secretKey: " + _SECRET + b"\n",
    "of-the-provider-short": GOOD + b"  aws:token: changeme\n",
    "in-an-environment": GOOD + b"environment: {values: {pulumiConfig: {x: " + _SECRET + b"}}}\n",
    "in-utf-16": (GOOD + b"  ping8-mail:webhookToken: " + _SECRET + b"\n")
    .decode()
    .encode("utf-16"),
}
SECRET = _SECRET.decode()

ALL: dict[str, bytes] = {
    **ACCEPTED,
    **{name: text for name, (text, _) in REJECTED.items()},
    **PLAIN_SECRETS,
}
