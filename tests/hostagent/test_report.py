"""What the agent says, and what it keeps to itself."""

import io
import json

from hostagent.report import Reporter

TOKEN = "sEcReT0123456789abcdefghijklmnopqrstuvwxyzA"
KEY_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
KEY = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINE}\n-----END PRIVATE KEY-----\n"


def said(text: str, *contents: str) -> str:
    stream = io.StringIO()
    reporter = Reporter(stream, io.StringIO())
    reporter.hide(content.encode() for content in contents)
    reporter.say(text)
    return stream.getvalue()


def test_a_value_of_the_environment_file_is_masked_with_or_without_quotes() -> None:
    assert TOKEN not in said(f"x{TOKEN}y", f'PING8_WEBHOOK_TOKEN="{TOKEN}"\n')


def test_what_a_stranger_wrote_cannot_control_the_terminal() -> None:
    assert "\x1b" not in said("journal: \x1b]52;c;cm0gLXJmIC8=\x07\x9b31m")


def test_a_bearer_token_is_masked() -> None:
    assert "[secret]" in said(f"Bearer {TOKEN}", f'    "~^Bearer {TOKEN}$" ok;\n')


def test_a_line_of_a_private_key_is_masked() -> None:
    assert KEY_LINE not in said(f"key {KEY_LINE}!", KEY)


def test_names_of_variables_paths_and_addresses_stay_readable() -> None:
    environment = f"PING8_WEBHOOK_TOKEN={TOKEN}\nKUMOPROXY_HOST=10.8.0.5\n"
    text = "PING8_WEBHOOK_TOKEN is missing; 10.8.0.5:5000 takes no connection"
    assert text in said(text, environment, KEY)


def test_the_result_is_masked_inside_and_stays_json() -> None:
    stream = io.StringIO()
    reporter = Reporter(io.StringIO(), stream)
    secret = 'quote"and\\slash0123456789'
    reporter.hide([f"PASSWORD='{secret}'\n".encode()])
    reporter.write({"list": [secret], "number": 1})
    assert json.loads(stream.getvalue()) == {"list": ["[secret]"], "number": 1}


def test_a_closed_listener_is_no_reason_to_stop() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    Reporter(Closed(), Closed()).say("progress")
