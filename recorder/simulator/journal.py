"""What the simulator saw and when: connections, requests, and the moment each piece of an answer left.

Times are `time.monotonic_ns()`, which all processes of a machine share (CLOCK_MONOTONIC), so that a client may compare
them with its own. A piece's time is taken right before it is handed to the socket: it never left earlier than that.
Both ends of the pipe are here: the server keeps a `Journal`, the test reads a `Log`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

KEPT = 10_000  # the last so many connections and requests are kept in detail; the counts go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`protocol`: what ALPN chose (`h2`, `http/1.1`), "" before that. `closed`: None while it is open."""

    number: int
    opened: int
    protocol: str
    closed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A request and its answer. `began`: its head was here; `asked`: its body too. `headed`: the answer's head left.

    `left`: when each piece of the body left, and its size on the wire. `outcome`: "complete", "cut" (as was asked for),
    "left" (the client went away), "failed" (a defect of the simulator; stderr has more), "" while it is under way.
    """

    number: int
    connection: int
    method: str
    path: str
    http_version: str
    headers: tuple[tuple[str, str], ...]
    body_bytes: int
    began: int
    asked: int | None
    status: int
    headed: int | None
    left: tuple[tuple[int, int], ...]
    ended: int | None
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """`connected`: TCP connections accepted so far, failed handshakes included. `requested`: requests so far."""

    connected: int
    requested: int
    connections: tuple[Connection, ...]
    requests: tuple[Served, ...]


class Link:
    """A connection while it is kept."""

    __slots__ = ("closed", "number", "opened", "protocol")

    def __init__(self, number: int) -> None:
        self.number = number
        self.opened = time.monotonic_ns()
        self.protocol = ""
        self.closed: int | None = None

    def close(self) -> None:
        self.closed = time.monotonic_ns()


class Entry:
    """A request while it is served."""

    __slots__ = (
        "asked",
        "began",
        "body_bytes",
        "ended",
        "head",
        "headed",
        "left",
        "link",
        "number",
        "outcome",
        "status",
    )

    def __init__(self, number: int, link: Link, head: dict[str, Any]) -> None:
        self.number = number
        self.link = link
        self.head = head
        self.began = time.monotonic_ns()
        self.asked: int | None = None
        self.body_bytes = 0
        self.status = 0
        self.headed: int | None = None
        self.left: list[tuple[int, int]] = []
        self.ended: int | None = None
        self.outcome = ""

    def ask(self, body_bytes: int) -> None:
        self.asked = time.monotonic_ns()
        self.body_bytes = body_bytes

    def answer(self, status: int) -> None:
        self.headed = time.monotonic_ns()
        self.status = status

    def write(self, size: int) -> None:
        self.left.append((time.monotonic_ns(), size))

    def end(self, outcome: str) -> None:
        self.ended = time.monotonic_ns()
        self.outcome = outcome


class Journal:
    __slots__ = ("_entries", "_links", "connected", "requested")

    def __init__(self) -> None:
        self.connected = 0
        self.requested = 0
        self._links: deque[Link] = deque(maxlen=KEPT)
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def connect(self) -> Link:
        self.connected += 1
        link = Link(self.connected)
        self._links.append(link)
        return link

    def request(
        self, link: Link, *, method: str, path: str, version: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> Entry:
        self.requested += 1
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        head = {"method": method, "path": path, "http_version": version, "headers": pairs}
        entry = Entry(self.requested, link, head)
        self._entries.append(entry)
        return entry

    def dump(self, after: int = 0) -> dict[str, Any]:
        """For JSON; of the requests, those with a number above `after`."""
        return {
            "connected": self.connected,
            "requested": self.requested,
            "connections": [
                {name: getattr(link, name) for name in ("number", "opened", "protocol", "closed")}
                for link in self._links
            ],
            "requests": [_entry(entry) for entry in self._entries if entry.number > after],
        }


_TIMED = ("number", "body_bytes", "began", "asked", "status", "headed", "left", "ended", "outcome")


def _entry(entry: Entry) -> dict[str, Any]:
    return {**entry.head, "connection": entry.link.number, **{name: getattr(entry, name) for name in _TIMED}}


def load(value: dict[str, Any]) -> Log:
    """What `Journal.dump` gave, on the other side of the pipe."""
    return Log(
        connected=value["connected"],
        requested=value["requested"],
        connections=tuple(Connection(**item) for item in value["connections"]),
        requests=tuple(
            Served(
                **{
                    **item,
                    "headers": tuple((name, field) for name, field in item["headers"]),
                    "left": tuple((at, size) for at, size in item["left"]),
                }
            )
            for item in value["requests"]
        ),
    )
