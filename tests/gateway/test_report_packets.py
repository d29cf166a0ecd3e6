"""Packets of messages that differ in length: all whole, in order, in runs of one size."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.codecs.moldudp64.packets import Downstream, parse_downstream
from portcullis.gateway.report_messages import REPORT_BYTES, ReportMessages
from portcullis.gateway.report_packets import ReportPackets, Run, run_messages
from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows as r
from tests.support.fix_desk import FixDesk
from tests.support.streams import put_stream

ORDER = "D|11={}|54=1|55=BTC-USD|38=1.5|40=2|44=100|60=20261121-00:00:00.123"
DAY = 2026112101
SESSION = b"%d" % DAY
MESSAGE_BYTES = 2 + REPORT_BYTES


class Desk:
    """Reports of orders with texts of these lengths; 0: without one."""

    def __init__(self, texts: Sequence[int]) -> None:
        desk = FixDesk()
        self.stream = stream = ReportStream(desk.table, 1, b"s", next_row=desk.table.tail)
        put_stream(desk.table, 1, r.STREAM_REPORTS, DAY)
        for number, length in enumerate(texts):
            desk.send(ORDER.format(f"a{number}") + (f"|58={'x' * length}" if length else ""))
        stream.pass_to(stream.reached, stream.select(desk.table.tail))
        self.count = stream.select(desk.table.tail)
        self.table = desk.table
        self.encoder = ReportMessages(desk.table, desk.catalog)
        self.messages = self.encoder.encode(r.STREAM_REPORTS, stream.rows, 0, self.count)

    def pack(self, packet_bytes: int) -> list[Run]:
        found = ReportPackets(self.encoder, packet_bytes).pack(self.stream, self.count)
        return [Run(bytes(run.octets), run.packet_bytes) for run in found]


def cut(run: Run) -> list[bytes]:
    """A run's packets, as the system cuts them."""
    octets, size = bytes(run.octets), run.packet_bytes
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def test_messages_of_one_size_make_one_run() -> None:
    desk = Desk([0] * 11)
    desk.stream.pass_to(desk.stream.next_row, 6)
    (run,) = desk.pack(20 + 4 * MESSAGE_BYTES + 1)
    assert run.packet_bytes == 20 + 4 * MESSAGE_BYTES
    assert [parse_downstream(packet) for packet in cut(run)] == [
        Downstream(SESSION, 7, tuple(desk.messages[:4])),
        Downstream(SESSION, 11, tuple(desk.messages[4:8])),
        Downstream(SESSION, 15, tuple(desk.messages[8:])),
    ]


# With none, few and many bytes of their own, up to all that a client can have carried.
TEXTS = st.lists(
    st.sampled_from([0] * 6 + [1, 36, 271, 272, 500, 1500, 4000]) | st.integers(0, 600),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, packet_bytes=st.sampled_from([512, 583, 584, 1472, 9000]))
def test_every_message_leaves_once_in_order_in_packets_as_full_as_may_be(
    texts: list[int], packet_bytes: int
) -> None:
    desk = Desk(texts)
    runs = desk.pack(packet_bytes)
    packets = []
    for run in runs:
        sizes = [len(packet) for packet in cut(run)]
        assert set(sizes[:-1]) <= {run.packet_bytes} and sizes[-1] <= run.packet_bytes
        if len(sizes) > 1:
            assert run.packet_bytes <= packet_bytes
            assert len(sizes) <= 64 and len(run.octets) <= 65_507
        packets += [parse_downstream(packet) for packet in cut(run)]
    # A naive one: a packet takes the next message where it fits, or where it has none.
    expected: list[Downstream] = []
    room = 0
    for number, message in enumerate(desk.messages, 1):
        if room < 2 + len(message):
            expected.append(Downstream(SESSION, number))
            room = packet_bytes - 20
        last = expected[-1]
        expected[-1] = last._replace(messages=(*last.messages, message))
        room -= 2 + len(message)
    assert packets == expected


def test_a_run_ends_with_a_packet_of_another_size_and_what_ip_cuts_goes_alone() -> None:
    desk = Desk([0, 0, 9, 0, 0, 600, 600, 0])
    runs = desk.pack(20 + MESSAGE_BYTES)
    usual, longer, longest = (20 + MESSAGE_BYTES + length for length in (0, 9, 600))
    assert [(run.packet_bytes, len(run.octets)) for run in runs] == [
        (usual, 2 * usual),
        (longer, longer),  # beyond the size, so it takes none with it
        (usual, 2 * usual),
        (longest, longest),
        (longest, longest),
        (usual, usual),
    ]
    assert [(run.packet_bytes, len(run.octets)) for run in desk.pack(longer)] == [
        (usual, 2 * usual),
        (longer, longer + usual),
        (usual, usual),
        (longest, longest),
        (longest, longest),
        (usual, usual),
    ]


@pytest.mark.parametrize("packet_bytes", [512, 1472, 65_507])
def test_a_run_holds_as_many_messages_as_are_packed_at_once(packet_bytes: int) -> None:
    count = run_messages(r.STREAM_REPORTS, packet_bytes)
    desk = Desk([0])
    desk.count = 2 * count
    for index in range(desk.count):
        desk.stream.rows[index] = desk.stream.rows[0]
    first, second = desk.pack(packet_bytes)
    assert len(first.octets) == len(second.octets) <= 65_507


def test_a_session_has_ten_bytes_and_rows_are_there() -> None:
    desk = Desk([0])
    with pytest.raises(IndexError, match="no 8193 rows of 8192"):
        ReportPackets(desk.encoder, 1472).pack(desk.stream, 8193)
    desk.stream.rows[1] = 10**9
    with pytest.raises(IndexError, match="row 1000000000, or one that it needs"):
        ReportPackets(desk.encoder, 1472).pack(desk.stream, 2)
    put_stream(desk.table, 1, r.STREAM_REPORTS, 20261122)
    desk.stream.follow(desk.table.tail)
    with pytest.raises(ValueError, match="a session has 10 bytes, not b'20261122'"):
        ReportPackets(desk.encoder, 1472).pack(desk.stream, 1)
