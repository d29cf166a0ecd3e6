"""A line that stalls, fails or cannot cut packets: the stream goes on, what is lost is told."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pytest

from portcullis.codecs.moldudp64.packets import Downstream, parse_downstream
from portcullis.gateway.config_schema import Stream
from portcullis.gateway.config_values import Address, Duration
from portcullis.gateway.multicast import Line, Outlet, Sender
from portcullis.gateway.report_messages import ReportMessages
from portcullis.gateway.report_packets import Run
from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows as r
from portcullis.tools.gateway_process import free_group
from tests.support.fix_desk import FixDesk
from tests.support.multicast_listener import MulticastListener
from tests.support.sbe_decoder import decode
from tests.support.streams import put_stream

ORDER = "D|11={}|54=1|55=BTC-USD|38=1.5|40=2|44=100|60=20261121-00:00:00.123"
ORDERS = [ORDER.format(f"a{number}") for number in range(100)]
DAY = 2026112101
SIZE = 100  # a packet's


class Wire:
    """Stands for a line's socket: takes so many calls, then says what `error` says."""

    def __init__(self, calls: int, error: OSError) -> None:
        self.calls = calls
        self.error = error
        self.sent: list[bytes] = []
        # Of each call, the size that the system is to cut by; 0: it is one packet.
        self.cut: list[int] = []

    def send(self, octets: bytes | memoryview) -> int:
        return self.sendmsg([octets], [(0, 0, bytes(2))])

    def sendmsg(
        self, parts: list[bytes | memoryview], options: list[tuple[int, int, bytes]]
    ) -> int:
        if not self.calls:
            raise self.error
        self.calls -= 1
        self.sent += [bytes(part) for part in parts]
        self.cut += [int.from_bytes(value, "little") for _level, _option, value in options]
        return sum(map(len, parts))

    def close(self) -> None:
        pass


def run(octets: bytes, packet_bytes: int = SIZE) -> tuple[Run]:
    return (Run(octets, packet_bytes),)


def line_on(wire: Wire, *, segmented: bool = False) -> Line:
    settings = Stream(name="s", groups=[Address("239.1.1.1:9")])
    line = Line(settings, "239.1.1.1:9")
    line._socket.close()
    line._socket = wire  # type: ignore[assignment]
    line.is_segmented = segmented
    return line


def test_a_stalled_line_goes_on_where_it_was() -> None:
    wire = Wire(1, BlockingIOError())
    line = line_on(wire)
    chunk = run(b"a" * SIZE + b"b" * SIZE + b"c" * 7)
    assert not line.send(chunk)
    wire.calls = 5
    assert line.send(chunk)
    assert wire.sent == [b"a" * SIZE, b"b" * SIZE, b"c" * 7]
    assert (line.packets, line.lost) == (3, 0)


def test_what_is_dropped_is_counted_and_the_next_is_sent_whole() -> None:
    wire = Wire(1, BlockingIOError())
    line = line_on(wire)
    chunk = run(b"a" * SIZE + b"b" * SIZE + b"c" * 7)
    assert not line.send(chunk)
    line.drop(chunk)
    assert (line.packets, line.lost, line.error) == (1, 2, "socket full")
    wire.calls = 1
    assert line.send(run(b"next"))
    assert wire.sent[-1] == b"next"


def test_a_failed_packet_is_left_out_and_those_behind_it_are_tried() -> None:
    wire = Wire(0, OSError(errno.ENETUNREACH, "Network is unreachable"))
    line = line_on(wire)
    assert line.send(run(b"a" * SIZE + b"b"))
    assert (line.packets, line.lost, line.error) == (0, 2, "Network is unreachable")


def test_a_device_that_cannot_cut_gets_packets_one_by_one() -> None:
    wire = Wire(5, OSError(errno.EINVAL, "Invalid argument"))
    line = line_on(wire, segmented=True)

    def refuses(_parts: object, _options: object) -> int:
        raise wire.error

    wire.sendmsg, wire.send = refuses, choosy(wire.sendmsg)  # type: ignore[method-assign]
    assert line.send(run(b"a" * SIZE + b"b" * SIZE))
    assert wire.sent == [b"a" * SIZE, b"b" * SIZE]
    assert (line.is_segmented, line.packets, line.lost) == (False, 2, 0)


def choosy(sendmsg: Any) -> Any:
    """What sends packets that need no cutting."""
    return lambda octets: sendmsg([octets], [])


def test_runs_leave_with_a_call_each_that_says_how_to_cut_them() -> None:
    wire = Wire(9, OSError())
    line = line_on(wire, segmented=True)
    chunk = (*run(b"a" * SIZE + b"b" * 7), *run(b"c" * 400, 400), *run(b"d" * SIZE + b"e" * SIZE))
    assert line.send(chunk)
    assert wire.sent == [b"a" * SIZE + b"b" * 7, b"c" * 400, b"d" * SIZE + b"e" * SIZE]
    assert wire.cut == [SIZE, 0, SIZE]
    assert (line.packets, line.lost) == (5, 0)


def test_a_stall_between_runs_sends_none_of_them_twice() -> None:
    wire = Wire(1, BlockingIOError())
    line = line_on(wire, segmented=True)
    chunk = (*run(b"a" * SIZE + b"b" * SIZE), *run(b"c" * 400, 400), *run(b"d" * SIZE))
    assert not line.send(chunk)
    wire.calls = 1
    assert not line.send(chunk)
    assert wire.sent == [b"a" * SIZE + b"b" * SIZE, b"c" * 400]
    line.drop(chunk)
    assert (line.packets, line.lost) == (3, 1)
    wire.calls = 1
    assert line.send(run(b"next"))
    assert wire.sent[-1] == b"next"


def test_a_packet_that_is_too_long_for_the_line_is_lost_and_no_reason_to_cut_no_more() -> None:
    wire = Wire(0, OSError(errno.EMSGSIZE, "Message too long"))
    line = line_on(wire, segmented=True)
    assert line.send(run(b"a" * 400, 400))
    assert (line.is_segmented, line.packets, line.lost) == (True, 0, 1)
    assert line.error == "Message too long"


class Gauged:
    """A line that takes so many chunks, then none."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.sent: list[Run] = []
        self.dropped = 0
        self.stalled_ns = 0

    def send(self, chunk: Sequence[Run]) -> bool:
        if not self.chunks:
            return False
        self.chunks -= 1
        self.stalled_ns = 0
        self.sent += [Run(bytes(run.octets), run.packet_bytes) for run in chunk]
        return True

    def drop(self, chunk: Any) -> None:
        self.dropped += 1


def sender_over(
    lines: list[Any], *, stall_max: int, orders: Sequence[str], packet_bytes: int = 512
) -> tuple[Sender, FixDesk]:
    """A sender of packets of one message, two of them a chunk, with reports to publish."""
    desk = FixDesk()
    stream = ReportStream(desk.table, 1, b"s", next_row=desk.table.tail)
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY)
    for order in orders:
        desk.send(order)
    settings = Stream(
        name="s",
        groups=[Address("239.1.1.1:9")],
        stall_max=Duration(stall_max),
        packet_bytes=packet_bytes,
    )
    messages = ReportMessages(desk.table, desk.catalog)
    sender = Sender(Outlet(settings, lines), stream, messages)
    sender._per_chunk = 2
    return sender, desk


def numbers(runs: list[Run]) -> list[int]:
    found = []
    for octets, size in runs:
        for at in range(0, len(octets), size):
            packet = parse_downstream(octets[at : at + size])
            assert isinstance(packet, Downstream)
            found.append(packet.sequence)
    return found


def test_a_stall_holds_the_cursor_and_no_line_gets_a_packet_twice() -> None:
    fast, slow = Gauged(1000), Gauged(2)
    sender, desk = sender_over([fast, slow], stall_max=60_000_000_000, orders=ORDERS[:9])
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
    sender, desk = sender_over([fast, slow], stall_max=0, orders=ORDERS[:9])
    sender.publish(desk.table.tail)
    assert numbers(fast.sent) == list(range(1, 10))
    assert numbers(slow.sent) == [1, 2]
    assert slow.dropped == 4


def test_a_line_that_has_stalled_too_long_waits_no_more_until_it_takes_something() -> None:
    fast, slow = Gauged(1000), Gauged(0)
    sender, desk = sender_over([fast, slow], stall_max=1_000_000_000, orders=ORDERS[:9])
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


@pytest.mark.parametrize("is_segmented", [True, False])
@pytest.mark.parametrize("lengths", [(0,), (0, 0, 0, 0, 0, 0, 0, 30, 4000)])
def test_packets_cut_by_the_system_are_those_that_were_packed(
    lengths: tuple[int, ...], is_segmented: bool
) -> None:
    orders = [
        order + (f"|58={'x' * length}" if length else "")
        for order, length in zip(ORDERS, cycle(lengths), strict=False)
    ]
    group = free_group()
    listening = MulticastListener(group)
    try:
        settings = Stream(name="s", groups=[Address(group)])
        line = Line(settings, group)
        assert line.is_segmented
        line.is_segmented = is_segmented
        sender, desk = sender_over([line], stall_max=0, orders=orders, packet_bytes=1472)
        sender._per_chunk = 5 * 44
        sender.publish(desk.table.tail)
        while len(listening.messages(b"%d" % DAY)) < 100:
            listening.receive()
        sent = {len(datagram) for datagram in listening.datagrams}
        if lengths == (0,):
            assert sent == {20 + 5 * 279}
        else:
            assert {size for size in sent if size > 1472} == {20 + 279 + 4000}
        texts = [decode(one)[1]["text"] for one in listening.messages(b"%d" % DAY)]
        expected = [order.partition("|58=")[2] or None for order in orders]
        assert texts == expected
        assert (line.packets, line.lost) == (len(listening.datagrams), 0)
        line.close()
    finally:
        listening.close()
