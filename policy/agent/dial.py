"""Verb `dial`: from a proxy host, speak to an exchanger as one egress source would."""

import argparse
import json
import re
import smtplib
from typing import Any

_SECONDS = 10.0


def run(arguments: list[str]) -> int:
    """Prints what the exchanger answered, as JSON; the status is 0 also where it refused."""
    parser = argparse.ArgumentParser(prog="ping8-agent dial")
    parser.add_argument("--exchanger", required=True)
    parser.add_argument("--source-address", required=True)
    parser.add_argument("--ehlo", required=True)
    parser.add_argument("--port", type=int, default=25)
    options = parser.parse_args(arguments)
    print(
        json.dumps(dial(options.exchanger, options.port, options.source_address, options.ehlo)),
        flush=True,
    )
    return 0


def dial(exchanger: str, port: int, source_address: str, ehlo: str) -> dict[str, Any]:
    """Greeting, EHLO answer, and the address that the exchanger says it sees."""
    answer: dict[str, Any] = {"exchanger": exchanger, "connected": False, "error": ""}
    session = smtplib.SMTP(
        timeout=_SECONDS, source_address=(source_address, 0), local_hostname=ehlo
    )
    try:
        code, greeting = session.connect(exchanger, port)
        answer.update(connected=True, greeting=f"{code} {greeting.decode('utf-8', 'replace')}")
        code, text = session.ehlo()
        said = text.decode("utf-8", "replace")
        answer.update(
            ehlo_accepted=code == 250, ehlo_answer=f"{code} {said}", seen_address=_address(said)
        )
        session.quit()
    except (OSError, smtplib.SMTPException) as error:
        answer["error"] = answer["error"] or str(error)
    finally:
        session.close()
    return answer


def _address(text: str) -> str:
    """The first IPv4 address in brackets, as Gmail's EHLO answer shows it; else nothing."""
    found = re.search(r"\[(\d{1,3}(?:\.\d{1,3}){3})\]", text)
    return found.group(1) if found else ""
