"""Verb `public-keys`: the public keys of this host's DKIM keys; the private keys stay here."""

import base64
import json
import pathlib
import subprocess

from hostagent.contract import DKIM_KEYS

_DKIM = pathlib.Path(DKIM_KEYS)


def run(_arguments: list[str]) -> int:
    """Prints `{"domain/selector": base64 of SubjectPublicKeyInfo}`."""
    print(json.dumps(public_keys(_DKIM)), flush=True)
    return 0


def public_keys(folder: pathlib.Path) -> dict[str, str]:
    """Derived by openssl; a file without a key is left out."""
    keys = {}
    for path in sorted(folder.glob("*/*.key")):
        done = subprocess.run(
            ["openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=10,
        )
        if done.returncode == 0:
            keys[f"{path.parent.name}/{path.stem}"] = base64.b64encode(done.stdout).decode()
    return keys
