"""A session being recorded: exchanges in, a cassette out. The one place that ties capture, scrubber and store together.

`record` may be called from several threads at once. Whatever it raises means that the exchange is not in the cassette,
and that the session has to stop serving.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from recorder import humanize
from recorder.cassette import go_http
from recorder.llm import usage
from recorder.llm.usage import Usage
from recorder.model import Interaction, Request
from recorder.replay import timing
from recorder.replay.receipt import Receipt
from recorder.replay.timing import Timing
from recorder.scrub import Rule, Scrubber, environment_credentials, recorded_credentials
from recorder.session.settings import Settings
from recorder.storage.session_paths import cassette_path
from recorder.storage.store import Rendered, Store
from recorder.wire import completeness
from recorder.wire.exchange import Exchange

logger = logging.getLogger(__name__)

_REDIRECTS_KEPT = 64  # those that nobody follows must not pile up; so many clients may be between one and its follow-up


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What became of one exchange. Times are nanoseconds since the request began; None where there was no such moment.

    `id` counts in the order of writing until the cassette is sealed. `incomplete`: why it did not reach the cassette.
    """

    session: str
    id: int
    method: str
    url: str
    code: int
    usage: Usage
    first_byte: int | None
    first_token: int | None
    total: int
    incomplete: str = ""

    def line(self) -> str:
        """One line for a terminal: what was asked, what came, what it cost, how long it took."""
        told = [
            f"#{self.id}" if not self.incomplete else "incomplete",
            self.method,
            self.url,
            str(self.code or "-"),
            self.usage.model or "",
            humanize.tokens(self.usage.total_tokens),
            humanize.dollars(self.usage.cost),
            humanize.moment("first byte", self.first_byte),
            humanize.moment("first token", self.first_token),
            humanize.moment("total", self.total),
            f"({self.incomplete})" if self.incomplete else "",
        ]
        return humanize.printable("  ".join(part for part in told if part))  # much of it is what the upstream said


@dataclass(slots=True, kw_only=True)
class Summary:
    """What a session came to. `cost` in US dollars, summed over the answers that told theirs; None if none did.

    `receipt`: of a session that was replayed. `connections`: how many were opened to an upstream.
    """

    session: str
    path: Path
    interactions: int = 0
    incomplete: int = 0
    tokens: int | None = None
    cost: float | None = None
    notes: list[str] = field(default_factory=list)
    connections: int = 0
    receipt: Receipt | None = None

    def line(self) -> str:
        if self.receipt is not None:
            return ", ".join([self.receipt.line(), *self.notes])
        told = [
            humanize.count(self.interactions, "interaction"),
            humanize.count(self.incomplete, "incomplete", "incomplete") if self.incomplete else "",
            humanize.tokens(self.tokens),
            humanize.dollars(self.cost),
            *self.notes,
        ]
        return ", ".join(part for part in told if part)

    def as_json(self) -> dict[str, Any]:
        """For scripts; `cassette` is an absolute path."""
        return {
            "session": self.session,
            "cassette": str(self.path),
            "interactions": self.interactions,
            "incomplete": self.incomplete,
            "tokens": self.tokens,
            "cost": self.cost,
            "notes": self.notes,
            "receipt": self.receipt and self.receipt.as_json(),
        }

    def count(self, recorded: Recorded) -> None:
        if recorded.incomplete:
            self.incomplete += 1
            return
        self.interactions += 1
        if recorded.usage.total_tokens is not None:
            self.tokens = (self.tokens or 0) + recorded.usage.total_tokens
        if recorded.usage.cost is not None:
            self.cost = (self.cost or 0.0) + recorded.usage.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An exchange that is scrubbed and rendered, and not yet on disk. Times as in `Exchange` and `Recorded`.

    `times`: a line with those of its chunks, b"" for none.
    """

    began: int
    ended: int
    first_byte: int | None
    first_token: int | None
    request: Request
    code: int
    rendered: Rendered
    usage: Usage
    incomplete: str
    times: bytes = b""


class Recording:
    """Holds the cassette's lock from `start` to `stop`."""

    def __init__(
        self, *, session: str, store: Store, scrubber: Scrubber, allow_opaque: bool = False, timing: bool = False
    ) -> None:
        self._timing = timing
        self._allow_opaque = allow_opaque
        self._session = session
        self._store = store
        self._scrubber = scrubber
        self._disk = threading.Lock()  # held over a sync
        self._following = threading.Lock()
        self._unlearned: set[str] = set()
        self._redirects: deque[Exchange] = deque(maxlen=_REDIRECTS_KEPT)
        self.summary = Summary(session=session, path=store.path)

    @classmethod
    def start(cls, settings: Settings, session: str, *, now: int, salt: bytes, environ: Mapping[str, str]) -> Self:
        """Lock the cassette and make it ready for appending.

        `now`: nanoseconds since the epoch. `salt`: random bytes for the placeholders, new for each run. `environ`: the
        process's variables, whose secrets are kept out too.
        """
        path = cassette_path(settings.cassette_dir, session)
        store = Store.open(path, layout=settings.layout, now=now)
        scrubber = Scrubber(
            salt=salt,
            keep_headers=settings.keep_headers,
            rules=settings.rules,
            allow_opaque=settings.allow_opaque,
        )
        recording = cls(
            session=session,
            store=store,
            scrubber=scrubber,
            allow_opaque=settings.allow_opaque,
            timing=settings.timing,
        )
        recording._note_unlearned(scrubber.learn_all(environment_credentials(environ)))
        recording.summary.notes += map(str, recording._store.repaired)
        if settings.rules:
            recording.summary.notes.append(f"scrubbed by {_named(settings.rules)}")
        return recording

    def record(self, exchange: Exchange) -> Recorded:
        """Bring one exchange to disk; when this returns it is there, whole and scrubbed."""
        return self.commit([self.prepare(exchange)])[0]

    def prepare(self, exchange: Exchange) -> Prepared:
        """Decode, scrub and render one exchange: the part that computes, and waits for nothing."""
        self.learn(exchange)
        seen = go_http.interaction(exchange, redirected=self._is_redirected(exchange), opaque=self._allow_opaque)
        content_type = seen.response.headers.first("Content-Type")
        fault = completeness.fault(exchange, body=seen.response.body, content_type=content_type)
        return self._prepared(
            seen,
            incomplete=self._text(fault),  # it may quote what could not be understood
            began=exchange.began,
            ended=exchange.ended,
            first_byte=exchange.duration if exchange.response else None,
            first_token=usage.time_to_first_token(exchange),
            times=_timing(exchange) if self._timing else None,
        )

    def learn(self, found: Exchange | Interaction) -> None:
        """Learn the credentials of what is to be recorded; where many come at once, all of them first."""
        if isinstance(found, Interaction):
            self._note_unlearned(self._scrubber.learn_all(recorded_credentials(found)))
        else:
            self._note_unlearned(self._scrubber.learn(found))

    def adopt(self, interaction: Interaction, *, began: int) -> Prepared:
        """Scrub and render an interaction that another recorder wrote. `began`: nanoseconds since the epoch."""
        self.learn(interaction)
        waited = max(0, interaction.response.duration)
        return self._prepared(interaction, began=began, ended=waited, first_byte=waited)

    def _prepared(
        self,
        seen: Interaction,
        *,
        began: int,
        ended: int,
        first_byte: int | None,
        first_token: int | None = None,
        incomplete: str = "",
        times: Timing | None = None,
    ) -> Prepared:
        clean = self._scrubber.scrub(seen)
        rendered = self._store.render(clean, incomplete=bool(incomplete))
        self._scrubber.check(clean, rendered.text)
        return Prepared(
            began=began,
            ended=ended,
            first_byte=first_byte,
            first_token=first_token,
            request=clean.interaction.request,
            code=clean.interaction.response.code,
            rendered=rendered,
            usage=usage.of(clean.interaction),
            incomplete=incomplete,
            times=timing.dumps(clean.interaction, times) if times and not incomplete else b"",
        )

    def commit(self, finished: Sequence[Prepared]) -> list[Recorded]:
        """Bring them to disk, those that are whole for the price of one sync; when this returns all of them are there.

        Where it raises, some may be, and none is told of: the session has failed.
        """
        with self._disk:
            whole = [each for each in finished if not each.incomplete]
            if times := b"".join(each.times for each in whole):
                self._store.append_timing(times)
            ids = iter(self._store.append_many([(each.rendered, each.began) for each in whole]))
            told = [
                self._recorded(each, self._append_incomplete(each) if each.incomplete else next(ids))
                for each in finished
            ]
            for recorded in told:
                self.summary.count(recorded)
        return told

    def _is_redirected(self, exchange: Exchange) -> bool:
        """Whether a Go client made this request by itself. Its redirect was here first: a client follows what it has
        seen the end of, and that is on disk.
        """
        with self._following:
            followed = next((each for each in self._redirects if go_http.follows(exchange.request, each)), None)
            if followed is not None:
                self._redirects.remove(followed)
            if go_http.is_redirect(exchange):
                self._redirects.append(_without_bodies(exchange))
        return followed is not None

    def _recorded(self, prepared: Prepared, number: int) -> Recorded:
        return Recorded(
            session=self._session,
            id=number,
            method=prepared.request.method,
            url=prepared.request.url,
            code=prepared.code,
            usage=prepared.usage,
            first_byte=prepared.first_byte,
            first_token=prepared.first_token,
            total=prepared.ended,
            incomplete=prepared.incomplete,
        )

    def _append_incomplete(self, prepared: Prepared) -> int:
        at = prepared.began + prepared.ended
        return self._store.append_incomplete(prepared.rendered, reason=prepared.incomplete, at=at)

    def _text(self, text: str) -> str:
        """Words for people, without secrets."""
        return self._scrubber.replaced(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")

    def _note_unlearned(self, places: tuple[str, ...]) -> None:
        """Say once of each place that what it held is too short or too common to be searched for elsewhere."""
        for place in places:
            if place not in self._unlearned:
                self._unlearned.add(place)
                logger.warning("recorder: the value in %s is too short or too common to be removed elsewhere", place)

    def stop(self) -> Summary:
        """Put the cassette in order and let go of it."""
        with self._disk:
            try:
                self._store.seal()
            finally:
                self._store.close()
        return self.summary

    def close(self) -> None:
        """Let go of the cassette as it is. After `stop` there is nothing left to do."""
        with self._disk:
            self._store.close()


def _timing(exchange: Exchange) -> Timing:
    return Timing(headers=exchange.duration, chunks=exchange.chunks)


def _named(rules: tuple[Rule, ...]) -> str:
    return f"{humanize.count(len(rules), 'rule')} of yours ({', '.join(rule.name for rule in rules)})"


def _without_bodies(exchange: Exchange) -> Exchange:
    assert exchange.response is not None
    return replace(exchange, request=replace(exchange.request, body=b""), response=replace(exchange.response, body=b""))
