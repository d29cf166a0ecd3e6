"""One turn of the event loop is one batch: run the engine, seal, then let sessions send.

Owns row time, the order of the steps between a received message and a byte that leaves, and what
happens when one of them fails. Whoever is about to append rows calls `begin` first; the flush
then runs once, behind all reads of the turn. A batch that fills up before the flush is settled
where it stands: engine and seal, and the sending waits for the flush all the same. Must not know
FIX, nor sockets.

Invariants: no byte leaves for a row that is not sealed; row time never runs back; from the first
row of a batch to its seal any exception is fatal, since nobody knows what the engine's state then
stands for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from portcullis.engine.layout import RUN_DONE, RUN_SLICE
from portcullis.engine.matcher import Engine
from portcullis.journal import rows
from portcullis.journal.index import SessionIndex
from portcullis.journal.writer import Journal

_STEP_NS = 1_000_000_000  # a clock that moved by more against the monotonic one was set


class Output(Protocol):
    """What a turn asks of a session's way out."""

    def pump(self, now_ns: int) -> bool:
        """Send what is due, within the byte budget; whether more could go next turn."""


class Turn:
    """The batch that is open, and the flush that ends it.

    call_soon: the event loop's. fatal: ends the process, called with the exception while nothing
    of the open batch has left. fault: told of a session whose output failed; what it is owed
    stands in the journal, so only its connection has to go.
    """

    def __init__(
        self,
        journal: Journal,
        engine: Engine,
        index: SessionIndex,
        *,
        call_soon: Callable[[Callable[[], None]], object],
        fatal: Callable[[BaseException], None],
        fault: Callable[[int, Exception], None],
    ) -> None:
        self.journal = journal
        self.table = journal.table
        self.engine = engine
        self.index = index
        self.now_ns = time.time_ns()
        # By session id: those with a connection.
        self.outputs: dict[int, Output] = {}
        # Called once, behind the sending of the next flush: closing, resuming to read.
        self.after: list[Callable[[], None]] = []
        self._call_soon = call_soon
        self._fatal = fatal
        self._fault = fault
        self._scheduled = False
        self._sliced = False
        # Sessions that have more to send than their budget of a turn.
        self._behind: set[int] = set()
        self._sync_batches = journal.sync_policy == "batch"
        self._clock_offset_ns = self.now_ns - time.monotonic_ns()

    def begin(self) -> int:
        """Make sure that a flush comes and that row time is now; give the time.

        Nanoseconds since the epoch, by the wall clock.
        """
        now = self.now_ns = time.time_ns()
        table = self.table
        if table.tail == table.batch_first and now > table.time_ns:
            table.time_ns = now
        if not self._scheduled:
            self._scheduled = True
            self._call_soon(self.flush)
        return now

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
            self.settle()
            row = table.append_input(kind, session, flags=flags, words=words, items=items)
            if not row:
                raise RuntimeError("an empty batch has no room for an input row")
        return row

    def settle(self) -> None:
        """Run the engine over what was appended, and seal: once, or until the sweep is done."""
        table = self.table
        if not self.has_rows and not self._sliced:
            return
        try:
            while True:
                first = table.batch_first
                state = self.engine.run()
                last = self.journal.seal()
                if last:
                    self.index.observe(first, last)
                if state in (RUN_DONE, RUN_SLICE):
                    break
            self._sliced = state == RUN_SLICE
        except BaseException as error:
            self._fatal(error)
            raise

    def flush(self) -> None:
        """End the turn: settle, sync where that is asked for, send, then what waited for it."""
        self._scheduled = False
        self.settle()
        if self._sync_batches and self.journal.sync_needed:
            try:
                self.journal.sync()
            except OSError as error:
                self._fatal(error)
                raise
        due = self.index.take_touched()
        if self._behind:
            due.extend(self._behind.difference(due))
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
        if self.after:
            after, self.after = self.after, []
            for call in after:
                call()
        if self._sliced or self._behind:
            self.begin()

    @property
    def has_rows(self) -> bool:
        """Whether the open batch has rows: then a fault is fatal."""
        return self.table.tail != self.table.batch_first

    def session_at_work(self) -> int:
        """The session whose command the engine was at; 0: nobody's. For the post-mortem."""
        row = self.engine.cursor - 1
        if self.table.batch_first <= row < self.table.tail:
            return self.table.row_words(row)[rows.W_HEAD] >> 32
        return 0

    def wake(self, session: int) -> None:
        """Have a session's output pumped at the end of this turn."""
        self._behind.add(session)
        self.begin()

    def watch_clock(self) -> None:
        """Note it in the journal where somebody has set the clock. Called once a second."""
        offset = time.time_ns() - time.monotonic_ns()
        step = offset - self._clock_offset_ns
        if abs(step) > _STEP_NS:
            self._clock_offset_ns = offset
            self.begin()
            self.append(rows.TIME_STEP, items={rows.ITEM_VALUE: f"{step} ns".encode()})
