"""A line that stalls, fails or cannot cut packets: the stream goes on, what is lost is told."""

from __future__ import annotations

import errno
from typing import Any

from portcullis.codecs.moldudp64.packets import Downstream, parse_downstream
from portcullis.gateway.config_schema import Stream
from portcullis.gateway.config_values import Address, Duration
from portcullis.gateway.multicast import Line, Outlet, Sender
from portcullis.gateway.report_messages import ReportMessages
from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows as r
from tests.support.fix_desk import FixDesk
from tests.support.multicast_listener import MulticastListener, free_group
from tests.support.streams import put_stream

ORDER = "D|11={}|54=1|55=BTC-USD|38=1.5|40=2|44=100|60=20261121-00:00:00.123"
DAY = 2026112101
SIZE = 100  # a packet's


class Wire:
    """Stands for a line's socket: takes so many calls, then says what `error` says."""

    def __init__(self, calls: int, error: OSError) -> None:
        self.calls = calls
        self.error = error
        self.sent: list[bytes] = []
        self.segment_bytes = SIZE

    def send(self, octets: bytes | memoryview) -> int:
        if not self.calls:
            raise self.error
        self.calls -= 1
        self.sent.append(bytes(octets))
        return len(octets)

    def setsockopt(self, _level: int, _option: int, value: int) -> None:
        self.segment_bytes = value

    def close(self) -> None:
        pass


def line_on(wire: Wire, *, segmented: bool = False) -> Line:
    settings = Stream(name="s", groups=[Address("239.1.1.1:9")])
    line = Line(settings, "239.1.1.1:9", SIZE)
    line._socket.close()
    line._socket = wire  # type: ignore[assignment]
    line.is_segmented = segmented
    return line


def test_a_stalled_line_goes_on_where_it_was() -> None:
    wire = Wire(1, BlockingIOError())
    line = line_on(wire)
    chunk = b"a" * SIZE + b"b" * SIZE + b"c" * 7
    assert not line.send(chunk)
    wire.calls = 5
    assert line.send(chunk)
    assert wire.sent == [b"a" * SIZE, b"b" * SIZE, b"c" * 7]
    assert (line.packets, line.lost) == (3, 0)


def test_what_is_dropped_is_counted_and_the_next_is_sent_whole() -> None:
    wire = Wire(1, BlockingIOError())
    line = line_on(wire)
    assert not line.send(b"a" * SIZE + b"b" * SIZE + b"c" * 7)
    line.drop(b"a" * SIZE + b"b" * SIZE + b"c" * 7)
    assert (line.packets, line.lost, line.error) == (1, 2, "socket full")
    wire.calls = 1
    assert line.send(b"next")
    assert wire.sent[-1] == b"next"


def test_a_failed_packet_is_left_out_and_those_behind_it_are_tried() -> None:
    wire = Wire(0, OSError(errno.ENETUNREACH, "Network is unreachable"))
    line = line_on(wire)
    assert line.send(b"a" * SIZE + b"b")
    assert (line.packets, line.lost, line.error) == (0, 2, "Network is unreachable")


def test_a_device_that_cannot_cut_gets_packets_one_by_one() -> None:
    wire = Wire(0, OSError(errno.EINVAL, "Invalid argument"))
    line = line_on(wire, segmented=True)
    send = wire.send

    def choosy(octets: bytes | memoryview) -> int:
        wire.calls = 0 if wire.segment_bytes and len(octets) > SIZE else 1
        return send(octets)

    wire.send = choosy  # type: ignore[method-assign]
    assert line.send(b"a" * SIZE + b"b" * SIZE)
    assert wire.sent == [b"a" * SIZE, b"b" * SIZE]
    assert (line.is_segmented, line.packets, line.lost) == (False, 2, 0)


class Gauged:
    """A line that takes so many chunks, then none."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.sent: list[bytes] = []
        self.dropped = 0
        self.stalled_ns = 0

    def send(self, chunk: Any) -> bool:
        if not self.chunks:
            return False
        self.chunks -= 1
        self.stalled_ns = 0
        self.sent.append(bytes(chunk))
        return True

    def drop(self, chunk: Any) -> None:
        self.dropped += 1


def sender_over(lines: list[Any], *, stall_max: int, orders: int) -> tuple[Sender, FixDesk]:
    """A sender of packets of one message, two of them a chunk, with so many reports to publish."""
    desk = FixDesk()
    stream = ReportStream(desk.table, 1, b"s", next_row=desk.table.tail)
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY)
    for number in range(orders):
        desk.send(ORDER.format(f"a{number}"))
    settings = Stream(name="s", groups=[Address("239.1.1.1:9")], stall_max=Duration(stall_max))
    messages = ReportMessages(desk.table, desk.catalog)
    sender = Sender(Outlet(settings, lines, 1), stream, messages)
    sender._per_chunk = 2
    return sender, desk


def numbers(chunks: list[bytes]) -> list[int]:
    found = []
    for chunk in chunks:
        size = len(chunk) // (2 if len(chunk) > 400 else 1)
        for at in range(0, len(chunk), size):
            packet = parse_downstream(chunk[at : at + size])
            assert isinstance(packet, Downstream)
            found.append(packet.sequence)
    return found


def test_a_stall_holds_the_cursor_and_no_line_gets_a_packet_twice() -> None:
    fast, slow = Gauged(1000), Gauged(2)
    sender, desk = sender_over([fast, slow], stall_max=60_000_000_000, orders=9)
    sender.publish(desk.table.tail)
    assert numbers(slow.sent) == [1, 2, 3, 4]
    assert len(fast.sent) <= 3
    assert sender.stream.next_row < desk.table.tail
    for _ in range(3):
        sender.publish(desk.table.tail)
    slow.chunks = 1000
    sender.publish(desk.table.tail)
    assert numbers(slow.sent) == numbers(fast.sent) == list(range(1, 10))
    assert (sender.stream.next_number, slow.dropped) == (10, 0)


def test_a_line_that_stalls_too_long_does_not_hold_the_other_up() -> None:
    fast, slow = Gauged(1000), Gauged(1)
    sender, desk = sender_over([fast, slow], stall_max=0, orders=9)
    sender.publish(desk.table.tail)
    assert numbers(fast.sent) == list(range(1, 10))
    assert numbers(slow.sent) == [1, 2]
    assert slow.dropped == 4


def test_a_line_that_has_stalled_too_long_waits_no_more_until_it_takes_something() -> None:
    fast, slow = Gauged(1000), Gauged(0)
    sender, desk = sender_over([fast, slow], stall_max=1_000_000_000, orders=9)
    slow.stalled_ns = 1  # since the machine was started
    sender.publish(desk.table.tail)
    assert numbers(fast.sent) == list(range(1, 10))
    assert slow.dropped == 5
    slow.chunks = 1
    for number in range(5):
        desk.send(ORDER.format(f"b{number}"))
    sender.publish(desk.table.tail)
    assert numbers(slow.sent) == [10, 11]
    assert slow.dropped == 5
    assert sender.stream.next_row < desk.table.tail  # a new stall has its own time


def test_packets_cut_by_the_system_are_those_that_were_packed() -> None:
    group = free_group()
    listening = MulticastListener(group)
    try:
        settings = Stream(name="s", groups=[Address(group)])
        size = 20 + 5 * 267
        line = Line(settings, group, size)
        sender, desk = sender_over([line], stall_max=0, orders=100)
        sender._per_packet, sender._per_chunk = 5, 5 * 44
        sender.publish(desk.table.tail)
        for _ in range(20):
            listening.receive()
        assert len(listening.messages(b"%d" % DAY)) == 100
        assert {len(datagram) for datagram in listening.datagrams} == {size}
        line.close()
    finally:
        listening.close()
