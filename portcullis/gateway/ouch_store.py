"""An OUCH user's sequenced messages, and the cursor that sends them.

Owns the seam between `sessions.SoupSession` and the journal: a client joins a session, which is a
trading day of its user, at any number, and from there on one cursor walks the user's numbered
rows. Days that have ended can be joined as long as the index keeps them. Sending live, rewinding
and a day long ended are that one walk, within a byte budget; a full socket stops it, so does a row
that may not be sent yet, and there is no other queue. Behind the last message of a day that has
ended comes the end of its session.

Must not know packets beyond what the encoder makes. Implements `soup_session.Store`.
"""

from __future__ import annotations

from collections.abc import Callable

from portcullis.gateway.ouch_reports import OuchReports
from portcullis.gateway.row_store import Wire
from portcullis.gateway.turn import Turn
from portcullis.journal import rows
from portcullis.sessions.soup_session import Joined


class OuchStore:
    """session: the user's id in rows. budget_bytes: sent at most per turn."""

    def __init__(
        self, turn: Turn, reports: OuchReports, session: int, *, budget_bytes: int
    ) -> None:
        self.session = session
        self.last_sent_ns = 0
        # The connection, and whether its socket is full. Set by the peer.
        self.wire: Wire | None = None
        self.stopped = False
        # Called once all of a day that has ended is sent; or, with False, is no longer kept.
        self.on_end: Callable[[int, bool], None] | None = None
        self._turn = turn
        self._index = turn.index
        self._reports = reports
        self._rows = reports.rows
        self._budget_bytes = budget_bytes
        # The day that the client has joined, 0: none; and the number of its next message.
        self._day = 0
        self.next_sequence = 0

    def join(self, session: bytes, sequence: int) -> Joined | None:
        """See `soup_session.Store`. None, too, where a number is no longer kept, or not yet."""
        self._turn.settle()
        current = self._index.day(self.session)
        day = current
        if session:
            if not session.isdigit() or len(session) != 10:
                return None
            day = int(session)
        last = self._last(day)
        if not day or (day != current and not last):
            return None
        wanted = sequence or max(last, 1)
        if wanted > last + 1:
            return None
        if wanted <= last:
            found = self._walk(day, wanted)
            if not found or self._number(self._rows[0]) != wanted:
                return None
        self._day, self.next_sequence = day, wanted
        self._turn.outputs[self.session] = self
        self._turn.wake(self.session)
        return Joined(b"%010d" % day, wanted)

    def leave(self) -> None:
        """The client is gone."""
        self._day = 0
        self.wire = None
        self.stopped = False
        self._turn.outputs.pop(self.session, None)

    @property
    def lag(self) -> int:
        """Messages that the client has not been sent."""
        return self._last(self._day) + 1 - self.next_sequence if self._day else 0

    @property
    def has_ended(self) -> bool:
        """Whether the day that the client has joined is over."""
        current: int = self._index.day(self.session)
        return bool(self._day) and self._day != current

    def pump(self, now_ns: int) -> bool:
        """Send what is due, within the byte budget; whether more could go next turn."""
        if self.stopped or self.wire is None or not self._day:
            return False
        sent = 0
        while sent < self._budget_bytes and not self.stopped:
            octets = self._next_bytes(self._budget_bytes - sent)
            if not octets:
                break
            sent += len(octets)
            self.last_sent_ns = now_ns
            self.wire.write(octets)
        last = self._last(self._day)
        if self.on_end is not None and self.has_ended and self.next_sequence > last:
            self.on_end(now_ns, last > 0)
            return False
        return not self.stopped and sent >= self._budget_bytes

    def _last(self, day: int) -> int:
        """The last number given out in a day; 0: none was."""
        current: bool = day == self._index.day(self.session)
        last: int = (
            self._index.head_seq(self.session)
            if current
            else self._index.ended_seq(self.session, day)
        )
        return last

    def _walk(self, day: int, sequence: int) -> int:
        """Find the rows of a day from a number on, into `_rows`; give how many."""
        found: int
        if day == self._index.day(self.session):
            found = self._index.walk(self.session, sequence, self._rows)
        else:
            found = self._index.walk_ended(self.session, day, sequence, self._rows)
        return found

    def _next_bytes(self, budget: int) -> bytes:
        """The next messages as bytes; none: the cursor is at the end, or may not go on."""
        if self.next_sequence > self._last(self._day):
            return b""
        count = self._walk(self._day, self.next_sequence)
        while count and self._rows[count - 1] > self._turn.sendable_row:
            count -= 1
        if not count:
            return b""
        done = self._reports.encode(0, count, budget)
        self.next_sequence = self._number(self._rows[done - 1]) + 1
        return self._reports.take()

    def _number(self, row: int) -> int:
        number: int = self._turn.table.word(row, rows.W_OUT_SEQ)
        return number
