"""Which hosts are recorded, and what becomes of the others; what a client sees when the upstream cannot be had."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.simulator import Upstream, start
from tests.e2e.cassettes import interactions
from tests.e2e.processes import Launcher, RecorderProcess, clean_environment, launching
from tests.e2e.sockets import KEY, WAYS, Answer, Http1, dialled, tunnelled

NAMES = ("api.example.com", "deep.api.example.com", "example.com", "notexample.com", "elsewhere.test")
HEADERS = {"Authorization": f"Bearer {KEY}", "X-Sim": "body-bytes=100"}


@pytest.fixture(scope="module")
def world() -> Iterator[Upstream]:
    """One server that stands in for many hosts."""
    with start(seed="7", names=NAMES) as running:
        yield running


@pytest.fixture
def launch(tmp_path: Path, certs: Path) -> Iterator[Launcher]:
    """Recorders that are connected to nothing yet."""
    with launching(tmp_path, certs) as launcher:
        yield launcher


def into(world: Upstream) -> list[str]:
    """Options that send every connection to `world`."""
    return ["--connect-to", f"::{world.host}:{world.port}", "--upstream-ca", str(world.ca_file)]


def get(link: socket.socket, host: str, target: str, headers: dict[str, str] = HEADERS) -> Answer:
    return Http1(link, authority=host).ask("GET", target, headers=headers)


def urls(recorder: RecorderProcess) -> list[str]:
    return [one["request"]["url"] for one in interactions(recorder.cassette)]


def certificate(link: ssl.SSLSocket) -> str:
    return hashlib.sha256(link.getpeercert(binary_form=True) or b"").hexdigest()


# Hosts that are not recorded


def test_a_connect_to_another_host_is_tunnelled_unopened(launch: Launcher, world: Upstream) -> None:
    """The client sees the certificate of the upstream itself, and nothing of the exchange is written."""
    recorder = launch(*into(world))
    assert world.ca_file is not None
    context = ssl.create_default_context(cafile=world.ca_file)
    with dialled(world.port) as link, context.wrap_socket(link, server_hostname="elsewhere.test") as direct:
        expected = certificate(direct)
    with tunnelled(recorder.port, world.ca_file, host="elsewhere.test") as secure:
        assert expected == certificate(secure)
        assert 100 == len(get(secure, "elsewhere.test", "/sim/bytes").body)
    with tunnelled(recorder.port, world.ca_file, host="elsewhere.test", alpn="h2") as secure:
        assert expected == certificate(secure)
    assert 0 == recorder.stop()
    assert not recorder.cassette.exists()
    assert not recorder.incomplete.exists()
    assert recorder.stdout.endswith(": 0 interactions\n")


def test_a_companys_own_hosts_are_trusted_by_clients_as_before(tmp_path: Path, world: Upstream) -> None:
    """A recorder that was started where SSL_CERT_FILE names a company's CA: it is in the bundle that clients get."""
    reach = ["--connect-to", f"::{world.host}:{world.port}"]
    fetch = "import sys, urllib.request; print(urllib.request.urlopen('https://elsewhere.test/sim/bytes').status)"
    program = f'eval "$({sys.executable} -m recorder env)"; exec {sys.executable} -c "$1"'
    with launching(tmp_path, tmp_path / "certs") as launcher:
        launcher(*reach, env={"SSL_CERT_FILE": str(world.ca_file)})
        env = clean_environment(launcher.state)
        fetched = subprocess.run(["sh", "-c", program, "sh", fetch], env=env, capture_output=True, check=False)
    assert (b"200\n", b"") == (fetched.stdout, fetched.stderr)


def test_a_plain_request_to_another_host_is_passed_on_as_it_comes(launch: Launcher) -> None:
    with start(seed="7", tls=False) as plain:
        recorder = launch("--connect-to", f"::{plain.host}:{plain.port}")
        with dialled(recorder.port) as link:
            client = Http1(link, authority="elsewhere.test")
            client.send(
                "GET",
                "http://elsewhere.test/sim/bytes",
                headers={**HEADERS, "X-Sim": "body-bytes=100, write-bytes=50, pace-ms=400"},
            )
            answer = client.receive(until=lambda size: size >= 50)
            assert (200, 50, False) == (answer.status, len(answer.body), answer.whole)
            assert "" == plain.log().requests[0].outcome
            assert client.receive().whole
            posted = client.ask("POST", "http://elsewhere.test/sim/echo", b"posted", {"X-Test": "1"})
        assert "posted" == json.loads(posted.body)["body"]
    assert 0 == recorder.stop()
    assert not recorder.cassette.exists()


def test_a_plain_request_to_a_recorded_host_is_recorded(launch: Launcher) -> None:
    with start(seed="7", tls=False) as plain:
        recorder = launch("--connect-to", f"::{plain.host}:{plain.port}", "--host", "http://api.example.com")
        with dialled(recorder.port) as link:
            assert 200 == get(link, "api.example.com", "http://api.example.com/sim/bytes?1").status
        with dialled(recorder.base_url_port) as link:
            assert 200 == get(link, "127.0.0.1", "/sim/bytes?2").status
    assert ["http://api.example.com/sim/bytes?1", "http://api.example.com/sim/bytes?2"] == urls(recorder)


# Hosts that are


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_model_server_on_this_machine_is_recorded_by_the_environment_alone(launch: Launcher, name: str) -> None:
    """As Ollama is: plain HTTP on loopback, which proxy variables leave out as a rule."""
    program = f'eval "$({sys.executable} -m recorder env --base-url)"; exec {sys.executable} -c "$1" "$2"'
    fetch = """import os, sys, urllib.request
for base in (sys.argv[1], os.environ["OPENAI_BASE_URL"]):
    print(urllib.request.urlopen(f"{base}/sim/bytes").status)"""
    with start(seed="7", tls=False) as plain:
        base = f"http://{name}:{plain.port}"
        recorder = launch("--host", base)
        fetched = subprocess.run(
            ["sh", "-c", program, "sh", fetch, base],
            env=clean_environment(launch.state),
            capture_output=True,
            check=False,
        )
    assert (b"200\n200\n", b"") == (fetched.stdout, fetched.stderr)
    assert [f"{base}/sim/bytes"] * 2 == urls(recorder)


def test_hosts_are_recorded_by_name_port_and_pattern(launch: Launcher, world: Upstream) -> None:
    """`*.example.com` is every name below example.com, not that itself, and no name that only ends alike."""
    assert world.ca_file is not None
    recorder = launch(*into(world), "--host", "openrouter.ai:8443", "--host", "*.example.com")
    opened = {
        ("api.example.com", 443): True,
        ("deep.api.example.com", 8443): True,
        ("openrouter.ai", 8443): True,
        ("openrouter.ai", 443): False,
        ("example.com", 443): False,
        ("notexample.com", 443): False,
    }
    for (host, port), ours in opened.items():
        authority = host if port == 443 else f"{host}:{port}"
        with tunnelled(recorder.port, recorder.bundle if ours else world.ca_file, host=host, to_port=port) as link:
            assert 200 == get(link, authority, f"/sim/bytes?{port}").status
    expected = [
        "https://api.example.com/sim/bytes?443",
        "https://deep.api.example.com:8443/sim/bytes?8443",
        "https://openrouter.ai:8443/sim/bytes?8443",
    ]
    assert expected == urls(recorder)


def test_the_base_url_leads_to_the_first_host_so_that_is_no_pattern(launch: Launcher, world: Upstream) -> None:
    recorder = launch(*into(world), "--host", "elsewhere.test", "--host", "*.example.com")
    with dialled(recorder.base_url_port) as link:
        assert 200 == get(link, "127.0.0.1", "/sim/bytes").status
    assert ["https://elsewhere.test/sim/bytes"] == urls(recorder)
    ended = launch.command("start", "--session", "s", *launch.options, "--host", "*.example.com")
    expected = "recorder: expected one host first, to which the base-URL port leads, found '*.example.com'\n"
    assert (2, "", expected) == (ended.returncode, ended.stdout, ended.stderr)


def test_the_case_of_a_host_and_a_dot_at_its_end_make_no_difference(launch: Launcher, world: Upstream) -> None:
    recorder = launch(*into(world), "--host", "API.example.com")
    for host in ("api.example.com", "Api.Example.COM"):
        with tunnelled(recorder.port, recorder.bundle, host=host) as link:
            assert 200 == get(link, host, "/sim/bytes").status
    assert 2 == len(urls(recorder))


def test_connect_to_leaves_name_sni_and_url_as_they_are(launch: Launcher, world: Upstream) -> None:
    recorder = launch(*into(world))
    with tunnelled(recorder.port, recorder.bundle) as link:
        told = json.loads(get(link, "openrouter.ai", "/sim/echo").body)
    assert "openrouter.ai" == told["headers"]["host"]
    assert ["https://openrouter.ai/sim/echo"] == urls(recorder)


# Upstreams that cannot be had


def unreachable() -> list[str]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return ["--connect-to", f"::127.0.0.1:{closed.getsockname()[1]}"]


def incomplete(recorder: RecorderProcess) -> list[tuple[str, int, str]]:
    """Of each that did not come to its end: the URL, the status and the body."""
    return [
        (one["request"]["url"], one["response"]["code"], one["response"]["body"])
        for one in interactions(recorder.incomplete)
    ]


def test_an_upstream_that_cannot_be_reached_is_a_502_and_incomplete(launch: Launcher) -> None:
    recorder = launch(*unreachable())
    for way in WAYS.values():
        with way(recorder) as client:
            assert 502 == client.ask("GET", "/api/v1/models", headers=HEADERS).status
    assert [("https://openrouter.ai/api/v1/models", 0, "")] * len(WAYS) == incomplete(recorder)
    assert 0 == recorder.stop()
    assert not recorder.cassette.exists()
    assert recorder.stdout.endswith(f": 0 interactions, {len(WAYS)} incomplete\n")
    assert KEY not in recorder.incomplete.read_text()


def test_an_upstream_with_a_certificate_that_nobody_vouches_for_is_a_502(launch: Launcher, world: Upstream) -> None:
    recorder = launch("--connect-to", f"::{world.host}:{world.port}")
    requested = world.log().requested
    for way in WAYS.values():
        with way(recorder) as client:
            assert 502 == client.ask("GET", "/api/v1/models", headers=HEADERS).status
    assert [("https://openrouter.ai/api/v1/models", 0, "")] * len(WAYS) == incomplete(recorder)
    assert requested == world.log().requested
    assert not recorder.cassette.exists()


def test_an_upstream_with_a_certificate_for_another_name_is_a_502(launch: Launcher, world: Upstream) -> None:
    recorder = launch(*into(world), "--host", "wrong.test")
    with tunnelled(recorder.port, recorder.bundle, host="wrong.test") as link:
        assert 502 == get(link, "wrong.test", "/api/v1/models").status
    assert [("https://wrong.test/api/v1/models", 0, "")] == incomplete(recorder)
    assert not recorder.cassette.exists()


def test_the_recorder_goes_on_after_an_upstream_that_could_not_be_had(launch: Launcher, world: Upstream) -> None:
    dead = unreachable()[1].rpartition("::")[2]
    recorder = launch(
        "--connect-to", f"wrong.test:443:{dead}", *into(world), "--host", "wrong.test", "--host", "openrouter.ai"
    )
    for host, status in (("wrong.test", 502), ("openrouter.ai", 200), ("wrong.test", 502), ("openrouter.ai", 200)):
        with tunnelled(recorder.port, recorder.bundle, host=host) as link:
            assert status == get(link, host, "/api/v1/models").status
    assert 2 == len(urls(recorder))
    assert 2 == len(incomplete(recorder))
