"""One turn of the event loop is one batch: run the engine, seal, then let sessions send.

Owns row time, the order of the steps between a received message and a byte that leaves, and what
happens when one of them fails. Whoever is about to append rows calls `begin` first; the flush
then runs once, behind all reads of the turn. A batch that fills up before the flush is settled
where it stands: engine and seal, and the sending waits for the flush all the same. Must not know
FIX, nor sockets.

With `sync = "batch"` the disk works meanwhile: turns go on reading and sealing, one sync at a time
covers all that was sealed when it began, and whatever is sent stops at `sendable_row` until it has
moved. The rows that wait are those of the journal; there is no other queue.

Invariants: no byte leaves for a row that is not sealed, nor, with `sync = "batch"`, for one that
is not on disk; row time never runs back; from the first row of a batch to its seal any exception
is fatal, since nobody knows what the engine's state then stands for.
"""

# mypy: disable-error-code="valid-type"
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

from portcullis.engine.layout import RUN_DONE, RUN_SLICE
from portcullis.engine.matcher import Engine
from portcullis.journal import rows
from portcullis.journal.errors import JournalFullError
from portcullis.journal.index import SessionIndex
from portcullis.journal.writer import Journal

_ALL_ROWS = (1 << 63) - 1
_RESEND_BYTES_MIN = 4096  # however many resends are under way, each goes on by some messages
_STEP_NS = 1_000_000_000  # a clock that moved by more against the monotonic one was set


class Output(Protocol):
    """What a turn asks of a session's way out."""

    def pump(self, now_ns: int) -> bool:
        """Send what is due, within the byte budget; whether more could go next turn."""


@cython.final
@cython.cclass
class Turn:
    """The batch that is open, and the flush that ends it.

    call_soon: the event loop's. start_sync: begins a sync off the loop and calls back on the loop
    once it is done; never called while one is under way. fatal: ends the process, called with the
    exception while nothing of the open batch has left. fault: told of a session whose output
    failed; what it is owed stands in the journal, so only its connection has to go. resend_bytes:
    what all sessions together send again in a turn.
    """

    def __init__(
        self,
        journal: Journal,
        engine: Engine,
        index: SessionIndex,
        *,
        call_soon: Callable[[Callable[[], None]], object],
        start_sync: Callable[[Callable[[], None]], None],
        fatal: Callable[[BaseException], None],
        fault: Callable[[int, Exception], None],
        resend_bytes: int,
    ) -> None:
        self.journal = journal
        self.table = journal.table
        self.engine = engine
        self.index = index
        self.now_ns = time.time_ns()
        # By session id: those with a connection.
        self.outputs: dict[int, Output] = {}
        # Called behind all sessions' outputs in each flush: what else is sent of sealed rows.
        self.publish: Callable[[], None] | None = None
        # Called once, behind the next flush: resuming to read.
        self.after: list[Callable[[], None]] = []
        # Called once, when all that stands now may have been sent: closing.
        self.after_sending: list[Callable[[], None]] = []
        self._syncs_batches = journal.sync_policy == "batch"
        # Rows up to this one may be sent.
        self.sendable_row = journal.synced_row if self._syncs_batches else _ALL_ROWS
        self._call_soon = call_soon
        self._start_sync = start_sync
        self._fatal = fatal
        self._fault = fault
        self._scheduled = False
        self._sliced = False
        # What one session may send again in this turn: an equal share.
        self.resend_bytes = resend_bytes
        self._resend_bytes_max = resend_bytes
        # Sessions that have more to send than their budget of a turn.
        self._behind: set[int] = set()
        self._syncing = False
        # What waits for the disk, and up to which row: sessions, and calls of `after_sending`.
        self._unsynced: dict[int, int] = {}
        self._parting: list[tuple[int, Callable[[], None]]] = []
        # Under any policy: who sends nothing before a row of its own is on disk, and that row.
        self._wanted: dict[int, int] = {}
        self._clock_offset_ns = self.now_ns - time.monotonic_ns()

    @cython.ccall
    @cython.exceptval(-1)
    def begin(self) -> cython.longlong:
        """Make sure that a flush comes and that row time is now; give the time.

        Nanoseconds since the epoch, by the wall clock.
        """
        self.now_ns = time.time_ns()
        table = self.table
        if table.tail == table.batch_first and self.now_ns > table.time_ns:
            table.time_ns = self.now_ns
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self.flush)
        return self.now_ns

    def append(
        self,
        kind: int,
        session: int = 0,
        *,
        flags: int = 0,
        words: dict[int, int] | None = None,
        items: dict[int, bytes] | None = None,
    ) -> int:
        """Append an input row, settling the batch first where it is full; give its number."""
        table = self.table
        row = table.append_input(kind, session, flags=flags, words=words, items=items)
        if not row:
            self.make_room()
            row = table.append_input(kind, session, flags=flags, words=words, items=items)
            if not row:
                raise RuntimeError("an empty batch has no room for an input row")
        return row

    def make_room(self) -> None:
        """Settle the batch, which is full, so that there is another to append to.

        Where the journal has no room at all, reserved rows included, the process ends: nothing
        can be written, so nothing can be answered. What is sealed stays as it is.
        """
        self.settle()
        if self.table.batch_limit == self.table.tail:
            try:
                self.journal.seal()
            except JournalFullError as error:
                self._fatal(error)
                raise

    @cython.ccall
    @cython.exceptval(-1)
    def settle(self) -> cython.int:
        """Run the engine over what was appended, and seal: once, or until the sweep is done."""
        table = self.table
        if table.tail == table.batch_first and not self._sliced:
            return 0
        first: cython.longlong
        last: cython.longlong
        state: cython.longlong
        try:
            while True:
                first = table.batch_first
                state = self.engine.run()
                last = self.journal.seal(time.time_ns())
                if last:
                    self.index.observe(first, last)
                if state in (RUN_DONE, RUN_SLICE):
                    break
            self._sliced = state == RUN_SLICE
        except BaseException as error:
            self._fatal(error)
            raise
        return 0

    def flush(self) -> None:
        """End the turn: settle, then send what may be sent, then what waited for that."""
        self._scheduled = False
        self.settle()
        due: list[int] = self.index.take_touched()
        if self._syncs_batches:
            due = self._held_back(due, self.journal.sealed_row)
        if self._syncs_batches or self._wanted:
            self.sync()
        if self._behind:
            due.extend(self._behind.difference(due))
            share = self._resend_bytes_max // len(self._behind)
            self.resend_bytes = max(share, _RESEND_BYTES_MIN)
            self._behind.clear()
        outputs = self.outputs
        for session in due:
            output = outputs.get(session)
            if output is None:
                continue
            try:
                if output.pump(self.now_ns):
                    self._behind.add(session)
            except Exception as error:
                self._fault(session, error)
        if self.publish is not None:
            self.publish()
        if self.after_sending or self._parting:
            self._part(self.journal.sealed_row)
        if self.after:
            after, self.after = self.after, []
            for call in after:
                call()
        if self._sliced or self._behind:
            self.begin()

    def _held_back(self, touched: list[int], sealed: int) -> list[int]:
        """Move `sendable_row` to what is on disk; give who may send more because of that."""
        synced = self.journal.synced_row  # once: the other thread moves it
        self._unsynced.update(dict.fromkeys(touched, sealed))
        if synced == self.sendable_row:
            return []
        self.sendable_row = synced
        due = list(self._unsynced)
        self._unsynced = {one: row for one, row in self._unsynced.items() if row > synced}
        return due

    def _part(self, sealed: int) -> None:
        """Call what waited for rows that may now be sent, and have been."""
        self._parting.extend((sealed, call) for call in self.after_sending)
        self.after_sending.clear()
        ready = [call for row, call in self._parting if row <= self.sendable_row]
        self._parting = [one for one in self._parting if one[0] > self.sendable_row]
        for call in ready:
            call()

    def sync(self) -> None:
        """Begin a sync if the policy or somebody wants one now and none is under way.

        On the timer, too.
        """
        if not self._syncing and (self._wanted or self.journal.sync_needed):
            self._syncing = True
            self._start_sync(self._synced)

    def _synced(self) -> None:
        self._syncing = False
        synced = self.journal.synced_row
        for session in [one for one, row in self._wanted.items() if row <= synced]:
            del self._wanted[session]
            self._behind.add(session)
            self.begin()
        if self._syncs_batches or self._wanted:
            self.begin()

    def is_on_disk(self, session: int, row: int) -> bool:
        """Whether a row is on disk; else see that it soon is, and wake the session then."""
        if self.journal.is_on_disk(row):
            return True
        self._wanted[session] = row
        self.begin()
        return False

    @property
    def has_rows(self) -> bool:
        """Whether the open batch has rows: then a fault is fatal."""
        return self.table.tail != self.table.batch_first

    def message_at_work(self, session: int = 0) -> tuple[int, int]:
        """The session and the number of the message that a fault is laid to, for the post-mortem.

        session: whose message was being read; its last one that has a row in the open batch. 0:
        the command that the engine was at; (0, 0): nobody's.
        """
        table = self.table
        row = table.tail - 1 if session else self.engine.cursor - 1
        while table.batch_first <= row < table.tail:
            words = table.row_words(row)
            kind, owner = words[rows.W_HEAD] & 0xFF, words[rows.W_HEAD] >> 32
            if kind < rows.GENESIS and session in (0, owner):
                return owner, words[rows.W_IN_SEQ]
            row -= 1
        return session, 0

    @cython.ccall
    @cython.exceptval(-1)
    def wake(self, session: cython.longlong) -> cython.int:
        """Have a session's output pumped at the end of this turn."""
        self._behind.add(session)
        self.begin()
        return 0

    def watch_clock(self) -> int:
        """Note it in the journal where somebody has set the clock; give by how much, or 0."""
        offset = time.time_ns() - time.monotonic_ns()
        step = offset - self._clock_offset_ns
        if abs(step) <= _STEP_NS:
            return 0
        self._clock_offset_ns = offset
        self.begin()
        self.append(rows.TIME_STEP, items={rows.ITEM_VALUE: f"{step} ns".encode()})
        return step
