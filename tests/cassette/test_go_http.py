"""The rules by themselves; tests/interop/test_nethttp.py holds the whole against Go."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.cassette.go_http import NO_RESPONSE, canonical, follows, interaction, status_text
from recorder.cassette.go_url import form, go_url
from recorder.errors import BodyError
from recorder.model import Fields, Request, Response
from recorder.wire.exchange import Exchange, WireFields, WireRequest, WireResponse

URL = "https://openrouter.ai/api/v1/chat/completions"
FORM = "application/x-www-form-urlencoded"


def asked(
    *headers: tuple[bytes, bytes], method: str = "POST", url: str = URL, body: bytes = b"", version: str = "HTTP/1.1"
) -> WireRequest:
    return WireRequest(method=method, url=url, http_version=version, headers=headers, body=body)


def answered(
    *headers: tuple[bytes, bytes],
    code: int = 200,
    reason: str = "OK",
    body: bytes = b"",
    version: str = "HTTP/1.1",
    trailers: WireFields = (),
) -> WireResponse:
    return WireResponse(code=code, reason=reason, http_version=version, headers=headers, body=body, trailers=trailers)


def exchange(request: WireRequest | None = None, response: WireResponse | None = None) -> Exchange:
    return Exchange(
        request=request or asked(),
        response=response or answered((b"Content-Length", b"0")),
        began=0,
        duration=1_476_046_083,
        chunks=(),
        ended=2_000_000_000,
    )


def request_of(wire: WireRequest) -> Request:
    return interaction(exchange(request=wire)).request


def response_of(wire: WireResponse, *, method: str = "POST") -> Response:
    return interaction(exchange(asked(method=method), wire)).response


# --- the request


def test_a_request_of_an_sdk_is_stored_as_in_the_seed() -> None:
    body = b'{"model":"x-ai/grok-code-fast-1"}'
    wire = asked(
        (b"Host", b"openrouter.ai"),
        (b"User-Agent", b"OpenAI/Go 2.3.0"),
        (b"Content-Length", b"33"),
        (b"accept", b"application/json"),
        (b"Authorization", b"Bearer sk-or-v1-1234"),
        (b"content-type", b"application/json"),
        (b"X-Stainless-Lang", b"go"),
        (b"Accept-Encoding", b"gzip"),
        body=body,
    )
    assert Request(
        method="POST",
        url=URL,
        proto="HTTP/1.1",
        proto_major=1,
        proto_minor=1,
        content_length=33,
        host="",
        body=body,
        headers=Fields(
            [
                ("User-Agent", "OpenAI/Go 2.3.0"),
                ("Accept", "application/json"),
                ("Authorization", "Bearer sk-or-v1-1234"),
                ("Content-Type", "application/json"),
                ("X-Stainless-Lang", "go"),
            ]
        ),
    ) == request_of(wire)


@pytest.mark.parametrize("name", [b"X-Stainless-Lang", b"x-stainless-lang"])
def test_a_stainless_client_has_no_host_in_whatever_language(name: bytes) -> None:
    assert "" == request_of(asked((name, b"python"), (b"Host", b"openrouter.ai"))).host


@pytest.mark.parametrize(
    ("url", "sent", "host", "stored"),
    [
        ("https://openrouter.ai/x", b"openrouter.ai", "openrouter.ai", "https://openrouter.ai/x"),
        ("https://openrouter.ai/x", b"openrouter.ai:443", "openrouter.ai:443", "https://openrouter.ai:443/x"),
        ("http://localhost/x", b"localhost:80", "localhost:80", "http://localhost:80/x"),
        ("https://openrouter.ai:8443/x", b"openrouter.ai:8443", "openrouter.ai:8443", "https://openrouter.ai:8443/x"),
        ("https://openrouter.ai/x", b"OpenRouter.ai", "OpenRouter.ai", "https://OpenRouter.ai/x"),
        ("https://openrouter.ai/x", b"other.example", "other.example", "https://openrouter.ai/x"),
        ("https://[::1]:8443/x", b"[::1]:8443", "[::1]:8443", "https://[::1]:8443/x"),
        ("https://openrouter.ai/x?u=openrouter.ai", b"", "openrouter.ai", "https://openrouter.ai/x?u=openrouter.ai"),
    ],
)
def test_the_host_is_the_one_sent_and_a_default_port_stays(url: str, sent: bytes, host: str, stored: str) -> None:
    for headers in ([(b"Host", sent)], [(b":authority", sent)]):
        request = request_of(asked(*headers, url=url))
        assert (host, stored) == (request.host, request.url)


def test_http_2_is_no_news_to_the_request() -> None:
    request = request_of(asked((b":method", b"GET"), (b"accept", b"*/*"), method="GET", version="HTTP/2.0"))
    assert ("HTTP/1.1", Fields([("Accept", "*/*")])) == (request.proto, request.headers)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ([(b"Content-Length", b"3")], b"abc", 3),
        ([(b"Content-Length", b"0")], b"", 0),
        ([], b"", 0),
        ([(b"transfer-encoding", b"chunked")], b"abc", -1),
        ([(b"Transfer-Encoding", b"chunked")], b"", -1),
        ([], b"abc", -1),
    ],
)
def test_a_length_that_was_not_announced_is_unknown(
    headers: list[tuple[bytes, bytes]], body: bytes, expected: int
) -> None:
    request = request_of(asked(*headers, body=body))
    assert (expected, ()) == (request.content_length, request.transfer_encoding)


def test_what_the_transport_and_proxies_add_is_not_there() -> None:
    sent = [
        (b"host", b"openrouter.ai"),
        (b"content-length", b"0"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"keep-alive"),
        (b"trailer", b"X-Sum"),
        (b"proxy-authorization", b"Basic eA=="),
        (b"proxy-connection", b"keep-alive"),
        (b"accept-encoding", b"gzip"),
        (b"user-agent", b"Go-http-client/1.1"),
    ]
    assert Fields() == request_of(asked(*sent)).headers


@pytest.mark.parametrize(
    ("method", "headers", "kept"),
    [
        ("GET", [(b"Accept-Encoding", b"gzip")], False),
        ("GET", [(b"Accept-Encoding", b"gzip, deflate, br, zstd")], True),
        ("GET", [(b"Accept-Encoding", b"identity")], True),
        ("HEAD", [(b"Accept-Encoding", b"gzip")], True),
        ("GET", [(b"Accept-Encoding", b"gzip"), (b"Range", b"bytes=0-1")], True),
    ],
)
def test_only_gos_own_asking_for_gzip_is_left_out(method: str, headers: list[tuple[bytes, bytes]], kept: bool) -> None:
    assert ("Accept-Encoding" in request_of(asked(*headers, method=method)).headers) is kept


def test_values_of_a_name_stay_in_their_order_and_bytes() -> None:
    headers = request_of(asked((b"X-A", b"1"), (b"x-a", b" caf\xe9\t"), (b"X-B", "é".encode()))).headers
    assert {"X-A": ("1", "caf\udce9"), "X-B": ("é",)} == dict(headers)


def test_the_crumbs_of_a_cookie_are_put_together_in_http_2() -> None:
    crumbs = [(b"cookie", b"a=1"), (b"cookie", b"b=2")]
    assert ("a=1; b=2",) == request_of(asked(*crumbs, version="HTTP/2.0")).headers["Cookie"]
    assert ("a=1", "b=2") == request_of(asked(*crumbs)).headers["Cookie"]


def test_trailers_of_a_request_are_kept() -> None:
    wire = replace(asked(body=b"abc"), trailers=((b"x-sum", b"1"),))
    assert Fields([("X-Sum", "1")]) == request_of(wire).trailer


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("content-type", "Content-Type"),
        ("ETAG", "Etag"),
        ("x-API-key", "X-Api-Key"),
        ("www-authenticate", "Www-Authenticate"),
        ("x_under.dot", "X_under.dot"),
        ("-a--b-", "-A--B-"),
        ("1a-2b", "1a-2b"),
        ("has space", "has space"),
        ("é-header", "é-header"),
        ("a:b", "a:b"),
        ("", ""),
    ],
)
def test_a_name_is_spelled_as_go_does(name: str, expected: str) -> None:
    assert expected == canonical(name)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h", "https://h"),
        ("https://h/", "https://h/"),
        ("https://h/a%2Fb(c)!*'[d]:@$&+,;=~", "https://h/a%2Fb(c)!*'[d]:@$&+,;=~"),
        ("https://h/a b|c", "https://h/a%20b%7Cc"),
        ("https://h/é", "https://h/%C3%A9"),
        ("https://h/\udce9", "https://h/%E9"),
        ("https://h/%2F|(", "https://h//%7C%28"),  # Path is what is printed then, and a `/` in it is a `/`
        ("https://h/%zz|", "https://h/%zz|"),  # no Go program can send it
        ("https://h/x?é|=%zz", "https://h/x?é|=%zz"),
        ("https://h?x=/|", "https://h?x=/|"),
        ("https://h/x?", "https://h/x?"),
    ],
)
def test_a_url_is_spelled_as_go_does(url: str, expected: str) -> None:
    assert expected == go_url(url)


# --- the form


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("b=2&a=1&b=3", {"b": ("2", "3"), "a": ("1",)}),
        ("alt=sse", {"alt": ("sse",)}),
        ("empty=&bare&=noname&&", {"empty": ("",), "bare": ("",), "": ("noname",)}),
        ("a=b=c&d=e?f", {"a": ("b=c",), "d": ("e?f",)}),
        ("plus=a+b&pct=%41%2B%c3%a9", {"plus": ("a b",), "pct": ("A+é",)}),
        ("bytes=%ff", {"bytes": ("\udcff",)}),
        ("é=ü", {"é": ("ü",)}),
        ("a=1;b=2&c=3", {"c": ("3",)}),
        ("a=%zz&b=%4&%=1&c=3", {"c": ("3",)}),
        ("a=1#b=2", {"a": ("1",)}),
    ],
)
def test_a_query_is_parsed_as_go_does(query: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert expected == dict(form("GET", f"https://h/x?{query}", "", b""))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_bodys_values_come_before_the_querys(method: str) -> None:
    fields = form(method, "https://h/x?a=query&q=1", FORM, b"a=one&a=two+%26")
    assert {"a": ("one", "two &", "query"), "q": ("1",)} == dict(fields)


@pytest.mark.parametrize("content_type", [FORM, "Application/X-WWW-Form-URLencoded ; charset=utf-8"])
def test_a_form_is_told_by_its_type(content_type: str) -> None:
    assert {"a": ("1",)} == dict(form("POST", "https://h/", content_type, b"a=1"))


@pytest.mark.parametrize(
    ("method", "content_type"),
    [
        ("GET", FORM),
        ("DELETE", FORM),
        ("post", FORM),
        ("POST", ""),
        ("POST", "multipart/form-data"),
        ("POST", "text/plain"),
    ],
)
def test_other_bodies_are_no_form(method: str, content_type: str) -> None:
    assert {"q": ("1",)} == dict(form(method, "https://h/?q=1", content_type, b"a=1"))


# --- the response


def test_a_streamed_answer_over_http_1_is_chunked() -> None:
    wire = answered(
        (b"transfer-encoding", b"chunked"), (b"content-type", b"text/event-stream"), body=b": OPENROUTER PROCESSING\n\n"
    )
    assert Response(
        status="200 OK",
        code=200,
        duration=1_476_046_083,
        transfer_encoding=("chunked",),
        content_length=-1,
        body=b": OPENROUTER PROCESSING\n\n",
        headers=Fields([("Content-Type", "text/event-stream")]),
    ) == response_of(wire)


def test_a_streamed_answer_over_http_2_has_no_length() -> None:
    response = response_of(
        answered((b"content-type", b"text/event-stream"), body=b"data: [DONE]\n\n", version="HTTP/2.0")
    )
    assert ("HTTP/2.0", 2, 0) == (response.proto, response.proto_major, response.proto_minor)
    assert (-1, (), "200 OK") == (response.content_length, response.transfer_encoding, response.status)


@pytest.mark.parametrize(
    ("version", "code", "reason", "expected"),
    [
        ("HTTP/1.1", 200, "OK", "200 OK"),
        ("HTTP/1.1", 200, "Fine, thanks", "200 Fine, thanks"),
        ("HTTP/1.1", 200, "", "200 "),
        ("HTTP/1.1", 599, "", "599 "),
        ("HTTP/2.0", 200, "", "200 OK"),
        ("HTTP/2.0", 418, "", "418 I'm a teapot"),
        ("HTTP/2.0", 413, "", "413 Request Entity Too Large"),
        ("HTTP/2.0", 422, "", "422 Unprocessable Entity"),
        ("HTTP/2.0", 529, "", "529 "),
        ("HTTP/3", 404, "", "404 Not Found"),
    ],
)
def test_the_status_is_the_reason_of_http_1_and_gos_own_text_otherwise(
    version: str, code: int, reason: str, expected: str
) -> None:
    assert expected == response_of(answered(code=code, reason=reason, version=version)).status


def test_gos_texts_are_known() -> None:
    assert ("Too Many Requests", "") == (status_text(429), status_text(600))


LENGTH = (b"Content-Length", b"3")


@pytest.mark.parametrize(
    ("method", "wire", "expected"),
    [
        ("GET", answered(LENGTH, body=b"abc"), 3),
        ("GET", answered(body=b"abc"), -1),
        ("GET", answered(LENGTH, (b"Transfer-Encoding", b"chunked"), body=b"abc"), -1),
        ("GET", answered(LENGTH, LENGTH, body=b"abc"), 3),
        ("GET", answered(LENGTH, body=b"abc", version="HTTP/2.0"), 3),
        ("GET", answered(body=b"abc", version="HTTP/2.0"), -1),
        ("GET", answered(version="HTTP/2.0"), 0),
        ("GET", answered((b"Content-Length", b"-3"), body=b"abc", version="HTTP/2.0"), -1),
        ("GET", answered((b"Content-Length", b"9" * 30), body=b"abc", version="HTTP/2.0"), -1),
        ("GET", answered(code=204), 0),
        ("GET", answered(LENGTH, code=304), 0),
        ("HEAD", answered(LENGTH), 3),
        ("HEAD", answered(), -1),
        ("HEAD", answered(LENGTH, version="HTTP/2.0"), 3),
        ("HEAD", answered(version="HTTP/2.0"), -1),
    ],
)
def test_the_length_is_what_the_transport_makes_of_it(method: str, wire: WireResponse, expected: int) -> None:
    assert expected == response_of(wire, method=method).content_length


def test_an_empty_piece_says_that_the_headers_did_not_end_the_stream() -> None:
    seen = replace(exchange(response=answered(version="HTTP/2.0")), chunks=((5, 0),))
    assert -1 == interaction(seen).response.content_length


def test_headers_that_the_transport_uses_up_are_gone() -> None:
    wire = answered(
        (b"transfer-encoding", b"chunked"), (b"connection", b"Keep-Alive, Close"), (b"x-kept", b"1"), body=b"abc"
    )
    assert Fields([("X-Kept", "1")]) == response_of(wire).headers
    assert (
        Fields([("Content-Length", "3"), ("Connection", "keep-alive")])
        == response_of(answered(LENGTH, (b"Connection", b"keep-alive"), body=b"abc")).headers
    )


def test_pragma_is_cache_control_in_http_1_only() -> None:
    pragma = (b"Pragma", b"no-cache")
    assert Fields([("Pragma", "no-cache"), ("Cache-Control", "no-cache")]) == response_of(answered(pragma)).headers
    assert Fields([("Pragma", "no-cache")]) == response_of(answered(pragma, version="HTTP/2.0")).headers


def test_a_folded_header_is_one_line() -> None:
    assert ("a b",) == response_of(answered((b"X-Folded", b"a \r\n   b"))).headers["X-Folded"]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2.0"])
def test_a_compressed_answer_is_stored_as_its_plain_bytes(version: str) -> None:
    packed = zlib.compress(b"hello", wbits=31)
    length = (b"content-length", str(len(packed)).encode())
    response = response_of(
        answered(length, (b"content-encoding", b"gzip"), (b"vary", b"*"), body=packed, version=version)
    )
    assert (b"hello", True, -1) == (response.body, response.uncompressed, response.content_length)
    assert Fields([("Vary", "*")]) == response.headers


def test_repeated_content_encodings_are_one_list() -> None:
    packed = zlib.compress(zlib.compress(b"hello"), wbits=31)
    wire = answered((b"Content-Encoding", b"deflate"), (b"content-encoding", b"gzip"), body=packed)
    assert b"hello" == response_of(wire).body


@pytest.mark.parametrize(
    ("method", "wire"),
    [
        ("HEAD", answered((b"Content-Encoding", b"gzip"), (b"Content-Length", b"12"))),
        ("GET", answered((b"Content-Encoding", b"gzip"), (b"Content-Length", b"0"))),
        ("GET", answered((b"Content-Encoding", b"gzip"), code=304)),
        ("GET", answered((b"Content-Encoding", b"gzip"), code=204, version="HTTP/2.0")),
        ("GET", answered((b"Content-Encoding", b"identity"), LENGTH, body=b"abc")),
    ],
)
def test_where_nothing_is_compressed_the_headers_stay(method: str, wire: WireResponse) -> None:
    response = response_of(wire, method=method)
    assert not response.uncompressed
    assert "Content-Encoding" in response.headers


OPAQUE = answered((b"Content-Encoding", b"aes128gcm"), (b"Content-Length", b"3"), body=b"abc")
NO_GZIP = answered((b"Content-Encoding", b"gzip"), (b"Content-Length", b"3"), body=b"abc")


@pytest.mark.parametrize("wire", [OPAQUE, NO_GZIP])
def test_a_body_that_cannot_be_decoded_is_refused_or_stored_as_sent(wire: WireResponse) -> None:
    with pytest.raises(BodyError):
        interaction(exchange(response=wire))
    response = interaction(exchange(response=wire), opaque=True).response
    assert (b"abc", False, 3) == (response.body, response.uncompressed, response.content_length)
    assert "Content-Encoding" in response.headers


def test_a_body_larger_than_allowed_is_refused() -> None:
    wire = answered((b"Content-Encoding", b"gzip"), body=zlib.compress(bytes(5000), wbits=31))
    with pytest.raises(BodyError, match="at most 4,000 bytes"):
        interaction(exchange(response=wire), limit=4000)


def test_trailers_that_were_announced_and_not_sent_have_no_values() -> None:
    announced = (b"Trailer", b"x-sum, X-Not-Sent,")
    sent = ((b"x-sum", b"1"), (b"X-Sum", b"2"))
    expected = Fields.of({"X-Sum": ["1", "2"], "X-Not-Sent": []})
    chunked = answered(announced, (b"Transfer-Encoding", b"chunked"), body=b"abc", trailers=sent)
    http_2 = answered(announced, body=b"abc", trailers=sent, version="HTTP/2.0")
    for wire in (chunked, http_2):
        response = response_of(wire)
        assert (expected, Fields()) == (response.trailer, response.headers)


# --- exchanges that broke off


def test_without_an_answer_the_code_is_zero() -> None:
    seen = replace(exchange(), response=None, duration=0, broken="upstream unreachable")
    assert Response(status=NO_RESPONSE, code=0, duration=0) == interaction(seen).response


def test_a_broken_exchange_is_decoded_as_far_as_it_goes() -> None:
    compressor = zlib.compressobj(wbits=31)
    sent = compressor.compress(b"data: a\n\n") + compressor.flush(zlib.Z_SYNC_FLUSH) + b"\x01"
    seen = exchange(response=answered((b"Content-Encoding", b"gzip"), (b"Transfer-Encoding", b"chunked"), body=sent))
    response = interaction(replace(seen, broken="the client hung up")).response
    assert (b"data: a\n\n", True) == (response.body, response.uncompressed)
    with pytest.raises(BodyError, match="cut off"):
        interaction(seen)


# --- redirects


def moved(code: int, method: str = "POST", location: bytes = b"/y") -> Exchange:
    return exchange(asked(method=method, url="https://h/x"), answered((b"location", location), code=code))


REFERER = (b"Referer", b"https://h/x")


@pytest.mark.parametrize(
    ("code", "method", "then", "expected"),
    [
        (302, "POST", "GET", True),
        (302, "POST", "POST", False),
        (302, "HEAD", "HEAD", True),
        (303, "PUT", "GET", True),
        (307, "POST", "POST", True),
        (308, "DELETE", "DELETE", True),
        (304, "GET", "GET", False),
        (200, "GET", "GET", False),
    ],
)
def test_a_redirect_is_followed_as_go_does(code: int, method: str, then: str, expected: bool) -> None:
    assert expected is follows(asked(REFERER, method=then, url="https://h/y"), moved(code, method))


def test_only_gos_own_following_counts() -> None:
    earlier = moved(302)
    assert follows(asked(REFERER, method="GET", url="https://h/y"), earlier)
    assert not follows(asked(method="GET", url="https://h/y"), earlier)
    assert not follows(asked((b"Referer", b"https://h/"), method="GET", url="https://h/y"), earlier)
    assert not follows(asked(REFERER, method="GET", url="https://h/z"), earlier)
    assert not follows(asked(REFERER, method="GET", url="https://h/x"), moved(302, location=b""))
    assert not follows(asked(REFERER, method="GET", url="https://h/x"), moved(302, location=b"http://[x"))
    assert not follows(asked(REFERER, method="GET", url="https://h/y"), replace(earlier, response=None))
    assert follows(asked(REFERER, method="GET", url="https://i/z"), moved(302, location=b"https://i/z"))


def test_a_request_that_follows_a_redirect_has_no_protocol_and_no_host() -> None:
    wire = asked((b"Host", b"h"), REFERER, method="GET", url="https://h/y")
    request = interaction(exchange(request=wire), redirected=True).request
    assert ("", 0, 0, "") == (request.proto, request.proto_major, request.proto_minor, request.host)


# --- anything at all

NAMES = st.sampled_from(
    [b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Trailer", b"Host", b"Location", b"\xff", b""]
)
VALUES = st.one_of(st.binary(max_size=8), st.sampled_from([b"chunked", b"3", FORM.encode(), b"9" * 40]))
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=5).map(tuple)


@given(HEADERS, HEADERS, st.text(max_size=8), st.binary(max_size=8), st.sampled_from(["HTTP/1.0", "HTTP/2.0", "x"]))
@settings(derandomize=True, max_examples=300)
def test_whatever_stood_on_the_wire_gives_an_interaction(
    sent: WireFields, received: WireFields, tail: str, body: bytes, version: str
) -> None:
    wire = asked(*sent, url=f"https://h/{tail}", body=body)
    seen = exchange(wire, answered(*received, body=body, version=version))
    assert body == interaction(seen).response.body
    follows(wire, seen)
