"""The journal as the gateway holds it: the open batch, its seal, the next segment, the disk.

Owns the directory (locked), the segment being written, and the promise that a sealed batch stays
as it is. Must not know what a row means, nor when a turn of the loop begins or ends.

    journal, batches = Journal.open(directory)
    for batch in replay(journal.table, engine, batches): ...     # always walked to its end
    ...append rows to journal.table, run the engine...
    journal.seal()                                               # then the bytes may leave
    if journal.sync_needed: journal.sync()                       # in a thread that does just this

Invariant: whenever a batch is open it has its whole allowance of rows in the open segment; a
segment with less room left has been closed by a batch of one ROLL row. A ROLL row is written only
once the next segment is on disk, so a journal that ends in one has lost a file.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from crc32c import crc32c

from portcullis.journal.disk import Disk
from portcullis.journal.errors import (
    JournalError,
    JournalFullError,
    JournalLockedError,
    SegmentError,
)
from portcullis.journal.maker import TEMPORARY_SUFFIX, SegmentMaker
from portcullis.journal.recovery import Batch, Recovery, RecoveryReport, Start
from portcullis.journal.rows import BATCH_INPUT_ROWS, BATCH_ROWS, ROLL, ROW_BYTES, W_NEXT_ROW
from portcullis.journal.segments import (
    LOSS_NOTED,
    SUFFIX,
    RowSpace,
    SegmentHeader,
    encode_header,
    list_segments,
    read_header,
    segment_path,
    write_header,
)
from portcullis.journal.table import RowTable

SyncPolicy = Literal["none", "interval", "batch"]

SEGMENT_ROWS = 1 << 20  # 128 MiB: made in about a tenth of a second, a second's rows at full rate
RESERVE_BYTES = 1 << 40  # of addresses, not memory: eight thousand million rows
SYNC_INTERVAL_NS = 50_000_000
_ROW_STEP = 32  # rows of a memory page: a segment holds whole pages
_LOOK_BATCHES = 64  # between two looks for the next segment, while there is room: each is a read
_RETRY_NS = 1_000_000_000  # after a segment could not be made, ask again so much later
_LOCK = "lock"
_IDENTITY = "identity"


class Journal:
    """One journal, open for writing. Made by `Journal.open`.

    table          rows; the gateway appends to it, the engine answers in it
    report         what recovery found
    sealed_row     last row of the last sealed batch; 0: none
    synced_row     all rows up to this one are on disk
    can_take_orders  false once the next segment can't be made and only reserved rows are left:
                   new orders are to be refused, cancels pass
    cold_segments  segments made in the gateway itself, because none was ready
    trouble        why the next segment can't be made; "" while all is well
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_rows: int,
        batch_rows: int,
        input_rows: int,
        reserved_rows: int,
        reserve_bytes: int,
        engine_version: int,
        sync: SyncPolicy,
        sync_interval_ns: int,
        ahead: bool,
        accept_loss: bool,
        start: Start | None,
        before_cut: Callable[[], None] | None,
        disk: Disk,
    ) -> None:
        if segment_rows % _ROW_STEP or segment_rows < 2 * (batch_rows + 1):
            raise ValueError(
                f"segment_rows is {segment_rows}, expected a multiple of {_ROW_STEP} and at "
                f"least two batches of {batch_rows} rows"
            )
        if sync not in ("none", "interval", "batch"):
            raise ValueError(f"sync is {sync!r}, expected 'none', 'interval' or 'batch'")
        self.directory = directory
        self._disk = disk
        self.sync_policy = sync
        self.sync_interval_ns = sync_interval_ns
        self.sealed_row = 0
        self.synced_row = 0
        self.can_take_orders = True
        self.cold_segments = 0
        self.trouble = ""
        self._reserved_rows = max(reserved_rows, 2 * (batch_rows + 1))
        self._ready = False  # recovered, and not closed
        self._crc = 0
        self._batches = 0  # sealed so far
        self._calm_row = 0  # below it, a batch is opened without a look at the segment
        self._asked = False
        self._ask_after_ns = 0
        self._next: SegmentHeader | None = None
        self._maker: SegmentMaker | None = None
        self._unsynced: list[int] = []  # descriptors; the last is the open segment's
        self._synced_number = 0  # with sync "none": segments from there on may not be on disk
        self._synced_ns = time.monotonic_ns()
        self._lock = lock_directory(directory)
        try:
            # What headers say of the run of the machine; see `note_run`.
            self._boot_id = self._mark = disk.boot_id()
            self._model = SegmentHeader(
                0, 1 - segment_rows, segment_rows, batch_rows, input_rows, engine_version,
                self._boot_id,
            )  # fmt: skip
            segments = self._find_segments(1 if start is None else start.next_row)
            floor = (segments[-1].end_row - 1 + segment_rows) * ROW_BYTES
            self._space = RowSpace(1, reserve_bytes, floor)
            self._octets = self._space.memory
            self.table = RowTable(self._space.memory, batch_rows=batch_rows, input_rows=input_rows)
            self._recovery = Recovery(
                directory, segments, self._space, self.table,
                boot_id=self._boot_id, engine_version=engine_version, accept_loss=accept_loss,
                start=start, before_cut=before_cut, disk=disk,
            )  # fmt: skip
            self.table.oldest_row = segments[0].first_row
            self._segment = segments[-1]
            self._first_number = segments[0].number
            self._found_number = self._synced_number = segments[-1].number
            if ahead:
                self._maker = disk.segment_maker(directory)
        except BaseException:
            os.close(self._lock)
            raise

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        segment_rows: int = SEGMENT_ROWS,
        batch_rows: int = BATCH_ROWS,
        input_rows: int = BATCH_INPUT_ROWS,
        reserved_rows: int = SEGMENT_ROWS // 8,
        reserve_bytes: int = RESERVE_BYTES,
        engine_version: int = 1,
        sync: SyncPolicy = "interval",
        sync_interval_ns: int = SYNC_INTERVAL_NS,
        ahead: bool = True,
        accept_loss: bool = False,
        start: Start | None = None,
        before_cut: Callable[[], None] | None = None,
        disk: Disk | None = None,
    ) -> tuple[Journal, Iterator[Batch]]:
        """Open or create the journal of a directory; give it, and the batches that it holds.

        The batches must be walked to their end: then the journal is ready to write. segment_rows,
        batch_rows and input_rows serve new segments; each segment keeps its own. reserved_rows:
        what is kept for cancels when no next segment can be made. reserve_bytes: addresses asked
        for, halved until granted. ahead: keep a process that makes segments. accept_loss: cut the
        journal at the first bad batch, though valid ones follow. start: give out batches from
        there on; the segments before may be gone. before_cut: called when all batches are given
        out, and before any row is cut: what it raises leaves the journal as it is. disk: what
        stands for the machine's own.

        Raises JournalLockedError, SegmentError; the iterator DamageError and SegmentError.
        """
        journal = cls(
            Path(directory), segment_rows=segment_rows, batch_rows=batch_rows,
            input_rows=input_rows, reserved_rows=reserved_rows, reserve_bytes=reserve_bytes,
            engine_version=engine_version, sync=sync, sync_interval_ns=sync_interval_ns,
            ahead=ahead, accept_loss=accept_loss, start=start, before_cut=before_cut,
            disk=disk or Disk(),
        )  # fmt: skip
        return journal, journal._recover()

    @property
    def report(self) -> RecoveryReport:
        """What recovery found; complete once the batches have been walked through."""
        return self._recovery.report

    @property
    def maker_deaths(self) -> int:
        """How often the process that makes segments was found dead, and replaced."""
        return self._maker.deaths if self._maker else 0

    # --- writing ------------------------------------------------------------------------------

    def seal(self, now_ns: int = 0) -> int:
        """Seal the open batch and open the next; give the sealed batch's last row, 0: was empty.

        now_ns: by the wall clock, nanoseconds since the epoch; 0: row time will do. Its bytes may
        leave once this returns (with sync "batch": once `sync` has, after it). Any exception is
        fatal: nothing of the batch may be sent. JournalFullError: the disk was full already when
        the batch was opened, and still is.
        """
        table = self.table
        if not self._ready:
            raise JournalError("the journal is not open: its batches have not been walked through")
        if table.tail == table.batch_first:
            if table.batch_limit == table.tail:
                self._open_batch()
                if table.batch_limit == table.tail:
                    raise JournalFullError(
                        f"no next journal segment can be made ({self.trouble}), and the open one "
                        "is full, with what was reserved for cancels"
                    )
            return 0
        sealed = self._seal(now_ns)
        self._batches += 1
        if table.tail < self._calm_row and self._batches % _LOOK_BATCHES:
            table.open_batch(self._segment.batch_rows, self._segment.input_rows)
        else:
            self._open_batch()
        return sealed

    def look_for_room(self) -> None:
        """See whether the next segment has come, or ask for it again where it could not be made.

        Called now and then, also where nothing is written. The open batch must be empty.
        """
        self._open_batch()

    def _seal(self, now_ns: int = 0) -> int:
        self._crc = self.table.seal(self._segment.number, self._crc, crc32c, now_ns)
        self.sealed_row = sealed = self.table.tail - 1
        return sealed

    def _open_batch(self) -> None:
        """Open a batch with its whole allowance, rolling if need be; an empty one if it can't."""
        table = self.table
        if self._next is None:
            self._look_for_next()
        room = self._segment.end_row - table.tail
        if room <= self._segment.batch_rows and not self._roll():
            self.can_take_orders = False
            table.open_batch(0, 0)
            return
        self.can_take_orders = not self.trouble or room > self._reserved_rows
        table.open_batch(self._segment.batch_rows, self._segment.input_rows)
        # Far enough from the segment's end, none of this can come out otherwise.
        far = max(_LOOK_BATCHES * self._segment.batch_rows, self._reserved_rows)
        self._calm_row = self._segment.end_row - far

    def pass_over(self) -> int:
        """Leave all row numbers that a run whose rows are lost may have used; give how many.

        Rows are written only to segments whose files are on disk, so those end with the last
        segment that was found at the opening. An empty batch is open before and after.
        JournalFullError: the segments can't be made.
        """
        before: int = self.table.tail
        while self._segment.number <= self._found_number:
            if not self._roll():
                raise JournalFullError(self.trouble)
            # Under any policy: were this row lost and later ones not, that would be damage.
            self.force()
        self._open_batch()
        return self.table.tail - before

    def note_loss(self) -> None:
        """Note that rows were lost, until `note_run`. Durable when it ends.

        A start that is cut short in between leaves the note to the next.
        """
        self._note(LOSS_NOTED)

    def note_run(self) -> None:
        """Note that this run of the machine has the journal. Durable when it ends.

        Not before whatever another run's unclean end asks for is done, and on disk.
        """
        self._note(self._boot_id)

    def _note(self, mark: bytes) -> None:
        self._mark = mark
        self._segment = replace(self._segment, boot_id=mark)
        write_header(self.directory, self._segment)
        self._disk.sync(self._unsynced[-1])
        if self._next is not None:
            self._next = replace(self._next, boot_id=mark)
            write_header(self.directory, self._next)

    def _look_for_next(self) -> None:
        """Ask for the next segment, or see whether it has come. Waits for nothing."""
        if self._maker is None:
            return
        if self._asked:
            answer = self._maker.poll()
            if answer is None:
                return
            self._asked = False
            self.trouble = answer
            if not answer:
                self._take_next()
            self._ask_after_ns = time.monotonic_ns() + _RETRY_NS
        elif time.monotonic_ns() >= self._ask_after_ns:
            header = self._expected_next()
            if self._has_addresses(header):
                path = segment_path(self.directory, header.number)
                self._maker.ask(path, encode_header(header), header.file_bytes)
                self._asked = True

    def _expected_next(self) -> SegmentHeader:
        model = self._model
        return self._segment.next(
            rows=model.rows, batch_rows=model.batch_rows, input_rows=model.input_rows,
            engine_version=model.engine_version, boot_id=self._mark,
        )  # fmt: skip

    def _has_addresses(self, header: SegmentHeader) -> bool:
        """Whether the reserved range has room for the segment; says so where not."""
        if self._space.has_room(header):
            return True
        self.trouble = f"the reserved address range ends at row {self._space.end_row - 1}"
        return False

    def _take_next(self) -> None:
        """The next segment's file is there: map it. It may stem from a run of other settings."""
        expected = self._expected_next()
        path = segment_path(self.directory, expected.number)
        header = read_header(path)
        if header.first_row != expected.first_row:
            raise SegmentError(
                f"{path}: begins at row {header.first_row}, expected {expected.first_row}"
            )
        if not self._has_addresses(header):
            return
        current = replace(header, boot_id=self._mark, engine_version=self._model.engine_version)
        if current != header:
            write_header(self.directory, current)
        self._space.map(self.directory, current)
        self._next = current
        self.trouble = ""

    def _roll(self) -> bool:
        """Close the segment with a ROLL row and go on in the next; False: there can't be one."""
        if self._next is None:
            self._make_cold()
        header = self._next
        if header is None:
            return False
        table = self.table
        table.open_batch(1, 1)
        table.append_input(ROLL, words={W_NEXT_ROW: header.first_row})
        self._seal()
        self._segment = header
        self._next = None
        self._asked = False
        self._ask_after_ns = 0
        if self.sync_policy == "none":
            os.close(self._unsynced.pop())
        self._unsynced.append(self._open_segment(header))
        table.tail = header.first_row
        return True

    def _make_cold(self) -> None:
        """No segment was ready: reserve one on disk without writing it. Its pages come slowly."""
        header = self._expected_next()
        if not self._has_addresses(header):
            return
        path = segment_path(self.directory, header.number)
        try:
            self._disk.make_segment(path, encode_header(header), header.file_bytes, zeros=False)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            return
        self.cold_segments += 1
        self._take_next()

    # --- sync ---------------------------------------------------------------------------------

    @property
    def sync_needed(self) -> bool:
        """Whether `sync` should be called now, by the policy."""
        if self.sync_policy == "none" or self.synced_row == self.sealed_row:
            return False
        if self.sync_policy == "batch":
            return True
        return time.monotonic_ns() - self._synced_ns >= self.sync_interval_ns

    def is_on_disk(self, row: int) -> bool:
        """Whether a row, and so all before it, outlives the machine's stop."""
        return row <= self.synced_row

    def sync(self) -> int:
        """Wait until all that is sealed is on disk; give the last such row.

        Made for a thread of its own, one call at a time, while the loop goes on sealing. Releases
        the interpreter while it waits. OSError is fatal: what a failed sync left out is unknown.
        """
        sealed = self.sealed_row
        if self.sync_policy == "none":  # descriptors of segments that are closed are not kept
            number = self._segment.number
            self._force(max(self._synced_number, self._first_number), number)
            self._synced_number = number
            self.synced_row = sealed
            return sealed
        files = list(self._unsynced)
        for descriptor in files:
            self._disk.sync(descriptor)
        for descriptor in files[:-1]:
            self._unsynced.remove(descriptor)
            os.close(descriptor)
        self.synced_row = sealed
        self._synced_ns = time.monotonic_ns()
        return sealed

    def force(self) -> None:
        """Wait until all that is sealed is on disk, here and now: for what happens seldom.

        Beside a `sync` that is under way; `synced_row` stays as it is.
        """
        first = self._segment.number - 1
        if self.sync_policy == "none":
            first = min(first, self._synced_number)
        self._force(max(first, self._first_number), self._segment.number)

    def _force(self, first: int, last: int) -> None:
        """Wait until segments, by their numbers, are on disk."""
        for number in range(first, last + 1):
            with segment_path(self.directory, number).open("rb+") as file:
                self._disk.sync(file.fileno())

    def take_pruned(self) -> list[SegmentHeader]:
        """Segments that were archived or pruned, to be released: the table has lost their rows."""
        gone = self._space.take_pruned(self.directory, self._segment.first_row)
        if gone:
            self.table.oldest_row = gone[-1].end_row
            self._first_number = gone[-1].number + 1
        return gone

    def release(self, gone: list[SegmentHeader]) -> None:
        """Unmap what `take_pruned` gave. Takes milliseconds, and may run in a thread."""
        self._space.release(gone)

    def close(self) -> None:
        """Sync, mark the stop as clean, let go of the files. An open batch must be sealed first.

        The table then has no rows. Closing after a failure (`abandon`) leaves no such mark.
        """
        if self._ready:
            if self.table.tail != self.table.batch_first:
                raise JournalError("the open batch has rows that are not sealed")
            self.sync()
            write_header(self.directory, replace(self._segment, clean_stop_row=self.sealed_row))
            self._disk.sync(self._unsynced[-1])
        self.abandon()

    def abandon(self) -> None:
        """Let go of everything as it is. Safe to call twice."""
        self._ready = False
        if self._maker is not None:
            self._maker.close()
            self._maker = None
        for descriptor in self._unsynced:
            os.close(descriptor)
        self._unsynced.clear()
        if self._lock >= 0:
            table = self.table
            table.oldest_row = table.tail
            table.open_batch(0, 0)
            self._space.unmap()
            os.close(self._lock)
            self._lock = -1

    # --- opening ------------------------------------------------------------------------------

    def _find_segments(self, next_row: int) -> list[SegmentHeader]:
        """The segments there are; a first one, where the directory never held a journal."""
        for left_over in self.directory.glob(f"*{SUFFIX}.*{TEMPORARY_SUFFIX}"):
            left_over.unlink(missing_ok=True)
        segments = list_segments(self.directory, from_first=next_row == 1)
        if segments and not segments[0].first_row <= next_row < segments[-1].end_row:
            raise SegmentError(f"{self.directory}: row {next_row} is in no segment")
        identity = self.directory / _IDENTITY
        if not segments:
            if identity.exists():
                raise SegmentError(
                    f"{self.directory}: the journal that was here has lost all its segments; "
                    f"restore them, or remove {identity} to begin anew at row 1"
                )
            first = self._model.next()
            path = segment_path(self.directory, 1)
            self._disk.make_segment(path, encode_header(first), first.file_bytes, zeros=True)
            segments = [first]
        if not identity.exists():
            identity.write_text("A journal was begun here. Its segments belong together.\n")
            self._disk.sync_directory(self.directory)
        return segments

    def _recover(self) -> Iterator[Batch]:
        yield from self._recovery.batches()
        row, segment = self._recovery.position
        self._crc = self.report.crc
        if not self.report.clean_stop:
            # Perhaps of another run of the machine. It stays until what that means is done.
            self._mark = segment.boot_id
        self._segment = replace(segment, boot_id=self._mark, clean_stop_row=0)
        if row == segment.first_row:
            self._segment = replace(self._segment, engine_version=self._model.engine_version)
        write_header(self.directory, self._segment)
        self._unsynced.append(self._open_segment(self._segment))
        self.sealed_row = self.report.last_row
        self.table.tail = row
        if segment_path(self.directory, segment.number + 1).exists():
            self._take_next()
        self._ready = True
        if not self.report.clean_stop:
            # What a killed process had not synced is in the system's pages, perhaps nowhere else.
            # The name of a segment, too, that was made when the process was killed.
            self._force(self._first_number, segment.number - 1)
            self._disk.sync_directory(self.directory)
        self.sync()
        # Rows of two versions never share a segment.
        if self._segment.engine_version != self._model.engine_version and not self._roll():
            raise JournalFullError(self.trouble)
        self._open_batch()

    def _open_segment(self, header: SegmentHeader) -> int:
        return os.open(segment_path(self.directory, header.number), os.O_RDWR)


def lock_directory(directory: Path) -> int:
    """Lock the directory for this process; give the lock's descriptor.

    It is made if need be, and for its owner alone: it will hold everybody's orders.
    JournalLockedError names who has it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / _LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise JournalLockedError(
            f"{directory} is in use by another process" + (f" ({owner})" if owner else "")
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
