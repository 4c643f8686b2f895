"""`mitmdump -s addons/record.py` with nothing but mitmdump's own options: live, in reverse, and over stored flows."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recorder.simulator import Upstream, start
from tests.e2e.cassettes import interactions
from tests.e2e.processes import PATIENCE, ROOT, clean_environment, wait_for
from tests.e2e.sockets import KEY, Http1, Http2, dialled, tunnelled

ADDON = str(ROOT / "addons" / "record.py")
REPLAY = str(ROOT / "addons" / "replay.py")
MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))
CHAT = "/api/v1/chat/completions"
QUESTION = (
    b'{"model":"x-ai/grok-code-fast-1","stream":true,"messages":[{"role":"user","content":"Hi"}],'
    b'"stream_options":{"include_usage":true}}'
)
LISTENING = re.compile(r"listening at (?:http://)?127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitmdump:
    """mitmdump in `folder`, which is not the checkout; its CA lies in `certs`."""

    folder: Path
    certs: Path

    def command(self, *options: str, **settings: object) -> list[str]:
        told = {"confdir": self.certs, "listen_host": "127.0.0.1", "listen_port": 0, **settings}
        return [MITMDUMP, *options, *(part for name, value in told.items() for part in ("--set", f"{name}={value}"))]

    def run(self, *options: str, **settings: object) -> subprocess.CompletedProcess[str]:
        """To its end."""
        return subprocess.run(
            self.command(*options, **settings),
            cwd=self.folder,
            env=clean_environment(self.folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    @contextmanager
    def serving(self, *options: str, **settings: object) -> Iterator[int]:
        """The port that it listens on. In the end it is asked to stop, and has to do so with status 0."""
        log = self.folder / "mitmdump.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(*options, **settings),
                cwd=self.folder,
                env=clean_environment(self.folder, PYTHONUNBUFFERED="1"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            wait_for("mitmdump", lambda: LISTENING.search(log.read_text()) or process.poll() is not None)
            listening = LISTENING.search(log.read_text())
            assert listening, log.read_text()
            yield int(listening[1])
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(PATIENCE), log.read_text()
        finally:
            process.kill()
            process.wait()

    @property
    def ca(self) -> Path:
        return self.certs / "mitmproxy-ca-cert.pem"

    @property
    def log(self) -> str:
        return (self.folder / "mitmdump.log").read_text()


@pytest.fixture
def mitmdump(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Mitmdump:
    folder = tmp_path / "somewhere else"
    folder.mkdir()
    return Mitmdump(folder=folder, certs=tmp_path_factory.getbasetemp() / "mitmdump-certs")


def trusting(upstream: Upstream) -> dict[str, object]:
    return {"record_hosts": "localhost", "ssl_verify_upstream_trusted_ca": upstream.ca_file}


def converse(mitmdump: Mitmdump, port: int, upstream: Upstream) -> None:
    """Streams, compressed and not, a failure, a length, a HEAD, no body; all of it over HTTP/1.1 and HTTP/2."""
    authority = f"localhost:{upstream.port}"
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    for alpn in ("http/1.1", "h2"):
        with tunnelled(port, mitmdump.ca, host="localhost", to_port=upstream.port, alpn=alpn) as link:
            client = Http2(link, authority=authority) if alpn == "h2" else Http1(link, authority=authority)
            assert 200 == client.ask("POST", CHAT, QUESTION, {**headers, "X-Sim": "chunks=3"}).status
            packed = {**headers, "X-Sim": "chunks=3, encoding=gzip", "Accept-Encoding": "gzip"}
            assert 200 == client.ask("POST", CHAT, QUESTION, packed).status
            assert 429 == client.ask("POST", CHAT, QUESTION, {**headers, "X-Sim": "error=429"}).status
            assert 200 == client.ask("GET", f"/sim/bytes?q={alpn}", headers={"X-Sim": "body-bytes=999"}).status
            assert 200 == client.ask("HEAD", "/api/v1/models", headers=headers).status
            assert 204 == client.ask("GET", "/sim/status/204", headers=headers).status


CONVERSED = 12


def without_durations(cassette: Path) -> list[dict[str, Any]]:
    found = interactions(cassette)
    for interaction in found:
        assert re.fullmatch(r"[0-9.]+(?:s|ms|µs)", interaction["response"].pop("duration"))
    return found


def test_it_records_in_regular_mode_and_over_stored_flows_alike(mitmdump: Mitmdump) -> None:
    """The same conversation twice, with the same server at the same port: live, and stored first and recorded later."""
    live, stored = mitmdump.folder / "cassettes" / "live.yaml", mitmdump.folder / "cassettes" / "stored.yaml"
    with start(seed="7") as upstream, mitmdump.serving("-s", ADDON, session="live", **trusting(upstream)) as port:
        converse(mitmdump, port, upstream)
        assert CONVERSED == len(interactions(live))  # all of it, before it stops
    assert f"{live.relative_to(mitmdump.folder)}: {CONVERSED} interactions" in mitmdump.log
    assert CONVERSED == mitmdump.log.count("recorded #")  # a line for each, and none that it was streamed
    assert "Streaming response" not in mitmdump.log
    with (
        start(seed="7", port=upstream.port) as again,
        mitmdump.serving("-w", "flows", ssl_verify_upstream_trusted_ca=again.ca_file) as port,
    ):
        converse(mitmdump, port, again)
    ended = mitmdump.run("-nr", "flows", "-s", ADDON, session="stored", record_hosts="localhost")
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert CONVERSED == len(interactions(live))
    assert without_durations(live) == without_durations(stored)
    for cassette in (live, stored):
        assert KEY not in cassette.read_text()
        assert 0o600 == cassette.stat().st_mode & 0o777


def test_it_records_in_reverse_mode(mitmdump: Mitmdump, upstream: Upstream) -> None:
    mode = ("--mode", f"reverse:https://localhost:{upstream.port}")
    with mitmdump.serving("-s", ADDON, *mode, session="reverse", **trusting(upstream)) as port, dialled(port) as link:
        client = Http1(link, authority=f"127.0.0.1:{port}")
        answer = client.ask("POST", CHAT, QUESTION, {"Authorization": f"Bearer {KEY}", "X-Sim": "chunks=3"})
        cassette = mitmdump.folder / "cassettes" / "reverse.yaml"
        [recorded] = interactions(cassette)
    assert f"https://localhost:{upstream.port}{CHAT}" == recorded["request"]["url"]
    assert answer.body.decode() == recorded["response"]["body"]
    assert KEY not in cassette.read_text()


def test_it_tunnels_other_hosts_unopened(mitmdump: Mitmdump, upstream: Upstream) -> None:
    """By default openrouter.ai is recorded, and nothing else."""
    assert upstream.ca_file is not None
    with (
        mitmdump.serving("-s", ADDON, session="other") as port,
        tunnelled(port, upstream.ca_file, host="localhost", to_port=upstream.port) as link,
    ):
        assert 200 == Http1(link, authority="localhost").ask("GET", "/api/v1/models").status
    assert not (mitmdump.folder / "cassettes" / "other.yaml").exists()


def test_each_option_does_what_it_says(mitmdump: Mitmdump, upstream: Upstream) -> None:
    options = {
        **trusting(upstream),
        "session": "deep/er",
        "cassette_dir": "kept here",
        "record_hosts": "example.com, localhost",
        "layout": "charm",
        "keep_headers": "X-One, Server",
    }
    with (
        mitmdump.serving("-s", ADDON, **options) as port,
        tunnelled(port, mitmdump.ca, host="localhost", to_port=upstream.port) as link,
    ):
        client = Http1(link, authority="localhost")
        assert 200 == client.ask("GET", "/api/v1/models", headers={"X-One": "1", "X-Two": "2"}).status
    cassette = mitmdump.folder / "kept here" / "deep" / "er.yaml"
    assert cassette.read_text().startswith("---\nversion: 2\ninteractions:\n- id: 0\n  request:\n    proto: HTTP/1.1\n")
    [recorded] = interactions(cassette)
    assert {"X-One": ["1"]} == recorded["request"]["headers"]
    assert {"Content-Type": ["application/json"], "Server": ["cloudflare"]} == recorded["response"]["headers"]


def test_a_session_without_a_name_is_named_after_the_time(mitmdump: Mitmdump, upstream: Upstream) -> None:
    with (
        mitmdump.serving("-s", ADDON, **trusting(upstream)) as port,
        tunnelled(port, mitmdump.ca, host="localhost", to_port=upstream.port) as link,
    ):
        assert 200 == Http1(link, authority="localhost").ask("GET", "/api/v1/models").status
    [cassette] = (mitmdump.folder / "cassettes").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.yaml", cassette.name)


@pytest.mark.parametrize(
    ("option", "wrong", "told"),
    [
        ("layout", "tall", "expected a layout (go-vcr, seed, charm), found 'tall'"),
        ("session", "../x", "expected a session's name such as weather or TestAgent/weather, found '../x'"),
        ("record_hosts", ",", "expected at least one host to record, found none"),
        ("keep_headers", "a:b", "expected the name of a header to keep, found 'a:b'"),
    ],
)
def test_a_wrong_value_is_refused_at_the_start_with_one_line(
    mitmdump: Mitmdump, option: str, wrong: str, told: str
) -> None:
    ended = mitmdump.run("-s", ADDON, **{option: wrong})
    assert 2 == ended.returncode
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"record: {told}")
    assert "Traceback" not in ended.stdout
    assert not (mitmdump.folder / "cassettes").exists()


def test_a_client_that_does_not_trust_mitmdump_s_ca_is_told_of(mitmdump: Mitmdump, upstream: Upstream) -> None:
    assert upstream.ca_file is not None
    with mitmdump.serving("-s", ADDON, session="session", **trusting(upstream)) as port:
        with (
            pytest.raises(ssl.SSLCertVerificationError),
            tunnelled(port, upstream.ca_file, host="localhost", to_port=upstream.port),
        ):
            pass
        wait_for("the hint", lambda: "does not trust the recorder's CA for localhost" in mitmdump.log)


# Replay


def test_it_replays_a_whole_conversation_when_the_server_is_gone(mitmdump: Mitmdump) -> None:
    with start(seed="7") as upstream:
        told = trusting(upstream)
        with mitmdump.serving("-s", ADDON, session="chat", **told) as port:
            converse(mitmdump, port, upstream)
    options = {**told, "session": "chat", "strict": "true", "receipt": "receipt.json"}
    with mitmdump.serving("-s", REPLAY, **options) as port:
        converse(mitmdump, port, upstream)
    [receipt] = json.loads((mitmdump.folder / "receipt.json").read_text())["receipts"]
    assert (CONVERSED, [], [], 0) == (
        receipt["served"],
        receipt["missed"],
        receipt["never_played"],
        receipt["upstream_connections"],
    )


def test_a_strict_replay_that_misses_ends_with_1(mitmdump: Mitmdump) -> None:
    with (
        pytest.raises(AssertionError, match="1 missed"),
        mitmdump.serving("-s", REPLAY, session="none", strict="true", record_hosts="localhost") as port,
        tunnelled(port, mitmdump.ca, host="localhost") as link,
    ):
        assert 404 == Http1(link, authority="localhost").ask("GET", "/api/v1/models").status
    assert "no such cassette" in mitmdump.log


def test_replay_wants_the_name_of_a_session(mitmdump: Mitmdump) -> None:
    ended = mitmdump.run("-s", REPLAY)
    assert (2, "replay: expected the name of a session to replay, found none; add --set session=NAME") == (
        ended.returncode,
        ended.stderr.strip(),
    )
