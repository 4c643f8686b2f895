"""The cassette format against PyYAML's C classes and go-vcr itself: 1,000 interactions with bodies of 60 KB."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import yaml
from bench_row import Row

from recorder.cassette import GO_VCR, Cassette, dumps, loads
from recorder.model import Fields, Interaction, Request, Response

INTERACTIONS = 1000
BODY = 60_000  # bytes
ROUNDS = 3
# The goal is reached where the process has had the memory before, as here in most runs, and missed on Python 3.13
# where all pages are new to it.
READING = (
    "of 90 µs for 64 KB, 28 are the kernel's for the new pages that the body is kept in, 15 the search for control "
    "characters, 20 the lines, 24 headers and objects"
)
ORACLE = Path(__file__).resolve().parents[1] / "tests" / "interop" / "go"


def rows() -> Iterator[Row]:
    yield from _against_pyyaml("event streams", _event_stream, write_goal=4, read_goal=6, why=READING)
    yield from _against_pyyaml("event streams with emoji", _emoji_stream)
    yield from _against_pyyaml("JSON", _json)


def _against_pyyaml(
    what: str,
    body: Callable[[int], bytes],
    write_goal: float | None = None,
    read_goal: float | None = None,
    why: str = "",
) -> Iterator[Row]:
    recorded = tuple(_interaction(number, body(number)) for number in range(INTERACTIONS))
    cassette = Cassette(interactions=recorded, layout=GO_VCR)
    text = dumps(cassette)
    # What go-vcr's own struct is to go-yaml, plain dictionaries are to PyYAML.
    plain = yaml.load(text, yaml.CSafeLoader)
    writing, dumping = _best(
        lambda: dumps(cassette),
        lambda: yaml.dump(plain, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True),
    )
    plain = None
    reading, loading = _best(lambda: loads(text), lambda: yaml.load(text, yaml.CSafeLoader))
    yield _row(f"write {what}", len(text), writing.cpu, dumping.cpu, "CSafeDumper", write_goal)
    yield replace(_row(f"read {what}", len(text), reading.cpu, loading.cpu, "CSafeLoader", read_goal), why=why)
    yield _memory(what, text)
    yield from _against_go_vcr(what, text, writing.wall, reading.wall)


class _Seconds(NamedTuple):
    """Of one's own processor time, which other processes of the machine do not add to, and by the clock on the wall."""

    cpu: float
    wall: float


def _best(*measured: Callable[[], Any]) -> list[_Seconds]:
    """The best of some rounds for each, taken in turns."""
    rounds = [[_seconds(run) for run in measured] for _ in range(ROUNDS)]
    return [_Seconds(*map(min, zip(*times, strict=True))) for times in zip(*rounds, strict=True)]


def _seconds(run: Callable[[], Any]) -> _Seconds:
    cpu, wall = process_time(), perf_counter()
    run()
    return _Seconds(process_time() - cpu, perf_counter() - wall)


def _row(what: str, size: int, ours: float, theirs: float, whose: str, goal: float | None) -> Row:  # noqa: PLR0917
    """`size` in bytes, `ours` and `theirs` in seconds. The arguments are a row's columns, in their order."""
    return Row(
        what=what,
        ours=f"{size / ours / 1e6:.0f} MB/s",
        theirs=f"{whose} {size / theirs / 1e6:.0f} MB/s",
        times=theirs / ours,
        goal=goal,
    )


def _memory(what: str, text: bytes) -> Row:
    tracemalloc.start()
    loads(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    held = 1 + peak / len(text)  # the text itself is there too
    return Row(what=f"memory to read {what}", ours=f"{held:.2f} files", theirs="at most 2", times=2 / held, goal=1)


def _against_go_vcr(what: str, text: bytes, writing: float, reading: float) -> Iterator[Row]:
    if not shutil.which("go"):
        yield Row(what=f"go-vcr, {what}", ours="", theirs="no `go` here to compare with")
        return
    with tempfile.TemporaryDirectory() as folder:
        program, file = Path(folder, "oracle"), Path(folder, "cassette.yaml")
        subprocess.run(["go", "build", "-o", program, "."], cwd=ORACLE, check=True)
        file.write_bytes(text)
        question = {"do": "time", "indent": GO_VCR.indent, "compact": GO_VCR.compact, "path": str(file)}
        runs = [_ask(program, question) for _ in range(ROUNDS)]
    yield _row(f"write {what}", len(text), writing, min(run["save_seconds"] for run in runs), "go-vcr Save", 1)
    yield _row(f"read {what}", len(text), reading, min(run["seconds"] for run in runs), "go-vcr Load", 1)


def _ask(program: Path, question: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run([program], input=json.dumps(question) + "\n", capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _interaction(number: int, body: bytes) -> Interaction:
    request = {"model": "openai/gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Who's there?"}]}
    headers = {
        "Access-Control-Allow-Origin": "*", "Cache-Control": "no-cache", "Cf-Ray": f"98f3b8f7cb{number:06x}-VIE",
        "Content-Type": "text/event-stream",
        "Date": f"Wed, 01 Oct 2025 10:{number // 60 % 60:02}:{number % 60:02} GMT",
        "Permissions-Policy": 'payment=(self "https://checkout.stripe.com")', "Server": "cloudflare",
        "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    sent_headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "OpenAI/Go 2.3.0"}
    sent = json.dumps(request).encode()
    return Interaction(
        request=Request(
            method="POST",
            url="https://openrouter.ai/api/v1/chat/completions",
            content_length=len(sent),
            body=sent,
            headers=Fields(sent_headers.items()),
        ),
        response=Response(
            status="200 OK", code=200, duration=1_476_046_083 + number, proto="HTTP/2.0", proto_major=2, proto_minor=0,
            content_length=-1, body=body, headers=Fields(headers.items()),
        ),
    )  # fmt: skip


def _events(number: int, words: tuple[str, ...]) -> Iterator[bytes]:
    for index in count():
        yield (
            f'data: {{"id":"gen-{1758707375 + number}","provider":"xAI","model":"x-ai/grok-code-fast-1",'
            '"object":"chat.completion.chunk","created":1758707375,"choices":[{"index":0,"delta":{"role":"assistant",'
            f'"content":" {words[index % len(words)]}"}},"finish_reason":null,"native_finish_reason":null}}]}}\n\n'
        ).encode()


def _stream(number: int, words: tuple[str, ...]) -> bytes:
    events, size = [b": OPENROUTER PROCESSING\n\n"], 0
    for event in _events(number, words):
        events.append(event)
        size += len(event)
        if size >= BODY:
            return b"".join([*events, b"data: [DONE]\n\n"])
    raise AssertionError("events never end")


def _event_stream(number: int) -> bytes:
    return _stream(number, ("The", "weather", "in", "Florence", "is", "mild", "\\n\\n"))


def _emoji_stream(number: int) -> bytes:
    return _stream(number, ("Sunny", "\U0001f31e", "and", "schön"))


def _json(number: int) -> bytes:
    words = 'It\'s mild in Florence, with "light" wind. '
    return json.dumps(
        {"id": f"gen-{number}", "choices": [{"message": {"content": words * (BODY // len(words))}}]}
    ).encode()
