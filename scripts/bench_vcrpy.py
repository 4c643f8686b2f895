"""vcrpy in the client's own process, for `scripts/bench`: `bench_vcrpy.py UPSTREAM CA FOLDER EXCHANGES CHUNKS`.

http.client on one connection, vcrpy around it. Prints one line of JSON, all in seconds: so many small exchanges, and a
stream of so many chunks, writing included; and one more exchange saved into a cassette of 10 and into one of EXCHANGES.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import vcr  # type: ignore[import-untyped, unused-ignore] # typed in none of the versions that we know

_BODY = json.dumps({"model": "x-ai/grok-code-fast-1", "messages": [{"role": "user", "content": "How is it?"}]})
_HEADERS = {"Content-Type": "application/json", "User-Agent": "bench"}


class Client:
    def __init__(self, upstream: int, ca: str) -> None:
        self._upstream = upstream
        self._context = ssl.create_default_context(cafile=ca)

    def ask(self, target: str, count: int = 1) -> None:
        link = http.client.HTTPSConnection("localhost", self._upstream, context=self._context)
        for _ in range(count):
            link.request("POST", target, _BODY, _HEADERS)
            link.getresponse().read()
        link.close()


def main(upstream: str, ca: str, folder: str, exchanges: str, chunks: str) -> None:
    client = Client(int(upstream), ca)
    ask = partial(client.ask, "/small")
    told = {
        "exchanges": _timed(Path(folder, "small.yaml"), partial(ask, int(exchanges))),
        "stream": _timed(Path(folder, "stream.yaml"), partial(client.ask, f"/stream/{chunks}/330/0")),
    }
    for name, size in (("save 10", 10), ("save many", int(exchanges))):
        path = Path(folder, f"{name}.yaml")
        _timed(path, partial(ask, size))
        told[name] = _timed(path, ask)
    print(json.dumps(told))


def _timed(path: Path, run: Callable[[], None]) -> float:
    """Seconds, with what vcrpy does when it lets the cassette go, which is when it writes."""
    began = time.perf_counter()
    with vcr.use_cassette(str(path), record_mode="all"):
        run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*sys.argv[1:])
