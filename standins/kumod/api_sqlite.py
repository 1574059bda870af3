"""SQLite, and the refusal of Redis."""

import sqlite3
from typing import Any

from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import LuaObject, api, method


class SqliteConnection(LuaObject):
    """A connection; each statement commits durably by itself."""

    kind = "SqliteConnection"

    def __init__(self, path: str, busy_timeout: float) -> None:
        try:
            self.database = sqlite3.connect(
                path, timeout=busy_timeout, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise KumoError(str(error)) from None


@api("sqlite.open")
def sqlite_open(ctx: LuaContext, path: str, busy_timeout: int = 500) -> SqliteConnection:
    real = path if path == ":memory:" else str(ctx.facts.paths.real(path))
    return SqliteConnection(real, busy_timeout / 1000)


@method("SqliteConnection", "execute")
def sqlite_execute(ctx: LuaContext, connection: SqliteConnection, query: str, *params: Any) -> Any:
    ctx.facts.counters["sqlite.execute"] += 1
    bound: Any = params
    if len(params) == 1 and isinstance(params[0], dict):
        bound = params[0]
    try:
        cursor = connection.database.execute(query, bound)
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise KumoError(str(error)) from None
    if cursor.description is None:
        return max(cursor.rowcount, 0)
    # kumod reads a column before it looks whether there is a row at all.
    rows = rows or [(None,) * len(cursor.description)]
    names = [column[0] for column in cursor.description]
    if len(names) == 1:
        return [row[0] for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]
