"""One TCP connection of a FIX client: bytes in, into the shared buffer and to its session.

Owns what a connection may cost: one receive buffer serves all of them, and each keeps only the
incomplete message at the end of what it sent; a read fills the buffer once a turn; who hasn't
logged on in time is closed. The first message names the session (`Hub.find`); until that session
has authenticated it, everything wrong is answered by closing. Must not know FIX beyond that.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from portcullis.codecs.fix.scanner import FixScanner
from portcullis.gateway.fix_peer import FixPeer
from portcullis.gateway.turn import Turn


class Hub(Protocol):
    """What connections share, and where they are let in. The server."""

    turn: Turn
    # The receive buffer, and the scanner that reads the first message of a connection from it.
    buffer: memoryview
    first_scanner: FixScanner
    write_high_water: int

    def opened(self, connection: Connection) -> bool:
        """Count a new connection; False: there are too many, it has to go."""

    def find(self, connection: Connection, scanner: FixScanner) -> FixPeer | None:
        """The peer that message 0 of the scanner names and lets in; None: close."""

    def authenticated(self, connection: Connection) -> None:
        """It has logged on, and is no longer bound by the logon time-out."""

    def closed(self, connection: Connection) -> None:
        """It is gone."""

    def closing(self, connection: Connection) -> None:
        """It is being closed; cut it where that takes too long."""

    def failed(self, connection: Connection, error: BaseException) -> None:
        """An exception came out of what it sent. Ends the process if rows were written."""


class Connection(asyncio.BufferedProtocol):
    """A connection. peer_host: where it comes from. deadline_ns: of its Logon, then of its end."""

    def __init__(self, hub: Hub) -> None:
        self.peer_host = ""
        self.deadline_ns = 0
        self.peer: FixPeer | None = None
        self._hub = hub
        self._transport: asyncio.Transport | None = None
        self._carried = b""
        self._ended = False

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer_host = (transport.get_extra_info("peername") or ("",))[0]
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

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.set_stopped(True)

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.set_stopped(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._hub.closed(self)
        peer, self.peer = self.peer, None
        if peer is not None:
            now_ns = self._hub.turn.begin()
            peer.lost(now_ns)

    # --- what was read ---------------------------------------------------------------------------

    def _receive(self, end: int, now_ns: int) -> None:
        """Hand over the whole messages of buffer[:end], keep what is left."""
        self._carried = b""
        start = 0
        while True:
            peer = self.peer
            scanner = self._hub.first_scanner if peer is None else peer.scanner
            count = scanner.scan(start, end)
            if count and peer is None:
                peer = self.peer = self._hub.find(self, scanner)
                if peer is None:
                    self.abort()
                    return
                peer.let_in(self, self._transport_now(), now_ns)
                continue  # with the scanner of that peer's dictionary
            if count and peer is not None:
                peer.receive(scanner, count, now_ns)
                if self._ended:
                    return
            start = scanner.consumed
            if not scanner.full:
                break
        if start < end:
            self._carried = bytes(self._hub.buffer[start:end])

    def _read_on(self) -> None:
        if self._transport is not None and not self._ended:
            self._transport.resume_reading()

    # --- what its peer asks for ------------------------------------------------------------------

    def logged_on(self) -> None:
        self._hub.authenticated(self)

    def finish(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self._hub.turn.after_sending.append(self._close)
            self._hub.turn.begin()

    def abort(self) -> None:
        """Close without sending what waits."""
        self._ended = True
        self._transport_now().abort()

    def _close(self) -> None:
        transport = self._transport_now()
        if not transport.is_closing():
            transport.close()
            self._hub.closing(self)

    def _transport_now(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport
