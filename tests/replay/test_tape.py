"""A cassette as a tape: what answers, what does not and why, and the receipt."""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.cassette import Cassette, dumps
from recorder.cassette.go_http import interaction
from recorder.errors import CassetteError, UsageError
from recorder.model import Interaction, Request
from recorder.replay.faults import parse_fault
from recorder.replay.matching import Criteria, Reason, parse_criteria
from recorder.replay.matching.criteria import DEFAULT
from recorder.replay.tape import Reuse, Tape, parse_reuse
from recorder.scrub import Rule, Scrubber
from recorder.wire.exchange import Exchange, WireRequest, WireResponse

KEY = "sk-or-v1-" + "0a1b2c3d" * 8
URL = "https://openrouter.ai/api/v1/chat/completions"


def asked(
    body: Any, *, url: str = URL, method: str = "POST", key: str = "sk-dummy", kind: bytes = b"application/json"
) -> WireRequest:
    return WireRequest(
        method=method,
        url=url,
        http_version="HTTP/1.1",
        headers=((b"content-type", kind), (b"authorization", b"Bearer " + key.encode())),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )


def recorded(request: WireRequest, answer: bytes = b"", scrubber: Scrubber | None = None) -> Interaction:
    """What the recorder makes of an exchange, its secrets included in what it scrubs."""
    response = WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=(), body=answer)
    exchange = Exchange(request=request, response=response, began=0, duration=1, chunks=(), ended=2)
    scrubber = scrubber or Scrubber(salt=b"another salt of another run")
    scrubber.learn(exchange)
    return scrubber.scrub(interaction(exchange)).interaction


def tape_of(*interactions: Interaction, criteria: Criteria = DEFAULT, reuse: Reuse = Reuse.NONE) -> Tape:
    return Tape(
        interactions, session="weather", path=Path("weather.yaml"), digest="sha256:0", criteria=criteria, reuse=reuse
    )


def answer(tape: Tape, request: WireRequest) -> bytes | None:
    played = tape.play(request)
    return played.interaction.response.body if played else None


def chat(*contents: str, **more: Any) -> dict[str, Any]:
    return {"model": "x-ai/grok", "messages": [{"role": "user", "content": text} for text in contents], **more}


# What answers


def test_equal_requests_are_answered_in_recorded_order_each_once() -> None:
    tape = tape_of(*(recorded(asked(chat("hi")), text) for text in (b"one", b"two")))
    assert [b"one", b"two", None] == [answer(tape, asked(chat("hi"))) for _ in range(3)]


def test_with_reuse_the_last_answer_or_all_serve_again() -> None:
    interactions = [recorded(asked(chat("hi")), text) for text in (b"one", b"two")]
    last, everything = (tape_of(*interactions, reuse=reuse) for reuse in (Reuse.LAST, Reuse.ALL))
    assert [b"one", b"two", b"two", b"two"] == [answer(last, asked(chat("hi"))) for _ in range(4)]
    assert [b"one", b"two", b"one", b"two"] == [answer(everything, asked(chat("hi"))) for _ in range(4)]


def test_200_requests_in_any_order_from_many_threads_get_their_own_answers_twice_over() -> None:
    """40 of them are equal: they get the 40 answers that were recorded for them, each once a round."""
    requests = [asked(chat(f"question {number}" if number >= 40 else "the same")) for number in range(200)]
    answers = [f"answer {number}".encode() for number in range(200)]
    tape = tape_of(*map(recorded, requests, answers), reuse=Reuse.ALL)
    order = [*range(200), *range(200)]
    random.Random(7).shuffle(order)
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(lambda number: (number, answer(tape, requests[number])), order))
    assert all(text == answers[number] for number, text in got if number >= 40)
    assert sorted(2 * answers[:40]) == sorted(text or b"" for number, text in got if number < 40)
    assert (400, ()) == (tape.receipt().served, tape.receipt().never_played)


# What was scrubbed


def test_a_request_matches_whatever_key_it_was_recorded_with() -> None:
    said = chat(f"my key is {KEY}, keep it", user="[REDACTED:token:ffff]")
    interaction = recorded(asked(said, key=KEY))
    assert KEY not in str(interaction.request.body)
    again = tape_of(interaction, reuse=Reuse.LAST)
    assert answer(again, asked(said, key=KEY)) is not None
    other = KEY[:-6] + "ffffff"
    assert (
        answer(again, asked(chat(f"my key is {other}, keep it", user="[REDACTED:token:0000]"), key=other)) is not None
    )
    assert answer(again, asked(chat("my key is a secret, keep it"), key=KEY)) is None


def test_a_key_of_no_known_shape_matches_where_the_body_repeats_it() -> None:
    interaction = recorded(asked(chat("use house-key-12345678"), key="house-key-12345678"))
    assert b"house-key" not in interaction.request.body
    assert answer(tape_of(interaction), asked(chat("use other-key-87654321"), key="other-key-87654321")) is not None


def test_a_dummy_key_may_be_a_word_of_the_body() -> None:
    interaction = recorded(asked(chat("ask the weather-agent for it"), key=KEY))
    tape = tape_of(interaction)
    assert answer(tape, asked(chat("ask the weather-agent for it"), key="weather-agent")) is not None


def test_what_another_recorder_left_in_is_matched_as_it_is_and_never_shown() -> None:
    raw = replace(
        recorded(asked(chat("hi"))).request, body=json.dumps(chat(f"use {KEY}")).encode(), url=f"{URL}?key={KEY}"
    )
    interaction = replace(recorded(asked(chat("hi")), b"one"), request=raw)
    assert b"one" == answer(tape_of(interaction), asked(chat(f"use {KEY}"), url=f"{URL}?key={KEY}", key=KEY))
    tape = tape_of(interaction)
    told = str(tape.missed(asked(chat("else"), url=URL))) + json.dumps(tape.receipt().as_json())
    assert "key=" in told
    assert KEY not in told + tape.shown(interaction.request.url)


def test_a_key_in_the_query_matches_too() -> None:
    interaction = recorded(asked(chat("hi"), url=f"{URL}?key={KEY}&alt=sse"))
    assert KEY not in interaction.request.url
    assert answer(tape_of(interaction), asked(chat("hi"), url=f"{URL}?key=dummy&alt=sse")) is not None


def test_the_rules_of_a_user_hold_for_what_comes() -> None:
    rules = (Rule(name="customer", expression="cust-[0-9]{8}"),)
    interaction = recorded(asked(chat("for cust-12345678")), scrubber=Scrubber(salt=bytes(16), rules=rules))
    tape = Tape([interaction], session="s", path=Path("s.yaml"), digest="d", rules=rules)
    assert answer(tape, asked(chat("for cust-87654321"))) is not None


def test_a_compressed_request_body_is_compared_as_it_was_sent() -> None:
    request = asked(b"\x1f\x8b\x08\x00 not looked into")
    body = recorded(request, scrubber=Scrubber(salt=bytes(16), allow_opaque=True))
    assert answer(tape_of(body), request) is not None


# What does not


def test_a_miss_without_a_cassette_says_so(tmp_path: Path) -> None:
    tape = Tape.read(tmp_path / "none.yaml", session="none")
    assert not tape.exists
    assert tape.play(asked(chat("hi"))) is None
    miss = tape.missed(asked(chat("hi")))
    assert Reason.NO_CASSETTE == miss.reason
    assert f"no such cassette: {tmp_path / 'none.yaml'}" in str(miss)


def test_a_miss_of_a_tape_that_is_used_up_says_so() -> None:
    tape = tape_of(recorded(asked(chat("hi"))))
    tape.play(asked(chat("hi")))
    assert tape.play(asked(chat("hi"))) is None
    miss = tape.missed(asked(chat("hi")))
    assert (Reason.CONSUMED, 0) == (miss.reason, miss.nearest)
    assert "already consumed" in str(miss)


def test_a_miss_of_another_url_shows_the_nearest() -> None:
    tape = tape_of(
        recorded(asked(b"", url="https://openrouter.ai/api/v1/models", method="GET")), recorded(asked(chat("hi")))
    )
    request = asked(chat("hi"), url="https://openrouter.ai/api/v1/chat/completion")
    assert tape.play(request) is None
    miss = tape.missed(request)
    assert (Reason.NOTHING_THERE, 1) == (miss.reason, miss.nearest)
    assert ["url"] == [difference.place for difference in miss.differences]
    assert "nothing for this method and URL" in str(miss)


def test_a_miss_by_a_header_names_it() -> None:
    criteria = parse_criteria(["header:content-type"])
    tape = tape_of(recorded(asked(b"text", kind=b"text/plain")), criteria=criteria)
    miss = tape.missed(asked(b"text", kind=b"text/html"))
    assert (
        'header Content-Type differs; nearest is #0 (recorded ≠ sent): header Content-Type: "…plain" ≠ "…html"'
        in str(miss)
    )


def test_a_miss_hides_secrets() -> None:
    tape = tape_of(recorded(asked(chat("hi"))))
    miss = tape.missed(asked(chat(f"hi, {KEY}"), url=f"{URL}?key={KEY}", key=KEY))
    told = json.dumps(miss.as_json()) + str(miss)
    assert KEY not in told
    assert "REDACTED" in told


def test_the_explanation_as_the_issue_has_it() -> None:
    system = {"role": "system", "content": "You are a helpful assistant"}
    florence, rome = (
        {"messages": [system, {"role": "user", "content": f"What's the weather in {city},Italy?"}]}
        for city in ("Florence", "Rome")
    )
    miss = tape_of(recorded(asked(florence))).missed(asked(rome))
    assert Reason.DIFFERS == miss.reason
    assert 'messages[1].content: "…Florence…" ≠ "…Rome…"' == str(miss.differences[0])


def conversation(seed: int) -> dict[str, Any]:
    """A request of many, as agents make them: the same prompt and tools, other questions, some turns."""
    chosen = random.Random(seed)
    words = ["weather", "rain", "storm", "Florence", "Rome", "tomorrow", "pressure", "humid", "clear", "north"]
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You are a helpful assistant. " * 20}]
    for turn in range(1 + seed % 4):
        messages.append({"role": "user", "content": " ".join(chosen.choices(words, k=12)), "id": f"m{seed}-{turn}"})
        call = {"id": f"call_{chosen.randrange(10**9)}", "name": "weather", "input": {"days": chosen.randrange(9)}}
        messages.append({"role": "assistant", "tool_calls": [call]})
    messages.append({"role": "user", "content": " ".join(chosen.choices(words, k=12))})
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("weather", "time")]
    return {"model": "x-ai/grok", "messages": messages, "tools": tools, "temperature": chosen.randrange(9) / 10}


Edit = Callable[[dict[str, Any], random.Random], str]


def _word(body: dict[str, Any], chosen: random.Random) -> str:
    message = body["messages"][-1]
    words = message["content"].split()
    words[chosen.randrange(len(words))] = "hailstones"
    message["content"] = " ".join(words)
    return f"messages[{len(body['messages']) - 1}].content"


def _deep(body: dict[str, Any], chosen: random.Random) -> str:
    body["messages"][2]["tool_calls"][0]["input"]["days"] = 10 + chosen.randrange(9)
    return "messages[2].tool_calls[0].input.days"


def _new_field(body: dict[str, Any], chosen: random.Random) -> str:
    body["seed"] = chosen.randrange(100)
    return "seed"


def _no_field(body: dict[str, Any], _: random.Random) -> str:
    del body["temperature"]
    return "temperature"


def _new_message(body: dict[str, Any], _: random.Random) -> str:
    body["messages"].insert(1, {"role": "system", "content": "Be brief."})
    return "messages[1]"


def _other_type(body: dict[str, Any], _: random.Random) -> str:
    body["tools"][1]["parameters"]["type"] = None
    return "tools[1].parameters.type"


def _no_tool(body: dict[str, Any], _: random.Random) -> str:
    del body["tools"][0]
    return "tools[0]"


EDITS: tuple[Edit, ...] = (_word, _deep, _new_field, _no_field, _new_message, _other_type, _no_tool)


def test_50_edits_are_each_explained_by_the_right_interaction_and_the_right_place() -> None:
    bodies = [conversation(seed) for seed in range(60)]
    tape = tape_of(*(recorded(asked(body)) for body in bodies))
    for number in range(50):
        chosen = random.Random(number)
        meant = chosen.randrange(len(bodies))
        body = deepcopy(bodies[meant])
        place = EDITS[number % len(EDITS)](body, chosen)
        assert tape.play(asked(body)) is None
        miss = tape.missed(asked(body))
        assert (Reason.DIFFERS, meant, [place]) == (miss.reason, miss.nearest, [d.place for d in miss.differences])


def test_a_miss_is_short_however_much_differs() -> None:
    tape = tape_of(recorded(asked({f"field{number}": "x" * 10_000 for number in range(100)})))
    miss = tape.missed(asked({f"field{number}": "y" * 10_000 for number in range(100)}))
    assert len(str(miss)) < 1200
    assert "and 95 more differences" in str(miss)


def test_what_is_played_already_is_the_nearest_only_if_nothing_left_is_as_near() -> None:
    tape = tape_of(recorded(asked(chat("one", n=1))), recorded(asked(chat("one", n=2))))
    tape.play(asked(chat("one", n=1)))
    assert 1 == tape.missed(asked(chat("one", n=3))).nearest


def test_matching_takes_the_same_time_in_a_cassette_of_any_length() -> None:
    """10,000 interactions and 10: the same within a factor that only a search through them would exceed."""
    spent = {}
    requests = [asked(chat(f"question {number}")) for number in range(10_000)]
    interactions = [recorded(request) for request in requests[:10]]
    template = interactions[0]
    many = [Interaction(request=_with_body(template, request.body), response=template.response) for request in requests]
    for count in (10, 10_000):
        tape = tape_of(*many[:count], reuse=Reuse.ALL)
        began = time.thread_time()
        for number in range(300):
            assert tape.play(requests[(number * 7919) % count]) is not None
        spent[count] = time.thread_time() - began
    assert spent[10_000] < 10 * spent[10]


def _with_body(interaction: Interaction, body: bytes) -> Request:
    return replace(interaction.request, body=body)


# Faults


def test_what_comes_instead_leaves_the_answer_on_the_tape() -> None:
    tape = Tape(
        [recorded(asked(chat("hi")), b"one")],
        session="s",
        path=Path("s.yaml"),
        digest="d",
        faults=[parse_fault("status:429,times=2"), parse_fault("cut:after=1")],
    )
    kinds = []
    for _ in range(3):
        played = tape.play(asked(chat("hi")))
        assert played is not None
        assert played.fault is not None
        kinds.append(played.fault.kind.value)
    assert ["status", "status", "cut"] == kinds
    assert 1 == tape.receipt().served
    assert tape.play(asked(chat("hi"))) is None


# Files and receipts


def test_a_tape_is_read_from_a_file_and_the_receipt_tells_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "weather.yaml"
    data = dumps(Cassette(interactions=(recorded(asked(chat("hi")), b"one"), recorded(asked(chat("ho")), b"two"))))
    path.write_bytes(data)
    tape = Tape.read(path, session="weather")
    assert b"two" == answer(tape, asked(chat("ho")))
    tape.missed(asked(chat("he")))
    receipt = tape.receipt(upstream_connections=0)
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == receipt.digest
    assert "1 served, 1 missed, 1 never played, 0 upstream connections" == receipt.line()
    assert not receipt.is_clean
    told = json.loads(json.dumps(receipt.as_json()))
    assert [{"id": 0, "method": "POST", "url": URL}] == told["never_played"]
    assert ["body-differs"] == [miss["reason"] for miss in told["missed"]]
    assert data == path.read_bytes()


def test_a_receipt_is_clean_when_all_was_played_and_nothing_missed() -> None:
    tape = tape_of(recorded(asked(chat("hi"))))
    tape.play(asked(chat("hi")))
    assert tape.receipt().is_clean


def test_a_damaged_cassette_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weather.yaml"
    path.write_bytes(dumps(Cassette(interactions=(recorded(asked(chat("hi"))),)))[:-9])
    with pytest.raises(CassetteError, match=re.escape(str(path))):
        Tape.read(path, session="weather")


def test_another_word_for_reuse_is_refused() -> None:
    assert (Reuse.NONE, Reuse.LAST, Reuse.ALL) == tuple(map(parse_reuse, ("", "last", "all")))
    with pytest.raises(UsageError, match="--reuse"):
        parse_reuse("some")


def test_what_others_recorded_is_matched_by_its_own_requests(shared: Path) -> None:
    """Each interaction of each real cassette is found by its request, in whatever order its keys come."""
    count = 0
    for path in sorted((shared / "cassettes").rglob("*.yaml")):
        tape = Tape.read(path, session=path.stem)
        for item in range(len(tape)):
            request = tape._interactions[item].request
            body = request.body
            if body.startswith(b"{"):
                body = json.dumps(dict(reversed(json.loads(body).items())), indent=1).encode()
            kind = request.headers.first("Content-Type").encode()
            played = tape.play(asked(body, url=request.url, method=request.method, kind=kind))
            assert played is not None, (path, item)
            count += 1
        assert tape.receipt().is_clean
    assert count > 100
