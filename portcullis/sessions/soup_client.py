"""A SoupBinTCP client without I/O: logs in, counts sequenced messages, keeps the link alive.

Owns the number of the next message and the receive buffer of one connection. Must not know
sockets, nor what a payload says. After each call write `data_to_send` and look at `events`.
Specification: NASDAQ SoupBinTCP 3.00.
"""

from __future__ import annotations

from dataclasses import dataclass

from portcullis.codecs.soupbintcp import packets
from portcullis.codecs.soupbintcp.scanner import SoupScanner

SECOND_NS = 1_000_000_000
_BUFFER_BYTES = 1 << 18  # holds the longest packet, and a turn's worth of usual ones


@dataclass(frozen=True, slots=True)
class Accepted:
    """Logged in; the next sequenced message of the session has this number."""

    session: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A message of the session. The octets are the caller's."""

    sequence: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Unsequenced:
    """A message without a number, as servers of SoupBinTCP 4 may send."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The session has ended: no message will follow in it, ever. Close the connection."""


@dataclass(frozen=True, slots=True)
class Debugged:
    """The server said something for people; no program obeys it."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not let us in, and closes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The link is of no use any more: silent, or the server broke the protocol."""

    reason: str


ClientEvent = Accepted | Sequenced | Unsequenced | Ended | Debugged | Refused | Failed

_REFUSALS = {b"A": "not authorized", b"S": "session not available"}


class SoupClient:
    """One connection. Times are nanoseconds on any clock that never runs back."""

    def __init__(
        self, *, heartbeat_ns: int = SECOND_NS, server_timeout_ns: int = 15 * SECOND_NS
    ) -> None:
        self.session = ""
        # Number of the next sequenced message; 0 until logged in.
        self.next_sequence = 0
        # Refused, ended or failed: nothing is taken or sent any more.
        self.is_over = False
        self._heartbeat_ns = heartbeat_ns
        self._server_timeout_ns = server_timeout_ns
        self._buffer = bytearray(_BUFFER_BYTES)
        self._scanner = SoupScanner(memoryview(self._buffer))
        self._kept = 0
        self._waiting = bytearray()
        self._events: list[ClientEvent] = []
        self._last_sent_ns = self._last_received_ns = 0

    def login(
        self, username: str, password: str, now_ns: int, *, session: str = "", sequence: int = 1
    ) -> None:
        """Ask to join a session (the current one) from a number on. ValueError: too long."""
        self._last_received_ns = now_ns
        self._send(packets.login_request(username, password, session, sequence), now_ns)

    def send(self, octets: bytes, now_ns: int) -> None:
        """Send a message; it has no number, and is lost where the connection is."""
        self._send(packets.packet("U", octets), now_ns)

    def logout(self, now_ns: int) -> None:
        self._send(packets.LOGOUT_REQUEST, now_ns)

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the next deadline."""
        silence = self._last_received_ns + self._server_timeout_ns
        if now_ns >= silence:
            self._fail("the server is silent")
        if self.next_sequence and now_ns >= self._last_sent_ns + self._heartbeat_ns:
            self._send(packets.CLIENT_HEARTBEAT, now_ns)
        return min(silence, self._last_sent_ns + self._heartbeat_ns)

    def feed(self, octets: bytes, now_ns: int) -> None:
        """Bytes arrived."""
        self._last_received_ns = now_ns
        position = 0
        while position < len(octets) and not self.is_over:
            part = octets[position : position + len(self._buffer) - self._kept]
            position += len(part)
            end = self._kept + len(part)
            self._buffer[self._kept : end] = part
            self._kept = self._take(end)

    def data_to_send(self) -> bytes:
        """The bytes to write; they are the caller's from then on."""
        waiting = bytes(self._waiting)
        self._waiting.clear()
        return waiting

    def events(self) -> list[ClientEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def _take(self, end: int) -> int:
        """Take the packets of buffer[:end]; give the bytes left, moved to its start."""
        start = 0
        while True:
            count = self._scanner.scan(start, end)
            for index in range(count):
                if not self.is_over:
                    letter = chr(self._scanner.packet_type[index])
                    self._on_packet(letter, self._scanner.payload(index))
            start = self._scanner.consumed
            if not self._scanner.full:
                break
        self._buffer[: end - start] = self._buffer[start:end]
        return end - start

    def _on_packet(self, letter: str, payload: bytes) -> None:
        if letter == "S" and self.next_sequence:
            self._events.append(Sequenced(self.next_sequence, payload))
            self.next_sequence += 1
        elif letter == "U" and self.next_sequence:
            self._events.append(Unsequenced(payload))
        elif letter == "A" and not self.next_sequence:
            accepted = packets.parse_login_accepted(payload)
            if accepted is None:
                self._fail("the server's Login Accepted cannot be read")
                return
            self.session = accepted.session.decode("latin-1")
            self.next_sequence = accepted.sequence
            self._events.append(Accepted(self.session, self.next_sequence))
        elif letter == "J" and not self.next_sequence:
            self.is_over = True
            self._events.append(Refused(_REFUSALS.get(payload, repr(payload))))
        elif letter == "Z":
            self.is_over = True
            self._events.append(Ended())
        elif letter == "+":
            self._events.append(Debugged(payload.decode("latin-1")))
        elif letter != "H":
            self._fail(f"packet {letter!r} was not to be expected")

    def _fail(self, reason: str) -> None:
        if not self.is_over:
            self.is_over = True
            self._events.append(Failed(reason))

    def _send(self, octets: bytes, now_ns: int) -> None:
        self._waiting += octets
        self._last_sent_ns = now_ns
