"""The values that were used as credentials: where they stand in an exchange, and how each is found again.

A value is learned from its place, not from its looks, so that a key of a shape that nobody knows is found too.
"""

from __future__ import annotations

import binascii
import itertools
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from recorder.model import Interaction
from recorder.scrub import decoding
from recorder.wire.exchange import Exchange, WireFields, WireRequest

SHORTEST_VALUE = 8
"""Bytes. A shorter value would be found by chance."""

# Values that are sent in a credential's place and are none; all are longer than the shortest that is learned.
_COMMON = frozenset(
    b"username password anonymous undefined postgres not-needed no-key-required placeholder changeme localhost "
    b"test-key dummy-key fake-key your-api-key your_api_key unauthenticated redacted".split()
)

_CREDENTIAL_HEADERS = frozenset(
    [
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "set-cookie",
        "set-cookie2",
        "cookie2",
    ]
)
# Names that end as a credential's does, and hold none.
_HARMLESS = re.compile(
    r"(?:idempotency|cache|sort|partition|primary|foreign|public|page|next|continuation|sync|max|min|num|websocket|"
    r"content|completion|prompt|total|surrogate|routing)[-_. ]?(?:key|tokens?)$|www-authenticate$|authentication-info$"
)
_CREDENTIAL_NAME = re.compile(
    r"(?:^|[-_.\[])(?:key|auth|jwt|sig|pwd|pass|session|sid|cookie)\]?$"
    r"|(?:api|access|secret|private|auth|account|subscription|shared|functions|client|admin|master|app)[-_. ]?key"
    r"(?:[-_. ]?id)?\]?$"
    r"|hapikey$|(?:token|secret|passwd|password|passphrase|credentials?|signature|authorization|session[-_]?id|"
    r"code_verifier|client_assertion|samlresponse|otp)\]?$"
)
# Parameters of Digest and of AWS's signatures that say nothing secret.
_MANY = 64
"""Needles from which on they are looked up."""
_START = 16
_OPEN_PARAMETERS = frozenset(b"realm uri algorithm qop nc signedheaders charset userhash stale domain version".split())
_BYTES = ("utf-8", "surrogateescape")
_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9_-]{1,30})[ \t]+(?=\S)(.*)", re.DOTALL)
_PARAMETER = re.compile(rb"""([A-Za-z_-]{1,40})=(?:"([^"]*)"|([^\s,;"]+))""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """`value` was sent as a credential; `place` names the field for a person, e.g. `request header authorization`."""

    value: bytes = field(repr=False)
    place: str


@lru_cache(maxsize=256)  # a server may send names of any length
def is_credential_name(name: str) -> bool:
    """Whether a header, a parameter or a form field of this name carries a credential."""
    lowered = name.lower()
    if lowered in _CREDENTIAL_HEADERS:
        return True
    return _CREDENTIAL_NAME.search(lowered) is not None and _HARMLESS.search(lowered) is None


def unquoted(text: bytes) -> bytes:
    """A name or a value of a query or a form, decoded."""
    return unquote_to_bytes(text.replace(b"+", b" "))


def credentials(exchange: Exchange) -> Iterator[Credential]:
    """What both sides of an exchange sent as credentials."""
    yield from request_credentials(exchange.request)
    if exchange.response is not None:
        yield from _field_credentials(exchange.response.headers, "response header")
        yield from _field_credentials(exchange.response.trailers, "response trailer")


def request_credentials(request: WireRequest) -> Iterator[Credential]:
    yield from _field_credentials(request.headers, "request header")
    yield from _field_credentials(request.trailers, "request trailer")
    yield from _url_credentials(request.url.encode(*_BYTES))
    types = [value.lower() for name, value in request.headers if name.lower() == b"content-type"]
    if any(value.startswith(b"application/x-www-form-urlencoded") for value in types):
        yield from _pair_credentials(request.body, "form field")


def environment_credentials(environ: Mapping[str, str]) -> Iterator[Credential]:
    """The values of the variables whose names end like a credential's."""
    for name, value in environ.items():
        if name.upper().endswith(("_API_KEY", "_TOKEN", "_SECRET")):
            yield Credential(value=value.encode(*_BYTES), place=f"environment variable {name}")


def recorded_credentials(interaction: Interaction) -> Iterator[Credential]:
    """The same for an interaction that somebody else recorded, and wrote with its credentials."""
    for side, fields in (
        ("request header", interaction.request.headers),
        ("request trailer", interaction.request.trailer),
        ("response header", interaction.response.headers),
        ("response trailer", interaction.response.trailer),
    ):
        pairs = ((name, value) for name, values in fields.items() for value in values)
        yield from _field_credentials(
            tuple((name.encode(*_BYTES), value.encode(*_BYTES)) for name, value in pairs), side
        )
    yield from _url_credentials(interaction.request.url.encode(*_BYTES))
    for name, values in interaction.request.form.items():
        if is_credential_name(name):
            yield from (Credential(value=value.encode(*_BYTES), place=f"form field {name}") for value in values)


def _field_credentials(fields: WireFields, side: str) -> Iterator[Credential]:
    for raw, value in fields:
        name = raw.decode("latin-1").lower()
        if is_credential_name(name):
            for part in _header_values(name, value.strip()):
                yield Credential(value=part, place=f"{side} {name}")


def _header_values(name: str, value: bytes) -> Iterator[bytes]:
    if name in {"cookie", "cookie2"}:
        yield from (pair.partition(b"=")[2].strip().strip(b'"') for pair in value.split(b";"))
        return
    if name in {"set-cookie", "set-cookie2"}:
        yield value.partition(b";")[0].partition(b"=")[2].strip().strip(b'"')
        return
    yield from _authorization_values(value)


def _authorization_values(value: bytes) -> Iterator[bytes]:
    scheme = _SCHEME.fullmatch(value)
    rest = scheme[2].strip() if scheme else value
    parameters = [(name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(rest)]
    if scheme and parameters and (b"," in rest or b'"' in rest or b"AWS4" in scheme[1]):
        # Digest, AWS4-HMAC-SHA256 and their like: each parameter; of `Credential=ID/date/region` the id alone.
        yield from (part.partition(b"/")[0] if name == b"credential" else part
                    for name, part in parameters if name not in _OPEN_PARAMETERS)  # fmt: skip
        return
    yield rest
    if scheme and scheme[1].lower() == b"basic":
        yield from _basic_values(rest)


def _basic_values(encoded: bytes) -> Iterator[bytes]:
    try:
        decoded = binascii.a2b_base64(encoded + b"=" * (-len(encoded) % 4))
    except binascii.Error:
        return
    user, _, password = decoded.partition(b":")
    yield from filter(None, (decoded, user, password))


def _url_credentials(url: bytes) -> Iterator[Credential]:
    _, _, rest = url.partition(b"://")
    authority = re.split(rb"[/?#]", rest, maxsplit=1)[0]
    userinfo, at, _ = authority.rpartition(b"@")
    if at:
        for part in userinfo.split(b":", 1):
            yield Credential(value=unquote_to_bytes(part), place="userinfo of the URL")
    for part in re.split(rb"[?#]", rest)[1:]:
        yield from _pair_credentials(part, "query parameter")


def _pair_credentials(pairs: bytes, place: str) -> Iterator[Credential]:
    for pair in re.split(rb"[&;]", pairs):
        raw, _, value = pair.partition(b"=")
        name = unquoted(raw).decode("latin-1")
        if value and is_credential_name(name):
            yield Credential(value=unquoted(value), place=f"{place} {name}")
            # A plus is itself in a fragment, and where a client did not encode what it sent.
            if b"+" in value:
                yield Credential(value=unquote_to_bytes(value), place=f"{place} {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needle:
    """A spelling to search for. `inside`: a run (`views.runs`) that is there wherever the spelling is, or empty."""

    spelling: bytes = field(repr=False)
    inside: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    kind: str


class Learned:
    """The learned values of one session. Grows while it runs, also while another thread searches; never forgets."""

    __slots__ = ("_adding", "_by_start", "_kinds", "_others", "has_blanks", "needles", "probes", "spans_lines")

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._kinds: dict[bytes, str] = {}
        self.needles: tuple[Needle, ...] = ()
        self._others: tuple[Needle, ...] = ()  # those that no run has to be there for
        self._by_start: dict[bytes, list[Needle]] = {}
        self.spans_lines = False
        """Whether a spelling has a quote or a line end in it, so that it may stand in more than one string or line."""
        self.has_blanks = False
        """Whether a value has a character in it that JSON escapes with a letter, a quote or a backslash."""
        self.probes: tuple[bytes, ...] = ()
        """Base64 and hex of values for which no run is long enough to be read by default."""

    def __len__(self) -> int:
        return len(self._kinds)

    def kind(self, value: bytes) -> str | None:
        return self._kinds.get(value)

    def add(self, value: bytes, kind: str) -> bool:
        """False if the value is too short or too common to be searched for."""
        if len(value) < SHORTEST_VALUE or value.lower() in _COMMON or b"REDACTED" in value:
            return False
        with self._adding:
            if value not in self._kinds:
                self._learn(value, kind)
                self._kinds[value] = kind  # last: what is searched meanwhile was not searched for it
        return True

    def _learn(self, value: bytes, kind: str) -> None:
        self.has_blanks = self.has_blanks or any(code < 0x20 or code in b"\"\\'" for code in value)
        needles = tuple(
            Needle(spelling=spelling, inside=decoding.longest_run(spelling), secret=value, kind=kind)
            for spelling in dict.fromkeys(_spellings(value))
        )
        self.spans_lines = self.spans_lines or any(
            b'"' in needle.spelling or b"\n" in needle.spelling for needle in needles
        )
        for needle in needles:
            if needle.inside:
                self._by_start.setdefault(needle.inside[:_START], []).append(needle)
        self._others += tuple(needle for needle in needles if not needle.inside)
        self.needles += needles
        self.probes += tuple(dict.fromkeys(_probes(value)))

    def candidates(self, runs: bytes) -> Iterable[Needle]:
        """The needles that may be in a text, by its `runs`: one of each pass over many, as a server that sets a new
        cookie with each answer makes them, would take longer than to look each place of the runs up."""
        if len(self.needles) < _MANY or len(runs) > len(self.needles) * 8:
            return (needle for needle in self.needles if not needle.inside or needle.inside in runs)
        by_start = self._by_start
        starts = {runs[at : at + _START] for at in range(len(runs) - _START + 1)}
        found = [by_start[start] for start in starts if start in by_start]
        return itertools.chain(self._others, *found)


def _spellings(value: bytes) -> Iterator[bytes]:
    """The value, and the same with its own escapes taken off: the text is searched with its own taken off."""
    plain = [value]
    while (view := decoding.unescape(plain[-1])) is not None and len(view.text) >= SHORTEST_VALUE:
        plain.append(view.text)
    if b" " in value:
        plain.append(value.replace(b" ", b"+"))
    yield from plain
    for text in plain:
        if not text.isascii():
            # Read as Latin-1 and written as UTF-8, which is what `\\xc3\\xa9` comes to; and the other way round.
            yield text.decode("latin-1").encode("utf-8")
            with suppress(UnicodeError):
                yield text.decode("utf-8").encode("latin-1")


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _probes(value: bytes) -> Iterable[bytes]:
    """What is the same in every base64 or hex text with the value in it, at each of the three alignments."""
    if len(value) >= decoding.SHORTEST_RUN and decoding.has_text(value):
        return
    once = (value.hex().encode("ascii"), binascii.b2a_base64(value, newline=False).rstrip(b"="))
    for spelled in (value, *_wide(value), *once):
        yield spelled.hex().encode("ascii")
        yield spelled.hex().upper().encode("ascii")
        for offset in range(3):
            encoded = binascii.b2a_base64(bytes(offset) + spelled, newline=False).rstrip(b"=")
            # The first characters hold bits of what stands before, the last one may hold bits of what follows.
            core = encoded[-(-offset * 4 // 3) : len(encoded) - ((offset + len(spelled)) % 3 != 0)]
            yield core
            yield core.translate(decoding.STANDARD_TO_URLSAFE)


def _wide(value: bytes) -> Iterator[bytes]:
    """In UTF-16, which is what some shells take their base64 of."""
    if _is_utf8(value):
        yield value.decode("utf-8").encode("utf-16-le")
