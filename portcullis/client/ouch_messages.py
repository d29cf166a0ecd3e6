"""The messages of OUCH 4.2 as typed classes: what `client.ouch` sends and receives.

Owns the classes; their bytes come from the declarations in `dictionaries.ouch`, whose names the
fields have. Texts are without their padding, prices decimal with four places and None for a market
order, shares lots of the instrument. Codes are single letters as OUCH has them.

Must not know sessions. Specification: NASDAQ OUCH 4.2; what this venue makes of it: docs/ouch.md.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from portcullis.dictionaries.binary_layouts import Field, Message
from portcullis.dictionaries.ouch import INBOUND, OUTBOUND, PRICE_MARKET

# "100.5", 100, Decimal("100.5"); None: a market order.
Price = Decimal | int | str | None

IMMEDIATE_OR_CANCEL = 0
MARKET_HOURS = 99_998
SYSTEM_HOURS = 99_999

_PRICES = frozenset(("price", "execution_price"))


# --- what is sent ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterOrder:
    """An order. order_token names it, at most 14 characters, unique among the user's of the day.

    buy_sell: B, S, T (short) or E (short exempt). time_in_force: seconds, or one of the constants
    above. minimum_quantity: 0, or with IMMEDIATE_OR_CANCEL all of it.
    """

    letter: ClassVar = "O"

    order_token: str
    buy_sell: str
    shares: int
    stock: str
    price: Price
    time_in_force: int = SYSTEM_HOURS
    firm: str = ""
    display: str = "Y"
    capacity: str = "P"
    intermarket_sweep: str = "N"
    minimum_quantity: int = 0
    cross_type: str = "N"
    customer_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceOrder:
    """New terms under a new token. shares: of the whole chain, those executed counted."""

    letter: ClassVar = "U"

    existing_order_token: str
    replacement_order_token: str
    shares: int
    price: Price
    time_in_force: int = SYSTEM_HOURS
    display: str = "Y"
    intermarket_sweep: str = "N"
    minimum_quantity: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """shares: the size that the order is to have, those executed counted; 0 ends it."""

    letter: ClassVar = "X"

    order_token: str
    shares: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyOrder:
    """Another kind of sale, or a smaller size, in the same place of the book."""

    letter: ClassVar = "M"

    order_token: str
    buy_sell: str
    shares: int


Request = EnterOrder | ReplaceOrder | CancelOrder | ModifyOrder


# --- what is received --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A message of the session. sequence: its number. timestamp: ns since midnight, UTC."""

    letter: ClassVar[str]

    sequence: int
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemEvent(Report):
    """event_code: S, the day begins; E, it ends."""

    letter = "S"

    event_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Report):
    """An order as it was taken. order_state: L live, D dead already."""

    letter = "A"

    order_token: str
    buy_sell: str
    shares: int
    stock: str
    price: Decimal | None
    time_in_force: int
    firm: str
    display: str
    order_reference_number: int
    capacity: str
    intermarket_sweep: str
    minimum_quantity: int
    cross_type: str
    order_state: str
    bbo_weight_indicator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced(Report):
    """The order that stands in place of previous_order_token. shares: what is still open."""

    letter = "U"

    replacement_order_token: str
    buy_sell: str
    shares: int
    stock: str
    price: Decimal | None
    time_in_force: int
    firm: str
    display: str
    order_reference_number: int
    capacity: str
    intermarket_sweep: str
    minimum_quantity: int
    cross_type: str
    order_state: str
    previous_order_token: str
    bbo_weight_indicator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled(Report):
    """decrement_shares less are open. reason: U user, I immediate or cancel, T time-out, ..."""

    letter = "C"

    order_token: str
    decrement_shares: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AiqCanceled(Report):
    """Cancelled so as not to trade with the account's own order."""

    letter = "D"

    order_token: str
    decrement_shares: int
    reason: str
    prevented_shares: int
    execution_price: Decimal
    liquidity_flag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed(Report):
    """A trade. match_number is the same on both sides; liquidity_flag: A added, R removed."""

    letter = "E"

    order_token: str
    executed_shares: int
    execution_price: Decimal
    liquidity_flag: str
    match_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenTrade(Report):
    """A trade is undone; its shares are not open again."""

    letter = "B"

    order_token: str
    match_number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Report):
    """An order was not taken; its token is used up."""

    letter = "J"

    order_token: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPending(Report):
    """A cancel will be worked on after the cross."""

    letter = "P"

    order_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReject(Report):
    """A cancel was refused in a cross."""

    letter = "I"

    order_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPriorityUpdate(Report):
    """The order stands elsewhere in the book."""

    letter = "T"

    order_token: str
    price: Decimal | None
    display: str
    order_reference_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderModified(Report):
    """The answer to ModifyOrder. shares: what is still open."""

    letter = "M"

    order_token: str
    buy_sell: str
    shares: int


REPORTS: dict[str, type[Report]] = {
    kind.letter: kind
    for kind in (
        SystemEvent,
        Accepted,
        Replaced,
        Canceled,
        AiqCanceled,
        Executed,
        BrokenTrade,
        Rejected,
        CancelPending,
        CancelReject,
        OrderPriorityUpdate,
        OrderModified,
    )
}


# --- bytes -------------------------------------------------------------------------------------


class _Layout:
    """A declared message as a `struct`: its type byte, then its fields."""

    def __init__(self, message: Message) -> None:
        self.fields = tuple(message.fields())
        self.struct = struct.Struct(">c" + "".join(field.code for field in self.fields))


_INBOUND = {message.letter: _Layout(message) for message in INBOUND}
_OUTBOUND = {message.letter: _Layout(message) for message in OUTBOUND}


def encode(request: Request) -> bytes:
    """The message's bytes. ValueError, TypeError: a field cannot say this, and which."""
    layout = _INBOUND[request.letter]
    values = [_octets(field, getattr(request, field.name)) for field in layout.fields]
    return layout.struct.pack(request.letter.encode(), *values)


def decode(octets: bytes, sequence: int) -> Report:
    """The message with this number. ValueError: it is none of OUCH 4.2."""
    letter = octets[:1].decode("latin-1")
    layout = _OUTBOUND.get(letter)
    if layout is None or len(octets) != layout.struct.size:
        raise ValueError(f"message {sequence} is none of OUCH 4.2: {octets!r}")
    _, *values = layout.struct.unpack(octets)
    read = {
        field.name: _value(field, value)
        for field, value in zip(layout.fields, values, strict=True)
    }
    return REPORTS[letter](sequence=sequence, **read)


def _octets(field: Field, value: Any) -> bytes | int:
    """A field's value as `struct` packs it."""
    if field.kind == "alpha":
        if not isinstance(value, str):
            raise TypeError(f"{field.name} was {value!r}, text expected")
        octets = value.encode("latin-1")
        if len(octets) > field.size:
            raise ValueError(f"{field.name} was {value!r}, at most {field.size} characters")
        return octets.ljust(field.size)
    number = _price(field.name, value) if field.name in _PRICES else value
    if not isinstance(number, int):
        raise TypeError(f"{field.name} was {value!r}, int expected")
    if not 0 <= number < 1 << 8 * field.size:
        raise ValueError(f"{field.name} was {value!r}, which {field.size} bytes cannot say")
    return number


def _price(name: str, value: Price) -> int:
    """In 10^-4, never rounded."""
    if value is None:
        return PRICE_MARKET
    if not isinstance(value, Decimal | int | str):
        raise TypeError(f"{name} was {value!r}; text, int or Decimal expected")
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{name} was {value!r}, a decimal number expected") from None
    number = int(exact.scaleb(4)) if exact.is_finite() else 0
    if Decimal(number).scaleb(-4) != exact:
        raise ValueError(f"{name} was {value!r}, at most four decimals expected")
    return number


def _value(field: Field, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("latin-1").rstrip(" ")
    if field.name in _PRICES:
        return None if value == PRICE_MARKET else Decimal(value).scaleb(-4)
    return value
