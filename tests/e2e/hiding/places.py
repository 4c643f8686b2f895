"""Where in an exchange a secret may stand. A place writes what it is given in its own way: JSON escapes quotes."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import brotli  # type: ignore[import-untyped]  # it has none
import zstandard

KEPT = ("X-Kept", "Location", "Link")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """What is sent both ways. `pieces`: the answer's body as it is written. `cut`: it breaks off."""

    method: str = "POST"
    target: str = "/v1/chat"
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    body: bytes = b"{}"
    status: str = "200 OK"
    answer_headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    pieces: tuple[bytes, ...] = (b"{}",)
    cut: bool = False


Place = Callable[[str], Exchanged]


def _json(text: str) -> str:
    """As the inside of a JSON string: what can be that already stays."""
    try:
        json.loads(f'"{text}"')
    except ValueError:
        return json.dumps(text, ensure_ascii=False)[1:-1]
    return text


def _url(text: str) -> str:
    return text if re.fullmatch(r"(?:[\w.~+/:=-]|%[0-9A-Fa-f]{2})+", text, re.ASCII) else quote(text, safe="")


def _line(text: str) -> str:
    return text if re.fullmatch(r"[ -~]+", text) else quote(text, safe="")


def _in_json(text: str) -> bytes:
    return f'{{"id":"x-1","note":"so: {_json(text)} and more","after":[1,null]}}'.encode()


def _event(delta: object, **more: object) -> bytes:
    frame = {"id": "gen-1", **more, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return f"data: {json.dumps(frame, ensure_ascii=False)}\n\n".encode()


_DONE = b"data: [DONE]\n\n"
_STREAM = (("Content-Type", "text/event-stream"),)


def _pieces(text: str, size: int = 7) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _deltas(text: str) -> tuple[bytes, ...]:
    said = ["so: ", *_pieces(text), " and more"]
    return (*(_event({"role": "assistant", "content": part}) for part in said), _DONE)


def _arguments(text: str) -> tuple[bytes, ...]:
    """JSON in JSON, in pieces, as a tool is called."""
    arguments = json.dumps({"command": "env", "output": text}, ensure_ascii=False)
    calls = ({"index": 0, "function": {"arguments": part}} for part in _pieces(arguments, 9))
    return (*(_event({"tool_calls": [call]}) for call in calls), _DONE)


def _anthropic(text: str, key: str = "text", kind: str = "text_delta") -> tuple[bytes, ...]:
    frames = (
        {"type": "content_block_delta", "index": 0, "delta": {"type": kind, key: part}} for part in _pieces(text, 5)
    )
    return (
        *(f"event: content_block_delta\ndata: {json.dumps(frame)}\n\n".encode() for frame in frames),
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    )


def _gemini(text: str) -> tuple[bytes, ...]:
    frames = ({"candidates": [{"content": {"parts": [{"text": part}], "role": "model"}}]} for part in _pieces(text, 11))
    return tuple(f"data: {json.dumps(frame)}\r\n\r\n".encode() for frame in frames)


def _responses(text: str) -> tuple[bytes, ...]:
    frames = [
        {"type": "response.output_text.delta", "item_id": "m", "sequence_number": number, "delta": part}
        for number, part in enumerate(_pieces(text, 6))
    ]
    frames.append({"type": "response.completed", "response": {"output": [{"content": [{"text": f"so: {text}"}]}]}})
    return tuple(f"data: {json.dumps(frame, ensure_ascii=False)}\n\n".encode() for frame in frames)


def _lines(text: str) -> tuple[bytes, ...]:
    return tuple(json.dumps({"message": {"content": part}, "done": False}).encode() + b"\n" for part in _pieces(text))


def _form(name: str, text: str) -> Exchanged:
    return Exchanged(
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        body=f"alt=sse&{name}={_url(text)}&n=1".encode(),
    )


def _multipart(text: str) -> Exchanged:
    body = (
        '--b0\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
        f'--b0\r\nContent-Disposition: form-data; name="file"; filename="env.txt"\r\n\r\nso: {text}\r\n--b0--\r\n'
    )
    return Exchanged(headers=(("Content-Type", "multipart/form-data; boundary=b0"),), body=body.encode())


def _answer(body: bytes, content_type: str = "application/json", *headers: tuple[str, str]) -> Exchanged:
    return Exchanged(pieces=(body,), answer_headers=(("Content-Type", content_type), *headers))


def _encoded(encoding: str, pack: Callable[[bytes], bytes]) -> Place:
    return lambda text: _answer(pack(_in_json(text)), "application/json", ("Content-Encoding", encoding))


def _packed(content_type: str, pack: Callable[[bytes], bytes]) -> Place:
    return lambda text: _answer(pack(_in_json(text)), content_type)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _gzip_stream(text: str) -> Exchanged:
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in _deltas(text)]
    return Exchanged(pieces=(*pieces, packer.flush()), answer_headers=(*_STREAM, ("Content-Encoding", "gzip")))


PLACES: dict[str, Place] = {
    "path": lambda text: Exchanged(method="GET", target=f"/v1/{_url(text)}/x", body=b""),
    "query": lambda text: Exchanged(method="GET", target=f"/v1?alt=sse&q={_url(text)}&n=1", body=b""),
    "kept request header": lambda text: Exchanged(headers=(("X-Kept", _line(text)),)),
    "request body": lambda text: Exchanged(body=_in_json(text)),
    "urlencoded form": lambda text: _form("note", text),
    "multipart form": _multipart,
    "kept response header": lambda text: Exchanged(
        answer_headers=(("Content-Type", "application/json"), ("X-Kept", f"so, {_line(text)}"))
    ),
    "response body": lambda text: _answer(_in_json(text)),
    "HTML": lambda text: _answer(f"<p>so: {text}</p>\n😀\n".encode(), "text/html"),
    "deltas": lambda text: Exchanged(pieces=_deltas(text), answer_headers=_STREAM),
    "tool call": lambda text: Exchanged(pieces=_arguments(text), answer_headers=_STREAM),
    "incomplete stream": lambda text: Exchanged(pieces=_deltas(text)[:-1], answer_headers=_STREAM, cut=True),
}
"""Those of the table: 12."""

MORE_PLACES: dict[str, Place] = {
    "?key=": lambda text: Exchanged(method="GET", target=f"/v1/models?key={_url(text)}&alt=sse", body=b""),
    "?api_key=": lambda text: Exchanged(method="GET", target=f"/v1/models?api_key={_url(text)}", body=b""),
    "?sig=": lambda text: Exchanged(method="GET", target=f"/v1?sv=2024-01-01&sig={_url(text)}&se=1", body=b""),
    "token of a form": lambda text: _form("access_token", text),
    "redirect": lambda text: Exchanged(
        status="307 Temporary Redirect",
        answer_headers=(("Location", f"https://h.example/cb#access_token={_url(text)}"),),
    ),
    "link": lambda text: Exchanged(
        answer_headers=(("Link", f'<https://h.example/?page=2&k={_url(text)}>; rel="next"'),)
    ),
    "reason": lambda text: Exchanged(status=f"401 Bad key {_line(text)}"),
    "error": lambda text: Exchanged(
        status="401 Unauthorized",
        pieces=(f'{{"error":{{"message":"Incorrect API key provided: {_json(text)}.","code":401}}}}'.encode(),),
    ),
    "key of an object": lambda text: _answer(f'{{"{_json(text)}":1}}'.encode()),
    "field": lambda text: _answer(f'{{"user":"u","api_key":"{_json(text)}","n":1}}'.encode()),
    "URL in JSON": lambda text: _answer(f'{{"url":"https://user:{_url(text)}@h.example/x?y=1"}}'.encode()),
    "shell": lambda text: _answer(_in_json(f"export SOME_API_KEY='{text}'\ncurl -H 'Authorization: Bearer {text}'")),
    "XML": lambda text: _answer(f"<a><token>{text}</token></a>".encode(), "application/xml"),
    "CSV": lambda text: _answer(f'name,key\r\nx,"{text}"\r\n'.encode(), "text/csv"),
    "image": lambda text: _answer(b"\x89PNG\r\n\x1a\n\0\xff" + text.encode() + b"\0\xfe\x01", "image/png"),
    "gzip": _encoded("gzip", _gzip),
    "deflate": _encoded("deflate", zlib.compress),
    "br": _encoded("br", brotli.compress),
    "zstd": _encoded("zstd", zstandard.ZstdCompressor().compress),
    "gzip in blocks": _gzip_stream,
    "gzip file": _packed("application/gzip", _gzip),
    "gzip, not said": _packed("application/json", _gzip),
    "bzip2 file": _packed("application/x-bzip2", bz2.compress),
    "xz file": _packed("application/octet-stream", lzma.compress),
    "zstd file": _packed("application/octet-stream", zstandard.ZstdCompressor().compress),
    "gzip request": lambda text: Exchanged(
        headers=(("Content-Type", "application/json"), ("Content-Encoding", "gzip")), body=_gzip(_in_json(text))
    ),
    "UTF-16": lambda text: _answer(f"so: {text} and more".encode("utf-16"), "text/plain; charset=utf-16"),
    "UTF-16, big": lambda text: _answer(f"so: {text} and more".encode("utf-16-be"), "text/plain; charset=utf-16be"),
    "UTF-32": lambda text: _answer(f"so: {text} and more".encode("utf-32"), "text/plain; charset=utf-32"),
    "UTF-16 request": lambda text: Exchanged(body=_in_json(text).decode().encode("utf-16")),
    "JSON by lines": lambda text: Exchanged(
        pieces=_lines(text), answer_headers=(("Content-Type", "application/x-ndjson"),)
    ),
    "Anthropic": lambda text: Exchanged(pieces=_anthropic(text), answer_headers=_STREAM),
    "Anthropic's tools": lambda text: Exchanged(
        pieces=_anthropic(json.dumps({"a": text}), "partial_json", "input_json_delta"), answer_headers=_STREAM
    ),
    "Gemini": lambda text: Exchanged(pieces=_gemini(text), answer_headers=_STREAM),
    "Responses": lambda text: Exchanged(pieces=_responses(text), answer_headers=_STREAM),
    "comment of a stream": lambda text: Exchanged(
        pieces=(f": so {_line(text)}\n\n".encode(), *_deltas("x")), answer_headers=_STREAM
    ),
    "cut JSON": lambda text: Exchanged(pieces=(_in_json(text)[:-12],), cut=True),
    "cut gzip": lambda text: Exchanged(
        pieces=_gzip_stream(text).pieces[:-2], answer_headers=(*_STREAM, ("Content-Encoding", "gzip")), cut=True
    ),
}
