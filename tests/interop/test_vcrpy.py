"""vcrpy itself as the judge: it replays what we export for it; what it records, we import, and go-vcr replays."""

from __future__ import annotations

import gzip
import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import openai
import pytest
import requests
import vcr

from recorder import cassette
from recorder.formats import vcrpy
from recorder.model import Interaction
from recorder.simulator import Upstream
from tests.cassette.strategies import plain_interaction
from tests.e2e.sockets import KEY
from tests.interop.building import GO, GO_VCR, build
from tests.interop.importing import recorder_import
from tests.interop.test_go_replays import KEPT, converse

URL = "https://openrouter.ai/api/v1/chat/completions"
STREAM = 'data: {"choices":[{"delta":{"content":"Olá 😀\\t"}}]}\r\n\r\n: ping \n\ndata: [DONE]\n\n'.encode()
BINARY = bytes(range(256))
BODIES = (
    b"{}",
    STREAM,
    b"",
    BINARY,
    b"\xff\xfe\x00 not text",
    b" ends \n\n\xc2\x85 \xe2\x80\xa8",
    b"null",
    b"=",
    b"12",
)

Answer = tuple[int, str, list[str], bytes]
Client = Callable[[str, str, bytes], Answer]


def by_requests(method: str, url: str, body: bytes) -> Answer:
    got = requests.request(method, url, data=body, headers=SENT, timeout=5)
    return got.status_code, got.reason, [got.headers["Content-Type"]], got.content


def by_httpx(method: str, url: str, body: bytes) -> Answer:
    with httpx.Client(trust_env=False) as client:
        got = client.request(method, url, content=body, headers=SENT)
    return got.status_code, got.reason_phrase, got.headers.get_list("content-type"), got.content


SENT = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
clients = pytest.mark.parametrize("client", [by_requests, by_httpx])


def interaction(number: int, asked: bytes, body: bytes) -> Interaction:
    one = plain_interaction(body)
    request = replace(one.request, url=f"{URL}?n={number}", body=asked, content_length=len(asked))
    return replace(one, request=request, response=replace(one.response, code=201, status="201 Created"))


@clients
def test_vcrpy_replays_what_we_export(tmp_path: Path, client: Client) -> None:
    kept = [interaction(number, asked, body) for number, body in enumerate(BODIES) for asked in (b"{}", BINARY)]
    path = tmp_path / "exported.yaml"
    path.write_text("".join(vcrpy.dumps(kept)), encoding="utf-8")
    with vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri", "raw_body"]) as tape:
        for each in kept:
            got = client(each.request.method, each.request.url, each.request.body)
            assert (201, "Created", ["text/event-stream"], each.response.body) == got
        assert tape.all_played


# --- the other way


class _Server(BaseHTTPRequestHandler):
    """Answers with the path's body: compressed, binary, a stream; over HTTP/1.1, as it comes."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.rpartition("/")[2]
        body = {"gzip": gzip.compress(b'{"zipped":true}', mtime=0), "binary": BINARY, "stream": STREAM}[kind]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if kind == "stream" else "application/json")
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Set-Cookie", "session=0123456789abcdef0123456789abcdef")
        if kind == "stream":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@clients
@pytest.mark.parametrize("serializer", ["yaml", "json"])
def test_what_vcrpy_records_is_imported(tmp_path: Path, server: str, client: Client, serializer: str) -> None:
    file = tmp_path / f"recorded.{serializer}"
    # vcrpy's JSON has no way to say bytes that are no text.
    kinds = ["gzip", "binary", "stream"] if serializer == "yaml" else ["stream"]
    with vcr.use_cassette(str(file), serializer=serializer, record_mode="all"):
        for kind in kinds:
            client("POST", f"{server}/{kind}", b'{"model":"x"}')
    assert KEY in file.read_text("utf-8")
    written = recorder_import(tmp_path, "vcrpy", file, host="127.0.0.1")
    assert KEY.encode() not in written.read_bytes()
    found = {each.request.url.rpartition("/")[2]: each for each in cassette.loads(written.read_bytes()).interactions}
    assert kinds == list(found)
    for kind, body in {"gzip": b'{"zipped":true}', "binary": BINARY, "stream": STREAM}.items():
        if kind in found:
            assert body == found[kind].response.body
            assert b'{"model":"x"}' == found[kind].request.body
            assert 13 == found[kind].request.content_length
            assert ["Content-Type"] == list(found[kind].response.headers)
    if "gzip" in found:
        assert (True, -1) == (found["gzip"].response.uncompressed, found["gzip"].response.content_length)
        assert 256 == found["binary"].response.content_length
    assert (("chunked",), -1) == (found["stream"].response.transfer_encoding, found["stream"].response.content_length)


@pytest.mark.parametrize("version", sorted(GO_VCR))
def test_go_replays_what_vcrpy_recorded(tmp_path: Path, upstream: Upstream, version: str) -> None:
    """A conversation of the `openai` client, recorded by vcrpy and imported: go-vcr answers openai-go with the same."""
    file, sent = tmp_path / "recorded.yaml", list[httpx.Request]()
    trust = ssl.create_default_context(cafile=upstream.ca_file)
    http = openai.DefaultHttpxClient(verify=trust, trust_env=False, event_hooks={"request": [sent.append]})
    with (
        vcr.use_cassette(str(file), record_mode="all"),
        openai.OpenAI(base_url=upstream.base_url, api_key=KEY, http_client=http, max_retries=0) as client,
    ):
        turns = [turn for stream in (True, False) for turn in converse(client, stream=stream)]
    written = recorder_import(tmp_path, "vcrpy", file, host="127.0.0.1")
    told = {
        "cassette": str(written.with_suffix("")),
        "base_url": upstream.base_url,
        "sent": [request.content.decode() for request in sent],
        "headers": [{name: request.headers[name] for name in KEPT} for request in sent],
        "turns": turns,
    }
    recorded = tmp_path / "recorded.json"
    recorded.write_text(json.dumps(told), encoding="utf-8")
    program = build(GO / "nethttp", tmp_path / "replay", GO_VCR[version], test="./replay")
    ran = subprocess.run(
        [program, "-test.v"],
        cwd=tmp_path,
        env={**os.environ, "RECORDED": str(recorded)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == ran.returncode, ran.stdout
    for name in ("TestJSONMatcher", "TestDefaultMatcher"):
        assert f"--- PASS: {name} " in ran.stdout
