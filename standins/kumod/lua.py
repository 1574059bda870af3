"""One Lua context: a runtime in which the policy has been executed.

kumod keeps a pool of these. Each holds its own globals and event handlers; everything that
contexts share (queues, caches, logs) lies outside.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa.lua54 as lupa

from standins.kumod.configuration import Configuration
from standins.kumod.contract import contract
from standins.kumod.errors import KumoError, PolicyError
from standins.kumod.objects import FUNCTIONS
from standins.kumod.values import Converter, encode_text

_PRELUDE = (Path(__file__).parent / "prelude.lua").read_text(encoding="utf-8")
_IN_PRELUDE = {"kumo.on", "kumo.memoize"}


class LuaContext:
    def __init__(self, configuration: Configuration, *, proxy: bool = False) -> None:
        self.facts = facts = configuration.facts
        self.configuration = configuration
        self.created = facts.now()
        self.uses = 1
        self.epoch = facts.epoch
        runtime = lupa.LuaRuntime(
            encoding="latin-1", unpack_returned_tuples=True, register_eval=False
        )
        runtime.execute("python = nil")
        self._crash: BaseException | None = None
        recorded = contract()
        # What kumod has is there: a call of what this stand-in lacks says so.
        config = {
            "functions": [
                name
                for name in recorded["functions"]
                if name not in _IN_PRELUDE and (proxy or not name.startswith("proxy."))
            ],
            "methods": recorded["methods"],
            "events": recorded["events"],
            "package_path": facts.paths.package_path(),
            "validating": facts.validating,
            "count_instructions": facts.count_instructions,
        }
        self._load = runtime.eval("load")
        self._host = self._load(_PRELUDE, "=[C]", "t")(
            self._dispatch, runtime.table_from(config, recursive=True)
        )
        self.convert = Converter(runtime, self._host)

    def _dispatch(self, name: str, *args: Any) -> tuple[Any, ...]:
        """Every kumo function comes through here; errors go back as values, not exceptions."""
        self.facts.counters[name] += 1
        try:
            result = self._function(name)(self, *(self.convert.to_python(arg) for arg in args))
        except PolicyError as error:
            rejected = error.kind == "reject"
            text = encode_text(error.message if rejected else error.headline)
            return (False, "reject" if rejected else "external", text, error.code)
        except KumoError as error:
            return (False, "external", encode_text(str(error)))
        except Exception as error:
            self.facts.diagnose("ERROR", f"stand-in: {name} failed\n{traceback.format_exc()}")
            return (False, "external", encode_text(f"stand-in: {name}: {error}"))
        except BaseException as error:
            # A test's crash, or the process's end: whatever the policy catches, this goes on.
            self._crash = error
            return (False, "crash", type(error).__name__)
        return (True, self.convert.to_lua(result))

    def _function(self, name: str) -> Callable[..., Any]:
        if self._crash is not None:
            raise self._crash
        if name not in FUNCTIONS:
            raise KumoError(f"{name} is not in this stand-in for kumod")
        return FUNCTIONS[name]

    def load_policy(self, path: Path, name: str) -> None:
        try:
            code = path.read_bytes().decode("latin-1")
        except OSError as error:
            text = f'reading policy file "{name}": {error.strerror}'
            raise PolicyError("external", text) from None
        chunk = self._load(code, encode_text(name), "t")
        if isinstance(chunk, tuple):
            raise PolicyError("syntax", str(chunk[1]))
        self._invoke("invoke", chunk)

    def has_handler(self, event: str) -> bool:
        return bool(self._host.has_handler(event))

    def call(self, event: str, *args: Any) -> Any:
        """Call an event's handlers and return the first result as Python data."""
        return self.convert.to_python(self.call_raw(event, *args))

    def call_raw(self, event: str, *args: Any) -> Any:
        """As ``call``, but the result stays a Lua value (a constructor's object)."""
        self.facts.counters[f"event:{event}"] += 1
        return self._invoke("call_event", event, *args) if self.has_handler(event) else None

    def method(self, target: Any, name: str, *args: Any) -> Any:
        return self.convert.to_python(self._invoke("method", target, name, *args))

    def has_method(self, target: Any, name: str) -> bool:
        return bool(self._host.has_method(target, name))

    def _invoke(self, entry: str, *args: Any) -> Any:
        before = self._host.instructions()
        result = self._host[entry](*(self.convert.to_lua(arg) for arg in args))
        self.facts.counters["lua.instructions"] += self._host.instructions() - before
        if self._crash is not None:
            raise self._crash
        ok, *values = result if isinstance(result, tuple) else (result,)
        if ok:
            return values[0] if values else None
        kind, message, code, trace = self._host.describe(values[0])
        text = self.convert.to_python(message)
        raise PolicyError(kind, text, code=code, traceback=self.convert.to_python(trace))
