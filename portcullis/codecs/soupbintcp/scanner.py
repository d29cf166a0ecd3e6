"""SoupBinTCP packets in a buffer that fills: where each payload begins and ends.

Owns the table of packets found by the last `scan`: type, start and end of the payload. Must not
know what a packet is for, nor what a payload says. A packet is length u2, type u1, payload; the
length counts type and payload. One whose length is 0, or above the bound, ends the scan as a
packet of type MALFORMED: where the next one would begin, nobody knows.

Invariant: consumed <= end, and every payload lies within the bytes scanned.
Specification: NASDAQ SoupBinTCP 3.00, "SoupBinTCP packet types".
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.dictionaries.soupbintcp_offsets import HEADER_BYTES
else:
    from portcullis.dictionaries.soupbintcp_offsets import HEADER_BYTES

MALFORMED = 0
PACKETS = 8192


@cython.final
@cython.cclass
class SoupScanner:
    """Scans a shared buffer.

    max_packet_bytes bounds a packet, its length included; packets_max those of one scan. After a
    scan `consumed` is where the first packet that was not taken begins, and `full` says that the
    scan ended for want of places.
    """

    def __init__(
        self, buffer: memoryview, *, max_packet_bytes: int = 65537, packets_max: int = PACKETS
    ) -> None:
        if max_packet_bytes < HEADER_BYTES or packets_max < 1:
            raise ValueError(f"bounds were {max_packet_bytes} bytes and {packets_max} packets")
        self.octets = buffer
        self.packet_type = memoryview(array("q", bytes(8 * packets_max)))
        self.payload_start = memoryview(array("q", bytes(8 * packets_max)))
        self.payload_end = memoryview(array("q", bytes(8 * packets_max)))
        self.consumed = 0
        self.full = False
        self._most = max_packet_bytes
        self._packets_max = packets_max

    @cython.boundscheck(False)
    @cython.wraparound(False)
    @cython.initializedcheck(False)
    def scan(self, start: cython.longlong, end: cython.longlong) -> int:
        """Find the whole packets of octets[start:end]; give how many. No allocation."""
        if not 0 <= start <= end <= len(self.octets):
            raise IndexError(f"no bytes {start} to {end} of {len(self.octets)}")
        at: cython.longlong = start
        count: cython.longlong = 0
        length: cython.longlong
        self.full = False
        # In range: at + 2 < end before the header is read; count < _packets_max.
        while at + 2 <= end:
            if count == self._packets_max:
                self.full = True
                break
            length = (self.octets[at] << 8) | self.octets[at + 1]
            if length == 0 or length + 2 > self._most:
                self.packet_type[count] = MALFORMED
                self.payload_start[count] = at
                self.payload_end[count] = at
                count += 1
                at = end
                break
            if at + 2 + length > end:
                break
            self.packet_type[count] = self.octets[at + 2]
            self.payload_start[count] = at + HEADER_BYTES
            self.payload_end[count] = at + 2 + length
            count += 1
            at += 2 + length
        self.consumed = at
        return count

    def payload(self, index: int) -> bytes:
        """A copy of a packet's payload."""
        place: cython.longlong = index
        return bytes(self.octets[self.payload_start[place] : self.payload_end[place]])
