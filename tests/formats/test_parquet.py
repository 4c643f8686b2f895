"""Parquet as DuckDB reads it: typed columns, a row for each interaction, written in groups."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import duckdb
import pyarrow.parquet as pq
import pytest

from recorder import cassette
from recorder.errors import RecorderError
from recorder.formats import Session, parquet
from recorder.llm import conversation
from recorder.model import Fields, Interaction
from tests.cassette.strategies import plain_interaction
from tests.formats.speaking import chat, streamed


def written(sessions: Iterable[Session], path: Path) -> Path:
    with path.open("wb") as file:
        parquet.dump(sessions, file)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    sessions = [
        Session(name="a/weather", interactions=[chat("Hi", cost=0.25), streamed()]),
        Session(name="b", interactions=[plain_interaction(b"\xff\x00"), plain_interaction(b"hello")]),
    ]
    return written(sessions, tmp_path / "all.parquet")


def ask(question: str, file: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        found: list[tuple[object, ...]] = connection.sql(question.replace("FILE", f"'{file}'")).fetchall()
        return found


def test_sessions_are_queried_together(file: Path) -> None:
    assert [("a/weather", 2, 0.25), ("b", 2, None)] == ask(
        "SELECT session, count(*), sum(cost) FROM FILE GROUP BY ALL ORDER BY ALL", file
    )


def test_columns_are_typed(file: Path) -> None:
    assert [("weather", '{"city":"Pisa"}', "Pisa")] == ask(
        "SELECT call.name, call.arguments, call.arguments->>'city' FROM (SELECT unnest(tool_calls) AS call FROM FILE)",
        file,
    )
    assert [("model", "x/y"), ("model", "x/y")] == ask(
        "SELECT 'model', json_extract_string(request_body, 'model') FROM FILE WHERE session LIKE 'a/%'", file
    )
    assert [(["application/json"],)] == ask(
        "SELECT request_headers['Content-Type'] FROM FILE WHERE session = 'b' AND id = 1", file
    )


def test_what_was_not_told_is_null(file: Path) -> None:
    assert [(None, None, None, [], b"\xff\x00", None), (None, None, None, [], None, "hello")] == ask(
        "SELECT text, prompt_tokens, cost, tool_calls, response_bytes, response_body FROM FILE "
        "WHERE session = 'b' ORDER BY id",
        file,
    )


def test_numbers_are_those_of_the_interaction(file: Path) -> None:
    assert [("POST", "openrouter.ai", 200, "x/y", 3, 4, 7, "stop", "Hi", False, 1_476_046_083, 2)] == ask(
        "SELECT method, host, status, model, prompt_tokens, completion_tokens, total_tokens, finish_reason, text, "
        "streamed, duration_ns, message_count FROM FILE WHERE text = 'Hi'",
        file,
    )


def test_every_real_cassette_is_a_row_for_each_interaction(shared: Path, tmp_path: Path) -> None:
    names = sorted((shared / "cassettes").rglob("*.yaml"))
    read = {str(name): cassette.loads(name.read_bytes()).interactions for name in names}
    file = written((Session(name=name, interactions=kept) for name, kept in read.items()), tmp_path / "all.parquet")
    turns = [conversation.read(each) for kept in read.values() for each in kept]
    assert [(len(turns), sum(len(turn.tool_calls) for turn in turns))] == ask(
        "SELECT count(*), sum(len(tool_calls)) FROM FILE", file
    )
    known = [turn.usage.cost for turn in turns if turn.usage.cost is not None]
    assert [(pytest.approx(sum(known)),)] == ask("SELECT sum(cost) FROM FILE", file)


def test_rows_are_written_piecewise() -> None:
    """No more of the cassettes is taken than one group at a time."""
    big = plain_interaction(b"x" * 2**20)
    taken = 0
    seen_by_writes: list[int] = []

    def sessions() -> Iterator[Session]:
        nonlocal taken
        for number in range(40):
            taken += 1
            yield Session(name=str(number), interactions=[big])

    class File(io.BytesIO):
        def write(self, data: object, /) -> int:
            seen_by_writes.append(taken)
            return super().write(data)  # type: ignore[arg-type]

    file = File()
    parquet.dump(sessions(), file)
    assert 16 in seen_by_writes
    assert 3 == pq.ParquetFile(io.BytesIO(file.getvalue())).metadata.num_row_groups


def test_nothing_recorded_is_a_file_with_no_rows(tmp_path: Path) -> None:
    assert [(0,)] == ask("SELECT count(*) FROM FILE", written([], tmp_path / "none.parquet"))


def test_odd_text_is_unicode(tmp_path: Path) -> None:
    one = plain_interaction()
    odd = Interaction(
        request=type(one.request)(method="GET\udcff", url="https://[x", headers=Fields([("\udc80", "\udcff")])),
        response=one.response,
    )
    file = written(
        [Session(name="a", interactions=[odd, chat("\ud83d", "\ude00", "\ud800")])], tmp_path / "odd.parquet"
    )
    assert [("GET\ufffd", None), ("POST", "😀\ufffd")] == ask("SELECT method, text FROM FILE ORDER BY id", file)


def test_it_writes_into_a_pipe(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, file: IO[bytes]) -> None:
            self._file = file

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            return self._file.write(bytes(data))  # type: ignore[call-overload]

    path = tmp_path / "piped.parquet"
    with path.open("wb") as file:
        parquet.dump([Session(name="a", interactions=[chat("Hi")])], Pipe(file))  # type: ignore[arg-type]
    assert [("Hi",)] == ask("SELECT text FROM FILE", path)


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RecorderError, match=r"pip install 'openrouter-recorder\[parquet\]'"):
        parquet.check()
