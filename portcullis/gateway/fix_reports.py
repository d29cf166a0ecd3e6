"""Output rows to FIX: ExecutionReport(8), OrderCancelReject(9), OrderMassCancelReport(r), and the
messages that a session sent itself (SENT).

Owns the way from a row number to a message, header and order of sending; bodies of reports are
`report_bodies`'. A message is written from rows alone, so a resend is the first sending over
again, in every byte but 9, 10, 43, 52 and 122, and 369 where it was agreed on, which says how far
we are now. The header goes out as 8, 9, 35, then ascending.

Must not know sockets, sequence numbers beyond those in the rows, or the book.
Spec: FIX 4.4 volume 2 (resends); docs/rules-of-engagement.md, "Reports".
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy
    from cython.cimports.portcullis.codecs.fix.texts import *
    from cython.cimports.portcullis.codecs.fix.writer import FixWriter
    from cython.cimports.portcullis.dictionaries import fix_tags
    from cython.cimports.portcullis.gateway.carried_fields import CarriedFields
    from cython.cimports.portcullis.gateway.catalog import Catalog
    from cython.cimports.portcullis.gateway.fix_door import FixDoor
    from cython.cimports.portcullis.gateway.report_bodies import ReportBodies
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.fix.texts import *
    from portcullis.codecs.fix.writer import FixWriter
    from portcullis.dictionaries import fix_tags
    from portcullis.gateway.carried_fields import CarriedFields
    from portcullis.gateway.catalog import Catalog
    from portcullis.gateway.fix_door import FixDoor
    from portcullis.gateway.report_bodies import ReportBodies
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

CAPACITY = 1 << 20
ROWS = 4096

# Also in fix_reports.pxd.
if not cython.compiled:
    # What a message takes at most beside text rows: about fifty fields.
    MESSAGE_BYTES = 4096
    # 49, 52 and 56; a session's CompIDs have 255 bytes at most.
    TAIL_BYTES = 640


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class FixReports:
    """Encodes output rows of `table` into one buffer, for one session at a time.

    Fill `rows` with the numbers of a session's rows, ascending; `encode` or `resend` them; `take`
    the bytes. row_capacity: how many `rows` holds. byte_capacity: of the buffer at first; it grows
    where one message needs more. No bounds checks: `_find` looks at each number that comes from
    outside, and rows name only rows before them.
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
        self._writer = FixWriter(byte_capacity)
        self._carried = CarriedFields(table)
        self._bodies = ReportBodies(table, catalog, self._carried)
        self.rows = memoryview(array("q", bytes(8 * row_capacity)))
        self.next_seq = 0
        self._tail_octets = memoryview(bytearray(TAIL_BYTES))
        if cython.compiled:
            self._tail = cython.address(self._tail_octets[0])
        else:
            self._tail = self._tail_octets
        self._begin_string = b""
        self._tail_time_ns = -1
        self._tail_size = 0

    @cython.ccall
    def take(self) -> bytes:
        """The bytes encoded since the last call, as an object of their own."""
        return self._writer.take()

    def _serve(self, door: FixDoor) -> None:
        """Set what is constant in the messages of one session."""
        if door.begin_string != self._begin_string:
            self._begin_string = door.begin_string
            self._writer.set_begin_string(door.begin_string)
        self._tail_time_ns = -1

    @cython.ccall
    @cython.exceptval(-1)
    def encode(
        self,
        door: FixDoor,
        first: cython.longlong,
        count: cython.longlong,
        byte_budget: cython.longlong,
    ) -> cython.longlong:
        """Encode rows[first : first + count] as first sendings; give the next position.

        Stops when the call has brought `byte_budget` bytes or more; at least one message is
        written, so a cursor always moves.
        """
        index: cython.longlong
        end: cython.longlong = first + count
        stop: cython.longlong = self._writer.length + byte_budget
        at: cython.longlong
        self._check_rows(first, end)
        self._serve(door)
        for index in range(first, end):
            if self._writer.length >= stop and index > first:
                return index
            at = self._find(self.rows[index])
            self._put_message(
                self._writer, door, at, self._words[at + W_OUT_SEQ], self._words[at + W_TIME], 0
            )
        return end

    def resend(
        self,
        door: FixDoor,
        first: int,
        count: int,
        next_seq: int,
        now_ns: int,
        byte_budget: int,
        goes_on: bool = False,
    ) -> int:
        """Encode rows[first : first + count] to answer a ResendRequest; give the next position.

        next_seq: the number to be filled next. Application messages go out with 43=Y, 52=now and
        122=row time; what is missing between their numbers, admin messages and holes alike, as
        one SequenceReset-GapFill. `next_seq` then says what comes next; `fill` ends a range whose
        last numbers have no rows. goes_on: session messages at the end are left to the next call,
        which may fill them together with those behind them.
        """
        index: cython.longlong
        begin: cython.longlong = first
        end: cython.longlong = begin + count
        stop: cython.longlong = self._writer.length + byte_budget
        expected: cython.longlong = next_seq
        reached: cython.longlong = expected
        now: cython.longlong = now_ns
        filled_ns: cython.longlong = now
        seq: cython.longlong
        at: cython.longlong
        self._check_rows(begin, end)
        self._serve(door)
        index = begin
        while index < end and (self._writer.length < stop or index == begin):
            at = self._find(self.rows[index])
            seq = self._words[at + W_OUT_SEQ]
            if self._is_filled(door, at):
                if reached == expected:
                    filled_ns = self._words[at + W_TIME]
                reached = seq + 1
            else:
                if seq > expected:
                    self._put_gap_fill(self._writer, door, expected, seq, now, filled_ns)
                self._put_message(self._writer, door, at, seq, self._words[at + W_TIME], now)
                expected = seq + 1
                reached = expected
                filled_ns = now
            index += 1
        if reached > expected:
            if goes_on:
                reached = expected
            else:
                self.fill(door, expected, reached, now, filled_ns)
        self.next_seq = reached
        return index

    def fill(
        self, door: FixDoor, next_seq: int, new_seq: int, now_ns: int, sent_ns: int = 0
    ) -> None:
        """Encode one SequenceReset-GapFill: numbers from next_seq up to before new_seq are void.

        sent_ns is 122, when the first of them was sent; 0: now.
        """
        self._serve(door)
        self._writer.reserve(MESSAGE_BYTES)
        self._put_gap_fill(self._writer, door, next_seq, new_seq, now_ns, sent_ns or now_ns)

    def _check_rows(self, first: int, end: int) -> None:
        if not 0 <= first <= end <= len(self.rows):
            raise IndexError(f"no rows {first} to {end} of {len(self.rows)}")

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def _find(self, row: cython.longlong) -> cython.longlong:
        """Word offset of a row; there is room for its message, text counted, and a gap fill.

        IndexError names a row that is not there.
        """
        if not self._has_row(row):
            raise IndexError(f"row {row} is not in the table")
        at: cython.longlong = self._at(row)
        needed: cython.longlong = 2 * MESSAGE_BYTES + self._text_bytes(self._content(at))
        if self._writer.length + needed > self._writer.length_max:
            self._writer.reserve(needed)
        return at

    # --- rows ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _at(self, row: cython.longlong) -> cython.longlong:
        """`RowTable.at`, here for the compiler to inline; so is the next."""
        return (row - self._table.origin_row) * ROW_WORDS

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _has_row(self, row: cython.longlong) -> cython.bint:
        return self._table.oldest_row <= row < self._table.tail

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _text_bytes(self, at: cython.longlong) -> cython.longlong:
        """Bytes of text that the rows behind an output row hold; the cause's count twice."""
        return TEXT_BYTES * (
            2 * self._text_rows(self._words[at + W_CAUSE])
            + self._text_rows(self._words[at + W_TERMS_ROW])
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _text_rows(self, row: cython.longlong) -> cython.longlong:
        if not self._has_row(row):
            return 0
        return (self._words[self._at(row)] >> 16) & 0xFFFF

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _content(self, at: cython.longlong) -> cython.longlong:
        """Where the row stands whose content a message has: a SENT row may repeat another."""
        if self._words[at] & 0xFF == SENT:
            cause: cython.longlong = self._words[at + W_CAUSE]
            if self._has_row(cause):
                again: cython.longlong = self._words[self._at(cause) + W_REISSUE]
                if again != 0 and self._has_row(again):
                    return self._at(again)
        return at

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_filled(self, door: FixDoor, at: cython.longlong) -> cython.bint:
        """Whether the row's message is not sent again: 0 to 5 and A; 3 may be, by agreement."""
        at = self._content(at)
        if self._words[at] & 0xFF != SENT:
            return False
        cause: cython.longlong = self._words[at + W_CAUSE]
        if not self._has_row(cause):
            return True
        msg_type: cython.longlong = self._words[self._at(cause) + W_MSG_TYPE]
        if msg_type == 0x33 and door.resends_rejects:
            return False
        return 0x30 <= msg_type <= 0x35 or msg_type == 0x41

    # --- messages ------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_comp_ids_and_time(
        self, writer: FixWriter, door: FixDoor, time_ns: cython.longlong
    ) -> cython.void:
        """49, 52 and 56; what was put for the message before is put again at the same time."""
        if time_ns == self._tail_time_ns:
            if cython.compiled and self._tail_size <= 64:
                # Of fixed length: four moves.
                memcpy(writer.out + writer.position, self._tail, 64)
                writer.position += self._tail_size
            else:
                writer.put_raw(self._tail, 0, self._tail_size)
            return
        start: cython.longlong = writer.position
        writer.put_raw(door.octets, 0, door.sender_size)
        writer.put_timestamp(fix_tags.SENDING_TIME, time_ns, door.timestamp_digits)
        writer.put_raw(door.octets, door.sender_size, door.target_size)
        size: cython.longlong = writer.position - start
        if size <= TAIL_BYTES:
            if cython.compiled:
                memcpy(self._tail, writer.out + start, size)
            else:
                self._tail[:size] = writer.out[start : start + size]
            self._tail_size = size
            self._tail_time_ns = time_ns

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_gap_fill(
        self,
        writer: FixWriter,
        door: FixDoor,
        seq: cython.longlong,
        new_seq: cython.longlong,
        now_ns: cython.longlong,
        sent_ns: cython.longlong,
    ) -> cython.void:
        """SequenceReset(4) with 123=Y under the first of the numbers that it voids."""
        writer.begin(0x34)
        writer.put_int(fix_tags.MSG_SEQ_NUM, seq)
        writer.put_char(fix_tags.POSS_DUP_FLAG, 0x59)
        self._put_comp_ids_and_time(writer, door, now_ns)
        writer.put_timestamp(
            fix_tags.ORIG_SENDING_TIME, min(sent_ns, now_ns), door.timestamp_digits
        )
        if door.last_processed >= 0:
            writer.put_int(fix_tags.LAST_MSG_SEQ_NUM_PROCESSED, door.last_processed)
        writer.put_int(fix_tags.NEW_SEQ_NO, new_seq)
        writer.put_char(fix_tags.GAP_FILL_FLAG, 0x59)
        writer.finish()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_message(
        self,
        writer: FixWriter,
        door: FixDoor,
        at_row: cython.longlong,
        seq: cython.longlong,
        time_ns: cython.longlong,
        now_ns: cython.longlong,
    ) -> cython.void:
        """One message; now_ns: it is sent again now, 0: for the first time. No allocation."""
        content: cython.longlong = self._content(at_row)
        kind: cython.longlong = self._words[content] & 0xFF
        cause_row: cython.longlong = self._words[content + W_CAUSE]
        cause: cython.longlong = self._at(cause_row)
        poss_resend: cython.bint = content != at_row
        start: cython.longlong
        if kind == SENT:
            writer.begin(self._words[cause + W_MSG_TYPE])
            poss_resend = poss_resend or (self._words[cause] >> 8) & F_POSS_RESEND != 0
        elif kind == CANCEL_REJECT:
            writer.begin(0x39)
        elif kind == MASS_CANCEL_REPORT:
            writer.begin(0x72)
        else:
            writer.begin(0x38)
        start = writer.position
        writer.position = put_int(writer.out, start, fix_tags.MSG_SEQ_NUM, seq)
        if now_ns:
            writer.put_char(fix_tags.POSS_DUP_FLAG, 0x59)
        self._put_comp_ids_and_time(writer, door, now_ns if now_ns else time_ns)
        if poss_resend:
            writer.put_char(fix_tags.POSS_RESEND, 0x59)
        if now_ns:
            # A clock set back since must not make it later than this sending.
            writer.put_timestamp(
                fix_tags.ORIG_SENDING_TIME, min(time_ns, now_ns), door.timestamp_digits
            )
        if door.last_processed >= 0:
            writer.put_int(fix_tags.LAST_MSG_SEQ_NUM_PROCESSED, door.last_processed)
        if kind == SENT:
            self._carried.merge(writer, start, cause_row, ITEM_HEADER)
            self._carried.put(writer, cause_row, ITEM_BODY)
        elif kind == CANCEL_REJECT:
            self._bodies.put_cancel_reject(writer, content, cause)
        elif kind == MASS_CANCEL_REPORT:
            self._bodies.put_mass_cancel_report(writer, content, cause)
        else:
            self._bodies.put_report(writer, content, cause)
        writer.finish()
