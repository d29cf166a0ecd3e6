"""One FIX counterparty: its session, its numbers, its orders, and the connection it has now.

Owns what binds them: a connection is let in, the session's events are carried out, application
messages go to the translation. Outlives connections. Must not know how bytes are framed, nor what
an order means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from portcullis.codecs.fix.layout import M_START, MSG_WORDS
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.gateway.cancel_on_disconnect import Presence
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.event_log import EventLog, Throttled
from portcullis.gateway.message_rate import MessageRate
from portcullis.gateway.redaction import redact
from portcullis.gateway.row_store import RowStore
from portcullis.gateway.timetables import Timetable
from portcullis.gateway.turn import Turn
from portcullis.journal import rows
from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_events import (
    Application,
    Authenticate,
    Disconnect,
    LoggedOn,
    LoggedOut,
    Noted,
    NumbersReset,
)
from portcullis.sessions.fix_message import Scratch
from portcullis.sessions.fix_session import FixSession


class Link(Protocol):
    """The connection that a peer has now.

    took_all: they closed it, and had read all that was written.
    """

    took_all: bool

    def logged_on(self) -> None:
        """The peer has been authenticated."""

    def finish(self, reason: str) -> None:
        """Close, once what this turn brought has been sent.

        reason: a socket has no place for it; links without one, of benchmarks and tests, tell it.
        """

    def abort(self) -> None:
        """Close without sending what waits."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the peers of a process share."""

    turn: Turn
    log: EventLog
    deadlines: Deadlines
    # Messages a second of each session while only reserved rows are left.
    reserve_rate: int
    # Those whose socket is full, in that order.
    slow: dict[FixPeer, None] = field(default_factory=dict)


class FixPeer:
    """One session with all that belongs to it. key: its name for ever, as `registry` has it."""

    def __init__(
        self,
        shared: Surroundings,
        key: str,
        config: FixSessionConfig,
        store: RowStore,
        application: Application,
        scanner: FixScanner,
        scratch: Scratch,
        *,
        quarantined: bool = False,
        timetable: Timetable | None = None,
        resets_done_ns: int = 0,
        messages_per_second: int = 0,
        rejects_over_rate: bool = False,
        forget: Callable[[], None] | None = None,
        presence: Presence | None = None,
        redacts: bool = False,
    ) -> None:
        self.key = key
        self.store = store
        self.session = FixSession(config, store, application, scratch)
        # Scans the shared receive buffer with this session's dictionary.
        self.scanner = scanner
        # Whether the next Logon that is offered showed the right credentials. Set by the gate.
        self.is_authentic = True
        # Kept out until an operator releases it.
        self.quarantined = quarantined
        self.client = config.client.decode()
        self.link: Link | None = None
        self.armed_ns = 0
        self.resets_done_ns = resets_done_ns
        self._shared = shared
        self._timetable = timetable
        # Why both numbers begin at 1 once the connection has gone; "": they go on.
        self._reset_text = ""
        # Why a Logon is refused now: it came outside the schedule's windows.
        self._closed_text = ""
        # When one more message may come, where they come too fast.
        self.next_ns = 0
        # None: no limit. What is beyond it is rejected at the same rate, or else waits.
        limit = messages_per_second
        self._rate = MessageRate(limit) if limit else None
        self._reject_rate = MessageRate(limit) if limit and rejects_over_rate else None
        self._reserve_rate = MessageRate(shared.reserve_rate)
        self._over_rate_text = f"Too many messages: at most {limit} a second"
        # What the application does when the session has logged out.
        self._forget = forget
        # Of a session whose orders are cancelled when it is gone.
        self._presence = presence
        # Whether messages of the lane may hold secrets, too.
        self.redacts = redacts
        self._sends_seen = 0
        self._notes = Throttled(shared.log, session=key)

    def let_in(self, link: Link, wire: Any, now_ns: int) -> None:
        """A connection whose first message names this session. Offer it to `receive` next."""
        self._closed_text = ""
        if self._timetable is not None:
            self._closed_text = self._timetable.before_logon(self, now_ns)
        self.link = link
        self.session.connected(now_ns)
        self.store.wire = wire
        self._shared.deadlines.arm(self, self.session.tick(now_ns))

    @property
    def is_connected(self) -> bool:
        """Whether a connection has the session."""
        return self.session.is_connected

    @property
    def slow_messages(self) -> int:
        """Messages that the session's state machine has taken."""
        return self.session.slow_messages

    def start_of(self, scanner: FixScanner, index: int) -> int:
        """Where a message of the scanner begins in the buffer."""
        start: int = scanner.message[index * MSG_WORDS + M_START]
        return start

    def redact(self, octets: bytes) -> bytes:
        """What it sent, secrets taken out."""
        return redact(octets)

    def receive(self, scanner: FixScanner, count: int, now_ns: int) -> int:
        """Take the first `count` messages of the scanner, or as many as may come now; give them.

        Fewer than count: offer the rest at `next_ns`.
        """
        allowed, rate = count, self._rate
        if not self._shared.turn.journal.can_take_orders:
            rate = self._reserve_rate
        if rate is not None:
            allowed = rate.take(count, now_ns)
            self.next_ns = rate.next_ns
        taken = self.session.receive(scanner, 0, allowed, now_ns)
        if taken < allowed:
            self._offer(scanner, taken, allowed - taken, now_ns)
        if allowed < count and self._reject_rate is not None and rate is self._rate:
            rejected = self._reject_rate.take(count - allowed, now_ns)
            self.session.refusal = self._over_rate_text
            try:
                self._offer(scanner, allowed, rejected, now_ns)
            finally:
                self.session.refusal = ""
            allowed += rejected
        if self.session.has_events or self._sends_seen != self.store.sends:
            self.carry_out(now_ns)
        return allowed

    def _offer(self, scanner: FixScanner, first: int, count: int, now_ns: int) -> None:
        """Make room, and give the session messages, as often as it takes."""
        end = first + count
        while first < end:
            self._shared.turn.settle()
            taken = self.session.receive(scanner, first, end - first, now_ns)
            if not taken:
                raise RuntimeError(f"{self.key}: an empty batch has no room for a message")
            first += taken

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the next deadline."""
        if not self.session.is_connected:
            return 0
        deadline_ns = self.session.tick(now_ns)
        self.carry_out(now_ns)
        return deadline_ns

    def challenge(self, now_ns: int) -> None:
        """A second connection named this session and was dropped."""
        self.session.challenge(now_ns)
        self.carry_out(now_ns)

    def logout(self, text: str, now_ns: int) -> None:
        """Begin to log out, if logged on."""
        self.session.logout(text, now_ns)
        self.carry_out(now_ns)

    @property
    def is_logged_on(self) -> bool:
        """Whether somebody is there to be logged out."""
        return self.session.is_logged_on

    def reset(self, text: str, now_ns: int) -> None:
        """Begin both numbers at 1: now, or as soon as who is connected has been logged out."""
        if self.session.is_connected:
            self._reset_text = text
            self.logout(text, now_ns)
        elif (self.store.next_in, self.store.next_out) != (1, 1):
            self.session.reset()
            self._shared.log.emit("numbers_reset", session=self.key, text=text)

    def lost(self, now_ns: int) -> None:
        """The connection is gone."""
        took_all = self.link is not None and self.link.took_all
        self.link = None
        self._shared.slow.pop(self, None)
        was_attached = self.store.attached
        parted = self.session.has_parted(took_all)
        self.session.disconnected(now_ns)
        if was_attached:
            if parted:
                self.store.received()
            self._event(rows.EVENT_DISCONNECTED)
            if self._presence is not None:
                self._presence.gone(now_ns)
        self.carry_out(now_ns)
        text, self._reset_text = self._reset_text, ""
        if text:
            self.reset(text, now_ns)

    def set_stopped(self, stopped: bool) -> None:
        """Whether the socket is full."""
        self.store.stopped = stopped
        if stopped:
            self._shared.slow[self] = None
        else:
            self._shared.slow.pop(self, None)
            self._shared.turn.wake(self.store.session)

    def cut(self) -> None:
        """Close the connection of a client that does not read; it gets the rest on return."""
        self._shared.log.emit("slow_consumer", session=self.key, unsent=self.store.lag)
        if self.link is not None:
            self.link.abort()

    # --- what the session says -----------------------------------------------------------------

    def carry_out(self, now_ns: int) -> None:
        """Do what the session's events ask for, and note its new deadline where it sent."""
        log = self._shared.log
        for event in self.session.events():
            if isinstance(event, Noted):
                self._notes.emit("noted", text=event.text)
            elif isinstance(event, Authenticate):
                self._authenticate(now_ns)
            elif isinstance(event, LoggedOn):
                self._event(rows.EVENT_LOGGED_ON)
                if self._presence is not None:
                    self._presence.back()
                self.store.reissue()
                if self.link is not None:
                    self.link.logged_on()
                log.emit("logged_on", session=self.key, reset=event.reset)
            elif isinstance(event, LoggedOut):
                self._event(rows.EVENT_LOGGED_OUT)
                if self._forget is not None:
                    self._forget()
                log.emit("logged_out", session=self.key, text=event.text)
            elif isinstance(event, NumbersReset):
                self.store.reissue()
                log.emit("numbers_reset", session=self.key)
            elif isinstance(event, Disconnect):
                self._notes.emit("disconnecting", reason=event.reason)
                if self.link is not None:
                    self.link.finish(event.reason)
        if self._sends_seen != self.store.sends:
            self._sends_seen = self.store.sends
            self._shared.deadlines.arm(self, self.tick(now_ns))

    def _event(self, code: int) -> None:
        words = {rows.W_EVENT: code, rows.W_NEXT_OUT: self.store.first_in_doubt}
        self._shared.turn.append(rows.SESSION_EVENT, self.store.session, words=words)

    def _authenticate(self, now_ns: int) -> None:
        """The gate has looked at the credentials; let in who is authentic, in session hours."""
        authentic, self.is_authentic = self.is_authentic, True
        if authentic and self._closed_text:
            self.session.refuse(self._closed_text, now_ns)
        else:
            self.session.authenticated(authentic, now_ns)
        self.carry_out(now_ns)
