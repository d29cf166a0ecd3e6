"""Output rows to FIX: ExecutionReport(8), OrderCancelReject(9), OrderMassCancelReport(r), and the
messages that a session sent itself (SENT).

Owns the way from a row number to bytes. A report is written from rows alone: its own row, the row
whose terms are in force, the row that caused it; so a resend is the first sending over again, in
every byte but 9, 10, 43, 52 and 122. Fields go out as 8, 9, 35, the header ascending, the body
ascending with groups whole, 10. Carried fields are merged at their places; where the report has a
field of its own with the same tag, its own stands.

Must not know sockets, sequence numbers beyond those in the rows, or the book.
Spec: FIX 4.4 volumes 2 (resends) and 4; docs/rules-of-engagement.md, "Reports".
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
# ruff: noqa: F403, F405  (rows is a list of constants, by the hundred)
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy, memmove
    from cython.cimports.portcullis.dictionaries import fix_tags
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.gateway.catalog import (
        I_AVG_DECIMALS,
        I_PRICE_DECIMALS,
        I_QTY_DECIMALS,
        INSTRUMENT_WORDS,
        Catalog,
        NameTable,
    )
    from cython.cimports.portcullis.gateway.fix_door import FixDoor
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.dictionaries import fix_tags
    from portcullis.engine.why import *
    from portcullis.gateway.catalog import (
        I_AVG_DECIMALS,
        I_PRICE_DECIMALS,
        I_QTY_DECIMALS,
        INSTRUMENT_WORDS,
        Catalog,
        NameTable,
    )
    from portcullis.gateway.fix_door import FixDoor
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

from portcullis.engine.why import WHYS

CAPACITY = 1 << 20
ROWS = 4096

# Also in fix_reports.pxd.
if not cython.compiled:
    NO_TAG = 1 << 30
    DAY_NS = 86_400_000_000_000
    SECOND_NS = 1_000_000_000
    ID_MASK = 0x7FFFFFFF
    # What a message takes at most beside text rows: about fifty fields.
    MESSAGE_BYTES = 2048


# --- digits --------------------------------------------------------------------------------
# All write into `out` from `at` on and give the place behind; the caller has seen to the room.


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _put_tag(out: cython.p_uchar, at: cython.longlong, tag: cython.longlong) -> cython.longlong:
    """`tag=`; tags from 1 to 999. Compiled, a constant tag is a constant store."""
    if tag >= 100:
        out[at] = 48 + tag // 100
        out[at + 1] = 48 + tag // 10 % 10
        out[at + 2] = 48 + tag % 10
        out[at + 3] = 61
        return at + 4
    if tag >= 10:
        out[at] = 48 + tag // 10
        out[at + 1] = 48 + tag % 10
        out[at + 2] = 61
        return at + 3
    out[at] = 48 + tag
    out[at + 1] = 61
    return at + 2


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_digits(
    out: cython.p_uchar,
    at: cython.longlong,
    value: cython.longlong,
    point: cython.longlong,
) -> cython.longlong:
    """An integer, with a decimal point before its last `point` digits, and SOH."""
    rest: cython.ulonglong = value
    if value < 0:
        out[at] = 45
        at += 1
        rest = -value
    size: cython.longlong = 1
    bound: cython.ulonglong = 10
    while size < 19 and rest >= bound:
        bound *= 10
        size += 1
    if size <= point:
        size = point + 1
    end: cython.longlong = at + size
    if point > 0:
        end += 1
    place: cython.longlong = end
    while point > 0:
        place -= 1
        out[place] = 48 + rest % 10
        rest = rest // 10
        size -= 1
        point -= 1
        if point == 0:
            place -= 1
            out[place] = 46
    while size > 0:
        place -= 1
        out[place] = 48 + rest % 10
        rest = rest // 10
        size -= 1
    out[end] = 1
    return end + 1


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_decimal(
    out: cython.p_uchar,
    at: cython.longlong,
    value: cython.longlong,
    decimals: cython.longlong,
) -> cython.longlong:
    """A canonical decimal and SOH: no zeros at the end, no point without a fraction."""
    if value == 0:
        out[at] = 48
        out[at + 1] = 1
        return at + 2
    rest: cython.longlong = value
    while decimals > 0 and rest % 10 == 0:
        rest = rest // 10
        decimals -= 1
    return _put_digits(out, at, rest, decimals)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _put_padded(
    out: cython.p_uchar, at: cython.longlong, value: cython.longlong, size: cython.longlong
) -> cython.longlong:
    """So many digits, zeros in front."""
    place: cython.longlong = at + size
    rest: cython.ulonglong = value
    while place > at:
        place -= 1
        out[place] = 48 + rest % 10
        rest = rest // 10
    return at + size


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _copy(
    out: cython.p_uchar,
    at: cython.longlong,
    source: cython.p_uchar,
    start: cython.longlong,
    length: cython.longlong,
) -> cython.longlong:
    index: cython.longlong
    if cython.compiled:
        memcpy(out + at, source + start, length)
    else:
        for index in range(length):
            out[at + index] = source[start + index]
    return at + length


@cython.final
@cython.cclass
class FixReports:
    """Encodes output rows of `table` into one buffer, for one session at a time.

    Fill `rows` with the numbers of a session's rows, ascending; `encode` or `resend` them; `take`
    the bytes. row_capacity: how many `rows` holds. byte_capacity: of the buffer at first; it grows
    where one message needs more.
    """

    def __init__(
        self,
        table: RowTable,
        catalog: Catalog,
        *,
        row_capacity: int = ROWS,
        byte_capacity: int = CAPACITY,
    ) -> None:
        self._table = table
        self._words = table.words
        self._catalog = catalog
        self.rows = memoryview(array("q", bytes(8 * row_capacity)))
        self.size = 0
        self.next_seq = 0
        self._buffer = memoryview(bytearray(1))
        self._carried_tag = NO_TAG
        self._day = -1
        self._date_octets = memoryview(bytearray(16))
        texts = b""
        starts = [0] * 257
        for why in range(256):
            starts[why] = len(texts)
            texts += WHYS[why].text.encode() if why in WHYS else b""
        starts[256] = len(texts)
        self._text_octets = memoryview(bytearray(texts + b"\0"))
        self._text_start = memoryview(array("q", starts))
        if cython.compiled:
            self._source = cython.address(table.octets[0])
            self._date = cython.address(self._date_octets[0])
            self._text = cython.address(self._text_octets[0])
        else:
            self._source = table.octets
            self._date = self._date_octets
            self._text = self._text_octets
        self._hold(byte_capacity)

    def _hold(self, capacity: int) -> None:
        """Provide the buffer, with what was written so far, and the one for carried fields."""
        out = bytearray(capacity)
        if self.size:
            out[: self.size] = bytes(self._buffer[: self.size])
        self._buffer = memoryview(out)
        self._carried_buffer = memoryview(bytearray(ITEM_BYTES_MAX + 1))
        if cython.compiled:
            self._out = cython.address(self._buffer[0])
            self._carried = cython.address(self._carried_buffer[0])
        else:
            self._out = self._buffer
            self._carried = self._carried_buffer
        self._capacity = capacity

    def take(self) -> bytes:
        """The bytes encoded since the last call, as an object of their own."""
        taken = bytes(self._buffer[: self.size])
        self.size = 0
        return taken

    def encode(self, door: FixDoor, first: int, count: int, byte_budget: int) -> int:
        """Encode rows[first : first + count] as first sendings; give the next position.

        Stops when the call has brought `byte_budget` bytes or more; at least one message is
        written, so a cursor always moves.
        """
        index: cython.longlong
        begin: cython.longlong = first
        end: cython.longlong = begin + count
        stop: cython.longlong = self.size + byte_budget
        at: cython.longlong
        for index in range(begin, end):
            if self.size >= stop and index > begin:
                return index
            at = self._find(self.rows[index])
            self._put_message(door, at, self._words[at + W_OUT_SEQ], self._words[at + W_TIME], 0)
        return end

    def resend(
        self, door: FixDoor, first: int, count: int, next_seq: int, now_ns: int, byte_budget: int
    ) -> int:
        """Encode rows[first : first + count] to answer a ResendRequest; give the next position.

        next_seq: the number to be filled next. Application messages go out with 43=Y, 52=now and
        122=row time; what is missing between their numbers, admin messages and holes alike, as
        one SequenceReset-GapFill. `next_seq` then says what comes next; `fill` ends a range whose
        last numbers have no rows.
        """
        index: cython.longlong
        begin: cython.longlong = first
        end: cython.longlong = begin + count
        stop: cython.longlong = self.size + byte_budget
        expected: cython.longlong = next_seq
        reached: cython.longlong = expected
        now: cython.longlong = now_ns
        filled_ns: cython.longlong = now
        seq: cython.longlong
        at: cython.longlong
        index = begin
        while index < end and (self.size < stop or index == begin):
            at = self._find(self.rows[index])
            seq = self._words[at + W_OUT_SEQ]
            if self._is_admin(at):
                if reached == expected:
                    filled_ns = self._words[at + W_TIME]
                reached = seq + 1
            else:
                if seq > expected:
                    self._put_gap_fill(door, expected, seq, now, filled_ns)
                self._put_message(door, at, seq, self._words[at + W_TIME], now)
                expected = seq + 1
                reached = expected
                filled_ns = now
            index += 1
        if reached > expected:
            self.fill(door, expected, reached, now, filled_ns)
        self.next_seq = reached
        return index

    def fill(
        self, door: FixDoor, next_seq: int, new_seq: int, now_ns: int, sent_ns: int = 0
    ) -> None:
        """Encode one SequenceReset-GapFill: numbers from next_seq up to before new_seq are void.

        sent_ns is 122, when the first of them was sent; 0: now.
        """
        if self.size + MESSAGE_BYTES > self._capacity:
            self._hold(2 * self._capacity)
        self._put_gap_fill(door, next_seq, new_seq, now_ns, sent_ns or now_ns)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def _find(self, row: cython.longlong) -> cython.longlong:
        """Word offset of a row, with room for its message in the buffer: text rows counted.

        IndexError names a row that is not there.
        """
        if not self._table.has_row(row):
            raise IndexError(f"row {row} is not in the table")
        at: cython.longlong = self._table.at(row)
        needed: cython.longlong = self.size + 2 * MESSAGE_BYTES + self._text_bytes(at)
        content: cython.longlong = self._content(at)
        if content != at:
            needed += self._text_bytes(content)
        if needed > self._capacity:
            self._hold(2 * needed)
        return at

    # --- rows ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _text_bytes(self, at: cython.longlong) -> cython.longlong:
        """Bytes of text that the rows behind an output row hold; the cause's count twice."""
        return TEXT_BYTES * (
            2 * self._text_rows(self._words[at + W_CAUSE])
            + self._text_rows(self._words[at + W_TERMS_ROW])
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _text_rows(self, row: cython.longlong) -> cython.longlong:
        if not self._table.has_row(row):
            return 0
        return (self._words[self._table.at(row)] >> 16) & 0xFFFF

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _content(self, at: cython.longlong) -> cython.longlong:
        """Where the row stands whose content a message has: a SENT row may repeat another."""
        if self._words[at] & 0xFF == SENT:
            cause: cython.longlong = self._words[at + W_CAUSE]
            if self._table.has_row(cause):
                again: cython.longlong = self._words[self._table.at(cause) + W_REISSUE]
                if again != 0 and self._table.has_row(again):
                    return self._table.at(again)
        return at

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _is_admin(self, at: cython.longlong) -> cython.bint:
        """Whether the row's message is not sent again: 0 to 5 and A."""
        at = self._content(at)
        if self._words[at] & 0xFF != SENT:
            return False
        cause: cython.longlong = self._words[at + W_CAUSE]
        if not self._table.has_row(cause):
            return True
        msg_type: cython.longlong = self._words[self._table.at(cause) + W_MSG_TYPE]
        return 0x30 <= msg_type <= 0x35 or msg_type == 0x41

    # --- frame ---------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _open(self, door: FixDoor) -> cython.longlong:
        """Write 8 and leave room for a BodyLength of three digits; the body begins behind."""
        at: cython.longlong = _copy(self._out, self.size, door.octets, 0, door.head_size)
        self._out[at + 3] = 1
        return at + 4

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_comp_ids(
        self,
        door: FixDoor,
        at: cython.longlong,
        seq: cython.longlong,
        time_ns: cython.longlong,
        poss_dup: cython.bint,
    ) -> cython.longlong:
        """34, 43, 49, 52 and 56, which stand in every header."""
        at = _put_tag(self._out, at, fix_tags.MSG_SEQ_NUM)
        at = _put_digits(self._out, at, seq, 0)
        if poss_dup:
            at = _put_tag(self._out, at, fix_tags.POSS_DUP_FLAG)
            self._out[at] = 89
            self._out[at + 1] = 1
            at += 2
        at = _copy(self._out, at, door.octets, door.head_size, door.sender_size)
        at = self._flush(at, fix_tags.SENDING_TIME)
        at = _put_tag(self._out, at, fix_tags.SENDING_TIME)
        at = self._put_timestamp(at, time_ns, door.timestamp_digits)
        return _copy(
            self._out, at, door.octets, door.head_size + door.sender_size, door.target_size
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _close(self, door: FixDoor, at: cython.longlong) -> cython.void:
        """Fill in BodyLength(9), append CheckSum(10)."""
        length_at: cython.longlong = self.size + door.head_size
        start: cython.longlong = length_at + 4
        length: cython.longlong = at - start
        digits: cython.longlong = 3
        bound: cython.longlong
        index: cython.longlong
        if length < 100:
            digits = 2
        elif length > 999:
            digits = 4
            bound = 10000
            while length >= bound:
                bound *= 10
                digits += 1
        if digits != 3:
            if cython.compiled:
                memmove(self._out + start + digits - 3, self._out + start, length)
            else:
                moved = bytes(self._out[start:at])
                for index in range(length):
                    self._out[start + digits - 3 + index] = moved[index]
            at += digits - 3
        _put_padded(self._out, length_at, length, digits)
        self._out[length_at + digits] = 1
        total: cython.uint = 0
        for index in range(self.size, at):
            total += self._out[index]
        self._out[at] = 49
        self._out[at + 1] = 48
        self._out[at + 2] = 61
        _put_padded(self._out, at + 3, total & 0xFF, 3)
        self._out[at + 6] = 1
        self.size = at + 7

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_gap_fill(
        self,
        door: FixDoor,
        seq: cython.longlong,
        new_seq: cython.longlong,
        now_ns: cython.longlong,
        sent_ns: cython.longlong,
    ) -> cython.void:
        """SequenceReset(4) with 123=Y under the first of the numbers that it voids."""
        at: cython.longlong = self._open(door)
        at = _put_tag(self._out, at, fix_tags.MSG_TYPE)
        at = self._put_char(at, 0x34)
        at = self._put_comp_ids(door, at, seq, now_ns, True)
        at = _put_tag(self._out, at, fix_tags.ORIG_SENDING_TIME)
        at = self._put_timestamp(at, sent_ns, door.timestamp_digits)
        at = _put_tag(self._out, at, fix_tags.NEW_SEQ_NO)
        at = _put_digits(self._out, at, new_seq, 0)
        at = _put_tag(self._out, at, fix_tags.GAP_FILL_FLAG)
        self._close(door, self._put_char(at, 0x59))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_message(
        self,
        door: FixDoor,
        at_row: cython.longlong,
        seq: cython.longlong,
        time_ns: cython.longlong,
        now_ns: cython.longlong,
    ) -> cython.void:
        """One message; now_ns: it is sent again now, 0: for the first time. No allocation."""
        content: cython.longlong = self._content(at_row)
        kind: cython.longlong = self._words[content] & 0xFF
        cause: cython.longlong = self._table.at(self._words[content + W_CAUSE])
        poss_resend: cython.bint = content != at_row
        at: cython.longlong = self._open(door)
        at = _put_tag(self._out, at, fix_tags.MSG_TYPE)
        if kind == SENT:
            at = self._put_msg_type(at, self._words[cause + W_MSG_TYPE])
            poss_resend = poss_resend or (self._words[cause] >> 8) & F_POSS_RESEND != 0
            self._load(self._words[content + W_CAUSE], ITEM_HEADER)
        elif kind == CANCEL_REJECT:
            at = self._put_char(at, 0x39)
        elif kind == MASS_CANCEL_REPORT:
            at = self._put_char(at, 0x72)
        else:
            at = self._put_char(at, 0x38)
        at = self._put_comp_ids(door, at, seq, now_ns if now_ns else time_ns, now_ns != 0)
        if poss_resend:
            at = self._flush(at, fix_tags.POSS_RESEND)
            at = _put_tag(self._out, at, fix_tags.POSS_RESEND)
            at = self._put_char(at, 0x59)
        if now_ns:
            at = self._flush(at, fix_tags.ORIG_SENDING_TIME)
            at = _put_tag(self._out, at, fix_tags.ORIG_SENDING_TIME)
            at = self._put_timestamp(at, time_ns, door.timestamp_digits)
        if kind == SENT:
            at = self._flush(at, NO_TAG)
            at = self._put_item(at, self._words[content + W_CAUSE], ITEM_BODY)
        elif kind == CANCEL_REJECT:
            at = self._put_cancel_reject(at, content, cause)
        elif kind == MASS_CANCEL_REPORT:
            at = self._put_mass_cancel_report(at, content, cause)
        else:
            at = self._put_report(at, content, cause)
        self._close(door, at)

    # --- reports ---------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_report(
        self, at: cython.longlong, row: cython.longlong, cause: cython.longlong
    ) -> cython.longlong:
        """The body of an ExecutionReport(8): REPORT, STATUS_REPORT and REFUSED_DUPLICATE rows."""
        out: cython.p_uchar = self._out
        kind: cython.longlong = self._words[row] & 0xFF
        flags: cython.longlong = (self._words[row] >> 8) & 0xFF
        state: cython.longlong = self._words[row + W_STATE]
        exec_type: cython.longlong = state & 0xFF
        reason: cython.longlong = (state >> 16) & 0xFF
        own_row: cython.longlong = self._table.origin_row + row // ROW_WORDS
        cause_kind: cython.longlong = self._words[cause] & 0xFF
        terms_row: cython.longlong = self._words[row + W_TERMS_ROW]
        # What refuses a command, or knows no order, says the terms that were asked for.
        if kind == REFUSED_DUPLICATE or (terms_row == 0 and cause_kind <= STATUS):
            terms_row = self._words[row + W_CAUSE]
        echo: cython.bint = (
            kind != STATUS_REPORT
            and cause_kind == NEW_ORDER
            and (self._words[cause] >> 8) & F_REFUSED != 0
        )
        terms: cython.longlong = cause
        if terms_row != 0:
            terms = self._table.at(terms_row)
            self._load(terms_row, ITEM_ECHO if echo else ITEM_CARRIED)
        instrument: cython.longlong = self._words[terms + W_REF] & ID_MASK
        scale: cython.longlong = instrument * INSTRUMENT_WORDS
        packed: cython.longlong = self._words[terms + W_TERMS]
        fill: cython.bint = exec_type == 0x46 or exec_type == 0x47
        own_terms: cython.bint = terms_row != 0 and not echo
        price_decimals: cython.longlong = self._catalog.instruments[scale + I_PRICE_DECIMALS]
        qty_decimals: cython.longlong = self._catalog.instruments[scale + I_QTY_DECIMALS]
        qty: cython.longlong

        if own_terms:
            at = self._put_account(at, row, terms)
        at = self._tag(at, fix_tags.AVG_PX)
        at = _put_decimal(
            out,
            at,
            self._words[row + W_AVG_PX],
            self._catalog.instruments[scale + I_AVG_DECIMALS],
        )
        if flags & F_ANSWER and cause_kind <= STATUS:
            at = self._put_id(at, cause, self._words[row + W_CAUSE], fix_tags.CL_ORD_ID)
        elif terms_row != 0:
            at = self._put_id(at, terms, terms_row, fix_tags.CL_ORD_ID)
        at = self._tag(at, fix_tags.CUM_QTY)
        at = _put_decimal(out, at, self._words[row + W_CUM_QTY], qty_decimals)
        at = self._tag(at, fix_tags.EXEC_ID)
        at = _put_digits(out, at, own_row, 0)
        if cause_kind == BUST or cause_kind == CORRECT:
            at = self._tag(at, fix_tags.EXEC_REF_ID)
            at = _put_digits(out, at, self._words[cause + W_FILL_ROW], 0)
        if own_terms and (packed >> 24) & 0xFF:
            at = self._tag(at, fix_tags.HANDL_INST)
            at = self._put_char(at, (packed >> 24) & 0xFF)
        if fill:
            at = self._tag(at, fix_tags.LAST_PX)
            at = _put_decimal(out, at, self._words[row + W_LAST_PX], price_decimals)
            at = self._tag(at, fix_tags.LAST_QTY)
            at = _put_decimal(out, at, self._words[row + W_LAST_QTY], qty_decimals)
        at = self._put_order_id(at, row)
        if own_terms:
            qty = self._words[row + W_ORDER_QTY]
            if qty == 0 or kind == REFUSED_DUPLICATE:
                qty = self._words[terms + W_QTY]
            if qty != 0:
                at = self._tag(at, fix_tags.ORDER_QTY)
                at = _put_decimal(out, at, qty, qty_decimals)
        at = self._tag(at, fix_tags.ORD_STATUS)
        at = self._put_char(at, (state >> 8) & 0xFF)
        if own_terms and (packed >> 8) & 0xFF:
            at = self._tag(at, fix_tags.ORD_TYPE)
            at = self._put_char(at, (packed >> 8) & 0xFF)
        if flags & F_ANSWER and (cause_kind == CANCEL or cause_kind == REPLACE):
            at = self._put_id(at, cause, self._words[row + W_CAUSE], fix_tags.ORIG_CL_ORD_ID)
        if own_terms and (packed >> 8) & 0xFF == 0x32:
            at = self._tag(at, fix_tags.PRICE)
            at = _put_decimal(out, at, self._words[terms + W_PRICE], price_decimals)
        if not echo:
            at = self._put_side_and_symbol(at, terms_row, packed & 0xFF, instrument)
        at = self._put_text(at, row)
        if own_terms:
            if (packed >> 16) & 0xFF:
                at = self._tag(at, fix_tags.TIME_IN_FORCE)
                at = self._put_char(at, (packed >> 16) & 0xFF)
            at = self._put_transact_time(at, terms, terms_row)
        if reason != NO_REASON and (exec_type == 0x38 or exec_type == 0x49):
            at = self._tag(at, fix_tags.ORD_REJ_REASON)
            at = _put_digits(out, at, reason, 0)
        at = self._tag(at, fix_tags.EXEC_TYPE)
        at = self._put_char(at, exec_type)
        at = self._tag(at, fix_tags.LEAVES_QTY)
        at = _put_decimal(out, at, self._words[row + W_LEAVES_QTY], qty_decimals)
        if reason != NO_REASON and (exec_type == 0x34 or exec_type == 0x44):
            at = self._tag(at, fix_tags.EXEC_RESTATEMENT_REASON)
            at = _put_digits(out, at, reason, 0)
        if flags & (F_AGGRESSOR | F_PASSIVE):
            at = self._tag(at, fix_tags.SECONDARY_EXEC_ID)
            at = _put_digits(out, at, own_row - (1 if flags & F_PASSIVE else 0), 0)
        if cause_kind == MASS_STATUS:
            at = self._put_id(at, cause, self._words[row + W_CAUSE], fix_tags.MASS_STATUS_REQ_ID)
        elif cause_kind == STATUS and terms != cause:
            # OrdStatusReqID(790), all that a status request carries.
            at = self._flush(at, fix_tags.ORD_STATUS_REQ_ID)
            at = self._put_item(at, self._words[row + W_CAUSE], ITEM_CARRIED)
        if flags & (F_AGGRESSOR | F_PASSIVE):
            at = self._tag(at, fix_tags.LAST_LIQUIDITY_IND)
            at = self._put_char(at, 0x31 if flags & F_PASSIVE else 0x32)
        if cause_kind == MASS_STATUS:
            at = self._tag(at, fix_tags.TOT_NUM_REPORTS)
            at = _put_digits(out, at, self._words[row + W_LAST_PX], 0)
            at = self._tag(at, fix_tags.LAST_RPT_REQUESTED)
            at = self._put_char(at, 0x59 if flags & F_LAST else 0x4E)
        return self._flush(at, NO_TAG)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_cancel_reject(
        self, at: cython.longlong, row: cython.longlong, cause: cython.longlong
    ) -> cython.longlong:
        """The body of an OrderCancelReject(9)."""
        state: cython.longlong = self._words[row + W_STATE]
        terms_row: cython.longlong = self._words[row + W_TERMS_ROW]
        if terms_row != 0:
            at = self._put_account(at, row, self._table.at(terms_row))
        at = self._put_id(at, cause, self._words[row + W_CAUSE], fix_tags.CL_ORD_ID)
        at = self._put_order_id(at, row)
        at = self._tag(at, fix_tags.ORD_STATUS)
        at = self._put_char(at, (state >> 8) & 0xFF)
        at = self._put_id(at, cause, self._words[row + W_CAUSE], fix_tags.ORIG_CL_ORD_ID)
        at = self._put_text(at, row)
        if (state >> 16) & 0xFF != NO_REASON:
            at = self._tag(at, fix_tags.CXL_REJ_REASON)
            at = _put_digits(self._out, at, (state >> 16) & 0xFF, 0)
        at = self._tag(at, fix_tags.CXL_REJ_RESPONSE_TO)
        return self._put_char(at, 0x31 if self._words[cause] & 0xFF == CANCEL else 0x32)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_mass_cancel_report(
        self, at: cython.longlong, row: cython.longlong, cause: cython.longlong
    ) -> cython.longlong:
        """The body of an OrderMassCancelReport(r)."""
        state: cython.longlong = self._words[row + W_STATE]
        scope: cython.longlong = self._words[cause + W_SCOPE]
        instrument: cython.longlong = self._words[cause + W_REF] & ID_MASK
        refused: cython.bint = (state >> 24) & 0xFF != WHY_NONE
        at = self._put_id(at, cause, self._words[row + W_CAUSE], fix_tags.CL_ORD_ID)
        # The number of the request's row: what a mass cancel is known by.
        at = self._tag(at, fix_tags.ORDER_ID)
        at = _put_digits(self._out, at, self._words[row + W_CAUSE], 0)
        if (scope >> 8) & 0xFF:
            at = self._tag(at, fix_tags.SIDE)
            at = self._put_char(at, (scope >> 8) & 0xFF)
        if instrument:
            at = self._put_name(at, fix_tags.SYMBOL, self._catalog.symbols, instrument)
        at = self._put_text(at, row)
        at = self._tag(at, fix_tags.MASS_CANCEL_REQUEST_TYPE)
        at = self._put_char(at, scope & 0xFF)
        at = self._tag(at, fix_tags.MASS_CANCEL_RESPONSE)
        at = self._put_char(at, 0x30 if refused else scope & 0xFF)
        at = self._tag(
            at, fix_tags.MASS_CANCEL_REJECT_REASON if refused else fix_tags.TOTAL_AFFECTED_ORDERS
        )
        return _put_digits(
            self._out, at, (state >> 16) & 0xFF if refused else self._words[row + W_LAST_PX], 0
        )

    # --- fields ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _tag(self, at: cython.longlong, tag: cython.longlong) -> cython.longlong:
        """Begin a field of the report's own, behind the carried ones before it."""
        if self._carried_tag <= tag:
            at = self._flush(at, tag)
        return _put_tag(self._out, at, tag)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_char(self, at: cython.longlong, code: cython.longlong) -> cython.longlong:
        self._out[at] = code
        self._out[at + 1] = 1
        return at + 2

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_msg_type(self, at: cython.longlong, packed: cython.longlong) -> cython.longlong:
        while packed:
            self._out[at] = packed & 0xFF
            packed >>= 8
            at += 1
        self._out[at] = 1
        return at + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_order_id(self, at: cython.longlong, row: cython.longlong) -> cython.longlong:
        """OrderID(37): the row that brought the order; NONE where there is no order."""
        at = self._tag(at, fix_tags.ORDER_ID)
        if self._words[row + W_ORDER] != 0:
            return _put_digits(self._out, at, self._words[row + W_ORDER], 0)
        self._out[at] = 78
        self._out[at + 1] = 79
        self._out[at + 2] = 78
        self._out[at + 3] = 69
        self._out[at + 4] = 1
        return at + 5

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_name(
        self, at: cython.longlong, tag: cython.longlong, names: NameTable, number: cython.longlong
    ) -> cython.longlong:
        """A field whose value is a name of the catalogue; nothing where it has none."""
        if number <= 0 or number >= names.count:
            return at
        start: cython.longlong = names.start[number]
        at = self._tag(at, tag)
        at = _copy(
            self._out,
            at,
            names.octets,
            start,
            names.start[number + 1] - start,
        )
        self._out[at] = 1
        return at + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_account(
        self, at: cython.longlong, row: cython.longlong, terms: cython.longlong
    ) -> cython.longlong:
        """Account(1): that of the terms, or where a replacement named none, the order's."""
        account: cython.longlong = self._words[terms + W_REF] >> 32
        if account == 0 and self._table.has_row(self._words[row + W_ORDER]):
            account = self._words[self._table.at(self._words[row + W_ORDER]) + W_REF] >> 32
        return self._put_name(at, fix_tags.ACCOUNT, self._catalog.accounts, account)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_side_and_symbol(
        self,
        at: cython.longlong,
        terms_row: cython.longlong,
        side: cython.longlong,
        instrument: cython.longlong,
    ) -> cython.longlong:
        """54 and 55; 7 (undisclosed) and [N/A] in the answer that no order matches."""
        if side == 0 or terms_row == 0:
            side = 0x37
        at = self._tag(at, fix_tags.SIDE)
        at = self._put_char(at, side)
        if terms_row != 0:
            return self._put_name(at, fix_tags.SYMBOL, self._catalog.symbols, instrument)
        at = self._tag(at, fix_tags.SYMBOL)
        self._out[at] = 91
        self._out[at + 1] = 78
        self._out[at + 2] = 47
        self._out[at + 3] = 65
        self._out[at + 4] = 93
        self._out[at + 5] = 1
        return at + 6

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_id(
        self,
        at: cython.longlong,
        offset: cython.longlong,
        row: cython.longlong,
        tag: cython.longlong,
    ) -> cython.longlong:
        """An id of a command row as field `tag`: its original id where that is 41."""
        orig: cython.bint = tag == fix_tags.ORIG_CL_ORD_ID
        length: cython.longlong = (self._words[offset + W_TERMS] >> (40 if orig else 32)) & 0xFF
        if length == 0:
            return at
        at = self._tag(at, tag)
        if length > 24:
            at = self._put_item(at, row, ITEM_ORIG_CL_ORD_ID if orig else ITEM_CL_ORD_ID)
        else:
            at = _copy(
                self._out, at, self._source, (offset + (W_ORIG if orig else W_ID)) * 8, length
            )
        self._out[at] = 1
        return at + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_text(self, at: cython.longlong, row: cython.longlong) -> cython.longlong:
        """Text(58) of ours: the cause's own, else that of the why; none leaves a carried one."""
        why: cython.longlong = (self._words[row + W_STATE] >> 24) & 0xFF
        found: cython.longlong = -1
        if (self._words[row] >> 8) & F_CAUSE_TEXT:
            found = self._table.text_find(self._words[row + W_CAUSE], ITEM_TEXT)
        if found >= 0:
            at = self._tag(at, fix_tags.TEXT)
            at = self._put_item(at, self._words[row + W_CAUSE], ITEM_TEXT)
        elif self._text_start[why + 1] > self._text_start[why]:
            at = self._tag(at, fix_tags.TEXT)
            at = _copy(
                self._out,
                at,
                self._text,
                self._text_start[why],
                self._text_start[why + 1] - self._text_start[why],
            )
        else:
            return at
        self._out[at] = 1
        return at + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_transact_time(
        self, at: cython.longlong, terms: cython.longlong, terms_row: cython.longlong
    ) -> cython.longlong:
        """TransactTime(60) as the client sent it."""
        digits: cython.longlong = (self._words[terms + W_TERMS] >> 48) & 0xFF
        if digits <= 9:
            at = self._tag(at, fix_tags.TRANSACT_TIME)
            return self._put_timestamp(at, self._words[terms + W_TRANSACT], digits)
        if self._table.text_find(terms_row, ITEM_TRANSACT) < 0:
            return at
        at = self._tag(at, fix_tags.TRANSACT_TIME)
        at = self._put_item(at, terms_row, ITEM_TRANSACT)
        self._out[at] = 1
        return at + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_timestamp(
        self, at: cython.longlong, time_ns: cython.longlong, digits: cython.longlong
    ) -> cython.longlong:
        """YYYYMMDD-HH:MM:SS, so many digits of fraction, SOH; a date is worked out once."""
        day: cython.longlong = time_ns // DAY_NS
        rest: cython.longlong = time_ns - day * DAY_NS
        index: cython.longlong
        if day != self._day:
            self._write_date(day)
        for index in range(9):
            self._out[at + index] = self._date[index]
        second: cython.longlong = rest // SECOND_NS
        rest -= second * SECOND_NS
        _put_padded(self._out, at + 9, second // 3600, 2)
        self._out[at + 11] = 58
        _put_padded(self._out, at + 12, second // 60 % 60, 2)
        self._out[at + 14] = 58
        _put_padded(self._out, at + 15, second % 60, 2)
        at += 17
        if digits > 0:
            self._out[at] = 46
            for _index in range(digits, 9):
                rest = rest // 10
            at = _put_padded(self._out, at + 1, rest, digits)
        self._out[at] = 1
        return at + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _write_date(self, day: cython.longlong) -> cython.void:
        """YYYYMMDD- of a day since 1970, by the proleptic Gregorian calendar."""
        # Years from March: leap days come last. 719468 days from 0000-03-01 to 1970-01-01.
        shifted: cython.longlong = day + 719468
        era: cython.longlong = shifted // 146097
        of_era: cython.longlong = shifted - era * 146097
        year: cython.longlong = (
            of_era - of_era // 1460 + of_era // 36524 - of_era // 146096
        ) // 365
        of_year: cython.longlong = of_era - (365 * year + year // 4 - year // 100)
        month: cython.longlong = (5 * of_year + 2) // 153
        of_month: cython.longlong = of_year - (153 * month + 2) // 5 + 1
        month = month + 3 if month < 10 else month - 9
        year += era * 400 + (1 if month <= 2 else 0)
        _put_padded(self._date, 0, year, 4)
        _put_padded(self._date, 4, month, 2)
        _put_padded(self._date, 6, of_month, 2)
        self._date[8] = 45
        self._day = day

    # --- raw fields ----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _put_item(
        self, at: cython.longlong, row: cython.longlong, code: cython.longlong
    ) -> cython.longlong:
        """An item's bytes as they are; the caller has made room for all text of the row."""
        found: cython.longlong = self._table.text_find(row, code)
        if found < 0:
            return at
        self._table.text_copy(row, found >> 16, self._buffer, at, found & 0xFFFF)
        return at + (found & 0xFFFF)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _load(self, row: cython.longlong, code: cython.longlong) -> cython.void:
        """Take an item of raw fields to be merged by `_flush`."""
        found: cython.longlong = self._table.text_find(row, code)
        self._carried_at = 0
        self._carried_end = 0
        self._carried_tag = NO_TAG
        if found >= 0:
            self._carried_end = found & 0xFFFF
            self._table.text_copy(row, found >> 16, self._carried_buffer, 0, self._carried_end)
            self._read_carried_tag()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _read_carried_tag(self) -> cython.void:
        """Tag of the next raw field; members of the party group keep the group's own."""
        before: cython.longlong = self._carried_tag
        tag: cython.longlong = 0
        place: cython.longlong = self._carried_at
        if place >= self._carried_end:
            self._carried_tag = NO_TAG
            return
        while place < self._carried_end and self._carried[place] != 61:
            tag = tag * 10 + self._carried[place] - 48
            place += 1
        if before == fix_tags.NO_PARTY_IDS and (
            tag == fix_tags.PARTY_ID
            or tag == fix_tags.PARTY_ID_SOURCE
            or tag == fix_tags.PARTY_ROLE
            or tag == fix_tags.NO_PARTY_SUB_IDS
            or tag == fix_tags.PARTY_SUB_ID
            or tag == fix_tags.PARTY_SUB_ID_TYPE
        ):
            tag = before
        self._carried_tag = tag

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _flush(self, at: cython.longlong, tag: cython.longlong) -> cython.longlong:
        """Write the raw fields that stand before `tag`; drop one of that tag: ours stands."""
        end: cython.longlong
        while self._carried_tag <= tag and self._carried_tag != NO_TAG:
            end = self._carried_at
            while end < self._carried_end and self._carried[end] != 1:
                end += 1
            end = min(end + 1, self._carried_end)
            if self._carried_tag < tag:
                at = _copy(self._out, at, self._carried, self._carried_at, end - self._carried_at)
            self._carried_at = end
            self._read_carried_tag()
        return at


def is_compiled() -> bool:
    """Whether this module runs as C."""
    return bool(cython.compiled)
