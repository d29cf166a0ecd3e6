"""OUCH 4.2 out: messages as Sequenced Data packets of SoupBinTCP, back to back in one buffer.

Owns the bytes of a batch until `take`. A token comes as two words, its bytes as they lie in
memory, and its length; stock and firm as one word each. Padding with blanks is done here. Values
are the caller's care: what does not fit its field is cut to it. A message that has no room is left
out, so ask `reserve` first; only `reserve` and `take` allocate. Must not know sessions or rows.
Specification: NASDAQ OUCH 4.2, outbound messages; offsets come from `dictionaries`.
"""

# mypy: disable-error-code="valid-type,no-any-return"

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.ouch.fields import (
        put_padded,
        put_token,
        put_u4,
        put_u8,
    )
    from cython.cimports.portcullis.dictionaries.ouch_offsets import *
    from cython.cimports.portcullis.dictionaries.soupbintcp_offsets import (
        HEADER_BYTES,
        SEQUENCED_DATA_TYPE,
    )
else:
    from portcullis.codecs.ouch.fields import put_padded, put_token, put_u4, put_u8
    from portcullis.dictionaries.ouch_offsets import *
    from portcullis.dictionaries.soupbintcp_offsets import HEADER_BYTES, SEQUENCED_DATA_TYPE

# The longest packet: Replaced.
PACKET_BYTES_MAX = 83


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class OuchEncoder:
    """Packets into a buffer of `capacity` bytes. `length` counts those of whole packets.

    No bounds checks: `_open` has looked at the room of the whole packet.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < PACKET_BYTES_MAX:
            raise ValueError(f"capacity was {capacity}, at least {PACKET_BYTES_MAX} expected")
        self.length = 0
        self._hold(memoryview(bytearray(capacity)))

    def _hold(self, octets: memoryview) -> None:
        self.octets = octets
        self._capacity = len(octets)
        if cython.compiled:
            self._out = cython.address(self.octets[0])
        else:
            self._out = octets

    @cython.ccall
    @cython.exceptval(-1, check=True)
    def reserve(self, needed: cython.longlong) -> cython.int:
        """Make sure that so many bytes fit behind those that stand."""
        needed += self.length
        if needed > self._capacity:
            grown = memoryview(bytearray(2 * needed))
            grown[: self.length] = self.octets[: self.length]
            self._hold(grown)
        return 0

    def take(self) -> bytes:
        """The bytes encoded since the last call, as an object of their own."""
        if cython.compiled:
            taken = self._out[: self.length]
        else:
            taken = bytes(self.octets[: self.length])
        self.length = 0
        return taken

    # --- pieces ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _open(
        self, message_type: cython.longlong, size: cython.longlong, timestamp: cython.longlong
    ) -> cython.longlong:
        """Begin a packet; give where its message begins, -1: there is no room."""
        at: cython.longlong = self.length
        if at + HEADER_BYTES + size > self._capacity:
            return -1
        out: cython.p_uchar = self._out
        out[at] = ((size + 1) >> 8) & 0xFF
        out[at + 1] = (size + 1) & 0xFF
        out[at + 2] = SEQUENCED_DATA_TYPE
        out[at + HEADER_BYTES] = message_type & 0xFF
        put_u8(out, at + HEADER_BYTES + SYSTEM_EVENT_TIMESTAMP, timestamp)
        self.length = at + HEADER_BYTES + size
        return at + HEADER_BYTES

    # --- messages --------------------------------------------------------------------------------

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_system_event(
        self,
        timestamp: cython.longlong,
        event_code: cython.longlong,
    ) -> cython.void:
        """S: the day begins or ends."""
        at: cython.longlong = self._open(SYSTEM_EVENT_TYPE, SYSTEM_EVENT_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        out[at + SYSTEM_EVENT_EVENT_CODE] = event_code & 0xFF

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_accepted(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        side: cython.longlong,
        shares: cython.longlong,
        stock: cython.longlong,
        price: cython.longlong,
        time_in_force: cython.longlong,
        firm: cython.longlong,
        display: cython.longlong,
        reference: cython.longlong,
        capacity: cython.longlong,
        sweep: cython.longlong,
        minimum: cython.longlong,
        state: cython.longlong,
    ) -> cython.void:
        """A: an order is taken."""
        at: cython.longlong = self._open(ACCEPTED_TYPE, ACCEPTED_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + ACCEPTED_ORDER_TOKEN, low, high, token_length)
        out[at + ACCEPTED_BUY_SELL] = side & 0xFF
        put_u4(out, at + ACCEPTED_SHARES, shares)
        put_padded(out, at + ACCEPTED_STOCK, stock, 8)
        put_u4(out, at + ACCEPTED_PRICE, price)
        put_u4(out, at + ACCEPTED_TIME_IN_FORCE, time_in_force)
        put_padded(out, at + ACCEPTED_FIRM, firm, 4)
        out[at + ACCEPTED_DISPLAY] = display & 0xFF
        put_u8(out, at + ACCEPTED_ORDER_REFERENCE_NUMBER, reference)
        out[at + ACCEPTED_CAPACITY] = capacity & 0xFF
        out[at + ACCEPTED_INTERMARKET_SWEEP] = sweep & 0xFF
        put_u4(out, at + ACCEPTED_MINIMUM_QUANTITY, minimum)
        out[at + ACCEPTED_CROSS_TYPE] = 0x4E  # N: none
        out[at + ACCEPTED_ORDER_STATE] = state & 0xFF
        out[at + ACCEPTED_BBO_WEIGHT_INDICATOR] = 0x20  # blank: unspecified

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_replaced(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        old_low: cython.longlong,
        old_high: cython.longlong,
        old_length: cython.longlong,
        side: cython.longlong,
        shares: cython.longlong,
        stock: cython.longlong,
        price: cython.longlong,
        time_in_force: cython.longlong,
        firm: cython.longlong,
        display: cython.longlong,
        reference: cython.longlong,
        capacity: cython.longlong,
        sweep: cython.longlong,
        minimum: cython.longlong,
        state: cython.longlong,
    ) -> cython.void:
        """U: an order is replaced by one under the first token."""
        at: cython.longlong = self._open(REPLACED_TYPE, REPLACED_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + REPLACED_REPLACEMENT_ORDER_TOKEN, low, high, token_length)
        out[at + REPLACED_BUY_SELL] = side & 0xFF
        put_u4(out, at + REPLACED_SHARES, shares)
        put_padded(out, at + REPLACED_STOCK, stock, 8)
        put_u4(out, at + REPLACED_PRICE, price)
        put_u4(out, at + REPLACED_TIME_IN_FORCE, time_in_force)
        put_padded(out, at + REPLACED_FIRM, firm, 4)
        out[at + REPLACED_DISPLAY] = display & 0xFF
        put_u8(out, at + REPLACED_ORDER_REFERENCE_NUMBER, reference)
        out[at + REPLACED_CAPACITY] = capacity & 0xFF
        out[at + REPLACED_INTERMARKET_SWEEP] = sweep & 0xFF
        put_u4(out, at + REPLACED_MINIMUM_QUANTITY, minimum)
        out[at + REPLACED_CROSS_TYPE] = 0x4E  # N: none
        out[at + REPLACED_ORDER_STATE] = state & 0xFF
        out[at + REPLACED_BBO_WEIGHT_INDICATOR] = 0x20  # blank: unspecified
        put_token(out, at + REPLACED_PREVIOUS_ORDER_TOKEN, old_low, old_high, old_length)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_canceled(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        decrement: cython.longlong,
        reason: cython.longlong,
    ) -> cython.void:
        """C: an order has lost shares, or all of them."""
        at: cython.longlong = self._open(CANCELED_TYPE, CANCELED_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + CANCELED_ORDER_TOKEN, low, high, token_length)
        put_u4(out, at + CANCELED_DECREMENT_SHARES, decrement)
        out[at + CANCELED_REASON] = reason & 0xFF

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_aiq_canceled(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        decrement: cython.longlong,
        prevented: cython.longlong,
        price: cython.longlong,
        liquidity: cython.longlong,
    ) -> cython.void:
        """D: an order has lost shares that would have met its account's own."""
        at: cython.longlong = self._open(AIQ_CANCELED_TYPE, AIQ_CANCELED_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + AIQ_CANCELED_ORDER_TOKEN, low, high, token_length)
        put_u4(out, at + AIQ_CANCELED_DECREMENT_SHARES, decrement)
        out[at + AIQ_CANCELED_REASON] = 0x51  # Q, always
        put_u4(out, at + AIQ_CANCELED_PREVENTED_SHARES, prevented)
        put_u4(out, at + AIQ_CANCELED_EXECUTION_PRICE, price)
        out[at + AIQ_CANCELED_LIQUIDITY_FLAG] = liquidity & 0xFF

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_executed(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        shares: cython.longlong,
        price: cython.longlong,
        liquidity: cython.longlong,
        match_number: cython.longlong,
    ) -> cython.void:
        """E: one fill."""
        at: cython.longlong = self._open(EXECUTED_TYPE, EXECUTED_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + EXECUTED_ORDER_TOKEN, low, high, token_length)
        put_u4(out, at + EXECUTED_EXECUTED_SHARES, shares)
        put_u4(out, at + EXECUTED_EXECUTION_PRICE, price)
        out[at + EXECUTED_LIQUIDITY_FLAG] = liquidity & 0xFF
        put_u8(out, at + EXECUTED_MATCH_NUMBER, match_number)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_broken_trade(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        match_number: cython.longlong,
        reason: cython.longlong,
    ) -> cython.void:
        """B: a fill is void."""
        at: cython.longlong = self._open(BROKEN_TRADE_TYPE, BROKEN_TRADE_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + BROKEN_TRADE_ORDER_TOKEN, low, high, token_length)
        put_u8(out, at + BROKEN_TRADE_MATCH_NUMBER, match_number)
        out[at + BROKEN_TRADE_REASON] = reason & 0xFF

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_rejected(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        reason: cython.longlong,
    ) -> cython.void:
        """J: an order is refused."""
        at: cython.longlong = self._open(REJECTED_TYPE, REJECTED_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + REJECTED_ORDER_TOKEN, low, high, token_length)
        out[at + REJECTED_REASON] = reason & 0xFF

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_cancel_pending(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
    ) -> cython.void:
        """P: an order will be cancelled once it can be."""
        at: cython.longlong = self._open(CANCEL_PENDING_TYPE, CANCEL_PENDING_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + CANCEL_PENDING_ORDER_TOKEN, low, high, token_length)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_cancel_reject(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
    ) -> cython.void:
        """I: an order cannot lose shares now."""
        at: cython.longlong = self._open(CANCEL_REJECT_TYPE, CANCEL_REJECT_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + CANCEL_REJECT_ORDER_TOKEN, low, high, token_length)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_order_priority_update(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        price: cython.longlong,
        display: cython.longlong,
        reference: cython.longlong,
    ) -> cython.void:
        """T: an order has another place in the book."""
        at: cython.longlong = self._open(
            ORDER_PRIORITY_UPDATE_TYPE, ORDER_PRIORITY_UPDATE_BYTES, timestamp
        )
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + ORDER_PRIORITY_UPDATE_ORDER_TOKEN, low, high, token_length)
        put_u4(out, at + ORDER_PRIORITY_UPDATE_PRICE, price)
        out[at + ORDER_PRIORITY_UPDATE_DISPLAY] = display & 0xFF
        put_u8(out, at + ORDER_PRIORITY_UPDATE_ORDER_REFERENCE_NUMBER, reference)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_order_modified(
        self,
        timestamp: cython.longlong,
        low: cython.longlong,
        high: cython.longlong,
        token_length: cython.longlong,
        side: cython.longlong,
        shares: cython.longlong,
    ) -> cython.void:
        """M: an order has another side or size, in its old place."""
        at: cython.longlong = self._open(ORDER_MODIFIED_TYPE, ORDER_MODIFIED_BYTES, timestamp)
        if at < 0:
            return
        out: cython.p_uchar = self._out
        put_token(out, at + ORDER_MODIFIED_ORDER_TOKEN, low, high, token_length)
        out[at + ORDER_MODIFIED_BUY_SELL] = side & 0xFF
        put_u4(out, at + ORDER_MODIFIED_SHARES, shares)
