"""A real headless Chromium, driven over WebDriver (Debian: chromium, chromium-driver)."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MISSING = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


@dataclass(frozen=True, kw_only=True)
class Browser:
    """One window."""

    session: str

    def open(self, url: str) -> None:
        _call("POST", f"{self.session}/url", {"url": url})

    def run(self, script: str) -> Any:
        """What a script returns."""
        return _call("POST", f"{self.session}/execute/sync", {"script": script, "args": []})

    def click(self, selector: str) -> None:
        """Clicks the first element that matches, where it is visible."""
        wanted = {"using": "css selector", "value": selector}
        element = _call("POST", f"{self.session}/element", wanted)[_ELEMENT]
        _call("POST", f"{self.session}/element/{element}/click", {})

    def log(self) -> list[Any]:
        """What the console said, errors of loading among it."""
        entries = _call("POST", f"{self.session}/se/log", {"type": "browser"})
        return list(entries)


@contextlib.contextmanager
def browser(folder: Path, *, width: int, height: int, phone: bool) -> Iterator[Browser]:
    """A window of that size; a phone has a touch screen and obeys the page's viewport."""
    # Chromium refuses to reach loopback through a proxy that the environment names.
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    command = ["chromedriver", "--port=0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as driver:
        try:
            base = f"http://127.0.0.1:{_port(driver)}"
            session = _call("POST", f"{base}/session", _capabilities(folder, width, height, phone))
            window = Browser(session=f"{base}/session/{session['sessionId']}")
            try:
                yield window
            finally:
                _call("DELETE", window.session)
        finally:
            driver.terminate()


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        found = re.search(r"started successfully on port (\d+)", line)
        if found:
            return int(found.group(1))
    raise AssertionError("chromedriver ended at once")


def _capabilities(folder: Path, width: int, height: int, phone: bool) -> dict[str, Any]:
    options: dict[str, Any] = {
        "binary": shutil.which("chromium"),
        "args": [*_FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"],
    }
    if phone:
        metrics = {"width": width, "height": height, "pixelRatio": 3.0, "touch": True}
        options["mobileEmulation"] = {"deviceMetrics": metrics}
    return {
        "capabilities": {
            "alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        }
    }


def _call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)["value"]
