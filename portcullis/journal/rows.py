"""The layout of a journal row: the one contract between translation, engine and encoders.

A row is sixteen 64-bit little-endian words, 128 bytes: two cache lines. Rows are numbered from 1
for ever; the number of a row is its address, and stands for it everywhere: OrderID is the number
of the row that brought the order, ExecID that of the report's own row.

Input rows (kind below FIRST_OUTPUT) say what came in: orders, session events, configuration,
operators' actions. Output rows say what the engine made of them; each belongs to one session and
carries that session's outbound number. A batch holds inputs first, then outputs, and is sealed in
the last words of its last row. TEXT rows stand directly behind the input row they belong to and
hold what has no room in it, as items (see `journal.table`).

This file is the source; `rows.pxd` beside it is made from it (`python -m portcullis.journal.rows`)
so that compiled modules see C constants, and a test holds the two together. Word names start with
W_, and say which kinds they serve. Packed words name their byte positions.
"""

from __future__ import annotations

ROW_WORDS = 16
ROW_BYTES = 128

# --- every row ---------------------------------------------------------------------------------
W_HEAD = 0  # kind u1 | flags u1 | text_rows u2 | session u4; session 0: nobody's
W_TIME = 1  # nanoseconds since the Unix epoch, UTC; never runs back
W_SEAL_A = 14  # row_count u2 (0: not the last row of a batch) | segment u2 (low bits) | chain u4
W_SEAL_B = 15  # first_row u4 (low bits) | crc u4: CRC-32C of the batch, this word's crc as zero
W_SEALED = 15  # of the first row of a batch of two rows or more: when it was sealed, as W_TIME has
#                times, and not before any row's; its rows may leave from then on

# --- input rows --------------------------------------------------------------------------------
W_IN_SEQ = 2  # number of the inbound message that brought this row; 0: none did

# Orders (NEW_ORDER .. MASS_STATUS). An id is its first 24 bytes, zero-padded; a longer one stands
# whole in a text item. MASS_STATUS keeps 584 as its id.
W_ID = 3  # 3, 4, 5: ClOrdID(11), or OUCH token
W_QTY = 6  # OrderQty(38), in 10^-qty_decimals
W_PRICE = 7  # Price(44), in 10^-price_decimals; 0 for market orders
W_REF = 8  # instrument u4 | account u4; ids from 1; 0: none, or unknown
W_TERMS = 9  # side u1 | ord_type u1 | time_in_force u1 | handl_inst u1 | id_len u1 | orig_len u1
#              | transact_digits u1 | why u1. Characters are FIX's own codes ('1' buy, '2' limit).
#              transact_digits: fraction digits of 60, 0 to 9; 255: none, or in a text item.
#              why: a Why code; with F_REFUSED the reason translation refused the command.
W_TRANSACT = 10  # TransactTime(60), nanoseconds since the epoch; 0: absent or in a text item
W_ORIG = 11  # 11, 12, 13 of CANCEL, REPLACE: OrigClOrdID(41)
# OUCH commands use the same words, and these in place of W_TRANSACT and what is behind an id.
# Those that name an order by its token alone carry F_SHARES, and no instrument, account or side.
W_OUCH = 10  # NEW_ORDER, REPLACE: time_in_force u3 | display u1 | minimum_quantity u3 | sweep u1
W_FIRM = 13  # NEW_ORDER: firm u4 | capacity u1 | customer_type u1

# Mass commands, CANCEL_ALL among them, keep what they ask in W_SCOPE, in place of an original id.
W_SCOPE = 11  # scope u1 (530 or 585 as its character) | side u1 (0: both)

# SEND, ADVANCE, RESET, SESSION_EVENT
W_MSG_TYPE = 3  # SEND: MsgType(35), its bytes zero-padded
W_REISSUE = 4  # SEND: number of an output row to be sent again under a new number; 0: none
W_NEXT_IN = 4  # ADVANCE, RESET: next expected inbound number; ADVANCE, 0: stays
W_NEXT_OUT = 5  # RESET: next outbound number; ADVANCE: the same, what lies between stays a hole,
#                0: stays; SESSION_EVENT: the first they may not have
W_UNSENT = 6  # RESET: first number of the epoch before that they may not have; 0: not known
W_UNSENT_ROW = 7  # RESET: last numbered row of the epoch before; 0: none
W_EVENT = 3  # SESSION_EVENT: an EVENT_ code

# INSTRUMENT (symbol in item NAME), ACCOUNT (NAME), SESSION (NAME: its key), SETTING (NAME, VALUE)
W_SUBJECT = 3  # id of the instrument, account or session described; SETTING: a LIMIT_ code, or 0
#                START: 1 where nothing is sent before it is on disk, else 0
W_LIMIT = 4  # SETTING: how many of them, from this row on
W_DECIMALS = 4  # INSTRUMENT: price_decimals u1 | qty_decimals u1 | flags u1 (INSTRUMENT_ codes)
W_TICK = 5  # INSTRUMENT: in 10^-price_decimals
W_LOT = 6  # INSTRUMENT: in 10^-qty_decimals
W_PRICE_MAX = 7  # INSTRUMENT: highest price accepted
W_QTY_MAX = 8  # INSTRUMENT: largest quantity accepted; price_max x qty_max stays below 2^62
W_STOCK = 9  # INSTRUMENT: its OUCH name, its bytes zero-padded; 0: none
W_STP = 4  # ACCOUNT: self-trade prevention, an STP_ code
W_ACCOUNT = 4  # SESSION: its default account
W_SESSION_FLAGS = 5  # SESSION: SESSION_ codes
W_DAY = 3  # DAY: the trading day that begins, YYYYMMDDNN; the one before it ends
# STREAM (NAME; VALUE: ids of the accounts it carries, four bytes each, little-endian)
W_CONTENT = 4  # STREAM: a STREAM_ code
W_STREAM_DAY = 5  # STREAM: the day whose numbers it has; from 1 where that is another one
W_SCHEDULE = 6  # SESSION: checksum of the reset times it goes by; 0: none
W_NEXT_ROW = 3  # ROLL: first row of the next segment; what lies between stays empty
W_KEY = 3  # GENESIS: 3, 4, secret key of the id table; 5: layout version

# BUST, CORRECT: the gateway reads the fill from the journal and names it; the order is found by
# the session and id of the row that brought it.
W_FILL_ROW = 6  # the fill's report row
W_FILL_QTY = 7  # its LastQty
W_FILL_PRICE = 10  # its LastPx
W_NEW_QTY = 11  # CORRECT: LastQty as it should be
W_NEW_PRICE = 12  # CORRECT: LastPx as it should be
W_FILL_SUM = 13  # sum of price x quantity over the fills of an order that has ended, before this

# --- output rows -------------------------------------------------------------------------------
W_OUT_SEQ = 2  # outbound number of the session; 0: the row produces no message there
W_PREV = 3  # previous numbered output row of the same session; 0: the first
W_CAUSE = 4  # input row that caused this one
W_TERMS_ROW = 5  # NEW_ORDER or REPLACE row whose terms are in force; 0: no order
W_ORDER = 6  # row that brought the order: OrderID; 0: NONE
W_LAST_PX = 7  # fills: LastPx. STATUS_REPORT: TotNumReports. MASS_CANCEL_REPORT: affected orders
W_LAST_QTY = 8  # fills: LastQty. STATUS_REPORT: its place among them, from 1
W_LEAVES_QTY = 9
W_CUM_QTY = 10
W_AVG_PX = 11  # in 10^-avg_decimals, avg_decimals = min(price_decimals + 4, 8)
W_ORDER_QTY = 12  # OrderQty in force
W_STATE = 13  # exec_type u1 | ord_status u1 | reason u1 | why u1 | side u1, 0: that of the terms.
#               reason: 103, 102, 378, 531 or 532 as the kind has it, 255: none; why: a Why code

# Reports that OUCH says the loss of shares with keep it where fills keep theirs: a RESTATED one in
# W_LAST_QTY, and where the account would have met itself, the trade prevented in both words.
W_SESSION_DAY = 6  # SYSTEM_EVENT: day of the session's messages; its code is exec_type of W_STATE

# --- batches -----------------------------------------------------------------------------------
BATCH_ROWS = 8192  # rows of a batch at most: 1 MiB, whose CRC takes 42 us
BATCH_INPUT_ROWS = 4096  # of them inputs, so that outputs always find room to go on

# --- kinds -------------------------------------------------------------------------------------
EMPTY = 0
NEW_ORDER = 1
CANCEL = 2
REPLACE = 3
STATUS = 4
MASS_CANCEL = 5
MASS_STATUS = 6
CANCEL_ALL = 7  # the gateway's own: a session's orders of one account go, unasked; `why` says why
MODIFY = 8  # OUCH: another side among sales, and less quantity, in the old place
SEND = 16  # number and send a message whose body is given: admin messages, j, echo
ADVANCE = 17  # a session's number moved without another row
RESET = 18  # a new epoch of the session
SESSION_EVENT = 19
GENESIS = 32
START = 33
STOP = 34
INSTRUMENT = 35
ACCOUNT = 36
SESSION = 37
SETTING = 38
TIME_STEP = 39  # the wall clock moved by more than a second against row time
ROLL = 40  # the rest of this segment stays empty
DAY = 41  # a trading day begins: Day orders of the one before expire, its ids are free again
OPERATOR = 42  # what an operator did (NAME, VALUE), who and why; the rows that do it follow
STREAM = 43  # what a stream of reports carries from this row on, and under which day's numbers
BUST = 48
CORRECT = 49
EXPIRE = 50  # orders whose time runs out at this row's expire
FIRST_OUTPUT = 64
REPORT = 64  # ExecutionReport(8) that changes or refuses an order
STATUS_REPORT = 65  # ExecutionReport(8), 150=I
CANCEL_REJECT = 66  # OrderCancelReject(9)
MASS_CANCEL_REPORT = 67  # OrderMassCancelReport(r)
SENT = 68  # the message of a SEND row (W_CAUSE)
REFUSED_DUPLICATE = 69  # ExecutionReport(8), 103=6: state words are those of the existing order
SYSTEM_EVENT = 70  # OUCH: an EVENT_DAY_ code; the first of each session's messages, and the last
TEXT = 127

# --- capacities that SETTING rows put in force -------------------------------------------------
LIMIT_ORDERS = 1
LIMIT_IDS = 2
LIMIT_LEVELS = 3
LIMIT_SESSIONS = 4
LIMIT_INSTRUMENTS = 5
LIMIT_ACCOUNTS = 6

# --- flags of input rows -----------------------------------------------------------------------
F_REFUSED = 1  # translation refused the command; `why` says why, an item TEXT names the field
F_POSS_RESEND = 2  # 97=Y came with it; on SEND: goes out with it
F_LONG_ID = 4  # the id is in item CL_ORD_ID
F_LONG_ORIG = 8  # the original id is in item ORIG_CL_ORD_ID
F_ORDER_ID = 16  # item ORDER_ID holds the OrderID(37) that the client named
F_FOR_SESSION = 32  # item FOR_SESSION names the session whose order is meant
F_SAME_DAY = 1  # DAY: the day goes on under a new id: nothing expires, no id is freed
F_NO_END = 1  # STREAM: the numbers before get no end, for some may be lost
F_BEGINS = 2  # STREAM: the first of its day, so numbers are from 1 behind it
F_OF_AGGRESSOR = 1  # BUST, CORRECT: the fill is the aggressor's, so it stands for the match
F_ASKED = 1  # RESET: their Logon asked for it
F_SHARES = 64  # quantity counts lots, price 10^-4; instrument, account, side are the order's

# --- flags of output rows ----------------------------------------------------------------------
F_AGGRESSOR = 1  # fill: removed liquidity; the match number is this row
F_PASSIVE = 2  # fill: added liquidity; the match number is the row before
F_ANSWER = 4  # 11 and 41 are those of the cause row; else 11 is that of the terms row, no 41
F_LAST = 8  # last of a mass status answer
F_CAUSE_TEXT = 16  # 58 is item TEXT of the cause row
F_OWN = 32  # STATUS_REPORT, F_ANSWER: asked with 37 alone or for all; reserved for the asker

# --- codes -------------------------------------------------------------------------------------
EVENT_LOGGED_ON = 1
EVENT_LOGGED_OUT = 2
EVENT_DISCONNECTED = 3
EVENT_ORDERS_CANCELLED = 4  # CANCEL_ALL rows were written since it was disconnected
EVENT_PROGRESS = 5  # only W_NEXT_OUT has moved
EVENT_DAY_BEGINS = 0x53
EVENT_DAY_ENDS = 0x45

STP_NONE = 0
STP_CANCEL_NEWEST = 1
STP_CANCEL_OLDEST = 2
STP_CANCEL_BOTH = 3
STP_DECREMENT = 4

INSTRUMENT_SHORT_MARKING = 1  # 54=5 and 6 accepted
INSTRUMENT_HALTED = 2
INSTRUMENT_OUTSIDE = 4  # routed to an outside venue, not to the book

SESSION_FIX = 1
SESSION_OUCH = 2
SESSION_MASS_CANCEL_OWN = 4  # mass cancel reaches this session's orders only
SESSION_GTC_RESTATE = 8

STREAM_NOTHING = 0  # it is no longer configured
STREAM_REPORTS = 1
STREAM_ACCOUNTS = 2  # the reports of named accounts
STREAM_TRADES = 3  # each match once

NO_REASON = 255

# --- items of TEXT rows ------------------------------------------------------------------------
TEXT_BYTES = 104  # a TEXT row carries so many bytes of items, in words 1 to 13
TEXT_START = 8  # and they begin at this byte of it
ITEM_HEAD = 4  # code u1 | zero u1 | length u2, then the content
ITEM_BYTES_MAX = 65535

ITEM_END = 0
ITEM_CL_ORD_ID = 1
ITEM_ORIG_CL_ORD_ID = 2
ITEM_ORDER_ID = 3  # eight bytes, little-endian
ITEM_CARRIED = 4  # raw fields "tag=value<SOH>" echoed on each report, ascending, groups whole
ITEM_TEXT = 5  # Text(58) of the answer
ITEM_BODY = 6  # raw body of a SEND row, in output order
ITEM_HEADER = 7  # raw header fields of a SEND row, ascending: routing turned round, 369
ITEM_TRANSACT = 8  # TransactTime(60) as sent, where it does not fit its word
ITEM_NAME = 9
ITEM_VALUE = 10
ITEM_FOR_SESSION = 11  # eight bytes, little-endian
ITEM_ECHO = 12  # raw fields of a refused command that have no word: echoed as they came
ITEM_KEPT = 13  # raw fields stored with the order that no report sends back
ITEM_WHO = 14
ITEM_WHY = 15


def declarations() -> str:
    """The text of rows.pxd: every constant above as an anonymous C enumeration."""
    names = [
        (name, value)
        for name, value in globals().items()
        if name.isupper() and isinstance(value, int)
    ]
    lines = ["# Made from rows.py by `python -m portcullis.journal.rows`; not edited by hand.", ""]
    lines.append("cdef enum:")
    lines.extend(f"    {name} = {value}" for name, value in names)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_suffix(".pxd").write_text(declarations())
