"""Inbound messages: each field at its bounds, each truncation; construct builds them."""

from __future__ import annotations

from typing import Any

import pytest
from construct import Bytes, Renamed
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.ouch.decoder import OuchDecoder
from portcullis.dictionaries.binary_layouts import Message
from portcullis.dictionaries.ouch import INBOUND

BEHIND = b"\xee" * 64  # bytes that are none of the message's


def values_of(message: Message) -> st.SearchStrategy[dict[str, Any]]:
    """Values of all fields, at their bounds more often than elsewhere."""
    chosen: dict[str, st.SearchStrategy[Any]] = {}
    for part in message.layout.subcons:
        bare, size = part, part.sizeof()
        while isinstance(bare, Renamed):
            bare = bare.subcon
        if isinstance(bare, Bytes):
            chosen[part.name] = st.binary(min_size=size, max_size=size)
        else:
            top = 256**size - 1
            chosen[part.name] = st.sampled_from([0, 1, top >> 1, top]) | st.integers(0, top)
    return st.fixed_dictionaries(chosen)


def decoded(decoder: OuchDecoder, message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in message.fields():
        if field.name in ("order_token", "existing_order_token"):
            found[field.name] = bytes(decoder.octets[decoder.token_at : decoder.token_at + 14])
        elif field.name == "replacement_order_token":
            at = decoder.replacement_at
            found[field.name] = bytes(decoder.octets[at : at + 14])
        elif field.name == "stock":
            found[field.name] = bytes(decoder.octets[decoder.stock_at : decoder.stock_at + 8])
        elif field.name == "firm":
            found[field.name] = decoder.firm.to_bytes(4, "little")
        else:
            value = getattr(decoder, "side" if field.name == "buy_sell" else field.name)
            found[field.name] = bytes([value]) if field.kind == "alpha" else value
    return found


@pytest.mark.parametrize("message", INBOUND, ids=lambda message: message.name)
def test_every_field_comes_out_as_construct_put_it_in(message: Message) -> None:
    @given(values_of(message), st.integers(0, 5))
    def check(values: dict[str, Any], start: int) -> None:
        octets = message.letter.encode() + message.layout.build(values)
        decoder = OuchDecoder(memoryview(bytearray(bytes(start) + octets + BEHIND)))
        assert decoder.decode(start, start + len(octets)) == ord(message.letter)
        assert decoded(decoder, message) == values

    check()


@pytest.mark.parametrize("message", INBOUND, ids=lambda message: message.name)
def test_a_message_cut_at_any_byte_or_too_long_is_refused(message: Message) -> None:
    buffer = bytearray(message.letter.encode() * (message.size + 8))
    decoder = OuchDecoder(memoryview(buffer))
    assert decoder.decode(0, 0) == 0
    for size in [*range(1, message.size), *range(message.size + 1, message.size + 8)]:
        assert decoder.decode(0, size) == -1


def test_any_other_type_is_unknown() -> None:
    decoder = OuchDecoder(memoryview(bytearray(64)))
    known = {ord(message.letter) for message in INBOUND}
    for octet in range(256):
        decoder.octets[0] = octet
        if octet not in known:
            assert {decoder.decode(0, size) for size in range(1, 64)} == {0}
