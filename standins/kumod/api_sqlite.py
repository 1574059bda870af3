"""sqlite: each statement commits durably by itself."""

import sqlite3
from typing import Any

from standins.kumod.errors import KumoError
from standins.kumod.lua import LuaContext
from standins.kumod.objects import Held, api, method


@api("sqlite.open")
def sqlite_open(ctx: LuaContext, path: str, busy_timeout: int = 500) -> Held:
    real = ctx.facts.paths.real(path)
    try:
        database = sqlite3.connect(
            real, timeout=busy_timeout / 1000, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise KumoError(str(error)) from None
    return Held("SqliteConnection", database)


@method("SqliteConnection", "execute")
def sqlite_execute(ctx: LuaContext, connection: Held, query: str, *params: Any) -> Any:
    ctx.facts.counters["sqlite.execute"] += 1
    named = len(params) == 1 and isinstance(params[0], dict)
    try:
        cursor = connection.value.execute(query, params[0] if named else params)
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise KumoError(str(error)) from None
    if cursor.description is None:
        return max(cursor.rowcount, 0)
    names = [column[0] for column in cursor.description]
    # kumod reads a column before it looks whether there is a row at all.
    rows = rows or [(None,) * len(names)]
    if len(names) == 1:
        return [row[0] for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]
