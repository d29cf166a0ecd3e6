"""Segment files and their place in memory."""

from __future__ import annotations

import gc
import struct
from pathlib import Path

import crcmod.predefined
import pytest

from portcullis.journal import segments
from portcullis.journal.errors import SegmentError
from portcullis.journal.segments import (
    HEADER,
    RowSpace,
    SegmentHeader,
    encode_header,
    list_segments,
    parse_header,
    segment_path,
)
from tests.support.journals import fill

crc32c = crcmod.predefined.mkPredefinedCrcFun("crc-32c")
PATH = Path("0000000007.journal")
SAMPLE = SegmentHeader(
    number=7,
    first_row=577,
    rows=96,
    batch_rows=16,
    input_rows=8,
    engine_version=3,
    boot_id=bytes(range(16)),
    clean_stop_row=600,
)


def test_the_header_has_the_layout_that_the_format_says() -> None:
    body = struct.pack(
        "<8sHHIQQQII16sQ",
        b"PORTCJNL", 1, 128, 3, 7, 577, 96, 16, 8, bytes(range(16)), 600,
    )  # fmt: skip
    expected = body + struct.pack("<I", crc32c(body))
    assert HEADER.sizeof() == len(expected) == 76
    assert encode_header(SAMPLE) == expected.ljust(512, b"\0")
    assert parse_header(encode_header(SAMPLE), PATH) == SAMPLE


def test_any_byte_of_the_header_changed_is_refused() -> None:
    whole = encode_header(SAMPLE)
    for at in range(HEADER.sizeof()):
        octets = bytearray(whole)
        octets[at] ^= 1
        with pytest.raises(SegmentError, match=r"0000000007\.journal"):
            parse_header(bytes(octets), PATH)


def test_a_header_of_another_format_says_which() -> None:
    octets = bytearray(encode_header(SAMPLE))
    octets[8] = 9
    with pytest.raises(SegmentError, match="format version 9, this program reads 1"):
        parse_header(bytes(octets), PATH)


def test_rows_of_another_size_are_refused() -> None:
    octets = bytearray(encode_header(SAMPLE)[: HEADER.sizeof()])
    octets[10:12] = (64).to_bytes(2, "little")
    octets[-4:] = crc32c(bytes(octets[:-4])).to_bytes(4, "little")
    with pytest.raises(SegmentError, match="rows of 64 bytes, expected 128"):
        parse_header(bytes(octets), PATH)


def test_other_files_are_no_segments(tmp_path: Path) -> None:
    segment_path(tmp_path, 1).write_bytes(b"PK" + bytes(5000))
    with pytest.raises(SegmentError, match="not a journal segment"):
        list_segments(tmp_path)
    segment_path(tmp_path, 1).write_bytes(b"")
    with pytest.raises(SegmentError, match="cut short"):
        list_segments(tmp_path)


def test_segments_that_do_not_follow_each_other_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, 42).close()
    second = segment_path(tmp_path, 2)
    header = segments.read_header(second)
    moved = SegmentHeader(**{**vars(header), "first_row": header.first_row + 32})
    second.write_bytes(encode_header(moved) + second.read_bytes()[512:])
    with pytest.raises(SegmentError, match="begins at row 129, expected 97"):
        list_segments(tmp_path)


def test_a_reservation_that_is_refused_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    grant = segments._mmap

    def refuse_large(address: int | None, length: int, *rest: int) -> int:
        asked.append(length - segments._SPARE_BYTES)
        if asked[-1] > 1 << 20:
            raise OSError(12, "Cannot allocate memory")
        return grant(address, length, *rest)

    monkeypatch.setattr(segments, "_mmap", refuse_large)
    space = RowSpace(1, 1 << 23, 1 << 16)
    assert asked == [1 << 23, 1 << 22, 1 << 21, 1 << 20]
    assert space.memory.nbytes == 1 << 20
    assert space.end_row == 1 + (1 << 13)
    with pytest.raises(OSError, match="Cannot allocate"):
        RowSpace(1, 1 << 23, 1 << 21)


def test_the_range_lives_as_long_as_a_view_of_it() -> None:
    space = RowSpace(1, 1 << 20, 1 << 20)
    view = space.memory[-8:].cast("q")
    address = space._address
    del space
    gc.collect()
    assert view[0] == 0
    del view
    gc.collect()
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, _, end = line.split()[0].partition("-")
        assert not int(first, 16) <= address < int(end, 16)


def test_rows_lie_in_memory_as_they_do_in_the_file() -> None:
    # Where both agree modulo 2 MiB, Linux maps the large pages of its cache whole.
    assert RowSpace(1, 1 << 23, 1 << 20)._address % (1 << 21) == 4096


def test_a_private_mapping_keeps_writes_from_the_file(tmp_path: Path) -> None:
    journal = fill(tmp_path, 2)
    journal.close()
    (header,) = list_segments(tmp_path)
    before = segment_path(tmp_path, 1).read_bytes()
    space = RowSpace(1, 1 << 20, 1 << 20)
    space.map(tmp_path, header, private=True)
    row = bytes(space.memory[:128])
    space.memory[:128] = bytes(128)
    assert segment_path(tmp_path, 1).read_bytes() == before
    space.map(tmp_path, header)
    assert bytes(space.memory[:128]) == row
    space.memory[:128] = bytes(128)
    assert segment_path(tmp_path, 1).read_bytes()[4096 : 4096 + 128] == bytes(128)
