"""A cassette as a tape: which interaction answers a request, what is left, and the receipt at the end. No network.

A tape is read once and never written. Equal requests are answered in recorded order. It may be asked from several
threads at once.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from recorder import cassette, humanize
from recorder.cassette import go_http
from recorder.errors import RecorderError, UsageError
from recorder.model import NO_FIELDS, Fields, Interaction, Request, Response
from recorder.replay.faults import Fault
from recorder.replay.matching import DEFAULT, Criteria, Miss, Reason, Subject
from recorder.replay.matching.miss import explain
from recorder.replay.receipt import Receipt, Unplayed
from recorder.scrub import Credential, Rule, Scrubber, request_credentials
from recorder.wire.exchange import Exchange, WireRequest

_MOST_ALIKE: Final = 1000
"""Interactions in which the nearest is looked for; a miss must not take seconds, whatever the cassette."""

_NO_ANSWER: Final = Response(status="", code=0, duration=0)
_SALT: Final = bytes(16)  # the digests in placeholders are left out of every comparison, and nothing here is written


class Reuse(StrEnum):
    """What of a tape may be played again, when all that was recorded for a request has been."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


def parse_reuse(text: str) -> Reuse:
    try:
        return Reuse(text or "none")
    except ValueError:
        raise UsageError(f"expected one of {', '.join(Reuse)} for --reuse, found {text!r}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The interaction that answers. `id`: its place in the cassette. `fault`: what goes wrong with it; one that comes
    in its place has left it on the tape."""

    id: int
    interaction: Interaction
    fault: Fault | None = None


class Tape:
    """`play` for each request; `receipt` at any time.

    `session` and `path` are for the receipt; `digest` is "" where there is no cassette, and then everything misses.
    """

    def __init__(
        self,
        interactions: Sequence[Interaction],
        *,
        session: str,
        path: Path,
        digest: str,
        criteria: Criteria = DEFAULT,
        reuse: Reuse = Reuse.NONE,
        faults: Sequence[Fault] = (),
        rules: Iterable[Rule] = (),
        credentials: Iterable[Credential] = (),
    ) -> None:
        self._interactions = interactions
        self._session = session
        self._path = path
        self._digest = digest
        self._criteria = criteria
        self._reuse = reuse
        self._faults = faults
        self._met: Counter[tuple[int, int]] = Counter()
        # What is recorded was scrubbed, so what comes is scrubbed too. What clients send as their keys is taken out of
        # their requests wherever it stands, as it was when they were recorded.
        self._plain = Scrubber(salt=_SALT, rules=rules, allow_opaque=True)
        self._learned = Scrubber(salt=_SALT, rules=rules, allow_opaque=True)
        self._learned.learn_all(credentials)
        self._lock = threading.Lock()
        self._shown: dict[str, str] = {}
        self._queues: dict[bytes, _Queue] = {}
        self._addresses: dict[bytes, tuple[tuple[tuple[str, str], ...], list[int]]] = {}
        self._plays = [0] * len(interactions)
        self._misses: list[Miss] = []
        for item, interaction in enumerate(interactions):
            subject = self._subject(interaction.request)
            self._queues.setdefault(subject.key, _Queue()).ids.append(item)
            self._addresses.setdefault(subject.address_key, (subject.address, []))[1].append(item)

    @classmethod
    def read(
        cls,
        path: Path,
        *,
        session: str,
        criteria: Criteria = DEFAULT,
        reuse: Reuse = Reuse.NONE,
        faults: Sequence[Fault] = (),
        rules: Iterable[Rule] = (),
        credentials: Iterable[Credential] = (),
    ) -> Self:
        """The tape of a file, which need not be there; `CassetteError` if it is no cassette.

        `rules`, `credentials`: what was to be scrubbed when it was recorded.
        """
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise RecorderError(f"expected a cassette at {path}, found {error.strerror}") from error
        return cls(
            cassette.loads(data, str(path)).interactions if data else (),
            session=session,
            path=path,
            digest=f"sha256:{hashlib.sha256(data).hexdigest()}" if data else "",
            criteria=criteria,
            reuse=reuse,
            faults=faults,
            rules=rules,
            credentials=credentials,
        )

    def __len__(self) -> int:
        return len(self._interactions)

    @property
    def exists(self) -> bool:
        return bool(self._digest)

    @property
    def interactions(self) -> Sequence[Interaction]:
        return self._interactions

    def play(self, wire: WireRequest) -> Played | None:
        """The interaction that answers; None for a miss, which `missed` explains and counts."""
        self._learned.learn_all(request_credentials(wire))
        request = _go_request(wire)
        # A dummy key may be a common word, and others than we record: then it is found without it, or as it came.
        for scrubber in (self._learned, self._plain, None):
            key = self._subject(request, scrubber).key
            with self._lock:
                played = self._take(key)
            if played is not None:
                return played
        return None

    def shown(self, url: str) -> str:
        """A recorded URL for a person: another recorder may have left a key in it."""
        if url not in self._shown:
            self._shown[url] = humanize.printable(self._cleaned(Request(method="", url=url), self._plain).url)
        return self._shown[url]

    def missed(self, wire: WireRequest) -> Miss:
        """Why nothing answers, for the client, the log and the receipt."""
        miss = self._explained(_go_request(wire))
        with self._lock:
            self._misses.append(miss)
        return miss

    def receipt(self, *, recorded: int = 0, upstream_connections: int = 0) -> Receipt:
        with self._lock:
            plays, misses = list(self._plays), tuple(self._misses)
        left = [item for item, count in enumerate(plays) if not count]
        return Receipt(
            session=self._session,
            cassette=str(self._path),
            digest=self._digest,
            interactions=len(self),
            served=sum(plays),
            missed=misses,
            never_played=tuple(self._unplayed(item) for item in left),
            recorded=recorded,
            upstream_connections=upstream_connections,
        )

    def _take(self, key: bytes) -> Played | None:
        queue = self._queues.get(key)
        item = queue.next(self._reuse) if queue else None
        if queue is None or item is None:
            return None
        fault = self._fault(item)
        if fault is None or not fault.is_instead:
            queue.take()
            self._plays[item] += 1
        return Played(id=item, interaction=self._interactions[item], fault=fault)

    def _fault(self, item: int) -> Fault | None:
        """The first fault that is due for an interaction, and is counted by that."""
        for number, fault in enumerate(self._faults):
            if self._met[number, item] < fault.times and fault.chooses(item):
                self._met[number, item] += 1
                return fault
        return None

    def _explained(self, request: Request) -> Miss:
        cleaned = self._cleaned(request, self._learned)
        method, url = humanize.printable(request.method), humanize.printable(cleaned.url)
        if not self.exists:
            words = f"no such cassette: {self._path}; record it with --mode once"
            return Miss(reason=Reason.NO_CASSETTE, method=method, url=url, words=words)
        sent = Subject.of(cleaned, self._criteria)
        with self._lock:
            plays = list(self._plays)
        keys = (sent.key, *(self._subject(request, scrubber).key for scrubber in (self._plain, None)))
        queue = next((self._queues[key] for key in keys if key in self._queues), None)
        _, alike = self._addresses.get(sent.address_key, ((), []))
        return explain(
            sent,
            method=method,
            url=url,
            consumed=queue.ids if queue else (),
            alike=_first_unplayed(alike, plays),
            addresses=[(address, _first_unplayed(ids, plays)) for address, ids in self._addresses.values()],
            rough=lambda item: self._subject(self._interactions[item].request),
            subject=lambda item: self._subject(self._interactions[item].request, self._plain),
        )

    def _unplayed(self, item: int) -> Unplayed:
        request = self._interactions[item].request
        return Unplayed(id=item, method=humanize.printable(request.method), url=self.shown(request.url))

    def _subject(self, request: Request, scrubber: Scrubber | None = None) -> Subject:
        """What is compared of a request; without a scrubber as it stands, for what is not shown to anybody."""
        return Subject.of(self._cleaned(request, scrubber) if scrubber else request, self._criteria)

    def _cleaned(self, request: Request, scrubber: Scrubber) -> Request:
        """The request without its secrets, and without what is never compared."""
        named = {name: request.headers[name] for name in self._criteria.headers if name in request.headers}
        kind = {"Content-Type": request.headers["Content-Type"]} if "Content-Type" in request.headers else {}
        compared = replace(
            request,
            headers=Fields.of({**named, **kind}),
            form=NO_FIELDS,
            trailer=NO_FIELDS,
            body=request.body if self._criteria.compares_bodies else b"",
        )
        return scrubber.cleaned(Interaction(request=compared, response=_NO_ANSWER)).request


class _Queue:
    """The interactions that answer one request, in recorded order."""

    __slots__ = ("_next", "ids")

    def __init__(self) -> None:
        self.ids: list[int] = []
        self._next = 0

    def next(self, reuse: Reuse) -> int | None:
        """The one that answers now; it stays at the head until `take`."""
        if self._next < len(self.ids):
            return self.ids[self._next]
        if reuse is Reuse.NONE:
            return None
        self._next = len(self.ids) - 1 if reuse is Reuse.LAST else 0
        return self.ids[self._next]

    def take(self) -> None:
        self._next += 1


def _first_unplayed(ids: Sequence[int], plays: Sequence[int]) -> list[int]:
    """Those that wait for their request come first: the request that misses is meant for one of them most likely."""
    return sorted(ids, key=lambda item: plays[item] > 0)[:_MOST_ALIKE]


def _go_request(wire: WireRequest) -> Request:
    return go_http.interaction(Exchange(request=wire, response=None, began=0, duration=0, chunks=(), ended=0)).request
