"""One OUCH user, and each connection that speaks for it.

Owns what binds them: a connection's session machine, the user's credentials, the cursor over its
messages, and that one connection at a time has it. Must not know how packets are framed, nor what
an order means; nor passwords, which `ouch_gate` has checked before there is a peer.

A second login with the right password takes the user over only where the first connection has
been silent for SILENT_NS, so that a client that crashed is not locked out for long, and a live one
not pushed off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portcullis.codecs.ouch.text import without_passwords
from portcullis.codecs.soupbintcp.scanner import SoupScanner
from portcullis.dictionaries.soupbintcp_offsets import HEADER_BYTES, UNSEQUENCED_DATA_TYPE
from portcullis.gateway.admission import Network
from portcullis.gateway.auth import PasswordHash
from portcullis.gateway.cancel_on_disconnect import Presence
from portcullis.gateway.event_log import Throttled
from portcullis.gateway.fix_peer import Link, Surroundings
from portcullis.gateway.message_rate import MessageRate
from portcullis.gateway.ouch_door import OuchDoor
from portcullis.gateway.ouch_orders import OuchOrders
from portcullis.gateway.ouch_store import OuchStore
from portcullis.gateway.turn import Turn
from portcullis.journal import rows
from portcullis.sessions.soup_session import (
    Authenticate,
    Disconnect,
    Joined,
    LoggedIn,
    LoggedOut,
    SoupSession,
    SoupSettings,
)

SILENT_NS = 3_000_000_000


class OuchOrderEntry:
    """Messages become command rows: the application behind a session.

    What comes for a day that has ended is passed over, as if it had been lost on its way: who is
    still reading that day must not trade in the next one unawares.
    """

    def __init__(
        self, turn: Turn, orders: OuchOrders, door: OuchDoor, store: OuchStore, notes: Throttled
    ) -> None:
        self.problem = ""
        # What is handed over is beyond the user's rate.
        self.over_rate = False
        self._turn = turn
        self._orders = orders
        self._door = door
        self._store = store
        self._notes = notes

    def on_packets(self, scanner: SoupScanner, first: int, count: int) -> int:
        orders = self._orders
        if self._store.has_ended:
            end = first
            while end < count and scanner.packet_type[end] == UNSEQUENCED_DATA_TYPE:
                end += 1
            if end > first:
                self._notes.emit("passed_over", count=end - first, text="the day has ended")
            return end - first
        orders.disk_full = not self._turn.journal.can_take_orders
        orders.over_rate = self.over_rate
        taken: int = orders.translate(scanner, first, count, self._door)
        while orders.full:
            self._turn.make_room()
            more: int = orders.translate(scanner, first + taken, count, self._door)
            if orders.full and not more:
                raise RuntimeError("an empty batch has no room for an order")
            taken += more
        self.problem = orders.problem
        return taken


class OuchUser:
    """key: its name for ever, as `registry` has it."""

    def __init__(
        self,
        shared: Surroundings,
        key: str,
        store: OuchStore,
        entry: OuchOrderEntry,
        *,
        password: PasswordHash | None,
        networks: Sequence[Network],
        enabled: bool,
        quarantined: bool,
        presence: Presence | None,
        messages_per_second: int,
        rejects_over_rate: bool,
    ) -> None:
        self.shared = shared
        self.key = key
        self.store = store
        self.entry = entry
        self.password = password
        self.networks = networks
        self.enabled = enabled
        self.quarantined = quarantined
        # Where its orders are cancelled when it is gone.
        self.presence = presence
        self.reserve_rate = MessageRate(shared.reserve_rate)
        # None: no limit. Orders beyond it are rejected at the same rate, or else all waits.
        limit = messages_per_second
        self.rate = MessageRate(limit) if limit else None
        self.reject_rate = MessageRate(limit) if limit and rejects_over_rate else None
        # The connection that has the user's session.
        self.live: OuchPeer | None = None

    @property
    def name(self) -> str:
        """The username, in capitals."""
        return self.key.partition(":")[2]

    @property
    def is_connected(self) -> bool:
        """Whether a connection has the user's session."""
        return self.live is not None

    def logout(self, text: str, now_ns: int) -> None:
        """End the user's connection, if there is one; it may come again."""
        if self.live is not None:
            self.live.close(text, now_ns)


class OuchPeer:
    """A connection that has asked to speak for a user: what `connection` knows of it."""

    def __init__(
        self, user: OuchUser, scanner: SoupScanner, settings: SoupSettings, now_ns: int
    ) -> None:
        self.key = user.key
        self.scanner = scanner
        self.armed_ns = 0
        self.next_ns = 0
        self.redacts = False  # but for its Login Request
        self.session = SoupSession(settings, self, user.entry, now_ns)
        self._user = user
        self._shared = user.shared
        self._link: Link | None = None
        self._wire: Any = None
        self._now_ns = now_ns

    # --- what the connection tells ---------------------------------------------------------------

    @property
    def store(self) -> OuchStore:
        return self._user.store

    @property
    def slow_messages(self) -> int:
        """Login Requests that the session has taken."""
        return self.session.logins

    def redact(self, octets: bytes) -> bytes:
        """What it sent, its password taken out."""
        return without_passwords(octets)

    def let_in(self, link: Link, wire: Any, now_ns: int) -> None:
        """The connection is open. Offer its packets to `receive` next."""
        self._link, self._wire = link, wire
        self._shared.deadlines.arm(self, self.session.tick(now_ns))

    def receive(self, scanner: SoupScanner, count: int, now_ns: int) -> int:
        """Take the first `count` packets of the scanner, or as many as may come now; give them.

        Fewer than count: offer the rest at `next_ns`.
        """
        user = self._user
        allowed, rate = count, user.rate
        if not self._shared.turn.journal.can_take_orders:
            rate = user.reserve_rate
        if rate is not None:
            allowed = rate.take(count, now_ns)
            self.next_ns = rate.next_ns
        self.session.receive(scanner, 0, allowed, now_ns)
        if allowed < count and user.reject_rate is not None and rate is user.rate:
            rejected = user.reject_rate.take(count - allowed, now_ns)
            user.entry.over_rate = True
            try:
                self.session.receive(scanner, allowed, rejected, now_ns)
            finally:
                user.entry.over_rate = False
            allowed += rejected
        self._carry_out(now_ns)
        return allowed

    def start_of(self, scanner: SoupScanner, index: int) -> int:
        """Where a packet begins in the buffer."""
        start: int = scanner.payload_start[index] - HEADER_BYTES
        return start

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the next deadline."""
        deadline_ns = self.session.tick(now_ns) if self._link is not None else 0
        self._carry_out(now_ns)
        return deadline_ns

    def lost(self, now_ns: int) -> None:
        """The connection is gone."""
        self._link = None
        self.session.close("the connection was lost")
        self._carry_out(now_ns)

    def set_stopped(self, stopped: bool) -> None:
        """Whether the socket is full."""
        if self._user.live is self:
            self.store.stopped = stopped
            if not stopped:
                self._shared.turn.wake(self.store.session)

    def close(self, reason: str, now_ns: int) -> None:
        """End the connection; the session of the day goes on."""
        self.session.close(reason)
        self._carry_out(now_ns)

    def cut(self) -> None:
        """Close without sending what waits: the client does not read, and gets it on return."""
        self._log("slow_consumer", unsent=self.store.lag)
        if self._link is not None:
            self._link.abort()

    # --- what its session asks (see soup_session.Store) ------------------------------------------

    @property
    def last_sent_ns(self) -> int:
        return self.store.last_sent_ns if self._user.live is self else 0

    def join(self, session: bytes, sequence: int) -> Joined | None:
        live = self._user.live
        if live is not None:
            if live.session.silence_ns(self._now_ns) < SILENT_NS:
                self._log("refused", reason="connected already")
                return None
            live.close("another login has taken its place", self._now_ns)
        joined = self.store.join(session, sequence)
        if joined is not None:
            self._user.live = self
            self.store.wire = self._wire
            self.store.on_end = self._on_end
        return joined

    def _on_end(self, now_ns: int, complete: bool) -> None:
        if complete:
            self.session.ended(now_ns)
        else:
            self.session.close("its session is no longer kept")
        self._carry_out(now_ns)

    # --- what its session says -------------------------------------------------------------------

    def _carry_out(self, now_ns: int) -> None:
        """Write what the session has to say, do what its events ask for."""
        for event in self.session.events():
            if isinstance(event, Authenticate):
                self._now_ns = now_ns
                self.session.authenticated(True, now_ns)
                self._carry_out(now_ns)
            elif isinstance(event, LoggedIn):
                self._event(rows.EVENT_LOGGED_ON)
                if self._user.presence is not None:
                    self._user.presence.back()
                if self._link is not None:
                    self._link.logged_on()
                self._log("logged_on", day=event.session, sequence=event.sequence)
            elif isinstance(event, LoggedOut):
                self._leave(event.reason, now_ns)
            elif isinstance(event, Disconnect):
                self._write()
                if self._link is not None:
                    self._link.finish(event.reason)
                    self._log("disconnecting", reason=event.reason)
        if self._write():
            self._shared.deadlines.arm(self, self.session.tick(now_ns))

    def _write(self) -> bool:
        """Write packets of the session's own; whether there were any."""
        octets = self.session.data_to_send()
        if octets and self._link is not None:
            self._wire.write(octets)
        return bool(octets)

    def _leave(self, reason: str, now_ns: int) -> None:
        lost = self._link is None
        self._event(rows.EVENT_DISCONNECTED if lost else rows.EVENT_LOGGED_OUT)
        self._log("logged_out", text=reason)
        if self._user.live is self:
            self._user.live = None
            self.store.leave()
            if self._user.presence is not None:
                self._user.presence.gone(now_ns)

    def _event(self, code: int) -> None:
        words = {rows.W_EVENT: code}
        self._shared.turn.append(rows.SESSION_EVENT, self.store.session, words=words)

    def _log(self, event: str, **fields: object) -> None:
        self._shared.log.emit(event, session=self.key, **fields)
