"""Clients that ask a recorder for answers of every kind at once, and note of each whether they have seen its end.

Every exchange has a number of its own, which stands in its URL. What a client notes it notes in the same step of the
event loop in which it has seen the end, and a recorder is killed from that loop: so what is noted before is before.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from recorder import cassette
from recorder.model import Interaction
from tests.e2e.processes import RecorderProcess

KEY = "sk-or-v1-" + "0123456789abcdef" * 4
MODEL = "openai/gpt-5.4-nano"
DOORS = ("base URL", "proxy", "proxy, HTTP/2")
_DONE = b"data: [DONE]\n\n"
_SIZES = (0, 1, 700, 20_000, 300_000, 2**20, 8 * 2**20)
_SIZE_WEIGHTS = (10, 10, 40, 30, 6, 3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One exchange to be: `kind` is bytes, chat, stream, or sdk (a stream, left at `[DONE]`)."""

    number: int
    door: str
    kind: str
    sim: str = ""
    size: int = 0

    def request(self, origin: str) -> tuple[str, str, bytes]:
        if self.kind == "bytes":
            return "GET", f"{origin}/sim/bytes?id={self.number}", b""
        body = {"model": MODEL, "messages": [{"role": "user", "content": f"number {self.number}"}]}
        asked = json.dumps({**body, "stream": self.kind != "chat"}).encode()
        return "POST", f"{origin}/api/v1/chat/completions?id={self.number}", asked


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An end that a client has seen, of an answer with status 200. `body`: the digest of its bytes up to there."""

    ask: Ask
    body: str
    size: int


@dataclass(slots=True)
class Noted:
    """What the clients have seen. `broken`: the numbers of those that broke off, with why.

    `refused`: answers whose status was not 200, each with its body.
    """

    ends: dict[int, End] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    refused: list[tuple[int, bytes]] = field(default_factory=list)
    begun: int = 0
    """Answers whose headers have come."""
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def end(self, end: End) -> None:
        self.ends[end.ask.number] = end
        for count, reached in self._waiting:
            if len(self.ends) >= count:
                reached.set()

    async def wait_for(self, count: int) -> None:
        """Until so many ends have been seen in all."""
        reached = asyncio.Event()
        self._waiting.append((count, reached))
        if len(self.ends) < count:
            await reached.wait()


@dataclass(slots=True)
class Clients:
    """One client for each door of a recorder."""

    by_door: dict[str, tuple[httpx.AsyncClient, str]]

    async def ask(self, ask: Ask, noted: Noted) -> None:
        client, origin = self.by_door[ask.door]
        method, url, body = ask.request(origin)
        headers = {"X-Sim": ask.sim, "Content-Type": "application/json"} if ask.sim else {}
        seen = bytearray()
        try:
            async with client.stream(method, url, content=body, headers=headers) as response:
                noted.begun += 1
                async for piece in response.aiter_bytes():
                    seen += piece
                    if ask.kind == "sdk" and seen.endswith(_DONE):
                        break
                if response.status_code == 200:
                    noted.end(End(ask=ask, body=digest(seen), size=len(seen)))
                else:
                    noted.refused.append((response.status_code, bytes(seen)))
        except (httpx.TransportError, ssl.SSLError) as error:
            if ask.number not in noted.ends:  # after the end, a broken connection is none of this answer's business
                noted.broken[ask.number] = repr(error)


def digest(body: bytes | bytearray) -> str:
    return hashlib.sha256(body).hexdigest()


@asynccontextmanager
async def clients(recorder: RecorderProcess, *, connections: int | None = None) -> AsyncIterator[Clients]:
    """`connections`: at most so many for each door."""
    async with AsyncExitStack() as stack:
        by_door = {}
        for door in DOORS:
            client, origin = _client(recorder, door, httpx.Limits(max_connections=connections))
            by_door[door] = await stack.enter_async_context(client), origin
        yield Clients(by_door)


def _client(recorder: RecorderProcess, door: str, limits: httpx.Limits) -> tuple[httpx.AsyncClient, str]:
    headers = {"Authorization": f"Bearer {KEY}"}
    if door == "base URL":
        client = httpx.AsyncClient(trust_env=False, headers=headers, timeout=60, limits=limits)
        return client, f"http://127.0.0.1:{recorder.base_url_port}"
    trust = ssl.create_default_context(cafile=recorder.bundle.parent / "mitmproxy-ca-cert.pem")
    client = httpx.AsyncClient(
        proxy=recorder.proxy_url,
        verify=trust,
        trust_env=False,
        headers=headers,
        timeout=60,
        limits=limits,
        http2=door.endswith("HTTP/2"),
    )
    return client, "https://openrouter.ai"


def anything(dice: random.Random, number: int, doors: Sequence[str] = DOORS) -> Ask:
    """An exchange of any kind, through any door, with a body from nothing to 8 MB."""
    kind = dice.choice(["bytes", "chat", "stream", "sdk"])
    door = dice.choice(doors)
    told = []
    size = 0
    if kind == "bytes":
        size = dice.choices(_SIZES, _SIZE_WEIGHTS)[0]
        told.append(f"body-bytes={size}")
        told += dice.choice([[], [], ["framing=chunked"], ["framing=close"], ["encoding=gzip"]])
    elif kind != "chat":
        told.append(f"chunks={dice.choice([1, 5, 20, 80])}")
        told.append(f"pace-ms={dice.choice([0, 0, 1, 5])}")
        told += dice.choice([[], [], ["encoding=gzip"]])
    return Ask(number=number, door=door, kind=kind, sim=", ".join(told), size=size)


def session_of(count: int) -> list[Ask]:
    """Exchanges of all kinds through all doors; the first ends last, so that the cassette has to be put in order."""
    asks = [Ask(number=0, door="proxy", kind="stream", sim="chunks=20, pace-ms=25")]
    for number in range(1, count):
        kind, door = ("stream", "chat", "bytes")[number % 3], DOORS[number // 3 % 3]
        asks.append(Ask(number=number, door=door, kind=kind, sim="body-bytes=3000" if kind == "bytes" else "chunks=3"))
    return asks


def burst(count: int, seed: int) -> list[Ask]:
    """Streams of 1 to 500 chunks, through all doors."""
    dice = random.Random(seed)
    return [
        Ask(
            number=number,
            door=DOORS[number % 3],
            kind="stream",
            sim=f"chunks={dice.randint(1, 500)}, pace-ms={dice.choice([0, 0, 1, 3])}, say={number} {dice.random()}",
        )
        for number in range(count)
    ]


async def keep_asking(using: Clients, asks: Callable[[], Ask | None], noted: Noted, *, at_once: int) -> None:
    """`at_once` clients that ask one thing after the other until there is nothing more to ask."""

    async def one() -> None:
        while ask := asks():
            await using.ask(ask, noted)
            if ask.number in noted.broken:
                return

    await asyncio.gather(*(one() for _ in range(at_once)))


def ask_all(
    recorder: RecorderProcess, asks: Sequence[Ask], noted: Noted, *, at_once: int = 1, connections: int | None = None
) -> None:
    """Ask all of it, one thing after the other or some at once, and note what is seen."""
    waiting: Iterator[Ask] = iter(asks)

    async def asking() -> None:
        async with clients(recorder, connections=connections) as using:
            await keep_asking(using, lambda: next(waiting, None), noted, at_once=at_once)

    asyncio.run(asking())


def stream_request(recorder: RecorderProcess, sim: str) -> bytes:
    """A request for a stream at the base-URL port, as it goes over the wire."""
    body = json.dumps({"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "Hi"}]})
    head = [
        "POST /api/v1/chat/completions HTTP/1.1",
        f"Host: 127.0.0.1:{recorder.base_url_port}",
        f"Authorization: Bearer {KEY}",
        f"X-Sim: {sim}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", body]).encode()


def read_on(connection: socket.socket) -> None:
    """To its end, which may be a reset."""
    while connection.recv(65536):
        pass


def load(path: Path) -> tuple[Interaction, ...]:
    """The cassette, strictly; of one that is not there yet, nothing."""
    return cassette.loads(path.read_bytes(), str(path)).interactions if path.exists() else ()


def number_of(interaction: Interaction) -> int:
    return int(parse_qs(urlsplit(interaction.request.url).query).get("id", ["-1"])[0])


def missing_or_different(ends: Iterable[End], interactions: Iterable[Interaction]) -> list[str]:
    """What is wrong with a cassette, given the ends that clients have seen: nothing may be."""
    found: dict[int, Interaction] = {}
    wrong = []
    for interaction in interactions:
        number = number_of(interaction)
        if number in found:
            wrong.append(f"{number} is there twice")
        found[number] = interaction
    for end in ends:
        kept = found.get(end.ask.number)
        if kept is None:
            wrong.append(f"{end.ask}: a client saw its end, and it is not there")
        elif digest(kept.response.body) != end.body:
            wrong.append(f"{end.ask}: the client saw {end.size} bytes, {len(kept.response.body)} others are there")
    return wrong


def halves(interactions: Iterable[Interaction], asked: dict[int, Ask]) -> list[str]:
    """Which interactions are not whole, by what was asked for."""
    wrong = []
    for interaction in interactions:
        ask = asked[number_of(interaction)]
        body = interaction.response.body
        whole = {
            "bytes": len(body) == ask.size,
            "chat": body.rstrip().endswith(b"}"),
            "stream": body.endswith(_DONE),
            "sdk": body.endswith(_DONE),
        }[ask.kind]
        if not whole:
            wrong.append(f"{ask}: {len(body)} bytes, the last {body[-40:]!r}")
    return wrong
