"""CPU seconds of rendering the MTA host's release, by number of sender domains."""

import time

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


def main() -> None:
    print("sender domains  files     CPU seconds")
    for count in (10, 1_000, 100_000):
        domains = [{"name": f"d{number}.example.org"} for number in range(count)]
        settings = Settings.model_validate(SMALL | {"domains": domains})
        addresses, secrets = example_addresses(settings), throw_away_secrets(settings)
        began = time.process_time()
        release = render_mta(settings, "mta-1", addresses, secrets)
        print(f"{count:>14}  {len(release.files):<8}  {time.process_time() - began:.2f}")


if __name__ == "__main__":
    main()
