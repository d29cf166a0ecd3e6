"""Commands upon one order: what the rules of the venue make of each.

Owns new, cancel, replace, status, bust and correct of single orders, the sweep of a book by one
aggressor, and self-trade prevention. Must not know FIX, sessions' business beyond their numbers,
nor commands over many orders (`matcher`).

Each command is atomic but for the sweep, which goes step by step and stops where the batch has no
room; while `sweep_slot` is set, nothing else may be applied. An order is accepted (report 0),
then sweeps (one F each side per match, aggressor first), then rests or is cancelled.

Choices where the rules leave one:
- A refused new order has an OrderID, the number of its own row, and burns its id.
- A replacement to a total at or below CumQty is accepted as "stop now": OrderQty becomes CumQty,
  status filled (FIX order state matrices, C.3.b and C.3.c).
- Cancel-newest cancels the aggressor where it meets an own order; what stands behind that order
  is not reached. Fill-or-kill counts others' orders up to there, or past it under cancel-oldest.
- Decrement takes the smaller open quantity off both; the one left with nothing is cancelled, the
  other restated with its OrderQty lowered.
- A bust takes quantity out of CumQty and out of OrderQty of a live order, so that
  OrderQty = CumQty + LeavesQty holds and nothing comes back; a filled order becomes cancelled.

Invariants: OrderQty = CumQty + LeavesQty of a live order; CumQty x price stays below 2^62, since
instruments bound price, quantity and their product (`matcher`), so the sum fits one word.
Why bounds checks are off below: rows come from the table, slots from the book, instruments and
accounts of live orders were range-checked when they entered.
Specification: docs/rules-of-engagement.md; FIX 4.4 volume 4, order state change matrices.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

from portcullis.engine.why import WHYS

if cython.compiled:
    from cython.cimports.portcullis.engine.book import Book
    from cython.cimports.portcullis.engine.ids import IdTable
    from cython.cimports.portcullis.engine.layout import (
        A_STP,
        ACCOUNT_WORDS,
        EXEC_BUST,
        EXEC_CANCELED,
        EXEC_CORRECT,
        EXEC_NEW,
        EXEC_REJECTED,
        EXEC_REPLACED,
        EXEC_RESTATED,
        EXEC_STATUS,
        EXEC_TRADE,
        I_DECIMALS,
        I_KNOWN,
        I_ORDERS,
        I_PRICE_MAX,
        I_PRICE_WIDEST,
        I_QTY_MAX,
        I_QTY_WIDEST,
        I_SCALE,
        ID_MASK,
        INSTRUMENT_WORDS,
        O_ACCOUNT_NEXT,
        O_AVG,
        O_CUM,
        O_ID,
        O_LEAVES,
        O_LEVEL,
        O_META,
        O_PRICE,
        O_QTY,
        O_REF,
        O_ROW,
        O_SUM,
        O_TERMS,
        ORDER_WORDS,
        REF_BURNT,
        REF_CLOSED,
        REF_LIVE,
        REF_SUPERSEDED,
        SIDE_BUY,
        SIDE_SELL,
        SIDE_SELL_SHORT,
        SIDE_SELL_SHORT_EXEMPT,
        STATUS_CANCELED,
        STATUS_FILLED,
        STATUS_NEW,
        STATUS_PARTLY_FILLED,
        STATUS_REJECTED,
        STEP_ROWS,
        TIF_DAY,
        TIF_FOK,
        TIF_GTC,
        TIF_IOC,
        TYPE_LIMIT,
        TYPE_MARKET,
    )
    from cython.cimports.portcullis.engine.reports import Reports
    from cython.cimports.portcullis.engine.why import (
        WHY_BAD_PRICE,
        WHY_BAD_QTY,
        WHY_BUST,
        WHY_CORRECT,
        WHY_DUPLICATE_ID,
        WHY_FOK_UNFILLABLE,
        WHY_HALTED,
        WHY_ID_MISMATCH,
        WHY_IDS_FULL,
        WHY_IOC_REST,
        WHY_LEVELS_FULL,
        WHY_MARKET_REST,
        WHY_NONE,
        WHY_NOT_CURRENT_ID,
        WHY_ORDERS_FULL,
        WHY_SELF_TRADE,
        WHY_SELF_TRADE_DECREMENT,
        WHY_TERMS_MISMATCH,
        WHY_TOO_LATE,
        WHY_UNKNOWN_ACCOUNT,
        WHY_UNKNOWN_ORDER,
        WHY_UNKNOWN_SYMBOL,
        WHY_UNSUPPORTED_TERM,
    )
    from cython.cimports.portcullis.journal.rows import (
        BUST,
        CANCEL_REJECT,
        F_AGGRESSOR,
        F_ANSWER,
        F_CAUSE_TEXT,
        F_FOR_SESSION,
        F_LONG_ID,
        F_LONG_ORIG,
        F_ORDER_ID,
        F_OWN,
        F_PASSIVE,
        F_POSS_RESEND,
        F_REFUSED,
        INSTRUMENT_HALTED,
        INSTRUMENT_OUTSIDE,
        INSTRUMENT_SHORT_MARKING,
        ITEM_CL_ORD_ID,
        ITEM_FOR_SESSION,
        ITEM_ORDER_ID,
        ITEM_ORIG_CL_ORD_ID,
        ITEM_TEXT,
        NEW_ORDER,
        NO_REASON,
        REFUSED_DUPLICATE,
        REPORT,
        STATUS_REPORT,
        STP_CANCEL_BOTH,
        STP_CANCEL_NEWEST,
        STP_CANCEL_OLDEST,
        STP_NONE,
        W_AVG_PX,
        W_CUM_QTY,
        W_FILL_PRICE,
        W_FILL_QTY,
        W_FILL_SUM,
        W_HEAD,
        W_ID,
        W_NEW_PRICE,
        W_NEW_QTY,
        W_ORDER,
        W_ORDER_QTY,
        W_ORIG,
        W_PRICE,
        W_QTY,
        W_REF,
        W_STATE,
        W_TERMS,
        W_TERMS_ROW,
    )
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.book import Book
    from portcullis.engine.ids import IdTable
    from portcullis.engine.layout import (
        A_STP,
        ACCOUNT_WORDS,
        EXEC_BUST,
        EXEC_CANCELED,
        EXEC_CORRECT,
        EXEC_NEW,
        EXEC_REJECTED,
        EXEC_REPLACED,
        EXEC_RESTATED,
        EXEC_STATUS,
        EXEC_TRADE,
        I_DECIMALS,
        I_KNOWN,
        I_ORDERS,
        I_PRICE_MAX,
        I_PRICE_WIDEST,
        I_QTY_MAX,
        I_QTY_WIDEST,
        I_SCALE,
        ID_MASK,
        INSTRUMENT_WORDS,
        O_ACCOUNT_NEXT,
        O_AVG,
        O_CUM,
        O_ID,
        O_LEAVES,
        O_LEVEL,
        O_META,
        O_PRICE,
        O_QTY,
        O_REF,
        O_ROW,
        O_SUM,
        O_TERMS,
        ORDER_WORDS,
        REF_BURNT,
        REF_CLOSED,
        REF_LIVE,
        REF_SUPERSEDED,
        SIDE_BUY,
        SIDE_SELL,
        SIDE_SELL_SHORT,
        SIDE_SELL_SHORT_EXEMPT,
        STATUS_CANCELED,
        STATUS_FILLED,
        STATUS_NEW,
        STATUS_PARTLY_FILLED,
        STATUS_REJECTED,
        STEP_ROWS,
        TIF_DAY,
        TIF_FOK,
        TIF_GTC,
        TIF_IOC,
        TYPE_LIMIT,
        TYPE_MARKET,
    )
    from portcullis.engine.reports import Reports
    from portcullis.engine.why import (
        WHY_BAD_PRICE,
        WHY_BAD_QTY,
        WHY_BUST,
        WHY_CORRECT,
        WHY_DUPLICATE_ID,
        WHY_FOK_UNFILLABLE,
        WHY_HALTED,
        WHY_ID_MISMATCH,
        WHY_IDS_FULL,
        WHY_IOC_REST,
        WHY_LEVELS_FULL,
        WHY_MARKET_REST,
        WHY_NONE,
        WHY_NOT_CURRENT_ID,
        WHY_ORDERS_FULL,
        WHY_SELF_TRADE,
        WHY_SELF_TRADE_DECREMENT,
        WHY_TERMS_MISMATCH,
        WHY_TOO_LATE,
        WHY_UNKNOWN_ACCOUNT,
        WHY_UNKNOWN_ORDER,
        WHY_UNKNOWN_SYMBOL,
        WHY_UNSUPPORTED_TERM,
    )
    from portcullis.journal.rows import (
        BUST,
        CANCEL_REJECT,
        F_AGGRESSOR,
        F_ANSWER,
        F_CAUSE_TEXT,
        F_FOR_SESSION,
        F_LONG_ID,
        F_LONG_ORIG,
        F_ORDER_ID,
        F_OWN,
        F_PASSIVE,
        F_POSS_RESEND,
        F_REFUSED,
        INSTRUMENT_HALTED,
        INSTRUMENT_OUTSIDE,
        INSTRUMENT_SHORT_MARKING,
        ITEM_CL_ORD_ID,
        ITEM_FOR_SESSION,
        ITEM_ORDER_ID,
        ITEM_ORIG_CL_ORD_ID,
        ITEM_TEXT,
        NEW_ORDER,
        NO_REASON,
        REFUSED_DUPLICATE,
        REPORT,
        STATUS_REPORT,
        STP_CANCEL_BOTH,
        STP_CANCEL_NEWEST,
        STP_CANCEL_OLDEST,
        STP_NONE,
        W_AVG_PX,
        W_CUM_QTY,
        W_FILL_PRICE,
        W_FILL_QTY,
        W_FILL_SUM,
        W_HEAD,
        W_ID,
        W_NEW_PRICE,
        W_NEW_QTY,
        W_ORDER,
        W_ORDER_QTY,
        W_ORIG,
        W_PRICE,
        W_QTY,
        W_REF,
        W_STATE,
        W_TERMS,
        W_TERMS_ROW,
    )
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class Orders:
    """Applies single-order commands to `book` and `ids`, and reports through `reports`.

    instruments: the matcher's records of instruments, which it fills from INSTRUMENT rows.
    """

    def __init__(
        self,
        table: RowTable,
        book: Book,
        ids: IdTable,
        reports: Reports,
        instruments: memoryview[int],
    ) -> None:
        self._table = table
        self._words = table.words
        self._book = book
        self._orders = book.orders
        self._accounts = book.accounts
        self._ids = ids
        self._reports = reports
        self._instruments = instruments
        self._ord_reasons = memoryview(bytearray(8 * 256)).cast("q")
        self._cxl_reasons = memoryview(bytearray(8 * 256)).cast("q")
        self._restatements = memoryview(bytearray(8 * 256)).cast("q")
        for code in range(256):
            entry = WHYS.get(code, WHYS[0])
            self._ord_reasons[code] = entry.ord_rej_reason
            self._cxl_reasons[code] = entry.cxl_rej_reason
            self._restatements[code] = (
                NO_REASON if entry.restatement is None else entry.restatement
            )
        self.sweep_slot = 0
        self.sweep_cause = 0
        self.sweep_why = WHY_NONE
        # Next order a mass command will look at; moves on when that order ends.
        self.mass_slot = 0
        # Rows that could not be applied: a fault of whoever wrote them, never of a client.
        self.ignored = 0
        self._target_slot = 0
        self._target_final = 0

    # --- ids ---------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_id(
        self, row: cython.longlong, at: cython.longlong, session: cython.longlong
    ) -> cython.void:
        """Hash the id of a command."""
        words_at: cython.longlong = at + W_ID
        length: cython.longlong = (self._words[at + W_TERMS] >> 32) & 0xFF
        if (self._words[at + W_HEAD] >> 8) & F_LONG_ID:
            self._hash_item(row, session, ITEM_CL_ORD_ID)
        else:
            self._ids.hash_short(
                session,
                self._words[words_at],
                self._words[words_at + 1],
                self._words[words_at + 2],
                length,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_original(
        self, row: cython.longlong, at: cython.longlong, session: cython.longlong
    ) -> cython.void:
        """Hash the original id that a cancel or replacement names."""
        words_at: cython.longlong = at + W_ORIG
        length: cython.longlong = (self._words[at + W_TERMS] >> 40) & 0xFF
        if (self._words[at + W_HEAD] >> 8) & F_LONG_ORIG:
            self._hash_item(row, session, ITEM_ORIG_CL_ORD_ID)
        else:
            self._ids.hash_short(
                session,
                self._words[words_at],
                self._words[words_at + 1],
                self._words[words_at + 2],
                length,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_item(
        self, row: cython.longlong, session: cython.longlong, item: cython.longlong
    ) -> cython.void:
        found: cython.longlong = self._table.text_find(row, item)
        if found < 0:
            found = 0
        self._ids.hash_text(session, self._table, row, found >> 16, found & 0xFFFF)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _number_item(self, row: cython.longlong, item: cython.longlong) -> cython.longlong:
        """An item of eight bytes as a number; 0 where it is missing or out of range."""
        found: cython.longlong = self._table.text_find(row, item)
        if found < 0 or (found & 0xFFFF) != 8:
            return 0
        value: cython.longlong = 0
        octet: cython.longlong
        index: cython.longlong
        for index in range(8):
            octet = self._table.text_octet(row, (found >> 16) + index)
            if index == 7 and octet > 0x7F:
                return 0
            value |= octet << (8 * index)
        return value

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _owner_session(
        self, row: cython.longlong, flags: cython.longlong, session: cython.longlong
    ) -> cython.longlong:
        """The session whose ids a command speaks of; 0, which has none, where it is unknown."""
        if not flags & F_FOR_SESSION:
            return session
        session = self._number_item(row, ITEM_FOR_SESSION)
        return session if session <= self._reports.session_capacity else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _current(self, index: cython.longlong) -> cython.longlong:
        """The id that an order goes by now; shortens the chain it walked."""
        end: cython.longlong = index
        reference: cython.longlong = self._ids.reference(end)
        while reference & 3 == REF_SUPERSEDED:
            end = reference >> 2
            reference = self._ids.reference(end)
        while index != end:
            reference = self._ids.reference(index)
            self._ids.refer(index, (end << 2) | REF_SUPERSEDED)
            index = reference >> 2
        return end

    # --- small parts -------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _live_status(self, slot: cython.longlong) -> cython.longlong:
        if self._orders[slot * ORDER_WORDS + O_CUM] == 0:
            return STATUS_NEW
        if self._orders[slot * ORDER_WORDS + O_LEAVES] == 0:
            return STATUS_FILLED
        return STATUS_PARTLY_FILLED

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _text_flag(self, row: cython.longlong) -> cython.longlong:
        """F_CAUSE_TEXT where the cause brings a text for its answer."""
        return F_CAUSE_TEXT if self._table.text_find(row, ITEM_TEXT) >= 0 else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _average(
        self, total: cython.longlong, cum: cython.longlong, scale: cython.longlong
    ) -> cython.longlong:
        """total / cum x scale, half up. 0 <= total < 2^62; cum < 2^58; scale is 10^0 to 10^4."""
        if cum == 0:
            return 0
        whole: cython.longlong = total // cum
        rest: cython.longlong = total % cum
        if rest == 0:
            return whole * scale
        # Below 2^47, so is the rest, and 2 x 10^4 of it stay below 2^62.
        if cum >> 47 == 0:
            return whole * scale + (2 * rest * scale + cum) // (2 * cum)
        # Digit by digit: rest < cum < 2^58, so ten times it stays in range.
        while scale > 1:
            rest *= 10
            whole = whole * 10 + rest // cum
            rest %= cum
            scale = scale // 10
        return whole + 1 if 2 * rest >= cum else whole

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _book_fill(
        self,
        order: cython.longlong,
        scale: cython.longlong,
        price: cython.longlong,
        qty: cython.longlong,
    ) -> cython.void:
        """Count a fill in: CumQty, the exact sum, AvgPx."""
        cum: cython.longlong = self._orders[order + O_CUM] + qty
        total: cython.longlong = self._orders[order + O_SUM] + price * qty
        self._orders[order + O_CUM] = cum
        self._orders[order + O_SUM] = total
        # Most orders fill at one price: no division.
        self._orders[order + O_AVG] = (
            price * scale if price * cum == total else self._average(total, cum, scale)
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def close(self, slot: cython.longlong, offset: cython.longlong) -> cython.void:
        """End an order whose last report stands at `offset`; it rests nowhere any more."""
        order: cython.longlong = slot * ORDER_WORDS
        self._ids.refer(
            self._orders[order + O_ID], (self._reports.row_at(offset) << 2) | REF_CLOSED
        )
        if slot == self.mass_slot:
            self.mass_slot = self._orders[order + O_ACCOUNT_NEXT]
        if slot == self.sweep_slot:
            self.sweep_slot = 0
        self._instruments[
            (self._orders[order + O_REF] & ID_MASK) * INSTRUMENT_WORDS + I_ORDERS
        ] -= 1
        self._book.delist(slot)
        self._book.free_slot(slot)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def cancel_unasked(
        self, slot: cython.longlong, cause: cython.longlong, why: cython.longlong
    ) -> cython.void:
        """Cancel an order by a rule or another's command, and tell its owner. One row."""
        self._withdraw(slot)
        offset: cython.longlong = self._reports.live(
            REPORT,
            0,
            0,
            cause,
            slot,
            EXEC_CANCELED,
            STATUS_CANCELED,
            self._restatements[why],
            why,
        )
        self.close(slot, offset)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _withdraw(self, slot: cython.longlong) -> cython.void:
        """Out of the book, with nothing left open."""
        if self._orders[slot * ORDER_WORDS + O_LEVEL]:
            self._book.remove(slot)
        self._orders[slot * ORDER_WORDS + O_LEAVES] = 0

    # --- new orders --------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def new_order(self, row: cython.longlong) -> cython.void:
        """Apply a NEW_ORDER row: at most two rows, then the sweep goes on by itself."""
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        terms: cython.longlong = self._words[at + W_TERMS]
        price: cython.longlong = self._words[at + W_PRICE]
        self._hash_id(row, at, session)
        found: cython.longlong = self._ids.find()
        if found >= 0:
            self._answer_seen(row, session, flags, found)
            return
        why: cython.longlong = self._check_new(at, flags)
        # Risk stands here: behind the id check, before the book. It sees the command row and the
        # account, and gives a Why code.
        slot: cython.longlong = 0
        if why == WHY_NONE:
            slot = self._book.take_slot()
            if slot == 0:
                why = WHY_ORDERS_FULL
        if why != WHY_NONE:
            self._refuse(row, at, session, flags, found, why)
            return
        order: cython.longlong = slot * ORDER_WORDS
        self._orders[order + O_ROW] = row
        self._orders[order + O_TERMS] = row
        self._orders[order + O_ID] = self._ids.put(found, (slot << 2) | REF_LIVE)
        self._orders[order + O_QTY] = self._words[at + W_QTY]
        self._orders[order + O_LEAVES] = self._words[at + W_QTY]
        self._orders[order + O_CUM] = 0
        self._orders[order + O_SUM] = 0
        self._orders[order + O_PRICE] = price if (terms >> 8) & 0xFF == TYPE_LIMIT else 0
        self._orders[order + O_AVG] = 0
        self._orders[order + O_META] = (terms & 0xFFFFFF) | (session << 32)
        self._orders[order + O_REF] = self._words[at + W_REF]
        self._orders[order + O_LEVEL] = 0
        self._book.enlist(slot)
        self._instruments[(self._words[at + W_REF] & ID_MASK) * INSTRUMENT_WORDS + I_ORDERS] += 1
        self._reports.live(
            REPORT, F_ANSWER, session, row, slot, EXEC_NEW, STATUS_NEW, NO_REASON, WHY_NONE
        )
        self._enter(slot, row)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_new(self, at: cython.longlong, flags: cython.longlong) -> cython.longlong:
        """Why a new order is refused, or WHY_NONE: translation's reason, bounds, capacities."""
        terms: cython.longlong = self._words[at + W_TERMS]
        why: cython.longlong = (terms >> 56) & 0xFF
        if flags & F_REFUSED:
            return why if why != WHY_NONE else WHY_UNSUPPORTED_TERM
        reference: cython.longlong = self._words[at + W_REF]
        account: cython.longlong = (reference >> 32) & ID_MASK
        if account == 0 or account > self._book.account_capacity:
            return WHY_UNKNOWN_ACCOUNT
        why = self._check_terms(at, reference & ID_MASK)
        if why != WHY_NONE:
            return why
        if self._ids.used == self._ids.capacity:
            return WHY_IDS_FULL
        side: cython.longlong = 2 * (reference & ID_MASK)
        if terms & 0xFF != SIDE_BUY:
            side += 1
        if self._rests(terms) and not self._book.has_room(side, self._words[at + W_PRICE]):
            return WHY_LEVELS_FULL
        return WHY_NONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_terms(self, at: cython.longlong, instrument: cython.longlong) -> cython.longlong:
        """Why the terms of a new order or replacement can't stand. Translation has checked tick
        and lot; what is checked here is what no row may break."""
        if instrument == 0 or instrument > self._book.instrument_capacity:
            return WHY_UNKNOWN_SYMBOL
        record: cython.longlong = instrument * INSTRUMENT_WORDS
        if self._instruments[record + I_KNOWN] == 0:
            return WHY_UNKNOWN_SYMBOL
        marks: cython.longlong = (self._instruments[record + I_DECIMALS] >> 16) & 0xFF
        if marks & (INSTRUMENT_HALTED | INSTRUMENT_OUTSIDE):
            return WHY_HALTED
        terms: cython.longlong = self._words[at + W_TERMS]
        side: cython.longlong = terms & 0xFF
        ord_type: cython.longlong = (terms >> 8) & 0xFF
        time_in_force: cython.longlong = (terms >> 16) & 0xFF
        if side != SIDE_BUY and side != SIDE_SELL:
            if side != SIDE_SELL_SHORT and side != SIDE_SELL_SHORT_EXEMPT:
                return WHY_UNSUPPORTED_TERM
            if not marks & INSTRUMENT_SHORT_MARKING:
                return WHY_UNSUPPORTED_TERM
        if (
            time_in_force != TIF_DAY
            and time_in_force != TIF_GTC
            and time_in_force != TIF_IOC
            and time_in_force != TIF_FOK
        ):
            return WHY_UNSUPPORTED_TERM
        qty: cython.longlong = self._words[at + W_QTY]
        if qty <= 0 or qty > self._instruments[record + I_QTY_MAX]:
            return WHY_BAD_QTY
        if ord_type == TYPE_MARKET:
            return WHY_NONE
        if ord_type != TYPE_LIMIT:
            return WHY_UNSUPPORTED_TERM
        price: cython.longlong = self._words[at + W_PRICE]
        if price <= 0 or price > self._instruments[record + I_PRICE_MAX]:
            return WHY_BAD_PRICE
        return WHY_NONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _rests(self, terms: cython.longlong) -> cython.bint:
        """Whether what such terms leave unfilled goes into the book."""
        time_in_force: cython.longlong = (terms >> 16) & 0xFF
        return (terms >> 8) & 0xFF == TYPE_LIMIT and (
            time_in_force == TIF_DAY or time_in_force == TIF_GTC
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _refuse(
        self,
        row: cython.longlong,
        at: cython.longlong,
        session: cython.longlong,
        flags: cython.longlong,
        found: cython.longlong,
        why: cython.longlong,
    ) -> cython.void:
        """Report a refused new order, and burn its id while the table has room."""
        text: cython.longlong = self._text_flag(row) if flags & F_REFUSED else 0
        offset: cython.longlong = self._reports.none(
            REPORT,
            F_ANSWER | text,
            session,
            row,
            EXEC_REJECTED,
            STATUS_REJECTED,
            self._ord_reasons[why],
            why,
        )
        self._words[offset + W_TERMS_ROW] = row
        self._words[offset + W_ORDER] = row
        self._words[offset + W_ORDER_QTY] = self._words[at + W_QTY]
        if self._ids.used < self._ids.capacity:
            self._ids.put(found, (self._reports.row_at(offset) << 2) | REF_BURNT)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _answer_seen(
        self,
        row: cython.longlong,
        session: cython.longlong,
        flags: cython.longlong,
        found: cython.longlong,
    ) -> cython.void:
        """Answer a new order whose id is known: the present state if it may be a resend, else
        refused as a duplicate, with the state of the order that has the id."""
        if flags & F_POSS_RESEND:
            self._present(found, session, row, 0)
            return
        reference: cython.longlong = self._ids.reference(self._current(found))
        if reference & 3 == REF_LIVE:
            self._reports.live(
                REFUSED_DUPLICATE,
                F_ANSWER,
                session,
                row,
                reference >> 2,
                EXEC_REJECTED,
                self._live_status(reference >> 2),
                self._ord_reasons[WHY_DUPLICATE_ID],
                WHY_DUPLICATE_ID,
            )
        else:
            self._reports.past(
                REFUSED_DUPLICATE,
                F_ANSWER,
                session,
                row,
                reference >> 2,
                EXEC_REJECTED,
                self._ord_reasons[WHY_DUPLICATE_ID],
                WHY_DUPLICATE_ID,
            )

    # --- the sweep ---------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _enter(self, slot: cython.longlong, cause: cython.longlong) -> cython.void:
        """Let an accepted order meet the book."""
        order: cython.longlong = slot * ORDER_WORDS
        self.sweep_slot = slot
        self.sweep_cause = cause
        self.sweep_why = WHY_NONE
        if (self._orders[order + O_META] >> 16) & 0xFF == TIF_FOK and not self._fillable(slot):
            self.sweep_why = WHY_FOK_UNFILLABLE
        self.sweep()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _key_limit(self, slot: cython.longlong) -> cython.longlong:
        """The lowest key of the other side's ladder that an order trades with."""
        order: cython.longlong = slot * ORDER_WORDS
        if (self._orders[order + O_META] >> 8) & 0xFF == TYPE_MARKET:
            return -(cython.cast(cython.longlong, 1) << 62)
        price: cython.longlong = self._orders[order + O_PRICE]
        # A buyer meets asks, whose keys are negative prices.
        return -price if self._orders[order + O_META] & 0xFF == SIDE_BUY else price

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _fillable(self, slot: cython.longlong) -> cython.bint:
        """Whether an order can be filled whole at once by others."""
        order: cython.longlong = slot * ORDER_WORDS
        account: cython.longlong = (self._orders[order + O_REF] >> 32) & ID_MASK
        mode: cython.longlong = self._accounts[account * ACCOUNT_WORDS + A_STP]
        return self._book.available(
            self._book.side_of(slot) ^ 1,
            self._key_limit(slot),
            self._orders[order + O_LEAVES],
            0 if mode == STP_NONE else account,
            mode == STP_CANCEL_OLDEST,
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def sweep(self) -> cython.bint:
        """Go on with the sweep until it ends; False where the batch has no room for a step."""
        slot: cython.longlong = self.sweep_slot
        order: cython.longlong = slot * ORDER_WORDS
        opposite: cython.longlong = self._book.side_of(slot) ^ 1
        limit: cython.longlong = self._key_limit(slot)
        account: cython.longlong = (self._orders[order + O_REF] >> 32) & ID_MASK
        mode: cython.longlong = self._accounts[account * ACCOUNT_WORDS + A_STP]
        passive: cython.longlong
        price: cython.longlong
        while self.sweep_slot:
            passive = 0
            if self.sweep_why == WHY_NONE:
                passive = self._book.best(opposite)
                if passive:
                    price = self._orders[passive * ORDER_WORDS + O_PRICE]
                    if (-price if opposite & 1 else price) < limit:
                        passive = 0
                if passive == 0:
                    if self._rests(self._orders[order + O_META]):
                        self._book.add(slot)
                        self.sweep_slot = 0
                        break
                    self.sweep_why = (
                        WHY_MARKET_REST
                        if (self._orders[order + O_META] >> 8) & 0xFF == TYPE_MARKET
                        else WHY_IOC_REST
                    )
            if self._table.tail + STEP_ROWS > self._table.batch_limit:
                return False
            if passive == 0:
                self.cancel_unasked(slot, self.sweep_cause, self.sweep_why)
            elif (
                mode != STP_NONE
                and (self._orders[passive * ORDER_WORDS + O_REF] >> 32) & ID_MASK == account
            ):
                self._prevent(slot, passive, mode)
            else:
                self._trade(slot, passive)
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _trade(self, slot: cython.longlong, passive: cython.longlong) -> cython.void:
        """One match, at the resting order's price: two adjacent rows, aggressor first."""
        order: cython.longlong = slot * ORDER_WORDS
        rested: cython.longlong = passive * ORDER_WORDS
        price: cython.longlong = self._orders[rested + O_PRICE]
        qty: cython.longlong = self._orders[order + O_LEAVES]
        if self._orders[rested + O_LEAVES] < qty:
            qty = self._orders[rested + O_LEAVES]
        scale: cython.longlong = self._instruments[
            (self._orders[order + O_REF] & ID_MASK) * INSTRUMENT_WORDS + I_SCALE
        ]
        self._orders[order + O_LEAVES] -= qty
        self._book.reduce(passive, qty)
        self._book_fill(order, scale, price, qty)
        self._book_fill(rested, scale, price, qty)
        mine: cython.longlong = self._reports.live(
            REPORT,
            F_AGGRESSOR,
            0,
            self.sweep_cause,
            slot,
            EXEC_TRADE,
            self._live_status(slot),
            NO_REASON,
            WHY_NONE,
        )
        self._reports.put_last(mine, price, qty)
        theirs: cython.longlong = self._reports.live(
            REPORT,
            F_PASSIVE,
            0,
            self.sweep_cause,
            passive,
            EXEC_TRADE,
            self._live_status(passive),
            NO_REASON,
            WHY_NONE,
        )
        self._reports.put_last(theirs, price, qty)
        if self._orders[rested + O_LEAVES] == 0:
            self._book.remove(passive)
            self.close(passive, theirs)
        if self._orders[order + O_LEAVES] == 0:
            self.close(slot, mine)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _prevent(
        self, slot: cython.longlong, passive: cython.longlong, mode: cython.longlong
    ) -> cython.void:
        """Keep an account from trading with itself: one or two rows, aggressor first."""
        cause: cython.longlong = self.sweep_cause
        if mode == STP_CANCEL_NEWEST:
            self.cancel_unasked(slot, cause, WHY_SELF_TRADE)
        elif mode == STP_CANCEL_OLDEST:
            self.cancel_unasked(passive, cause, WHY_SELF_TRADE)
        elif mode == STP_CANCEL_BOTH:
            self.cancel_unasked(slot, cause, WHY_SELF_TRADE)
            self.cancel_unasked(passive, cause, WHY_SELF_TRADE)
        else:
            qty: cython.longlong = self._orders[slot * ORDER_WORDS + O_LEAVES]
            if self._orders[passive * ORDER_WORDS + O_LEAVES] < qty:
                qty = self._orders[passive * ORDER_WORDS + O_LEAVES]
            self._decrement(slot, qty, cause)
            self._decrement(passive, qty, cause)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _decrement(
        self, slot: cython.longlong, qty: cython.longlong, cause: cython.longlong
    ) -> cython.void:
        """Take quantity off an order without a trade: cancelled if nothing is left. One row."""
        order: cython.longlong = slot * ORDER_WORDS
        if self._orders[order + O_LEAVES] == qty:
            self.cancel_unasked(slot, cause, WHY_SELF_TRADE)
            return
        self._book.reduce(slot, qty)
        self._orders[order + O_QTY] -= qty
        self._reports.live(
            REPORT,
            0,
            0,
            cause,
            slot,
            EXEC_RESTATED,
            self._live_status(slot),
            self._restatements[WHY_SELF_TRADE_DECREMENT],
            WHY_SELF_TRADE_DECREMENT,
        )

    # --- cancel and replace ------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_target(
        self, row: cython.longlong, at: cython.longlong, session: cython.longlong
    ) -> cython.longlong:
        """Find the order that a cancel or replacement means; give why it can't be had.

        Leaves its slot in _target_slot, or its last report row in _target_final.
        """
        self._target_slot = 0
        self._target_final = 0
        self._hash_original(row, at, session)
        found: cython.longlong = self._ids.find()
        if found < 0:
            return WHY_UNKNOWN_ORDER
        index: cython.longlong = self._current(found)
        reference: cython.longlong = self._ids.reference(index)
        if reference & 3 == REF_BURNT:
            return WHY_UNKNOWN_ORDER
        order_row: cython.longlong = 0
        if reference & 3 == REF_CLOSED:
            self._target_final = reference >> 2
            if self._table.has_row(self._target_final):
                order_row = self._words[self._table.at(self._target_final) + W_ORDER]
        else:
            self._target_slot = reference >> 2
            order_row = self._orders[self._target_slot * ORDER_WORDS + O_ROW]
        if (self._words[at + W_HEAD] >> 8) & F_ORDER_ID:
            if self._number_item(row, ITEM_ORDER_ID) != order_row:
                return WHY_ID_MISMATCH
        if index != found:
            return WHY_NOT_CURRENT_ID
        if self._target_slot == 0:
            return WHY_TOO_LATE
        order: cython.longlong = self._target_slot * ORDER_WORDS
        side: cython.longlong = self._words[at + W_TERMS] & 0xFF
        # Side 0: the protocol names neither side nor symbol.
        if side and (
            side != self._orders[order + O_META] & 0xFF
            or (self._words[at + W_REF] ^ self._orders[order + O_REF]) & ID_MASK
        ):
            return WHY_TERMS_MISMATCH
        return WHY_NONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _reject_change(
        self,
        row: cython.longlong,
        session: cython.longlong,
        flags: cython.longlong,
        why: cython.longlong,
    ) -> cython.void:
        """Answer a cancel or replacement that is refused; the order stays as it is. One row."""
        answer: cython.longlong = F_ANSWER | (self._text_flag(row) if flags & F_REFUSED else 0)
        reason: cython.longlong = self._cxl_reasons[why]
        if self._target_slot:
            self._reports.live(
                CANCEL_REJECT,
                answer,
                session,
                row,
                self._target_slot,
                0,
                self._live_status(self._target_slot),
                reason,
                why,
            )
        elif self._target_final:
            self._reports.past(
                CANCEL_REJECT, answer, session, row, self._target_final, 0, reason, why
            )
        else:
            self._reports.none(
                CANCEL_REJECT, answer, session, row, 0, STATUS_REJECTED, reason, why
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _answer_change(
        self,
        row: cython.longlong,
        session: cython.longlong,
        slot: cython.longlong,
        exec_type: cython.longlong,
        ord_status: cython.longlong,
    ) -> cython.longlong:
        """Report a cancel or replacement done; give the owner's row. A session that manages the
        account gets a copy of its own, marked so that the change counts once."""
        owner: cython.longlong = (self._orders[slot * ORDER_WORDS + O_META] >> 32) & ID_MASK
        offset: cython.longlong = self._reports.live(
            REPORT,
            F_ANSWER if owner == session else 0,
            owner,
            row,
            slot,
            exec_type,
            ord_status,
            NO_REASON,
            WHY_NONE,
        )
        if owner != session:
            self._reports.live(
                REPORT,
                F_ANSWER | F_OWN,
                session,
                row,
                slot,
                exec_type,
                ord_status,
                NO_REASON,
                WHY_NONE,
            )
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def cancel(self, row: cython.longlong) -> cython.void:
        """Apply a CANCEL row: at most two rows."""
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        why: cython.longlong = self._find_target(row, at, self._owner_session(row, flags, session))
        # An id of its own, where the protocol has one, must be new; a cancel does not use it up.
        if (self._words[at + W_TERMS] >> 32) & 0xFF or flags & F_LONG_ID:
            self._hash_id(row, at, session)
            if self._ids.find() >= 0:
                why = WHY_DUPLICATE_ID
        if flags & F_REFUSED:
            why = (self._words[at + W_TERMS] >> 56) & 0xFF
            if why == WHY_NONE:
                why = WHY_UNSUPPORTED_TERM
        if why != WHY_NONE:
            self._reject_change(row, session, flags, why)
            return
        slot: cython.longlong = self._target_slot
        self._withdraw(slot)
        self.close(slot, self._answer_change(row, session, slot, EXEC_CANCELED, STATUS_CANCELED))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def replace(self, row: cython.longlong) -> cython.void:
        """Apply a REPLACE row: at most two rows, then the sweep where the order lost its place."""
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        terms: cython.longlong = self._words[at + W_TERMS]
        owner: cython.longlong = self._owner_session(row, flags, session)
        why: cython.longlong = self._find_target(row, at, owner)
        slot: cython.longlong = self._target_slot
        self._hash_id(row, at, owner)
        found: cython.longlong = self._ids.find()
        if found >= 0:
            if flags & F_POSS_RESEND:
                self._present(found, session, row, 0)
                return
            why = WHY_DUPLICATE_ID
        elif flags & F_REFUSED:
            why = (terms >> 56) & 0xFF
            if why == WHY_NONE:
                why = WHY_UNSUPPORTED_TERM
        elif why == WHY_NONE:
            why = self._check_replacement(at, slot)
        if why != WHY_NONE:
            self._reject_change(row, session, flags, why)
            return
        order: cython.longlong = slot * ORDER_WORDS
        index: cython.longlong = self._ids.put(found, (slot << 2) | REF_LIVE)
        self._ids.refer(self._orders[order + O_ID], (index << 2) | REF_SUPERSEDED)
        self._orders[order + O_ID] = index
        self._orders[order + O_TERMS] = row
        keeps: cython.bint = self._keeps_place(at, slot)
        cum: cython.longlong = self._orders[order + O_CUM]
        qty: cython.longlong = self._words[at + W_QTY]
        if qty <= cum:
            qty = cum
            self._withdraw(slot)
        elif keeps:
            if qty < self._orders[order + O_QTY]:
                self._book.reduce(slot, self._orders[order + O_QTY] - qty)
        else:
            self._book.lift(slot)
            self._orders[order + O_LEAVES] = qty - cum
        self._orders[order + O_QTY] = qty
        self._orders[order + O_META] = (
            ((self._orders[order + O_META] >> 32) << 32)
            | (terms & 0xFFFF00)
            | (self._orders[order + O_META] & 0xFF)
        )
        if not keeps:
            self._orders[order + O_PRICE] = (
                self._words[at + W_PRICE] if (terms >> 8) & 0xFF == TYPE_LIMIT else 0
            )
        offset: cython.longlong = self._answer_change(
            row, session, slot, EXEC_REPLACED, self._live_status(slot)
        )
        if qty == cum:
            self.close(slot, offset)
        elif not keeps:
            self._enter(slot, row)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_replacement(self, at: cython.longlong, slot: cython.longlong) -> cython.longlong:
        """Why a live order can't be replaced so."""
        order: cython.longlong = slot * ORDER_WORDS
        why: cython.longlong = self._check_terms(at, self._orders[order + O_REF] & ID_MASK)
        if why != WHY_NONE:
            return why
        if self._ids.used == self._ids.capacity:
            return WHY_IDS_FULL
        if (
            self._rests(self._words[at + W_TERMS])
            and not self._keeps_place(at, slot)
            and not self._book.has_room(self._book.side_of(slot), self._words[at + W_PRICE])
        ):
            return WHY_LEVELS_FULL
        return WHY_NONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _keeps_place(self, at: cython.longlong, slot: cython.longlong) -> cython.bint:
        """Whether a replacement leaves price and time priority: same price, no more quantity."""
        order: cython.longlong = slot * ORDER_WORDS
        return (
            self._rests(self._words[at + W_TERMS])
            and self._words[at + W_PRICE] == self._orders[order + O_PRICE]
            and self._words[at + W_QTY] <= self._orders[order + O_QTY]
        )

    # --- status ------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _present(
        self,
        found: cython.longlong,
        session: cython.longlong,
        row: cython.longlong,
        flags: cython.longlong,
    ) -> cython.void:
        """Tell `session` the present state of the order that has an id. One row."""
        reference: cython.longlong = self._ids.reference(self._current(found))
        if reference & 3 == REF_LIVE:
            self._reports.live(
                STATUS_REPORT,
                flags,
                session,
                row,
                reference >> 2,
                EXEC_STATUS,
                self._live_status(reference >> 2),
                NO_REASON,
                WHY_NONE,
            )
        else:
            self._reports.past(
                STATUS_REPORT,
                flags,
                session,
                row,
                reference >> 2,
                EXEC_STATUS,
                NO_REASON,
                WHY_NONE,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def status(self, row: cython.longlong) -> cython.void:
        """Apply a STATUS row: one row, to who asked."""
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        owner: cython.longlong = self._owner_session(row, flags, session)
        named: cython.longlong = 0
        if flags & F_ORDER_ID:
            named = self._number_item(row, ITEM_ORDER_ID)
        own: cython.longlong = 0
        found: cython.longlong = -1
        if (self._words[at + W_TERMS] >> 32) & 0xFF or flags & F_LONG_ID:
            self._hash_id(row, at, owner)
            found = self._ids.find()
        elif named:
            own = F_OWN
            found = self._find_by_row(named, owner)
        if found >= 0 and flags & F_ORDER_ID and self._order_row(found) != named:
            found = -1
        if found >= 0:
            self._present(found, session, row, own)
        else:
            self._reports.none(
                STATUS_REPORT,
                F_ANSWER | own,
                session,
                row,
                EXEC_STATUS,
                STATUS_REJECTED,
                self._ord_reasons[WHY_UNKNOWN_ORDER],
                WHY_UNKNOWN_ORDER,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _find_by_row(self, brought: cython.longlong, session: cython.longlong) -> cython.longlong:
        """Index of the id that a session's NEW_ORDER row brought; below 0: there is none."""
        if session == 0 or not self._table.has_row(brought):
            return -1
        at: cython.longlong = self._table.at(brought)
        head: cython.longlong = self._words[at + W_HEAD]
        if head & 0xFF != NEW_ORDER or (head >> 32) & ID_MASK != session:
            return -1
        self._hash_id(brought, at, session)
        return self._ids.find()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _order_row(self, found: cython.longlong) -> cython.longlong:
        """OrderID of the order that has an id, 0 where it is no longer known."""
        reference: cython.longlong = self._ids.reference(self._current(found))
        if reference & 3 == REF_LIVE:
            return self._orders[(reference >> 2) * ORDER_WORDS + O_ROW]
        if self._table.has_row(reference >> 2):
            return self._words[self._table.at(reference >> 2) + W_ORDER]
        return 0

    # --- busts and corrections ---------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def amend_fill(self, row: cython.longlong) -> cython.void:
        """Apply a BUST or CORRECT row: one row to the order's owner, or none where the fill
        named can't be the order's."""
        at: cython.longlong = self._table.at(row)
        kind: cython.longlong = self._words[at + W_HEAD] & 0xFF
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        session: cython.longlong = self._owner_session(
            row, flags, (self._words[at + W_HEAD] >> 32) & ID_MASK
        )
        self._hash_id(row, at, session)
        found: cython.longlong = self._ids.find()
        reference: cython.longlong = REF_BURNT
        if found >= 0:
            found = self._current(found)
            reference = self._ids.reference(found)
        new_qty: cython.longlong = 0
        new_price: cython.longlong = 0
        if kind != BUST:
            new_qty = self._words[at + W_NEW_QTY]
            new_price = self._words[at + W_NEW_PRICE]
        offset: cython.longlong = -1
        if reference & 3 == REF_LIVE:
            offset = self._amend_live(row, at, reference >> 2, new_qty, new_price)
        elif reference & 3 == REF_CLOSED:
            offset = self._amend_past(row, at, reference >> 2, new_qty, new_price)
            if offset >= 0:
                self._ids.refer(found, (self._reports.row_at(offset) << 2) | REF_CLOSED)
        if offset < 0:
            self.ignored += 1
        elif kind == BUST:
            self._reports.put_last(
                offset, self._words[at + W_FILL_PRICE], self._words[at + W_FILL_QTY]
            )
        else:
            self._reports.put_last(offset, new_price, new_qty)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _amended_sum(
        self,
        at: cython.longlong,
        cum: cython.longlong,
        total: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        """The sum of price x quantity with one fill changed; -1 where that can't be."""
        qty: cython.longlong = self._words[at + W_FILL_QTY]
        price: cython.longlong = self._words[at + W_FILL_PRICE]
        bound: cython.longlong = (cython.cast(cython.longlong, 1) << 62) - 1
        if qty <= 0 or qty > cum or price <= 0 or total < 0 or price > total // qty:
            return -1
        if new_qty < 0 or new_price < 0 or (new_qty > 0 and new_price > bound // new_qty):
            return -1
        total -= price * qty
        return -1 if total > bound - new_price * new_qty else total + new_price * new_qty

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _amend_live(
        self,
        row: cython.longlong,
        at: cython.longlong,
        slot: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        order: cython.longlong = slot * ORDER_WORDS
        record: cython.longlong = (self._orders[order + O_REF] & ID_MASK) * INSTRUMENT_WORDS
        total: cython.longlong = self._amended_sum(
            at, self._orders[order + O_CUM], self._orders[order + O_SUM], new_qty, new_price
        )
        if total < 0 or new_price > self._instruments[record + I_PRICE_WIDEST]:
            return -1
        change: cython.longlong = new_qty - self._words[at + W_FILL_QTY]
        cum: cython.longlong = self._orders[order + O_CUM] + change
        if self._orders[order + O_QTY] + change > self._instruments[record + I_QTY_WIDEST]:
            return -1
        self._orders[order + O_CUM] = cum
        self._orders[order + O_QTY] += change
        self._orders[order + O_SUM] = total
        self._orders[order + O_AVG] = self._average(
            total, cum, self._instruments[record + I_SCALE]
        )
        bust: cython.bint = self._words[at + W_HEAD] & 0xFF == BUST
        return self._reports.live(
            REPORT,
            self._text_flag(row),
            0,
            row,
            slot,
            EXEC_BUST if bust else EXEC_CORRECT,
            self._live_status(slot),
            NO_REASON,
            WHY_BUST if bust else WHY_CORRECT,
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _amend_past(
        self,
        row: cython.longlong,
        at: cython.longlong,
        final_row: cython.longlong,
        new_qty: cython.longlong,
        new_price: cython.longlong,
    ) -> cython.longlong:
        if not self._table.has_row(final_row):
            return -1
        final: cython.longlong = self._table.at(final_row)
        terms_row: cython.longlong = self._words[final + W_TERMS_ROW]
        if not self._table.has_row(terms_row):
            return -1
        instrument: cython.longlong = (
            self._words[self._table.at(self._words[final + W_ORDER]) + W_REF] & ID_MASK
        )
        record: cython.longlong = instrument * INSTRUMENT_WORDS
        old_cum: cython.longlong = self._words[final + W_CUM_QTY]
        total: cython.longlong = self._amended_sum(
            at, old_cum, self._words[at + W_FILL_SUM], new_qty, new_price
        )
        cum: cython.longlong = old_cum - self._words[at + W_FILL_QTY] + new_qty
        if (
            total < 0
            or cum > self._instruments[record + I_QTY_WIDEST]
            or total > cum * self._instruments[record + I_PRICE_WIDEST]
        ):
            return -1
        bust: cython.bint = self._words[at + W_HEAD] & 0xFF == BUST
        offset: cython.longlong = self._reports.past(
            REPORT,
            self._text_flag(row),
            (self._words[final + W_HEAD] >> 32) & ID_MASK,
            row,
            final_row,
            EXEC_BUST if bust else EXEC_CORRECT,
            NO_REASON,
            WHY_BUST if bust else WHY_CORRECT,
        )
        self._words[offset + W_CUM_QTY] = cum
        self._words[offset + W_AVG_PX] = self._average(
            total, cum, self._instruments[record + I_SCALE]
        )
        # What a bust takes from a filled order is not worked again.
        if (self._words[offset + W_STATE] >> 8) & 0xFF == STATUS_FILLED and cum < self._words[
            offset + W_ORDER_QTY
        ]:
            self._words[offset + W_STATE] += (STATUS_CANCELED - STATUS_FILLED) << 8
        return offset
