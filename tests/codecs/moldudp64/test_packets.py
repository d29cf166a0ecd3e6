"""MoldUDP64 packets: the specification's bytes, and nothing that is not whole."""

from __future__ import annotations

import pytest
from construct import Bytes, GreedyRange, Int16ub, Prefixed, Struct
from construct import GreedyBytes as Rest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.moldudp64 import packets
from portcullis.dictionaries import moldudp64

SESSION = b"2026112101"
SHORT = b"TEST      "
DOWNSTREAM = next(one for one in moldudp64.MESSAGES if one.name == "Downstream").layout
sequences = st.integers(0, (1 << 64) - 1)
messages = st.lists(st.binary(max_size=40), min_size=1, max_size=8)

# Behind the session of ten bytes; from the specification's tables.
VECTORS = {
    "two messages, one empty": (
        "0000000000000005 0002 0003616263 0000",
        packets.Downstream(SHORT, 5, (b"abc", b"")),
    ),
    "heartbeat": ("0000000000000007 0000", packets.Downstream(SHORT, 7)),
    "end of session": ("0000000000000007 FFFF", packets.Downstream(SHORT, 7, ends=True)),
}


@pytest.mark.parametrize(("text", "expected"), VECTORS.values(), ids=VECTORS)
def test_a_packet_reads_as_the_specification_says(text: str, expected: packets.Downstream) -> None:
    octets = SHORT + bytes.fromhex(text)
    assert packets.parse_downstream(octets) == expected
    if expected.ends:
        assert packets.end_of_session(b"TEST", expected.sequence) == octets
    elif not expected.messages:
        assert packets.heartbeat(b"TEST", expected.sequence) == octets
    else:
        assert packets.downstream(b"TEST", expected.sequence, expected.messages) == octets


def test_a_request_reads_as_the_specification_says() -> None:
    octets = SHORT + bytes.fromhex("0000000000000003 0004")
    assert packets.request(b"TEST", 3, 4) == octets
    assert packets.parse_request(octets) == packets.Request(SHORT, 3, 4)
    assert packets.parse_request(octets + b"\0") is None
    assert packets.parse_request(octets[:-1]) is None


def test_a_request_asks_for_no_more_than_a_packet_can_count() -> None:
    asked = packets.parse_request(packets.request(SESSION, 1, 1_000_000))
    assert asked is not None and asked.wanted == 65534


@given(sequences, messages)
def test_construct_reads_what_was_written(sequence: int, sent: list[bytes]) -> None:
    whole = Struct("head" / DOWNSTREAM, "blocks" / GreedyRange(Prefixed(Int16ub, Rest)))
    octets = packets.downstream(SESSION, sequence, sent)
    found = whole.parse(octets)
    assert (found.head.session, found.head.sequence) == (SESSION, sequence)
    assert found.head.count == len(sent)
    assert list(found.blocks) == sent
    assert packets.parse_downstream(octets) == packets.Downstream(SESSION, sequence, tuple(sent))


@given(messages, st.data())
def test_a_packet_cut_anywhere_is_none(sent: list[bytes], data: st.DataObject) -> None:
    octets = packets.downstream(SESSION, 1, sent)
    assert packets.parse_downstream(octets[: data.draw(st.integers(0, len(octets) - 1))]) is None
    assert packets.parse_downstream(octets + b"\0") is None


def test_what_does_not_fit_a_packet_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 65534 messages, not 65535"):
        packets.downstream(SESSION, 1, [b""] * 65535)
    with pytest.raises(ValueError, match="at most 10 characters"):
        packets.heartbeat(b"ELEVENCHARS", 1)


def test_offsets_are_those_of_the_declaration() -> None:
    declared = Struct("session" / Bytes(packets.SESSION_BYTES), "rest" / Rest)
    octets = packets.heartbeat(SESSION, 9)
    assert (
        declared.parse(octets).rest
        == DOWNSTREAM.build({"session": SESSION, "sequence": 9, "count": 0})[
            packets.SESSION_BYTES :
        ]
    )
