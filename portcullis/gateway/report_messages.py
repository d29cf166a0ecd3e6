"""Reports as messages of a stream: SBE, by the schema.

Owns which field of a message comes from which row: the report's own, the row whose terms are in
force, the order's, the row that caused it. So the same rows give the same bytes, whoever encodes
them and when; nothing of the moment of sending is in a message. All that FIX's ExecutionReport
says is there: what the block has no place for stands behind it as FIX says it (`report_bodies`).
Most messages have no such data, and then those of one template have one size.

Must not know sockets, packets (`report_packets`), numbers of messages, or what a stream carries
(`report_stream`). Specification: dictionaries/report_stream.xml; docs/multicast.md.
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.writer import FixWriter
    from cython.cimports.portcullis.codecs.sbe.octets import copy, copy_words, put_2, put_4, put_8
    from cython.cimports.portcullis.dictionaries.report_stream_offsets import *
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.why import WHY_NONE
    from cython.cimports.portcullis.gateway.carried_fields import CarriedFields
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
    from cython.cimports.portcullis.gateway.report_bodies import ReportBodies
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable

    ABSENT = cython.declare(cython.longlong, cython.cast(cython.longlong, 1) << 63)
else:
    from portcullis.codecs.fix.writer import FixWriter
    from portcullis.codecs.sbe.octets import copy, copy_words, put_2, put_4, put_8
    from portcullis.dictionaries.report_stream_offsets import *
    from portcullis.engine.layout import *
    from portcullis.engine.why import WHY_NONE
    from portcullis.gateway.carried_fields import CarriedFields
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
    from portcullis.gateway.report_bodies import ReportBodies
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

    # Of prices and quantities.
    ABSENT = -0x8000000000000000

    # Also in report_messages.pxd. Of an id, what stands in its row and what stands in a message.
    ID_WORDS_BYTES = 24
    ID_BYTES = 36
    # More than a message has: its block, and items of two rows that have RAW_MAX bytes each.
    MESSAGE_BYTES_MAX = 1 << 16

from portcullis.dictionaries import report_stream_offsets as offsets

REPORT_BYTES: int = offsets.HEADER_BYTES + offsets.EXECUTION_REPORT_BODY_BYTES
TRADE_BYTES: int = offsets.HEADER_BYTES + offsets.TRADE_BODY_BYTES
ANY_BYTES = 1 << 62


def message_bytes(content: int) -> int:
    """The size of a stream's messages that have no data of their own, by its STREAM_ code."""
    return TRADE_BYTES if content == STREAM_TRADES else REPORT_BYTES


def missing(row: int) -> IndexError:
    """What says that a message can't be made."""
    return IndexError(f"row {row}, or one that it needs, is not in the table")


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class ReportMessages:
    """Encodes rows of `table`. No bounds checks: every row that is followed is looked for.

    Who calls `put` has seen to MESSAGE_BYTES_MAX of room.
    """

    def __init__(self, table: RowTable, catalog: Catalog) -> None:
        self._table = table
        self._row_words = table.words
        self._catalog = catalog
        # The batch looked at last, and when it was sealed; 0: it does not say.
        self._batch_first = 0
        self._batch_last = -1
        self._batch_sealed_ns = 0
        # What the block has no place for is gathered here, as a message that is never finished.
        self._rest = FixWriter(MESSAGE_BYTES_MAX)
        self._bodies = ReportBodies(table, catalog, CarriedFields(table))
        self._view = memoryview(bytearray(MESSAGE_BYTES_MAX))
        self._octets = self._view
        if cython.compiled:
            self._words = cython.address(self._row_words[0])
            self._out = cython.address(self._octets[0])
        else:
            self._words = table.words
            self._out = self._view

    def encode(
        self,
        content: int,
        rows: cython.longlong[::1],
        first: int,
        count: int,
        bytes_max: int = ANY_BYTES,
        frame_bytes: int = 0,
    ) -> list[bytes]:
        """The messages of rows[first : first + count]: the first ones that fit `bytes_max`.

        content: the stream's STREAM_ code. rows: as `ReportStream.select` has found them.
        frame_bytes: what each takes beside. IndexError names a row that is not in the table, or
        needs one that is not.
        """
        if not 0 <= first <= first + count <= len(rows):
            raise IndexError(f"no rows {first} to {first + count} of {len(rows)}")
        index: cython.longlong
        size: cython.longlong
        begin: cython.longlong = first
        end: cython.longlong = first + count
        found: list[bytes] = []
        for index in range(begin, end):
            size = self.put(self._out, 0, content, rows[index])
            if size < 0:
                raise missing(rows[index])
            bytes_max -= frame_bytes + size
            if bytes_max < 0:
                break
            found.append(bytes(self._view[:size]))
        return found

    # --- messages --------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        content: cython.longlong,
        row: cython.longlong,
    ) -> cython.longlong:
        """Put a row's message at `at`; give its size, -1 where a row is missing. No allocation."""
        if content == STREAM_TRADES:
            return self._put_trade(out, at, row)
        return self._put_report(out, at, row)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_report(
        self, out: cython.p_uchar, at: cython.longlong, report_row: cython.longlong
    ) -> cython.longlong:
        """ExecutionReport.

        What is read is put soon: with few values at a time the compiler keeps them in registers.
        """
        if not self._has_row(report_row):
            return -1
        report: cython.p_longlong = self._row(report_row)
        cause_row: cython.longlong = report[W_CAUSE]
        terms_row: cython.longlong = report[W_TERMS_ROW]
        order_row: cython.longlong = report[W_ORDER]
        reference_row: cython.longlong = terms_row if order_row else 0
        # What refuses a command says the terms that were asked for.
        if report[W_HEAD] & 0xFF == REFUSED_DUPLICATE or terms_row == 0:
            terms_row = cause_row
        if not (
            self._has_row(cause_row)
            and self._has_row(terms_row)
            and (order_row == 0 or self._has_row(order_row))
        ):
            return -1
        cause: cython.p_longlong = self._row(cause_row)
        terms: cython.p_longlong = self._row(terms_row)
        order: cython.p_longlong = self._row(order_row) if order_row else terms
        start: cython.longlong = at
        self._put_head(out, at, EXECUTION_REPORT_BLOCK_LENGTH, EXECUTION_REPORT_TEMPLATE_ID)
        at += HEADER_BYTES
        sealed_ns: cython.longlong = self._sealed_ns(report_row)
        put_8(out, at + EXECUTION_REPORT_ENGINE_TIME, report[W_TIME])
        put_8(
            out,
            at + EXECUTION_REPORT_PUBLISH_TIME,
            sealed_ns if sealed_ns else report[W_TIME],
        )
        put_8(out, at + EXECUTION_REPORT_ORDER_ID, order_row)
        put_8(out, at + EXECUTION_REPORT_EXEC_ID, report_row)
        put_8(out, at + EXECUTION_REPORT_ORDER_REFERENCE, reference_row)

        # Who, and what it is about.
        in_shares: cython.bint = (terms[W_HEAD] >> 8) & F_SHARES != 0
        instrument: cython.longlong = (order if in_shares else terms)[W_REF] & ID_MASK
        account: cython.longlong = terms[W_REF] >> 32
        if account == 0:
            account = order[W_REF] >> 32
        session: cython.longlong = report[W_HEAD] >> 32
        self._put_name(
            out, at + EXECUTION_REPORT_SYMBOL, self._catalog.symbols.words, instrument, 3
        )
        self._put_name(
            out, at + EXECUTION_REPORT_ACCOUNT, self._catalog.accounts.words, account, 2
        )
        self._put_name(out, at + EXECUTION_REPORT_SESSION, self._catalog.clients, session, 2)
        put_4(out, at + EXECUTION_REPORT_SESSION_NUMBER, session)

        # Which match.
        flags: cython.longlong = (report[W_HEAD] >> 8) & 0xFF
        match: cython.longlong = 0
        liquidity: cython.longlong = 0
        if flags & F_PASSIVE:
            match, liquidity = report_row - 1, 0x31  # added
        elif flags & F_AGGRESSOR:
            match, liquidity = report_row, 0x32
        put_8(out, at + EXECUTION_REPORT_MATCH_NUMBER, match)
        out[at + EXECUTION_REPORT_LAST_LIQUIDITY_IND] = liquidity

        # How much at which price.
        state: cython.longlong = report[W_STATE]
        packed: cython.longlong = terms[W_TERMS]
        exec_type: cython.longlong = state & 0xFF
        cause_kind: cython.longlong = cause[W_HEAD] & 0xFF
        amends: cython.bint = cause_kind == BUST or cause_kind == CORRECT
        filled: cython.bint = exec_type == EXEC_TRADE or amends
        scale: cython.longlong = instrument * INSTRUMENT_WORDS
        qty: cython.longlong = report[W_ORDER_QTY]
        if qty == 0 or report[W_HEAD] & 0xFF == REFUSED_DUPLICATE:
            qty = terms[W_QTY]
            if in_shares:
                qty *= self._catalog.instruments[scale + I_LOT]
        put_8(out, at + EXECUTION_REPORT_EXEC_REF_ID, cause[W_FILL_ROW] if amends else 0)
        put_8(
            out,
            at + EXECUTION_REPORT_TRANSACT_TIME,
            terms[W_TRANSACT] if (packed >> 48) & 0xFF <= 9 else 0,
        )
        put_8(out, at + EXECUTION_REPORT_PRICE, self._limit(terms, instrument, in_shares))
        put_8(out, at + EXECUTION_REPORT_ORDER_QTY, qty if qty else ABSENT)
        put_8(out, at + EXECUTION_REPORT_LAST_PX, report[W_LAST_PX] if filled else ABSENT)
        put_8(out, at + EXECUTION_REPORT_LAST_QTY, report[W_LAST_QTY] if filled else ABSENT)
        put_8(out, at + EXECUTION_REPORT_LEAVES_QTY, report[W_LEAVES_QTY])
        put_8(out, at + EXECUTION_REPORT_CUM_QTY, report[W_CUM_QTY])
        put_8(out, at + EXECUTION_REPORT_AVG_PX, report[W_AVG_PX])

        # Codes.
        price_decimals: cython.longlong = self._catalog.instruments[scale + I_PRICE_DECIMALS]
        qty_decimals: cython.longlong = self._catalog.instruments[scale + I_QTY_DECIMALS]
        avg_decimals: cython.longlong = self._catalog.instruments[scale + I_AVG_DECIMALS]
        side: cython.longlong = (state >> 32) & 0xFF
        if side == 0:
            side = packed & 0xFF
        if side == 0:
            side = 0x37  # undisclosed
        reason: cython.longlong = (state >> 16) & 0xFF
        out[at + EXECUTION_REPORT_PRICE_DECIMALS] = price_decimals & 0xFF
        out[at + EXECUTION_REPORT_QTY_DECIMALS] = qty_decimals & 0xFF
        out[at + EXECUTION_REPORT_AVG_PX_DECIMALS] = avg_decimals & 0xFF
        out[at + EXECUTION_REPORT_EXEC_TYPE] = exec_type
        out[at + EXECUTION_REPORT_ORD_STATUS] = (state >> 8) & 0xFF
        out[at + EXECUTION_REPORT_SIDE] = side
        out[at + EXECUTION_REPORT_ORD_TYPE] = (packed >> 8) & 0xFF
        out[at + EXECUTION_REPORT_TIME_IN_FORCE] = (packed >> 16) & 0xFF
        out[at + EXECUTION_REPORT_HANDL_INST] = (packed >> 24) & 0xFF
        out[at + EXECUTION_REPORT_ORD_REJ_REASON] = (
            reason if exec_type == EXEC_REJECTED else NO_REASON
        )
        out[at + EXECUTION_REPORT_EXEC_RESTATEMENT_REASON] = (
            reason if exec_type == EXEC_CANCELED or exec_type == EXEC_RESTATED else NO_REASON
        )
        out[at + EXECUTION_REPORT_WHY] = (state >> 24) & 0xFF

        # Ids: of the command that is answered, or else of the terms.
        answers: cython.bint = flags & F_ANSWER != 0 and cause_kind <= STATUS
        of: cython.p_longlong = cause if answers else terms
        length: cython.longlong = (of[W_TERMS] >> 32) & 0xFF
        self._put_id(out, at + EXECUTION_REPORT_CL_ORD_ID, of, W_ID, length)
        if length > ID_WORDS_BYTES:
            self._put_long_id(
                out,
                at + EXECUTION_REPORT_CL_ORD_ID,
                cause_row if answers else terms_row,
                ITEM_CL_ORD_ID,
            )
        length = 0
        if answers and (cause_kind == CANCEL or cause_kind == REPLACE):
            length = (cause[W_TERMS] >> 40) & 0xFF
        self._put_id(out, at + EXECUTION_REPORT_ORIG_CL_ORD_ID, cause, W_ORIG, length)
        if length > ID_WORDS_BYTES:
            self._put_long_id(
                out, at + EXECUTION_REPORT_ORIG_CL_ORD_ID, cause_row, ITEM_ORIG_CL_ORD_ID
            )

        if (
            flags & F_CAUSE_TEXT != 0
            or (state >> 24) & 0xFF != WHY_NONE
            or (terms[W_HEAD] >> 16) & 0xFFFF != 0
        ):
            at += EXECUTION_REPORT_BLOCK_LENGTH
            return self._put_data(out, at, self._at(report_row), self._at(cause_row)) - start
        put_4(out, at + EXECUTION_REPORT_BLOCK_LENGTH, 0)  # no text, nothing carried
        return HEADER_BYTES + EXECUTION_REPORT_BODY_BYTES

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_data(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        row: cython.longlong,
        cause: cython.longlong,
    ) -> cython.longlong:
        """What follows an ExecutionReport's block: text, then all else; give where it ends."""
        self._rest.begin(0x38)
        start: cython.longlong = self._rest.position
        self._bodies.put_rest(self._rest, row, cause)
        end: cython.longlong = self._rest.position
        rest: cython.p_uchar = self._rest.out
        # Text(58) stands from `place` to `tail`, with its tag and delimiter, if it is there.
        place: cython.longlong = start
        while place < end and not (
            rest[place] == 0x35 and rest[place + 1] == 0x38 and rest[place + 2] == 0x3D
        ):
            place = self._rest_end(place)
        tail: cython.longlong = end
        length: cython.longlong = 0
        if place < end:
            tail = self._rest_end(place)
            length = tail - place - 4
        put_2(out, at, length)
        copy(out, at + 2, rest, place + 3, length)
        at += 2 + length
        put_2(out, at, place - start + end - tail)
        copy(out, at + 2, rest, start, place - start)
        at += 2 + place - start
        copy(out, at, rest, tail, end - tail)
        return at + end - tail

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _rest_end(self, place: cython.longlong) -> cython.longlong:
        """Where the field ends that begins at `place`, its delimiter counted."""
        while self._rest.out[place] != 1:
            place += 1
        return place + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_trade(
        self, out: cython.p_uchar, at: cython.longlong, report_row: cython.longlong
    ) -> cython.longlong:
        """Trade, of the aggressor's report."""
        if not self._has_row(report_row):
            return -1
        report: cython.p_longlong = self._row(report_row)
        cause_row: cython.longlong = report[W_CAUSE]
        order_row: cython.longlong = report[W_ORDER]
        if not self._has_row(cause_row) or not self._has_row(order_row):
            return -1
        state: cython.longlong = report[W_STATE]
        fill_row: cython.longlong = 0
        if state & 0xFF != EXEC_TRADE:
            fill_row = self._row(cause_row)[W_FILL_ROW]
        instrument: cython.longlong = self._row(order_row)[W_REF] & ID_MASK
        scale: cython.longlong = instrument * INSTRUMENT_WORDS
        time_ns: cython.longlong = report[W_TIME]
        sealed_ns: cython.longlong = self._sealed_ns(report_row)
        self._put_head(out, at, TRADE_BLOCK_LENGTH, TRADE_TEMPLATE_ID)
        at += HEADER_BYTES
        put_8(out, at + TRADE_ENGINE_TIME, time_ns)
        put_8(out, at + TRADE_PUBLISH_TIME, sealed_ns if sealed_ns else time_ns)
        put_8(out, at + TRADE_EXEC_ID, report_row)
        put_8(out, at + TRADE_MATCH_NUMBER, fill_row if fill_row else report_row)
        put_8(out, at + TRADE_EXEC_REF_ID, fill_row)
        put_8(out, at + TRADE_LAST_PX, report[W_LAST_PX])
        put_8(out, at + TRADE_LAST_QTY, report[W_LAST_QTY])
        self._put_name(out, at + TRADE_SYMBOL, self._catalog.symbols.words, instrument, 3)
        out[at + TRADE_PRICE_DECIMALS] = self._catalog.instruments[scale + I_PRICE_DECIMALS] & 0xFF
        out[at + TRADE_QTY_DECIMALS] = self._catalog.instruments[scale + I_QTY_DECIMALS] & 0xFF
        out[at + TRADE_EXEC_TYPE] = state & 0xFF
        out[at + TRADE_AGGRESSOR_SIDE] = (state >> 32) & 0xFF
        return HEADER_BYTES + TRADE_BODY_BYTES

    # --- values ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _at(self, row: cython.longlong) -> cython.longlong:
        """`RowTable.at`, here for the compiler to inline; so is `_has_row`."""
        return (row - self._table.origin_row) * ROW_WORDS

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _row(self, row: cython.longlong) -> cython.p_longlong:
        """A row's words."""
        if cython.compiled:
            return self._words + self._at(row)
        else:
            return self._words[self._at(row) : self._at(row) + ROW_WORDS]

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
    def _sealed_ns(self, row: cython.longlong) -> cython.longlong:
        """When the batch of a row was sealed; 0: it has one row, or no seal that says so."""
        if not self._batch_first <= row <= self._batch_last:
            self._find_batch(row)
        return self._batch_sealed_ns

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_batch(self, row: cython.longlong) -> cython.void:
        """Look for the end of a row's batch, where its seal is. O(rows), once for a batch."""
        last: cython.longlong = row
        count: cython.longlong
        self._batch_last = -1
        self._batch_sealed_ns = 0
        while last < self._table.tail:
            count = self._words[self._at(last) + W_SEAL_A] & 0xFFFF
            if count:
                self._batch_first = last - count + 1
                self._batch_last = last
                if count > 1 and self._has_row(self._batch_first):
                    self._batch_sealed_ns = self._words[self._at(self._batch_first) + W_SEALED]
                return
            last += 1

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_name(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        words: cython.longlong[::1],
        number: cython.longlong,
        count: cython.longlong,
    ) -> cython.void:
        """So many words of a name; of a number that has none, zeros."""
        place: cython.longlong = number * NAME_WORDS
        if place + NAME_WORDS > words.shape[0]:
            place = 0
        if cython.compiled:
            copy_words(out, at, cython.address(words[place]), 0, count)
        else:
            copy_words(out, at, words, place, count)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _limit(
        self, terms: cython.p_longlong, instrument: cython.longlong, in_shares: cython.bint
    ) -> cython.longlong:
        """The price of the terms; those of OUCH that name no instrument have four decimals."""
        scale: cython.longlong = instrument * SCALE_WORDS
        price: cython.longlong = terms[W_PRICE]
        if (terms[W_TERMS] >> 8) & 0xFF != TYPE_LIMIT or price == 0:
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
    def _put_head(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        block_length: cython.longlong,
        template_id: cython.longlong,
    ) -> cython.void:
        put_2(out, at + HEADER_BLOCK_LENGTH, block_length)
        put_2(out, at + HEADER_TEMPLATE_ID, template_id)
        put_2(out, at + HEADER_SCHEMA_ID, SCHEMA_ID)
        put_2(out, at + HEADER_VERSION, VERSION)

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_id(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        words: cython.p_longlong,
        place: cython.longlong,
        length: cython.longlong,
    ) -> cython.void:
        """An id as its row has it from `place` on, padded with zeros; of no length: none."""
        if length:
            copy_words(out, at, words, place, 3)
        else:
            put_8(out, at, 0)
            put_8(out, at + 8, 0)
            put_8(out, at + 16, 0)
        put_8(out, at + 24, 0)
        put_4(out, at + 32, 0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_long_id(
        self,
        out: cython.p_uchar,
        at: cython.longlong,
        row: cython.longlong,
        code: cython.longlong,
    ) -> cython.void:
        """An id that stands in a text item, as far as a message has room."""
        found: cython.longlong = self._table.text_find(row, code)
        index: cython.longlong
        if found >= 0:
            for index in range(min(found & 0xFFFF, ID_BYTES)):
                out[at + index] = self._table.text_octet(row, (found >> 16) + index)
