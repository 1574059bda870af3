"""How systemd (249 to 252) reads an `EnvironmentFile=`: its state machine, written down again.

Follows `parse_env_file_internal` and `env_value_is_valid` of systemd; the tests that boot a host
compare it with the real one.
"""

from collections.abc import Callable

_BLANK = " \t\n\r"
_LINE_END = "\n\r"
_ESCAPABLE = '"\\`$'


def parse(content: bytes) -> dict[str, str]:
    """Variables by name; those that systemd would ignore are left out."""
    found = {}
    for name, value in _assignments(content.decode("utf-8")):
        if _valid(value):
            found[name] = value
    return found


def _valid(value: str) -> bool:
    return not any(_refused(ord(character)) for character in value)


def _refused(code: int) -> bool:
    control = (code < 0x20 and chr(code) not in "\t\n") or code == 0x7F
    no_character = 0xFDD0 <= code <= 0xFDEF or (code & 0xFFFE) == 0xFFFE
    return control or no_character or 0xD800 <= code <= 0xDFFF


def _assignments(text: str) -> list[tuple[str, str]]:
    reader = _Reader()
    for character in text:
        reader.state(character)
    reader.end()
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self.state: Callable[[str], None] = self.before_key
        self.key = ""
        self.value = ""
        self.kept = 0

    def end(self) -> None:
        if self.state not in (self.before_key, self.comment, self.in_key):
            self.push()

    def push(self) -> None:
        # Blanks at the end of an unquoted value do not count.
        self.found.append((self.key.strip(_BLANK), self.value[: self.kept]))
        self.state = self.before_key

    def add(self, character: str, *, quoted: bool = True) -> None:
        self.value += character
        if quoted or character not in _BLANK:
            self.kept = len(self.value)

    def before_key(self, character: str) -> None:
        if character in "#;":
            self.state = self.comment
        elif character not in _BLANK:
            self.key, self.state = character, self.in_key

    def comment(self, character: str) -> None:
        if character in _LINE_END:
            self.state = self.before_key

    def in_key(self, character: str) -> None:
        if character in _LINE_END:
            self.state = self.before_key
        elif character == "=":
            self.value, self.kept, self.state = "", 0, self.before_value
        else:
            self.key += character

    def before_value(self, character: str) -> None:
        if character in _LINE_END:
            self.push()
        elif character == "'":
            self.state = self.in_single
        elif character == '"':
            self.state = self.in_double
        elif character == "\\":
            self.state = self.escape
        elif character not in _BLANK:
            self.add(character, quoted=False)
            self.state = self.in_value

    def in_value(self, character: str) -> None:
        if character in _LINE_END:
            self.push()
        elif character == "\\":
            self.state = self.escape
        else:
            self.add(character, quoted=False)

    def escape(self, character: str) -> None:
        self.state = self.in_value
        if character not in _LINE_END:
            self.add(character)

    def in_single(self, character: str) -> None:
        if character == "'":
            self.state = self.before_value
        else:
            self.add(character)

    def in_double(self, character: str) -> None:
        if character == '"':
            self.state = self.before_value
        elif character == "\\":
            self.state = self.escape_in_double
        else:
            self.add(character)

    def escape_in_double(self, character: str) -> None:
        self.state = self.in_double
        if character in _ESCAPABLE:
            self.add(character)
        elif character != "\n":
            self.add("\\")
            self.add(character)
