"""What the tests of the scrubber share: made-up secrets, the encodings that they may come in, and interactions."""

from __future__ import annotations

import base64
import html
import json
import random
import string
from collections.abc import Callable, Iterator
from urllib.parse import quote

from recorder.model import Fields, Interaction, Request, Response
from recorder.wire.exchange import Exchange, WireRequest, WireResponse

URL = "https://openrouter.ai/api/v1/chat/completions"
ALPHANUMERIC = string.ascii_letters + string.digits


def secret_of(seed: int, length: int, alphabet: str = ALPHANUMERIC) -> str:
    chosen = random.Random(seed)
    return "".join(chosen.choice(alphabet) for _ in range(length))


KINDS: dict[str, str] = {
    "openrouter": "sk-or-" + "v1-" + secret_of(1, 64, "0123456789abcdef"),
    "openai": "sk-proj-" + secret_of(2, 60, ALPHANUMERIC + "-_"),
    "anthropic": "sk-ant-" + "api03-" + secret_of(3, 90, ALPHANUMERIC + "-_"),
    "google": "AIza" + secret_of(4, 35),
    "xai": "xai-" + secret_of(5, 80),
    "groq": "gsk_" + secret_of(6, 52),
    "huggingface": "hf_" + secret_of(7, 34, string.ascii_letters),
    "replicate": "r8_" + secret_of(8, 37),
    "langsmith": "lsv2_" + "pt_" + secret_of(9, 32, "0123456789abcdef") + "_" + secret_of(10, 10, "0123456789abcdef"),
    "langfuse": "sk-lf-" + "12345678-1234-4321-8765-" + secret_of(11, 12, "0123456789abcdef"),
    "aws-id": "AKIA" + secret_of(12, 16, string.ascii_uppercase + "234567"),
    "github": "ghp_" + secret_of(13, 36),
    "gitlab": "glpat-" + secret_of(14, 20),
    "slack": "xoxb-" + "123456789012-" + secret_of(15, 24),
    "stripe": "sk_" + "live_" + secret_of(16, 24),
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + secret_of(17, 60) + "." + secret_of(18, 43),
    # Known only because they were sent as a credential.
    "aws-secret": secret_of(19, 40, ALPHANUMERIC + "+/"),
    "uuid": "3f2c8a1e-9b4d-4c7a-8e21-" + secret_of(20, 12, "0123456789abcdef"),
    "password": 'p"w\\d/<&>+%41 é=7',
    "hexadecimal": secret_of(21, 32, "0123456789abcdef"),
    "short": secret_of(22, 9),
}
SHAPELESS = frozenset(("aws-secret", "uuid", "password", "hexadecimal", "short"))


def _json_some(secret: str) -> str:
    """Every third character as `\\u00xx`, slashes as `\\/`."""
    escaped = (f"\\u{ord(c):04X}" if index % 3 == 0 else json.dumps(c)[1:-1] for index, c in enumerate(secret))
    return "".join(escaped).replace("/", "\\/")


def _percent_some(secret: str) -> str:
    return "".join(
        f"%{ord(c):02x}" if c < "\x80" and index % 2 else quote(c, safe="") for index, c in enumerate(secret)
    )


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "percent": _percent_some,
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "json": _json_some,
    "html": lambda secret: "".join(
        f"&#x{ord(c):x};" if index % 4 == 1 else f"&#{ord(c)};" if index % 4 == 2 else html.escape(c)
        for index, c in enumerate(secret)
    ).replace("\\", "&bsol;"),
    "base64": lambda secret: base64.b64encode(b"x" * (len(secret) % 3) + secret.encode()).decode(),
    "hex": lambda secret: secret.encode().hex(),
}


def readings(text: bytes) -> Iterator[bytes]:
    """What a determined reader gets out of a text, by other means than the scrubber's."""
    from html import unescape
    from urllib.parse import unquote_to_bytes

    yield text
    plain = text
    for _ in range(4):
        plain = unquote_to_bytes(plain)
        plain = unescape(plain.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        yield plain
        plain = _json_unescaped(plain)
        yield plain
    alphabet = set((ALPHANUMERIC + "+/-_").encode())
    run = bytearray()
    for code in (*text, 0x20):
        if code in alphabet:
            run.append(code)
            continue
        if len(run) >= 11:
            yield from _decoded(bytes(run))
        run.clear()


def _decoded(run: bytes) -> Iterator[bytes]:
    standard = run.replace(b"-", b"+").replace(b"_", b"/")
    for offset in range(4):
        part = standard[offset:]
        yield base64.b64decode(part[: len(part) - len(part) % 4])
        yield base64.b64decode(part[: len(part) - (len(part) % 4 == 1)] + b"==")
    for offset in range(2):
        digits = bytes(code for code in run[offset:] if chr(code) in string.hexdigits)
        yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _json_unescaped(text: bytes) -> bytes:
    result = bytearray()
    at = 0
    while at < len(text):
        if text[at : at + 2] == b"\\u" and at + 6 <= len(text):
            try:
                result += chr(int(text[at + 2 : at + 6], 16)).encode("utf-8", "surrogatepass")
                at += 6
                continue
            except ValueError:
                pass
        if text[at : at + 1] == b"\\" and text[at + 1 : at + 2] in {b'"', b"\\", b"/"}:
            at += 1
        result += text[at : at + 1]
        at += 1
    return bytes(result)


def exchange(*headers: tuple[str, str], url: str = URL, answers: tuple[tuple[str, str], ...] = ()) -> Exchange:
    """An exchange with the given request headers, and response headers."""

    def fields(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
        return tuple((name.encode(), value.encode()) for name, value in pairs)

    return Exchange(
        request=WireRequest(method="POST", url=url, http_version="HTTP/1.1", headers=fields(headers)),
        response=WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=fields(answers)),
        began=0,
        duration=1,
        chunks=(),
        ended=2,
    )


def interaction(
    *,
    url: str = URL,
    body: bytes = b"{}",
    answer: bytes = b"{}",
    content_type: str = "application/json",
    **fields: Fields,
) -> Interaction:
    """An interaction; `fields`: the request's `headers`, `form` and `trailer`, `answer_headers`, `answer_trailer`."""
    return Interaction(
        request=Request(
            method="POST",
            url=url,
            body=body,
            content_length=len(body),
            headers=fields.get("headers", Fields([("Content-Type", "application/json")])),
            form=fields.get("form", Fields()),
            trailer=fields.get("trailer", Fields()),
        ),
        response=Response(
            status="200 OK",
            code=200,
            duration=1,
            body=answer,
            content_length=len(answer),
            headers=fields.get("answer_headers", Fields([("Content-Type", content_type)])),
            trailer=fields.get("answer_trailer", Fields()),
        ),
    )


def stream(deltas: list[str], key: str = "content") -> bytes:
    """An event stream of chat completion chunks."""
    frames = []
    for delta in deltas:
        chunk = {"id": "gen-1", "choices": [{"index": 0, "delta": {"role": "assistant", key: delta}}]}
        frames.append(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n")
    return b": OPENROUTER PROCESSING\n\n" + "".join(frames).encode() + b"data: [DONE]\n\n"


def added_up(body: bytes, key: str = "content") -> str:
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    return "".join(json.loads(line)["choices"][0]["delta"][key] for line in lines)
