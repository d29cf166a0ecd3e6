"""Why an order was refused, cancelled or restated: one code, its FIX reasons and its text.

Owns the table that translation, engine and encoders share, so that every refusal has its code and
its wording in one place. A row carries the Why code; encoders look the rest up. Constants are also
in `why.pxd`, made from here (`python -m portcullis.engine.why`) and held together by a test.
Specification: docs/rules-of-engagement.md, "Codes".
"""

from __future__ import annotations

from typing import NamedTuple

WHY_NONE = 0
# Refusals of new orders, and of replacements for the same reasons.
WHY_UNKNOWN_SYMBOL = 1
WHY_HALTED = 2
WHY_RISK = 3
WHY_DUPLICATE_ID = 4
WHY_STALE = 5
WHY_UNSUPPORTED_TERM = 6
WHY_BAD_QTY = 7
WHY_LOT = 8
WHY_UNKNOWN_ACCOUNT = 9
WHY_TICK = 10
WHY_BAD_PRICE = 11
WHY_MISSING_FIELD = 12
WHY_IDS_FULL = 13
WHY_ORDERS_FULL = 14
WHY_LEVELS_FULL = 15
WHY_DISK_FULL = 16
WHY_ENTRY_DISABLED = 17
WHY_ID_TOO_LONG = 18
WHY_TOO_LONG = 19
WHY_PRICE_ON_MARKET = 20
WHY_DISPLAY = 21
WHY_CROSS = 22
WHY_FIRM = 23
WHY_MINIMUM = 24
WHY_TIME_IN_FORCE = 25
WHY_TOKEN = 26
WHY_CLOSED = 27
WHY_RATE = 28
# Refusals of cancels and replacements.
WHY_UNKNOWN_ORDER = 32
WHY_NOT_CURRENT_ID = 33
WHY_ID_MISMATCH = 34
WHY_TOO_LATE = 35
WHY_TERMS_MISMATCH = 36
WHY_QTY_BELOW_CUM = 37
WHY_SCOPE_UNSUPPORTED = 38
WHY_BUSY = 39
WHY_SCOPE_CONTRADICTS = 40
WHY_OTHER_DOOR = 41
WHY_NOT_LESS = 42
WHY_SIDE = 43
# Ends of orders that nobody asked for in so many words.
WHY_IOC_REST = 64
WHY_FOK_UNFILLABLE = 65
WHY_MARKET_REST = 66
WHY_SELF_TRADE = 67
WHY_SELF_TRADE_DECREMENT = 68
WHY_MASS_CANCEL = 69
WHY_OPERATOR = 70
WHY_DISCONNECT = 71
WHY_DAY_END = 72
WHY_KILL_SWITCH = 73
WHY_BUST = 74
WHY_CORRECT = 75
WHY_MANAGED = 76
WHY_TIME_OUT = 77
WHY_NEW_DAY = 78


class Why(NamedTuple):
    """ord_rej_reason: 103 of an 8; cxl_rej_reason: 102 of a 9; restatement: 378; text: 58."""

    ord_rej_reason: int
    cxl_rej_reason: int
    restatement: int | None
    text: str


WHYS: dict[int, Why] = {
    WHY_NONE: Why(99, 99, None, ""),
    WHY_UNKNOWN_SYMBOL: Why(1, 99, None, "Unknown symbol"),
    WHY_HALTED: Why(2, 99, None, "Instrument is halted"),
    WHY_RISK: Why(3, 99, None, "Risk limit exceeded"),
    WHY_DUPLICATE_ID: Why(6, 6, None, "Duplicate ClOrdID(11)"),
    WHY_STALE: Why(8, 99, None, "Possible duplicate is too old to trade"),
    WHY_UNSUPPORTED_TERM: Why(11, 99, None, "Unsupported order term"),
    WHY_BAD_QTY: Why(13, 99, None, "OrderQty(38) is out of range"),
    WHY_LOT: Why(13, 99, None, "OrderQty(38) is not a multiple of the lot"),
    WHY_UNKNOWN_ACCOUNT: Why(15, 99, None, "Account(1) is not allowed for this session"),
    WHY_TICK: Why(99, 99, None, "Price(44) is not a multiple of the tick"),
    WHY_BAD_PRICE: Why(99, 99, None, "Price(44) is out of range"),
    WHY_MISSING_FIELD: Why(99, 99, None, "Required field missing"),
    WHY_IDS_FULL: Why(99, 99, None, "Id table is full"),
    WHY_ORDERS_FULL: Why(99, 99, None, "Order table is full"),
    WHY_LEVELS_FULL: Why(99, 99, None, "Price level table is full"),
    WHY_DISK_FULL: Why(99, 99, None, "Journal has no room for new orders"),
    WHY_ENTRY_DISABLED: Why(99, 99, None, "Order entry is disabled for this session"),
    WHY_ID_TOO_LONG: Why(99, 99, None, "ClOrdID(11) is longer than 36 characters"),
    WHY_TOO_LONG: Why(99, 99, None, "Fields to be carried are longer than 4096 bytes"),
    WHY_PRICE_ON_MARKET: Why(11, 99, None, "Price(44) on a market order"),
    WHY_DISPLAY: Why(11, 99, None, "Display is not A or Y"),
    WHY_CROSS: Why(11, 99, None, "Cross type is not N"),
    WHY_FIRM: Why(11, 99, None, "Firm is not the account's own"),
    WHY_MINIMUM: Why(11, 99, None, "Minimum quantity is neither 0 nor all of an immediate order"),
    WHY_TIME_IN_FORCE: Why(11, 99, None, "Time in force is above 99999"),
    WHY_TOKEN: Why(99, 99, None, "Order token is blank or has bytes that are not printable"),
    WHY_CLOSED: Why(2, 99, None, "The trading day is ending"),
    WHY_RATE: Why(99, 99, None, "Too many messages a second"),
    WHY_UNKNOWN_ORDER: Why(5, 1, None, "Unknown order"),
    WHY_NOT_CURRENT_ID: Why(99, 1, None, "OrigClOrdID(41) is not the order's current id"),
    WHY_ID_MISMATCH: Why(99, 1, None, "OrderID(37) and OrigClOrdID(41) name different orders"),
    WHY_TOO_LATE: Why(99, 0, None, "Too late: the order is no longer open"),
    WHY_TERMS_MISMATCH: Why(99, 99, None, "Side(54), Symbol(55) or Account(1) is not the order's"),
    WHY_QTY_BELOW_CUM: Why(13, 99, None, "The size wanted is executed already"),
    WHY_SCOPE_UNSUPPORTED: Why(99, 99, None, "Mass request type is not supported"),
    WHY_BUSY: Why(99, 99, None, "Too many mass requests at once"),
    WHY_SCOPE_CONTRADICTS: Why(99, 99, None, "Symbol(55) in a request for all orders"),
    WHY_OTHER_DOOR: Why(99, 99, None, "An order entered by OUCH is replaced by OUCH alone"),
    WHY_NOT_LESS: Why(99, 99, None, "The order is as small already"),
    WHY_SIDE: Why(99, 99, None, "Side can change among sales only"),
    WHY_IOC_REST: Why(99, 99, None, "Rest of an immediate-or-cancel order"),
    WHY_FOK_UNFILLABLE: Why(99, 99, None, "Fill-or-kill order cannot be filled"),
    WHY_MARKET_REST: Why(99, 99, None, "Rest of a market order"),
    WHY_SELF_TRADE: Why(99, 99, 8, "Self-trade prevention"),
    WHY_SELF_TRADE_DECREMENT: Why(99, 99, 5, "Self-trade prevention"),
    WHY_MASS_CANCEL: Why(99, 99, None, "Mass cancel"),
    WHY_OPERATOR: Why(99, 99, 8, "Cancelled by the operator"),
    WHY_DISCONNECT: Why(99, 99, 8, "Cancelled on disconnect"),
    WHY_DAY_END: Why(99, 99, None, "End of day"),
    WHY_KILL_SWITCH: Why(99, 99, 8, "Kill switch"),
    WHY_BUST: Why(99, 99, None, "Trade busted"),
    WHY_CORRECT: Why(99, 99, None, "Trade corrected"),
    WHY_MANAGED: Why(99, 99, 99, "By a session that manages the account"),
    WHY_TIME_OUT: Why(99, 99, None, "The order's time has run out"),
    WHY_NEW_DAY: Why(99, 99, 1, "Carried over to the next day"),
}


def declarations() -> str:
    """The text of why.pxd."""
    lines = ["# Made from why.py by `python -m portcullis.engine.why`; not edited by hand.", ""]
    lines.append("cdef enum:")
    lines += [f"    {name} = {value}" for name, value in globals().items() if name[:4] == "WHY_"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_suffix(".pxd").write_text(declarations())
