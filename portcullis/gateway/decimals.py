"""Integers that count units of 10^-places: how they are shown, and the places of averages.

Must not know rows, nor where an instrument's decimals are written down.
"""

from __future__ import annotations

_AVG_PX_EXTRA = 4
_AVG_PX_MAX = 8


def avg_px_decimals(price_decimals: int) -> int:
    """Decimals of AvgPx(6) where prices have so many: as `rows.W_AVG_PX` counts."""
    return min(price_decimals + _AVG_PX_EXTRA, _AVG_PX_MAX)


def decimal(units: int, places: int) -> str:
    """Units of 10^-places as a decimal, without trailing zeros."""
    sign, digits = "-" if units < 0 else "", f"{abs(units):0{places + 1}}"
    whole, fraction = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
