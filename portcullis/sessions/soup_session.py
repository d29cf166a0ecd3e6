"""One connection of a SoupBinTCP client, seen from the server: a state machine without I/O.

    state      packet or call         next       what is done
    WAITING    L, well formed         CHECKING   Authenticate
    WAITING    anything else          CLOSED     Disconnect, not a byte
    CHECKING   it fits, store joins   ACTIVE     A; from now on the store sends what follows
    CHECKING   it doesn't fit         CLOSED     J A
    CHECKING   the store has no such  CLOSED     J S
    CHECKING   R, +                   CHECKING
    CHECKING   anything else          CLOSED     Disconnect: nothing may be sent before A
    ACTIVE     U                      ACTIVE     the application takes it
    ACTIVE     R, +                   ACTIVE
    ACTIVE     O                      CLOSED     LoggedOut
    ACTIVE     anything else          CLOSED     + with a text; so for a U that is no message
    ACTIVE     ended()                CLOSED     Z
    any open   silence                CLOSED     login: within its time; then the client's

Owns who may speak when, and heartbeats both ways. Must not know sockets, what a payload says, nor
where sequenced data comes from: that is the store's, with its numbers. Packets of its own wait in
`data_to_send`; an A is to be written before anything that the store sends, a Z behind all of it.

Specification: NASDAQ SoupBinTCP 3.00; the choices it leaves are in docs/rules-of-engagement.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from portcullis.codecs.soupbintcp import packets
from portcullis.codecs.soupbintcp.scanner import SoupScanner

SECOND_NS = 1_000_000_000


class State(IntEnum):
    """Where a connection stands."""

    WAITING = 0
    CHECKING = 1
    ACTIVE = 2
    CLOSED = 3


class Joined(NamedTuple):
    """A session of the store, and the number of the next sequenced message it will send."""

    session: bytes
    sequence: int


class Store(Protocol):
    """The sequenced data of one user."""

    @property
    def last_sent_ns(self) -> int:
        """When it last sent a message."""

    def join(self, session: bytes, sequence: int) -> Joined | None:
        """Begin to send, from a number of a session on; None: it cannot be had.

        session: empty for the current one. sequence 0: from the newest message there is.
        """


class Application(Protocol):
    """What takes a client's messages."""

    def on_packets(self, scanner: SoupScanner, first: int, count: int) -> int:
        """Take Unsequenced Data from packet `first` on, of `count`; give how many were taken.

        Stops before a packet of another type, and before a payload that is no message of its
        protocol: then `problem` says what was wrong, else it is empty.
        """

    problem: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Check these credentials off the loop, then call `authenticated`."""

    username: bytes
    password: bytes


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The client has joined this session, from this number on."""

    session: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """A session that was joined is left; a Disconnect follows."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection once what waits has been written."""

    reason: str


SoupEvent = Authenticate | LoggedIn | LoggedOut | Disconnect


@dataclass(frozen=True, slots=True)
class SoupSettings:
    """Times in nanoseconds. The protocol's own: a heartbeat within a second of silence of ours,
    15 seconds for the client's, 30 for its login."""

    heartbeat_ns: int = SECOND_NS
    client_timeout_ns: int = 15 * SECOND_NS
    login_timeout_ns: int = 30 * SECOND_NS


class SoupSession:
    """The machine of one connection. Times are nanoseconds since the Unix epoch, UTC.

    After each call write `data_to_send`, look at `events`, and call `tick` at the time that the
    last `tick` gave.
    """

    def __init__(
        self, settings: SoupSettings, store: Store, application: Application, now_ns: int
    ) -> None:
        self.state = State.WAITING
        # Login Requests taken, in whatever state.
        self.logins = 0
        self._settings = settings
        self._store = store
        self._application = application
        # The wall clock when it was last told, and how far time has come since, never back: what
        # time-outs run by.
        self._wall_ns = now_ns
        self._now_ns = now_ns
        self._connected_ns = now_ns
        self._received_ns = now_ns
        self._sent_ns = now_ns
        # What the store said when it was last asked, by the wall clock.
        self._store_sent_ns = 0
        self._request: packets.LoginRequest | None = None
        self._waiting = b""
        self._events: list[SoupEvent] = []

    # --- what comes in ---------------------------------------------------------------------------

    def receive(self, scanner: SoupScanner, first: int, count: int, now_ns: int) -> None:
        """Take `count` packets of the scanner, from packet `first` on."""
        self._observe(now_ns)
        if count:
            self._received_ns = self._now_ns
        index, end = first, first + count
        while index < end and self.state != State.CLOSED:
            if self.state == State.ACTIVE:
                index += self._application.on_packets(scanner, index, end)
                if self._application.problem:
                    self._fault(self._application.problem)
                    return
                if index == end:
                    return
            self._on_packet(chr(scanner.packet_type[index]), scanner.payload(index))
            index += 1

    def _on_packet(self, letter: str, payload: bytes) -> None:
        self.logins += letter == "L"
        if self.state == State.WAITING:
            request = packets.parse_login_request(payload) if letter == "L" else None
            if request is None:
                self._close("the first packet was no Login Request")
                return
            self.state = State.CHECKING
            self._request = request
            self._events.append(Authenticate(request.username, request.password))
        elif letter in "R+":
            return
        elif self.state == State.CHECKING:
            self._close(f"packet {letter!r} before the login was answered")
        elif letter == "O":
            self._close("logged out")
        elif letter == "\0":
            self._fault("a packet's length is out of range")
        else:
            self._fault(f"packet type {letter!r} is not for clients")

    def authenticated(self, fits: bool, now_ns: int) -> None:
        """The answer to Authenticate; without effect where the machine has moved on."""
        if self.state != State.CHECKING or self._request is None:
            return
        self._observe(now_ns)
        request, self._request = self._request, None
        if not fits:
            self._send(packets.NOT_AUTHORIZED)
            self._close("not authorized")
            return
        joined = None
        if request.sequence >= 0:
            joined = self._store.join(request.session, request.sequence)
        if joined is None:
            self._send(packets.NOT_AVAILABLE)
            self._close("session not available")
            return
        self.state = State.ACTIVE
        self._send(packets.login_accepted(joined.session, joined.sequence))
        self._events.append(LoggedIn(joined.session, joined.sequence))

    # --- time and ends ---------------------------------------------------------------------------

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the next deadline, 0: none."""
        settings = self._settings
        self._observe(now_ns)
        if self.state == State.CLOSED:
            return 0
        if self.state != State.ACTIVE:
            left_ns = self._connected_ns + settings.login_timeout_ns - self._now_ns
            if left_ns <= 0:
                self._close("no login in time")
                return 0
            return now_ns + left_ns
        silence_ns = self._received_ns + settings.client_timeout_ns - self._now_ns
        if silence_ns <= 0:
            self._close("the client is silent")
            return 0
        if self._store.last_sent_ns != self._store_sent_ns:
            self._store_sent_ns = self._store.last_sent_ns
            # By a clock that has been set back since, it was sent now.
            sent_ns = self._now_ns - max(0, now_ns - self._store_sent_ns)
            self._sent_ns = max(self._sent_ns, sent_ns)
        if self._now_ns >= self._sent_ns + settings.heartbeat_ns:
            self._send(packets.SERVER_HEARTBEAT)
        return now_ns + min(silence_ns, self._sent_ns + settings.heartbeat_ns - self._now_ns)

    def pass_over(self, step_ns: int) -> None:
        """The wall clock was set by so much since the last call: no time-out runs by that."""
        if step_ns > 0:  # one set back is seen for what it is
            self._wall_ns += step_ns

    def silence_ns(self, now_ns: int) -> int:
        """For how long the client has not been heard."""
        self._observe(now_ns)
        return self._now_ns - self._received_ns

    def _observe(self, wall_ns: int) -> None:
        """The wall clock now."""
        self._now_ns += max(0, wall_ns - self._wall_ns)
        self._wall_ns = wall_ns

    def ended(self, now_ns: int) -> None:
        """All of the session joined has been sent, and there will be no more."""
        self._observe(now_ns)
        if self.state == State.ACTIVE:
            self._send(packets.END_OF_SESSION)
            self._close("end of session")

    def close(self, reason: str) -> None:
        """End it: the gateway stops, or another connection takes this one's place."""
        if self.state != State.CLOSED:
            self._close(reason)

    # --- what goes out ---------------------------------------------------------------------------

    def data_to_send(self) -> bytes:
        """The packets to write now; they are the caller's from then on."""
        waiting, self._waiting = self._waiting, b""
        return waiting

    def events(self) -> list[SoupEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def _send(self, octets: bytes) -> None:
        self._waiting += octets
        self._sent_ns = self._now_ns

    def _fault(self, text: str) -> None:
        """The client broke the protocol; text is for its log."""
        self._waiting += packets.debug(text)
        self._close(text)

    def _close(self, reason: str) -> None:
        if self.state == State.ACTIVE:
            self._events.append(LoggedOut(reason))
        self.state = State.CLOSED
        self._events.append(Disconnect(reason))
