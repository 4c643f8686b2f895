"""Parquet, through pyarrow (the extra `parquet`): a row for each interaction, for engines made for queries.

Rows are written in groups of so many bytes, so that a thousand cassettes take no more memory than one large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any
from urllib.parse import urlsplit

from recorder.errors import RecorderError
from recorder.formats.exported_session import Session, clean, shown
from recorder.llm import conversation
from recorder.llm.conversation import Turn
from recorder.model import Fields

_GROUP_BYTES = 16 * 2**20  # of bodies; a reader takes a group at once
_GROUP_ROWS = 10_000
_BODIES = ("request_body", "response_body", "request_bytes", "response_bytes")


def dump(sessions: Iterable[Session], file: IO[bytes]) -> None:
    """Write all of them into `file`, which need not be seekable."""
    pa, pq = _pyarrow()
    schema = _schema(pa)
    with pq.ParquetWriter(pa.PythonFile(_Counted(file), mode="w"), schema, compression="zstd") as writer:
        for rows in _groups(_rows(sessions)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=len(rows))


def check() -> None:
    """RecorderError if pyarrow is not there."""
    _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and takes longer to load than all of ours
        import pyarrow.parquet as pq  # noqa: PLC0415 - the same
    except ImportError as error:
        raise RecorderError(
            "expected pyarrow for parquet, found none; pip install 'openrouter-recorder[parquet]'"
        ) from error
    return pa, pq


def _schema(pa: Any) -> Any:
    """Names and types are what queries rely on: none is changed or taken away, new ones go to the end."""
    text, number = pa.string(), pa.int64()
    headers = pa.map_(text, pa.list_(text))
    call = pa.struct([("id", text), ("name", text), ("arguments", text)])
    return pa.schema(
        [
            pa.field("session", text, nullable=False),
            pa.field("id", pa.int32(), nullable=False),
            pa.field("method", text, nullable=False),
            pa.field("url", text, nullable=False),
            ("host", text),
            pa.field("status", number, nullable=False),
            ("api", text),
            ("streamed", pa.bool_()),
            ("model", text),
            ("provider", text),
            ("prompt_tokens", number),
            ("completion_tokens", number),
            ("reasoning_tokens", number),
            ("cached_tokens", number),
            ("total_tokens", number),
            ("cost", pa.float64()),
            pa.field("duration_ns", number, nullable=False),
            ("finish_reason", text),
            ("error", text),
            ("text", text),
            ("reasoning", text),
            pa.field("tool_calls", pa.list_(call), nullable=False),
            pa.field("tools", pa.list_(text), nullable=False),
            pa.field("message_count", pa.int32(), nullable=False),
            ("request_headers", headers),
            ("response_headers", headers),
            ("request_body", text),
            ("response_body", text),
            ("request_bytes", pa.binary()),
            ("response_bytes", pa.binary()),
        ]
    )


def _rows(sessions: Iterable[Session]) -> Iterator[dict[str, Any]]:
    for session in sessions:
        for number, interaction in enumerate(session.interactions):
            yield _row(shown(session.name), conversation.read(interaction, number))


def _row(session: str, turn: Turn) -> dict[str, Any]:
    """What was not told is null, and so is what a call of no model cannot have."""
    request, response, usage = turn.interaction.request, turn.interaction.response, turn.usage
    spoke = bool(turn.answers)
    return {
        "session": session,
        "id": turn.id,
        "method": shown(request.method),
        "url": shown(request.url),
        "host": _host(shown(request.url)),
        "status": response.code,
        "api": turn.api or None,
        "streamed": turn.streamed,
        "model": _storable(usage.model),
        "provider": _storable(usage.provider),
        "prompt_tokens": _count(usage.prompt_tokens),
        "completion_tokens": _count(usage.completion_tokens),
        "reasoning_tokens": _count(usage.reasoning_tokens),
        "cached_tokens": _count(usage.cached_tokens),
        "total_tokens": _count(usage.total_tokens),
        "cost": usage.cost,
        "duration_ns": response.duration,
        "finish_reason": _storable(turn.finish_reason),
        "error": _storable(turn.error or None),
        "text": clean(turn.text) if spoke else None,
        "reasoning": clean(turn.reasoning) if spoke else None,
        "tool_calls": [
            {"id": clean(call.id), "name": clean(call.name), "arguments": clean(call.arguments)}
            for call in turn.tool_calls
        ],
        "tools": [clean(tool.name) for tool in turn.tools],
        "message_count": len(turn.messages),
        "request_headers": _headers(request.headers),
        "response_headers": _headers(response.headers),
        **_body("request", request.body),
        **_body("response", response.body),
    }


def _body(side: str, body: bytes) -> dict[str, Any]:
    """As text, which engines can search and parse; as bytes only where it is none."""
    try:
        return {f"{side}_body": body.decode(), f"{side}_bytes": None}
    except UnicodeDecodeError:
        return {f"{side}_body": None, f"{side}_bytes": body}


def _storable(text: str | None) -> str | None:
    return None if text is None else clean(shown(text))


def _count(number: int | None) -> int | None:
    """A server may send any number; one that is no 64-bit integer says nothing."""
    return number if number is not None and number < 2**63 else None


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _headers(fields: Fields) -> list[tuple[str, list[str]]]:
    return [(shown(name), list(map(shown, values))) for name, values in fields.items()]


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(len(row[name] or b"") for name in _BODIES)
        if size >= _GROUP_BYTES or len(group) == _GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group


class _Counted:
    """A file that knows where it is, also where it is a pipe."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._written = 0

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The file is whoever's gave it."""
