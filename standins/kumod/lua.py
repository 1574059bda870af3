"""One Lua context: a runtime in which the policy has been executed.

kumod keeps a pool of these. Each holds its own globals and event handlers; everything that
contexts share (queues, caches, logs) lies outside.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa.lua54 as lupa

from standins.kumod import contract
from standins.kumod.configuration import Configuration
from standins.kumod.errors import KumoError, PolicyError, RejectError
from standins.kumod.objects import FUNCTIONS, METHODS
from standins.kumod.values import Converter, encode_text

_PRELUDE = (Path(__file__).parent / "prelude.lua").read_text(encoding="utf-8")
_IN_PRELUDE = {"kumo.on", "kumo.memoize"}


class LuaContext:
    """A runtime with the policy loaded."""

    def __init__(self, configuration: Configuration, *, modules: tuple[str, ...] = ()) -> None:
        self.facts = facts = configuration.facts
        self.configuration = configuration
        self.created = facts.now()
        self.uses = 0
        self.epoch = facts.epoch
        self._runtime: Any = lupa.LuaRuntime(
            encoding="latin-1", unpack_returned_tuples=True, register_eval=False
        )
        self._runtime.execute("python = nil")
        self._host: Any = None
        self._crash: BaseException | None = None
        names = [name for name in contract.contract()["functions"] if name not in _IN_PRELUDE]
        names = [n for n in names if not n.startswith("proxy.") or "proxy" in modules]
        config = self._runtime.table_from(
            {
                "functions": self._runtime.table_from(names),
                "methods": self._runtime.table_from(
                    {
                        kind: self._runtime.table_from(sorted(names))
                        for kind, names in contract.methods(METHODS).items()
                    }
                ),
                "multiple": self._runtime.table_from(
                    dict.fromkeys(contract.multiple_events(), True)
                ),
                "package_path": facts.paths.package_path(),
                "validating": facts.validating,
                "count_instructions": facts.count_instructions,
            }
        )
        load = self._runtime.eval("load")
        chunk = load(_PRELUDE, "=[C]", "t")
        self._host = chunk(self._dispatch, config)
        self.convert = Converter(self._runtime, self._host)

    # Calls from Lua ---------------------------------------------------------

    def _dispatch(self, name: str, *args: Any) -> tuple[Any, ...]:  # noqa: PLR0911
        """Every kumo function comes through here; errors go back as values, not exceptions."""
        self.facts.counters[name] += 1
        try:
            result = FUNCTIONS.get(name, _missing(name))(
                self, *(self._argument(arg) for arg in args)
            )
        except RejectError as error:
            return (False, error.kind, encode_text(error.message), error.code)
        except KumoError as error:
            return (False, error.kind, encode_text(str(error)))
        except PolicyError as error:
            if error.kind == "reject":
                return (False, error.kind, encode_text(error.message), error.code)
            return (False, "external", encode_text(error.headline))
        except BaseException as error:
            if not isinstance(error, Exception):
                # A test's crash, or the process's end: no pcall of the policy may swallow it.
                self._crash = error
                return (False, "crash", type(error).__name__)
            detail = "".join(traceback.format_exception(error))
            self.facts.diagnose("ERROR", f"stand-in: {name} failed\n{detail}")
            return (False, "external", encode_text(f"stand-in: {name}: {error}"))
        if isinstance(result, Results):
            return (True, *(self.convert.to_lua(value) for value in result))
        return (True, self.convert.to_lua(result))

    def _argument(self, value: Any) -> Any:
        return self.convert.to_python(value)

    # Calls into Lua ---------------------------------------------------------

    def load_policy(self, path: Path, name: str) -> None:
        """Execute the policy's top level."""
        try:
            code = path.read_bytes().decode("latin-1")
        except OSError as error:
            raise PolicyError(
                "external", f'reading policy file "{name}": {error.strerror}'
            ) from None
        ok, chunk = self._host["load"](code, encode_text(name))
        if not ok:
            raise PolicyError("syntax", str(chunk))
        self._finish(self._host["invoke"](chunk))

    def has_handler(self, event: str) -> bool:
        return bool(self._host["has_handler"](event))

    def call(self, event: str, *args: Any) -> Any:
        """Call an event's handlers; the first result, as Python data."""
        self.facts.counters[f"event:{event}"] += 1
        return self.convert.to_python(self.call_raw(event, *args))

    def call_raw(self, event: str, *args: Any) -> Any:
        """As ``call``, but the result stays a Lua value (a constructor's object)."""
        if not self.has_handler(event):
            return None
        before = self._host["instructions"]() if self.facts.count_instructions else 0
        result = self._host["call_event"](event, *(self.convert.to_lua(arg) for arg in args))
        self._count(before)
        return self._finish(result)

    def method(self, target: Any, name: str, *args: Any) -> Any:
        """Call a method of a Lua object."""
        before = self._host["instructions"]() if self.facts.count_instructions else 0
        converted = (self.convert.to_lua(arg) for arg in args)
        result = self._host["method"](target, name, *converted)
        self._count(before)
        return self._finish(result)

    def function(self, func: Any, *args: Any) -> Any:
        """Call a Lua function that the policy handed over."""
        return self._finish(self._host["invoke"](func, *(self.convert.to_lua(arg) for arg in args)))

    def has_method(self, target: Any, name: str) -> bool:
        return bool(self._host["has_method"](target, name))

    def is_table(self, value: Any) -> bool:
        return type(value).__name__ == "_LuaTable"

    def _count(self, before: int) -> None:
        if self.facts.count_instructions:
            self.facts.counters["lua.instructions"] += self._host["instructions"]() - before

    def _finish(self, result: Any) -> Any:
        ok, *values = result if isinstance(result, tuple) else (result,)
        if ok:
            return values[0] if values else None
        kind, message, code, trace = self._host["describe"](values[0])
        if kind == "crash" and self._crash is not None:
            raise self._crash
        text = self.convert.to_python(message)
        raise PolicyError(kind, text, code=code, traceback=self.convert.to_python(trace))


def _missing(name: str) -> Callable[..., Any]:
    def refuse(*_args: Any) -> None:
        raise KumoError(f"{name} is not in this stand-in for kumod")

    return refuse


class Results(tuple[Any, ...]):
    """Several results of one kumo function."""

    __slots__ = ()
