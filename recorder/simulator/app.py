"""The ASGI side: read the request, ask `api.answer`, let `delivery` send it, and note it all in the journal."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from hashlib import blake2b
from typing import Any

from recorder.errors import UsageError
from recorder.simulator.api import Incoming, answer
from recorder.simulator.behaviour import HEADER, Behaviour, loads
from recorder.simulator.delivery import Receive, Send, Wish, deliver
from recorder.simulator.journal import Entry, Journal, Link
from recorder.simulator.refusal import refusal
from recorder.simulator.script import Answer, with_headers
from recorder.simulator.seeded import Seeded, seeded


class App:
    """One simulator. `seed` decides every byte that it sends; how often each request came before counts, too."""

    def __init__(self, *, seed: str, defaults: Behaviour, journal: Journal) -> None:
        self._seed = seed
        self._defaults = defaults
        self._journal = journal
        self._times: Counter[bytes] = Counter()

    async def __call__(
        self, scope: Mapping[str, Any], receive: Receive, send: Send, *, link: Link, writer: asyncio.StreamWriter
    ) -> None:
        """ASGI, and beside it the connection that the request came over: to log it, and to break it."""
        if scope["type"] != "http":
            return
        entry = self._journal.request(
            link,
            method=scope["method"],
            path=scope["path"],
            version=scope["http_version"],
            headers=scope["headers"],
        )
        try:
            await self._serve(scope, receive, send, writer=writer, entry=entry)
        except asyncio.CancelledError:
            entry.end("left")
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is a defect of ours, and hypercorn would swallow it
            traceback.print_exc(file=sys.stderr)
            entry.end("failed")
            with suppress(Exception):
                writer.transport.abort()

    async def _serve(
        self, scope: Mapping[str, Any], receive: Receive, send: Send, *, writer: asyncio.StreamWriter, entry: Entry
    ) -> None:
        body = await _body(receive)
        if body is None:
            entry.end("left")
            return
        entry.ask(len(body))
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        request = Incoming(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
        )
        made_from = self._seeded(request)
        behaviour, made = self._answer(request, made_from)
        wish = Wish(
            method=request.method,
            http_version=scope["http_version"],
            accept_encoding=headers.get("accept-encoding", ""),
        )
        made = with_headers(made, *_always(made_from))
        await deliver(made, behaviour, wish, receive=receive, send=send, writer=writer, entry=entry)

    def _answer(self, request: Incoming, made_from: Seeded) -> tuple[Behaviour, Answer]:
        try:
            behaviour = loads(request.headers.get(HEADER.decode(), ""), self._defaults)
        except UsageError as error:
            return self._defaults, refusal("openrouter", 400, self._defaults, str(error))
        return behaviour, answer(request, behaviour, made_from)

    def _seeded(self, request: Incoming) -> Seeded:
        """From what is asked, not from how: neither headers nor `X-Sim` change an answer's text."""
        asked = b"%s %s?%s\0%s" % (
            request.method.encode(),
            request.path.encode(),
            request.query.encode(),
            request.body,
        )
        digest = blake2b(asked, digest_size=16).digest()
        self._times[digest] += 1
        return seeded(self._seed, digest, nth=self._times[digest] - 1)


def _always(made_from: Seeded) -> tuple[tuple[bytes, bytes], ...]:
    """What OpenRouter's front door adds. The date is simulated, too: no byte may depend on a clock."""
    return (
        (b"date", formatdate(made_from.created, usegmt=True).encode()),
        (b"server", b"cloudflare"),
        (b"access-control-allow-origin", b"*"),
        (b"cf-ray", made_from.noise("ray", 8).hex().encode() + b"-MXP"),
        (b"x-content-type-options", b"nosniff"),
    )


async def _body(receive: Receive) -> bytes | None:
    """None if the client left before it was there."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)
