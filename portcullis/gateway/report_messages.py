"""Reports as messages of a stream: SBE, by the schema, in MoldUDP64 packets or behind any frame.

Owns which field of a message comes from which row: the report's own, the row whose terms are in
force, the order's, the row that caused it. So the same rows give the same bytes, whoever encodes
them and when; nothing of the moment of sending is in a message. Fields are those of FIX's
ExecutionReport (`report_bodies`), but for its text, for which the reason's code stands, and fields
that are carried for the client alone. Every message of one template has one size.

Must not know sockets, numbers of messages, or what a stream carries (`report_stream`).
Specification: dictionaries/report_stream.xml; docs/multicast.md.
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.dictionaries.moldudp64_offsets import (
        BLOCK_HEADER_BYTES,
        DOWNSTREAM_BYTES,
        DOWNSTREAM_COUNT,
        DOWNSTREAM_SEQUENCE,
        MESSAGES_MAX,
    )
    from cython.cimports.portcullis.dictionaries.report_stream_offsets import *
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.gateway.catalog import (
        I_AVG_DECIMALS,
        I_LOT,
        I_PRICE_DECIMALS,
        I_QTY_DECIMALS,
        INSTRUMENT_WORDS,
        NAME_WORDS,
        S_DOWN,
        S_UP,
        SCALE_WORDS,
        Catalog,
    )
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable

    ABSENT = cython.declare(cython.longlong, cython.cast(cython.longlong, 1) << 63)
else:
    from portcullis.dictionaries.moldudp64_offsets import (
        BLOCK_HEADER_BYTES,
        DOWNSTREAM_BYTES,
        DOWNSTREAM_COUNT,
        DOWNSTREAM_SEQUENCE,
        MESSAGES_MAX,
    )
    from portcullis.dictionaries.report_stream_offsets import *
    from portcullis.engine.layout import *
    from portcullis.gateway.catalog import (
        I_AVG_DECIMALS,
        I_LOT,
        I_PRICE_DECIMALS,
        I_QTY_DECIMALS,
        INSTRUMENT_WORDS,
        NAME_WORDS,
        S_DOWN,
        S_UP,
        SCALE_WORDS,
        Catalog,
    )
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

    # Of prices and quantities.
    ABSENT = -0x8000000000000000

    # Also in report_messages.pxd. Of an id, what stands in its row and what stands in a message.
    ID_WORDS_BYTES = 24
    ID_BYTES = 36

from portcullis.dictionaries import report_stream_offsets as offsets

REPORT_BYTES: int = offsets.HEADER_BYTES + offsets.EXECUTION_REPORT_BLOCK_LENGTH
TRADE_BYTES: int = offsets.HEADER_BYTES + offsets.TRADE_BLOCK_LENGTH
FRAME_BYTES_MAX = 7  # a word that is never negative


def message_bytes(content: int) -> int:
    """The size of each message of a stream, by its STREAM_ code."""
    return TRADE_BYTES if content == STREAM_TRADES else REPORT_BYTES


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class ReportMessages:
    """Encodes rows of `table` into one buffer.

    `encode` or `pack`, then `take` the bytes, or `look` at them. No bounds checks: room is made
    first, and every row that is followed is looked for.
    """

    def __init__(self, table: RowTable, catalog: Catalog) -> None:
        self._table = table
        self._words = table.words
        self._catalog = catalog
        self.length = 0
        self._hold(memoryview(bytearray(1 << 16)))

    def _hold(self, octets: memoryview) -> None:
        self.octets = octets
        self._view = octets
        self._capacity = len(octets)
        if cython.compiled:
            self._out = cython.address(self.octets[0])
        else:
            self._out = octets

    def take(self) -> bytes:
        """The bytes since the last call, as an object of their own."""
        if cython.compiled:
            taken = self._out[: self.length]
        else:
            taken = bytes(self.octets[: self.length])
        self.length = 0
        return taken

    def look(self) -> memoryview:
        """The same without a copy: until the next `encode` or `pack`."""
        found = self._view[: self.length]
        self.length = 0
        return found

    # --- batches ---------------------------------------------------------------------------------

    def encode(
        self, content: int, rows: cython.longlong[::1], first: int, count: int, frame: bytes
    ) -> None:
        """Append the messages of rows[first : first + count], each behind the bytes of `frame`.

        content: the stream's STREAM_ code. rows: as `ReportStream.select` has found them.
        IndexError names one that is not in the table, or needs one that is not; nothing is
        appended then.
        """
        if len(frame) > FRAME_BYTES_MAX:
            raise ValueError(f"a frame has at most {FRAME_BYTES_MAX} bytes, not {len(frame)}")
        before = self.length
        end: cython.longlong = self._prepare(content, rows, first, count, len(frame), count)
        begin: cython.longlong = first
        self._frame = int.from_bytes(frame, "little")
        self._finish(rows, self._encode(rows, begin, end), before)

    def pack(
        self,
        content: int,
        rows: cython.longlong[::1],
        first: int,
        count: int,
        session: bytes,
        number: int,
        messages: int,
    ) -> None:
        """Append MoldUDP64 packets of the messages of rows[first : first + count].

        session: ten bytes. number: of the first message. messages: how many a packet has; only
        the last may have fewer, so all others have one size. As `encode` otherwise.
        """
        if len(session) != DOWNSTREAM_SEQUENCE or not 0 < messages <= MESSAGES_MAX:
            raise ValueError(f"no packets of {messages} messages in session {session!r}")
        before = self.length
        end: cython.longlong = self._prepare(
            content, rows, first, count, BLOCK_HEADER_BYTES, messages
        )
        begin: cython.longlong = first
        size: cython.longlong = self._message_bytes
        self._frame = ((size & 0xFF) << 8) | (size >> 8)  # big-endian in memory
        self._session_low = int.from_bytes(session[:7], "little")
        self._session_high = int.from_bytes(session[7:], "little")
        self._finish(rows, self._pack(rows, begin, end, number, messages), before)

    def _prepare(
        self,
        content: int,
        rows: cython.longlong[::1],
        first: int,
        count: int,
        frame_bytes: int,
        messages: int,
    ) -> int:
        """Make room for a call's messages and set what they share; give the end of their rows."""
        if not 0 <= first <= first + count <= len(rows):
            raise IndexError(f"no rows {first} to {first + count} of {len(rows)}")
        self._is_trades = content == STREAM_TRADES
        self._message_bytes = message_bytes(content)
        self._frame_bytes = frame_bytes
        packets = -(-count // messages) if count else 0
        needed = packets * DOWNSTREAM_BYTES + count * (frame_bytes + self._message_bytes)
        needed += self.length
        if needed > self._capacity:
            grown = memoryview(bytearray(2 * needed))
            grown[: self.length] = self.octets[: self.length]
            self._hold(grown)
        return first + count

    def _finish(
        self, rows: cython.longlong[::1], failed: cython.longlong, before: cython.longlong
    ) -> None:
        if failed >= 0:
            self.length = before
            raise IndexError(f"row {rows[failed]}, or one that it needs, is not in the table")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _pack(
        self,
        rows: cython.longlong[::1],
        begin: cython.longlong,
        end: cython.longlong,
        number: cython.longlong,
        messages: cython.longlong,
    ) -> cython.longlong:
        """All packets; give the place of a row that is missing, or -1. No allocation."""
        at: cython.longlong
        stop: cython.longlong
        failed: cython.longlong
        while begin < end:
            stop = begin + messages if begin + messages < end else end
            at = self.length
            self._u8(at, self._session_low)
            self._u4(at + 7, self._session_high)  # the fourth byte is the next field's
            self._u8_big(at + DOWNSTREAM_SEQUENCE, number)
            self._out[at + DOWNSTREAM_COUNT] = ((stop - begin) >> 8) & 0xFF
            self._out[at + DOWNSTREAM_COUNT + 1] = (stop - begin) & 0xFF
            self.length = at + DOWNSTREAM_BYTES
            failed = self._encode(rows, begin, stop)
            if failed >= 0:
                return failed
            number += stop - begin
            begin = stop
        return -1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _encode(
        self, rows: cython.longlong[::1], begin: cython.longlong, end: cython.longlong
    ) -> cython.longlong:
        """Messages of rows[begin:end], as `_pack`."""
        index: cython.longlong
        octet: cython.longlong
        at: cython.longlong
        for index in range(begin, end):
            at = self.length
            for octet in range(self._frame_bytes):
                self._out[at + octet] = (self._frame >> (8 * octet)) & 0xFF
            at += self._frame_bytes
            if self._is_trades:
                if not self._put_trade(at, rows[index]):
                    return index
            elif not self._put_report(at, rows[index]):
                return index
            self.length = at + self._message_bytes
        return -1

    # --- messages --------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_report(self, to: cython.longlong, report_row: cython.longlong) -> cython.bint:
        """ExecutionReport at `to`; False where a row is missing."""
        if not self._has_row(report_row):
            return False
        row: cython.longlong = self._at(report_row)
        cause_row: cython.longlong = self._words[row + W_CAUSE]
        terms_row: cython.longlong = self._words[row + W_TERMS_ROW]
        order_row: cython.longlong = self._words[row + W_ORDER]
        kind: cython.longlong = self._words[row] & 0xFF
        # What refuses a command says the terms that were asked for.
        if kind == REFUSED_DUPLICATE or terms_row == 0:
            terms_row = cause_row
        if not (
            self._has_row(cause_row)
            and self._has_row(terms_row)
            and (order_row == 0 or self._has_row(order_row))
        ):
            return False
        cause: cython.longlong = self._at(cause_row)
        terms: cython.longlong = self._at(terms_row)
        order: cython.longlong = self._at(order_row) if order_row else terms
        flags: cython.longlong = (self._words[row] >> 8) & 0xFF
        state: cython.longlong = self._words[row + W_STATE]
        packed: cython.longlong = self._words[terms + W_TERMS]
        exec_type: cython.longlong = state & 0xFF
        reason: cython.longlong = (state >> 16) & 0xFF
        cause_kind: cython.longlong = self._words[cause] & 0xFF
        answers: cython.bint = flags & F_ANSWER != 0 and cause_kind <= STATUS
        in_shares: cython.bint = (self._words[terms] >> 8) & F_SHARES != 0
        reference: cython.longlong = self._words[(order if in_shares else terms) + W_REF]
        account: cython.longlong = self._words[terms + W_REF] >> 32
        if account == 0:
            account = self._words[order + W_REF] >> 32
        instrument: cython.longlong = reference & ID_MASK
        scale: cython.longlong = instrument * INSTRUMENT_WORDS
        amends: cython.bint = cause_kind == BUST or cause_kind == CORRECT
        filled: cython.bint = exec_type == EXEC_TRADE or amends
        qty: cython.longlong = self._words[row + W_ORDER_QTY]
        if qty == 0 or kind == REFUSED_DUPLICATE:
            qty = self._words[terms + W_QTY]
            if in_shares:
                qty *= self._catalog.instruments[scale + I_LOT]
        side: cython.longlong = (state >> 32) & 0xFF
        if side == 0:
            side = packed & 0xFF

        to = self._head(to, EXECUTION_REPORT_BLOCK_LENGTH, EXECUTION_REPORT_TEMPLATE_ID)
        self._u8(to + EXECUTION_REPORT_ENGINE_TIME, self._words[row + W_TIME])
        self._u8(to + EXECUTION_REPORT_ORDER_ID, order_row)
        self._u8(to + EXECUTION_REPORT_EXEC_ID, report_row)
        self._u8(
            to + EXECUTION_REPORT_ORDER_REFERENCE,
            self._words[row + W_TERMS_ROW] if order_row else 0,
        )
        self._u8(to + EXECUTION_REPORT_MATCH_NUMBER, self._match(report_row, flags))
        self._u8(
            to + EXECUTION_REPORT_EXEC_REF_ID, self._words[cause + W_FILL_ROW] if amends else 0
        )
        self._u8(
            to + EXECUTION_REPORT_TRANSACT_TIME,
            self._words[terms + W_TRANSACT] if (packed >> 48) & 0xFF <= 9 else 0,
        )
        self._u8(to + EXECUTION_REPORT_PRICE, self._limit(terms, instrument, in_shares))
        self._u8(to + EXECUTION_REPORT_ORDER_QTY, qty if qty else ABSENT)
        self._u8(to + EXECUTION_REPORT_LAST_PX, self._words[row + W_LAST_PX] if filled else ABSENT)
        self._u8(
            to + EXECUTION_REPORT_LAST_QTY, self._words[row + W_LAST_QTY] if filled else ABSENT
        )
        self._u8(to + EXECUTION_REPORT_LEAVES_QTY, self._words[row + W_LEAVES_QTY])
        self._u8(to + EXECUTION_REPORT_CUM_QTY, self._words[row + W_CUM_QTY])
        self._u8(to + EXECUTION_REPORT_AVG_PX, self._words[row + W_AVG_PX])
        self._id(
            to + EXECUTION_REPORT_CL_ORD_ID,
            cause if answers else terms,
            cause_row if answers else terms_row,
            W_ID,
        )
        self._id(
            to + EXECUTION_REPORT_ORIG_CL_ORD_ID,
            cause if answers and (cause_kind == CANCEL or cause_kind == REPLACE) else -1,
            cause_row,
            W_ORIG,
        )
        self._symbol(to + EXECUTION_REPORT_SYMBOL, instrument)
        self._name(to + EXECUTION_REPORT_ACCOUNT, self._catalog.accounts.words, account)
        self._name(to + EXECUTION_REPORT_SESSION, self._catalog.clients, self._words[row] >> 32)
        self._u4(to + EXECUTION_REPORT_SESSION_NUMBER, self._words[row] >> 32)
        self._u1(
            to + EXECUTION_REPORT_PRICE_DECIMALS,
            self._catalog.instruments[scale + I_PRICE_DECIMALS],
        )
        self._u1(
            to + EXECUTION_REPORT_QTY_DECIMALS, self._catalog.instruments[scale + I_QTY_DECIMALS]
        )
        self._u1(
            to + EXECUTION_REPORT_AVG_PX_DECIMALS,
            self._catalog.instruments[scale + I_AVG_DECIMALS],
        )
        self._u1(to + EXECUTION_REPORT_EXEC_TYPE, exec_type)
        self._u1(to + EXECUTION_REPORT_ORD_STATUS, state >> 8)
        self._u1(to + EXECUTION_REPORT_SIDE, side if side else 0x37)  # 7: undisclosed
        self._u1(to + EXECUTION_REPORT_ORD_TYPE, packed >> 8)
        self._u1(to + EXECUTION_REPORT_TIME_IN_FORCE, packed >> 16)
        self._u1(to + EXECUTION_REPORT_HANDL_INST, packed >> 24)
        self._u1(to + EXECUTION_REPORT_LAST_LIQUIDITY_IND, self._liquidity(flags))
        self._u1(
            to + EXECUTION_REPORT_ORD_REJ_REASON,
            reason if exec_type == EXEC_REJECTED else NO_REASON,
        )
        self._u1(
            to + EXECUTION_REPORT_EXEC_RESTATEMENT_REASON,
            reason if exec_type == EXEC_CANCELED or exec_type == EXEC_RESTATED else NO_REASON,
        )
        self._u1(to + EXECUTION_REPORT_WHY, state >> 24)
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_trade(self, to: cython.longlong, report_row: cython.longlong) -> cython.bint:
        """Trade at `to`, of the aggressor's report; False where a row is missing."""
        if not self._has_row(report_row):
            return False
        row: cython.longlong = self._at(report_row)
        cause_row: cython.longlong = self._words[row + W_CAUSE]
        order_row: cython.longlong = self._words[row + W_ORDER]
        if not self._has_row(cause_row) or not self._has_row(order_row):
            return False
        state: cython.longlong = self._words[row + W_STATE]
        cause: cython.longlong = self._at(cause_row)
        fill_row: cython.longlong = 0
        if state & 0xFF != EXEC_TRADE:
            fill_row = self._words[cause + W_FILL_ROW]
        instrument: cython.longlong = self._words[self._at(order_row) + W_REF] & ID_MASK
        scale: cython.longlong = instrument * INSTRUMENT_WORDS
        to = self._head(to, TRADE_BLOCK_LENGTH, TRADE_TEMPLATE_ID)
        self._u8(to + TRADE_ENGINE_TIME, self._words[row + W_TIME])
        self._u8(to + TRADE_EXEC_ID, report_row)
        self._u8(to + TRADE_MATCH_NUMBER, fill_row if fill_row else report_row)
        self._u8(to + TRADE_EXEC_REF_ID, fill_row)
        self._u8(to + TRADE_LAST_PX, self._words[row + W_LAST_PX])
        self._u8(to + TRADE_LAST_QTY, self._words[row + W_LAST_QTY])
        self._symbol(to + TRADE_SYMBOL, instrument)
        self._u1(to + TRADE_PRICE_DECIMALS, self._catalog.instruments[scale + I_PRICE_DECIMALS])
        self._u1(to + TRADE_QTY_DECIMALS, self._catalog.instruments[scale + I_QTY_DECIMALS])
        self._u1(to + TRADE_EXEC_TYPE, state)
        self._u1(to + TRADE_AGGRESSOR_SIDE, state >> 32)
        return True

    # --- values ----------------------------------------------------------------------------------

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
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _match(self, row: cython.longlong, flags: cython.longlong) -> cython.longlong:
        """The match number of a fill: the aggressor's row; 0 of what is no fill."""
        if flags & F_PASSIVE:
            return row - 1
        return row if flags & F_AGGRESSOR else 0

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _liquidity(self, flags: cython.longlong) -> cython.longlong:
        if flags & F_PASSIVE:
            return 0x31  # added
        return 0x32 if flags & F_AGGRESSOR else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _limit(
        self, terms: cython.longlong, instrument: cython.longlong, in_shares: cython.bint
    ) -> cython.longlong:
        """The price of the terms; those of OUCH that name no instrument have four decimals."""
        scale: cython.longlong = instrument * SCALE_WORDS
        price: cython.longlong = self._words[terms + W_PRICE]
        if (self._words[terms + W_TERMS] >> 8) & 0xFF != TYPE_LIMIT or price == 0:
            return ABSENT
        if not in_shares:
            return price
        # Exact, as the tick is a multiple of theirs; an unknown instrument has no factors.
        if self._catalog.scales[scale + S_DOWN] == 0:
            return ABSENT
        return price * self._catalog.scales[scale + S_UP] // self._catalog.scales[scale + S_DOWN]

    # --- bytes -----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _head(
        self, to: cython.longlong, block_length: cython.longlong, template_id: cython.longlong
    ) -> cython.longlong:
        """The message header; give where the block begins."""
        self._u8(
            to,
            block_length
            | (template_id << (8 * HEADER_TEMPLATE_ID))
            | (cython.cast(cython.longlong, SCHEMA_ID) << (8 * HEADER_SCHEMA_ID))
            | (cython.cast(cython.longlong, VERSION) << (8 * HEADER_VERSION)),
        )
        return to + HEADER_BYTES

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _u1(self, to: cython.longlong, value: cython.longlong) -> cython.void:
        self._out[to] = value & 0xFF

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _u4(self, to: cython.longlong, value: cython.longlong) -> cython.void:
        out: cython.p_uchar = self._out
        out[to] = value & 0xFF
        out[to + 1] = (value >> 8) & 0xFF
        out[to + 2] = (value >> 16) & 0xFF
        out[to + 3] = (value >> 24) & 0xFF

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _u8(self, to: cython.longlong, value: cython.longlong) -> cython.void:
        out: cython.p_uchar = self._out
        out[to] = value & 0xFF
        out[to + 1] = (value >> 8) & 0xFF
        out[to + 2] = (value >> 16) & 0xFF
        out[to + 3] = (value >> 24) & 0xFF
        out[to + 4] = (value >> 32) & 0xFF
        out[to + 5] = (value >> 40) & 0xFF
        out[to + 6] = (value >> 48) & 0xFF
        out[to + 7] = (value >> 56) & 0xFF

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _u8_big(self, to: cython.longlong, value: cython.longlong) -> cython.void:
        index: cython.longlong
        for index in range(8):
            self._out[to + 7 - index] = (value >> (8 * index)) & 0xFF

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _name(
        self, to: cython.longlong, words: cython.longlong[::1], number: cython.longlong
    ) -> cython.void:
        """The first 16 bytes of a name of the catalogue, padded with zeros."""
        at: cython.longlong = number * NAME_WORDS
        if at + NAME_WORDS > words.shape[0]:
            at = 0  # nobody's: zeros
        self._u8(to, words[at])
        self._u8(to + 8, words[at + 1])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _symbol(self, to: cython.longlong, instrument: cython.longlong) -> cython.void:
        """A symbol, padded with zeros to 24 bytes."""
        self._name(to, self._catalog.symbols.words, instrument)
        if instrument < self._catalog.symbols.count:
            self._u8(to + 16, self._catalog.symbols.words[instrument * NAME_WORDS + 2])
        else:
            self._u8(to + 16, 0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _id(
        self,
        to: cython.longlong,
        at: cython.longlong,
        row: cython.longlong,
        word: cython.longlong,
    ) -> cython.void:
        """An id of a command row at word offset `at`, in 36 bytes; -1: zeros."""
        length: cython.longlong = 0
        found: cython.longlong
        index: cython.longlong
        if at >= 0:
            length = (self._words[at + W_TERMS] >> (40 if word == W_ORIG else 32)) & 0xFF
        if length == 0:
            at = -1
        self._u8(to, self._words[at + word] if at >= 0 else 0)
        self._u8(to + 8, self._words[at + word + 1] if at >= 0 else 0)
        self._u8(to + 16, self._words[at + word + 2] if at >= 0 else 0)
        self._u8(to + 24, 0)
        self._u4(to + 32, 0)
        if length > ID_WORDS_BYTES:
            found = self._table.text_find(
                row, ITEM_ORIG_CL_ORD_ID if word == W_ORIG else ITEM_CL_ORD_ID
            )
            if found >= 0:
                length = min(found & 0xFFFF, ID_BYTES)
                for index in range(length):
                    self._u1(to + index, self._table.text_octet(row, (found >> 16) + index))
