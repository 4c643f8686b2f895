"""The upstream of `scripts/bench`: TLS, HTTP/1.1, a thread for each connection, and as little else as can be.

Nothing here may be slower than the proxies that are measured: bodies are made beforehand, every chunk is one write and
so one TLS record. `bench_upstream.py FOLDER` writes `upstream-ca.pem` there, says its port, and serves until its
standard input closes.

    GET or POST /small                          a JSON answer of 1 KB
    GET or POST /stream/CHUNKS/SIZE/PAUSE       an event stream; PAUSE in microseconds between two chunks, 0 for none
"""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

import trustme

CHUNK = 330  # bytes, as OpenRouter's are
# Seconds and nanoseconds of the monotonic clock, which processes of one machine share. In two, because a long number
# that is new in every chunk would be one more run of characters to search, which no real stream has. Each with a 1 in
# front: JSON has no numbers that start with 0.
_STAMP = b'"sent":[1%06d,1%09d]'
_SPREAD = 8
_streams = itertools.count()
_END = b"data: [DONE]\n\n"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nCache-Control: no-cache\r\nServer: bench\r\n%b\r\n\r\n"


def main(folder: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    (folder / "upstream-ca.pem").write_bytes(ca.cert_pem.bytes())
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, context), daemon=True).start()
    sys.stdin.read()


def _accept(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(accepted, context), daemon=True).start()


def _serve(accepted: socket.socket, context: ssl.SSLContext) -> None:
    try:
        with context.wrap_socket(accepted, server_side=True) as link:
            while target := _target(link):
                _answer(link, target)
    except OSError:
        pass  # the client has gone


def _target(link: ssl.SSLSocket) -> str:
    """Read one request; its target, "" where there is none any more."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        if not piece:
            return ""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    left = _length(head) - len(body)
    while left > 0:
        left -= len(link.recv(65536))
    return head.split(b" ", 2)[1].decode()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _answer(link: ssl.SSLSocket, target: str) -> None:
    kind, *numbers = target.strip("/").split("/")
    if kind == "small":
        link.sendall(_SMALL)
        return
    chunks, size, pause = map(int, numbers)
    link.sendall(_HEAD % (b"text/event-stream", b"Transfer-Encoding: chunked"))
    before, after = _event(size)
    # Streams that began together are spread over a pause, from their second chunk on. Else each waits for those of
    # the others, and longest in the proxy that was the quickest to begin them.
    spread = next(_streams) % _SPREAD / _SPREAD
    began = time.monotonic()
    for number in range(chunks):
        if number and pause and (wait := began + (number + spread) * pause / 1e6 - time.monotonic()) > 0:
            time.sleep(wait)
        link.sendall(before + _STAMP % divmod(time.monotonic_ns(), 10**9) + after)
    link.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(_END), _END))


def _event(size: int) -> tuple[bytes, bytes]:
    """A chunk whose event has `size` bytes, without its stamp: what stands before that, and after."""
    before = (
        b'data: {"id":"gen-1758707375-0123456789","provider":"xAI","model":"x-ai/grok-code-fast-1",'
        b'"object":"chat.completion.chunk","created":1758707375,'
    )
    delta = b',"choices":[{"index":0,"delta":{"role":"assistant","content":"%b"},"finish_reason":null}]}\n\n'
    fill = size - len(before) - len(_STAMP % (0, 0)) - len(delta % b"")
    after = delta % (b" weather" * (fill // 8 + 1))[:fill]
    assert len(before) + len(_STAMP % (0, 0)) + len(after) == size
    return b"%x\r\n%b" % (size, before), after + b"\r\n"


def _small() -> bytes:
    words = "It's mild in Florence today, with a light wind from the sea. "
    body = json.dumps({
        "id": "gen-1758707375-0123456789", "provider": "xAI", "model": "x-ai/grok-code-fast-1",
        "object": "chat.completion", "created": 1758707375,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": words * 10}}],
        "usage": {"prompt_tokens": 25, "completion_tokens": 150, "total_tokens": 175, "cost": 0.00012},
    }).encode()  # fmt: skip
    return _HEAD % (b"application/json", b"Content-Length: %d" % len(body)) + body


_SMALL = _small()

if __name__ == "__main__":
    main(Path(sys.argv[1]))
