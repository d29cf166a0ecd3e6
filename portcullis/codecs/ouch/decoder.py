"""OUCH 4.2 in: one inbound message after the other, read where it lies in the buffer.

Owns the fields of the message decoded last. Type and length are checked, values are not: every
value of a field is somebody else's to judge. Tokens and stocks are given by their place in the
buffer. Must not know packets, sessions or rows.
Specification: NASDAQ OUCH 4.2, inbound messages; offsets come from `dictionaries.ouch`.
"""

# mypy: disable-error-code="valid-type,no-any-return"

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.dictionaries.ouch_offsets import *
else:
    from portcullis.dictionaries.ouch_offsets import *


@cython.final
@cython.cclass
class OuchDecoder:
    """Decodes messages of the buffer `octets`. What a message does not have keeps its old value.

    firm is its four bytes as they lie in memory, the first in the lowest bits.
    """

    def __init__(self, octets: memoryview) -> None:
        if not len(octets):
            raise ValueError("a buffer has at least one byte")
        self.octets = octets
        if cython.compiled:
            self._in = cython.address(self.octets[0])
        else:
            self._in = octets
        self.message_type = 0
        self.token_at = self.replacement_at = self.stock_at = 0
        self.shares = self.price = self.time_in_force = self.minimum_quantity = 0
        self.side = self.display = self.capacity = self.intermarket_sweep = 0
        self.firm = self.cross_type = self.customer_type = 0

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    @cython.initializedcheck(False)
    def decode(self, start: cython.longlong, end: cython.longlong) -> cython.longlong:
        """Read the message octets[start:end], which the caller has found there; give its type.

        0: there is no such type; -1: its type has another length. No byte beyond `end` is
        looked at. No allocation. O(1).
        """
        if start >= end:
            return 0
        size: cython.longlong = end - start
        self.message_type = self._in[start]
        if self.message_type == ENTER_ORDER_TYPE:
            if size != ENTER_ORDER_BYTES:
                return -1
            self.token_at = start + ENTER_ORDER_ORDER_TOKEN
            self.side = self._in[start + ENTER_ORDER_BUY_SELL]
            self.shares = self._u4(start + ENTER_ORDER_SHARES)
            self.stock_at = start + ENTER_ORDER_STOCK
            self.price = self._u4(start + ENTER_ORDER_PRICE)
            self.time_in_force = self._u4(start + ENTER_ORDER_TIME_IN_FORCE)
            self.firm = (
                self._in[start + ENTER_ORDER_FIRM]
                | (self._in[start + ENTER_ORDER_FIRM + 1] << 8)
                | (self._in[start + ENTER_ORDER_FIRM + 2] << 16)
                | (cython.cast(cython.longlong, self._in[start + ENTER_ORDER_FIRM + 3]) << 24)
            )
            self.display = self._in[start + ENTER_ORDER_DISPLAY]
            self.capacity = self._in[start + ENTER_ORDER_CAPACITY]
            self.intermarket_sweep = self._in[start + ENTER_ORDER_INTERMARKET_SWEEP]
            self.minimum_quantity = self._u4(start + ENTER_ORDER_MINIMUM_QUANTITY)
            self.cross_type = self._in[start + ENTER_ORDER_CROSS_TYPE]
            self.customer_type = self._in[start + ENTER_ORDER_CUSTOMER_TYPE]
        elif self.message_type == REPLACE_ORDER_TYPE:
            if size != REPLACE_ORDER_BYTES:
                return -1
            self.token_at = start + REPLACE_ORDER_EXISTING_ORDER_TOKEN
            self.replacement_at = start + REPLACE_ORDER_REPLACEMENT_ORDER_TOKEN
            self.shares = self._u4(start + REPLACE_ORDER_SHARES)
            self.price = self._u4(start + REPLACE_ORDER_PRICE)
            self.time_in_force = self._u4(start + REPLACE_ORDER_TIME_IN_FORCE)
            self.display = self._in[start + REPLACE_ORDER_DISPLAY]
            self.intermarket_sweep = self._in[start + REPLACE_ORDER_INTERMARKET_SWEEP]
            self.minimum_quantity = self._u4(start + REPLACE_ORDER_MINIMUM_QUANTITY)
        elif self.message_type == CANCEL_ORDER_TYPE:
            if size != CANCEL_ORDER_BYTES:
                return -1
            self.token_at = start + CANCEL_ORDER_ORDER_TOKEN
            self.shares = self._u4(start + CANCEL_ORDER_SHARES)
        elif self.message_type == MODIFY_ORDER_TYPE:
            if size != MODIFY_ORDER_BYTES:
                return -1
            self.token_at = start + MODIFY_ORDER_ORDER_TOKEN
            self.side = self._in[start + MODIFY_ORDER_BUY_SELL]
            self.shares = self._u4(start + MODIFY_ORDER_SHARES)
        else:
            return 0
        return self.message_type

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    @cython.initializedcheck(False)
    def _u4(self, at: cython.longlong) -> cython.longlong:
        """The four bytes there as a number, big-endian."""
        return (
            (cython.cast(cython.longlong, self._in[at]) << 24)
            | (self._in[at + 1] << 16)
            | (self._in[at + 2] << 8)
            | self._in[at + 3]
        )
