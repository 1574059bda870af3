"""One rule for what strangers wrote, in Lua and in Python."""

import sys
from pathlib import Path

from lupa.lua54 import LuaRuntime

from hostagent.text import printable, printable_line

MODULE = Path(__file__).parents[3] / "policy/kumomta/report_text.lua"


def in_lua(text: bytes) -> bytes:
    lua = LuaRuntime(encoding=None)
    lua.globals()[b"package"][b"loaded"][b"kumo"] = lua.table()
    module = lua.execute(MODULE.read_bytes())
    replaced: bytes = module[b"printable"](text)
    return replaced


def test_lua_and_python_replace_the_same_characters() -> None:
    every = "".join(chr(n) for n in range(sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF)
    assert in_lua(every.encode()).decode() == printable(every)


def test_bytes_that_are_no_text_do_not_pass() -> None:
    assert in_lua(b"a\xffb") == b"a?b"
    assert printable(b"a\xffb".decode("utf-8", "surrogateescape")) == "a?b"


def test_what_people_write_passes() -> None:
    for text in ("zwei\n\tZeilen", "10\u00a0€", "\U0001f469\u200d\U0001f680", "نص"):
        assert printable(text) == text
    assert printable_line("zwei\n\tZeilen") == "zwei  Zeilen"
