"""A client that does not trust our CA, and what the recorder says of it: clients' ways of telling, over sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest

from recorder.proxy import certificates
from tests.e2e.processes import PATIENCE, Launcher, RecorderProcess, wait_for

DISTRUST = "does not trust the recorder's CA for openrouter.ai; see `recorder ca`"
LEFT = "left without a request to openrouter.ai: it may not trust the recorder's CA; see `recorder ca`"


@pytest.fixture
def recorder(start_recorder: Launcher) -> RecorderProcess:
    return start_recorder()


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CA of another recorder: of the same name, with another key."""
    return certificates.prepare(tmp_path_factory.mktemp("another") / "certs").ca


def connected(recorder: RecorderProcess, agent: str = "tester/1") -> socket.socket:
    """A tunnel to openrouter.ai in which TLS has not begun."""
    link = socket.create_connection(("127.0.0.1", recorder.port), timeout=PATIENCE)
    link.sendall(f"CONNECT openrouter.ai:443 HTTP/1.1\r\nUser-Agent: {agent}\r\n\r\n".encode())
    assert b" 200 " in link.recv(65536)
    return link


def refuse(recorder: RecorderProcess, cafile: str | Path, agent: str = "tester/1") -> None:
    context = ssl.create_default_context(cafile=str(cafile))
    with connected(recorder, agent) as link, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(link, server_hostname="openrouter.ai")


def look(recorder: RecorderProcess) -> None:
    """The handshake to its end, a look at the certificate, and away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with connected(recorder) as link, context.wrap_socket(link, server_hostname="openrouter.ai"):
        pass


def leave(recorder: RecorderProcess) -> None:
    """As Node does: away in the middle of the handshake, without a word."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=recorder.bundle)
    tls = context.wrap_bio(incoming, outgoing, server_hostname="openrouter.ai")
    with connected(recorder) as link:
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        link.sendall(outgoing.read())
        assert b"" != link.recv(65536)


def hints(recorder: RecorderProcess) -> Iterator[str]:
    """What was said, without the words that every line begins with."""
    return (line.removeprefix("recorder: ") for line in recorder.stderr.splitlines())


def test_a_client_without_our_ca_is_told_of_once_and_counted(recorder: RecorderProcess) -> None:
    for _ in range(3):
        refuse(recorder, certifi.where())
    expected = f"a client (tester/1, 127.0.0.1) {DISTRUST}"
    wait_for("the hint", lambda: recorder.stderr)
    assert 0 == recorder.stop()
    assert [expected, f"3 connections in all: {expected}"] == list(hints(recorder))


def test_a_client_with_another_recorders_ca_is_told_of(recorder: RecorderProcess, another: Path) -> None:
    refuse(recorder, another)
    wait_for("the hint", lambda: recorder.stderr)
    assert [f"a client (tester/1, 127.0.0.1) {DISTRUST}"] == list(hints(recorder))


def test_each_client_is_told_of_for_itself(recorder: RecorderProcess) -> None:
    for agent in ("one/1", "two/2", "one/1", "\t" + "long" * 30):
        refuse(recorder, certifi.where(), agent)
    named = ("one/1", "two/2", ("long" * 30)[:60])
    wait_for("the hints", lambda: recorder.stderr.count("\n") == len(named))
    assert [f"a client ({agent}, 127.0.0.1) {DISTRUST}" for agent in named] == list(hints(recorder))


@pytest.mark.parametrize("way", [look, leave])
def test_a_client_that_sees_the_certificate_and_leaves_may_not_trust_it(
    recorder: RecorderProcess, way: Callable[[RecorderProcess], None]
) -> None:
    way(recorder)
    wait_for("the hint", lambda: recorder.stderr)
    assert [f"a client (tester/1, 127.0.0.1) {LEFT}"] == list(hints(recorder))


def ask(recorder: RecorderProcess) -> None:
    """As a client does that trusts us."""
    context = ssl.create_default_context(cafile=recorder.bundle)
    with connected(recorder) as link, context.wrap_socket(link, server_hostname="openrouter.ai") as secure:
        secure.sendall(b"GET /sim/bytes HTTP/1.1\r\nHost: openrouter.ai\r\n\r\n")
        assert secure.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_client_that_asks_gives_no_hint_nor_does_its_spare_connection(recorder: RecorderProcess) -> None:
    ask(recorder)
    look(recorder)
    assert 0 == recorder.stop()
    assert "" == recorder.stderr


def test_a_connection_that_the_recorder_ends_gives_no_hint(recorder: RecorderProcess) -> None:
    context = ssl.create_default_context(cafile=recorder.bundle)
    with connected(recorder) as link, context.wrap_socket(link, server_hostname="openrouter.ai"):
        assert 0 == recorder.stop()
    assert "" == recorder.stderr
