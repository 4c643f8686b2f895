"""A headless Chromium, driven by its DevTools protocol over two pipes: no port, no library, nothing downloaded."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import missing

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 60.0  # seconds for one answer, on a machine that has other things to do
_FREE = 10  # descriptors from here on do not collide with 3 and 4, which Chromium expects
_OPTIONS = (
    *("--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever it tries, nothing leaves this machine
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
_KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32}


class Chromium:
    """One running browser. What it reports by itself is kept in `events`."""

    def __init__(self, program: str, folder: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._number = 0
        self._buffer = b""
        theirs_in, self._out = (_high(end) for end in os.pipe())
        self._in, theirs_out = (_high(end) for end in os.pipe())
        quiet = os.open(folder / "chromium.log", os.O_WRONLY | os.O_CREAT, 0o600)
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # Chromium has none for root
        self._pid = os.posix_spawn(
            program,
            [program, *_OPTIONS, *sandbox, f"--user-data-dir={folder}", "about:blank"],
            {**os.environ, "HOME": str(folder)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs_in, 3),
                (os.POSIX_SPAWN_DUP2, theirs_out, 4),
                (os.POSIX_SPAWN_DUP2, quiet, 1),
                (os.POSIX_SPAWN_DUP2, quiet, 2),
            ],
            setpgroup=0,
        )
        for end in (theirs_in, theirs_out, quiet):
            os.close(end)

    def close(self) -> None:
        with suppress(OSError):
            self.call("Browser.close")
        os.close(self._out)
        os.close(self._in)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                return
            time.sleep(0.02)
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def call(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params or {}}
        data = json.dumps({**message, "sessionId": session} if session else message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        while True:
            told = self._read()
            if told.get("id") != self._number:
                self.events.append(told)
                continue
            assert "error" not in told, f"{method}: {told['error']}"
            result: dict[str, Any] = told["result"]
            return result

    def _read(self) -> dict[str, Any]:
        deadline = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b""
            if not data:
                raise ConnectionError("Chromium has ended" if ready else f"Chromium is silent for {_PATIENCE:.0f} s")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


class Tab:
    """A page in it."""

    def __init__(self, browser: Chromium) -> None:
        self._browser = browser
        self._target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = browser.call("Target.attachToTarget", {"targetId": self._target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.media(scheme="light")
        self.size(1200, 900)

    def close(self) -> None:
        self._browser.call("Target.closeTarget", {"targetId": self._target})

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, params, self._session)

    def events(self, *methods: str) -> list[dict[str, Any]]:
        """What it has reported so far, of these kinds."""
        told = self._browser.events
        return [
            event["params"] for event in told if event.get("sessionId") == self._session and event["method"] in methods
        ]

    def open(self, file: Path) -> None:
        before = len(self.events("Page.loadEventFired"))
        self.call("Page.navigate", url=file.resolve().as_uri())
        deadline = time.monotonic() + _PATIENCE
        while len(self.events("Page.loadEventFired")) == before:
            assert time.monotonic() < deadline, f"{file} did not load"
            self.run("1")

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript, awaited. The page's policy does not hold for it."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, script: str) -> Any:
        """The expression's value as soon as it is true."""
        deadline = time.monotonic() + _PATIENCE
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"never true: {script}"
            time.sleep(0.02)
        return value

    def frames(self, count: int = 2) -> None:
        """Wait until the page has been painted so many times."""
        for _ in range(count):
            self.run("new Promise(painted => requestAnimationFrame(() => setTimeout(painted)))")

    def errors(self) -> list[Any]:
        """What a developer would see in the console, and every exception."""
        return self.events("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

    def requests(self) -> list[str]:
        return [event["request"]["url"] for event in self.events("Network.requestWillBeSent")]

    def key(self, key: str, *, shift: bool = False, control: bool = False) -> None:
        held = 8 * shift + 2 * control
        code = _KEYS.get(key, ord(key[0].upper()))
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "code": f"Key{key.upper()}" if len(key) == 1 and key != " " else key, "modifiers": held}
        common |= {"windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def write(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def media(self, *, scheme: str) -> None:
        features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]
        self.call("Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in features])

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def screenshot(self, file: Path) -> bytes:
        """The part that can be seen, as PNG."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        file.write_bytes(data)
        return data


def program() -> str:
    """Where Chromium is; the test that asks is skipped where there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), "")
    if not found:
        missing("chromium (apt-get install chromium, to open reports in a browser)")
    return found


@contextmanager
def running(program: str, folder: Path) -> Iterator[Chromium]:
    browser = Chromium(program, folder)
    try:
        yield browser
    finally:
        browser.close()


def _high(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FREE)
    os.close(descriptor)
    return moved
