"""The exchange on the wire → the interaction that go-vcr would have stored inside a Go client. Pure.

go-vcr v4 stands above Go's `http.Transport`: it stores the `http.Request` as the program made it and the
`http.Response` as the transport gave it. The wire shows what the transport made of the one and what it made the other
from. Each rule here is net/http's (Go 1.26; the function is named) or go-vcr's (v4.0.7, `requestHandler` in
pkg/recorder/recorder.go), and tests/interop/go/nethttp runs both for real and holds this module against them.

Three things are ours. Bodies are decoded whatever their coding, while Go undoes only a gzip that it asked for itself;
an exchange that Go would have refused (a broken escape in a query, for one) still gives an interaction; and one
without an answer gives code 0. Nothing is scrubbed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import urljoin

from recorder.cassette.go_url import _URL, form, go_url, text
from recorder.errors import BodyError
from recorder.model import INT64_MAX, Fields, Interaction, Request, Response
from recorder.wire.content_coding import LIMIT, codings, decode
from recorder.wire.exchange import Exchange, WireFields, WireRequest, WireResponse
from recorder.wire.ports import DEFAULT_PORTS

UNKNOWN_LENGTH: Final = -1

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

NO_RESPONSE: Final = "0 no response"
"""The status of an interaction without an answer; its code is 0. No server can send either."""

# What the transport writes by itself (transferWriter.writeHeader, persistConn.roundTrip), and what is for a proxy.
_NOT_THE_PROGRAMS: Final = frozenset(
    {
        "Connection",
        "Content-Length",
        "Host",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Trailer",
        "Transfer-Encoding",
    },
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]*")  # RFC 9110, section 5.6.2
_FOLD: Final = re.compile(rb"[ \t]*\r?\n[ \t]*")
_DIGITS: Final = re.compile(r"[0-9]{1,100}")
_VERSION: Final = re.compile(r"HTTP/([0-9])(?:\.([0-9]))?")


def interaction(
    exchange: Exchange, *, redirected: bool = False, opaque: bool = False, limit: int = LIMIT
) -> Interaction:
    """What go-vcr would have stored of `exchange`, before any hook has scrubbed it.

    `redirected` is for a request that a Go client has made by itself; `follows` tells.

    A compressed answer is stored as its plain bytes; of a broken exchange, as many as had come. One that cannot be
    decoded, or would come to more than `limit` bytes, is a `BodyError`, or, if `opaque`, is stored as it was sent.
    """
    return Interaction(
        request=_request(exchange.request, redirected=redirected),
        response=_response(exchange, opaque=opaque, limit=limit),
    )


def follows(request: WireRequest, earlier: Exchange) -> bool:
    """Whether `request` is what Go's `Client.do` makes of the redirect that `earlier` was answered with.

    Go is told from other clients by the `Referer` that it then adds (refererForURL), so nothing is said of a redirect
    from https to http, where it adds none.
    """
    answer = earlier.response
    if answer is None or not is_redirect(earlier) or request.method != _next_method(earlier):
        return False
    location = next(iter(_values(_pairs(answer.headers), "Location")), "")
    referer = _values(_pairs(request.headers), "Referer")
    asked = earlier.request.url
    if not location or referer != [asked]:
        return False
    try:
        return go_url(request.url) == go_url(urljoin(asked, location))
    except ValueError:  # a location that is no URL
        return False


def is_redirect(exchange: Exchange) -> bool:
    """Whether Go's `Client.do` goes on from this answer by itself, if it says where to."""
    return exchange.response is not None and exchange.response.code in _REDIRECTS


def _next_method(earlier: Exchange) -> str:
    """As redirectBehavior in client.go has it."""
    method = earlier.request.method
    keeps = method in ("GET", "HEAD") or (earlier.response and earlier.response.code in (307, 308))
    return method if keeps else "GET"


@lru_cache(maxsize=256)  # a server may send names of any length
def canonical(name: str) -> str:
    """A header's name as Go spells it (`textproto.CanonicalMIMEHeaderKey`): one that is no token stays as it is."""
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def _pairs(wire: WireFields) -> Iterator[tuple[str, str]]:
    """The fields with their Go names, without pseudo-fields; folded lines are joined as by `textproto.Reader`."""
    for name, value in wire:
        if not name.startswith(b":"):
            line = value.strip(b" \t\r\n")
            yield canonical(text(name)), text(_FOLD.sub(b" ", line) if b"\n" in line else line)


def _values(pairs: Iterable[tuple[str, str]], wanted: str) -> list[str]:
    return [value for name, value in pairs if name == wanted]


# --- the request


def _request(wire: WireRequest, *, redirected: bool) -> Request:
    sent = list(_pairs(wire.headers))
    authority = _sent_authority(wire, sent)
    url = go_url(_as_written(wire.url, authority))
    host = "" if _is_stainless(sent) else authority or _authority(url)
    if redirected and host == _authority(url):
        host = ""  # a Host that the program set is carried along
    return Request(
        method=wire.method,
        url=url,
        # Client.do makes the request that follows a redirect without NewRequest, which is what sets these.
        proto="" if redirected else "HTTP/1.1",
        proto_major=0 if redirected else 1,
        proto_minor=0 if redirected else 1,
        content_length=_announced(wire, sent),
        host=host,
        trailer=Fields(_pairs(wire.trailers)),
        body=wire.body,
        form=form(wire.method, url, (_values(sent, "Content-Type") or [""])[0], wire.body),
        headers=Fields(_programs_headers(wire, sent)),
    )


def _announced(wire: WireRequest, sent: list[tuple[str, str]]) -> int:
    """The body's length, if the client said it.

    The wire cannot tell a Go program that left `ContentLength` at 0 beside a body (go-vcr stores the 0) from one that
    set it to -1: both are sent without a length. FORMAT has -1, which says what happened.
    """
    if _values(sent, "Transfer-Encoding"):
        return UNKNOWN_LENGTH
    if wire.body and not _values(sent, "Content-Length"):
        return UNKNOWN_LENGTH
    return len(wire.body)


def _sent_authority(wire: WireRequest, sent: list[tuple[str, str]]) -> str:
    """What went out as `Host`, which is Go's `Request.Host`: the URL's authority unless the program set another one."""
    pseudo = (text(value) for name, value in wire.headers if name == b":authority")
    return next(pseudo, "") or next(iter(_values(sent, "Host")), "")


def _is_stainless(sent: list[tuple[str, str]]) -> bool:
    """Clients generated by Stainless make their request from a relative URL and give it its base later.

    `http.NewRequest` takes `Host` from the URL, so it stays empty (internal/requestconfig/requestconfig.go).
    """
    return bool(_values(sent, "X-Stainless-Lang"))


def _authority(url: str) -> str:
    match = _URL.fullmatch(url)
    return match["origin"].partition("://")[2].rpartition("@")[2] if match else ""


def _as_written(url: str, sent: str) -> str:
    """`url` with the authority as the program spelled it, if `sent` is the same one: Go keeps a default port."""
    scheme, separator, rest = url.partition("://")
    authority = _authority(url)
    port = f":{DEFAULT_PORTS[scheme]}" if scheme in DEFAULT_PORTS else ""
    if sent.lower().removesuffix(port) != authority.lower().removesuffix(port):
        return url
    return scheme + separator + rest.replace(authority, sent, 1)


def _programs_headers(wire: WireRequest, sent: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    cookies = _values(sent, "Cookie")
    if _version(wire.http_version)[0] >= 2 and len(cookies) > 1:
        # HTTP/2 may send one Cookie field in crumbs (RFC 9113, section 8.2.3), and Go's transport does.
        yield "Cookie", "; ".join(cookies)
        sent = [pair for pair in sent if pair[0] != "Cookie"]
    for name, value in sent:
        if name not in _NOT_THE_PROGRAMS and not _is_the_transports(wire.method, name, value, sent):
            yield name, value


def _is_the_transports(method: str, name: str, value: str, sent: list[tuple[str, str]]) -> bool:
    if name == "User-Agent":
        return value.startswith("Go-http-client/")
    if name == "Accept-Encoding":
        # persistConn.roundTrip, and httpcommon.IsRequestGzip for HTTP/2. Otherwise the program asked for it itself.
        return value == "gzip" and method != "HEAD" and not _values(sent, "Range")
    return False


# --- the form


# --- the response


def _response(exchange: Exchange, *, opaque: bool, limit: int) -> Response:
    wire = exchange.response
    if wire is None:
        return Response(status=NO_RESPONSE, code=0, duration=exchange.duration)
    major, minor = _version(wire.http_version)
    received = list(_pairs(wire.headers))
    chunked = (major, minor) == (1, 1) and bool(_values(received, "Transfer-Encoding"))
    length = _length(exchange, wire, received, major=major, chunked=chunked)
    headers = _headers(received, major=major, minor=minor, chunked=chunked)
    body, decoded = wire.body, False
    if exchange.request.method != "HEAD" and length != 0:  # as persistConn.readLoop's hasBody
        body, decoded = _decoded(exchange, wire, headers, opaque=opaque, limit=limit)
    if decoded:
        length = UNKNOWN_LENGTH
        headers = [pair for pair in headers if pair[0] not in ("Content-Encoding", "Content-Length")]
    return Response(
        status=_status(wire, major),
        code=wire.code,
        duration=exchange.duration,
        proto=f"HTTP/{major}.{minor}",
        proto_major=major,
        proto_minor=minor,
        transfer_encoding=("chunked",) if chunked else (),
        trailer=_trailer(wire, received, announced=major >= 2 or chunked),
        content_length=length,
        uncompressed=decoded,
        body=body,
        headers=Fields(headers),
    )


def _version(version: str) -> tuple[int, int]:
    match = _VERSION.fullmatch(version)
    return (int(match[1]), int(match[2] or 0)) if match else (1, 1)


def _status(wire: WireResponse, major: int) -> str:
    """HTTP/1 as it stands in the status line (ReadResponse), HTTP/2 with Go's own text for the code (handleResponse).

    In both there is a space behind the code also where nothing follows it.
    """
    return f"{wire.code} {wire.reason if major < 2 else status_text(wire.code)}"


def _length(
    exchange: Exchange, wire: WireResponse, received: list[tuple[str, str]], *, major: int, chunked: bool
) -> int:
    """`Response.ContentLength`: fixLength in transfer.go for HTTP/1, handleResponse in http2 for HTTP/2."""
    is_head = exchange.request.method == "HEAD"
    lengths = _values(received, "Content-Length")
    if major >= 2:
        if not lengths and not is_head and not exchange.chunks and not wire.body:
            return 0  # the headers ended the stream; a body that ended later, if empty, came as a piece of no bytes
        return _number(lengths[0]) if len(lengths) == 1 else UNKNOWN_LENGTH
    stated = _number(lengths[0]) if len(set(lengths)) == 1 else UNKNOWN_LENGTH
    if is_head:
        return stated
    if wire.code < 200 or wire.code in (204, 304):
        return 0
    return UNKNOWN_LENGTH if chunked else stated


def _number(value: str) -> int:
    number = int(value) if _DIGITS.fullmatch(value) else UNKNOWN_LENGTH
    return number if number <= INT64_MAX else UNKNOWN_LENGTH


def _headers(received: list[tuple[str, str]], *, major: int, minor: int, chunked: bool) -> list[tuple[str, str]]:
    """`Response.Header`: what the transport used up itself is gone (readTransfer; handleResponse for HTTP/2)."""
    if major >= 2:
        return [pair for pair in received if pair[0] != "Trailer"]
    gone = {"Transfer-Encoding"}
    if chunked:
        gone |= {"Content-Length", "Trailer"}
    if minor > 0 and any(_has_token(value, "close") for value in _values(received, "Connection")):
        gone.add("Connection")  # shouldClose
    kept = [pair for pair in received if pair[0] not in gone]
    if _values(kept, "Pragma")[:1] == ["no-cache"] and not _values(kept, "Cache-Control"):
        kept.append(("Cache-Control", "no-cache"))  # fixPragmaCacheControl
    lengths = [pair for pair in kept if pair[0] == "Content-Length"]
    return [pair for pair in kept if pair[0] != "Content-Length"] + lengths[:1]  # fixLength removes repetitions


def _has_token(value: str, token: str) -> bool:
    return any(part.strip(" \t").lower() == token for part in value.split(","))


def _decoded(
    exchange: Exchange, wire: WireResponse, headers: list[tuple[str, str]], *, opaque: bool, limit: int
) -> tuple[bytes, bool]:
    encoding = ", ".join(_values(headers, "Content-Encoding"))
    try:
        if not codings(encoding):
            return wire.body, False
        return decode(wire.body, encoding, partial=exchange.broken is not None, limit=limit), True
    except BodyError:
        if not opaque:
            raise
        return wire.body, False


def _trailer(wire: WireResponse, received: list[tuple[str, str]], *, announced: bool) -> Fields:
    """`Response.Trailer` when the body has been read: names announced and not sent have no values."""
    names = _values(received, "Trailer") if announced else []
    fields: dict[str, list[str]] = {canonical(name): [] for value in names for name in _elements(value)}
    for name, value in _pairs(wire.trailers):
        fields.setdefault(name, []).append(value)
    return Fields.of(fields)


def _elements(value: str) -> Iterator[str]:
    return (element for part in value.split(",") if (element := part.strip(" \t")))


def status_text(code: int) -> str:
    """`http.StatusText`: "" for a code that Go does not know."""
    return _GO_TEXTS.get(code, "")


# net/http's own table (status.go). Python's has other words here and there, and changes them with its versions.
_GO_TEXTS: Final = MappingProxyType(
    {
        100: "Continue",
        101: "Switching Protocols",
        102: "Processing",
        103: "Early Hints",
        200: "OK",
        201: "Created",
        202: "Accepted",
        203: "Non-Authoritative Information",
        204: "No Content",
        205: "Reset Content",
        206: "Partial Content",
        207: "Multi-Status",
        208: "Already Reported",
        226: "IM Used",
        300: "Multiple Choices",
        301: "Moved Permanently",
        302: "Found",
        303: "See Other",
        304: "Not Modified",
        305: "Use Proxy",
        307: "Temporary Redirect",
        308: "Permanent Redirect",
        400: "Bad Request",
        401: "Unauthorized",
        402: "Payment Required",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        406: "Not Acceptable",
        407: "Proxy Authentication Required",
        408: "Request Timeout",
        409: "Conflict",
        410: "Gone",
        411: "Length Required",
        412: "Precondition Failed",
        413: "Request Entity Too Large",
        414: "Request URI Too Long",
        415: "Unsupported Media Type",
        416: "Requested Range Not Satisfiable",
        417: "Expectation Failed",
        418: "I'm a teapot",
        421: "Misdirected Request",
        422: "Unprocessable Entity",
        423: "Locked",
        424: "Failed Dependency",
        425: "Too Early",
        426: "Upgrade Required",
        428: "Precondition Required",
        429: "Too Many Requests",
        431: "Request Header Fields Too Large",
        451: "Unavailable For Legal Reasons",
        500: "Internal Server Error",
        501: "Not Implemented",
        502: "Bad Gateway",
        503: "Service Unavailable",
        504: "Gateway Timeout",
        505: "HTTP Version Not Supported",
        506: "Variant Also Negotiates",
        507: "Insufficient Storage",
        508: "Loop Detected",
        510: "Not Extended",
        511: "Network Authentication Required",
    },
)
