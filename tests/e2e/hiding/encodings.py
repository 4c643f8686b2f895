"""The ways in which a server or a client may write a secret."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Callable
from urllib.parse import quote


def _utf16(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [raw[at] << 8 | raw[at + 1] for at in range(0, len(raw), 2)]


ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": lambda secret: secret,
    "percent": lambda secret: "".join(f"%{code:02X}" for code in secret.encode()),
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "JSON": lambda secret: "".join(f"\\u{unit:04x}" for unit in _utf16(secret)),
    "HTML": lambda secret: "".join(f"&#{ord(c)};" for c in secret),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "hex": lambda secret: secret.encode().hex(),
}
"""Those of the table: 7."""

MORE_ENCODINGS: dict[str, Callable[[str], str]] = {
    "percent, lower case, in part": lambda secret: "".join(
        f"%{ord(c):02x}" if at % 3 == 1 and c < "\x80" else quote(c, safe="") for at, c in enumerate(secret)
    ),
    "percent three times": lambda secret: quote(quote(quote(secret, safe=""), safe=""), safe=""),
    "JSON, in part": lambda secret: "".join(
        f"\\u{ord(c):04X}" if at % 3 == 0 else json.dumps(c, ensure_ascii=False)[1:-1] for at, c in enumerate(secret)
    ).replace("/", "\\/"),
    "JSON in JSON": lambda secret: json.dumps(json.dumps({"k": secret}))[1:-1],
    "HTML, hex": lambda secret: "".join(f"&#x{ord(c):X};" for c in secret),
    "HTML, names": lambda secret: html.escape(secret).replace("-", "&#45;").replace("_", "&lowbar;"),
    "base64, one off": lambda secret: base64.b64encode(b":" + secret.encode()).decode(),
    "base64, two off": lambda secret: base64.b64encode(b"u:" + secret.encode() + b"\n").decode(),
    "base64url, bare": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "base64 twice": lambda secret: base64.b64encode(base64.b64encode(secret.encode())).decode(),
    "base64 of JSON": lambda secret: base64.b64encode(
        json.dumps({"user": "somebody", "api": {"key": secret}, "more": list(range(20))}).encode()
    ).decode(),
    "base64 of UTF-16": lambda secret: base64.b64encode(secret.encode("utf-16-le")).decode(),
    "base64 of gzip": lambda secret: base64.b64encode(
        gzip.compress(f"{secret}\n{secret}\n".encode(), mtime=0)
    ).decode(),
    "base64 in lines": lambda secret: base64.encodebytes(f"user={secret}&rest={'x' * 60}".encode()).decode(),
    "hex, upper case": lambda secret: secret.encode().hex().upper(),
    "hex, \\x": lambda secret: "".join(f"\\x{code:02x}" for code in secret.encode()),
    "hex of base64": lambda secret: base64.b64encode(secret.encode()).hex(),
    "percent of base64": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
    "Python bytes": lambda secret: repr(secret.encode()),
}
