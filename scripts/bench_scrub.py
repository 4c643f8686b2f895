"""What keeping secrets out costs: its share of the CPU of a real recorder that records streams of 60 KB.

The recorder is a process of its own with every part in place, this file only counts: around `scrub` and `check` by the
clock of the thread that they run on, for the whole by the clock of the process. Starting and stopping are left out.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

SIZE = 60_000  # bytes of a stream
PACE = 2  # milliseconds between chunks, so that each is one read, as from a real server
# How the stream is cut: with a word in each chunk, as models speak, and with as many words as 330 bytes have room for.
WORDS = {"a word a chunk": 1, "330 bytes a chunk": 14}
CLIENTS = 4
WARM_UP = 12
EXCHANGES = 60
ROUNDS = 3
GOAL = 0.15
_FRAME = 245  # bytes of a chunk without its words
_LETTERS = "eeeettttaaoonnrrsshhllddiicmufpgwybvk"
HERE = Path(__file__).resolve()
KEY = "sk-or-" + "v1-" + "0a1b2c3d" * 8
_QUESTION = json.dumps(
    {"model": "x-ai/grok-code-fast-1", "stream": True, "messages": [{"role": "user", "content": "?"}]}
)


def rows() -> Iterator[Any]:
    from bench_row import Row  # noqa: PLC0415 - the recorder that is measured runs this file too

    for what, words in WORDS.items():
        whole, scrubbing = min(_measured(words) for _ in range(ROUNDS))
        share = scrubbing / whole
        yield Row(
            what=f"scrub and check 60 KB, {what}",
            ours=f"{scrubbing * 1000:.1f} ms, {share:.1%}",
            theirs=f"{GOAL:.0%} of {whole * 1000:.1f} ms to record",
            times=GOAL / share,
            goal=1,
        )


def _measured(words: int) -> tuple[float, float]:
    """Seconds of CPU for one exchange: of the whole process, and of scrubbing."""
    from recorder.simulator import start  # noqa: PLC0415 - the same

    with tempfile.TemporaryDirectory() as folder, start(seed="1", tls=False) as upstream:
        account = Path(folder, "account.json")
        process = subprocess.Popen(
            [
                sys.executable, HERE, account, "start", "--session", "s", "--host", "http://openrouter.ai",
                "--connect-to", f"::{upstream.host}:{upstream.port}", "--port", "0", "--base-url-port", "0",
            ],
            cwd=folder,
            env={**os.environ, "RECORDER_STATE_DIR": folder, "PYTHONPATH": str(HERE.parents[1])},
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _converse(_port(Path(folder), process), words)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
        return _per_exchange(json.loads(account.read_text()))


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    from recorder.session import registry  # noqa: PLC0415 - the same

    while process.poll() is None:
        for entry in registry.running(folder):
            return entry.base_url_port
        time.sleep(0.05)
    raise RuntimeError(f"the recorder ended with status {process.returncode}")


def _converse(port: int, words: int) -> None:
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(partial(_client, port, words), range(CLIENTS)))


def _client(port: int, words: int, number: int) -> None:
    client = HTTPConnection("127.0.0.1", port)
    chance = random.Random(number)  # noqa: S311 - words, no secrets
    for _ in range((WARM_UP + EXCHANGES) // CLIENTS):
        said = quote(_text(chance, words))
        sim = f"say={said}, pace-ms={PACE}"
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "X-Sim": sim}
        client.request("POST", "/api/v1/chat/completions", _QUESTION, headers)
        size = len(client.getresponse().read())
        if not SIZE * 0.8 <= size < SIZE * 1.25:
            raise RuntimeError(f"expected a stream of about {SIZE} bytes, found {size}")
    client.close()


def _text(chance: random.Random, words: int) -> str:
    """What makes a stream of `SIZE`; joined by signs where more than one word is to come in one chunk."""
    chunks = SIZE // (_FRAME + words * 5)
    return " ".join(
        "\u2011".join("".join(chance.choices(_LETTERS, k=chance.randrange(2, 7))) for _ in range(words))
        for _ in range(chunks)
    )


def _per_exchange(account: list[tuple[float, float]]) -> tuple[float, float]:
    (first_whole, first_scrubbing), (whole, scrubbing) = account[WARM_UP], account[-1]
    count = len(account) - WARM_UP - 1
    return (whole - first_whole) / count, (scrubbing - first_scrubbing) / count


def _record(account: Path, arguments: list[str]) -> None:
    """The recorder, with `account` kept: for each exchange the CPU so far, of the process and of scrubbing."""
    from recorder import cli  # noqa: PLC0415 - the same
    from recorder.scrub import Scrubber  # noqa: PLC0415 - the same

    entries: list[tuple[float, float]] = []
    spent = 0.0
    lock = threading.Lock()

    def counted(method: Callable[..., Any], *, last: bool) -> Callable[..., Any]:
        @wraps(method)
        def timed(*values: Any, **named: Any) -> Any:
            nonlocal spent
            start = time.thread_time()
            try:
                return method(*values, **named)
            finally:
                with lock:
                    spent += time.thread_time() - start
                    if last:
                        entries.append((time.process_time(), spent))

        return timed

    for name in ("learn", "scrub", "check"):
        setattr(Scrubber, name, counted(getattr(Scrubber, name), last=name == "check"))
    sys.argv = ["recorder", *arguments]
    try:
        cli.main()
    finally:
        account.write_text(json.dumps(entries))


if __name__ == "__main__":
    _record(Path(sys.argv[1]), sys.argv[2:])
