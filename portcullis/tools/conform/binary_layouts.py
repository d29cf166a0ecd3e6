"""SoupBinTCP 3.00, OUCH 4.2 and MoldUDP64 1.00, as construct declarations of this tool's own.

Owns layouts and nothing else. Names are the specifications', as scenarios write them. Offsets
follow from the order of the fields; `tests/tools/conform/test_wire.py` holds lengths and offsets
to the published tables.
"""

from __future__ import annotations

import re
from typing import Any

import construct as c

SEQUENCED, UNSEQUENCED = "S", "U"
_NUMBER = re.compile(r"[0-9]{1,20}")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{0,4})?")


def _text(size: int, right: bool = False) -> Any:
    """Text padded with spaces, on the left where `right` (justified) says so."""

    def encode(value: str, _: Any) -> bytes:
        octets = str(value).encode("latin-1", "replace")
        if len(octets) > size:
            raise ValueError(f"{value!r} has more than {size} characters")
        return octets.rjust(size) if right else octets.ljust(size)

    return c.ExprAdapter(
        c.Bytes(size),
        lambda octets, _: octets.decode("latin-1").strip(" "),
        encode,
    )


def _number(size: int) -> Any:
    """An unsigned integer, shown and written as decimal text."""

    def encode(text: str, _: Any) -> int:
        if not _NUMBER.fullmatch(text) or (number := int(text)) >= 1 << 8 * size:
            raise ValueError(f"{text[:40]!r} is no number of {size} bytes")
        return number

    return c.ExprAdapter(c.BytesInteger(size), lambda number, _: str(number), encode)


def _price() -> Any:
    """Four implied decimals, shown as a decimal number."""

    def encode(text: str, _: Any) -> int:
        if not _PRICE.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is no price with at most four decimals")
        whole, _point, fraction = text.partition(".")
        return int(whole + fraction.ljust(4, "0"))

    def decode(number: int, _: Any) -> str:
        text = f"{number // 10_000}.{number % 10_000:04d}"
        return text.rstrip("0").rstrip(".")

    return c.ExprAdapter(c.BytesInteger(4), decode, encode)


# Payloads of SoupBinTCP packets behind the type byte.
SOUP: dict[str, tuple[str, Any]] = {
    "Debug": ("+", c.Struct("text" / c.ExprAdapter(
        c.GreedyBytes, lambda o, _: o.decode("latin-1"), lambda t, _: t.encode("latin-1")))),
    "LoginAccepted": ("A", c.Struct("session" / _text(10, True), "sequence" / _text(20, True))),
    "LoginRejected": ("J", c.Struct("reason" / _text(1))),
    "ServerHeartbeat": ("H", c.Struct()),
    "EndOfSession": ("Z", c.Struct()),
    "LoginRequest": ("L", c.Struct(
        "username" / _text(6), "password" / _text(10),
        "session" / _text(10, True), "sequence" / _text(20, True))),
    "ClientHeartbeat": ("R", c.Struct()),
    "LogoutRequest": ("O", c.Struct()),
}  # fmt: skip

_OPENING = ("timestamp" / _number(8),)
_TOKEN = "token" / _text(14)

# OUCH 4.2 inbound, behind the type byte; in unsequenced packets.
OUCH_IN: dict[str, tuple[str, Any]] = {
    "EnterOrder": ("O", c.Struct(
        _TOKEN, "side" / _text(1), "shares" / _number(4), "stock" / _text(8), "price" / _price(),
        "tif" / _number(4), "firm" / _text(4), "display" / _text(1), "capacity" / _text(1),
        "sweep" / _text(1), "min_qty" / _number(4), "cross" / _text(1), "customer" / _text(1))),
    "ReplaceOrder": ("U", c.Struct(
        _TOKEN, "replacement" / _text(14), "shares" / _number(4), "price" / _price(),
        "tif" / _number(4), "display" / _text(1), "sweep" / _text(1), "min_qty" / _number(4))),
    "CancelOrder": ("X", c.Struct(_TOKEN, "shares" / _number(4))),
    "ModifyOrder": ("M", c.Struct(_TOKEN, "side" / _text(1), "shares" / _number(4))),
}  # fmt: skip

_TERMS = (
    "side" / _text(1), "shares" / _number(4), "stock" / _text(8), "price" / _price(),
    "tif" / _number(4), "firm" / _text(4), "display" / _text(1), "reference" / _number(8),
    "capacity" / _text(1), "sweep" / _text(1), "min_qty" / _number(4), "cross" / _text(1),
    "state" / _text(1),
)  # fmt: skip

# OUCH 4.2 outbound, behind the type byte; in sequenced packets.
OUCH_OUT: dict[str, tuple[str, Any]] = {
    "SystemEvent": ("S", c.Struct(*_OPENING, "event" / _text(1))),
    "Accepted": ("A", c.Struct(*_OPENING, _TOKEN, *_TERMS, "weight" / _text(1))),
    "Replaced": ("U", c.Struct(
        *_OPENING, "replacement" / _text(14), *_TERMS, _TOKEN, "weight" / _text(1))),
    "Canceled": ("C", c.Struct(*_OPENING, _TOKEN, "decrement" / _number(4), "reason" / _text(1))),
    "AiqCanceled": ("D", c.Struct(
        *_OPENING, _TOKEN, "decrement" / _number(4), "reason" / _text(1),
        "prevented" / _number(4), "price" / _price(), "liquidity" / _text(1))),
    "Executed": ("E", c.Struct(
        *_OPENING, _TOKEN, "shares" / _number(4), "price" / _price(), "liquidity" / _text(1),
        "match" / _number(8))),
    "BrokenTrade": ("B", c.Struct(*_OPENING, _TOKEN, "match" / _number(8), "reason" / _text(1))),
    "Rejected": ("J", c.Struct(*_OPENING, _TOKEN, "reason" / _text(1))),
    "CancelPending": ("P", c.Struct(*_OPENING, _TOKEN)),
    "CancelReject": ("I", c.Struct(*_OPENING, _TOKEN)),
    "PriorityUpdate": ("T", c.Struct(
        *_OPENING, _TOKEN, "price" / _price(), "display" / _text(1), "reference" / _number(8))),
    "Modified": ("M", c.Struct(
        *_OPENING, _TOKEN, "side" / _text(1), "shares" / _number(4))),
}  # fmt: skip

_MOLD_HEADER = ("session" / _text(10), "sequence" / _number(8), "count" / _number(2))

# MoldUDP64: what a subscriber asks for, and what it is sent. `rest` is what is no whole message.
MOLD_REQUEST = c.Struct(*_MOLD_HEADER)
MOLD_PACKET = c.Struct(
    *_MOLD_HEADER,
    "messages" / c.GreedyRange(c.Prefixed(c.Int16ub, c.GreedyBytes)),
    "rest" / c.GreedyBytes,
)
# Message counts that are none.
MOLD_HEARTBEAT, MOLD_END = "0", "65535"

# The message names that a scenario of each protocol may use; FIX has its own.
NAMES: dict[str, tuple[str, ...]] = {
    "ouch": (*SOUP, *OUCH_IN, *OUCH_OUT),
    "moldudp64": ("Request", "Packet", "Heartbeat", "EndOfSession", "Answer"),
}
