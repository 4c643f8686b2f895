"""vcrpy's cassettes, version 1: written in YAML as vcrpy writes it, read in YAML and in JSON.

What they have no place for stands under `recorder` beside a `request` and its `response`, where vcrpy looks at nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

from recorder.cassette import plain_yaml
from recorder.formats import extension_field, wire_exchange
from recorder.formats.exported_session import shown
from recorder.formats.located_values import Place, json_loads
from recorder.formats.wire_exchange import Found
from recorder.model import Fields, Interaction, Request, Response
from recorder.wire.exchange import Exchange

_OURS = "recorder"

# --- out


def dumps(interactions: Iterable[Interaction]) -> Iterator[str]:
    """In pieces, one for each interaction."""
    some = False
    for interaction in interactions:
        yield ("" if some else "interactions:\n") + plain_yaml.dumps([_written(interaction)])
        some = True
    yield ("" if some else "interactions: []\n") + "version: 1\n"


def _written(interaction: Interaction) -> dict[str, Any]:
    asked, answered = interaction.request, interaction.response
    told = {
        "request": {
            "body": _text_or_bytes(asked.body) or None,
            # vcrpy takes the first value of each.
            "headers": {name: values for name, values in _headers(asked.headers).items() if values},
            "method": shown(asked.method),
            "uri": shown(asked.url),
        },
        "response": {
            "body": {"string": _text_or_bytes(answered.body)},
            "headers": _headers(answered.headers),
            "status": {"code": answered.code, "message": shown(answered.status.removeprefix(f"{answered.code} "))},
        },
    }
    read = _interaction(Place(value=told, name=""))
    return {**told, _OURS: extension_field.dumps(interaction, read)}


def _text_or_bytes(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _headers(fields: Fields) -> dict[str, list[str]]:
    return {shown(name): [shown(value) for value in values] for name, values in fields.items()}


# --- in


def loads(data: bytes, name: str = "<vcrpy>", *, now: int = 0) -> Iterator[Found]:
    """What the file holds, in its order. vcrpy does not say when: `now` stands for it. CassetteError."""
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    file = json_loads(data, name) if is_json else Place(value=plain_yaml.loads(data, name), name=name)
    if not file.is_mapping or not isinstance(file.at("interactions").value, list):
        file.refuse("a cassette of vcrpy's (version: 1, and interactions)")
    for each in file.at("interactions").items():
        if "url" in each.at("request").mapping():
            each.refuse("a cassette of vcrpy's", "one of go-vcr's, which needs no import")
        ours = each.at(_OURS)
        yield extension_field.loads(_interaction(each), ours) if ours.is_mapping else _exchange(each, now)


def _interaction(each: Place) -> Interaction:
    """An interaction of ours, as far as vcrpy's own fields tell of it."""
    asked, answered = each.at("request"), each.at("response")
    code = _code(answered)
    body = _body(asked.at("body"))
    return Interaction(
        request=Request(
            method=asked.at("method").text(),
            url=asked.at("uri").text(),
            content_length=len(body),
            body=body,
            headers=Fields(_pairs(asked)),
        ),
        response=Response(
            status=f"{code} {_message(answered)}",
            code=code,
            duration=0,
            content_length=-1,
            body=_body(answered.at("body").at("string")),
            headers=Fields.of(dict(_values(answered))),
        ),
    )


def _exchange(each: Place, now: int) -> Exchange:
    asked, answered = each.at("request"), each.at("response")
    return wire_exchange.exchange(
        method=asked.at("method").text(),
        url=asked.at("uri").text(),
        http_version="",
        headers=_pairs(asked),
        body=_body(asked.at("body")),
        answer=wire_exchange.Answer(
            code=_code(answered),
            reason=_message(answered),
            http_version=_text(answered.at("http_version")),
            headers=_pairs(answered),
            body=_answered(answered),
            decoded=False,
        ),
        began=now,
    )


def _code(answered: Place) -> int:
    status = answered.at("status")
    place = status.at("code") if status.is_mapping else answered.at("status_code")  # the second: old ones, from httpx
    return place.integer()


def _message(answered: Place) -> str:
    status = answered.at("status")
    return _text(status.at("message")) if status.is_mapping else ""


def _answered(answered: Place) -> bytes:
    body = answered.at("body")
    if not body.is_mapping:
        return _body(answered.at("content") if body.value is None else body)
    encoded = body.at("base64_string")
    if encoded.value is None:
        return _body(body.at("string"))
    try:
        return base64.b64decode(encoded.text())
    except (binascii.Error, ValueError):
        encoded.refuse("base64")


def _body(body: Place) -> bytes:
    """A text, bytes or nothing; of a file or an iterator that was pickled, what was in it."""
    value = body.value
    if isinstance(value, dict):
        parts = next((body.at(name) for name in ("state", "args") if name in value), None)
        first = None if parts is None else next(parts.items(), None)
        return b"" if first is None else _body(first)
    if isinstance(value, list):
        return b"".join(map(_body, body.items()))
    if value is None:
        return b""
    return value if isinstance(value, bytes) else _text(body).encode("utf-8", "surrogatepass")


def _pairs(message: Place) -> list[tuple[str, str]]:
    return [(name, value) for name, values in _values(message) for value in values]


def _values(message: Place) -> Iterator[tuple[str, list[str]]]:
    headers = message.at("headers")
    for name in headers.mapping() if headers.value is not None else ():
        value = headers.at(name)
        yield name, [_text(each) for each in value.items()] if isinstance(value.value, list) else [_text(value)]


def _text(place: Place) -> str:
    """A text, however it is spelled: a file that was edited by hand has plain numbers and flags."""
    value = place.value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, int) else place.text()
