"""Packets in a buffer: every split, every truncation, every length; construct is the oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.soupbintcp.scanner import MALFORMED, SoupScanner
from portcullis.dictionaries.soupbintcp import HEADER

Packet = tuple[bytes, bytes]
packets = st.lists(
    st.tuples(st.sampled_from([bytes([b]) for b in b"+AJSHZLURO?"]), st.binary(max_size=60)),
    max_size=12,
)


def wire(packet: Packet) -> bytes:
    letter, payload = packet
    return HEADER.build({"length": 1 + len(payload), "packet_type": letter}) + payload


def found(scanner: SoupScanner, count: int) -> list[Packet]:
    return [(bytes([scanner.packet_type[i]]), scanner.payload(i)) for i in range(count)]


@given(packets, st.data())
def test_a_stream_cut_anywhere_gives_the_packets_that_are_whole(
    sent: list[Packet], data: st.DataObject
) -> None:
    stream = b"".join(map(wire, sent))
    cut = data.draw(st.integers(0, len(stream)))
    scanner = SoupScanner(memoryview(bytearray(stream + b"\xff" * 8)))
    count = scanner.scan(0, cut)
    whole = 0
    while sum(len(wire(p)) for p in sent[: whole + 1]) <= cut and whole < len(sent):
        whole += 1
    assert found(scanner, count) == sent[:whole]
    assert scanner.consumed == sum(len(wire(p)) for p in sent[:whole])
    rest = scanner.scan(scanner.consumed, len(stream))
    assert found(scanner, rest) == sent[whole:]
    assert scanner.consumed == len(stream)


@pytest.mark.parametrize("length", [0, 98])
def test_a_length_that_cannot_be_ends_the_scan_at_once(length: int) -> None:
    stream = wire((b"R", b"")) + length.to_bytes(2, "big")
    scanner = SoupScanner(memoryview(bytearray(stream)), max_packet_bytes=99)
    assert scanner.scan(0, len(stream)) == 2
    assert list(scanner.packet_type[:2]) == [ord("R"), MALFORMED]
    assert scanner.consumed == len(stream)


def test_the_longest_packet_allowed_is_taken() -> None:
    stream = wire((b"U", b"x" * 96))
    scanner = SoupScanner(memoryview(bytearray(stream)), max_packet_bytes=99)
    assert found(scanner, scanner.scan(0, len(stream))) == [(b"U", b"x" * 96)]


def test_a_scan_without_places_left_says_so_and_goes_on() -> None:
    stream = wire((b"R", b"")) * 5
    scanner = SoupScanner(memoryview(bytearray(stream)), packets_max=2)
    counts = []
    at = 0
    while True:
        counts.append(scanner.scan(at, len(stream)))
        at = scanner.consumed
        if not scanner.full:
            break
    assert counts == [2, 2, 1]


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2), (0, 9)])
def test_bytes_outside_the_buffer_are_refused(start: int, end: int) -> None:
    with pytest.raises(IndexError, match="no bytes"):
        SoupScanner(memoryview(bytearray(8))).scan(start, end)
