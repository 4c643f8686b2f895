"""Where two requests differ, by JSON path and in few words; and how far they are apart.

Both are scrubbed and neutral by the time they come here, so nothing that is shown holds a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final

from recorder import humanize
from recorder.replay.matching.subject import Body, Json, Multipart, Subject, canonical_text

NOTHING: Final = "(nothing)"
_SHOWN = 48  # characters of a value
_WORD = re.compile(r"\w+")
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_SHORT = 64  # characters up to which two texts are compared by letters, not by words
_READ = 8000  # characters of a value that are looked at to find what is alike
_ABSENT: Final = object()

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`place`: `url`, `header X-Title`, `messages[1].content`. `distance`: from 0 to 1 for a value that changed."""

    place: str
    recorded: str
    sent: str
    distance: float = 1.0

    def __str__(self) -> str:
        return f"{self.place}: {self.recorded} ≠ {self.sent}"


def differences(recorded: Subject, sent: Subject) -> list[Difference]:
    """All of them, in the order of a reader: address, headers, body."""
    headers = [
        ((f"header {name}", one), pair) for (name, one), pair in zip(recorded.headers, sent.headers, strict=True)
    ]
    pairs = [*zip(recorded.address, sent.address, strict=True), *headers]
    found = [_texts(place, one, other) for (place, one), (_, other) in pairs if one != other]
    try:
        return [*found, *_bodies(recorded.body, sent.body)]
    except RecursionError:
        return [*found, Difference(place="body", recorded="(nested deeply)", sent="(nested deeply)")]


def _bodies(recorded: Body | None, sent: Body | None) -> Iterator[Difference]:
    if recorded == sent:
        return
    if isinstance(recorded, Json) and isinstance(sent, Json):
        yield from _values((), recorded.value, sent.value)
    elif isinstance(recorded, Multipart) and isinstance(sent, Multipart):
        yield from _parts(recorded, sent)
    else:
        yield _texts("body", _text(recorded), _text(sent))


def _parts(recorded: Multipart, sent: Multipart) -> Iterator[Difference]:
    for index in range(max(len(recorded.parts), len(sent.parts))):
        if index >= len(recorded.parts) or index >= len(sent.parts):
            there = [NOTHING, "(a part)"]
            yield Difference(
                place=f"part[{index}]",
                recorded=there[index < len(recorded.parts)],
                sent=there[index < len(sent.parts)],
            )
            continue
        for place, one, other in zip(("head", "content"), recorded.parts[index], sent.parts[index], strict=True):
            if one != other:
                yield _texts(f"part[{index}].{place}", _text(one), _text(other))


def _text(body: Body | None) -> str:
    if isinstance(body, Json):
        return body.text
    if isinstance(body, Multipart):
        return f"(multipart, {humanize.count(len(body.parts), 'part')})"
    return (body or b"").decode("utf-8", "backslashreplace")


def _values(path: Path, recorded: Any, sent: Any) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for key in {**recorded, **sent}:
            yield from _values((*path, key), recorded.get(key, _ABSENT), sent.get(key, _ABSENT))
    elif isinstance(recorded, list) and isinstance(sent, list):
        yield from _lists(path, recorded, sent)
    elif isinstance(recorded, str) and isinstance(sent, str):
        if recorded != sent:
            yield _texts(_spelled(path), recorded, sent, quoted=True)
    elif type(recorded) is not type(sent) or recorded != sent:
        yield Difference(place=_spelled(path), recorded=_shown(recorded), sent=_shown(sent))


def _lists(path: Path, recorded: list[Any], sent: list[Any]) -> Iterator[Difference]:
    """Item by item; where the lengths differ, what is alike stays beside what it is like."""
    if len(recorded) == len(sent):
        for index, (one, other) in enumerate(zip(recorded, sent, strict=True)):
            yield from _values((*path, index), one, other)
        return
    ours, theirs = ([canonical_text(item) for item in items] for items in (recorded, sent))
    for kind, start, end, start_sent, end_sent in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for offset in range(max(end - start, end_sent - start_sent)):
            one = recorded[start + offset] if start + offset < end else _ABSENT
            other = sent[start_sent + offset] if start_sent + offset < end_sent else _ABSENT
            index = start + offset if other is _ABSENT else start_sent + offset
            yield from _values((*path, index), one, other)


def _spelled(path: Path) -> str:
    """`messages[1].content`, as one would write it in most languages; a name that is no word in brackets and quotes."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{_shown(step)}]"
    return text or "body"


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return NOTHING
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return humanize.printable(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _texts(place: str, recorded: str, sent: str, *, quoted: bool = False) -> Difference:
    """Two texts by the words in which they differ, with `…` for what they share around them."""
    one, other = _apart(recorded, sent)
    return Difference(
        place=place,
        recorded=_quoted(one) if recorded or quoted else NOTHING,
        sent=_quoted(other) if sent or quoted else NOTHING,
        distance=_distance(recorded, sent),
    )


def _quoted(text: str) -> str:
    return humanize.printable(json.dumps(text, ensure_ascii=False))


def _apart(one: str, other: str) -> tuple[str, str]:
    start = _shared(one, other)
    most = min(len(one), len(other)) - start
    ends = one[len(one) - most :][::-1], other[len(other) - most :][::-1]
    behind = _shared(*ends)
    start = _word_start(one, start)
    if start == len(one) - behind or start == len(other) - behind:  # one has nothing there: show the word before
        start = _word_start(one, max(0, start - 1))
    while behind and one[-behind].isalnum():  # to the end of the word
        behind -= 1
    return _cut(one, start, behind), _cut(other, start, behind)


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike; by halves, since a text may be long."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _word_start(text: str, position: int) -> int:
    """Where the word starts that `position` stands in or behind; no further back than a long word."""
    start = position
    while start > 0 and position - start < _SHOWN // 2 and text[start - 1].isalnum():
        start -= 1
    return start


def _cut(text: str, start: int, behind: int) -> str:
    middle = text[start : len(text) - behind]
    before = "…" if start else ""
    if len(middle) > _SHOWN:
        return f"{before}{middle[:_SHOWN]}…"
    return f"{before}{middle}{'…' if behind else ''}"


def _distance(one: str, other: str) -> float:
    """From 0 for the same to 1 for nothing in common; never 0 for what differs."""
    if len(one) <= _SHORT and len(other) <= _SHORT:
        alike = SequenceMatcher(None, one, other, autojunk=False).ratio()
    else:
        ours, theirs = (set(_WORD.findall(text)) for text in (one, other))
        alike = 2 * len(ours & theirs) / max(1, len(ours) + len(theirs))
    return max(0.01, 1 - alike)


def traits(subject: Subject) -> frozenset[int]:
    """What a request is made of, to find quickly what is like it: each value and word, with the keys that lead there.

    Places in lists are left out, so that an inserted message does not make all the others look new.
    """
    found: set[int] = set()
    body = subject.body
    if isinstance(body, Json):
        _collect(body.value, (), found)
    elif body is not None:
        _collect(_text(body) if not isinstance(body, Multipart) else [_text(part[1]) for part in body.parts], (), found)
    found.update(hash(pair) for pair in (*subject.address, *subject.headers))
    return frozenset(found)


def _collect(value: Any, path: tuple[str, ...], found: set[int]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _collect(inner, (*path, key), found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, path, found)
    elif isinstance(value, str):
        found.add(hash((path, value)))
        found.update(hash((path, word)) for word in _WORD.findall(value[:_READ]))
    else:
        found.add(hash((path, value)))
