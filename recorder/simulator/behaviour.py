"""How a request asks the simulator to behave: the header `X-Sim`, on top of the server's defaults. Nothing else does.

`X-Sim: chunks=20, pace-ms=50, encoding=gzip, no-terminal`: names and values as in `Behaviour`, with hyphens; a name
alone is a yes. A value may be percent-encoded (`say=Ol%C3%A1%2C hi`). `python -m recorder.simulator --sim '…'` sets the
defaults in the same words. A name that is not known is refused, so that a test with a slip of the pen fails.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints
from urllib.parse import unquote

from recorder.errors import UsageError

HEADER = b"x-sim"
ENCODINGS = ("identity", "gzip", "deflate", "br", "zstd")
FRAMINGS = ("length", "chunked", "close")
CUTS = ("close", "reset", "stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Times in milliseconds, sizes in bytes; 0 and None ask for nothing special.

    What is said:
    `say`: the answer's text. `echo`: a request header (or `body`), whose value the answer repeats; `split`: its first
    delta ends after that many characters of the value. `chunks`: that many text deltas, numbered from 0. `event_bytes`:
    each of them padded to this size. `body_bytes`: a body that is no stream is padded to this size. `comments`:
    keep-alive frames before the answer. `no_terminal`: leave out the terminal frame. `error`: answer with this status;
    `error_times`: only to the first so many of the same request. `retry_after`: seconds, for 429 and 503. `error_at`:
    an error event in place of the text delta of this number. `binary`: at `/sim/bytes`, bytes that are no text.
    `trailers`: behind the body (HTTP/1.1 only).

    How it is sent:
    `delay_ms`: before the headers. `pace_ms`: between writes. `write_bytes`: the size of each write, which may then
    split an event or a character; otherwise each event is a write. `encoding`: compressed, each write flushed, if the
    client accepts it. `framing`: with a length where it is known, `chunked`, or ended by closing (HTTP/1.1 only).
    `cut_events`, `cut_bytes`: break off after so many events, or bytes on the wire; `cut`: by an orderly close, by a
    reset of the connection, or by one of the `stream` (HTTP/2; in HTTP/1.1 it is a close). `stall_events`,
    `stall_bytes`: after so many send nothing more, until the client leaves.
    """

    say: str = ""
    echo: str = ""
    split: int = 0
    chunks: int = 0
    event_bytes: int = 0
    body_bytes: int = 0
    comments: int = 2
    no_terminal: bool = False
    error: int = 0
    error_times: int = 0
    retry_after: int = 1
    error_at: int | None = None
    binary: bool = False
    trailers: bool = False
    delay_ms: float = 0.0
    pace_ms: float = 0.0
    write_bytes: int = 0
    encoding: str = "identity"
    framing: str = "length"
    cut: str = "close"
    cut_events: int | None = None
    cut_bytes: int | None = None
    stall_events: int | None = None
    stall_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("encoding", self.encoding, ENCODINGS),
            ("framing", self.framing, FRAMINGS),
            ("cut", self.cut, CUTS),
        ):
            if value not in known:
                raise UsageError(f"X-Sim: {name}: expected one of {', '.join(known)}, found {value}")
        if self.error and not 400 <= self.error <= 599:
            raise UsageError(f"X-Sim: error: expected a status from 400 to 599, found {self.error}")


_KINDS: dict[str, Any] = get_type_hints(Behaviour)
_NAMES = {field.name.replace("_", "-"): field.name for field in fields(Behaviour)}
DEFAULT = Behaviour()


def loads(text: str, defaults: Behaviour = DEFAULT) -> Behaviour:
    """`defaults`, changed as `text` says. Raises UsageError."""
    changes: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, given, value = item.partition("=")
        field = _NAMES.get(name)
        if field is None:
            raise UsageError(f"X-Sim: expected one of {', '.join(_NAMES)}, found {name}")
        changes[field] = _value(name, _KINDS[field], unquote(value) if given else None)
    return replace(defaults, **changes) if changes else defaults


def _value(name: str, kind: Any, text: str | None) -> str | float | bool:
    if kind is bool:
        if text not in {None, "yes", "no"}:
            raise UsageError(f"X-Sim: {name}: expected yes or no, found {text}")
        return text != "no"
    if text is None:
        raise UsageError(f"X-Sim: {name}: expected a value, found none; write {name}=…")
    if kind is str:
        return text
    try:
        number = float(text) if kind is float else int(text)
    except ValueError:
        number = -1
    if not 0 <= number < float("inf"):
        raise UsageError(f"X-Sim: {name}: expected a number that is not negative, found {text}")
    return number
