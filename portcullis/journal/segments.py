"""Segment files: their names, their header, and their place in memory.

Owns what a segment looks like on disk and the address range that all segments are mapped into.
Must not know batches, seals, or what a row means.

A segment is HEADER_BYTES of header, then `rows` rows. Segment numbers count from 1 without holes,
and each begins at the row after the last of the one before, so the rows of all segments lie
back to back in one address range and a row's number gives its address. The range is reserved
whole before anything is mapped into it; what is reserved and not mapped reads as zero, which is
what an unwritten row is, so a stray read finds an empty row and never ends the process.

The header takes less than a disk sector, so that rewriting it is atomic.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import construct
from crc32c import crc32c

from portcullis.journal.errors import SegmentError
from portcullis.journal.rows import ROW_BYTES

HEADER_BYTES = 4096
SECTOR_BYTES = 512
FORMAT_VERSION = 1
MAGIC = b"PORTCJNL"
SUFFIX = ".journal"

HEADER = construct.Struct(
    "magic" / construct.Bytes(8),
    "format_version" / construct.Int16ul,
    "row_bytes" / construct.Int16ul,
    "engine_version" / construct.Int32ul,
    "number" / construct.Int64ul,
    "first_row" / construct.Int64ul,
    "rows" / construct.Int64ul,
    "batch_rows" / construct.Int32ul,  # bounds of a batch: replay has to slice as the writer did
    "input_rows" / construct.Int32ul,
    "boot_id" / construct.Bytes(16),  # of the machine's run that opened the segment; 0: unknown
    "clean_stop_row" / construct.Int64ul,  # last row, where the writer closed in order; else 0
    "crc" / construct.Int32ul,  # CRC-32C of all bytes before it
)
_CRC_AT = HEADER.sizeof() - 4
# In place of a boot id: rows were lost, and what they had numbered is still to be passed over.
LOSS_NOTED = b"\xff" * 16


@dataclass(frozen=True)
class SegmentHeader:
    """The header's fields; `HEADER` describes them and their bytes."""

    number: int
    first_row: int
    rows: int
    batch_rows: int
    input_rows: int
    engine_version: int
    boot_id: bytes
    clean_stop_row: int = 0

    @property
    def end_row(self) -> int:
        """The row after the segment's last: the first row of the next segment."""
        return self.first_row + self.rows

    @property
    def file_bytes(self) -> int:
        """Size of the whole file."""
        return HEADER_BYTES + self.rows * ROW_BYTES

    def next(self, **changes: Any) -> SegmentHeader:
        """The header of the segment that follows this one."""
        return replace(
            self,
            number=self.number + 1,
            first_row=self.end_row,
            clean_stop_row=0,
            **changes,
        )


def encode_header(header: SegmentHeader) -> bytes:
    """The header as it begins the file: SECTOR_BYTES, the rest of HEADER_BYTES is zero."""
    built: bytes = HEADER.build(
        {
            "magic": MAGIC,
            "format_version": FORMAT_VERSION,
            "row_bytes": ROW_BYTES,
            "crc": 0,
            **vars(header),
        }
    )
    body = built[:_CRC_AT]
    return (body + crc32c(body).to_bytes(4, "little")).ljust(SECTOR_BYTES, b"\0")


def parse_header(octets: bytes, path: Path) -> SegmentHeader:
    """The fields of a header; SegmentError says what is wrong with it. `path` is for the text."""
    if len(octets) < HEADER.sizeof():
        raise SegmentError(f"{path}: cut short: {len(octets)} bytes hold no segment header")
    fields = HEADER.parse(octets)
    if fields.magic != MAGIC:
        raise SegmentError(f"{path}: not a journal segment (it begins with {fields.magic!r})")
    if fields.format_version != FORMAT_VERSION:
        raise SegmentError(
            f"{path}: format version {fields.format_version}, this program reads {FORMAT_VERSION}"
        )
    if crc32c(octets[:_CRC_AT]) != fields.crc:
        raise SegmentError(f"{path}: the segment header is damaged (its CRC does not match)")
    if fields.row_bytes != ROW_BYTES:
        raise SegmentError(f"{path}: rows of {fields.row_bytes} bytes, expected {ROW_BYTES}")
    return SegmentHeader(**{name: fields[name] for name in SegmentHeader.__dataclass_fields__})


def segment_path(directory: Path, number: int) -> Path:
    """Where segment `number` stands."""
    return directory / f"{number:010d}{SUFFIX}"


def read_header(path: Path) -> SegmentHeader:
    """The header of a segment file, checked against the file's name and size."""
    with path.open("rb") as file:
        header = parse_header(file.read(SECTOR_BYTES), path)
        size = os.fstat(file.fileno()).st_size
    if path.name != f"{header.number:010d}{SUFFIX}":
        raise SegmentError(f"{path}: holds segment {header.number}: the file has been renamed")
    if size != header.file_bytes:
        raise SegmentError(f"{path}: {size} bytes, expected {header.file_bytes}")
    return header


def list_segments(directory: Path, *, from_first: bool = True) -> list[SegmentHeader]:
    """Headers of all segments, ascending; SegmentError where one is missing or does not fit.

    from_first: segment 1 has to be among them; else the oldest may have been archived.
    """
    headers: list[SegmentHeader] = []
    for path in sorted(directory.glob("*" + SUFFIX)):
        header = read_header(path)
        expected = headers[-1].next() if headers else None
        if expected is None and from_first and header.number != 1:
            raise SegmentError(f"{directory}: segment 1 is missing, {path.name} is the first")
        if expected is not None and header.number != expected.number:
            raise SegmentError(
                f"{directory}: segment {expected.number} is missing before {path.name}"
            )
        first_row = (
            expected.first_row if expected else (1 if header.number == 1 else header.first_row)
        )
        if header.first_row != first_row:
            raise SegmentError(f"{path}: begins at row {header.first_row}, expected {first_row}")
        headers.append(header)
    return headers


def write_header(directory: Path, header: SegmentHeader) -> None:
    """Rewrite the header of an existing segment. Not synced."""
    descriptor = os.open(segment_path(directory, header.number), os.O_RDWR)
    try:
        os.pwrite(descriptor, encode_header(header), 0)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make names in the directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def boot_id() -> bytes:
    """Which run of the machine this is, 16 bytes; zeros where the system doesn't say."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return bytes(16)
    return bytes.fromhex(text.strip().replace("-", ""))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int64,
]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_MAP_FIXED = 0x10  # the same on Linux and macOS; the mmap module does not name it
_MAP_NORESERVE = 0x4000 if os.uname().sysname == "Linux" else 0x40
# Rows are mapped from HEADER_BYTES of the file to HEADER_BYTES beyond a multiple of this. Only
# where file and addresses agree so does Linux map the large pages of its file cache whole: the
# first write to a page of rows then costs 0.3 us, otherwise 6.8.
_HUGE_BYTES = 1 << 21
_SPARE_BYTES = _HUGE_BYTES + HEADER_BYTES
_MAP_FAILED = ctypes.c_void_p(-1).value


def _mmap(address: int | None, length: int, protection: int, flags: int, descriptor: int) -> int:
    offset = 0 if descriptor < 0 else HEADER_BYTES
    mapped: int | None = _libc.mmap(address, length, protection, flags, descriptor, offset)
    if mapped is None or mapped == _MAP_FAILED:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return mapped


class RowSpace:
    """One address range for the rows of all segments, reserved at once.

    reserve_bytes: halved until the system grants it, but not below `floor_bytes`; OSError where
    even that is refused. `memory` is the whole range as a buffer; it stays valid for as long as
    anything refers to it, and is given back after that.
    """

    def __init__(self, origin_row: int, reserve_bytes: int, floor_bytes: int) -> None:
        if mmap.ALLOCATIONGRANULARITY > HEADER_BYTES:
            raise OSError(
                f"memory pages of {mmap.ALLOCATIONGRANULARITY} bytes are not supported: a segment "
                f"is mapped from byte {HEADER_BYTES} of its file"
            )
        length = max(reserve_bytes, floor_bytes)
        while True:
            length -= length % mmap.PAGESIZE
            try:
                reserved = _mmap(None, length + _SPARE_BYTES, mmap.PROT_READ, self._RESERVE, -1)
                break
            except OSError:
                if length == floor_bytes:
                    raise
                length = max(length // 2, floor_bytes)
        self._address = -(-reserved // _HUGE_BYTES) * _HUGE_BYTES + HEADER_BYTES
        # By their first rows.
        self._mapped: dict[int, SegmentHeader] = {}
        self.origin_row = origin_row
        self.end_row = origin_row + length // ROW_BYTES
        array = (ctypes.c_ubyte * length).from_address(self._address)
        finish = weakref.finalize(array, _libc.munmap, reserved, length + _SPARE_BYTES)
        finish.atexit = False
        self.memory = memoryview(array).cast("B")

    _RESERVE = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE

    def has_room(self, header: SegmentHeader) -> bool:
        """Whether the segment's rows lie within the reserved range."""
        return self.origin_row <= header.first_row and header.end_row <= self.end_row

    def map(self, directory: Path, header: SegmentHeader, *, private: bool = False) -> None:
        """Map a segment's rows, or map them anew: what was there is replaced at once.

        private: writes stay in this process and the file keeps its bytes, until the segment is
        mapped again without it.
        """
        assert self.has_room(header)
        descriptor = os.open(segment_path(directory, header.number), os.O_RDWR)
        try:
            _mmap(
                self._address + (header.first_row - self.origin_row) * ROW_BYTES,
                header.rows * ROW_BYTES,
                mmap.PROT_READ | mmap.PROT_WRITE,
                (mmap.MAP_PRIVATE if private else mmap.MAP_SHARED) | _MAP_FIXED,
                descriptor,
            )
        finally:
            os.close(descriptor)
        self._mapped[header.first_row] = header

    def take_pruned(self, directory: Path, end_row: int) -> list[SegmentHeader]:
        """The segments mapped, from the first on and up to a row, whose files are gone: to be
        released, once nobody looks at their rows any more. One system call, mostly."""
        found: list[SegmentHeader] = []
        for first_row in sorted(self._mapped):
            header = self._mapped[first_row]
            path = segment_path(directory, header.number)
            if header.end_row > end_row or path.exists():
                break
            found.append(self._mapped.pop(first_row))
        return found

    def release(self, headers: list[SegmentHeader]) -> None:
        """Let go of segments: their rows then read as zero; memory and disk have theirs back.

        May run in a thread beside whoever uses other rows. Some milliseconds each.
        """
        for header in headers:
            address = self._address + (header.first_row - self.origin_row) * ROW_BYTES
            length = header.rows * ROW_BYTES
            # Pages first, which lets others fault theirs in meanwhile; a new mapping does not.
            _libc.madvise(address, length, mmap.MADV_DONTNEED)
            _mmap(address, length, mmap.PROT_READ, self._RESERVE | _MAP_FIXED, -1)

    def unmap(self) -> None:
        """Let go of every segment; the range then reads as zero and may not be written."""
        _mmap(self._address, self.memory.nbytes, mmap.PROT_READ, self._RESERVE | _MAP_FIXED, -1)
        self._mapped.clear()
