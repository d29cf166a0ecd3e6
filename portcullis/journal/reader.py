"""Reads a journal from outside, while its writer may be at work: verify, dump and stats.

Owns the reading of segment files without the lock and without writing. Shares no code with
recovery, whose findings it checks: seals are taken apart with `struct`, and `verify` computes its
CRCs with another library. Memory is bounded: a segment's pages are mapped read-only, one batch's
rows are looked at at a time.
"""

from __future__ import annotations

import mmap
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import crcmod.predefined
from crc32c import crc32c

from portcullis.journal.dtype import ITEM_NAMES, KIND_FIELDS, KIND_NAMES
from portcullis.journal.errors import DamageError, SegmentError
from portcullis.journal.rows import (
    EMPTY,
    FIRST_OUTPUT,
    GENESIS,
    ITEM_HEAD,
    ROLL,
    ROW_BYTES,
    TEXT,
    TEXT_BYTES,
    TEXT_START,
    W_SEALED,
)
from portcullis.journal.segments import (
    HEADER_BYTES,
    SegmentHeader,
    boot_id,
    list_segments,
    read_header,
    segment_path,
)
from portcullis.journal.snapshots import list_snapshots

_SEAL = struct.Struct("<HHIII")  # row_count, segment, chain, first_row, crc
_SEAL_AT = ROW_BYTES - _SEAL.size
_SEAL_WORD = 8
_SEALED = struct.Struct("<q")
_HEAD = struct.Struct("<BBHIq")  # kind, flags, text_rows, session, time_ns
_independent_crc32c = crcmod.predefined.mkPredefinedCrcFun("crc-32c")

Ending = Literal["clean", "unsealed", "damage"]


class ReadBatch(NamedTuple):
    """A good batch: its rows back to back, valid until the next is asked for."""

    first_row: int
    segment: int
    octets: memoryview

    @property
    def row_count(self) -> int:
        return len(self.octets) // ROW_BYTES


@dataclass
class Verification:
    """What a whole walk found. JSON carries the same names.

    first_row: the first number of the segments there are. Numbers up to last_row that are no rows
    are those of segments' ends that stayed empty, where a start went on in another segment.
    ending: "clean", nothing is written after the last batch; "unsealed", something is, but no
    batch: a torn tail, or the batch that a live writer has open; "damage", see `text`.
    same_boot: the machine runs since the last segment in use was opened.
    """

    segments: int = 0
    batches: int = 0
    rows: int = 0
    first_row: int = 1
    last_row: int = 0
    ending: Ending = "clean"
    row: int = 0  # the first row that is not part of a good batch, where ending is not clean
    text: str = ""
    same_boot: bool = True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class JournalReader:
    """A walk over the sealed batches of a directory.

    crc: computes CRC-32C. After `batches` is exhausted `found` says where and how it ended.
    """

    def __init__(
        self, directory: Path | str, *, crc: Callable[[bytes | memoryview], int] = crc32c
    ) -> None:
        self.directory = Path(directory)
        # The first segments may have gone where a snapshot stands for them.
        self._from_first = not list_snapshots(self.directory)
        self.segments = list_segments(self.directory, from_first=self._from_first)
        if not self.segments:
            raise SegmentError(f"{self.directory}: there is no journal here")
        self.found = Verification(
            segments=len(self.segments), first_row=self.segments[0].first_row
        )
        self._crc = crc

    def batches(self, from_row: int = 1, *, exactly: bool = False) -> Iterator[ReadBatch]:
        """Good batches in order, from the segment on that holds `from_row`.

        exactly: from that row on, at which a batch is known to begin.
        """
        begin = from_row if exactly else 1
        chain: int | None = 0 if self.segments[0].number == 1 and begin == 1 else None
        index = -1
        while (index := index + 1) < len(self.segments):
            header = self.segments[index]
            if header.end_row <= from_row:
                chain = None  # unknown: the first batch read is taken for what it says
                continue
            with self._open(header) as rows:
                row = max(header.first_row, begin)
                rolled = False
                while (found := batch_at(rows, header, row, self._crc)) is not None:
                    octets, link, crc = found
                    if chain is not None and link != chain:
                        octets.release()
                        return self._damage(row, "this batch does not follow the one before")
                    chain = crc
                    self.found.batches += 1
                    self.found.rows += len(octets) // ROW_BYTES
                    batch = ReadBatch(row, header.number, octets)
                    row += batch.row_count
                    self.found.last_row = row - 1
                    rolled = batch.row_count == 1 and octets[0] == ROLL
                    with octets:
                        yield batch
                    if rolled:
                        break
                if not rolled:
                    return self._end(rows, header, row, self.segments[index + 1 :])
                if index + 1 == len(self.segments):
                    # A live writer makes segments while we read.
                    self.segments = list_segments(self.directory, from_first=self._from_first)
                    self.found.segments = len(self.segments)
                if index + 1 == len(self.segments):
                    return self._damage(row, f"segment {header.number + 1} is missing")

    def _end(
        self, rows: mmap.mmap, header: SegmentHeader, row: int, later: list[SegmentHeader]
    ) -> None:
        start = HEADER_BYTES + (row - header.first_row) * ROW_BYTES
        written = not _is_zero(rows, start)
        if written:
            self.found.ending = "unsealed"
            self.found.row = row
        # Anew, and once the rows were looked at: a live writer takes its clean stop back first.
        header = read_header(segment_path(self.directory, header.number))
        self.found.same_boot = header.boot_id == boot_id()
        valid = self._valid_after(rows, header, row + 1)
        for segment in later if not valid else ():
            with self._open(segment) as others:
                if valid := self._valid_after(others, segment, segment.first_row):
                    break
        stopped = header.clean_stop_row
        if valid:
            why = f"the journal goes on at row {valid}"
        elif stopped >= row or (stopped and written):
            why = f"the journal was closed at row {stopped}"
        elif self.found.same_boot and any(header.boot_id) and _was_sealed(rows, header, row):
            why = "there was one: it was sealed, and the machine has not stopped since"
        else:
            return
        # Looking took a while: a live writer may have sealed what was not there before.
        if (found := batch_at(rows, header, row, self._crc)) is not None:
            found[0].release()
            return
        self._damage(row, f"no good batch here, but {why}")

    def _valid_after(self, rows: mmap.mmap, header: SegmentHeader, row: int) -> int:
        """First row, from `row`, of a batch that is good in itself; 0: none."""
        for candidate in range(row, header.end_row):
            at = HEADER_BYTES + (candidate - header.first_row) * ROW_BYTES
            if rows[at] and (found := batch_at(rows, header, candidate, self._crc)) is not None:
                found[0].release()
                return candidate
        return 0

    def behind(self, row: int) -> Iterator[ReadBatch]:
        """Good batches from `row` on, wherever they stand: what a cut there would lose."""
        for header in self.segments:
            if header.end_row <= row:
                continue
            with self._open(header) as rows:
                at = max(row, header.first_row)
                while at := self._valid_after(rows, header, at):
                    found = batch_at(rows, header, at, self._crc)
                    assert found is not None
                    with found[0] as octets:
                        count = len(octets) // ROW_BYTES
                        yield ReadBatch(at, header.number, octets)
                    at += count

    def check(self) -> None:
        """DamageError where `batches`, which is exhausted, has come to damage."""
        if self.found.ending == "damage":
            raise DamageError(self.found.row, f"damage at {self.found.text}")

    def _damage(self, row: int, text: str) -> None:
        self.found.ending = "damage"
        self.found.row = row
        self.found.text = f"row {row}: {text}"

    def _open(self, header: SegmentHeader) -> mmap.mmap:
        with segment_path(self.directory, header.number).open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def batch_at(
    rows: mmap.mmap, header: SegmentHeader, row: int, crc: Callable[[bytes | memoryview], int]
) -> tuple[memoryview, int, int] | None:
    """Rows, chain word and CRC of the good batch that begins at `row`, or None.

    O(rows written from there on), for those who look again and again where nothing is written yet.
    """
    start = HEADER_BYTES + (row - header.first_row) * ROW_BYTES
    limit = min(start + header.batch_rows * ROW_BYTES, header.file_bytes)
    for at in range(start, limit, ROW_BYTES):
        if rows[at] == EMPTY:  # so no batch goes on behind it
            return None
        if not (rows[at + _SEAL_AT] or rows[at + _SEAL_AT + 1]):
            continue
        count, segment, chain, first_row, expected = _SEAL.unpack_from(rows, at + _SEAL_AT)
        end = at + ROW_BYTES
        if (count * ROW_BYTES, segment, first_row) != (
            end - start,
            header.number & 0xFFFF,
            row & 0xFFFFFFFF,
        ):
            return None
        if crc(rows[start : end - 4] + bytes(4)) != expected:
            return None
        with memoryview(rows) as whole:
            return whole[start:end], chain, expected
    return None


def _was_sealed(rows: mmap.mmap, header: SegmentHeader, row: int) -> bool:
    """Whether the seal of a batch at `row` was written to its last word, the CRC."""
    start = HEADER_BYTES + (row - header.first_row) * ROW_BYTES
    limit = min(start + header.batch_rows * ROW_BYTES, header.file_bytes)
    for at in range(start, limit, ROW_BYTES):
        *_mark, crc = _SEAL.unpack_from(rows, at + _SEAL_AT)
        # Without a mark, the first row has the time of the seal there.
        marked = rows[at + _SEAL_AT : at + _SEAL_AT + _SEAL_WORD].strip(b"\0")
        if crc and (at > start or marked):
            return True
    return False


def _is_zero(rows: mmap.mmap, start: int) -> bool:
    step = 1 << 20
    return all(not rows[at : at + step].strip(b"\0") for at in range(start, len(rows), step))


def verify(directory: Path | str) -> Verification:
    """Check every seal and the chain with an independent CRC-32C. SegmentError: unusable files."""
    reader = JournalReader(directory, crc=_independent_crc32c)
    for _batch in reader.batches():
        pass
    return reader.found


# --- rows for people ----------------------------------------------------------------------------


def row_fields(octets: memoryview, row: int) -> dict[str, Any]:
    """One row as names and values; bytes are decoded as Latin-1, empty ones left out."""
    kind, flags, text_rows, session, time_ns = _HEAD.unpack_from(octets)
    shown: dict[str, Any] = {
        "row": row,
        "kind": KIND_NAMES.get(kind, f"kind {kind}"),
        "session": session,
        "time_ns": time_ns,
        "flags": flags,
    }
    for name, word, byte, type_name in KIND_FIELDS.get(kind, ()):
        at = word * 8 + byte
        size = int(type_name.lstrip("<iuSV"))
        piece = octets[at : at + size]
        if type_name[0] == "S":
            shown[name] = bytes(piece).rstrip(b"\0").decode("latin-1")
        elif type_name[0] != "V":
            shown[name] = int.from_bytes(piece, "little", signed="i" in type_name)
    if kind == GENESIS:
        shown["key"] = "hidden"
    if text_rows:
        shown["items"] = dict(_items(octets[ROW_BYTES : (1 + text_rows) * ROW_BYTES]))
    return shown


def _items(text: memoryview) -> Iterator[tuple[str, str]]:
    joined = b"".join(
        text[at + TEXT_START : at + TEXT_START + TEXT_BYTES]
        for at in range(0, len(text), ROW_BYTES)
    )
    at = 0
    while at + ITEM_HEAD <= len(joined) and joined[at]:
        length = int.from_bytes(joined[at + 2 : at + 4], "little")
        content = joined[at + ITEM_HEAD : at + ITEM_HEAD + length]
        yield ITEM_NAMES.get(joined[at], f"item {joined[at]}"), content.decode("latin-1")
        at += ITEM_HEAD + length


def dump(
    directory: Path | str,
    *,
    session: int | None = None,
    kinds: frozenset[str] = frozenset(),
    from_row: int = 1,
    to_row: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Sealed rows as `row_fields` shows them; TEXT rows are shown as items of their owner.

    A batch's first row says when it was sealed, too, where the batch has more than one.

    Raises DamageError behind the last good row of a damaged journal.
    """
    reader = JournalReader(directory)
    for batch in reader.batches(from_row):
        if to_row is not None and batch.first_row > to_row:
            return
        for index in range(batch.row_count):
            row = batch.first_row + index
            start = index * ROW_BYTES
            kind = batch.octets[start]
            if kind == TEXT or row < from_row or (to_row is not None and row > to_row):
                continue
            if kinds and KIND_NAMES.get(kind) not in kinds:
                continue
            shown = row_fields(batch.octets[start:], row)
            if index == 0 and batch.row_count > 1:
                (shown["sealed_ns"],) = _SEALED.unpack_from(batch.octets, W_SEALED * 8)
            if session is None or shown["session"] == session:
                yield shown
    reader.check()


@dataclass
class Statistics:
    """What a journal holds, counted."""

    segments: int = 0
    batches: int = 0
    rows: int = 0
    outputs: int = 0
    batch_rows_max: int = 0
    first_time_ns: int = 0
    last_time_ns: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    sessions: Counter[int] = field(default_factory=Counter)
    damage: str = ""  # where the walk met damage, and did not go on

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def statistics(directory: Path | str) -> Statistics:
    """Count the sealed rows by kind and session."""
    reader = JournalReader(directory)
    counted = _count(reader.batches())
    counted.segments = reader.found.segments
    if reader.found.ending == "damage":
        counted.damage = reader.found.text
    return counted


def loss(directory: Path | str, from_row: int = 1) -> tuple[Verification, Statistics]:
    """Where a journal ends, and what stands behind that: what `serve --accept-loss` would cut.

    from_row: where the walk begins, as a start does at the row behind a snapshot.
    """
    reader = JournalReader(directory)
    for _batch in reader.batches(from_row, exactly=True):
        pass
    if from_row > 1:
        reader.found.segments = 0  # none was walked through for certain
    damaged = reader.found.ending == "damage"
    return reader.found, _count(reader.behind(reader.found.row) if damaged else iter(()))


def _count(batches: Iterator[ReadBatch]) -> Statistics:
    counted = Statistics()
    segment = 0
    for batch in batches:
        counted.segments += batch.segment != segment
        segment = batch.segment
        counted.batches += 1
        counted.rows += batch.row_count
        counted.batch_rows_max = max(counted.batch_rows_max, batch.row_count)
        for at in range(0, len(batch.octets), ROW_BYTES):
            kind, _flags, _text_rows, session, time_ns = _HEAD.unpack_from(batch.octets, at)
            counted.kinds[KIND_NAMES.get(kind, f"kind {kind}")] += 1
            counted.sessions[session] += 1
            counted.outputs += kind >= FIRST_OUTPUT and kind != TEXT
            if kind != TEXT:
                counted.first_time_ns = counted.first_time_ns or time_ns
                counted.last_time_ns = max(counted.last_time_ns, time_ns)
    return counted
