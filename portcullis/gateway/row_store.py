"""A session's numbers and messages, kept as rows; and the cursor that sends them.

Owns the seam between `sessions.FixSession` and the journal: what the session sends becomes a SEND
row, the engine numbers it, and a cursor over the session's numbered rows sends it with everything
else that the session is told. First sending, resending and catching up are that one cursor moving
within a byte budget; a full socket stops it, so does a row that may not be sent yet, and there is
no other queue.

What a socket took is not what its client has: on the way lie the buffers of two machines. So the
store keeps the first number in doubt, and a reset numbers all from there anew. It moves on when
the client shows what it has (a ResendRequest, an orderly end), and where `in_doubt_max` further
messages were sent, which no two buffers hold. It is written down as it moves, for after a crash.

Must not know the rules of a session. Implements `sessions.store.SequenceStore`.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array
from typing import Protocol

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

from portcullis.gateway.unsent import unsent_behind
from portcullis.journal import rows

if cython.compiled:
    from cython.cimports.portcullis.gateway.fix_door import FixDoor
    from cython.cimports.portcullis.gateway.fix_reports import FixReports
    from cython.cimports.portcullis.gateway.turn import Turn
else:
    from portcullis.gateway.fix_door import FixDoor
    from portcullis.gateway.fix_reports import FixReports
    from portcullis.gateway.turn import Turn

# Reports numbered anew after a reset are appended so many a turn, and more only when these are
# sent: who catches up as fast as it reads is never `max_lag` behind, however much it is owed.
_REISSUE_ROWS = 64
_LOGOUT = b"5"
_MESSAGE_BYTES = 128  # few messages that are sent again are shorter
# The first number in doubt is written down so often while `in_doubt_max` messages are sent.
_MARKS = 4


class Wire(Protocol):
    """Where bytes go: an asyncio transport."""

    def write(self, data: bytes) -> None:
        """Take bytes that nobody changes any more."""


@cython.final
@cython.cclass
class RowStore:
    """The sequence store of one session.

    door: the session as encoders know it. budget_bytes: sent at most per turn. in_doubt_max:
    messages that may lie in the buffers of a connection. first_in_doubt: as the journal has it,
    0: not known. unsent: rows of past epochs still owed. reset_asked_ns: when the client last
    asked for a reset, 0: never.
    """

    def __init__(
        self,
        turn: Turn,
        reports: FixReports,
        door: FixDoor,
        *,
        budget_bytes: int,
        in_doubt_max: int,
        first_in_doubt: int = 0,
        unsent: array[int] | None = None,
        reset_asked_ns: int = 0,
    ) -> None:
        self.session = door.session
        self.last_sent_ns = 0
        # The connection; messages go out from `attach` on. Set by the peer.
        self.wire: Wire | None = None
        # The socket is full. Set by the peer.
        self.stopped = False
        self._turn = turn
        self._table = turn.table
        self._index = turn.index
        self._reports = reports
        self._rows = reports.rows
        self._door = door
        self._budget_bytes = budget_bytes
        # Whether messages go out now.
        self.attached = False
        # SEND rows appended: whether the session has spoken since somebody looked.
        self.sends = 0
        # Next number to be sent for the first time; 0: not known, or none ever was.
        self.next_unsent = first_in_doubt
        self.reset_asked_ns = reset_asked_ns
        # The first number that the client may not have; 0: not known, or none ever was.
        self._first_in_doubt = first_in_doubt
        self._in_doubt_max = in_doubt_max
        # At this number the first in doubt is written down again.
        self._mark_seq = 0
        # Numbers to be sent again before anything new; none where the first is above the last.
        self._again = 1
        self._again_last = 0
        # Number of the connection's first message, which nothing comes before.
        self._opening = 0
        # Number of our Logout, behind which nothing new goes out; 0: none was sent.
        self._closing = 0
        # The last RESET row, and the same until it is known to be on disk.
        self._reset_row = self._unsynced_row = 0
        # Rows of a past epoch whose messages nobody has seen.
        self._unsent = array("q") if unsent is None else unsent
        self._unsent_at = 0

    # --- numbers -------------------------------------------------------------------------------

    @property
    def next_in(self) -> int:
        self._turn.settle()
        return self._turn.engine.next_in(self.session)

    @property
    def is_resending(self) -> bool:
        return self.attached and self._again <= self._again_last

    @property
    def lag(self) -> int:
        """Numbered messages that have not been sent for the first time."""
        head: int = self._index.head_seq(self.session)
        return max(head + 1 - self.next_unsent, 0)

    @property
    def next_out(self) -> int:
        self._turn.settle()
        return self._turn.engine.next_out(self.session)

    def advance(self, next_in: int) -> None:
        self._turn.append(rows.ADVANCE, self.session, words={rows.W_NEXT_IN: next_in})

    def skip(self, next_out: int) -> None:
        """Go on at a higher number of ours; what lies between is filled when it is asked for."""
        self._turn.append(rows.ADVANCE, self.session, words={rows.W_NEXT_OUT: next_out})

    def reset(self, next_out: int, next_in: int, *, asked: bool = False) -> None:
        # In an empty batch: no answer numbered in the old epoch comes behind it, and no report
        # comes between it and the Logon that follows.
        self._turn.settle()
        if self.attached and self._first_in_doubt >= self._opening:
            # What this connection was sent goes on before the Logon that answers.
            self.received()
        last, first = self._index.head_row(self.session), self.first_in_doubt
        left = self._unsent[self._unsent_at :]
        self._unsent, self._unsent_at = unsent_behind(self._table, last, first, left), 0
        words = {
            rows.W_NEXT_OUT: next_out,
            rows.W_NEXT_IN: next_in,
            rows.W_UNSENT: first,
            rows.W_UNSENT_ROW: last,
        }
        flags = rows.F_ASKED if asked else 0
        self._unsynced_row = self._reset_row = self._turn.append(
            rows.RESET, self.session, flags=flags, words=words
        )
        if asked:
            self.reset_asked_ns = self._table.word(self._reset_row, rows.W_TIME)
        self._again, self._again_last = 1, 0
        self._closing = 0
        self.next_unsent = self._opening = self._first_in_doubt = next_out
        self._mark_seq = next_out + self._in_doubt_max

    # --- sending -------------------------------------------------------------------------------

    def attach(self) -> None:
        # The number of what comes next, which the engine takes before it goes on with a mass
        # command. Behind a RESET it is known, and settling would let reports come between.
        if self._turn.engine.cursor > self._reset_row:
            self.next_unsent = self.next_out
        self._opening = self.next_unsent
        self._closing = 0
        self._mark_seq = self._opening + self._in_doubt_max
        if not self._first_in_doubt:
            self._first_in_doubt = self._opening
        self._again, self._again_last = 1, 0
        self.attached = True
        self._turn.outputs[self.session] = self

    def detach(self) -> None:
        if self.attached:
            self.attached = False
            self._turn.outputs.pop(self.session, None)
        self.wire = None
        self.stopped = False

    def send(
        self,
        msg_type: bytes,
        body: bytes,
        *,
        header: bytes = b"",
        in_seq: int = 0,
        poss_resend: bool = False,
    ) -> None:
        """See `SequenceStore`. Here `header` may have any header field that is not ours to set."""
        self.sends += 1
        if msg_type == _LOGOUT:
            # FIX 4.4 vol 2, Logout: who has sent one sends nothing but what is asked for. And the
            # answer to it shows that they have all before it, and nothing behind. Its number is
            # the next, which the engine takes before it goes on with a mass command.
            self._closing = self.next_out
        items = {rows.ITEM_HEADER: header} if header else {}
        items[rows.ITEM_BODY] = body
        self._turn.append(
            rows.SEND,
            self.session,
            flags=rows.F_POSS_RESEND if poss_resend else 0,
            words={rows.W_IN_SEQ: in_seq, rows.W_MSG_TYPE: int.from_bytes(msg_type, "little")},
            items=items,
        )

    def resend(self, begin: int, end: int) -> None:
        # They have all before `begin`, and perhaps nothing from there on.
        goes_back = begin < self._first_in_doubt
        self._first_in_doubt = min(begin, self.next_unsent)
        if goes_back:
            self._mark()
        # What was not sent yet comes after it, for the first time.
        last = self.next_unsent - 1
        last = last if end == 0 else min(end, last)
        if begin > last:
            return
        if self._again > self._again_last:
            self._again, self._again_last = begin, last
        else:
            self._again, self._again_last = min(begin, self._again), max(last, self._again_last)
        self._turn.wake(self.session)

    def pump(self, now_ns: cython.longlong) -> bool:
        """Send what is due, within the byte budget; whether more could go next turn."""
        if self.stopped or self.wire is None:
            return False
        if self._unsynced_row:
            # Were the reset lost with the machine, a number that was sent would stand for two.
            if not self._turn.is_on_disk(self.session, self._unsynced_row):
                return False
            self._unsynced_row = 0
        sent: cython.longlong = 0
        budget: cython.longlong = self._budget_bytes
        if self.is_resending:
            budget = self._turn.resend_bytes
        if self._door.last_processed >= 0:
            self._door.last_processed = self._turn.engine.next_in(self.session) - 1
        while sent < budget and not self.stopped:
            octets = self._next_bytes(budget - sent)
            if not octets:
                break
            sent += len(octets)
            self.last_sent_ns = now_ns
            self.wire.write(octets)
        if self.next_unsent >= self._mark_seq:
            self._mark_seq = self.next_unsent + max(self._in_doubt_max // _MARKS, 1)
            self._mark()
        return not self.stopped and (sent >= budget or self._reissue())

    @cython.cfunc
    def _next_bytes(self, budget: cython.longlong) -> bytes:
        """The next messages as bytes; none: the cursor is at the end."""
        again: cython.bint = self._again <= self._again_last
        if again and self.next_unsent != self._opening:
            return self._next_again(budget)
        if self.next_unsent > self._index.head_seq(self.session) or self._is_closed():
            return b""
        count: cython.longlong = self._sendable(
            self._index.walk(self.session, self.next_unsent, self._rows)
        )
        if again and count > 1:
            count = 1
        while self._closing and count and self._number(self._rows[count - 1]) > self._closing:
            count -= 1
        if not count:
            return b""
        done: cython.longlong = self._reports.encode(self._door, 0, count, budget)
        self.next_unsent = self._number(self._rows[done - 1]) + 1
        return self._reports.take()

    @cython.cfunc
    @cython.exceptval(check=False)
    def _is_closed(self) -> cython.bint:
        """Whether our Logout is on its way, or gone."""
        return 0 < self._closing < self.next_unsent

    @cython.cfunc
    def _next_again(self, budget: cython.longlong) -> bytes:
        """The next messages of a resend: gap fills stand for what is not sent again."""
        reports, last, now_ns = self._reports, self._again_last, self._turn.now_ns
        octets: bytes = b""
        # No more rows than the budget may need, unless they are a run of session messages, which
        # is to be filled by one message.
        for room in (budget // _MESSAGE_BYTES + 1, len(self._rows)):
            rows_wanted: cython.longlong = min(last - self._again + 1, room)
            found: cython.longlong = self._index.walk(
                self.session, self._again, self._rows[:rows_wanted]
            )
            # Behind a hole in the numbers there may be rows that were not asked for, or not sent
            # for the first time yet.
            while found and self._number(self._rows[found - 1]) > last:
                found -= 1
            if not found:
                reports.fill(self._door, self._again, last + 1, now_ns)
                self._again = last + 1
                return reports.take()
            count: cython.longlong = self._sendable(found)
            if not count:
                return b""
            goes_on = room < len(self._rows) and self._number(self._rows[count - 1]) < last
            reports.resend(self._door, 0, count, self._again, now_ns, budget, goes_on)
            octets = reports.take()
            if octets:
                self._again = reports.next_seq
                break
        return octets

    @cython.cfunc
    def _sendable(self, count: cython.longlong) -> cython.longlong:
        """How many of the rows found, which ascend, may be sent now. O(rows that may not)."""
        while count and self._rows[count - 1] > self._turn.sendable_row:
            count -= 1
        return count

    @cython.cfunc
    def _number(self, row: cython.longlong) -> cython.longlong:
        return self._table.word(row, rows.W_OUT_SEQ)

    # --- what they may not have ----------------------------------------------------------------

    @property
    def first_in_doubt(self) -> int:
        """The first number of this epoch that the client may not have; 0: not known."""
        reached: int = self._reached()
        if self._again > self._again_last and reached < self._opening + self._in_doubt_max:
            # What was numbered before this connection is in doubt until they ask or go on.
            return self._first_in_doubt
        self._first_in_doubt = max(self._first_in_doubt, reached - self._in_doubt_max)
        return self._first_in_doubt

    def received(self) -> None:
        """The client has shown that it has all that was sent on this connection."""
        self._first_in_doubt = self._reached()

    @cython.cfunc
    def _reached(self) -> cython.longlong:
        """The number to be sent next, for the first time or again."""
        return self._again if self._again <= self._again_last else self.next_unsent

    @cython.cfunc
    def _mark(self) -> cython.void:
        """Write the first number in doubt down."""
        words = {rows.W_EVENT: rows.EVENT_PROGRESS, rows.W_NEXT_OUT: self.first_in_doubt}
        self._turn.append(rows.SESSION_EVENT, self.session, words=words)
        self._turn.wake(self.session)

    # --- a new epoch ---------------------------------------------------------------------------

    def reissue(self) -> None:
        """Have the messages that the last epoch left unsent numbered and sent in this one."""
        if self._unsent_at < len(self._unsent):
            self._turn.wake(self.session)

    def _reissue(self) -> bool:
        """Number some of them anew; whether there was anything to do."""
        if self._is_closed():
            return False
        some = self._unsent[self._unsent_at : self._unsent_at + _REISSUE_ROWS]
        self._unsent_at += len(some)
        for row in some:
            if row < self._table.oldest_row:  # pruned since
                continue
            self._turn.append(
                rows.SEND,
                self.session,
                flags=rows.F_POSS_RESEND,
                words={rows.W_REISSUE: row},
            )
        return bool(some)
