"""A case is a secret of a kind, in a place, in an encoding; here many of them go through one recorder."""

from __future__ import annotations

import base64
import http.client
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.hiding.canned import Canned, Reply
from tests.e2e.hiding.encodings import ENCODINGS, MORE_ENCODINGS
from tests.e2e.hiding.kinds import KINDS, MORE_KINDS, Kind
from tests.e2e.hiding.leaks import Sought
from tests.e2e.hiding.places import MORE_PLACES, PLACES, Exchanged
from tests.e2e.processes import PATIENCE

HOST = "api.example.com"
REFUSED = "the recorder refused"
_WAYS = (
    ("Authorization", b"Bearer %s"),
    ("X-Api-Key", b"%s"),
    ("Authorization", b"Basic %s"),
    ("Cookie", b"theme=dark; sid=%s; x=y"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    number: int
    kind: Kind
    place: str
    encoding: str

    def __str__(self) -> str:
        return f"case {self.number}: {self.kind.name}, {self.place}, {self.encoding}"

    @property
    def secret(self) -> str:
        return self.kind.secret(self.number)

    @property
    def written(self) -> str:
        return ENCODINGS.get(self.encoding, MORE_ENCODINGS.get(self.encoding, str))(self.secret)

    @property
    def sought(self) -> Sought:
        return Sought(core=self.kind.core(self.number), told=str(self))

    def exchanged(self) -> Exchanged:
        return {**PLACES, **MORE_PLACES}[self.place](self.written)

    def credential(self) -> tuple[str, bytes]:
        """How the client shows who it is: with the secret itself only where nothing else could tell what it is."""
        secret = self.secret.encode()
        if not self.kind.shapeless:
            return "Authorization", b"Bearer of-no-interest"
        name, form = _WAYS[self.number % len(_WAYS)]
        if b"Basic" in form:
            return name, form % base64.b64encode(b"user:" + secret)
        return name, form % secret


def table() -> list[Case]:
    """The 1,764."""
    return _numbered(itertools.product(KINDS, PLACES, ENCODINGS))


def wider() -> list[Case]:
    """Every pair of a kind and a place, a place and an encoding, a kind and an encoding, outside of the table."""
    kinds, places, encodings = everything()
    turns = itertools.count()
    pairs = [
        *((kind, place, encodings[next(turns) % len(encodings)]) for kind in kinds for place in places),
        *((kinds[next(turns) % len(kinds)], place, encoding) for place in places for encoding in encodings),
        *((kind, places[next(turns) % len(places)], encoding) for kind in kinds for encoding in encodings),
    ]
    return _numbered(pairs, start=10_000)


def whole() -> list[Case]:
    return _numbered(itertools.product(*everything()), start=100_000)


def everything() -> tuple[list[Kind], list[str], list[str]]:
    return [*KINDS, *MORE_KINDS], [*PLACES, *MORE_PLACES], [*ENCODINGS, *MORE_ENCODINGS]


def _numbered(cases: Iterable[tuple[Kind, str, str]], start: int = 0) -> list[Case]:
    return [
        Case(number=number, kind=kind, place=place, encoding=encoding)
        for number, (kind, place, encoding) in enumerate(cases, start)
    ]


def replies(cases: Iterable[Case]) -> dict[int, Reply]:
    return {case.number: _reply(case.exchanged()) for case in cases}


def _reply(exchanged: Exchanged) -> Reply:
    fields = [*exchanged.answer_headers]
    chunked = len(exchanged.pieces) > 1 or exchanged.cut
    fields.append(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(exchanged.pieces[0]))))
    lines = [f"HTTP/1.1 {exchanged.status}", *(f"{name}: {value}" for name, value in fields), "", ""]
    parts = ["\r\n".join(lines).encode()]
    pieces = filter(None, exchanged.pieces)
    parts += (b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece for piece in pieces)
    if chunked and not exchanged.cut:
        parts.append(b"0\r\n\r\n")
    # In a few writes, each of which may end in the middle of a secret.
    whole = b"".join(parts)
    middle = len(parts[0]) + (len(whole) - len(parts[0])) // 2
    return Reply(parts=(whole[:middle], whole[middle:]), cut=exchanged.cut)


def converse(port: int, cases: Sequence[Case], canned: Canned) -> Iterator[tuple[Case, str]]:
    """Send each through the base-URL port, and say what was wrong with it: "" for one that came through as it was."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        for case in cases:
            yield case, "; ".join(_faults(client, case, canned))


def _faults(client: http.client.HTTPConnection, case: Case, canned: Canned) -> Iterator[str]:
    exchanged = case.exchanged()
    client.putrequest(exchanged.method, exchanged.target, skip_accept_encoding=True)
    for name, value in (*exchanged.headers, ("X-Case", str(case.number))):
        client.putheader(name, value.encode())
    client.putheader(*case.credential())
    if exchanged.body:
        client.putheader("Content-Length", str(len(exchanged.body)))
    client.endheaders(exchanged.body)
    try:
        answer = client.getresponse()
        try:
            body = answer.read()
        except http.client.IncompleteRead as error:
            body = error.partial
            client.close()
    except (http.client.HTTPException, ConnectionError) as error:
        client.close()
        if not exchanged.cut:
            yield f"expected an answer, found {error!r}"
        return
    if answer.headers.get("X-Recorder-Error"):
        yield f"{REFUSED}: {body.decode()}"
    elif not exchanged.cut and (body, answer.status) != (b"".join(exchanged.pieces), int(exchanged.status[:3])):
        yield "the client got other bytes than the upstream sent"
    received = canned.received.get(case.number, b"")
    if not received.endswith(b"\r\n\r\n" + exchanged.body) or exchanged.target.encode() not in received:
        yield "the upstream got other bytes than the client sent"


def files_below(*folders: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
