"""Settings: what text means, and one line about what means nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.cassette import LAYOUTS
from recorder.errors import UsageError
from recorder.session.settings import (
    ConnectTo,
    Host,
    Settings,
    parse_connect_to,
    parse_connect_tos,
    parse_headers,
    parse_host,
    parse_hosts,
    parse_layout,
)

HOSTS = {
    "openrouter.ai": Host(name="openrouter.ai"),
    " OpenRouter.AI ": Host(name="openrouter.ai"),
    "https://openrouter.ai/": Host(name="openrouter.ai"),
    "*.example.com": Host(name="*.example.com"),
    "host:8443": Host(name="host", port=8443),
    "http://localhost:11434": Host(name="localhost", port=11434, scheme="http"),
    "my_model.internal": Host(name="my_model.internal"),
    "127.0.0.1:8000": Host(name="127.0.0.1", port=8000),
    "[::1]:8000": Host(name="::1", port=8000),
    "[0:0:0:0:0:0:0:1]": Host(name="::1"),
    "[2001:DB8::1]": Host(name="2001:db8::1"),
}


@pytest.mark.parametrize("text", HOSTS)
def test_a_host_is_a_name_with_perhaps_a_scheme_and_a_port(text: str) -> None:
    assert HOSTS[text] == parse_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "https://openrouter.ai/api/v1",
        "ftp://example.com",
        "user@example.com",
        "example..com",
        "-example.com",
        "*",
        "*example.com",
        "a.*.com",
        "host:0",
        "host:65536",
        "host:٣",
        "host:999999",
        "host:",
        "[::1",
        "[::zz]",
        "[1:2:3]",
        "::1",
        "openrouter.ai\x00",
        "bücher.example",
    ],
)
def test_what_is_no_host_is_refused_in_one_line(text: str) -> None:
    refused(parse_host, text)


def refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert 2 == caught.value.exit_code
    assert str(caught.value).startswith("expected ")
    assert len(str(caught.value).splitlines()) == 1


def test_hosts_are_parted_by_commas_or_spaces() -> None:
    expected = (Host(name="a.example"), Host(name="b.example"), Host(name="*.c.example", port=1))
    assert expected == parse_hosts("a.example, b.example\t*.c.example:1,")


@pytest.mark.parametrize("text", ["", " , ", "*.example.com", "*.example.com openrouter.ai", "openrouter.ai /"])
def test_hosts_begin_with_the_one_behind_the_base_url(text: str) -> None:
    refused(parse_hosts, text)


@pytest.mark.parametrize(
    ("host", "name", "port", "expected"),
    [
        ("openrouter.ai", "openrouter.ai", 443, True),
        ("openrouter.ai", "OPENROUTER.AI.", 8443, True),
        ("openrouter.ai", "api.openrouter.ai", 443, False),
        ("openrouter.ai", "notopenrouter.ai", 443, False),
        ("openrouter.ai", "openrouter.ai.evil.example", 443, False),
        ("openrouter.ai", "openrouterxai", 443, False),
        ("openrouter.ai:8443", "openrouter.ai", 443, False),
        ("openrouter.ai:8443", "openrouter.ai", 8443, True),
        ("*.example.com", "a.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "badexample.com", 443, False),
        ("[::1]:8000", "::1", 8000, True),
        ("[::1]:8000", "::11", 8000, False),
    ],
)
def test_a_host_and_its_pattern_match_the_same(host: str, name: str, port: int, *, expected: bool) -> None:
    rule = parse_host(host)
    assert expected == rule.matches(name, port)
    # mitmproxy searches its `allow_hosts` in `host:port`, with the case ignored.
    authority = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    assert expected == bool(re.search(rule.pattern, authority, re.IGNORECASE))


names = st.from_regex(r"[a-z0-9]{1,3}(\.[a-z0-9]{1,3}){0,3}\.?", fullmatch=True)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(names.map(lambda name: name.rstrip(".")), st.booleans(), names, st.sampled_from([443, 8443]))
def test_pattern_and_match_never_differ(name: str, wild: bool, asked: str, port: int) -> None:
    rule = Host(name=f"*.{name}" if wild else name, port=443 if len(name) % 2 else None)
    assert rule.matches(asked, port) == bool(re.search(rule.pattern, f"{asked}:{port}", re.IGNORECASE))


@pytest.mark.parametrize(
    ("expected", "host"),
    [
        ("https://openrouter.ai", "openrouter.ai"),
        ("http://localhost:11434", "http://localhost:11434"),
        ("https://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_base_url_leads_to_the_host(expected: str, host: str) -> None:
    assert expected == parse_host(host).base_url


CONNECT_TO = {
    "openrouter.ai:443:127.0.0.1:9000": ConnectTo(host="openrouter.ai", port=443, to_host="127.0.0.1", to_port=9000),
    "OpenRouter.ai::Localhost:1": ConnectTo(host="openrouter.ai", port=None, to_host="localhost", to_port=1),
    "::localhost:65535": ConnectTo(host="", port=None, to_host="localhost", to_port=65535),
    ":443:[::1]:9000": ConnectTo(host="", port=443, to_host="::1", to_port=9000),
    "[2001:db8::0]:443:[0::1]:9000": ConnectTo(host="2001:db8::", port=443, to_host="::1", to_port=9000),
}


@pytest.mark.parametrize("text", CONNECT_TO)
def test_connect_to_is_as_curl_has_it(text: str) -> None:
    assert CONNECT_TO[text] == parse_connect_to(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "openrouter.ai",
        "openrouter.ai:443",
        "openrouter.ai:443:localhost",
        "openrouter.ai:443:localhost:",
        "openrouter.ai:443::9000",
        "openrouter.ai:0:localhost:1",
        "openrouter.ai:443:localhost:0",
        "openrouter.ai:443:localhost:65536",
        "openrouter.ai:443:localhost:" + "9" * 5000,
        "openrouter.ai:٣:localhost:1",
        "a:1:b:2:c",
        "a:1:b c:2",
        "[]:1:b:2",
        "[x]:1:b:2",
        "[1:2]:1:b:2",
        "a:1:[1:2]:2",
        "a:1:b:2\n",
    ],
)
def test_what_is_no_connect_to_is_refused_in_one_line(text: str) -> None:
    refused(parse_connect_to, text)


def test_rules_to_connect_are_parted_by_commas_or_spaces() -> None:
    first, second = list(CONNECT_TO)[:2]
    assert (CONNECT_TO[first], CONNECT_TO[second]) == parse_connect_tos(f"{first}, {second}")
    assert () == parse_connect_tos("")


@pytest.mark.parametrize(
    ("rule", "host", "port", "expected"),
    [
        ("a:1:b:2", "A.", 1, True),
        ("a:1:b:2", "a", 2, False),
        ("a::b:2", "a", 7, True),
        (":1:b:2", "whatever", 1, True),
        ("a:1:b:2", "aa", 1, False),
    ],
)
def test_an_empty_host_or_port_stands_for_any(rule: str, host: str, port: int, *, expected: bool) -> None:
    assert expected == parse_connect_to(rule).matches(host, port)


def test_a_layout_goes_by_its_name() -> None:
    assert dict(LAYOUTS) == {name: parse_layout(name) for name in LAYOUTS}
    assert None is parse_layout("")


@pytest.mark.parametrize("text", ["Go-VCR", "pretty", " ", "charm\n"])
def test_what_is_no_layout_is_refused_in_one_line(text: str) -> None:
    refused(parse_layout, text)


def test_headers_are_parted_by_commas_or_spaces() -> None:
    assert ("X-Request-Id", "traceparent") == parse_headers("X-Request-Id, traceparent")
    assert () == parse_headers("")


@pytest.mark.parametrize("text", ["X:", "X-Größe", "a\x00b", "(comment)"])
def test_what_is_no_header_is_refused_in_one_line(text: str) -> None:
    refused(parse_headers, text)


def test_settings_record_what_any_of_the_hosts_matches() -> None:
    told = Settings(session="s", hosts=parse_hosts("openrouter.ai:443 *.example.com"))
    assert [True, True, False, False] == [
        told.records(name, port)
        for name, port in [("openrouter.ai", 443), ("a.example.com", 1), ("openrouter.ai", 80), ("example.com", 443)]
    ]
