"""HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec), which developer tools of browsers open.

A cassette does not say when: the entries stand one behind the other from the beginning of 1970 on, each as long as it
waited for its headers, and for its body where the times of its pieces were kept. What a HAR has no place for stands in
`_recorder` (section 2.2.3: custom fields start with `_`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from recorder import __version__
from recorder.formats import extension_field, wire_exchange
from recorder.formats.exported_session import Session, clean, shown
from recorder.formats.located_values import Place, json_loads
from recorder.formats.wire_exchange import Found
from recorder.model import INT64_MAX, Fields, Interaction, Request, Response
from recorder.replay.timing import Timing
from recorder.wire.exchange import Exchange

_OURS = "_recorder"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = 1_000_000  # nanoseconds
_LATEST = 5_000 * 365 * 86_400 * 1_000_000_000  # nanoseconds: a date has four digits for its year
_NO_TIMES = (
    "A cassette does not say when: startedDateTime counts from the beginning of 1970, one entry behind the other."
)
_VERSION = re.compile(r"HTTP/([0-9])\.([0-9])")

# --- out


def dumps(sessions: Iterable[Session]) -> Iterator[str]:
    """In pieces, one for each entry; each session is a page."""
    log = {
        "version": "1.2",
        "creator": {"name": "openrouter-recorder", "version": __version__},
        "comment": _NO_TIMES,
    }
    yield '{"log":' + _json(log).removesuffix("}") + ',"entries":['
    pages = []
    at = 0
    separator = "\n"
    for session in sessions:
        pages.append(_page(session.name, at))
        for interaction, timing in session.timed():
            received = _received(timing)
            yield separator + _json(_entry(interaction, page=session.name, at=at, received=received))
            separator = ",\n"
            at = min(_LATEST, at + max(_MILLISECOND, interaction.response.duration) + received)
    yield '\n],"pages":' + _json(pages) + "}}\n"


def _json(value: Any) -> str:
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _page(name: str, at: int) -> dict[str, Any]:
    return {"startedDateTime": _date(at), "id": shown(name), "title": shown(name), "pageTimings": {}}


def _date(at: int) -> str:
    moment = _BEGINNING + timedelta(milliseconds=at // _MILLISECOND)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _received(timing: Timing | None) -> int:
    """Nanoseconds from the response's headers to the last piece of its body; 0 where that is not known."""
    return max(0, timing.chunks[-1][0] - timing.headers) if timing and timing.chunks else 0


def _entry(interaction: Interaction, *, page: str, at: int, received: int) -> dict[str, Any]:
    waited, receive = max(0, interaction.response.duration) / _MILLISECOND, received / _MILLISECOND
    entry = {
        "pageref": shown(page),
        "startedDateTime": _date(at),
        "time": waited + receive,
        "request": _request(interaction.request),
        "response": _response(interaction.response),
        "cache": {},
        "timings": {"send": 0, "wait": waited, "receive": receive},
        "_resourceType": "fetch",
    }
    read = _interaction(Place(value=entry, name=""))
    return {**entry, _OURS: extension_field.dumps(interaction, read)}


def _request(request: Request) -> dict[str, Any]:
    told: dict[str, Any] = {
        "method": shown(request.method),
        "url": shown(request.url),
        "httpVersion": shown(request.proto),
        "cookies": [],
        "headers": _headers(request.headers),
        "queryString": [{"name": name, "value": value} for name, value in _query(shown(request.url))],
        "headersSize": -1,
        "bodySize": max(-1, request.content_length),
    }
    if request.body:
        told["postData"] = _post_data(request)
    return told


def _post_data(request: Request) -> dict[str, Any]:
    kind = shown(request.headers.first("Content-Type"))
    try:
        return {"mimeType": kind, "text": request.body.decode()}
    except UnicodeDecodeError:  # HAR has base64 for responses only
        return {"mimeType": kind, "text": "", "comment": f"{len(request.body)} bytes that are no text: see {_OURS}"}


def _query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:  # what is recorded is what was asked for, and that may be no URL
        return []


def _response(response: Response) -> dict[str, Any]:
    return {
        "status": response.code,
        "statusText": shown(response.status.removeprefix(f"{response.code} ")),
        "httpVersion": shown(response.proto),
        "cookies": [],
        "headers": _headers(response.headers),
        "content": _content(response),
        "redirectURL": shown(response.headers.first("Location")),
        "headersSize": -1,
        "bodySize": max(-1, response.content_length),
    }


def _content(response: Response) -> dict[str, Any]:
    told = {"size": len(response.body), "mimeType": shown(response.headers.first("Content-Type"))}
    try:
        return {**told, "text": response.body.decode()}
    except UnicodeDecodeError:
        return {**told, "text": base64.b64encode(response.body).decode(), "encoding": "base64"}


def _headers(fields: Fields) -> list[dict[str, str]]:
    return [{"name": shown(name), "value": shown(value)} for name, values in fields.items() for value in values]


# --- in


def loads(data: bytes, name: str = "<har>", *, now: int = 0) -> Iterator[Found]:
    """What the file holds, entry by entry. `now`: for entries without a time. CassetteError.

    What is no exchange over HTTP is left out: `data:` and `blob:` URLs, WebSockets.
    """
    log = json_loads(data, name).at("log")
    if not log.is_mapping:
        log.refuse("a HAR")
    for entry in log.at("entries").items():
        if entry.at(_OURS).is_mapping:
            yield extension_field.loads(_interaction(entry), entry.at(_OURS))
        elif _is_http(entry):
            yield _exchange(entry, now)


def _is_http(entry: Place) -> bool:
    url, answered = entry.at("request").at("url").text(), entry.at("response")
    became_socket = answered.is_mapping and answered.at("status").value == 101
    return url.lower().startswith(("http://", "https://")) and not became_socket


def _interaction(entry: Place) -> Interaction:
    """An entry of ours, as far as HAR's own fields tell of it."""
    asked, answered = entry.at("request"), entry.at("response")
    code = answered.at("status").integer()
    major, minor = _numbers(asked.at("httpVersion").text())
    answered_major, answered_minor = _numbers(answered.at("httpVersion").text())
    waited = entry.at("timings").at("wait").number()
    return Interaction(
        request=Request(
            method=asked.at("method").text(),
            url=asked.at("url").text(),
            proto=asked.at("httpVersion").text(),
            proto_major=major,
            proto_minor=minor,
            content_length=asked.at("bodySize").integer(),
            body=_posted(asked),
            headers=Fields(_pairs(asked)),
        ),
        response=Response(
            status=f"{code} {answered.at('statusText').text()}",
            code=answered.at("status").integer(),
            duration=min(INT64_MAX, round(waited * _MILLISECOND)),
            proto=answered.at("httpVersion").text(),
            proto_major=answered_major,
            proto_minor=answered_minor,
            content_length=answered.at("bodySize").integer(),
            body=_body(answered.at("content")) or b"",
            headers=Fields(_pairs(answered)),
        ),
    )


def _numbers(proto: str) -> tuple[int, int]:
    match = _VERSION.fullmatch(proto)
    return (int(match[1]), int(match[2])) if match else (1, 1)


def _exchange(entry: Place, now: int) -> Exchange:
    asked, answered = entry.at("request"), entry.at("response")
    answer = None
    if answered.is_mapping and answered.at("status").integer() > 0:  # 0: blocked, or no answer had come
        answer = wire_exchange.Answer(
            code=answered.at("status").integer(),
            reason=_text(answered.at("statusText")),
            http_version=_text(answered.at("httpVersion")),
            headers=_pairs(answered),
            body=_body(answered.at("content")),
            decoded=True,
        )
    return wire_exchange.exchange(
        method=asked.at("method").text(),
        url=asked.at("url").text(),
        http_version=_text(asked.at("httpVersion")),
        headers=_pairs(asked),
        body=_posted(asked),
        answer=answer,
        began=_began(entry, now),
        duration=_nanoseconds(entry.at("timings").at("wait") if entry.at("timings").is_mapping else None),
        ended=_nanoseconds(entry.at("time")),
    )


def _text(place: Place) -> str:
    return place.value if isinstance(place.value, str) else ""


def _nanoseconds(milliseconds: Place | None) -> int:
    return 0 if milliseconds is None else min(INT64_MAX, round(milliseconds.number() * _MILLISECOND))


def _began(entry: Place, now: int) -> int:
    try:
        began = datetime.fromisoformat(_text(entry.at("startedDateTime")))
        since = (began if began.tzinfo else began.replace(tzinfo=UTC)) - _BEGINNING
    except (ValueError, OverflowError):
        return now
    return since // timedelta(microseconds=1) * 1_000 if since >= timedelta() else now


def _pairs(message: Place) -> list[tuple[str, str]]:
    return [(header.at("name").text(), header.at("value").text()) for header in message.at("headers").items()]


def _posted(asked: Place) -> bytes:
    data = asked.at("postData")
    if not data.is_mapping:
        return b""
    text, params = data.at("text"), data.at("params")
    if isinstance(text.value, str) and (text.value or not params.value):
        # No HAR 1.2 has it, but there are programs that write it.
        return _decoded(text, data.at("encoding").value or data.at("_encoding").value)
    if not isinstance(params.value, list):
        return b""
    return urlencode([(item.at("name").text(), _text(item.at("value"))) for item in params.items()]).encode()


def _body(content: Place) -> bytes | None:
    """The answer's body, decoded; None where the file does not hold it, though there was one."""
    if not content.is_mapping:
        return None
    text = content.at("text")
    if isinstance(text.value, str):
        return _decoded(text, content.at("encoding").value)
    return None if content.at("size").number() else b""


def _decoded(text: Place, encoding: Any) -> bytes:
    if encoding != "base64":
        return text.text().encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text.text())
    except (binascii.Error, ValueError):
        text.refuse("base64")
