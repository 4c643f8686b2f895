"""The fields of an interaction that another format does not give back, as JSON values in one field of ours.

Which they are is not listed anywhere: what the format's own reader makes of what was just written is compared with
what was to be written. So nothing is lost, and nothing is there twice.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from recorder.cassette.schema import REQUEST, RESPONSE, Kind
from recorder.formats.located_values import Place
from recorder.model import Fields, Interaction, Request, Response

Message = TypeVar("Message", Request, Response)


def dumps(whole: Interaction, read: Interaction) -> dict[str, Any]:
    """What `read` lacks of `whole`; `loads(read, …)` of it is `whole`."""
    return {
        "request": _lacking(whole.request, read.request, REQUEST),
        "response": _lacking(whole.response, read.response, RESPONSE),
    }


def loads(read: Interaction, beside: Place) -> Interaction:
    """CassetteError if it is none of ours."""
    return Interaction(
        request=_completed(read.request, beside.at("request"), REQUEST),
        response=_completed(read.response, beside.at("response"), RESPONSE),
    )


def _lacking(whole: Message, read: Message, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    return {name: _written(getattr(whole, name)) for name in kinds if getattr(whole, name) != getattr(read, name)}


def _completed(read: Message, beside: Place, kinds: Mapping[str, Kind]) -> Message:
    given: dict[str, Any] = {}
    for name in beside.mapping():
        if name in kinds:  # another version may have more
            given[name] = _read(kinds[name], beside.at(name))
    return replace(read, **given)


def _written(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if isinstance(value, Fields):
        return [[_written(name), _written(values)] for name, values in value.items()]
    return value


def _text(raw: bytes) -> Any:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _read(kind: Kind, value: Place) -> Any:
    match kind:
        case Kind.TEXT:
            return _string(value)
        case Kind.BODY:
            return _bytes(value)
        case Kind.NUMBER | Kind.DURATION:
            return value.integer()
        case Kind.FLAG:
            return value.flag()
        case Kind.LIST:
            return tuple(map(_string, value.items()))
        case Kind.FIELDS:
            return Fields.of(dict(map(_field, value.items())))


def _field(pair: Place) -> tuple[str, tuple[str, ...]]:
    parts = list(pair.items())
    if len(parts) != 2:
        pair.refuse("a name and its values")
    return _string(parts[0]), tuple(map(_string, parts[1].items()))


def _string(value: Place) -> str:
    return _bytes(value).decode("utf-8", "surrogateescape")


def _bytes(value: Place) -> bytes:
    if not value.is_mapping:
        return value.text().encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(value.at("base64").text(), validate=True)
    except (binascii.Error, ValueError):
        value.refuse("base64")
