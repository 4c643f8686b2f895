"""What is written passes through here: `scrub` makes what the store takes, `check` is the gate behind it.

One scrubber for a session: it knows the salt and what was learned. It works on what a Go client would have seen
(`Interaction`), never on what goes over the wire.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import final

from recorder.errors import BodyError, SecretError
from recorder.model import Fields, Interaction, Request, Response
from recorder.scrub import known_values, streams
from recorder.scrub.hits import Hit, percent_encoded, replaced
from recorder.scrub.known_values import Credential, Learned, is_credential_name
from recorder.scrub.patterns import GENERIC
from recorder.scrub.placeholder import PLACEHOLDER, placeholder
from recorder.scrub.readable import Readable, _without_binary, coding, is_form, is_text, readable
from recorder.scrub.rules import Rule
from recorder.scrub.search import Finder
from recorder.scrub.streams import Column
from recorder.wire.exchange import Exchange

REQUEST_HEADERS = frozenset(("accept", "content-type", "user-agent"))
RESPONSE_HEADERS = frozenset(("content-type",))
"""What the seed's recorder keeps; everything else is noise or a risk."""

ALL_HEADERS = "*"
"""Among the names of headers to keep: every one, those that carry credentials with placeholders."""

_MOST_ROUNDS = 4
"""A replacement may bring together what was apart; each round replaces something, and the gate looks again."""

_SCHEME = re.compile(rb"(?i)(bearer|basic|digest|token|bot|apikey|negotiate|key)[ \t]+(?=\S)")
_NUMBER = frozenset(b"0123456789.+-eE")
_SEAL = object()


@final
class CleanInteraction:
    """An interaction without secrets. Only `Scrubber.scrub` makes one; the store takes nothing else."""

    __slots__ = ("_coding", "_interaction")

    def __init__(self, interaction: Interaction, seal: object, *, coding: str = "") -> None:
        if seal is not _SEAL:
            raise TypeError("a CleanInteraction is made by Scrubber.scrub alone")
        self._interaction = interaction
        self._coding = coding

    @property
    def coding(self) -> str:
        """The Content-Encoding of the request's body, whose header is not kept."""
        return self._coding

    @property
    def interaction(self) -> Interaction:
        return self._interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A secret's rule and place, for a person: never the secret."""

    rule: str
    where: str

    def __str__(self) -> str:
        return f"{self.rule} in {self.where}"


class Scrubber:
    """`salt`: random bytes, at least 16, that are stored nowhere. `keep_headers`: beside the usual ones, or `*`."""

    __slots__ = ("_allow_opaque", "_finder", "_keep", "_learned", "_rules", "_salt")

    def __init__(
        self,
        *,
        salt: bytes,
        keep_headers: Iterable[str] = (),
        rules: Iterable[Rule] = (),
        allow_opaque: bool = False,
    ) -> None:
        if len(salt) < 16:
            raise ValueError("expected a salt of at least 16 bytes")
        self._salt = salt
        self._keep = frozenset(name.lower() for name in keep_headers)
        self._rules = tuple(rules)
        self._allow_opaque = allow_opaque
        self._learned = Learned()
        expressions = (rule.compiled() for rule in self._rules)
        self._finder = Finder(self._learned, [expression for expression in expressions if expression])

    def learn(self, exchange: Exchange) -> tuple[str, ...]:
        """Learn what both sides sent as credentials; the places of those too short or common to be searched for."""
        return self.learn_all(known_values.credentials(exchange))

    def learn_all(self, credentials: Iterable[Credential]) -> tuple[str, ...]:
        """The same for `request_credentials`, `environment_credentials` and `recorded_credentials`."""
        skipped = []
        for credential in credentials:
            if not credential.value or self._learned.kind(credential.value):
                continue
            if not self._learned.add(credential.value, self._finder.kind(credential.value)):
                skipped.append(credential.place)
        return tuple(dict.fromkeys(skipped))

    def scrub(self, interaction: Interaction) -> CleanInteraction:
        """The interaction as it may be written. `BodyError` if a body cannot be read, and that was not allowed."""
        request, response = interaction.request, interaction.response
        codings = (coding(request.headers), coding(response.headers))
        kept = Interaction(
            request=self._request(request, codings[0], _kept(request.headers, REQUEST_HEADERS | self._keep)),
            response=self._response(response, codings[1], _kept(response.headers, RESPONSE_HEADERS | self._keep)),
        )
        return CleanInteraction(kept, _SEAL, coding=codings[0])

    def cleaned(self, interaction: Interaction) -> Interaction:
        """An interaction that somebody else recorded, without its secrets; all that is none stays, headers too."""
        request, response = interaction.request, interaction.response
        return Interaction(
            request=self._request(request, coding(request.headers), request.headers),
            response=self._response(response, coding(response.headers), response.headers),
        )

    def check(self, clean: CleanInteraction, rendered: bytes) -> None:
        """The gate: `SecretError` if there is a secret in `rendered`, or in what its streams add up to."""
        finding = next(self._gate(clean, rendered), None)
        if finding is not None:
            raise SecretError(
                f"expected no secret behind the scrubber, found {finding}; the interaction was not written, "
                "please report the rule and the place"
            )

    def find(self, interaction: Interaction) -> list[Finding]:
        """The secrets of an interaction that somebody else wrote, each with its field."""
        found = list(_findings(interaction, self._finder, self._rules))
        # What is a secret because of its parameter's name alone, however short it is.
        request = interaction.request
        for where, text in (
            ("request.url", request.url),
            ("request.request_uri", request.request_uri),
        ):
            if not any(finding.where == where for finding in found) and self._url(text) != text:
                found.append(Finding(rule="credential", where=where))
        if is_form(request.headers) and not any(finding.where.startswith("request.body") for finding in found):
            found += [Finding(rule="credential", where="request.body")] * (self._pairs(request.body) != request.body)
        return found

    def find_text(self, text: bytes) -> list[Finding]:
        """The secrets of any text, each with its line."""
        lines = ((hit.rule, text.count(b"\n", 0, hit.start) + 1) for hit in self._finder.hits(text))
        return [Finding(rule=rule, where=f"line {line}") for rule, line in lines]

    def replaced(self, text: bytes) -> bytes:
        """A text of any kind without its secrets: for logs, file names and messages."""
        return self._text(text)

    def _gate(self, clean: CleanInteraction, rendered: bytes) -> Iterator[Finding]:
        interaction = clean.interaction
        bodies = {"request": interaction.request.body, "response": interaction.response.body}
        # Bytes that are no UTF-8 are written as base64 in lines, at whatever alignment: these are searched as they are.
        for side, body in bodies.items():
            if not is_text(body):
                plain = self._readable(body, clean.coding if side == "request" else "").plain
                yield from _body_findings(f"{side}.body", plain, self._finder, ())
                rendered = _without_binary(rendered, body)
        if not self._finder.suspects_rendered(rendered, bodies.values()):
            return
        for hit in self._finder.hits(rendered):
            line = rendered.count(b"\n", 0, hit.start) + 1
            yield Finding(rule=hit.rule, where=f"line {line} of the interaction")
        yield from _findings(interaction, self._finder, self._rules)

    def _request(self, request: Request, coding: str, headers: Fields) -> Request:
        body = self._body(request.body, coding)
        if is_form(headers):
            body = self._text(self._pairs(body))
        return replace(
            request,
            url=self._url(request.url),
            host=self._string(request.host),
            remote_addr=self._string(request.remote_addr),
            request_uri=self._url(request.request_uri),
            trailer=self._fields(request.trailer),
            body=body,
            content_length=_length(request.content_length, request.body, body),
            form=self._fields(request.form, header=False),
            headers=self._fields(headers),
        )

    def _response(self, response: Response, coding: str, headers: Fields) -> Response:
        body = self._body(response.body, coding)
        return replace(
            response,
            status=self._string(response.status),
            trailer=self._fields(response.trailer),
            body=body,
            content_length=_length(response.content_length, response.body, body),
            headers=self._fields(headers),
        )

    def _body(self, body: bytes, coding: str = "") -> bytes:
        if not body:
            return body
        found = self._readable(body, coding)
        clean = self._plain(found.plain)
        return body if clean == found.plain else found.pack(clean)

    def _readable(self, body: bytes, coding: str) -> Readable:
        """`BodyError` if the body cannot be read, and that was not allowed."""
        try:
            return readable(body, coding)
        except BodyError as error:
            if self._allow_opaque:
                return Readable(plain=body, pack=lambda plain: plain)
            raise BodyError(
                f"{error}; what cannot be searched for secrets is not written, --allow-opaque writes it as it is"
            ) from error

    def _plain(self, body: bytes) -> bytes:
        for rule in self._rules:
            body = replaced(body, self._rule_edits(rule, body))
        if not self._finder.suspects(body):
            return body
        return self._text(self._stream(body))

    def _stream(self, body: bytes) -> bytes:
        """Secrets in pieces first: alone, a piece with most of a key in it would be replaced and the rest stay."""
        if not streams.is_stream(body):
            return body
        for _ in range(_MOST_ROUNDS):
            edits: list[tuple[int, int, bytes]] = []
            for column in streams.columns(body):
                found = list(_column_edits(column, self._finder.hits(column.text), self._salt))
                if found and not _overlap(edits, found):
                    edits += found
            if not edits:
                break
            body = replaced(body, sorted(edits))
        return body

    def _text(self, text: bytes) -> bytes:
        for _ in range(_MOST_ROUNDS):
            hits = self._finder.hits(text)
            if not hits:
                break
            text = replaced(text, (_fitted(text, hit, self._salt) for hit in hits))
        return text

    def _string(self, text: str) -> str:
        raw = _encoded(text)
        clean = self._text(raw)
        return text if clean is raw else _decoded(clean)

    def _rule_edits(self, rule: Rule, body: bytes) -> Iterator[tuple[int, int, bytes]]:
        for value in rule.spans(body):
            secret = body[value.start : value.end]
            if PLACEHOLDER.fullmatch(secret) is None:
                new = placeholder(rule.name, secret, self._salt)
                yield value.start, value.end, new if value.is_string else b'"%s"' % new

    def _fields(self, fields: Fields, *, header: bool = True) -> Fields:
        if not fields:
            return fields
        return Fields.of(
            {
                self._string(name): tuple(self._value(name, value, header=header) for value in values)
                for name, values in fields.items()
            }
        )

    def _value(self, name: str, value: str, *, header: bool) -> str:
        if not value:
            return value
        raw = _encoded(value)
        if not header and b" " in raw:
            raw = self._joined(raw)
        if not is_credential_name(name):
            return _decoded(self._text(raw))
        scheme = _SCHEME.match(raw) if header else None
        start = scheme.end() if scheme else 0
        return _decoded(raw[:start] + self._whole(raw[start:]))

    def _joined(self, value: bytes) -> bytes:
        """A field of a form without the keys that had a plus in them, which a form says a space with."""
        hits = self._finder.hits(value.replace(b" ", b"+"))
        # By its name alone a value would go on to the end of the sentence.
        sure = (hit for hit in hits if hit.rule not in GENERIC or self._learned.kind(hit.secret))
        return replaced(value, ((hit.start, hit.end, hit.written(self._salt)) for hit in sure))

    def _whole(self, secret: bytes) -> bytes:
        """The placeholder of a value that is a secret because of where it stands, and nothing but one."""
        if PLACEHOLDER.fullmatch(secret) is not None:
            return secret
        return placeholder(self._finder.kind(secret), secret, self._salt)

    def _url(self, url: str) -> str:
        if not url:
            return url
        head, separator, rest = _encoded(url).partition(b"://")
        if not separator:
            head, rest = b"", head
        authority = re.match(rb"[^/?#]*", rest)
        assert authority is not None
        tail = rest[authority.end() :]
        userinfo, at, host = authority[0].rpartition(b"@")
        if at and separator:
            userinfo = b":".join(part and percent_encoded(self._whole(part)) for part in userinfo.split(b":", 1))
        text = head + separator + userinfo + at + host + self._pairs(tail, quote=percent_encoded)
        for _ in range(_MOST_ROUNDS):
            hits = self._finder.hits(text)
            if not hits:
                break
            text = replaced(text, ((hit.start, hit.end, percent_encoded(hit.written(self._salt))) for hit in hits))
        return _decoded(text)

    def _pairs(self, text: bytes, quote: Callable[[bytes], bytes] = lambda text: text) -> bytes:
        """The values of credential-like parameters replaced, in a query or a form."""

        def value(match: re.Match[bytes]) -> bytes:
            name = known_values.unquoted(match[2]).decode("latin-1")
            if not is_credential_name(name):
                return match[0]
            return match[1] + match[2] + b"=" + quote(self._whole(known_values.unquoted(match[3])))

        return _PAIR.sub(value, text)


_PAIR = re.compile(rb"(\A|[?&;#])([^?&;#=]{1,256})=([^&;#]+)")


def _findings(interaction: Interaction, finder: Finder, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    request, response = interaction.request, interaction.response
    for name, text in (
        ("request.url", request.url),
        ("request.host", request.host),
        ("request.remote_addr", request.remote_addr),
        ("request.request_uri", request.request_uri),
        ("response.status", response.status),
    ):
        yield from (Finding(rule=hit.rule, where=name) for hit in finder.hits(_encoded(text)))
    for name, fields in (
        ("request.trailer", request.trailer),
        ("request.form", request.form),
        ("request.headers", request.headers),
        ("response.trailer", response.trailer),
        ("response.headers", response.headers),
    ):
        yield from _field_findings(name, fields, finder)
    for name, message in (("request.body", request), ("response.body", response)):
        try:
            body = readable(message.body, coding(message.headers)).plain
        except BodyError:  # it says nothing to anybody
            body = message.body
        yield from _body_findings(name, body, finder, rules)


def _field_findings(where: str, fields: Fields, finder: Finder) -> Iterator[Finding]:
    for name, values in fields.items():
        for value in values:
            raw = _encoded(value)
            hits = finder.hits(raw)
            yield from (Finding(rule=hit.rule, where=f"{where}.{name}") for hit in hits)
            scheme = _SCHEME.match(raw)
            if (
                raw
                and not hits
                and is_credential_name(name)
                and not PLACEHOLDER.fullmatch(raw[scheme.end() if scheme else 0 :])
            ):
                yield Finding(rule="credential", where=f"{where}.{name}")


def _body_findings(where: str, body: bytes, finder: Finder, rules: tuple[Rule, ...]) -> Iterator[Finding]:
    hits = finder.hits(body)
    for hit in hits:
        line = body.count(b"\n", 0, hit.start) + 1
        yield Finding(rule=hit.rule, where=f"{where}, line {line}")
    if not hits and streams.is_stream(body) and any(finder.hits(text) for text in streams.texts(body)):
        for column in streams.columns(body):
            yield from (
                Finding(rule=hit.rule, where=f"{where}, in pieces of {column.name}") for hit in finder.hits(column.text)
            )
    for rule in rules:
        for value in rule.spans(body):
            if PLACEHOLDER.fullmatch(body[value.start : value.end]) is None:
                yield Finding(rule=rule.name, where=f"{where}, {'.'.join(map(str, value.path))}")


def _kept(headers: Fields, names: frozenset[str]) -> Fields:
    if ALL_HEADERS in names:
        return headers
    return Fields.of({name: values for name, values in headers.items() if name.lower() in names})


def _length(announced: int, before: bytes, after: bytes) -> int:
    """A length that was the body's stays the body's; -1, and the length of a body that was never sent, stay."""
    return len(after) if announced == len(before) else announced


def _fitted(text: bytes, hit: Hit, salt: bytes) -> tuple[int, int, bytes]:
    """The edit for a hit. Where it is a part of a bare number in JSON, the whole number becomes a string."""
    new = hit.written(salt)
    start, end = hit.start, hit.end
    if not all(code in _NUMBER for code in text[start:end]):
        return start, end, new
    while start > 0 and text[start - 1] in _NUMBER:
        start -= 1
    while end < len(text) and text[end] in _NUMBER:
        end += 1
    before, behind = text[max(0, start - 64) : start].rstrip()[-1:], text[end : end + 64].lstrip()[:1]
    if before in {b":", b",", b"["} and behind in {b",", b"}", b"]"}:
        return start, end, b'"%s"' % new
    return hit.start, hit.end, new


def _overlap(edits: list[tuple[int, int, bytes]], others: list[tuple[int, int, bytes]]) -> bool:
    return any(start < end_ and start_ < end for start, end, _ in edits for start_, end_, _ in others)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _column_edits(column: Column, hits: Iterable[Hit], salt: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Edits of the body that put each placeholder into the piece where its secret begins, and empty the rest."""
    starts = list(accumulate((end - start for start, end in column.pieces), initial=0))
    for hit in hits:
        new = hit.written(salt)
        index = bisect_right(starts, hit.start) - 1
        while index < len(column.pieces) and starts[index] < hit.end:
            start, end = column.pieces[index]
            first = max(start, start + hit.start - starts[index])
            last = min(end, start + hit.end - starts[index])
            if first < last:
                yield first, last, new
                new = b""
            index += 1
