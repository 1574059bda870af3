"""What `ping8 init` asks for, also as help of its options."""

from collections.abc import Mapping

QUESTIONS: Mapping[str, str] = {
    "region": "AWS region, such as eu-central-1",
    "zone": "Your own Route 53 zone for host names, such as mail.your-company.com",
    "webhook": "PING8's endpoint for events, such as https://app.your-company.com/api/kumo/events",
    "operators": "Networks that may log in, with this machine's address, separated by commas",
    "emails": "E-mail addresses for alarms, separated by commas",
    "ssh_keys": "Public SSH key of an operator (one line of a .pub file; empty for none)",
    "domains": "Sender domains, separated by commas",
}
