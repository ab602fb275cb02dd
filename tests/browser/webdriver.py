"""Headless Chromium by the WebDriver protocol: the few commands the tests need, and nothing to install but Debian's packages."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

MISSING = "chromium is not here: apt-get install chromium chromium-driver"

_SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
    *("--disable-dev-shm-usage", "--hide-scrollbars"),
)


def is_missing() -> bool:
    return shutil.which("chromium") is None or shutil.which("chromedriver") is None


@dataclass
class Browser:
    """One window. Paths are those of https://www.w3.org/TR/webdriver2/."""

    _port: int
    _session: str = ""

    def open(self, url: str) -> None:
        self._command("POST", "url", {"url": url})

    @property
    def title(self) -> str:
        return str(self._command("GET", "title"))

    @property
    def source(self) -> str:
        return str(self._command("GET", "source"))

    def run(self, script: str, *arguments: Any) -> Any:
        """`return …` gives a JSON value."""
        return self._command("POST", "execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str = "main") -> str:
        found = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return re.sub(r"\s+", " ", found).strip()

    def until(self, condition: str, seconds: float = 30.0) -> None:
        """Until a JavaScript expression is true."""
        deadline = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < deadline, (
                f"still not so after {seconds} s: {condition}\n{self.text('body')}"
            )
            time.sleep(0.05)

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._command("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})

    def be(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """A screen of this width in CSS pixels, and what its owner prefers."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        preferred = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=preferred)

    def complaints(self) -> list[str]:
        """What the console holds since the last look: errors, and what the page's policy refused."""
        found = self._command("POST", "se/log", {"type": "browser"})
        return [entry["message"] for entry in found if entry["level"] in ("SEVERE", "WARNING")]

    # ── the protocol ─────────────────────────────────────────────────────────────────────────
    def begin(self, preferences: Mapping[str, Any], profile: str) -> None:
        options = {"args": [*_SWITCHES, f"--user-data-dir={profile}"], "prefs": dict(preferences)}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = made["sessionId"]

    def end(self) -> None:
        self._ask("DELETE", f"/session/{self._session}")

    def _command(self, method: str, path: str, body: Any = None) -> Any:
        return self._ask(method, f"/session/{self._session}/{path}", body)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer


@contextmanager
def browsing(**preferences: Any) -> Iterator[Browser]:
    """A fresh profile, gone afterwards."""
    command = ["chromedriver", "--port=0", "--log-level=SEVERE"]
    with (
        tempfile.TemporaryDirectory(prefix="cb-", ignore_cleanup_errors=True) as profile,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as driver,
    ):
        try:
            browser = Browser(_port_of(driver))
            browser.begin(preferences, profile)
            yield browser
            browser.end()
        finally:
            driver.terminate()


def _port_of(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout
    for line in driver.stdout:
        if found := re.search(r"successfully on port (\d+)", line):
            return int(found[1])
    raise AssertionError("chromedriver did not start")
