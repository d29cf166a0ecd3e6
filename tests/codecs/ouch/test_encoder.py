"""Outbound messages: construct reads back what the encoder wrote, to the last field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.ouch.encoder import PACKET_BYTES_MAX, OuchEncoder
from portcullis.dictionaries.ouch import OUTBOUND
from portcullis.dictionaries.soupbintcp import HEADER

LAYOUTS = {message.name: message for message in OUTBOUND}
u4 = st.sampled_from([0, 1, 0x7FFFFFFF, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
u8 = st.sampled_from([0, 1, (1 << 63) - 1]) | st.integers(0, (1 << 63) - 1)
char = st.integers(0x20, 0x7E)
token = st.text("ABCxyz0189 -", min_size=1, max_size=14).map(lambda text: text.rstrip() or "T")
word4 = st.text("ABCD", max_size=4)
word8 = st.text("ABCDXYZ", max_size=8)

OPENED = {
    "side": (char, "buy_sell"),
    "shares": (u4, "shares"),
    "stock": (word8, "stock"),
    "price": (u4, "price"),
    "time_in_force": (u4, "time_in_force"),
    "firm": (word4, "firm"),
    "display": (char, "display"),
    "reference": (u8, "order_reference_number"),
    "capacity": (char, "capacity"),
    "sweep": (char, "intermarket_sweep"),
    "minimum": (u4, "minimum_quantity"),
    "state": (char, "order_state"),
}
FIXED = {"cross_type": b"N", "bbo_weight_indicator": b" "}
# Message: its method, its arguments behind the tokens with the fields they fill, fields that
# always say the same.
Arguments = dict[str, tuple[st.SearchStrategy[Any], str]]
CASES: dict[str, tuple[str, Arguments, dict[str, Any]]] = {
    "System Event": ("put_system_event", {"event_code": (char, "event_code")}, {}),
    "Accepted": ("put_accepted", OPENED, FIXED),
    "Replaced": ("put_replaced", OPENED, FIXED),
    "Canceled": (
        "put_canceled",
        {"decrement": (u4, "decrement_shares"), "reason": (char, "reason")},
        {},
    ),
    "AIQ Canceled": (
        "put_aiq_canceled",
        {
            "decrement": (u4, "decrement_shares"),
            "prevented": (u4, "prevented_shares"),
            "price": (u4, "execution_price"),
            "liquidity": (char, "liquidity_flag"),
        },
        {"reason": b"Q"},
    ),
    "Executed": (
        "put_executed",
        {
            "shares": (u4, "executed_shares"),
            "price": (u4, "execution_price"),
            "liquidity": (char, "liquidity_flag"),
            "match_number": (u8, "match_number"),
        },
        {},
    ),
    "Broken Trade": (
        "put_broken_trade",
        {"match_number": (u8, "match_number"), "reason": (char, "reason")},
        {},
    ),
    "Rejected": ("put_rejected", {"reason": (char, "reason")}, {}),
    "Cancel Pending": ("put_cancel_pending", {}, {}),
    "Cancel Reject": ("put_cancel_reject", {}, {}),
    "Order Priority Update": (
        "put_order_priority_update",
        {
            "price": (u4, "price"),
            "display": (char, "display"),
            "reference": (u8, "order_reference_number"),
        },
        {},
    ),
    "Order Modified": (
        "put_order_modified",
        {"side": (char, "buy_sell"), "shares": (u4, "shares")},
        {},
    ),
}


def words(text: str) -> tuple[int, int, int]:
    """A token as rows hold it: two words and the length."""
    octets = text.encode().ljust(16, b"\0")
    return int.from_bytes(octets[:8], "little"), int.from_bytes(octets[8:], "little"), len(text)


def read(packet: bytes, name: str) -> dict[str, Any]:
    """The fields of one packet, by construct."""
    header = HEADER.parse(packet)
    message = LAYOUTS[name]
    assert (header.length, header.packet_type) == (len(packet) - 2, b"S")
    assert len(packet) == 3 + message.size
    assert packet[3:4] == message.letter.encode()
    found = message.layout.parse(packet[4:])
    return {field.name: found[field.name] for field in message.fields()}


def argument(value: Any) -> int:
    return int.from_bytes(value.encode(), "little") if isinstance(value, str) else value


@pytest.mark.parametrize("name", LAYOUTS)
def test_construct_reads_what_was_put(name: str) -> None:
    method, arguments, always = CASES[name]

    @given(st.data())
    def check(data: st.DataObject) -> None:
        values = {key: data.draw(strategy, key) for key, (strategy, _) in arguments.items()}
        timestamp = data.draw(u8, "timestamp")
        expected: dict[str, Any] = {"timestamp": timestamp, **always}
        head: list[int] = [timestamp]
        for field in LAYOUTS[name].fields():
            if field.name.endswith("order_token"):
                text = data.draw(token, field.name)
                head += words(text)
                expected[field.name] = text.encode().ljust(14)
        fields = {field.name: field for field in LAYOUTS[name].fields()}
        for key, value in values.items():
            field = fields[arguments[key][1]]
            if isinstance(value, str):
                value = value.encode().ljust(field.size)
            expected[field.name] = (
                bytes([value]) if isinstance(value, int) and (field.kind == "alpha") else value
            )
        encoder = OuchEncoder(PACKET_BYTES_MAX)
        put: Callable[..., None] = getattr(encoder, method)
        put(*head, *map(argument, values.values()))
        assert read(encoder.take(), name) == expected
        assert encoder.take() == b""

    check()


def test_a_message_without_room_is_left_out_until_some_is_reserved() -> None:
    encoder = OuchEncoder(PACKET_BYTES_MAX)
    for _ in range(4):
        encoder.put_rejected(1, *words("A"), ord("O"))
    assert len(encoder.take()) == 3 * 27
    encoder.put_rejected(1, *words("FIRST"), ord("O"))
    encoder.reserve(10 * PACKET_BYTES_MAX)
    for _ in range(10):
        encoder.put_rejected(1, *words("NEXT"), ord("O"))
    taken = encoder.take()
    assert len(taken) == 11 * 27
    assert taken[:27].endswith(b"FIRST         O")
