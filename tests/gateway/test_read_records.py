"""Records of reads: time, session, length, octets, as `struct` packs them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.gateway.read_records import ReadRecords

RECEIVED = bytes(range(256))


@given(
    st.lists(
        st.tuples(
            st.integers(1, (1 << 32) - 1),
            st.integers(-(1 << 63), (1 << 63) - 1),
            st.integers(0, 256),
            st.integers(0, 256),
            st.booleans(),
        )
    )
)
def test_records_stand_as_struct_packs_them_until_there_is_no_room(
    reads: list[tuple[int, int, int, int, bool]],
) -> None:
    records = ReadRecords(memoryview(RECEIVED), 1000)
    expected = b""
    for session, now_ns, one, other, elsewhere in reads:
        start, stop = sorted((one, other))
        octets = RECEIVED[start:stop]
        record = struct.pack("<qII", now_ns, session, len(octets)) + octets
        if elsewhere:
            added = records.add_octets(session, now_ns, octets)
        else:
            added = records.add(session, now_ns, start, stop)
        assert added == (len(expected) + len(record) <= 1000)
        expected += record if added else b""
        assert records.size == len(expected)
    assert bytes(records.waiting()) == expected
    records.forget()
    assert bytes(records.waiting()) == b""


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 257)])
def test_bytes_that_are_not_in_the_buffer_are_refused(start: int, stop: int) -> None:
    with pytest.raises(IndexError, match="of 256"):
        ReadRecords(memoryview(RECEIVED), 1000).add(1, 1, start, stop)
