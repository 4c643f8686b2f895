"""The commands as processes: what they print, what they leave, and the exit status that they end with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from recorder.session import environment, registry
from recorder.session.registry import Ended
from recorder.storage.store import Store
from tests.e2e.processes import Launcher, RecorderProcess, clean_environment, is_alive, launching, wait_for

KEY = "sk-or-v1-" + "0123456789abcdef" * 4
MODELS = "https://openrouter.ai/api/v1/models"


def ask(recorder: RecorderProcess) -> None:
    """One exchange through the base-URL door."""
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as client:
        assert 200 == client.get(f"{recorder.base_url}/models").status_code


@pytest.fixture(scope="module")
def weather(shared_recorder: Launcher) -> Iterator[RecorderProcess]:
    """A recorder that is asked about, and not stopped."""
    recorder = shared_recorder(session="TestAgent/weather")
    yield recorder
    assert 0 == recorder.stop()


# start


def test_start_records_through_both_doors_and_stops_in_order(start_recorder: Launcher) -> None:
    recorder = start_recorder(session="weather")
    trust = ssl.create_default_context(cafile=recorder.bundle)
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(proxy=recorder.proxy_url, verify=trust, trust_env=False, headers=headers) as client:
        assert 200 == client.get(MODELS).status_code
    ask(recorder)
    assert 0 == recorder.stop(signal.SIGINT)
    assert "" == recorder.stderr
    first, second, summary = recorder.stdout.splitlines()[-3:]
    assert re.fullmatch(rf"#0  GET  {MODELS}  200  first byte \d+ ms  total \d+ ms", first)
    assert second.startswith(f"#1  GET  {MODELS}  200  ")
    assert "cassettes/weather.yaml: 2 interactions" == summary
    assert start_recorder.cassettes / "weather.yaml" == recorder.cassette
    recorded = recorder.cassette.read_text(encoding="utf-8")
    assert 2 == recorded.count(f"url: {MODELS}\n")
    assert KEY not in recorded
    assert 0o600 == recorder.cassette.stat().st_mode & 0o777
    assert [] == list(start_recorder.state.iterdir())


def test_start_prints_what_to_set_for_both_doors(weather: RecorderProcess) -> None:
    wait_for("what it prints once it serves", lambda: f"  {weather.base_url}\n" in weather.stdout)
    lines = weather.stdout.splitlines()
    assert "Recording openrouter.ai to cassettes/TestAgent/weather.yaml. Ctrl-C stops." == lines[0]
    exports = [f"  {line}" for line in environment.assignments(weather.variables, "sh")]
    assert exports == [line for line in lines if line.startswith("  export ")]
    assert f"  {weather.base_url}" in lines


def test_a_terminal_that_is_closed_stops_it_in_order_too(start_recorder: Launcher) -> None:
    recorder = start_recorder()
    ask(recorder)
    assert 0 == recorder.stop(signal.SIGHUP)
    assert "cassettes/session.yaml: 1 interaction" == recorder.stdout.splitlines()[-1]


def test_a_recorder_listens_on_loopback_only(weather: RecorderProcess) -> None:
    for port in (weather.port, weather.base_url_port):
        with socket.socket() as other:  # were it bound to every address, this one would be taken
            other.bind(("127.0.0.2", port))


def test_a_recorder_opens_no_udp_port(weather: RecorderProcess) -> None:
    # mitmproxy's port for HTTP/3 has a runtime of its own, which crashed now and then as the process ended.
    for port in (weather.port, weather.base_url_port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", port))


def test_a_recorder_that_nobody_reads_goes_on(start_recorder: Launcher) -> None:
    command = [sys.executable, "-m", "recorder", "start", "--session", "unread", *start_recorder.options]
    with subprocess.Popen(
        command,
        cwd=start_recorder.folder,
        env=clean_environment(start_recorder.state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"Recording ")
        process.stdout.close()
        (entry,) = registry.running(start_recorder.state)
        with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as client:
            for _ in range(2):
                url = environment.base_url(port=entry.base_url_port, host=entry.host)
                assert 200 == client.get(f"{url}/models").status_code
        process.send_signal(signal.SIGTERM)
        assert (0, b"") == (process.wait(30), process.stderr.read())
    assert 2 == (start_recorder.cassettes / "unread.yaml").read_text(encoding="utf-8").count("url:")


def test_a_second_recorder_of_a_session_is_refused_and_told_by_whom(start_recorder: Launcher) -> None:
    recorder = start_recorder()
    second = start_recorder.command("start", "--session", "session", *start_recorder.options)
    assert (1, "") == (second.returncode, second.stdout)
    assert 1 == len(second.stderr.splitlines())
    assert str(recorder.pid) in second.stderr
    ask(recorder)
    assert 0 == recorder.stop()


def test_a_port_that_is_taken_is_told_in_one_line(start_recorder: Launcher) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--port", "--base-url-port"):
            outcome = start_recorder.command("start", "--session", "x", *start_recorder.options, option, port)
            assert (1, "") == (outcome.returncode, outcome.stdout)
            line = f"recorder: expected port {port} to be free, found it taken; choose another (0 picks a free one)\n"
            assert line == outcome.stderr
    assert [] == registry.running(start_recorder.state)
    assert [] == [path for path in start_recorder.cassettes.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cassette-dir", "file/below"], "file/below"),
        (["--certs", "file/below"], "expected to keep the CA in "),
        (["--certs", "other"], "'thesis.tex' in it, and no CA"),
        (["--upstream-ca", "file"], "expected a CA's certificate (PEM) in file"),
    ],
    ids=["cassettes", "certs", "certs of something else", "upstream-ca"],
)
def test_what_cannot_be_read_or_written_is_told_in_one_line(
    start_recorder: Launcher, options: list[str], words: str
) -> None:
    (start_recorder.folder / "file").touch()
    (start_recorder.folder / "other").mkdir()
    (start_recorder.folder / "other" / "thesis.tex").touch()
    outcome = start_recorder.command("start", "--session", "x", *start_recorder.options, *options)
    assert (1, "") == (outcome.returncode, outcome.stdout)
    assert outcome.stderr.startswith("recorder: ")
    assert words in outcome.stderr
    assert 1 == len(outcome.stderr.splitlines())


def test_a_state_folder_that_cannot_be_is_told_in_one_line(start_recorder: Launcher) -> None:
    start_recorder.state.touch()
    for detach in ([], ["--detach"]):
        outcome = start_recorder.command("start", "--session", "x", *start_recorder.options, *detach)
        assert 1 == outcome.returncode
        (line,) = outcome.stderr.splitlines()
        assert line.startswith("recorder: expected a folder for the state of running recorders")


def test_a_full_disk_is_no_traceback(weather: RecorderProcess, shared_recorder: Launcher) -> None:
    assert weather.pid
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        outcome = subprocess.run(
            [sys.executable, "-m", "recorder", "status"],
            cwd=shared_recorder.folder,
            env=clean_environment(shared_recorder.state),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (1, "recorder: No space left on device\n") == (outcome.returncode, outcome.stderr)


# --detach, stop


def test_a_detached_recorder_is_started_asked_about_and_stopped(start_recorder: Launcher) -> None:
    # A folder of that name where the user works is not the program.
    (start_recorder.folder / "recorder").mkdir()
    (start_recorder.folder / "recorder" / "__init__.py").write_text("raise SystemExit('not this one')\n")
    started = start_recorder.command("start", "-s", "back/ground", *start_recorder.options, "--detach")
    assert (0, "") == (started.returncode, started.stderr)
    (entry,) = registry.running(start_recorder.state)
    path = start_recorder.cassettes / "back/ground.yaml"
    told = started.stdout.splitlines()
    assert f"Recording openrouter.ai to {path} in the background (pid {entry.pid})" == told[0]
    assert f"  log: {entry.log}" in told
    assert entry.pid == os.getsid(entry.pid)  # a terminal that is closed does not end it
    with httpx.Client(trust_env=False) as client:
        url = environment.base_url(port=entry.base_url_port, host=entry.host)
        assert 200 == client.get(f"{url}/models", headers={"Authorization": f"Bearer {KEY}"}).status_code
    line = f"#0  GET  {MODELS}  200"  # said behind the end of the response, which does not wait for it
    wait_for("its line", lambda: line in Path(entry.log).read_text(encoding="utf-8"))
    assert 0o600 == Path(entry.log).stat().st_mode & 0o777
    stopped = start_recorder.command("stop", "back/ground")
    assert (0, "") == (stopped.returncode, stopped.stderr)
    assert f"stopped back/ground: {entry.cassette}: 1 interaction\n" == stopped.stdout
    wait_for("the end of the process", lambda: not is_alive(entry.pid))
    assert [] == list(start_recorder.state.iterdir())


def test_a_detached_recorder_that_cannot_start_says_why_in_one_line(start_recorder: Launcher) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        outcome = start_recorder.command("start", "-s", "x", *start_recorder.options, "--port", port, "--detach")
    assert (1, "") == (outcome.returncode, outcome.stdout)
    assert outcome.stderr.startswith(f"recorder: expected port {port} to be free")
    assert 1 == len(outcome.stderr.splitlines())
    assert [] == list(start_recorder.state.iterdir())


def test_stop_is_over_when_ports_and_cassette_are_free(start_recorder: Launcher) -> None:
    recorder = start_recorder()
    ask(recorder)
    with socket.create_connection(("127.0.0.1", recorder.base_url_port)):  # a client that stays holds nothing up
        ended = registry.stop(recorder.running, start_recorder.state, timeout=30)
        assert Ended(status=0, said=f"{recorder.cassette}: 1 interaction") == ended
        for port in (recorder.port, recorder.base_url_port):
            with socket.create_server(("127.0.0.1", port)):
                pass
    Store.open(recorder.cassette, now=time.time_ns()).close()
    assert 0 == recorder.wait()


def test_stop_all_stops_each_and_tells_of_those_that_failed(start_recorder: Launcher) -> None:
    good, bad = start_recorder(session="good"), start_recorder(session="bad")
    ask(good)
    bad.cassette.mkdir(parents=True)  # it cannot write its first interaction
    with pytest.raises(httpx.TransportError):  # the headers had gone out, so it is cut
        ask(bad)
    outcome = start_recorder.command("stop", "--all")
    assert 1 == outcome.returncode
    assert f"stopped good: {good.cassette}: 1 interaction\n" == outcome.stdout
    assert outcome.stderr.startswith("recorder: bad failed: ")
    assert 1 == len(outcome.stderr.splitlines())
    assert (0, 1) == (good.wait(), bad.wait())


def test_what_a_killed_recorder_left_is_cleaned_up_and_the_next_one_records(start_recorder: Launcher) -> None:
    recorder = start_recorder()
    ask(recorder)
    assert 1 == len(list(start_recorder.state.iterdir()))
    recorder.kill()
    assert "no session is running\n" == start_recorder.command("status").stdout
    assert [] == list(start_recorder.state.iterdir())
    again = start_recorder()
    ask(again)
    assert 0 == again.stop()
    assert 2 == again.cassette.read_text(encoding="utf-8").count("url:")


def test_a_reused_pid_is_not_taken_for_a_recorder(start_recorder: Launcher) -> None:
    recorder = start_recorder()
    (left,) = start_recorder.state.iterdir()
    state = json.loads(left.read_text(encoding="utf-8"))
    recorder.kill()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        reused = start_recorder.state / f"{other.pid}-00000000.json"
        reused.write_text(json.dumps({**state, "pid": other.pid}))
        outcome = start_recorder.command("stop", "session")
        assert (1, True) == (outcome.returncode, "found none" in outcome.stderr)
        assert None is other.poll()
        other.communicate(b"\n")
    assert not reused.exists()


@pytest.mark.parametrize("command", [["start"], ["start", "--detach"], ["run"]], ids=" ".join)
def test_a_bad_name_is_refused_before_anything_is_written(start_recorder: Launcher, command: list[str]) -> None:
    # More names are held in tests/cli, and what a name may be in tests/test_session.py.
    end = ["--", "true"] if command == ["run"] else []
    before = sorted(start_recorder.folder.rglob("*"))
    outcome = start_recorder.command(*command, "--session=../escape", *start_recorder.options, *end)
    assert (2, "") == (outcome.returncode, outcome.stdout)
    assert outcome.stderr.startswith("recorder: expected a session's name")
    assert 1 == len(outcome.stderr.splitlines())
    assert before == sorted(start_recorder.folder.rglob("*"))
    assert not (start_recorder.folder.parent / "escape.yaml").exists()


# status, env, list


def test_status_tells_where_a_recorder_is_reached(weather: RecorderProcess, shared_recorder: Launcher) -> None:
    table = shared_recorder.command("status").stdout
    for part in ("TestAgent/weather", str(weather.pid), weather.proxy_url, weather.base_url, str(weather.cassette)):
        assert f"  {part}" in f"  {table.splitlines()[1]}"
    assert [asdict(weather.running)] == json.loads(shared_recorder.command("status", "--json").stdout)


def test_a_shell_that_evals_env_reaches_the_recorder(weather: RecorderProcess, shared_recorder: Launcher) -> None:
    program = 'eval "$(python -m recorder env --base-url)" && exec python -c "$1"'
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    run = subprocess.run(
        ["sh", "-c", program, "sh", show],
        cwd=shared_recorder.folder,
        env=clean_environment(
            shared_recorder.state, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ),
        capture_output=True,
        check=True,
    )
    variables = json.loads(run.stdout)
    expected = weather.variables | dict.fromkeys(environment.BASE_URL_VARIABLES, weather.base_url)
    assert expected == {name: variables[name] for name in expected}


def test_paths_with_spaces_and_quotes_survive_the_shell(tmp_path: Path, certs: Path) -> None:
    folder = tmp_path / 'it\'s a "folder" & $more'
    folder.mkdir()
    odd = folder / "ce rts"
    if certs.is_dir():  # a CA need not be made again
        shutil.copytree(certs, odd)
    with launching(folder, odd) as launcher:
        recorder = launcher()
        given = launcher.command("env").stdout
        printed = "\n".join(line for line in recorder.stdout.splitlines() if line.startswith("  export "))
        for script in (given, printed):
            run = subprocess.run(
                ["sh", "-c", 'eval "$1"; cat "$SSL_CERT_FILE"', "sh", script], capture_output=True, check=True
            )
            assert recorder.bundle.read_bytes() == run.stdout
        assert 0 == recorder.stop()


def test_list_shows_what_is_being_recorded(start_recorder: Launcher) -> None:
    recorder = start_recorder(session="a/b")
    ask(recorder)
    (entry,) = json.loads(start_recorder.command("list", "--json").stdout)
    assert ("a/b", 1, "running") == (entry["session"], entry["interactions"], entry["state"])
    assert 0 == recorder.stop()
    (entry,) = json.loads(start_recorder.command("list", "--json").stdout)
    assert ("a/b", 1, "whole") == (entry["session"], entry["interactions"], entry["state"])


def test_a_reader_that_leaves_is_no_traceback(start_recorder: Launcher) -> None:
    start_recorder.cassettes.mkdir()
    for number in range(3000):  # more than a pipe takes
        (start_recorder.cassettes / f"{number:04}{'x' * 60}.yaml").touch()
    command = [sys.executable, "-m", "recorder", "list"]
    with subprocess.Popen(
        command,
        cwd=start_recorder.folder,
        env=clean_environment(start_recorder.state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"SESSION")
        process.stdout.close()
        assert b"" == process.stderr.read()


# run


def run(launcher: Launcher, *command: str, options: tuple[str, ...] = (), given: str = "") -> tuple[int, str, str]:
    outcome = launcher.command("run", "-s", "run", *launcher.options, *options, "--", *command, given=given)
    return outcome.returncode, outcome.stdout, outcome.stderr


NOTHING = "cassettes/run.yaml: 0 interactions\n"


def test_run_records_what_its_command_does(start_recorder: Launcher) -> None:
    program = f"""
import sys, urllib.request
request = urllib.request.Request({MODELS!r}, headers={{"Authorization": "Bearer {KEY}"}})
with urllib.request.urlopen(request) as response:
    response.read()
    sys.stdout.write(str(response.status))
"""
    outcome = run(start_recorder, sys.executable, "-c", program, options=("--verbose",))
    recorded, summary = outcome[2].splitlines()
    assert (0, "200") == outcome[:2]
    assert recorded.startswith(f"#0  GET  {MODELS}  200  ")
    assert "cassettes/run.yaml: 1 interaction" == summary
    assert 1 == (start_recorder.cassettes / "run.yaml").read_text(encoding="utf-8").count(f"url: {MODELS}\n")
    assert [] == registry.running(start_recorder.state)


def test_the_command_keeps_its_own_input_output_and_status(start_recorder: Launcher) -> None:
    program = "cat; printf odd >&2; exit 7"
    assert (7, "in\0put", "odd" + NOTHING) == run(start_recorder, "sh", "-c", program, given="in\0put")


def test_the_commands_environment_is_set(start_recorder: Launcher) -> None:
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    for base_url in (True, False):
        status, printed, _ = run(
            start_recorder, sys.executable, "-c", show, options=("--base-url" if base_url else "--no-base-url",)
        )
        assert 0 == status
        variables = json.loads(printed)
        port = int(variables["HTTPS_PROXY"].removeprefix("http://127.0.0.1:"))
        expected = environment.proxy_variables(port=port, bundle=start_recorder.certs / "bundle.pem")
        assert expected == {name: variables[name] for name in expected}
        found = [name for name in environment.BASE_URL_VARIABLES if name in variables]
        assert (list(environment.BASE_URL_VARIABLES) if base_url else []) == found
        assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v1", variables[name]) for name in found)


def test_the_commands_own_options_are_its_own(start_recorder: Launcher) -> None:
    program = "import sys; print(sys.argv[1:])"
    for dashes in ([], ["--"]):
        outcome = start_recorder.command(
            "run", "-s", "run", *start_recorder.options, *dashes, sys.executable, "-c", program, "--session", "--", "-v"
        )
        assert (0, "['--session', '--', '-v']\n") == (outcome.returncode, outcome.stdout)


def test_a_command_that_is_ended_by_a_signal_gives_a_shells_status(start_recorder: Launcher) -> None:
    assert (128 + 9, "", NOTHING) == run(start_recorder, "sh", "-c", "kill -9 $$")


def test_a_command_that_cannot_be_run_is_told_in_one_line(start_recorder: Launcher) -> None:
    odd = start_recorder.folder / "odd"
    odd.write_text("no program")
    odd.chmod(0o755)
    status, printed, said = run(start_recorder, "./odd")
    assert (1, "") == (status, printed)
    assert [f"{NOTHING.strip()}", "recorder: expected a command to run, found './odd': Exec format error"] == (
        said.splitlines()
    )
    assert [] == registry.running(start_recorder.state)


def test_signals_are_passed_on_to_the_command(start_recorder: Launcher) -> None:
    numbers = [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM]
    program = f"""
import signal, sys
numbers = {[int(number) for number in numbers]}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
for _ in numbers:
    print(signal.sigwait(numbers), flush=True)
sys.exit(40)
"""
    command = [sys.executable, "-m", "recorder", "run", "-s", "run", *start_recorder.options]
    with subprocess.Popen(
        [*command, "--", sys.executable, "-c", program],
        cwd=start_recorder.folder,
        env=clean_environment(start_recorder.state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stdout
        assert "ready\n" == process.stdout.readline()
        for number in numbers:
            process.send_signal(number)
            assert f"{int(number)}\n" == process.stdout.readline()
        assert ("", NOTHING) == process.communicate(timeout=30)
    assert 40 == process.returncode


def test_a_session_that_fails_fails_the_run(start_recorder: Launcher) -> None:
    (start_recorder.cassettes / "run.yaml").mkdir(parents=True)
    status, printed, said = run(start_recorder, "echo", "not run")
    assert (1, "") == (status, printed)
    assert 1 == len(said.splitlines())


@pytest.mark.parametrize("seen", ["click.core", "recorder.session.settings", "mitmproxy.http"])
def test_ctrl_c_while_it_loads_is_no_traceback(start_recorder: Launcher, seen: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "recorder", "start", "-s", "early", *start_recorder.options],
        cwd=start_recorder.folder,
        env=clean_environment(start_recorder.state),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert any(seen == line.rpartition("|")[2].strip() for line in process.stderr)  # it is loaded, others are not
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert [] == [line for line in rest.split("\n") if line and not line.startswith("import time:")]
    assert 130 == process.returncode


def test_ctrl_c_while_it_starts_is_no_traceback(start_recorder: Launcher) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "recorder", "start", "-s", "early", *start_recorder.options],
        cwd=start_recorder.folder,
        env=clean_environment(start_recorder.state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        # The cassette is locked before mitmproxy is loaded, which takes longer than all that follows.
        wait_for("the lock", lambda: list(start_recorder.cassettes.glob("*")))
        process.send_signal(signal.SIGINT)
        assert ("", "") == tuple(text.strip() for text in process.communicate(timeout=30))
    assert 130 == process.returncode
    recorder = start_recorder(session="early")
    assert 0 == recorder.stop()
