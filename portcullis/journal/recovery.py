"""Recovery: the walk over what a journal holds, to its first bad seal and no further.

Owns the rules of what is a batch, a torn tail, and damage. Must not know what rows mean beyond
their kind, nor who replays them.

A batch is good when the mark in its last row gives its row count, first row and segment, its
CRC-32C fits its bytes, and its chain word is the CRC of the batch before. The walk stops at the
first that is not. Nothing valid after it: a torn tail, the trace of a write that the process or
the machine did not finish; it is copied to a .cut file, zeroed, and said. Something valid after
it: damage, and the walk ends in DamageError, unless told to accept the loss. Damage, too, is a
last batch that was whole once: the journal was closed behind it, or it has its seal's last word
and the machine runs since, for whoever is killed leaves every page as it was written.

Each segment is mapped privately while its batches are given out, so that a replay may run the
engine over the rows in place: what it writes stays in copies of the pages, which go when the
segment is mapped anew, shared. So replay takes the memory of one segment at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from crc32c import crc32c

from portcullis.journal.disk import Disk
from portcullis.journal.errors import DamageError, SegmentError
from portcullis.journal.rows import ROLL, ROW_BYTES, TEXT, W_TIME
from portcullis.journal.segments import (
    LOSS_NOTED,
    RowSpace,
    SegmentHeader,
    segment_path,
    write_header,
)
from portcullis.journal.table import RowTable

_ADVICE = (
    "restore the file from a copy, or cut the journal there with --accept-loss: what clients were "
    "told from that row on is not true any more then (portcullis journal repair says more)"
)
_UNKNOWN_BOOT = bytes(16)
_ZERO_CRC = bytes(4)
_CHUNK_BYTES = 1 << 20
_CHUNK_ZEROS = bytes(_CHUNK_BYTES)


class Batch(NamedTuple):
    """One sealed batch: `input_rows` rows from `first_row`, then outputs up to `last_row`."""

    first_row: int
    input_rows: int
    last_row: int
    crc: int
    batch_rows: int  # bounds that the writer had, for the table's open_batch
    input_rows_max: int
    is_roll: bool  # the one row that closes a segment: no command, the engine never ran on it


class Start(NamedTuple):
    """Where a walk begins whose rows before are known from elsewhere: a snapshot."""

    next_row: int
    last_row: int  # last row of the batch before
    crc: int  # of that batch
    time_ns: int  # row time of it


@dataclass
class RecoveryReport:
    """What recovery found. Complete once the batches have been walked through."""

    segments: int = 0
    batches: int = 0
    rows: int = 0  # in batches; what stays empty at a segment's end is not counted
    last_row: int = 0  # of the last good batch; 0: none
    crc: int = 0  # of the last good batch: the next chains to it
    clean_stop: bool = True  # the writer closed in order
    same_boot: bool = True  # and the machine has not restarted since it opened the segment
    loss_noted: bool = False  # a start found rows lost, and did not come to its end
    cut_row: int = 0  # first row that was cut; 0: nothing was
    cut_rows: int = 0
    cut_files: list[Path] = field(default_factory=list)  # where the cut rows were kept

    def __str__(self) -> str:
        text = f"{self.rows} rows in {self.batches} batches, the last row is {self.last_row}"
        if self.cut_files:
            kept = ", ".join(str(path) for path in self.cut_files)
            text += f"; cut {self.cut_rows} rows from row {self.cut_row} on, kept in {kept}"
        elif self.cut_row:
            text += f"; rows that were closed from row {self.cut_row} on are empty"
        return text


class Recovery:
    """The walk over the segments of one journal, which the caller has locked.

    Once `batches` is exhausted, `report` is complete, all segments are mapped shared, rows after
    `report.last_row` are zero, and `position` is the row and segment to go on at.
    """

    def __init__(
        self,
        directory: Path,
        segments: list[SegmentHeader],
        space: RowSpace,
        table: RowTable,
        *,
        boot_id: bytes,
        engine_version: int,
        accept_loss: bool,
        disk: Disk,
        start: Start | None = None,
        before_cut: Callable[[], None] | None = None,
    ) -> None:
        self.report = RecoveryReport(segments=len(segments))
        self.position = (segments[0].first_row, segments[0])
        self._next_row = 1
        if start is not None:
            self._next_row = start.next_row
            self.report.last_row, self.report.crc = start.last_row, start.crc
            table.time_ns = start.time_ns
        self._directory = directory
        self._segments = segments
        self._space = space
        self._table = table
        self._octets = space.memory
        self._boot_id = boot_id
        self._disk = disk
        self._engine_version = engine_version
        self._accept_loss = accept_loss
        self._before_cut = before_cut

    def batches(self) -> Iterator[Batch]:
        """Each good batch in order; the table's tail and time are the batch's while it is out.

        Raises DamageError, SegmentError. The batch's output rows may be overwritten (`replay`
        does) until the next is asked for.
        """
        for index, header in enumerate(self._segments):
            if header.end_row <= self._next_row:
                self._space.map(self._directory, header)
                continue
            self._space.map(self._directory, header, private=True)
            row = max(header.first_row, self._next_row)
            rolled = False
            while (batch := self._batch_at(row, header)) is not None:
                if header.engine_version != self._engine_version and not batch.is_roll:
                    raise SegmentError(
                        f"{self._path(header)}: written by engine version "
                        f"{header.engine_version}; version {self._engine_version} can't replay "
                        "it, and begins at a snapshot of its end alone (portcullis journal "
                        "snapshot, by the version that wrote it)"
                    )
                self._note(batch)
                row = batch.last_row + 1
                yield batch
                if batch.is_roll:
                    rolled = True
                    break
            self._space.map(self._directory, header)
            self._table.tail = self._table.batch_first = row
            if rolled:
                if not self._accept_loss and self._written(row, header.end_row):
                    raise DamageError(
                        row,
                        f"{self._path(header)}: row {row} is written, though the row before "
                        "it closed the segment",
                    )
                if index + 1 == len(self._segments):
                    raise SegmentError(
                        f"{self._directory}: segment {header.number + 1} is missing: row "
                        f"{row - 1} says that the journal goes on there"
                    )
                continue
            self._end(row, header, self._segments[index + 1 :])
            return
        raise AssertionError("the last segment of a journal is never rolled")

    def _batch_at(self, row: int, header: SegmentHeader) -> Batch | None:
        """The good batch that begins at `row`, or None. A broken chain is damage."""
        table = self._table
        end = min(row + header.batch_rows, header.end_row)
        last = table.next_mark(row, end)
        if not last or not table.mark_fits(row, last, header.number):
            return None
        crc = self._valid_crc(row, last)
        if crc is None:
            return None
        seal = (last + 1 - self._space.origin_row) * ROW_BYTES
        chain = int.from_bytes(self._octets[seal - 12 : seal - 8], "little")
        if chain != self.report.crc:
            if self._accept_loss:
                return None
            raise DamageError(
                row,
                f"{self._path(header)}: the batch at row {row} does not follow the one "
                f"before it: its chain word is {chain:08x}, expected {self.report.crc:08x}",
            )
        kind = self._octets[(row - self._space.origin_row) * ROW_BYTES]
        table.time_ns = self._time_of(last)
        table.batch_first = row
        table.tail = last + 1
        return Batch(
            row,
            table.input_count(row, last),
            last,
            crc,
            header.batch_rows,
            header.input_rows,
            row == last and kind == ROLL,
        )

    def _note(self, batch: Batch) -> None:
        report = self.report
        report.batches += 1
        report.rows += batch.last_row + 1 - batch.first_row
        report.last_row = batch.last_row
        report.crc = batch.crc

    def _valid_crc(self, first: int, last: int) -> int | None:
        """The CRC of the rows, where it is the one they bear."""
        start = (first - self._space.origin_row) * ROW_BYTES
        end = (last + 1 - self._space.origin_row) * ROW_BYTES
        crc = crc32c(_ZERO_CRC, crc32c(self._octets[start : end - 4]))
        return crc if crc == int.from_bytes(self._octets[end - 4 : end], "little") else None

    def _time_of(self, row: int) -> int:
        """Row time of the last row, up to `row`, that has one: TEXT rows have text there."""
        start = (row - self._space.origin_row) * ROW_BYTES
        while self._octets[start] == TEXT:
            start -= ROW_BYTES
        return int.from_bytes(self._octets[start + W_TIME * 8 : start + W_TIME * 8 + 8], "little")

    # --- the end of the journal -----------------------------------------------------------------

    def _end(self, row: int, header: SegmentHeader, later: list[SegmentHeader]) -> None:
        """No good batch at `row`: see whether that is the end, a torn tail, or damage."""
        written = self._written(row, header.end_row)
        for segment in later:
            self._space.map(self._directory, segment)
        while later and not self._written(later[-1].first_row, later[-1].end_row):
            later = later[:-1]  # prepared, and never used
        stopped = header.clean_stop_row
        self.report.clean_stop = stopped == self.report.last_row and not written
        self.report.same_boot = header.boot_id == self._boot_id
        self.report.loss_noted = header.boot_id == LOSS_NOTED
        if not self._accept_loss:
            self._refuse_damage(row, header, later)
        if written or later or stopped > self.report.last_row:
            if self._before_cut is not None:
                self._before_cut()
            if self._accept_loss:
                # Before anything is cut: whoever is killed meanwhile leaves a loss behind, no gap.
                header = replace(header, boot_id=LOSS_NOTED, clean_stop_row=0)
                write_header(self._directory, header)
            self._cut(row, written, header, later)
        # Looking for zeros has mapped the pages for reading. The first write to such a page costs
        # 8 us, to one not mapped yet 0.3: so the rows to be written are mapped anew.
        self._space.map(self._directory, header)
        self.position = (row, header)

    def _refuse_damage(self, row: int, header: SegmentHeader, later: list[SegmentHeader]) -> None:
        for segment in (header, *later):
            valid = self._valid_batch_after(row, segment)
            if valid:
                raise DamageError(
                    row,
                    f"{self._path(header)}: the batch at row {row} is damaged, and the "
                    f"journal goes on at row {valid} of {self._path(segment).name}; {_ADVICE}",
                )
        why = ""
        if header.clean_stop_row and not self.report.clean_stop:
            why = f"the journal was closed at row {header.clean_stop_row}"
        elif self.report.same_boot and self._boot_id != _UNKNOWN_BOOT:
            if self._was_sealed(row, header):
                why = "it was sealed, and the machine has not stopped since"
        if why:
            raise DamageError(
                row, f"{self._path(header)}: the batch at row {row} is damaged: {why}; {_ADVICE}"
            )

    def _was_sealed(self, row: int, header: SegmentHeader) -> bool:
        """Whether the batch at `row` was sealed, whatever became of it: a row of its has a CRC,
        the last that `RowTable.seal` writes, and in one store."""
        for last in range(row, min(row + header.batch_rows, header.end_row)):
            end = (last + 1 - self._space.origin_row) * ROW_BYTES
            # The first row of several has the time of the seal there, and no mark before it.
            has_crc = last > row or any(self._octets[end - 16 : end - 8])
            if has_crc and any(self._octets[end - 4 : end]):
                return True
        return False

    def _valid_batch_after(self, row: int, segment: SegmentHeader) -> int:
        """First row of a batch that is good in itself, and begins after `row`; 0: none does."""
        mark: int = max(row, segment.first_row - 1)
        while mark := self._table.next_mark(mark + 1, segment.end_row):
            first: int = mark - self._table.mark_rows(mark) + 1
            if (
                max(row + 1, segment.first_row) <= first
                and self._table.mark_fits(first, mark, segment.number)
                and self._valid_crc(first, mark) is not None
            ):
                return first
        return 0

    def _zero_until(self, row: int, end_row: int) -> int:
        """The first chunk's first row, from `row`, that holds a byte other than zero; or end."""
        start = (row - self._space.origin_row) * ROW_BYTES
        end = (end_row - self._space.origin_row) * ROW_BYTES
        for at in range(start, end, _CHUNK_BYTES):
            chunk = bytes(self._octets[at : min(at + _CHUNK_BYTES, end)])
            if chunk != _CHUNK_ZEROS[: len(chunk)]:
                return row + (at - start) // ROW_BYTES
        return end_row

    def _written(self, row: int, end_row: int) -> int:
        """The row after the last that holds a byte other than zero; 0: all are empty."""
        found = 0
        at = row
        while (at := self._zero_until(at, end_row)) < end_row:
            start = (at - self._space.origin_row) * ROW_BYTES
            step = min(end_row - at, _CHUNK_BYTES // ROW_BYTES)
            chunk = bytes(self._octets[start : start + step * ROW_BYTES]).rstrip(b"\0")
            found = at + (len(chunk) + ROW_BYTES - 1) // ROW_BYTES
            at += step
        return found

    def _cut(
        self, row: int, written: int, header: SegmentHeader, later: list[SegmentHeader]
    ) -> None:
        """Keep what is written from `row` on in .cut files, then zero it. Durable when it ends."""
        report = self.report
        report.cut_row = row
        if written:
            report.cut_rows += written - row
            start = (row - self._space.origin_row) * ROW_BYTES
            end = (written - self._space.origin_row) * ROW_BYTES
            target = self._cut_path(header, row)
            with target.open("xb") as file:
                file.write(self._octets[start:end])
                file.flush()
                self._disk.sync(file.fileno())
            report.cut_files.append(target)
            self._disk.sync_directory(self._directory)
            for at in range(start, end, _CHUNK_BYTES):
                size = min(_CHUNK_BYTES, end - at)
                self._octets[at : at + size] = _CHUNK_ZEROS[:size]
            with self._path(header).open("rb+") as file:
                self._disk.sync(file.fileno())
        for segment in reversed(later):  # from the last, so that no hole is ever left
            report.cut_rows += max(
                0, self._written(segment.first_row, segment.end_row) - segment.first_row
            )
            target = self._cut_path(segment, segment.first_row)
            self._path(segment).rename(target)
            report.cut_files.append(target)
        self._disk.sync_directory(self._directory)

    def _cut_path(self, header: SegmentHeader, row: int) -> Path:
        """A name for a .cut file that none has yet: the same row may be cut again one day."""
        stem = self._path(header).stem
        target = self._directory / f"{stem}-{row}.cut"
        again = 1
        while target.exists():
            again += 1
            target = self._directory / f"{stem}-{row}-{again}.cut"
        return target

    def _path(self, header: SegmentHeader) -> Path:
        return segment_path(self._directory, header.number)
