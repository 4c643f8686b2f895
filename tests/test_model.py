from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from recorder.model import INT64_MAX, INT64_MIN, NO_FIELDS, Fields, Interaction, Request, Response

REQUEST = Request(method="GET", url="https://openrouter.ai/api/v1/models")
RESPONSE = Response(status="200 OK", code=200, duration=1)


def test_fields_keep_the_values_of_a_name_in_their_order() -> None:
    fields = Fields([("B", "1"), ("A", "2"), ("B", "3")])
    assert {"B": ("1", "3"), "A": ("2",)} == dict(fields)
    assert ["B", "A"] == list(fields)


def test_fields_are_equal_in_whatever_order_the_names_came() -> None:
    one, other = Fields([("A", "1"), ("B", "2")]), Fields([("B", "2"), ("A", "1")])
    assert other == one
    assert hash(other) == hash(one)
    assert Fields([("A", "1"), ("A", "2")]) != Fields([("A", "2"), ("A", "1")])


def test_fields_are_no_plain_mapping() -> None:
    assert Fields([("A", "1")]) != {"A": ("1",)}


def test_names_are_compared_as_they_are() -> None:
    assert "a" not in Fields([("A", "1")])


def test_a_name_may_have_no_values() -> None:
    fields = Fields.of({"X-Announced": ()})
    assert () == fields["X-Announced"]
    assert "none" == fields.first("X-Announced", "none")


def test_first_is_the_first_value_or_the_default() -> None:
    fields = Fields([("A", "1"), ("A", "2")])
    assert ("1", "", "x") == (fields.first("A"), fields.first("B"), fields.first("B", "x"))


def test_no_fields_is_empty_and_false() -> None:
    assert NO_FIELDS == Fields()
    assert not NO_FIELDS


def test_a_repr_has_names_and_never_values_or_bodies() -> None:
    fields = Fields([("Authorization", "Bearer secret")])
    request = Request(method="POST", url="https://openrouter.ai/", headers=fields, form=fields, body=b"secret")
    response = Response(status="200 OK", code=200, duration=0, headers=fields, trailer=fields, body=b"secret")
    shown = repr(Interaction(request=request, response=response))
    assert "Authorization" in shown
    assert "secret" not in shown


@pytest.mark.parametrize("number", [INT64_MIN, -1, 0, INT64_MAX])
def test_a_number_of_64_bits_is_allowed(number: int) -> None:
    assert number == Request(method="GET", url="/", content_length=number).content_length
    assert number == Response(status="", code=0, duration=number).duration


@pytest.mark.parametrize("number", [INT64_MIN - 1, INT64_MAX + 1])
@pytest.mark.parametrize("name", ["content_length", "proto_major", "proto_minor"])
def test_a_larger_number_is_refused_by_name(name: str, number: int) -> None:
    wrong: dict[str, Any] = {name: number}
    with pytest.raises(ValueError, match=f"{name} -?[0-9]+ is not a 64-bit integer"):
        Request(method="GET", url="/", **wrong)
    with pytest.raises(ValueError, match=f"{name} -?[0-9]+ is not a 64-bit integer"):
        Response(status="", code=0, duration=0, **wrong)


@pytest.mark.parametrize("name", ["code", "duration"])
def test_a_response_checks_its_own_numbers_too(name: str) -> None:
    wrong: dict[str, Any] = {"status": "", "code": 0, "duration": 0} | {name: INT64_MAX + 1}
    with pytest.raises(ValueError, match=name):
        Response(**wrong)


def test_values_cannot_be_changed_and_take_no_new_names() -> None:
    interaction = Interaction(request=REQUEST, response=RESPONSE)
    with pytest.raises(FrozenInstanceError):
        interaction.request = REQUEST  # type: ignore[misc]  # that is the point
    with pytest.raises(FrozenInstanceError):
        REQUEST.method = "PUT"  # type: ignore[misc]  # that is the point
    with pytest.raises((AttributeError, TypeError)):
        RESPONSE.extra = 1  # type: ignore[attr-defined]  # that is the point


def test_the_defaults_are_what_go_vcr_has_for_a_plain_request() -> None:
    assert ("HTTP/1.1", 1, 1, 0) == (REQUEST.proto, REQUEST.proto_major, REQUEST.proto_minor, REQUEST.content_length)
    assert ("", b"", NO_FIELDS, NO_FIELDS) == (REQUEST.host, REQUEST.body, REQUEST.form, REQUEST.headers)
