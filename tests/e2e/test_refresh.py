"""`recorder refresh` against the simulated OpenRouter: it sends, tells and rewrites only what was picked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recorder import cassette
from recorder.simulator import Upstream
from tests.e2e.processes import Launcher
from tests.e2e.sockets import KEY
from tests.e2e.test_replay import exchange, said, write

CHANGED = '{"choices":[{"message":{"role":"assistant","content":"?"},"finish_reason":"length"}]}'


def refresh(launcher: Launcher, upstream: Upstream, *options: str, key: str = KEY) -> tuple[int, str, str]:
    assert upstream.ca_file is not None
    told = ["--certs", str(launcher.certs), "--upstream-ca", str(upstream.ca_file)]
    connect = ["--connect-to", f"openrouter.ai:443:{upstream.host}:{upstream.port}"]
    done = launcher.command("refresh", "session", *told, *connect, *options, env={"OPENROUTER_API_KEY": key})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("options", "rewritten"), [((), ()), (("--changed",), (0,)), (("--all",), (0, 1)), (("--id", "1"), (1,))]
)
def test_only_what_was_picked_is_rewritten(
    start_recorder: Launcher, upstream: Upstream, options: tuple[str, ...], rewritten: tuple[int, ...]
) -> None:
    path = start_recorder.cassettes / "session.yaml"
    stale = exchange("one", CHANGED.encode(), kind="application/json")
    write(start_recorder.cassettes, stale, replace(stale, request=replace(stale.request, body=said("two"))))
    # The second one has been refreshed before: but for its words it is as the upstream says it.
    assert 0 == refresh(start_recorder, upstream, "--id", "1")[0]
    before = cassette.loads(path.read_bytes()).interactions
    assert 200 == before[1].response.code
    assert before[0] == stale
    status, out, err = refresh(start_recorder, upstream, *options)
    assert (0, "") == (status, err)
    assert "finish reason: length → stop" in out.splitlines()[0]
    assert out.splitlines()[1].endswith("as it was")
    assert out.splitlines()[2].startswith("cassettes/session.yaml: 1 of 2 interactions changed, ")
    after = cassette.loads(path.read_bytes()).interactions
    changed = tuple(number for number in range(2) if before[number].response != after[number].response)
    assert rewritten == changed
    assert [each.request for each in before] == [each.request for each in after]
    assert KEY not in path.read_text()


def test_an_answer_that_is_none_takes_no_place(start_recorder: Launcher, upstream: Upstream) -> None:
    path = write(start_recorder.cassettes, exchange("one"))
    before = path.read_bytes()
    status, out, _ = refresh(start_recorder, upstream, "--all", key="no key")
    assert 0 == status
    assert "status: 200 OK → 401" in out
    assert "0 rewritten" in out
    assert before == path.read_bytes()


def test_what_cannot_be_sent_is_told_and_left(start_recorder: Launcher, upstream: Upstream) -> None:
    kept = exchange("with [REDACTED:token:1a2b]")
    path = write(start_recorder.cassettes, exchange("one"), kept)
    status, out, _ = refresh(start_recorder, upstream, "--all")
    assert 1 == status
    assert "#1  POST https://openrouter.ai/api/v1/chat/completions  not sent: a secret was taken out" in out
    assert kept == cassette.loads(path.read_bytes()).interactions[1]


def test_without_a_key_nothing_is_sent(start_recorder: Launcher, upstream: Upstream) -> None:
    write(start_recorder.cassettes, exchange("one"))
    status, out, err = refresh(start_recorder, upstream, key="")
    assert (2, "") == (status, out)
    assert "expected the key for openrouter.ai in OPENROUTER_API_KEY, found none" in err
