"""The simulator as a process: its start, its end, its sameness."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from recorder.errors import UpstreamError
from recorder.simulator import Upstream, start

ROOT = Path(__file__).parents[2]
BODY = {"model": "x-ai/grok-code-fast-1", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


def gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has waited for counts as ended."""
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def conversation(upstream: Upstream, key: str) -> list[tuple[bytes, list[tuple[str, str]]]]:
    """Every byte that an application sees of a few answers, headers included."""
    context = ssl.create_default_context(cafile=upstream.ca_file)
    with httpx.Client(verify=context, headers={"authorization": f"Bearer {key}"}, trust_env=False) as client:
        bodies = [{**BODY, "user": user} for user in ("a", "a", "b")]
        answers = [client.post(f"{upstream.base_url}/chat/completions", json=body) for body in bodies]
        answers.append(client.get(f"{upstream.base_url}/models"))
    return [(answer.content, answer.headers.multi_items()) for answer in answers]


def test_the_same_seed_says_the_same_and_another_does_not(key: str) -> None:
    said = []
    for seed in ("7", "7", "8"):
        with start(seed=seed) as upstream:
            said.append(conversation(upstream, key))
    assert said[0] == said[1]
    assert all(one != other for (one, _), (other, _) in zip(said[0], said[2], strict=True))
    assert 4 == len({body for body, _ in said[0]})  # the same request again gets other ids


def test_it_starts_quickly_and_leaves_nothing_behind() -> None:
    began = time.monotonic()
    upstream = start()
    took = time.monotonic() - began
    folder = (upstream.ca_file or Path()).parent
    assert folder.is_dir()
    assert "" == upstream.stop()
    assert took < 3  # about 0.25 s on an idle machine
    assert not folder.exists()
    assert gone(upstream.pid)
    assert "" == upstream.stop()


def test_it_stops_at_once_while_streams_are_under_way(key: str) -> None:
    upstream = start(sim="chunks=1000, pace-ms=50")
    context = ssl.create_default_context(cafile=upstream.ca_file)
    with httpx.Client(verify=context, http2=True, trust_env=False) as client:
        headers = {"authorization": f"Bearer {key}"}
        asked = client.build_request("POST", f"{upstream.base_url}/chat/completions", json=BODY, headers=headers)
        assert 200 == client.send(asked, stream=True).status_code
        began = time.monotonic()
        assert "" == upstream.stop()
    assert time.monotonic() - began < 2


def test_it_ends_with_the_process_that_started_it() -> None:
    program = "from recorder.simulator import start; import time; print(start().pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert gone(pid)


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UpstreamError) as caught:
            start(port=port)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; --port 0 takes a free port" == str(caught.value)


def test_what_cannot_be_served_is_one_clear_line() -> None:
    for refused, part in (
        ({"port": 70_000}, "0-65535"),
        ({"host": "192.0.2.1"}, "192.0.2.1"),
        ({"names": ("a b",)}, "a b"),
    ):
        with pytest.raises(UpstreamError, match=part) as caught:
            start(**refused)
        assert "\n" not in str(caught.value)


def test_the_help_explains_every_word() -> None:
    with run("--help") as process:
        out, _ = process.communicate(timeout=10)
    assert "`cut_events`" in out


def test_a_default_that_is_not_known_is_one_clear_line() -> None:
    with pytest.raises(UpstreamError, match=r"^X-Sim: expected one of .*, found chunk$"):
        start(sim="chunk=1")


def test_the_defaults_hold_for_every_request_that_does_not_say_otherwise(key: str) -> None:
    with start(tls=False, sim="comments=0, chunks=2") as upstream, httpx.Client(trust_env=False) as client:

        def said(**headers: str) -> str:
            given = {"authorization": f"Bearer {key}", **headers}
            return client.post(f"{upstream.base_url}/chat/completions", json=BODY, headers=given).text

        assert 2 + 1 == said().count("data: {")
        assert 5 + 1 == said(**{"x-sim": "chunks=5"}).count("data: {")
        assert "OPENROUTER" not in said(**{"x-sim": "chunks=5"})


def run(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "recorder.simulator", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **more)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_by_hand_it_says_where_it_is_and_ends_in_order_on_a_signal(number: int, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with run("--no-http2", "--ca-file", str(ca_file)) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert {"host": "127.0.0.1", "port": ready["port"], "tls": True, "ca_file": str(ca_file)} == ready
        assert ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
        process.send_signal(number)
        assert ("", "") == process.communicate(timeout=10)
    assert 0 == process.returncode


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['trustme'] = None\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with run(env={**os.environ, "PYTHONPATH": path}) as process:
        out, complaint = process.communicate(timeout=10)
    assert (1, "") == (process.returncode, out)
    assert "error: the simulated OpenRouter needs trustme: pip install 'openrouter-recorder[demo]'\n" == complaint


def test_the_caller_needs_neither_the_server_nor_yaml_nor_click() -> None:
    program = """
import sys, recorder.simulator, recorder.simulator.api
print(sorted({"hypercorn", "trustme", "yaml", "click", "mitmproxy"} & set(sys.modules)))
import recorder.simulator.serve
print(sorted({"yaml", "click", "mitmproxy"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "[]\n[]\n" == done.stdout
