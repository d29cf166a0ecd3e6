"""Outbound messages, read back by simplefix and by Python's own decimal and datetime."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import simplefix
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.fix.writer import FixWriter


def read_back(octets: bytes) -> list[simplefix.FixMessage]:
    parser = simplefix.FixParser()
    parser.append_buffer(octets)
    messages = []
    while (message := parser.get_message()) is not None:
        messages.append(message)
    return messages


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=8))
def test_messages_of_all_lengths_are_framed_right(sizes: list[int]) -> None:
    writer = FixWriter(1 << 16)
    for size in sizes:
        writer.begin_message(b"AE")
        writer.put(58, b"x" * size)
        assert writer.finish() > size
    octets = writer.take()
    # simplefix computes BodyLength and CheckSum itself, without padding.
    expected = b""
    for size in sizes:
        message = simplefix.FixMessage()
        for tag, value in ((8, "FIX.4.4"), (35, "AE"), (58, "x" * size)):
            message.append_pair(tag, value)
        expected += message.encode()
    assert octets == expected
    assert writer.take() == b""


@given(st.integers(-(2**62), 2**62), st.integers(0, 18))
def test_decimals_are_canonical_and_exact(value: int, decimals: int) -> None:
    writer = FixWriter(4096)
    writer.begin_message(b"8")
    writer.put_decimal(44, value, decimals)
    writer.finish()
    text = read_back(writer.take())[0].get(44).decode()
    assert Decimal(text) == Decimal(value).scaleb(-decimals)
    assert "." not in text or not text.endswith(("0", "."))
    assert text == "0" or not text.lstrip("-").startswith("00")


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31)),
    st.integers(0, 999_999_999),
    st.sampled_from([0, 3, 6, 9]),
)
def test_times_are_those_of_datetime(moment: datetime, fraction: int, digits: int) -> None:
    moment = moment.replace(microsecond=0)
    seconds = (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)
    writer = FixWriter(4096)
    writer.begin_message(b"0")
    writer.put_timestamp(52, seconds * 10**9 + fraction, digits)
    writer.put_timestamp(60, seconds * 10**9 + fraction, digits)
    writer.finish()
    message = read_back(writer.take())[0]
    text = moment.strftime("%Y%m%d-%H:%M:%S")
    text += f".{fraction:09d}"[: digits + 1] if digits else ""
    assert message.get(52).decode() == message.get(60).decode() == text


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_integers_are_those_of_python(value: int) -> None:
    writer = FixWriter(4096)
    writer.begin_message(b"0")
    writer.put_int(34, value)
    writer.put_char(54, ord("1"))
    writer.put_fields(b"97=Y\x01")
    writer.finish()
    message = read_back(writer.take())[0]
    assert message.get(34) == str(value).encode()
    assert (message.get(54), message.get(97)) == (b"1", b"Y")


@pytest.mark.parametrize("size", range(0, 600, 7))
def test_a_message_without_room_is_lost_and_those_before_it_stand(size: int) -> None:
    writer = FixWriter(600)
    writer.begin_message(b"0")
    first = writer.finish()
    writer.begin_message(b"B")
    writer.put(58, b"x" * size)
    second = writer.finish()
    assert len(writer.take()) == first + second
    assert second > 0 or size > 300
    assert writer.finish() == 0
    writer.begin_message(b"0")
    assert writer.finish() == first
