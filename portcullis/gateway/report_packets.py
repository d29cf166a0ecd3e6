"""Messages of a stream of reports in MoldUDP64 packets, as many in each as fit.

Owns the packets' bytes, and which of them are of one size: `Run`s, which a system that cuts them
itself takes with one call. Most messages have one size (`report_messages`), so a run is usually
long; a packet with a longer one ends it. A message that no packet has room for, with much text or
many carried fields, has one of its own, beyond the size that is configured: IP cuts that in
fragments. Must not know sockets, nor what a message says.
Specification: MoldUDP64 1.00; docs/multicast.md.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array
from typing import NamedTuple

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.ouch.fields import put_u2, put_u8
    from cython.cimports.portcullis.codecs.sbe.octets import copy, put_8
    from cython.cimports.portcullis.dictionaries.moldudp64_offsets import (
        BLOCK_HEADER_BYTES,
        DOWNSTREAM_BYTES,
        DOWNSTREAM_COUNT,
        DOWNSTREAM_SEQUENCE,
    )
    from cython.cimports.portcullis.gateway.report_messages import (
        MESSAGE_BYTES_MAX,
        ReportMessages,
    )
    from cython.cimports.portcullis.gateway.report_stream import ReportStream
else:
    from portcullis.codecs.ouch.fields import put_u2, put_u8
    from portcullis.codecs.sbe.octets import copy, put_8
    from portcullis.dictionaries.moldudp64_offsets import (
        BLOCK_HEADER_BYTES,
        DOWNSTREAM_BYTES,
        DOWNSTREAM_COUNT,
        DOWNSTREAM_SEQUENCE,
    )
    from portcullis.gateway.report_messages import MESSAGE_BYTES_MAX, ReportMessages
    from portcullis.gateway.report_stream import ReportStream

    # Also in report_packets.pxd.
    # Of packets that leave with one call: UDP_MAX_SEGMENTS, and a datagram's bytes.
    RUN_PACKETS_MAX = 64
    RUN_BYTES_MAX = 65_507
    # Of a run: where it ends, its packets, and the bytes of each but the last.
    RUN_WORDS = 3
    # What `_pack` gives beside the place of a row that is missing.
    PACKED = -1
    NO_ROOM = -2

from portcullis.gateway.report_messages import message_bytes, missing
from portcullis.journal.rows import STREAM_NOTHING


class Run(NamedTuple):
    """Packets of one size back to back, but that the last may be shorter."""

    octets: bytes | memoryview
    packet_bytes: int


def run_messages(content: int, packet_bytes: int) -> int:
    """How many messages without data of their own a run holds at most, of a STREAM_ code."""
    block = BLOCK_HEADER_BYTES + message_bytes(content)
    each = max(1, (packet_bytes - DOWNSTREAM_BYTES) // block)
    packets = min(RUN_PACKETS_MAX, RUN_BYTES_MAX // (DOWNSTREAM_BYTES + each * block))
    return each * packets


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class ReportPackets:
    """Packs what `messages` encodes. No bounds checks: `_pack` sees to room for each message.

    packet_bytes: of a packet at most, but that it holds one message in any case.
    """

    def __init__(self, messages: ReportMessages, packet_bytes: int) -> None:
        self._messages = messages
        self._packet_bytes = packet_bytes
        self._day = 0
        self._content = STREAM_NOTHING
        self._hold(memoryview(bytearray(2 * MESSAGE_BYTES_MAX)))

    def _hold(self, octets: memoryview) -> None:
        self._view = octets
        self._octets = octets
        self._capacity = len(octets)
        # Each packet may be a run, and none is shorter than its header.
        self._runs = memoryview(
            array("q", bytes(8 * RUN_WORDS * (len(octets) // DOWNSTREAM_BYTES)))
        )
        if cython.compiled:
            self._out = cython.address(self._octets[0])
        else:
            self._out = octets

    def pack(self, stream: ReportStream, count: int) -> list[Run]:
        """The packets of the `count` messages that `stream` has selected, until the next call.

        ValueError: its day is no session of ten digits. IndexError names a row that is not in the
        table, or needs one that is not.
        """
        if not 0 <= count <= len(stream.rows):
            raise IndexError(f"no {count} rows of {len(stream.rows)}")
        if stream.day != self._day or stream.content != self._content:
            self._begin(stream)
        end: cython.longlong = count
        place: cython.longlong = self._pack(stream.rows, end, stream.next_number)
        while place == NO_ROOM:
            self._hold(memoryview(bytearray(2 * self._capacity)))
            place = self._pack(stream.rows, end, stream.next_number)
        if place != PACKED:
            raise missing(stream.rows[place])
        runs = []
        begin: cython.longlong = 0
        for place in range(0, RUN_WORDS * self._run_count, RUN_WORDS):
            runs.append(Run(self._view[begin : self._runs[place]], self._runs[place + 2]))
            begin = self._runs[place]
        return runs

    def _begin(self, stream: ReportStream) -> None:
        """Pack for a stream's present day and content."""
        session = b"%d" % stream.day
        if len(session) != DOWNSTREAM_SEQUENCE:
            raise ValueError(f"a session has {DOWNSTREAM_SEQUENCE} bytes, not {session!r}")
        self._session_low = int.from_bytes(session[:8], "little")
        self._session_high = int.from_bytes(session[8:], "little")
        self._usual_bytes = BLOCK_HEADER_BYTES + message_bytes(stream.content)
        self._content = stream.content
        self._day = stream.day

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _pack(
        self,
        rows: cython.longlong[::1],
        end: cython.longlong,
        number: cython.longlong,
    ) -> cython.longlong:
        """All packets of rows[:end]; number: of the first message. No allocation."""
        out: cython.p_uchar = self._out
        index: cython.longlong
        size: cython.longlong
        at: cython.longlong = 0  # where the next message begins
        start: cython.longlong = 0  # of the open packet; its messages:
        count: cython.longlong = 0
        self._run_count = 0
        for index in range(end):
            if at + 2 * DOWNSTREAM_BYTES + MESSAGE_BYTES_MAX > self._capacity:
                return NO_ROOM
            if count and at + self._usual_bytes - start > self._packet_bytes:
                self._close_packet(start, at, count)
                count = 0
            if count == 0:
                start = at
                at = self._open_packet(at, number + index)
            size = self._messages.put(out, at + BLOCK_HEADER_BYTES, self._content, rows[index])
            if size < 0:
                return index
            put_u2(out, at, size)
            size += BLOCK_HEADER_BYTES
            if count and at + size - start > self._packet_bytes:
                # Longer than most: it begins the next packet.
                copy(out, at + DOWNSTREAM_BYTES, out, at, size)
                self._close_packet(start, at, count)
                count = 0
                start = at
                at = self._open_packet(at, number + index)
            at += size
            count += 1
        if count:
            self._close_packet(start, at, count)
        return PACKED

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _open_packet(self, at: cython.longlong, number: cython.longlong) -> cython.longlong:
        """Begin a packet; give where its first message begins."""
        put_8(self._out, at, self._session_low)
        put_8(self._out, at + 8, self._session_high)  # the last six are the next field's
        put_u8(self._out, at + DOWNSTREAM_SEQUENCE, number)
        return at + DOWNSTREAM_BYTES

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _close_packet(
        self, start: cython.longlong, end: cython.longlong, count: cython.longlong
    ) -> cython.void:
        """A packet is whole: it goes on with the run before it, or begins one."""
        place: cython.longlong = RUN_WORDS * (self._run_count - 1)
        begin: cython.longlong = 0
        put_u2(self._out, start + DOWNSTREAM_COUNT, count)
        if self._run_count:
            if place:
                begin = self._runs[place - RUN_WORDS]
            # A run ends with a packet that is shorter. What IP cuts goes alone.
            if (
                end - start <= self._runs[place + 2] <= self._packet_bytes
                and self._runs[place] - begin == self._runs[place + 1] * self._runs[place + 2]
                and self._runs[place + 1] < RUN_PACKETS_MAX
                and end - begin <= RUN_BYTES_MAX
            ):
                self._runs[place] = end
                self._runs[place + 1] += 1
                return
        place += RUN_WORDS
        self._run_count += 1
        self._runs[place] = end
        self._runs[place + 1] = 1
        self._runs[place + 2] = end - start
