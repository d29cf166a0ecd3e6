"""Integers, decimals and times read from bytes, held to Python's own decimal and datetime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.fix.layout import VALUE_DECIMALS, VALUE_FORMAT, VALUE_OK, VALUE_RANGE
from portcullis.codecs.fix.values import FixValues

BOUND = 2**62


def decimal(text: str, decimals: int) -> int | None:
    """The scaled value, or None for anything but VALUE_OK, whatever stands around the text."""
    alone, within = FixValues(text.encode()), FixValues(f"44={text}\x0155=99999999".encode())
    code = alone.read_decimal(0, len(text), decimals)
    assert within.read_decimal(3, 3 + len(text), decimals) == code
    assert code != VALUE_OK or within.number == alone.number
    return alone.number if code == VALUE_OK else None


@given(st.integers(-(10**17), 10**17), st.integers(0, 8), st.integers(0, 3))
def test_decimals_are_exact(number: int, decimals: int, zeros: int) -> None:
    text = f"{Decimal(number).scaleb(-decimals):f}"
    text += ("" if "." in text else ".") + "0" * zeros
    assert decimal(text, decimals) == number


@given(st.text("0123456789.-+x ", max_size=9), st.integers(0, 9))
def test_any_text_is_read_alike_wherever_it_stands(text: str, decimals: int) -> None:
    digits = text.removeprefix("-").replace(".", "", 1)
    is_decimal = digits.isdigit() and digits.isascii()
    part = text.partition(".")[2].rstrip("0")
    if is_decimal and len(part) <= decimals:
        assert decimal(text, decimals) == int(Decimal(text).scaleb(decimals))
    else:
        assert decimal(text, decimals) is None


@pytest.mark.parametrize(
    ("text", "decimals", "expected"),
    [
        ("5.", 2, 500), (".5", 2, 50), ("002000.00", 0, 2000), ("-0", 2, 0), ("1.10", 1, 11),
        ("4611686018427387899", 0, BOUND - 5), ("-4611686018427387899", 0, 5 - BOUND),
    ],
)  # fmt: skip
def test_odd_but_valid_decimals_are_taken(text: str, decimals: int, expected: int) -> None:
    assert decimal(text, decimals) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", VALUE_FORMAT), (".", VALUE_FORMAT), ("-", VALUE_FORMAT), ("+1", VALUE_FORMAT),
        ("1e5", VALUE_FORMAT), ("1.2.3", VALUE_FORMAT), (" 1", VALUE_FORMAT),
        ("1.005", VALUE_DECIMALS), ("99999999999999999999", VALUE_RANGE),
        ("9" * 40 + "x", VALUE_FORMAT), ("46116860184273879.05", VALUE_RANGE),
    ],
)  # fmt: skip
def test_decimals_that_are_none_have_their_code(text: str, code: int) -> None:
    assert FixValues(text.encode() + b"\x01").read_decimal(0, len(text), 2) == code


@pytest.mark.parametrize("text", ["", "-", "+1", "1.0", "--1", "1-"])
def test_what_is_no_integer_is_refused(text: str) -> None:
    assert FixValues(text.encode() + b"\x01").read_int(0, len(text)) == VALUE_FORMAT


def test_an_integer_beyond_the_bound_is_of_the_format_but_out_of_range() -> None:
    assert FixValues(b"9" * 30).read_int(0, 30) == VALUE_RANGE


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2261, 12, 31, 23, 59, 59)),
    st.text("0123456789", max_size=12),
)
def test_times_are_those_of_datetime(moment: datetime, fraction: str) -> None:
    text = moment.strftime("%Y%m%d-%H:%M:%S") + ("." + fraction if fraction else "")
    values = FixValues(text.encode())
    assert values.read_utc_timestamp(0, len(text)) == VALUE_OK
    seconds = (moment.replace(microsecond=0) - datetime(1970, 1, 1)) // timedelta(seconds=1)
    assert values.number == seconds * 10**9 + int((fraction + "0" * 9)[:9])
    assert values.digits == len(fraction)


def test_a_leap_second_is_the_next_minute() -> None:
    values = FixValues(b"20161231-23:59:60")
    assert values.read_utc_timestamp(0, 17) == VALUE_OK
    assert values.number == int(datetime(2017, 1, 1, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    "text",
    [
        "20261121", "20261121-", "20261121-12:00", "20261121-24:00:00", "20261121-12:60:00",
        "20261121-12:00:61", "20260229-12:00:00", "20261301-12:00:00", "20261121-12:00:00.",
        "20261121-12:00:00.1234567890123", "20261121 12:00:00", "20261121-12:00:00Z",
        "2026112x-12:00:00", "20261100-12:00:00",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    values = FixValues(text.encode() + b"\x01" * 8)
    assert values.read_utc_timestamp(0, len(text)) == VALUE_FORMAT


@pytest.mark.parametrize("text", [b"99991231-23:59:59", b"19691231-23:59:59"])
def test_a_year_that_64_bits_do_not_hold_is_still_a_time(text: bytes) -> None:
    assert FixValues(text).read_utc_timestamp(0, len(text)) == VALUE_RANGE


def test_ranges_outside_of_the_buffer_are_refused() -> None:
    with pytest.raises(IndexError):
        FixValues(b"12").read_int(0, 3)
