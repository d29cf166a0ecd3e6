"""OUCH messages in: O, U, X and M become command rows, or rows that say why not.

Owns the way from a message to a row: which values are honoured, which names stand for which
numbers, how tokens are kept (trailing blanks cut, zeros behind; one that can't be a token stands
whole). What only the order's instrument can tell, the engine checks: a U, X or M names a token
alone, so its shares and price stay as they came (F_SHARES). Must not know the book, sockets, or
the way reports are written.

Checks of an O, in this order; the first that fails is the answer: token, room in the journal,
rate, stock, side, firm, cross type, shares, display, time in force, minimum quantity, price. Of a
U: the new token, then from shares on. Spec: OUCH 4.2; docs/rules-of-engagement.md, "OUCH".
"""

# mypy: disable-error-code="valid-type,no-any-return,unreachable"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.octets import word_at
    from cython.cimports.portcullis.codecs.ouch.decoder import OuchDecoder
    from cython.cimports.portcullis.codecs.ouch.fields import (
        TOKEN_BYTES,
        token_high,
        token_length,
        token_low,
    )
    from cython.cimports.portcullis.codecs.soupbintcp.scanner import SoupScanner
    from cython.cimports.portcullis.dictionaries.ouch_offsets import *
    from cython.cimports.portcullis.dictionaries.soupbintcp_offsets import UNSEQUENCED_DATA_TYPE
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.gateway.catalog import (
        I_LOT,
        I_QTY_MAX,
        I_TICK,
        INSTRUMENT_WORDS,
        S_DOWN,
        S_UP,
        SCALE_WORDS,
        Catalog,
    )
    from cython.cimports.portcullis.gateway.ouch_door import OuchDoor
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.codecs.octets import word_at
    from portcullis.codecs.ouch.decoder import OuchDecoder
    from portcullis.codecs.ouch.fields import TOKEN_BYTES, token_high, token_length, token_low
    from portcullis.codecs.soupbintcp.scanner import SoupScanner
    from portcullis.dictionaries.ouch_offsets import *
    from portcullis.dictionaries.soupbintcp_offsets import UNSEQUENCED_DATA_TYPE
    from portcullis.engine.layout import *
    from portcullis.engine.why import *
    from portcullis.gateway.catalog import (
        I_LOT,
        I_QTY_MAX,
        I_TICK,
        INSTRUMENT_WORDS,
        S_DOWN,
        S_UP,
        SCALE_WORDS,
        Catalog,
    )
    from portcullis.gateway.ouch_door import OuchDoor
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

# Also in ouch_orders.pxd.
if not cython.compiled:
    BLANKS = 0x20202020  # of a firm
    NO_TIME = 255  # transact_digits of terms: the client names no time


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class OuchOrders:
    """Translates packets of the shared receive buffer into rows of `table`.

    No bounds checks: packets lie in the buffer, as the scanner has found them; `open_input` gives
    whole rows; instruments come from the catalogue.
    """

    def __init__(self, table: RowTable, catalog: Catalog, buffer: memoryview) -> None:
        self._table = table
        self._words = table.words
        self._catalog = catalog
        self._in = OuchDecoder(buffer)
        # The journal has no room for new orders.
        self.disk_full = False
        # What comes now is beyond the session's rate: no new orders.
        self.over_rate = False
        # The last call stopped because the batch is full, or at what is no message, and why.
        self.full = False
        self.problem = ""
        # The token read last, as a row keeps it.
        self._low = self._high = self._length = 0
        # The stock found last, 0: none yet, and its instrument.
        self._stock = 0
        self._stock_number = 0
        digits: cython.longlong = NO_TIME
        self._no_time = digits << 48

    def translate(self, scanner: SoupScanner, first: int, count: int, door: OuchDoor) -> int:
        """Append rows for packets first to count - 1; give how many were taken.

        Stops before a packet that is no Unsequenced Data, where the batch is full (`full`), and
        before a payload that is no message of OUCH (`problem`).
        """
        index: cython.longlong
        begin: cython.longlong = first
        end: cython.longlong = count
        message_type: cython.longlong
        self.full = False
        self.problem = ""
        if not 0 <= begin <= end <= len(scanner.packet_type):
            raise IndexError(f"no packets {first} to {count}")
        for index in range(begin, end):
            if scanner.packet_type[index] != UNSEQUENCED_DATA_TYPE:
                return index - begin
            message_type = self._in.decode(
                scanner.payload_start[index], scanner.payload_end[index]
            )
            if message_type <= 0:
                self.problem = (
                    "no such message type of OUCH 4.2"
                    if message_type == 0
                    else "a message is not as long as its type says"
                )
                return index - begin
            if self._append(message_type, door) < 0:
                self.full = True
                return index - begin
        return end - begin

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _append(self, message_type: cython.longlong, door: OuchDoor) -> cython.longlong:
        """Append the row of the message decoded; below 0: the batch is full."""
        if message_type == ENTER_ORDER_TYPE:
            return self._enter(door)
        if message_type == REPLACE_ORDER_TYPE:
            return self._replace(door)
        if message_type == CANCEL_ORDER_TYPE:
            return self._change(CANCEL, door)
        return self._change(MODIFY, door)

    # --- fields ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _token(self, at: cython.longlong) -> cython.bint:
        """Read the token there; False where it can't be one, and is kept as it came."""
        length: cython.longlong = token_length(self._in._in, at)
        fits: cython.bint = length > 0
        if not fits:
            length = TOKEN_BYTES
        self._low = token_low(self._in._in, at, length)
        self._high = token_high(self._in._in, at, length)
        self._length = length
        return fits

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _instrument(self) -> cython.longlong:
        """The number of the stock, 0: there is none. The one found last is asked first."""
        stock: cython.ulonglong = word_at(self._in._in, self._in.stock_at)
        number: cython.longlong
        if stock == self._stock:
            return self._stock_number
        number = self._catalog.stocks.find(self._in._in, self._in.stock_at, self._in.stock_at + 8)
        if number:
            self._stock = stock
            self._stock_number = number
        return number

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _side(self) -> cython.longlong:
        """FIX's character of a side; 0: there is no such side."""
        if self._in.side == 0x42:  # B
            return SIDE_BUY
        if self._in.side == 0x53:  # S
            return SIDE_SELL
        if self._in.side == 0x54:  # T
            return SIDE_SELL_SHORT
        if self._in.side == 0x45:  # E
            return SIDE_SELL_SHORT_EXEMPT
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _terms_why(self) -> cython.longlong:
        """Why the terms that O and U share can't be honoured."""
        if self._in.shares < 1 or self._in.shares > SHARES_MAX:
            return WHY_BAD_QTY
        if self._in.display != 0x41 and self._in.display != 0x59:  # A, Y
            return WHY_DISPLAY
        if self._in.time_in_force > TIME_IN_FORCE_MAX:
            return WHY_TIME_IN_FORCE
        if self._in.minimum_quantity != 0 and (
            self._in.time_in_force != 0 or self._in.minimum_quantity != self._in.shares
        ):
            return WHY_MINIMUM
        if self._in.price == PRICE_MARKET:
            return WHY_NONE if self._in.time_in_force == 0 else WHY_BAD_PRICE
        if self._in.price < 1 or self._in.price > PRICE_HIGHEST:
            return WHY_BAD_PRICE
        return WHY_NONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _time_in_force(self) -> cython.longlong:
        """OrdType and TimeInForce in FIX's characters, where terms of a row have them."""
        ord_type: cython.longlong = TYPE_MARKET if self._in.price == PRICE_MARKET else TYPE_LIMIT
        time_in_force: cython.longlong = TIF_DAY
        if self._in.time_in_force == 0:
            time_in_force = TIF_FOK if self._in.minimum_quantity else TIF_IOC
        return (ord_type << 8) | (time_in_force << 16)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _packed(self) -> cython.longlong:
        """What reports of the order say again; W_OUCH."""
        sweep: cython.longlong = self._in.intermarket_sweep
        if sweep < 0x20 or sweep > 0x7E:
            sweep = 0x4E  # N
        return (
            (self._in.time_in_force & 0xFFFFFF)
            | ((self._in.display & 0xFF) << 24)
            | ((self._in.minimum_quantity & 0xFFFFFF) << 32)
            | (sweep << 56)
        )

    # --- rows ------------------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _enter(self, door: OuchDoor) -> cython.longlong:
        why: cython.longlong = WHY_NONE
        side: cython.longlong = self._side()
        price: cython.longlong = 0
        step: cython.longlong
        instrument: cython.longlong = self._instrument()
        scale: cython.longlong = instrument * SCALE_WORDS
        of: cython.longlong = instrument * INSTRUMENT_WORDS
        if not self._token(self._in.token_at):
            why = WHY_TOKEN
        elif self.disk_full:
            why = WHY_DISK_FULL
        elif self.over_rate:
            why = WHY_RATE
        elif instrument == 0:
            why = WHY_UNKNOWN_SYMBOL
        elif side == 0:
            why = WHY_SIDE
        elif self._in.firm != BLANKS and self._in.firm != door.firm:
            why = WHY_FIRM
        elif self._in.cross_type != 0x4E:  # N
            why = WHY_CROSS
        else:
            why = self._terms_why()
        if why == WHY_NONE and self._in.price != PRICE_MARKET:
            # Below 2^62: 31 bits by at most 10^5. The divisor and a known tick are from 1.
            price = self._in.price * self._catalog.scales[scale + S_UP]
            step = self._catalog.scales[scale + S_DOWN]
            if price % step:
                why = WHY_TICK
            else:
                price = price // step
                if price % self._catalog.instruments[of + I_TICK]:
                    why = WHY_TICK
        offset: cython.longlong = self._table.open_input(
            NEW_ORDER, F_REFUSED if why else 0, door.session, 1
        )
        if offset < 0:
            return offset
        self._words[offset + W_ID] = self._low
        self._words[offset + W_ID + 1] = self._high
        if instrument and self._in.shares <= SHARES_MAX:
            self._words[offset + W_QTY] = self._quantity(self._in.shares, of)
        self._words[offset + W_PRICE] = price
        self._words[offset + W_REF] = instrument | (door.account << 32)
        self._words[offset + W_TERMS] = (
            side | self._time_in_force() | (self._length << 32) | self._no_time | (why << 56)
        )
        self._words[offset + W_OUCH] = self._packed()
        self._words[offset + W_FIRM] = (
            self._in.firm | (self._capacity() << 32) | ((self._in.customer_type & 0xFF) << 40)
        )
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _quantity(self, shares: cython.longlong, of: cython.longlong) -> cython.longlong:
        """Shares in the units of an instrument; -1 where no order is so large."""
        lot: cython.longlong = self._catalog.instruments[of + I_LOT]
        return -1 if shares > self._catalog.instruments[of + I_QTY_MAX] // lot else shares * lot

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _capacity(self) -> cython.longlong:
        """What is none of the capacities is O, other."""
        capacity: cython.longlong = self._in.capacity
        if capacity == 0x41 or capacity == 0x50 or capacity == 0x52:  # A, P, R
            return capacity
        return 0x4F

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _replace(self, door: OuchDoor) -> cython.longlong:
        self._token(self._in.token_at)
        low: cython.longlong = self._low
        high: cython.longlong = self._high
        length: cython.longlong = self._length
        why: cython.longlong = self._terms_why()
        if not self._token(self._in.replacement_at):
            why = WHY_TOKEN
        elif self.disk_full:
            why = WHY_DISK_FULL
        offset: cython.longlong = self._table.open_input(
            REPLACE, F_SHARES | (F_REFUSED if why else 0), door.session, 1
        )
        if offset < 0:
            return offset
        self._words[offset + W_ID] = self._low
        self._words[offset + W_ID + 1] = self._high
        self._words[offset + W_ORIG] = low
        self._words[offset + W_ORIG + 1] = high
        self._words[offset + W_QTY] = self._in.shares
        self._words[offset + W_PRICE] = self._in.price
        self._words[offset + W_TERMS] = (
            self._time_in_force()
            | (self._length << 32)
            | (length << 40)
            | self._no_time
            | (why << 56)
        )
        self._words[offset + W_OUCH] = self._packed()
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _change(self, kind: cython.longlong, door: OuchDoor) -> cython.longlong:
        """A CANCEL or MODIFY row."""
        self._token(self._in.token_at)
        offset: cython.longlong = self._table.open_input(kind, F_SHARES, door.session, 1)
        if offset < 0:
            return offset
        self._words[offset + W_ORIG] = self._low
        self._words[offset + W_ORIG + 1] = self._high
        self._words[offset + W_QTY] = self._in.shares
        self._words[offset + W_TERMS] = (
            (self._side() if kind == MODIFY else 0) | (self._length << 40) | self._no_time
        )
        return offset
