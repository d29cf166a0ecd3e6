"""Typed OUCH messages: their bytes as construct has them, and what cannot be said."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.client import ouch_messages
from portcullis.client.ouch_messages import (
    REPORTS,
    Accepted,
    CancelOrder,
    EnterOrder,
    ModifyOrder,
    ReplaceOrder,
    Report,
    Request,
    decode,
    encode,
)
from portcullis.dictionaries.binary_layouts import Message
from portcullis.dictionaries.ouch import INBOUND, OUTBOUND, PRICE_MARKET
from tests.support import ouch_client as plain

REQUESTS = {kind.letter: kind for kind in (EnterOrder, ReplaceOrder, CancelOrder, ModifyOrder)}


def names(kind: type[Request] | type[Report]) -> list[str]:
    return [one.name for one in dataclasses.fields(kind) if one.name != "sequence"]


@pytest.mark.parametrize("message", (*INBOUND, *OUTBOUND), ids=lambda one: one.name)
def test_a_class_has_the_declared_fields_in_their_order(message: Message) -> None:
    kinds: dict[str, Any] = REQUESTS if message in INBOUND else REPORTS
    assert names(kinds[message.letter]) == [field.name for field in message.fields()]


def test_orders_have_the_bytes_that_construct_gives_them() -> None:
    assert encode(
        EnterOrder(order_token="a1", buy_sell="B", shares=7, stock="BTCUSD", price="100.5")
    ) == plain.enter("a1", "B", 7, 1005000)
    assert encode(
        ReplaceOrder(
            existing_order_token="a1", replacement_order_token="a2", shares=9, price=Decimal("1E2")
        )
    ) == plain.replace("a1", "a2", 9, 1000000)
    assert encode(CancelOrder(order_token="a2", shares=3)) == plain.cancel("a2", 3)
    assert encode(ModifyOrder(order_token="a2", buy_sell="T", shares=3)) == plain.modify(
        "a2", "T", 3
    )


def test_an_order_without_a_price_is_a_market_order() -> None:
    order = EnterOrder(order_token="a", buy_sell="B", shares=1, stock="BTCUSD", price=None)
    assert encode(order) == plain.enter("a", "B", 1, PRICE_MARKET)


@given(st.data(), st.sampled_from(OUTBOUND))
def test_a_report_says_what_construct_reads(data: st.DataObject, message: Message) -> None:
    octets = message.letter.encode() + data.draw(
        st.binary(min_size=message.size - 1, max_size=message.size - 1)
    )
    found = message.layout.parse(octets[1:])
    report = decode(octets, 7)
    assert type(report) is REPORTS[message.letter]
    assert report.sequence == 7
    for field in message.fields():
        value = getattr(report, field.name)
        if field.kind == "alpha":
            assert value.encode("latin-1").ljust(field.size) == found[field.name]
        elif isinstance(value, Decimal):
            assert value * 10_000 == found[field.name]
        else:
            assert value == (None if "price" in field.name else found[field.name])


@pytest.mark.parametrize(
    ("terms", "error", "text"),
    [
        ({"order_token": "x" * 15}, ValueError, "order_token .* at most 14 characters"),
        ({"order_token": 7}, TypeError, "order_token .* text expected"),
        ({"shares": 1 << 32}, ValueError, "shares .* 4 bytes"),
        ({"shares": -1}, ValueError, "shares .* 4 bytes"),
        ({"shares": 1.0}, TypeError, "shares .* int expected"),
        ({"price": "100.50001"}, ValueError, "price .* at most four decimals"),
        ({"price": "1.0000" + "0" * 30 + "1"}, ValueError, "price .* at most four decimals"),
        ({"price": 100.5}, TypeError, "price .* text, int or Decimal"),
        ({"price": "-1"}, ValueError, "price .* 4 bytes"),
        ({"price": "dear"}, ValueError, "price .* a decimal number"),
        ({"price": "NaN"}, ValueError, "price .* at most four decimals"),
        ({"price": "Infinity"}, ValueError, "price .* at most four decimals"),
        ({"price": "1000000"}, ValueError, "price .* 4 bytes"),
    ],
)
def test_what_a_field_cannot_say_is_an_error_that_names_it(
    terms: dict[str, Any], error: type[Exception], text: str
) -> None:
    good: dict[str, Any] = {
        "order_token": "a",
        "buy_sell": "B",
        "shares": 1,
        "stock": "BTCUSD",
        "price": "1",
    }
    with pytest.raises(error, match=text):
        encode(EnterOrder(**{**good, **terms}))


def test_what_is_no_message_is_an_error_that_names_its_number() -> None:
    for octets in (b"", b"?", b"A" * 65, b"A" * 67):
        with pytest.raises(ValueError, match="message 7 is none of OUCH"):
            decode(octets, 7)


def test_a_message_cannot_be_changed() -> None:
    report = decode(b"A" + bytes(65), 1)
    assert isinstance(report, Accepted)
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.shares = 7  # type: ignore[misc]


def test_the_constants_are_the_protocols() -> None:
    assert ouch_messages.IMMEDIATE_OR_CANCEL == 0
    assert (ouch_messages.MARKET_HOURS, ouch_messages.SYSTEM_HOURS) == (99998, 99999)
