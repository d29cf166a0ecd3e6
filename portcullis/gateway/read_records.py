"""What was read and waits to be written: records one behind the other, in one buffer.

Owns the form of a record and the room for those that wait. A read is copied once, from the shared
receive buffer to its place here, since each of more copies cost a lone order and a stream of them
alike. Must not know files, nor when anything is written.

    record: time, nanoseconds since the epoch (i8) | session (u4) | length (u4) | octets
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

import struct

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy

HEAD = struct.Struct("<qII")
# Also in read_records.pxd.
if not cython.compiled:
    HEAD_BYTES = 16


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class ReadRecords:
    """Records in `capacity` bytes. received: the buffer that connections read into.

    No bounds checks: `add` has checked the offsets, `_put` the room.
    """

    def __init__(self, received: memoryview, capacity: int) -> None:
        self._received = received
        self.size = 0
        self._capacity = capacity
        self._octets = memoryview(bytearray(capacity))

    def add(
        self,
        session: cython.longlong,
        now_ns: cython.longlong,
        start: cython.longlong,
        stop: cython.longlong,
    ) -> bool:
        """Add received[start:stop] as a record; False: there is no room. IndexError: no such."""
        if not 0 <= start <= stop <= len(self._received):
            raise IndexError(f"no bytes {start} to {stop} of {len(self._received)}")
        return self._put(session, now_ns, self._received, start, stop)

    def add_octets(self, session: int, now_ns: int, octets: bytes) -> bool:
        """Add a record of octets that stand elsewhere; False: there is no room."""
        return self._put(session, now_ns, memoryview(octets), 0, len(octets))

    @cython.cfunc
    @cython.exceptval(check=False)
    def _put(
        self,
        session: cython.longlong,
        now_ns: cython.longlong,
        source: cython.const[cython.uchar][::1],
        start: cython.longlong,
        stop: cython.longlong,
    ) -> cython.bint:
        at: cython.longlong = self.size
        length: cython.longlong = stop - start
        if at + HEAD_BYTES + length > self._capacity:
            return False
        if cython.compiled:
            word: cython.longlong = session | (length << 32)
            memcpy(cython.address(self._octets[at]), cython.address(now_ns), 8)
            memcpy(cython.address(self._octets[at + 8]), cython.address(word), 8)
            if length > 0:
                memcpy(
                    cython.address(self._octets[at + HEAD_BYTES]),
                    cython.address(source[start]),
                    length,
                )
        else:
            HEAD.pack_into(self._octets, at, now_ns, session, length)
            at += HEAD_BYTES
            self._octets[at : at + length] = source[start:stop]
        self.size += HEAD_BYTES + length
        return True

    def waiting(self) -> memoryview:
        """The records that wait, which the next `add` may write over once they are forgotten."""
        return memoryview(self._octets)[: self.size]

    def forget(self) -> None:
        """Begin anew."""
        self.size = 0
