"""Output rows to OUCH 4.2, each the message that `engine.messages` says it has.

Owns the way from a row number to a message. A message is written from rows alone, so a rewind
gives the same bytes again. Times are nanoseconds since midnight UTC of the row's time; an order's
reference number is that of the row whose terms are in force, so a replacement has a new one; a
match number is the row of the fill's aggressor, as in FIX.

Must not know sockets or the book. Spec: OUCH 4.2; docs/rules-of-engagement.md, "OUCH".
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

from portcullis.engine import why as whys

if cython.compiled:
    from cython.cimports.portcullis.codecs.ouch.encoder import OuchEncoder
    from cython.cimports.portcullis.dictionaries.ouch_offsets import PRICE_MARKET
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.why import WHY_SELF_TRADE, WHY_SELF_TRADE_DECREMENT
    from cython.cimports.portcullis.gateway.catalog import (
        I_LOT,
        INSTRUMENT_WORDS,
        S_DOWN,
        S_STOCK,
        S_UP,
        SCALE_WORDS,
        Catalog,
    )
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.ouch.encoder import OuchEncoder
    from portcullis.dictionaries.ouch_offsets import PRICE_MARKET
    from portcullis.engine.layout import *
    from portcullis.engine.why import WHY_SELF_TRADE, WHY_SELF_TRADE_DECREMENT
    from portcullis.gateway.catalog import (
        I_LOT,
        INSTRUMENT_WORDS,
        S_DOWN,
        S_STOCK,
        S_UP,
        SCALE_WORDS,
        Catalog,
    )
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

CAPACITY = 1 << 20
ROWS = 4096
PACKET_BYTES_MAX = 83

# OUCH 4.2, reject reasons and cancel reasons. What is not named: O, other; U, by the user.
REJECT_REASONS = {
    whys.WHY_UNKNOWN_SYMBOL: "S",
    whys.WHY_HALTED: "H",
    whys.WHY_CLOSED: "C",
    whys.WHY_BAD_QTY: "Z",
    whys.WHY_DISPLAY: "D",
    whys.WHY_FIRM: "L",
    whys.WHY_CROSS: "R",
    whys.WHY_MINIMUM: "N",
    whys.WHY_BAD_PRICE: "X",
    whys.WHY_TICK: "X",
}
CANCEL_REASONS = {
    whys.WHY_IOC_REST: "I",
    whys.WHY_FOK_UNFILLABLE: "I",
    whys.WHY_MARKET_REST: "I",
    whys.WHY_TIME_OUT: "T",
    whys.WHY_OPERATOR: "S",
    whys.WHY_KILL_SWITCH: "S",
    whys.WHY_DISCONNECT: "S",
    whys.WHY_DAY_END: "E",
    whys.WHY_CLOSED: "E",
    whys.WHY_HALTED: "H",
}
# What these codes, and those of a replacement that could not be, leave unsaid is for the log; the
# rest say it all.
SAID_WHOLE = frozenset(
    (
        whys.WHY_UNKNOWN_SYMBOL,
        whys.WHY_DISPLAY,
        whys.WHY_FIRM,
        whys.WHY_CROSS,
        whys.WHY_MINIMUM,
        whys.WHY_CLOSED,
        whys.WHY_IOC_REST,
        whys.WHY_TIME_OUT,
        whys.WHY_DAY_END,
        whys.WHY_SELF_TRADE,
        whys.WHY_SELF_TRADE_DECREMENT,
        whys.WHY_BUST,
    )
)


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class OuchReports:
    """Encodes output rows of `table` as Sequenced Data packets, for one session at a time.

    Fill `rows` with the numbers of a session's rows, ascending; `encode` them; `take` the bytes.
    No bounds checks: `encode` looks at each number that comes from outside, and at the lowest row
    that its message is written from; rows name only rows before them.
    """

    def __init__(self, table: RowTable, catalog: Catalog, *, row_capacity: int = ROWS) -> None:
        self._table = table
        self._words = table.words
        self._catalog = catalog
        self._out = OuchEncoder(CAPACITY)
        self.rows = memoryview(array("q", bytes(8 * row_capacity)))
        self._reject_reasons = memoryview(
            array("q", [ord(REJECT_REASONS.get(code, "O")) for code in range(256)])
        )
        self._cancel_reasons = memoryview(
            array("q", [ord(CANCEL_REASONS.get(code, "U")) for code in range(256)])
        )

    def take(self) -> bytes:
        """The bytes encoded since the last call, as an object of their own."""
        return self._out.take()

    def encode(self, first: int, count: int, byte_budget: int) -> int:
        """Encode rows[first : first + count]; give the next position.

        Stops when the call has brought `byte_budget` bytes or more; at least one message is
        written, so a cursor always moves. IndexError names a row that is not there.
        """
        index: cython.longlong
        begin: cython.longlong = first
        end: cython.longlong = begin + count
        stop: cython.longlong = self._out.length + byte_budget
        if not 0 <= begin <= end <= len(self.rows):
            raise IndexError(f"no rows {first} to {end} of {len(self.rows)}")
        self._out.reserve(min(count * PACKET_BYTES_MAX, byte_budget + PACKET_BYTES_MAX))
        for index in range(begin, end):
            if self._out.length >= stop and index > begin:
                return index
            if not self._table.has_row(self.rows[index]):
                raise IndexError(f"row {self.rows[index]} is not in the table")
            if not self._has_order(self.rows[index]):
                raise IndexError(f"the order of row {self.rows[index]} is not in the table")
            self._put(self.rows[index])
        return end

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _at(self, row: cython.longlong) -> cython.longlong:
        """`RowTable.at`, here for the compiler to inline."""
        return (row - self._table.origin_row) * ROW_WORDS

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _has_order(self, row: cython.longlong) -> cython.bint:
        """Whether the table has what a row that it has names: a bust's order may be long gone."""
        at: cython.longlong = self._at(row)
        if self._words[at] & 0xFF == SYSTEM_EVENT:
            return True
        return self._table.has_row(self._words[at + W_ORDER])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _put(self, row: cython.longlong) -> cython.void:
        """The message of a row. No allocation."""
        at: cython.longlong = self._at(row)
        day_ns: cython.longlong = 86_400_000_000_000
        time_ns: cython.longlong = self._words[at + W_TIME] % day_ns
        state: cython.longlong = self._words[at + W_STATE]
        exec_type: cython.longlong = state & 0xFF
        flags: cython.longlong = (self._words[at] >> 8) & 0xFF
        if self._words[at] & 0xFF == SYSTEM_EVENT:
            self._out.put_system_event(time_ns, exec_type)
            return
        terms: cython.longlong = self._at(self._words[at + W_TERMS_ROW])
        order: cython.longlong = self._at(self._words[at + W_ORDER])
        low: cython.longlong = self._words[terms + W_ID]
        high: cython.longlong = self._words[terms + W_ID + 1]
        length: cython.longlong = (self._words[terms + W_TERMS] >> 32) & 0xFF
        match: cython.longlong
        if exec_type == EXEC_TRADE:
            self._out.put_executed(
                time_ns,
                low,
                high,
                length,
                self._shares(self._words[at + W_LAST_QTY], order),
                self._price(self._words[at + W_LAST_PX], order),
                0x41 if flags & F_PASSIVE else 0x52,  # A, R
                row - 1 if flags & F_PASSIVE else row,
            )
        elif exec_type == EXEC_NEW:
            self._put_opened(at, terms, order, time_ns, False)
        elif exec_type == EXEC_REPLACED:
            self._put_opened(at, terms, order, time_ns, True)
        elif exec_type == EXEC_REJECTED:
            self._out.put_rejected(
                time_ns, low, high, length, self._reject_reasons[(state >> 24) & 0xFF]
            )
        elif exec_type == EXEC_BUST:
            match = self._words[self._at(self._words[at + W_CAUSE]) + W_FILL_ROW]
            if self._table.has_row(match) and (self._words[self._at(match)] >> 8) & F_PASSIVE:
                match -= 1
            self._out.put_broken_trade(time_ns, low, high, length, match, 0x53)  # supervisory
        elif exec_type == EXEC_RESTATED and (
            self._words[self._at(self._words[at + W_CAUSE])] & 0xFF == MODIFY
        ):
            self._out.put_order_modified(
                time_ns,
                low,
                high,
                length,
                self._side(at),
                self._shares(self._words[at + W_LEAVES_QTY], order),
            )
        else:
            self._put_loss(at, terms, order, time_ns)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_opened(
        self,
        at: cython.longlong,
        terms: cython.longlong,
        order: cython.longlong,
        time_ns: cython.longlong,
        replaced: cython.bint,
    ) -> cython.void:
        """Accepted or Replaced: all terms in force."""
        packed: cython.longlong = self._words[terms + W_OUCH]
        firm: cython.longlong = self._words[order + W_FIRM]
        low: cython.longlong = self._words[terms + W_ID]
        high: cython.longlong = self._words[terms + W_ID + 1]
        ids: cython.longlong = self._words[terms + W_TERMS]
        scale: cython.longlong = (self._words[order + W_REF] & ID_MASK) * SCALE_WORDS
        stock: cython.longlong = self._catalog.scales[scale + S_STOCK]
        price: cython.longlong = self._words[terms + W_PRICE]
        if (ids >> 8) & 0xFF == TYPE_MARKET:
            price = PRICE_MARKET
        elif not (self._words[terms] >> 8) & F_SHARES:
            price = self._price(price, order)
        if replaced:
            self._out.put_replaced(
                time_ns,
                low,
                high,
                (ids >> 32) & 0xFF,
                self._words[terms + W_ORIG],
                self._words[terms + W_ORIG + 1],
                (ids >> 40) & 0xFF,
                self._side(at),
                self._shares(self._words[at + W_LEAVES_QTY], order),
                stock,
                price,
                packed & 0xFFFFFF,
                firm,
                packed >> 24,
                self._words[at + W_TERMS_ROW],
                firm >> 32,
                packed >> 56,
                (packed >> 32) & 0xFFFFFF,
                0x4C,  # live
            )
        else:
            self._out.put_accepted(
                time_ns,
                low,
                high,
                (ids >> 32) & 0xFF,
                self._side(at),
                self._shares(self._words[at + W_ORDER_QTY], order),
                stock,
                price,
                packed & 0xFFFFFF,
                firm,
                packed >> 24,
                self._words[at + W_TERMS_ROW],
                firm >> 32,
                packed >> 56,
                (packed >> 32) & 0xFFFFFF,
                0x4C,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_loss(
        self,
        at: cython.longlong,
        terms: cython.longlong,
        order: cython.longlong,
        time_ns: cython.longlong,
    ) -> cython.void:
        """Canceled, or AIQ Canceled where the account would have met itself."""
        state: cython.longlong = self._words[at + W_STATE]
        why: cython.longlong = (state >> 24) & 0xFF
        loss: cython.longlong = self._words[at + W_LAST_QTY]
        low: cython.longlong = self._words[terms + W_ID]
        high: cython.longlong = self._words[terms + W_ID + 1]
        length: cython.longlong = (self._words[terms + W_TERMS] >> 32) & 0xFF
        if state & 0xFF != EXEC_RESTATED:
            loss = self._words[at + W_ORDER_QTY] - self._words[at + W_CUM_QTY]
        loss = self._shares(loss, order)
        if why == WHY_SELF_TRADE or why == WHY_SELF_TRADE_DECREMENT:
            self._out.put_aiq_canceled(
                time_ns,
                low,
                high,
                length,
                loss,
                self._shares(self._words[at + W_LAST_QTY], order),
                self._price(self._words[at + W_LAST_PX], order),
                # The order that came in caused it.
                0x52 if self._words[at + W_TERMS_ROW] == self._words[at + W_CAUSE] else 0x41,
            )
        else:
            self._out.put_canceled(time_ns, low, high, length, loss, self._cancel_reasons[why])

    # --- values ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _price(self, price: cython.longlong, order: cython.longlong) -> cython.longlong:
        """A price of an order's instrument in four decimals: exact, as its tick is theirs."""
        scale: cython.longlong = (self._words[order + W_REF] & ID_MASK) * SCALE_WORDS
        # The instrument is known: its factors are from 1.
        return price * self._catalog.scales[scale + S_DOWN] // self._catalog.scales[scale + S_UP]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _shares(self, qty: cython.longlong, order: cython.longlong) -> cython.longlong:
        """A quantity of an order's instrument in lots: exact, as all orders in it are."""
        of: cython.longlong = (self._words[order + W_REF] & ID_MASK) * INSTRUMENT_WORDS
        return qty // self._catalog.instruments[of + I_LOT]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _side(self, at: cython.longlong) -> cython.longlong:
        """The side in force."""
        side: cython.longlong = (self._words[at + W_STATE] >> 32) & 0xFF
        if side == SIDE_BUY:
            return 0x42
        if side == SIDE_SELL:
            return 0x53
        if side == SIDE_SELL_SHORT:
            return 0x54
        return 0x45
