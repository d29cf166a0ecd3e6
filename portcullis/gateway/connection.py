"""One TCP connection of a client: bytes in, into the shared buffer and to its session.

Owns what a connection may cost: one receive buffer serves all of them, and each keeps only the
incomplete message at the end of what it sent; a read fills the buffer once a turn; who hasn't
logged on in time is closed. The first message names the session (`Gate.find`); while credentials
are checked nothing more is read, and the session knows nothing of it. Must not know the protocol
beyond where a message begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, cast

from portcullis.gateway.admission import Place
from portcullis.gateway.capture import Capture
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.tls import names_shown
from portcullis.gateway.turn import Turn


class Peer(Protocol):
    """Whom a connection speaks for: a session of its protocol, by whatever scanner that has."""

    key: str
    scanner: Any

    # Whether every message may hold a secret.
    redacts: bool

    @property
    def slow_messages(self) -> int:
        """Messages taken so far by its state machine: a Logon is one."""

    @property
    def next_ns(self) -> int:
        """When its next message may come, where `receive` took fewer than it was offered."""

    @property
    def store(self) -> Any:
        """What it sends from; has `session`, its id in rows."""

    def let_in(self, link: Connection, wire: Any, now_ns: int) -> None:
        """The connection is its own from now on. Offer its messages to `receive` next."""

    def receive(self, scanner: Any, count: int, now_ns: int) -> int:
        """Take the first `count` messages of the scanner; give how many were taken."""

    def start_of(self, scanner: Any, index: int) -> int:
        """Where a message of the scanner begins in the buffer."""

    def redact(self, octets: bytes) -> bytes:
        """What it sent, secrets taken out."""

    def set_stopped(self, stopped: bool) -> None:
        """Whether the socket is full."""

    def lost(self, now_ns: int) -> None:
        """The connection is gone."""


class Gate(Protocol):
    """Where connections of one protocol are let in."""

    # Reads the first message of a connection from the shared receive buffer.
    first_scanner: Any

    def find(
        self, caller: Any, scanner: Any, now_ns: int
    ) -> Peer | Coroutine[Any, Any, Peer | None] | None:
        """The peer that message 0 of the scanner names and lets in; None: close, if it has not
        been refused.

        Where that takes a while, what to await for the answer.
        """


class Hub(Protocol):
    """What connections share. The server."""

    turn: Turn
    deadlines: Deadlines
    # The receive buffer.
    buffer: memoryview
    write_high_water: int
    # Where what was read is kept; None: nowhere.
    capture: Capture | None
    # Bytes kept of a connection whose credentials are being checked.
    opening_bytes_max: int

    def opened(self, connection: Connection) -> bool:
        """Note a new connection; False: it has to go."""

    def authenticated(self, connection: Connection) -> None:
        """It has logged on, and is no longer bound by the logon time-out."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""

    def closing(self, connection: Connection) -> None:
        """It is being closed; cut it where that takes too long."""

    def unacknowledged(self, transport: asyncio.Transport) -> int:
        """Bytes written that the other machine has not acknowledged."""

    def failed(self, connection: Connection, error: BaseException) -> None:
        """An exception came out of what it sent. Ends the process if rows were written."""


class Connection(asyncio.BufferedProtocol):
    """A connection. place: where it comes from. deadline_ns: of its Logon, then of its end."""

    def __init__(self, hub: Hub, gate: Gate, place: Place) -> None:
        self.place = place
        # Names of the certificate that the client showed; None: it did not come over TLS.
        self.certificate_names: frozenset[str] | None = None
        self.took_all = False
        self.deadline_ns = 0
        self.peer: Peer | None = None
        self._hub = hub
        self._gate = gate
        # While its credentials are checked.
        self._check: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._carried = b""
        # Its messages came faster than they may: the rest is in _carried. See `tick`.
        self._is_delayed = False
        self.armed_ns = 0
        self._ended = False

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.certificate_names = names_shown(transport)
        self._transport.set_write_buffer_limits(high=self._hub.write_high_water)
        if not self._hub.opened(self):
            self.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        carried = len(self._carried)
        if carried:
            self._hub.buffer[:carried] = self._carried
            return self._hub.buffer[carried:]
        return self._hub.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._ended:
            return
        end = len(self._carried) + nbytes
        try:
            self._receive(end, self._hub.turn.begin())
        except Exception as error:
            self._hub.failed(self, error)
            return
        if end == len(self._hub.buffer) and not self._ended:
            # There is more. Let the others read before this one does again.
            self._transport_now().pause_reading()
            self._hub.turn.after.append(self._read_on)

    def eof_received(self) -> None:
        """Nothing is left to say to who hangs up: the transport closes."""
        # A machine that closes a socket with bytes unread resets the connection, and one that
        # gets bytes for a closed socket does not acknowledge them. So this is proof.
        self.took_all = not self._hub.unacknowledged(self._transport_now())

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.set_stopped(True)

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.set_stopped(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._hub.closed(self)
        if self._check is not None:
            self._check.cancel()
        self._part()

    # --- what was read ---------------------------------------------------------------------------

    def _receive(self, end: int, now_ns: int) -> None:
        """Hand over the whole messages of buffer[:end], keep what is left."""
        self._carried = b""
        start = 0
        while True:
            peer = self.peer
            scanner = self._gate.first_scanner if peer is None else peer.scanner
            count = scanner.scan(start, end)
            if count and peer is None:
                found = self._gate.find(self, scanner, now_ns)
                if isinstance(found, Coroutine):
                    self._hold(found, bytes(self._hub.buffer[start:end]))
                    return
                if found is None:
                    if not self._ended:
                        self.abort()
                    return
                self._let_in(found, now_ns)
                continue  # with the scanner of that peer's dictionary
            if count and peer is not None:
                slow = peer.slow_messages
                taken = peer.receive(scanner, count, now_ns)
                capture = self._hub.capture
                if capture is not None and taken:
                    stop = scanner.consumed
                    if taken < count:
                        stop = peer.start_of(scanner, taken)
                    # At the time of its rows: in a log it stands before what it caused.
                    session, time_ns = peer.store.session, self._hub.turn.table.time_ns
                    if peer.redacts or peer.slow_messages != slow:
                        octets = peer.redact(bytes(self._hub.buffer[start:stop]))
                        capture.add_octets(session, time_ns, octets)
                    else:
                        capture.add(session, time_ns, start, stop)
                if self._ended:
                    return
                if taken < count:
                    start = peer.start_of(scanner, taken)
                    self._delay(bytes(self._hub.buffer[start:end]), peer.next_ns)
                    return
            start = scanner.consumed
            if not scanner.full:
                break
        if start < end:
            self._carried = bytes(self._hub.buffer[start:end])

    def _let_in(self, peer: Peer, now_ns: int) -> None:
        self.peer = peer
        peer.let_in(self, self._transport_now(), now_ns)

    def _hold(self, found: Coroutine[Any, Any, Peer | None], opening: bytes) -> None:
        """Read nothing more until it is known whether there is somebody to read it."""
        if len(opening) > self._hub.opening_bytes_max:
            found.close()
            self.abort()
            return
        self._carried = opening
        self._transport_now().pause_reading()
        self._check = asyncio.get_running_loop().create_task(self._await_answer(found))

    async def _await_answer(self, found: Coroutine[Any, Any, Peer | None]) -> None:
        try:
            peer = await found
            self._check = None
            if self._ended:
                return
            if peer is None:
                self.abort()
                return
            now_ns = self._hub.turn.begin()
            self._let_in(peer, now_ns)
        except Exception as error:
            self._hub.failed(self, error)
            return
        self._receive_carried(now_ns)

    def _delay(self, rest: bytes, until_ns: int) -> None:
        """Read nothing more until more may come."""
        self._carried = rest
        self._is_delayed = True
        self._transport_now().pause_reading()
        self._hub.deadlines.arm(self, until_ns)

    def tick(self, now_ns: int) -> int:
        """Go on with what came faster than it may."""
        if self._is_delayed and not self._ended:
            self._is_delayed = False
            self._receive_carried(now_ns)
        return 0

    def _receive_carried(self, now_ns: int) -> None:
        """Look at what was kept, then read on."""
        size = len(self._carried)
        self._hub.buffer[:size] = self._carried
        try:
            self._receive(size, now_ns)
        except Exception as error:
            self._hub.failed(self, error)
            return
        self._read_on()

    def _read_on(self) -> None:
        if self._transport is not None and not self._ended and not self._is_delayed:
            self._transport.resume_reading()

    # --- what its peer asks for ------------------------------------------------------------------

    def logged_on(self) -> None:
        self._hub.authenticated(self)

    def finish(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._hub.turn.after_sending.append(self._close)
            self._hub.turn.begin()

    def refuse(self, octets: bytes) -> None:
        """Write this, and close."""
        if not self._ended:
            self._ended = True
            self._transport_now().write(octets)
            self._close()

    def abort(self) -> None:
        """Close without sending what waits."""
        self._ended = True
        self._transport_now().abort()

    def _close(self) -> None:
        transport = self._transport_now()
        if not transport.is_closing():
            transport.close()
            self._hub.closing(self)
        if self.place.is_stranger:
            # Who was refused may take its time to hang up, as long as TLS allows; its session
            # does not wait for that.
            self._part()

    def _part(self) -> None:
        """The peer has no connection any more."""
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.lost(self._hub.turn.begin())

    def _transport_now(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport
