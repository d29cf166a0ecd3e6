"""Cancel on disconnect: who is gone for longer than its grace time has its orders cancelled.

Owns when that is due, and the rows that do it: a CANCEL_ALL for each account that the session may
name, with its reason, then a SESSION_EVENT that says that it is done. What is due stands in the
journal, not in here: a start asks the engine for each session's last event, so neither a crash
between disconnect and grace end nor one in the middle of the cancelling loses it.

Grace counts the time in which orders could have traded. So a session that was connected when the
process ended has all of it from the next start on, one that was gone already has what was left.

Must not know protocols or sockets.
Specification: docs/rules-of-engagement.md, "Cancel on disconnect".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from portcullis.engine.layout import MASS_QUEUE, SCOPE_ALL
from portcullis.engine.why import WHY_DISCONNECT
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.turn import Turn
from portcullis.journal import rows

# Commands written in one turn: a thousand sessions that go at once do not hold the others up.
_COMMANDS_PER_TURN = 16
_DISCONNECTED = (rows.EVENT_LOGGED_OUT, rows.EVENT_DISCONNECTED)


class Presence:
    """Whether one session is there. key: its name. accounts: numbers of those it may name."""

    def __init__(
        self,
        owner: DisconnectCancels,
        session: int,
        key: str,
        accounts: Sequence[int],
        grace_ns: int,
    ) -> None:
        self.session = session
        self.key = key
        self.accounts = tuple(accounts)
        self.grace_ns = grace_ns
        # Why its orders go, while they are to go; empty: they stay.
        self.reason = ""
        # When they go, 0: no time is set. armed_ns: see `deadlines`.
        self.due_ns = 0
        self.armed_ns = 0
        self._owner = owner
        self._is_here = False

    def back(self) -> None:
        """It has logged on: what is not cancelled yet stays."""
        self._is_here = True
        self.due_ns = 0
        self.reason = ""

    def gone(self, now_ns: int) -> None:
        """A connection of it has ended, whether or not it had logged on."""
        if self._is_here:
            self._is_here = False
            self.wait(now_ns, self.grace_ns, "connection ended")

    def wait(self, now_ns: int, left_ns: int, reason: str) -> None:
        """Cancel its orders in left_ns, unless it comes back."""
        self.reason = reason
        self.due_ns = now_ns + left_ns
        self._owner.deadlines.arm(self, self.tick(now_ns))

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the deadline."""
        if self.due_ns and self.due_ns <= now_ns:
            self.due_ns = 0
            self._owner.cancel(self)
        return self.due_ns


class DisconnectCancels:
    """The sessions of a process that this holds for. last_ns: row time when the last one ended."""

    def __init__(self, turn: Turn, deadlines: Deadlines, log: EventLog, *, last_ns: int) -> None:
        self.deadlines = deadlines
        self._turn = turn
        self._log = log
        self._last_ns = last_ns
        self._watched: list[Presence] = []
        # A command each, oldest first; account 0: the session is done.
        self._due: deque[tuple[Presence, int]] = deque()
        self._at_work = False

    def watch(self, session: int, key: str, accounts: Sequence[int], grace_ns: int) -> Presence:
        """Take a session in."""
        presence = Presence(self, session, key, accounts, grace_ns)
        self._watched.append(presence)
        return presence

    def start(self, now_ns: int) -> None:
        """Take up what the last process left under way. Call before anybody can trade."""
        for presence in self._watched:
            event, time_ns = self._turn.engine.last_event(presence.session)
            if event == rows.EVENT_LOGGED_ON:
                presence.wait(now_ns, presence.grace_ns, "connected when the gateway ended")
            elif event in _DISCONNECTED:
                left_ns = presence.grace_ns - (self._last_ns - time_ns)
                presence.wait(now_ns, max(0, left_ns), "disconnected before the gateway ended")

    def pass_over(self, step_ns: int) -> None:
        """Somebody set the clock by so much: grace runs on as if nobody had."""
        for presence in self._watched:
            if presence.due_ns:
                presence.due_ns += step_ns
                self.deadlines.arm(presence, presence.due_ns)

    def cancel(self, presence: Presence) -> None:
        """Cancel all orders of a session, as soon as the engine has room for the commands."""
        self._due.extend((presence, account) for account in (*presence.accounts, 0))
        if not self._at_work:
            self._work()

    def _work(self) -> None:
        turn = self._turn
        turn.begin()
        for _ in range(min(len(self._due), _COMMANDS_PER_TURN)):
            # One at a time: the engine then has a place for it, see `engine.mass`.
            turn.settle()
            if turn.engine.mass.waits > MASS_QUEUE:
                break
            self._put(*self._due.popleft())
        self._at_work = bool(self._due)
        if self._at_work:
            turn.after.append(self._work)

    def _put(self, presence: Presence, account: int) -> None:
        if not presence.reason:
            return
        if account:
            words = {
                rows.W_REF: account << 32,
                rows.W_TERMS: WHY_DISCONNECT << 56,
                rows.W_SCOPE: SCOPE_ALL,
            }
            items = {rows.ITEM_VALUE: presence.reason.encode()}
            self._turn.append(rows.CANCEL_ALL, presence.session, words=words, items=items)
            return
        words = {rows.W_EVENT: rows.EVENT_ORDERS_CANCELLED}
        self._turn.append(rows.SESSION_EVENT, presence.session, words=words)
        self._log.emit("orders_cancelled", session=presence.key, reason=presence.reason)
        presence.reason = ""
