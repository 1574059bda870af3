"""Text that strangers may have written: journals, reports, kumod's answers."""


def printable(text: str) -> str:
    """The text, safe for terminals and journals: no escape sequence, no character that turns the
    direction of writing around. Line feeds and tabs stay."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
