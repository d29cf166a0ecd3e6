"""Commands upon one order: what the rules of the venue make of each.

Owns new, cancel and replace of single orders; `status` tells what one is. Must not know FIX,
sessions' business beyond their numbers, nor commands over many orders. Each command takes at most
two rows; then the sweep may go on. An order is accepted (report 0) before it meets the book.

Choices where the rules leave one:
- A refused new order has an OrderID, the number of its own row, and burns its id.
- A replacement to a total at or below CumQty is accepted as "stop now": OrderQty becomes CumQty,
  status filled (FIX order state matrices, C.3.b and C.3.c).
- A change that another session asks for, since it manages the account, is reported to the owner
  and again to the asker; the second report carries F_OWN, so that the change counts once.

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
    from cython.cimports.portcullis.engine.keys import OrderKeys
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.reports import Reports
    from cython.cimports.portcullis.engine.status import StatusAnswers
    from cython.cimports.portcullis.engine.sweep import Sweep
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.book import Book
    from portcullis.engine.ids import IdTable
    from portcullis.engine.keys import OrderKeys
    from portcullis.engine.layout import *
    from portcullis.engine.reports import Reports
    from portcullis.engine.status import StatusAnswers
    from portcullis.engine.sweep import Sweep
    from portcullis.engine.why import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class Orders:
    """Applies NEW_ORDER, CANCEL, MODIFY and REPLACE rows."""

    def __init__(
        self,
        table: RowTable,
        book: Book,
        keys: OrderKeys,
        sweep: Sweep,
        ids: IdTable,
        reports: Reports,
        instruments: memoryview[int],
        status: StatusAnswers,
    ) -> None:
        self._table = table
        self._words = table.words
        self._book = book
        self._orders = book.orders
        self._keys = keys
        self._sweep = sweep
        self._ids = ids
        self._reports = reports
        self._instruments = instruments
        self._status = status
        self._managed_restatement = WHYS[WHY_MANAGED].restatement or 0
        self._ord_reasons = memoryview(bytearray(8 * 256)).cast("q")
        self._cxl_reasons = memoryview(bytearray(8 * 256)).cast("q")
        for code in range(256):
            entry = WHYS.get(code, WHYS[0])
            self._ord_reasons[code] = entry.ord_rej_reason
            self._cxl_reasons[code] = entry.cxl_rej_reason
        # The order a cancel or replacement means: its slot, or its last report row once it ended.
        self._target_slot = 0
        self._target_final = 0

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
        self._keys.hash_id(row, at, session)
        found: cython.longlong = self._keys.find()
        if found >= 0:
            self._answer_seen(row, session, flags, found)
            return
        why: cython.longlong = self._check_new(at, flags)
        is_ouch: cython.bint = self._reports.is_ouch(session)
        if is_ouch and self._reports.is_closing:
            why = WHY_CLOSED
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
        if is_ouch:
            self._set_expiry(slot, at)
        self._book.enlist(slot)
        self._instruments[(self._words[at + W_REF] & ID_MASK) * INSTRUMENT_WORDS + I_ORDERS] += 1
        self._reports.live(
            REPORT, F_ANSWER, session, row, slot, EXEC_NEW, STATUS_NEW, NO_REASON, WHY_NONE
        )
        self._sweep.enter(slot, row)

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
        why = self._check_terms(
            terms, self._words[at + W_QTY], self._words[at + W_PRICE], reference & ID_MASK
        )
        if why != WHY_NONE:
            return why
        if self._ids.used >= self._ids.capacity:
            return WHY_IDS_FULL
        side: cython.longlong = 2 * (reference & ID_MASK)
        if terms & 0xFF != SIDE_BUY:
            side += 1
        if self._sweep.rests(terms) and not self._book.has_room(side, self._words[at + W_PRICE]):
            return WHY_LEVELS_FULL
        return WHY_NONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_terms(
        self,
        terms: cython.longlong,
        qty: cython.longlong,
        price: cython.longlong,
        instrument: cython.longlong,
    ) -> cython.longlong:
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
        if qty <= 0 or qty > self._instruments[record + I_QTY_MAX]:
            return WHY_BAD_QTY
        if ord_type == TYPE_MARKET:
            return WHY_NONE
        if ord_type != TYPE_LIMIT:
            return WHY_UNSUPPORTED_TERM
        if price <= 0 or price > self._instruments[record + I_PRICE_MAX]:
            return WHY_BAD_PRICE
        return WHY_NONE

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
        text: cython.longlong = self._reports.text_flag(row) if flags & F_REFUSED else 0
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
            self._status.present(found, session, row, 0)
            return
        reference: cython.longlong = self._ids.reference(self._ids.current(found))
        if reference & 3 == REF_LIVE:
            self._reports.live(
                REFUSED_DUPLICATE,
                F_ANSWER,
                session,
                row,
                reference >> 2,
                EXEC_REJECTED,
                self._sweep.status(reference >> 2),
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
        self._keys.hash_original(row, at, session)
        found: cython.longlong = self._keys.find()
        if found < 0:
            return WHY_UNKNOWN_ORDER
        index: cython.longlong = self._ids.current(found)
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
            if self._keys.number_item(row, ITEM_ORDER_ID) != order_row:
                return WHY_ID_MISMATCH
        if index != found:
            return WHY_NOT_CURRENT_ID
        if self._target_slot == 0:
            return WHY_TOO_LATE
        order: cython.longlong = self._target_slot * ORDER_WORDS
        side: cython.longlong = self._words[at + W_TERMS] & 0xFF
        # Side 0: the message names neither side nor symbol; shares: nor does OUCH.
        if (
            side
            and not (self._words[at + W_HEAD] >> 8) & F_SHARES
            and (
                side != self._orders[order + O_META] & 0xFF
                or (self._words[at + W_REF] ^ self._orders[order + O_REF]) & ID_MASK
            )
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
        answer: cython.longlong = F_ANSWER | (
            self._reports.text_flag(row) if flags & F_REFUSED else 0
        )
        reason: cython.longlong = self._cxl_reasons[why]
        if self._target_slot:
            self._reports.live(
                CANCEL_REJECT,
                answer,
                session,
                row,
                self._target_slot,
                0,
                self._sweep.status(self._target_slot),
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
        is_own: cython.bint = owner == session
        offset: cython.longlong = self._reports.live(
            REPORT,
            F_ANSWER if is_own else 0,
            owner,
            row,
            slot,
            exec_type,
            ord_status,
            NO_REASON if is_own else self._managed_restatement,
            WHY_NONE if is_own else WHY_MANAGED,
        )
        if not is_own:
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
        why: cython.longlong = self._find_target(
            row, at, self._keys.owner_session(row, flags, session)
        )
        # An id of its own, where the protocol has one, must be new; a cancel does not use it up.
        if (self._words[at + W_TERMS] >> 32) & 0xFF or flags & F_LONG_ID:
            self._keys.hash_id(row, at, session)
            if self._keys.find() >= 0:
                why = WHY_DUPLICATE_ID
        if flags & F_REFUSED:
            why = (self._words[at + W_TERMS] >> 56) & 0xFF
            if why == WHY_NONE:
                why = WHY_UNSUPPORTED_TERM
        if why != WHY_NONE:
            self._reject_change(row, session, flags, why)
            return
        slot: cython.longlong = self._target_slot
        if flags & F_SHARES and self._words[at + W_QTY]:
            self._shrink(row, at, session, slot)
            return
        self._sweep.withdraw(slot)
        self._sweep.close(
            slot, self._answer_change(row, session, slot, EXEC_CANCELED, STATUS_CANCELED)
        )

    # --- orders of OUCH: sizes in shares, and changes that FIX does not have ---------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _set_expiry(self, slot: cython.longlong, at: cython.longlong) -> cython.void:
        """Let an order's time run out as the row at `at` says: so many seconds after it."""
        order: cython.longlong = slot * ORDER_WORDS
        seconds: cython.longlong = self._words[at + W_OUCH] & 0xFFFFFF
        if 0 < seconds < OUCH_DAY_SECONDS:
            self._orders[order + O_META] |= META_EXPIRES
            self._sweep.expiries.put(slot, self._words[at + W_TIME] + seconds * 1_000_000_000)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _size(self, at: cython.longlong, slot: cython.longlong) -> cython.longlong:
        """What the shares of the row at `at` are in the units of an order's instrument; more than
        any order has, where they are too many."""
        record: cython.longlong = (
            self._orders[slot * ORDER_WORDS + O_REF] & ID_MASK
        ) * INSTRUMENT_WORDS
        shares: cython.longlong = self._words[at + W_QTY]
        # The instrument is known: its lot is from 1.
        lot: cython.longlong = self._instruments[record + I_LOT]
        if shares > self._instruments[record + I_QTY_WIDEST] // lot:
            return self._instruments[record + I_QTY_WIDEST] + 1
        return shares * lot

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _shrink(
        self,
        row: cython.longlong,
        at: cython.longlong,
        session: cython.longlong,
        slot: cython.longlong,
    ) -> cython.void:
        """Lower an order's size to that of the row, down to what is executed. One row."""
        order: cython.longlong = slot * ORDER_WORDS
        size: cython.longlong = self._size(at, slot)
        cum: cython.longlong = self._orders[order + O_CUM]
        if size >= self._orders[order + O_QTY]:
            self._reject_change(row, session, 0, WHY_NOT_LESS)
            return
        if size <= cum:
            self._sweep.withdraw(slot)
            self._sweep.close(
                slot, self._answer_change(row, session, slot, EXEC_CANCELED, STATUS_CANCELED)
            )
            return
        loss: cython.longlong = self._orders[order + O_QTY] - size
        self._book.reduce(slot, loss)
        self._orders[order + O_QTY] = size
        self._reports.put_last(
            self._answer_change(row, session, slot, EXEC_RESTATED, self._sweep.status(slot)),
            0,
            loss,
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def modify(self, row: cython.longlong) -> cython.void:
        """Apply a MODIFY row: another side among sales, and no larger size. One row."""
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        side: cython.longlong = self._words[at + W_TERMS] & 0xFF
        # The side named is the one wanted, not one to be looked for.
        why: cython.longlong = self._find_target(row, at, session)
        slot: cython.longlong = self._target_slot
        order: cython.longlong = slot * ORDER_WORDS
        size: cython.longlong = 0
        if why == WHY_NONE:
            size = self._size(at, slot)
            why = self._check_side(slot, side)
        if why == WHY_NONE and size > self._orders[order + O_QTY]:
            why = WHY_BAD_QTY
        if why == WHY_NONE and size <= self._orders[order + O_CUM]:
            why = WHY_QTY_BELOW_CUM
        if why != WHY_NONE:
            self._reject_change(row, session, 0, why)
            return
        if size < self._orders[order + O_QTY]:
            self._book.reduce(slot, self._orders[order + O_QTY] - size)
            self._orders[order + O_QTY] = size
        self._orders[order + O_META] = ((self._orders[order + O_META] >> 8) << 8) | side
        self._answer_change(row, session, slot, EXEC_RESTATED, self._sweep.status(slot))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_side(self, slot: cython.longlong, side: cython.longlong) -> cython.longlong:
        """Why an order can't have another side: a sale may become another kind of sale."""
        order: cython.longlong = slot * ORDER_WORDS
        now: cython.longlong = self._orders[order + O_META] & 0xFF
        if side == now:
            return WHY_NONE
        if now == SIDE_BUY:
            return WHY_SIDE
        if side == SIDE_SELL:
            return WHY_NONE
        if side != SIDE_SELL_SHORT and side != SIDE_SELL_SHORT_EXEMPT:
            return WHY_SIDE
        instrument: cython.longlong = self._orders[order + O_REF] & ID_MASK
        marks: cython.longlong = (
            self._instruments[instrument * INSTRUMENT_WORDS + I_DECIMALS] >> 16
        )
        return WHY_NONE if marks & INSTRUMENT_SHORT_MARKING else WHY_SIDE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _replace_shares(self, row: cython.longlong) -> cython.void:
        """Apply a REPLACE row of OUCH: one row, then the sweep, for the order loses its place.

        What can't be replaced is passed over, what can't be so is cancelled, and the new token is
        free as before. (OUCH 4.2, "Replace Order": four outcomes.)
        """
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        why: cython.longlong = self._find_target(row, at, session)
        slot: cython.longlong = self._target_slot
        order: cython.longlong = slot * ORDER_WORDS
        self._keys.hash_id(row, at, session)
        found: cython.longlong = self._keys.find()
        if found >= 0:
            why = WHY_DUPLICATE_ID
        if why != WHY_NONE:
            self._reject_change(row, session, 0, why)
            return
        instrument: cython.longlong = self._orders[order + O_REF] & ID_MASK
        record: cython.longlong = instrument * INSTRUMENT_WORDS
        terms: cython.longlong = self._words[at + W_TERMS] | (self._orders[order + O_META] & 0xFF)
        qty: cython.longlong = self._size(at, slot)
        cum: cython.longlong = self._orders[order + O_CUM]
        price: cython.longlong = 0
        if flags & F_REFUSED:
            why = (terms >> 56) & 0xFF
        elif self._reports.is_closing:
            why = WHY_CLOSED
        elif (terms >> 8) & 0xFF == TYPE_LIMIT:
            # Below 2^62: a price of four decimals has 31 bits, and I_OUCH_UP is at most 10^4.
            price = self._words[at + W_PRICE] * self._instruments[record + I_OUCH_UP]
            if price % self._instruments[record + I_OUCH_DOWN]:
                why = WHY_TICK
            else:
                price = price // self._instruments[record + I_OUCH_DOWN]
                if price % self._instruments[record + I_TICK]:
                    why = WHY_TICK
        if why == WHY_NONE and self._ids.used >= self._ids.capacity:
            why = WHY_IDS_FULL
        if why == WHY_NONE:
            why = self._check_terms(terms, qty, price, instrument)
        if why == WHY_NONE and qty <= cum:
            why = WHY_QTY_BELOW_CUM
        if (
            why == WHY_NONE
            and self._sweep.rests(terms)
            and not self._book.has_room(self._book.side_of(slot), price)
        ):
            why = WHY_LEVELS_FULL
        if why != WHY_NONE:
            self._sweep.cancel_unasked(slot, row, why)
            return
        index: cython.longlong = self._ids.put(found, (slot << 2) | REF_LIVE)
        self._ids.refer(self._orders[order + O_ID], (index << 2) | REF_SUPERSEDED)
        if self._orders[order + O_META] & META_EXPIRES:
            self._sweep.expiries.drop(slot)
        self._orders[order + O_ID] = index
        self._orders[order + O_TERMS] = row
        self._book.lift(slot)
        self._orders[order + O_QTY] = qty
        self._orders[order + O_LEAVES] = qty - cum
        self._orders[order + O_PRICE] = price
        self._orders[order + O_META] = (terms & 0xFFFFFF) | (session << 32)
        self._set_expiry(slot, at)
        self._answer_change(row, session, slot, EXEC_REPLACED, self._sweep.status(slot))
        self._sweep.enter(slot, row)

    # --- replacements ----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def replace(self, row: cython.longlong) -> cython.void:
        """Apply a REPLACE row: at most two rows, then the sweep where the order lost its place."""
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        flags: cython.longlong = (self._words[at + W_HEAD] >> 8) & 0xFF
        if flags & F_SHARES:
            self._replace_shares(row)
            return
        terms: cython.longlong = self._words[at + W_TERMS]
        owner: cython.longlong = self._keys.owner_session(row, flags, session)
        why: cython.longlong = self._find_target(row, at, owner)
        if why == WHY_NONE and self._reports.is_ouch(owner):
            why = WHY_OTHER_DOOR
        slot: cython.longlong = self._target_slot
        self._keys.hash_id(row, at, owner)
        found: cython.longlong = self._keys.find()
        if found >= 0:
            if flags & F_POSS_RESEND:
                self._status.present(found, session, row, 0)
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
            self._sweep.withdraw(slot)
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
            row, session, slot, EXEC_REPLACED, self._sweep.status(slot)
        )
        if qty == cum:
            self._sweep.close(slot, offset)
        elif not keeps:
            self._sweep.enter(slot, row)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_replacement(self, at: cython.longlong, slot: cython.longlong) -> cython.longlong:
        """Why a live order can't be replaced so."""
        order: cython.longlong = slot * ORDER_WORDS
        account: cython.longlong = self._words[at + W_REF] >> 32
        # Account 0: none is named, and the order keeps its own.
        if account != 0 and account != self._orders[order + O_REF] >> 32:
            return WHY_TERMS_MISMATCH
        why: cython.longlong = self._check_terms(
            self._words[at + W_TERMS],
            self._words[at + W_QTY],
            self._words[at + W_PRICE],
            self._orders[order + O_REF] & ID_MASK,
        )
        if why != WHY_NONE:
            return why
        if self._ids.used >= self._ids.capacity:
            return WHY_IDS_FULL
        if (
            self._sweep.rests(self._words[at + W_TERMS])
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
            self._sweep.rests(self._words[at + W_TERMS])
            and self._words[at + W_PRICE] == self._orders[order + O_PRICE]
            and self._words[at + W_QTY] <= self._orders[order + O_QTY]
        )
