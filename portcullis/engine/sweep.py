"""One order meets the book: fills, self-trade prevention, and how an order ends.

Owns the sweep at work, one at a time, and what every end of an order has to do. Must not know
commands. While `slot` is set, nothing else may be applied: the sweep goes step by step, stops
where the batch has no room, and goes on in the next run. An accepted order sweeps (one F each side
per match, aggressor first), then rests or is cancelled.

Choices where the rules leave one:
- Cancel-newest cancels the aggressor where it meets an own order; what stands behind that order
  is not reached. Fill-or-kill counts others' orders up to there, or past it under cancel-oldest.
- Decrement takes the smaller open quantity off both; the one left with nothing is cancelled, the
  other restated with its OrderQty lowered.

Invariants: OrderQty = CumQty + LeavesQty of a live order; CumQty x price stays below 2^62, since
instruments bound price, quantity and their product (`matcher`), so the exact sum fits one word.
Why bounds checks are off below: slots come from the book, instruments and accounts of live orders
were range-checked when they entered.
Specification: docs/rules-of-engagement.md, "Reports".
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
    from cython.cimports.portcullis.engine.expiries import Expiries
    from cython.cimports.portcullis.engine.ids import IdTable
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.reports import Reports
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.book import Book
    from portcullis.engine.expiries import Expiries
    from portcullis.engine.ids import IdTable
    from portcullis.engine.layout import *
    from portcullis.engine.reports import Reports
    from portcullis.engine.why import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class Sweep:
    """Matches one aggressor at a time in `book`, and reports through `reports`.

    instruments: the matcher's records of instruments.
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
        self._book = book
        self._orders = book.orders
        self._accounts = book.accounts
        self._ids = ids
        self._reports = reports
        self._instruments = instruments
        self._restatements = memoryview(bytearray(8 * 256)).cast("q")
        for code in range(256):
            restatement = WHYS[code].restatement if code in WHYS else None
            self._restatements[code] = NO_REASON if restatement is None else restatement
        self.expiries = Expiries(book.order_capacity)
        # The order at work, 0: none; the row that set it going; why its rest is cancelled.
        self.slot = 0
        self.cause = 0
        self.why = WHY_NONE
        # Next order a mass command will look at; moves on when that order ends.
        self.mass_slot = 0
        # The same for the end of a day.
        self.day_slot = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def status(self, slot: cython.longlong) -> cython.longlong:
        if self._orders[slot * ORDER_WORDS + O_CUM] == 0:
            return STATUS_NEW
        if self._orders[slot * ORDER_WORDS + O_LEAVES] == 0:
            return STATUS_FILLED
        return STATUS_PARTLY_FILLED

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def rests(self, terms: cython.longlong) -> cython.bint:
        """Whether what such terms leave unfilled goes into the book."""
        time_in_force: cython.longlong = (terms >> 16) & 0xFF
        return (terms >> 8) & 0xFF == TYPE_LIMIT and (
            time_in_force == TIF_DAY or time_in_force == TIF_GTC
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def average(
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
            price * scale if price * cum == total else self.average(total, cum, scale)
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
        if slot == self.day_slot:
            self.day_slot = self._orders[order + O_ACCOUNT_NEXT]
        if slot == self.slot:
            self.slot = 0
        if self._orders[order + O_META] & META_EXPIRES:
            self.expiries.drop(slot)
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
    ) -> cython.longlong:
        """Cancel an order by a rule or another's command, and tell its owner: one row.

        Give its word offset.
        """
        self.withdraw(slot)
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
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def withdraw(self, slot: cython.longlong) -> cython.void:
        """Out of the book, with nothing left open."""
        if self._orders[slot * ORDER_WORDS + O_LEVEL]:
            self._book.remove(slot)
        self._orders[slot * ORDER_WORDS + O_LEAVES] = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def enter(self, slot: cython.longlong, cause: cython.longlong) -> cython.void:
        """Let an accepted order meet the book."""
        order: cython.longlong = slot * ORDER_WORDS
        self.slot = slot
        self.cause = cause
        self.why = WHY_NONE
        if (self._orders[order + O_META] >> 16) & 0xFF == TIF_FOK and not self._fillable(slot):
            self.why = WHY_FOK_UNFILLABLE
        self.go_on()

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
    def go_on(self) -> cython.bint:
        """Go on with the sweep until it ends; False where the batch has no room for a step."""
        slot: cython.longlong = self.slot
        order: cython.longlong = slot * ORDER_WORDS
        opposite: cython.longlong = self._book.side_of(slot) ^ 1
        limit: cython.longlong = self._key_limit(slot)
        account: cython.longlong = (self._orders[order + O_REF] >> 32) & ID_MASK
        mode: cython.longlong = self._accounts[account * ACCOUNT_WORDS + A_STP]
        passive: cython.longlong
        price: cython.longlong
        while self.slot:
            passive = 0
            if self.why == WHY_NONE:
                passive = self._book.best(opposite)
                if passive:
                    price = self._orders[passive * ORDER_WORDS + O_PRICE]
                    if (-price if opposite & 1 else price) < limit:
                        passive = 0
                if passive == 0:
                    if self.rests(self._orders[order + O_META]):
                        self._book.add(slot)
                        self.slot = 0
                        break
                    self.why = (
                        WHY_MARKET_REST
                        if (self._orders[order + O_META] >> 8) & 0xFF == TYPE_MARKET
                        else WHY_IOC_REST
                    )
            if self._table.tail + STEP_ROWS > self._table.batch_limit:
                return False
            if passive == 0:
                self.cancel_unasked(slot, self.cause, self.why)
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
            self.cause,
            slot,
            EXEC_TRADE,
            self.status(slot),
            NO_REASON,
            WHY_NONE,
        )
        self._reports.put_last(mine, price, qty)
        theirs: cython.longlong = self._reports.live(
            REPORT,
            F_PASSIVE,
            0,
            self.cause,
            passive,
            EXEC_TRADE,
            self.status(passive),
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
        """Keep an account from trading with itself: one or two rows, aggressor first.

        Each names the trade prevented where a fill has its own.
        """
        cause: cython.longlong = self.cause
        price: cython.longlong = self._orders[passive * ORDER_WORDS + O_PRICE]
        qty: cython.longlong = self._orders[slot * ORDER_WORDS + O_LEAVES]
        if self._orders[passive * ORDER_WORDS + O_LEAVES] < qty:
            qty = self._orders[passive * ORDER_WORDS + O_LEAVES]
        if mode == STP_DECREMENT:
            self._reports.put_last(self._decrement(slot, qty, cause), price, qty)
            self._reports.put_last(self._decrement(passive, qty, cause), price, qty)
            return
        if mode != STP_CANCEL_OLDEST:
            self._reports.put_last(self.cancel_unasked(slot, cause, WHY_SELF_TRADE), price, qty)
        if mode != STP_CANCEL_NEWEST:
            self._reports.put_last(self.cancel_unasked(passive, cause, WHY_SELF_TRADE), price, qty)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _decrement(
        self, slot: cython.longlong, qty: cython.longlong, cause: cython.longlong
    ) -> cython.longlong:
        """Take quantity off an order without a trade: cancelled if nothing is left. One row."""
        order: cython.longlong = slot * ORDER_WORDS
        if self._orders[order + O_LEAVES] == qty:
            return self.cancel_unasked(slot, cause, WHY_SELF_TRADE)
        self._book.reduce(slot, qty)
        self._orders[order + O_QTY] -= qty
        return self._reports.live(
            REPORT,
            0,
            0,
            cause,
            slot,
            EXEC_RESTATED,
            self.status(slot),
            self._restatements[WHY_SELF_TRADE_DECREMENT],
            WHY_SELF_TRADE_DECREMENT,
        )
