"""OUCH 4.2: every message of order entry, in and out.

Owns the declaration and nothing else. Alphanumeric fields are padded with blanks on the right.
Specification: NASDAQ, OUCH 4.2; what this venue makes of it is in docs/rules-of-engagement.md.
"""

from __future__ import annotations

from typing import Any

from construct import Bytes, Int32ub, Int64ub, Struct

from portcullis.dictionaries.binary_layouts import IN, OUT, Message

# Price of an order without one; and the highest price of an order that has one, 199999.9900.
PRICE_MARKET = 0x7FFFFFFF
PRICE_HIGHEST = 0x7735939C
SHARES_MAX = 999_999
TIME_IN_FORCE_MAX = 99_999

_TOKEN = "order_token" / Bytes(14)
_TIMESTAMP = "timestamp" / Int64ub * "nanoseconds since midnight, UTC"
_SIDE = "buy_sell" / Bytes(1) * "B buy, S sell, T sell short, E sell short exempt"
_STOCK = "stock" / Bytes(8)
_PRICE = "price" / Int32ub * "four implied decimals; 0x7FFFFFFF: market"
_TIME_IN_FORCE = "time_in_force" / Int32ub * "seconds; 0 immediate or cancel, 99998, 99999 day"
_FIRM = "firm" / Bytes(4) * "blank: the account's own"
_DISPLAY = "display" / Bytes(1)
_CAPACITY = "capacity" / Bytes(1) * "A agency, P principal, R riskless, O other"
_SWEEP = "intermarket_sweep" / Bytes(1) * "Y or N"
_MINIMUM = "minimum_quantity" / Int32ub
_CROSS = "cross_type" / Bytes(1) * "N none"
_REFERENCE = "order_reference_number" / Int64ub
_LIQUIDITY = "liquidity_flag" / Bytes(1) * "A added, R removed"
_MATCH = "match_number" / Int64ub


def _opened(token: Any, shares: str) -> tuple[Any, ...]:
    """What Accepted and Replaced have in common."""
    return (
        _TIMESTAMP,
        token,
        _SIDE,
        "shares" / Int32ub * shares,
        _STOCK,
        _PRICE,
        _TIME_IN_FORCE,
        _FIRM,
        _DISPLAY,
        _REFERENCE,
        _CAPACITY,
        _SWEEP,
        _MINIMUM,
        _CROSS,
        "order_state" / Bytes(1) * "L live, D dead",
    )


INBOUND = (
    Message(
        "Enter Order",
        "O",
        IN,
        Struct(
            _TOKEN * "unique within the day",
            _SIDE,
            "shares" / Int32ub * "1 to 999999",
            _STOCK,
            _PRICE,
            _TIME_IN_FORCE,
            _FIRM,
            _DISPLAY,
            _CAPACITY,
            _SWEEP,
            _MINIMUM,
            _CROSS,
            "customer_type" / Bytes(1),
        ),
    ),
    Message(
        "Replace Order",
        "U",
        IN,
        Struct(
            "existing_order_token" / Bytes(14),
            "replacement_order_token" / Bytes(14) * "unique within the day",
            "shares" / Int32ub * "of the whole chain, those executed counted",
            _PRICE,
            _TIME_IN_FORCE,
            _DISPLAY,
            _SWEEP,
            _MINIMUM,
        ),
    ),
    Message(
        "Cancel Order",
        "X",
        IN,
        Struct(_TOKEN, "shares" / Int32ub * "new size of the order, those executed counted"),
    ),
    Message(
        "Modify Order",
        "M",
        IN,
        Struct(_TOKEN, _SIDE, "shares" / Int32ub * "new size of the order"),
    ),
)

OUTBOUND = (
    Message(
        "System Event",
        "S",
        OUT,
        Struct(_TIMESTAMP, "event_code" / Bytes(1) * "S start of day, E end of day"),
    ),
    Message(
        "Accepted",
        "A",
        OUT,
        Struct(*_opened(_TOKEN, "accepted"), "bbo_weight_indicator" / Bytes(1)),
    ),
    Message(
        "Replaced",
        "U",
        OUT,
        Struct(
            *_opened("replacement_order_token" / Bytes(14), "outstanding"),
            "previous_order_token" / Bytes(14),
            "bbo_weight_indicator" / Bytes(1),
        ),
    ),
    Message(
        "Canceled",
        "C",
        OUT,
        Struct(
            _TIMESTAMP,
            _TOKEN,
            "decrement_shares" / Int32ub,
            "reason" / Bytes(1) * "U user, I immediate or cancel, T time-out, S supervisory, ...",
        ),
    ),
    Message(
        "AIQ Canceled",
        "D",
        OUT,
        Struct(
            _TIMESTAMP,
            _TOKEN,
            "decrement_shares" / Int32ub,
            "reason" / Bytes(1) * "Q self-trade prevention",
            "prevented_shares" / Int32ub * "kept from trading",
            "execution_price" / Int32ub * "at which they would have traded",
            _LIQUIDITY,
        ),
    ),
    Message(
        "Executed",
        "E",
        OUT,
        Struct(
            _TIMESTAMP,
            _TOKEN,
            "executed_shares" / Int32ub,
            "execution_price" / Int32ub,
            _LIQUIDITY,
            _MATCH,
        ),
    ),
    Message(
        "Broken Trade",
        "B",
        OUT,
        Struct(
            _TIMESTAMP,
            _TOKEN,
            _MATCH,
            "reason" / Bytes(1) * "E erroneous, C consent, S supervisory, X external",
        ),
    ),
    Message(
        "Rejected",
        "J",
        OUT,
        Struct(_TIMESTAMP, _TOKEN, "reason" / Bytes(1)),
    ),
    Message("Cancel Pending", "P", OUT, Struct(_TIMESTAMP, _TOKEN)),
    Message("Cancel Reject", "I", OUT, Struct(_TIMESTAMP, _TOKEN)),
    Message(
        "Order Priority Update",
        "T",
        OUT,
        Struct(_TIMESTAMP, _TOKEN, _PRICE, _DISPLAY, _REFERENCE),
    ),
    Message(
        "Order Modified",
        "M",
        OUT,
        Struct(_TIMESTAMP, _TOKEN, _SIDE, "shares" / Int32ub * "outstanding"),
    ),
)

MESSAGES = INBOUND + OUTBOUND
