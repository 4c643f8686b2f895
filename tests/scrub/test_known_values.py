from __future__ import annotations

import random

import pytest

from recorder.scrub import decoding, is_credential_name, request_credentials
from recorder.scrub.known_values import Learned
from tests.scrub.cases import exchange


@pytest.mark.parametrize(
    "name",
    ["Authorization", "x-api-key", "API-KEY", "X-Goog-Api-Key", "Cookie", "Set-Cookie", "Proxy-Authorization", "key",
     "sig", "access_token", "X-Amz-Security-Token", "X-Amz-Signature", "client_secret", "Ocp-Apim-Subscription-Key",
     "password", "X-Auth-Token", "PRIVATE-TOKEN", "auth[token]", "session_id", "apiKey"],
)  # fmt: skip
def test_names_of_credentials_are_known(name: str) -> None:
    assert is_credential_name(name)


@pytest.mark.parametrize(
    "name",
    ["Accept", "Content-Type", "User-Agent", "Idempotency-Key", "X-Stainless-Lang", "max_tokens", "page_token",
     "pageToken", "monkey", "author", "alt", "Sec-WebSocket-Key", "next_token", "WWW-Authenticate", "keyword"],
)  # fmt: skip
def test_names_that_only_sound_alike_are_not(name: str) -> None:
    assert not is_credential_name(name)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        (("Authorization", "Bearer abc.def"), [b"abc.def"]),
        (("Authorization", "abc"), [b"abc"]),
        (("Authorization", "Basic dTpwOnE="), [b"dTpwOnE=", b"u:p:q", b"u", b"p:q"]),
        (("Authorization", "Basic !"), [b"!"]),
        (("Authorization", 'Digest username="u", realm="r", nonce="n", uri="/", response="abc"'), [b"u", b"n", b"abc"]),
        (
            ("Authorization", "AWS4-HMAC-SHA256 Credential=ID/d/r/s/aws4_request, SignedHeaders=host, Signature=ab"),
            [b"ID", b"ab"],
        ),
        (("Cookie", 'a=1; b="2"; c=x=y'), [b"1", b"2", b"x=y"]),
        (("X-Api-Key", " k "), [b"k"]),
        (("X-Request-Id", "r"), []),
    ],
)
def test_the_values_of_a_header_are_taken_apart(header: tuple[str, str], values: list[bytes]) -> None:
    assert values == [credential.value for credential in request_credentials(exchange(header).request)]


def test_the_values_of_a_url_are_decoded() -> None:
    found = request_credentials(
        exchange(url="https://us%40er:pa%2Fss@h/?q=1&key=a%20b&token=c+d#access_token=e").request
    )
    assert [b"us@er", b"pa/ss", b"a b", b"c d", b"c+d", b"e"] == [credential.value for credential in found]


def test_of_many_values_those_are_looked_for_that_may_be_there() -> None:
    chosen = random.Random(1)
    learned = Learned()
    values = [chosen.randbytes(size).hex().encode() for size in range(4, 34) for _ in range(10)]
    for value in values:
        learned.add(value, "credential")
    for value in values:
        run = b"x" * chosen.randrange(3) + value + b"y" * chosen.randrange(30)
        runs = b" ".join(decoding.runs(run))
        assert value in {needle.spelling for needle in learned.candidates(runs)}
    assert len(list(learned.candidates(b""))) < len(values) / 3
