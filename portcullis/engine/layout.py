"""Where the engine's records keep what: orders, price levels, sides, instruments, sessions.

Every table of the engine is one flat array of 64-bit words, allocated at start; a record is a
fixed run of words in it, so that what one command touches lies in two cache lines instead of in
sixteen arrays. Index 0 of each table stays unused: 0 means none.

This file is the source; `layout.pxd` beside it is made from it
(`python -m portcullis.engine.layout`), and a test holds the two together.
"""

from __future__ import annotations

ID_MASK = 0x7FFFFFFF  # ids of sessions, instruments and accounts have 31 bits

# --- amendments: how the order of a fill stands, where it neither lives nor has a last report --
STANDS_GONE = -1  # its day has ended
STANDS_OUT_OF_RANGE = -2  # it can't have such quantities or prices

# --- orders: a slot each, while they live ------------------------------------------------------
ORDER_WORDS = 16
O_ROW = 0  # row that brought the order: OrderID; 0: the slot is free
O_TERMS = 1  # row whose terms are in force
O_ID = 2  # index of the current id in the id table
O_QTY = 3
O_LEAVES = 4
O_CUM = 5
O_SUM = 6  # exact sum of price x quantity over the fills, below 2^62
O_PRICE = 7
O_AVG = 8  # AvgPx as reported
O_META = 9  # side u1 | ord_type u1 | time_in_force u1 | META_ flags u1 | session u4
O_REF = 10  # instrument u4 | account u4, as W_REF
O_LEVEL = 11  # price level it rests at; 0: not in the book
O_NEXT = 12  # the order behind it at its level; in a free slot: the next free one
O_PREV = 13
O_ACCOUNT_NEXT = 14  # the account's orders, oldest first
O_ACCOUNT_PREV = 15

META_EXPIRES = 1 << 24  # the order stands among those whose time runs out

# --- price levels ------------------------------------------------------------------------------
LEVEL_WORDS = 4
L_FIRST = 0  # oldest order; in a free level: the next free one
L_LAST = 1
L_QTY = 2  # sum of LeavesQty
L_ORDERS = 3

# --- sides of books: bids of instrument i at 2i, asks at 2i + 1 --------------------------------
SIDE_WORDS = 4
B_BASE = 0  # first entry of its ladder
B_COUNT = 1  # levels in it
B_ROOM = 2  # entries of its block
LADDER_WORDS = 2  # entry: key (price of bids, minus price of asks), level; best key last
LADDER_ROOM_MIN = 16

# --- accounts ----------------------------------------------------------------------------------
ACCOUNT_WORDS = 4
A_FIRST = 0  # oldest live order
A_LAST = 1
A_ORDERS = 2
A_STP = 3

# --- instruments -------------------------------------------------------------------------------
INSTRUMENT_WORDS = 16
I_KNOWN = 0
I_DECIMALS = 1  # as W_DECIMALS: price_decimals u1 | qty_decimals u1 | flags u1
I_PRICE_MAX = 2
I_QTY_MAX = 3
I_SCALE = 4  # 10^(avg_decimals - price_decimals)
I_PRICE_WIDEST = 5  # highest bounds that any order under these decimals may have entered under
I_QTY_WIDEST = 6
I_ORDERS = 7  # live orders
I_LOT = 8
I_TICK = 9
I_OUCH_UP = 10  # a price of four decimals x this / the next is one in the instrument's units
I_OUCH_DOWN = 11

# --- sessions ----------------------------------------------------------------------------------
SESSION_WORDS = 8
S_NEXT_OUT = 0
S_NEXT_IN = 1
S_HEAD = 2  # last numbered output row of the epoch
S_ACCOUNT = 3
S_FLAGS = 4
S_EVENT = 5  # last EVENT_ code
S_EVENT_TIME = 6  # of that row, nanoseconds since the epoch
S_DAY = 7  # OUCH: the day of its messages, YYYYMMDDNN

# --- references of the id table: kind in the low two bits; 0: the entry is empty ---------------
REF_LIVE = 0  # slot << 2
REF_CLOSED = 1  # final report row << 2
REF_SUPERSEDED = 2  # index of the newer id << 2
REF_BURNT = 3  # report row of the refusal << 2
REF_FREED = 3  # of no row: the entry holds no id any more

# A reference has the low bits of its word in the id table; above it stands a distance.
REFERENCE_BITS = 48

# --- hashes made ahead of the commands ----------------------------------------------------------
LOOK_AHEAD = 8  # commands whose ids are hashed together
LOOK_AHEAD_PLACES = 16  # rows whose hashes are kept
LOOK_AHEAD_WORDS = 3

# --- orders entered by OUCH ---------------------------------------------------------------------
OUCH_DAY_SECONDS = 99_998  # a time in force from here on is the day's

# --- work in slices ----------------------------------------------------------------------------
UNSAID_ROWS = 1024  # of OUCH sessions, kept for the event log
STEP_ROWS = 4  # output rows that one atomic step may take
SLICE_ORDERS = 256  # orders that mass commands, and a day's end, work on in one run
FREED_AT_ONCE = 1 << 14  # entries of the id table that a day's end looks at: some 50 us
FREED_A_SEARCH = 64  # and those that each search for an id looks at after it: 1 KiB
MASS_QUEUE = 16  # mass commands that may wait; mass statuses only while half of it is free.
#                  A CANCEL_ALL has one place more.
MASS_WAITING = 2  # of them those of one session
RUN_DONE = 0  # all input is consumed
RUN_MORE = 1  # the batch is full: seal, open the next, run again at once
RUN_SLICE = 2  # a mass command or a day's end goes on in the next run, behind others' commands

# --- characters of order terms and states, FIX's own codes by convention ----------------------
SIDE_BUY = 0x31
SIDE_SELL = 0x32
SIDE_SELL_SHORT = 0x35
SIDE_SELL_SHORT_EXEMPT = 0x36
TYPE_MARKET = 0x31
TYPE_LIMIT = 0x32
TIF_DAY = 0x30
TIF_GTC = 0x31
TIF_IOC = 0x33
TIF_FOK = 0x34
EXEC_NEW = 0x30
EXEC_CANCELED = 0x34
EXEC_REPLACED = 0x35
EXEC_REJECTED = 0x38
EXEC_EXPIRED = 0x43
EXEC_RESTATED = 0x44
EXEC_TRADE = 0x46
EXEC_CORRECT = 0x47
EXEC_BUST = 0x48
EXEC_STATUS = 0x49
STATUS_NEW = 0x30
STATUS_PARTLY_FILLED = 0x31
STATUS_FILLED = 0x32
STATUS_CANCELED = 0x34
STATUS_REJECTED = 0x38
STATUS_EXPIRED = 0x43
SCOPE_INSTRUMENT = 0x31
SCOPE_ALL = 0x37
SCOPE_REFUSED = 0x30


def declarations() -> str:
    """The text of layout.pxd: every constant above as an anonymous C enumeration."""
    lines = ["# Made from layout.py by `python -m portcullis.engine.layout`; not edited by hand."]
    lines += ["", "cdef enum:"]
    lines += [
        f"    {name} = {value}"
        for name, value in globals().items()
        if name.isupper() and isinstance(value, int)
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_suffix(".pxd").write_text(declarations())
