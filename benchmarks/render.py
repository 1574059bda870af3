"""Rendering and packing the MTA host's release, by number of sender domains and whose keys sign.

python -m benchmarks.render
"""

import time

from policy.push import bundle_of, push_input
from policy.release import HostFacts
from policy.render import render_mta
from policy.render.example import example_addresses, throw_away_secrets
from policy.settings import Settings

SMALL = {
    "environment": "benchmark",
    "region": "eu-central-1",
    "zone": "mail.example.com",
    "operators": {"cidrs": ["198.51.100.0/28"]},
    "webhook": {"url": "https://app.example.com/api/kumo/events"},
}
_FACTS = HostFacts(name="mta-1", instance_id="i-0123456789abcdef0", volumes=(), sizes=())


def main() -> None:
    """One row for each number and kind of keys. Throw-away keys are one key, which packs well."""
    print("| sender domains | keys of | files | rendering, CPU s | packing, CPU s | push, bytes |")
    print("|---:|---|---:|---:|---:|---:|")
    for keys, counts in (("brand", (1, 100, 1_000, 100_000)), ("domain", (1, 100, 1_000))):
        for count in counts:
            print(f"| {count:,} | {keys} | {measure(count, keys)} |", flush=True)


def measure(count: int, keys: str) -> str:
    """The columns of one row."""
    names = [{"name": f"d{number}.example.org", "dkim": {"keys": keys}} for number in range(count)]
    settings = Settings.model_validate(SMALL | {"domains": names})
    addresses, secrets = example_addresses(settings), throw_away_secrets(settings)
    began = time.process_time()
    release = render_mta(settings, "mta-1", addresses, secrets)
    rendered = time.process_time()
    pushed = push_input(bundle_of(release, _FACTS, always=False, run=""))
    packed = time.process_time() - rendered
    return f"{len(release.files):,} | {rendered - began:.2f} | {packed:.2f} | {len(pushed):,}"


if __name__ == "__main__":
    main()
