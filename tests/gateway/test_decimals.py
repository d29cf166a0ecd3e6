"""Scaled integers as decimals, against Python's own."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portcullis.gateway.decimals import avg_px_decimals, decimal


@given(st.integers(-(1 << 62), 1 << 62), st.integers(0, 18))
def test_units_are_shown_exactly_and_without_trailing_zeros(units: int, places: int) -> None:
    shown = decimal(units, places)
    assert Decimal(shown).scaleb(places) == units
    assert shown == format(Decimal(shown).normalize(), "f")


def test_averages_have_four_decimals_more_than_prices_and_eight_at_most() -> None:
    assert [avg_px_decimals(places) for places in range(10)] == [4, 5, 6, 7, 8, 8, 8, 8, 8, 8]
