"""Values of records that tests publish."""

_STRING = 255


def text_value(text: str) -> str:
    """An ASCII TXT value in presentation form, in strings of at most 255 bytes."""
    parts = [text[at : at + _STRING] for at in range(0, len(text), _STRING)] or [""]
    escaped = (part.replace("\\", "\\\\").replace('"', '\\"') for part in parts)
    return " ".join(f'"{part}"' for part in escaped)
