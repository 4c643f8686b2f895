"""URLs and forms as Go's `net/url` reads and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from recorder.model import Fields

_URL: Final = re.compile(r"(?P<origin>[^/?#]*://[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)


_PATH_BYTES: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~$&+,/:;=@!'()*[]%")


_PATH_KEPT: Final = _PATH_BYTES - frozenset(b"!'()*[]%")


_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")


def text(raw: bytes) -> str:
    """Bytes of the wire as the model keeps them: Go's strings hold any bytes, ours those that are not UTF-8 escaped."""
    return raw.decode("utf-8", "surrogateescape")


def go_url(url: str) -> str:
    """`url` as Go prints it (`url.Parse`, `URL.String`): a path with bytes that Go escapes is unescaped and escaped."""
    match = _URL.fullmatch(url)
    if match is None:
        return url
    path = match["path"].encode("utf-8", "surrogateescape")
    if all(byte in _PATH_BYTES for byte in path) or not _is_escaped(path):
        return url
    escaped = "".join(chr(byte) if byte in _PATH_KEPT else f"%{byte:02X}" for byte in unquote_to_bytes(path))
    return match["origin"] + escaped + match["rest"]


def form(method: str, url: str, content_type: str, body: bytes) -> Fields:
    """`Request.Form` after `ParseForm`: for each name the values of the body, then those of the query.

    go-vcr does not record what `ParseForm` refuses (a `;`, a broken escape); here such a pair is left out, as
    `ParseForm` leaves it out. A multipart body has no part in it: go-vcr does not call `ParseMultipartForm`.
    """
    pairs: list[tuple[str, str]] = []
    urlencoded = content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    if urlencoded and method in ("POST", "PUT", "PATCH"):
        pairs.extend(_parse_query(body))
    query = url.partition("#")[0].partition("?")[2]
    pairs.extend(_parse_query(query.encode("utf-8", "surrogateescape")))
    return Fields(pairs)


def _parse_query(query: bytes) -> Iterator[tuple[str, str]]:
    """`url.ParseQuery`, without what it reports as an error."""
    for pair in query.split(b"&"):
        if not pair or b";" in pair:
            continue
        name, _, value = pair.partition(b"=")
        if _is_escaped(name) and _is_escaped(value):
            yield _unescape(name), _unescape(value)


def _is_escaped(raw: bytes) -> bool:
    return "%" not in _ESCAPE.sub("", raw.decode("latin-1"))


def _unescape(raw: bytes) -> str:
    return text(unquote_to_bytes(raw.replace(b"+", b" ")))
