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


def _with(text: str) -> bytes:
    """The smallest file with one more setting."""
    return GOOD + f"  {text}\n".encode()


def _instead(old: str, new: str) -> bytes:
    return GOOD.replace(old.encode(), new.encode())


SALT = b"encryptionsalt: v1:sdHHcW98K1k=:v1:WwM8k+dELs1kX9DN:H+r22qwadehplDDHzfVIgnBm6slScA==\n"
CIPHERTEXT = b"v1:c2FsdA==:dGV4dA=="
"""Stands for a value that Pulumi encrypted."""
TOKEN = "a-Token-of-0123456789-characters-enough"
"""What is encrypted."""
_SECRET = b"Zq7Rk2Vw9Xc4Tn8Yb3Lm6Ph1Dj5Fs0Gu"

ACCEPTED: dict[str, bytes] = {
    "smallest": GOOD,
    "key-without-namespace": GOOD + b"  protect: false\n",
    "key-in-the-old-form": GOOD + b"  ping8-mail:config:protect: false\n",
    "byte-order-mark": b"\xef\xbb\xbf" + GOOD,
    "windows-line-ends": GOOD.replace(b"\n", b"\r\n"),
    "document-start": b"---\n" + GOOD,
    "comments": b"# ours\n" + GOOD + b"# end\n",
    "pulumis-own-parts": SALT + b"secretsprovider: passphrase\nencryptedkey: abc\n" + GOOD,
    "environments": b"environment: [example/prod]\n" + GOOD,
    "encrypted-secret": GOOD + b"  ping8-mail:webhookToken: {secure: " + CIPHERTEXT + b"}\n",
    "date-without-quotes": GOOD
    + b"  ping8-mail:shaping:\n    warmUp:\n"
    + b"      proxy-default: {start: 2026-12-01, daily: [5]}\n",
    "number-in-quotes": GOOD + b'  ping8-mail:elasticIpQuota: "7"\n',
    "list-as-text": _BASE + b"  ping8-mail:domains: '[\"example.net\"]'\n",
    "anchor-and-alias": _BASE + b"  ping8-mail:domains: [&a example.net]\n  aws:profile: *a\n",
    "anchor-as-key": GOOD + b"  &k ping8-mail:protect: false\n  ping8-mail:tags: {*k : x}\n",
    "block-of-text": _instead("zone: mail.example.com", "zone: |\n    mail.example.com"),
    "colon-in-text": _with("ping8-mail:tags: {a: b:c, d: e}"),
    "date-as-text": _with("ping8-mail:tags: {since: 2026-12-01}"),
    "date-of-no-month": _with("ping8-mail:tags: {since: 2026-13-45}"),
    "decimal": _with("ping8-mail:alarms: {bounceShare: 0.05}"),
    "document-end": GOOD + b"...\n",
    "empty-table": _with("ping8-mail:tags: {}"),
    "equals-sign": _with("ping8-mail:tags: {=: =}"),
    "escaped-nul": _with('aws:profile: "a\\0b"'),
    "folded-text": _instead("zone: mail.example.com", "zone: >-\n    mail.example.com"),
    "keys-that-differ-by-case": _with("ping8-mail:tags: {a: b, A: c}"),
    "long-line": GOOD + b"# " + b"x" * 1_000_000 + b"\n",
    "many-domains": _BASE
    + b"  ping8-mail:domains: [%s]\n" % b", ".join(b"d%d.example" % n for n in range(1000)),
    "mixed-line-ends": GOOD.replace(b"\n", b"\r\n", 2),
    "next-line-character": _with("ping8-mail:protect: false\u0085  ping8-mail:elasticIpQuota: 7"),
    "no-environments": b"environment: []\n" + GOOD,
    "old-macs-line-ends": GOOD.replace(b"\n", b"\r"),
    "other-namespace-in-the-old-form": _with("aws:config:profile: x"),
    "question-mark-key": _with("? ping8-mail:protect\n  : false"),
    "quoted-key": _with('"ping8-mail:protect": false'),
    "quoted-null-is-text": _with("ping8-mail:tags: {a: 'null'}"),
    "quoted-switch": _with("ping8-mail:protect: 'false'"),
    "switch-in-capitals": _with("ping8-mail:protect: FALSE"),
    "tab-after-colon": _with("ping8-mail:protect:\tfalse\t# off"),
    "tab-in-flow": _with("ping8-mail:tags: {a:\tb}"),
    "text-over-lines": _with("ping8-mail:tags: {a: b\n    c}"),
    "two-byte-order-marks": b"\xef\xbb\xbf" * 2 + GOOD,
    "whole-decimal": _with("ping8-mail:elasticIpQuota: 7.0"),
    "zero-width-space-in-a-name": _instead("mail.example", "mail.exam\u200bple"),
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
    "exponent": (GOOD + b"  ping8-mail:elasticIpQuota: 1e6\n", "a number to some parsers"),
    "octal-look": (GOOD + b"  ping8-mail:mta: {spoolGib: 0400}\n", "a number to some parsers"),
    "octal": (GOOD + b"  ping8-mail:mta: {spoolGib: 0o620}\n", "a number to some parsers"),
    "hexadecimal": (GOOD + b"  ping8-mail:mta: {spoolGib: 0x100}\n", "a number to some parsers"),
    "underscores": (GOOD + b"  ping8-mail:mta: {spoolGib: 1_00}\n", "a number to some parsers"),
    "sexagesimal": (GOOD + b"  ping8-mail:mta: {spoolGib: 3:20}\n", "a number to some parsers"),
    "infinity": (GOOD + b"  ping8-mail:alarms: {clockOffset: .inf}\n", "a number to some parsers"),
    "not-a-number": (GOOD + b"  ping8-mail:alarms: {bounceShare: .nan}\n", "a number to some"),
    "time": (GOOD + b"  ping8-mail:tags: {since: 2026-12-01 10:00:00}\n", "a number to some"),
    "old-switch": (GOOD + b"  ping8-mail:protect: no\n", "write true or false"),
    "empty-value": (_BASE + b"  ping8-mail:domains:\n", "a value is missing"),
    "null": (_BASE + b"  ping8-mail:domains: null\n", "a value is missing"),
    "integer-key": (GOOD + b"  ping8-mail:tags: {1: a}\n", "not text: put it in quotes"),
    "switch-as-key": (GOOD + b"  ping8-mail:tags: {true: a}\n", "not text: put it in quotes"),
    "list-as-key": (GOOD + b"  ping8-mail:tags: {[a]: a}\n", "not text: put it in quotes"),
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
        "nested tables or lists",
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
        GOOD.replace(b": eu-central-1", b": {secure: " + CIPHERTEXT + b"}"),
        "write a region",
    ),
    "anchor-twice": (_with("ping8-mail:tags: {a: &x b, c: &x d, e: *x}"), "second occurrence"),
    "alias-unknown": (_with("ping8-mail:tags: {a: *nope}"), "undefined alias"),
    "at-sign": (_with("ping8-mail:tags: {a: @b}"), "cannot start any token"),
    "binary-number": (_with("ping8-mail:elasticIpQuota: 0b11"), "a number to some parsers"),
    "byte-order-mark-inside": (_with("\ufeffping8-mail:protect: false"), "did you mean ping8-mail"),
    "capital-config": (_instead("config:", "Config:"), "under `config:`"),
    "capital-key": (_with("ping8-mail:Protect: false"), "did you mean protect?"),
    "capital-key-inside": (_with("ping8-mail:mta: {RootGib: 20}"), "did you mean rootGib?"),
    "capital-namespace": (_with("Ping8-Mail:protect: false"), "did you mean ping8-mail:protect?"),
    "capital-secure": (
        _with(f"ping8-mail:webhookToken: {{Secure: {CIPHERTEXT.decode()}}}"),
        "in plain text",
    ),
    "colon-without-space": (_with("ping8-mail:tags: {a:b}"), "a value is missing"),
    "config-empty": (b"config:\n", "a value is missing"),
    "config-is-an-empty-table": (b"config: {}\n", "ping8-mail:zone: it is required"),
    "config-is-null": (b"config: null\n", "a value is missing"),
    "config-is-text": (b"config: a\n", "under `config:`"),
    "config-is-tilde": (b"config: ~\n", "a value is missing"),
    "config-twice": (GOOD + GOOD, "`config` is written twice"),
    "control-character-c1": (_with("aws:profile: a\u0090b"), "not valid YAML"),
    "date-without-zeros": (_with("ping8-mail:tags: {since: 2026-1-2}"), "a date to some readers"),
    "delete-character": (_with("aws:profile: a\x7fb"), "not valid YAML"),
    "directive": (b"%YAML 1.1\n---\n" + GOOD, "begins with `%`"),
    "directive-of-tags": (b"%TAG ! tag:x,2000:\n---\n" + GOOD, "begins with `%`"),
    "directive-of-yaml-1.2": (b"%YAML 1.2\n---\n" + GOOD, "begins with `%`"),
    "directive-of-yaml-2.0": (b"%YAML 2.0\n---\n" + GOOD, "incompatible YAML document"),
    "dot-at-the-end": (_with("ping8-mail:elasticIpQuota: 7."), "a number to some parsers"),
    "dot-at-the-start": (_with("ping8-mail:alarms: {bounceShare: .5}"), "a number to some parsers"),
    "empty-key": (_with("ping8-mail:tags: {'': a}"), "128"),
    "empty-list": (_with("ping8-mail:brands: []"), "no brand of this name"),
    "empty-name": (_with("'ping8-mail:': false"), "is not a key"),
    "empty-namespace": (_with(":protect: false"), "is not a key"),
    "empty-text": (_with("ping8-mail:elasticIpQuota: ''"), "write a whole number"),
    "encrypted-by-nobody": (
        _with("ping8-mail:webhookToken: {secure: hello}"),
        "no encrypted value",
    ),
    "encrypted-empty": (_with("ping8-mail:webhookToken: {secure: ''}"), "no encrypted value"),
    "encrypted-list": (_with("ping8-mail:webhookToken: {secure: [a]}"), "in plain text"),
    "encrypted-null": (_with("ping8-mail:webhookToken: {secure: }"), "a value is missing"),
    "encrypted-number": (_with("ping8-mail:webhookToken: {secure: 5}"), "in plain text"),
    "encrypted-setting": (
        _with(f"ping8-mail:tags: {{secure: {CIPHERTEXT.decode()}}}"),
        "this setting is not a secret",
    ),
    "encrypted-setting-inside": (
        _BASE + b"  ping8-mail:domains: [{secure: " + CIPHERTEXT + b"}]\n",
        "this setting is not a secret",
    ),
    "encrypted-twice": (
        _with(f"ping8-mail:webhookToken: {{secure: {{secure: {CIPHERTEXT.decode()}}}}}"),
        "in plain text",
    ),
    "encrypted-with-more": (
        _with(f"ping8-mail:webhookToken: {{secure: {CIPHERTEXT.decode()}, other: x}}"),
        "in plain text",
    ),
    "encrypted-in-a-list": (
        _with(f"ping8-mail:webhookToken: [{{secure: {CIPHERTEXT.decode()}}}]"),
        "in plain text",
    ),
    "environment-as-text": (b"environment: example/prod\n" + GOOD, "write a list of environments"),
    "environment-of-numbers": (b"environment: [5]\n" + GOOD, "write a list of environments"),
    "escaped-duplicate": (_with('ping8-mail:tags: {a: b, "\\x61": c}'), "written twice"),
    "escaped-nul-in-a-tag": (_with('ping8-mail:tags: {a: "a\\0b"}'), "use letters"),
    "escaped-surrogate": (_with('ping8-mail:tags: {a: "\\uD800"}'), "not valid YAML"),
    "fraction": (_with("ping8-mail:elasticIpQuota: 7.5"), "write a whole number"),
    "huge-number": (
        _with("ping8-mail:elasticIpQuota: 99999999999999999999"),
        "a number to some parsers",
    ),
    "huge-number-in-quotes": (
        _with(f"ping8-mail:elasticIpQuota: '{'9' * 5000}'"),
        "elasticIpQuota",
    ),
    "json-infinity": (_with("ping8-mail:alarms: '{\"bounceShare\": 1e999}'"), "use 1.0 or less"),
    "json-key-twice": (
        _with("""ping8-mail:tags: '{"a": "b", "a": "c"}'"""),
        "ping8-mail:tags",
    ),
    "json-not-a-number": (_with("ping8-mail:alarms: '{\"bounceShare\": NaN}'"), "use 1.0 or less"),
    "json-null": (_with("ping8-mail:tags: '{\"a\": null}'"), "write text"),
    "json-number-of-5000-digits": (
        _with(f"ping8-mail:mta: '{{\"rootGib\": {'9' * 5000}}}'"),
        "write a table",
    ),
    "json-space-before": (_instead("[example.net]", "' [\"example.net\"]'"), "write a list"),
    "json-surrogate": (_instead("[example.net]", "'[\"\\ud800.net\"]'"), "internationalised name"),
    "key-of-1100-characters": (_with(f"ping8-mail:{'k' * 1100}: v"), "could not find expected ':'"),
    "leading-zero": (_with("ping8-mail:elasticIpQuota: 08"), "a number to some parsers"),
    "line-separator": (_with("ping8-mail:tags: {a: b\u2028c}"), "use letters"),
    "long-decimal": (
        _with("ping8-mail:alarms: {bounceShare: 0.1234567890123456789}"),
        "a number to some parsers",
    ),
    "merge": (_with("ping8-mail:tags: {<<: {a: b}, c: d}"), "merge tables"),
    "merge-in-config": (GOOD + b"  <<: &x {ping8-mail:protect: false}\n", "merge tables"),
    "merge-of-a-list": (_with("ping8-mail:tags: {<<: [{a: b}, {a: c}]}"), "merge tables"),
    "merge-of-text": (_with("ping8-mail:tags: {<<: a}"), "merge tables"),
    "merge-quoted": (_with('ping8-mail:tags: {"<<": {a: b}}'), "merge tables"),
    "merge-twice": (_with("ping8-mail:tags: {<<: {a: b}, <<: {c: d}}"), "merge tables"),
    "minus-zero": (_with("ping8-mail:elasticIpQuota: -0"), "a number to some parsers"),
    "more-after-the-end": (GOOD + b"...\nfoo: bar\n", "not valid YAML"),
    "no-break-space": (_with("ping8-mail:protect: false\u00a0"), "write true or false"),
    "no-break-space-indents": (GOOD + "\u00a0\u00a0protect: false\n".encode(), "unknown"),
    "noncharacter": (_with("ping8-mail:tags: {a: \ufffe}"), "not valid YAML"),
    "null-inside": (_with("ping8-mail:tags: {a: ~}"), "a value is missing"),
    "null-key": (_with("ping8-mail:tags: {~: a}"), "a value is missing"),
    "number-as-text": (_with("ping8-mail:tags: {a: 5}"), "write text, in quotes"),
    "number-as-a-file": (_BASE + b"  ping8-mail:domainsFile: 5\n", "there is no such file"),
    "plus": (_with("ping8-mail:elasticIpQuota: +7"), "a number to some parsers"),
    "right-to-left": (_with('ping8-mail:tags: {a: "\u202eb"}'), "use letters"),
    "salt-is-a-list": (b"encryptionsalt: [a]\n" + GOOD, "leave it as Pulumi wrote it"),
    "salt-is-a-number": (b"encryptionsalt: 5\n" + GOOD, "leave it as Pulumi wrote it"),
    "salt-of-another-kind": (b"encryptionsalt: hello\n" + GOOD, "leave it as Pulumi wrote it"),
    "second-document-empty": (GOOD + b"---\n", "a second document"),
    "space-after-key": (_with('"ping8-mail:protect ": false'), "did you mean protect?"),
    "space-before-key": (_with('" ping8-mail:protect": false'), "did you mean ping8-mail:protect?"),
    "surrogate": (GOOD + b"  aws:profile: \xed\xa0\x80\n", "UTF-8"),
    "switch-as-text": (_with("ping8-mail:tags: {a: true}"), "write text, in quotes"),
    "switch-word-as-key": (_with("ping8-mail:tags: {on: a}"), "write true or false"),
    "switch-y": (_with("ping8-mail:tags: {a: y}"), "write true or false"),
    "tab-indents": (GOOD + b"\tping8-mail:protect: false\n", "cannot start any token"),
    "tag-bang": (_with("ping8-mail:tags: {a: ! 5}"), "write text, in quotes"),
    "tag-of-bytes": (_with("ping8-mail:tags: {a: !!binary aGVsbG8=}"), "a tag"),
    "tag-of-our-own": (_with("ping8-mail:tags: !mine {a: b}"), "a tag"),
    "tag-of-python": (_with("ping8-mail:tags: {a: !!python/object/apply:os.system [id]}"), "a tag"),
    "tag-of-a-set": (_with("ping8-mail:tags: !!set {a, b}"), "a tag"),
    "tag-of-a-time": (_with("ping8-mail:tags: {a: !!timestamp 2026-12-01}"), "a tag"),
    "tilde": (_with("ping8-mail:elasticIpQuota: ~"), "a value is missing"),
    "time-in-iso": (
        _with("ping8-mail:tags: {a: 2026-12-01T10:00:00Z}"),
        "a number to some parsers",
    ),
    "too-many-domains-for-pulumi": (
        _BASE
        + b"  ping8-mail:domains: [%s]\n" % b", ".join(b"d%d.example" % n for n in range(9000)),
        "Pulumi can hand over",
    ),
    "unicode-digits": (_with("ping8-mail:elasticIpQuota: \u0667"), "write a whole number"),
    "unicode-digits-inside": (
        _with("ping8-mail:mta: {rootGib: \uff13\uff10}"),
        "write a whole number",
    ),
    "zero-width-space-in-a-key": (
        _with("ping8-mail:pro\u200btect: false"),
        "did you mean protect?",
    ),
    "zero-width-space-in-a-number": (
        _with("ping8-mail:elasticIpQuota: 7\u200b"),
        "write a whole number",
    ),
    "zero-width-space-in-the-region": (
        _instead("eu-central-1", "eu-central-1\u200b"),
        "did you mean eu-central-1?",
    ),
    "misspelt-namespace": (GOOD + b"  ping8mail:protect: false\n", "did you mean ping8-mail:prot"),
}

PLAIN_SECRETS: dict[str, bytes] = {
    "beside-an-encrypted-one": GOOD
    + b"  ping8-mail:dkimKeys: {example.net/s1: {secure: "
    + CIPHERTEXT
    + b"}, example.net/s2: "
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
