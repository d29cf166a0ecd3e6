"""The TCP replay of a stream: SoupBinTCP from any number of any session kept, then live.

Owns one stream's listening socket and its connections: each is a SoupBinTCP session machine and a
cursor over the source. What is written long ago, what is written now and a snapshot are the same
walk within a byte budget a turn; a full socket stops it, and there is no other queue. Behind the
last message of a session that has ended comes its End of Session. Runs in the back office.

The session asked for is a stream's, or blank for the live one. SNAPSHOT is the state at a number
instead: its messages are counted from 1, the last one says where the stream goes on, and then it
ends. Clients send nothing but heartbeats.
Specification: NASDAQ SoupBinTCP 3.00; docs/subscribing.md.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from socket import socket
from typing import Protocol, cast

from portcullis.codecs.soupbintcp.scanner import SoupScanner
from portcullis.gateway.admission import Admission, Network, Place, is_allowed
from portcullis.gateway.auth import Abandoned, Crowded, PasswordChecker, PasswordHash
from portcullis.gateway.event_log import Throttled
from portcullis.gateway.listener import Listener
from portcullis.gateway.retransmission import Source
from portcullis.sessions.soup_session import (
    Authenticate,
    Disconnect,
    Joined,
    LoggedIn,
    LoggedOut,
    SoupSession,
    SoupSettings,
)

SNAPSHOT = b"SNAPSHOT"
# The longest packet that clients send is a login of 54 bytes.
_PACKET_BYTES = 64
_BUFFER_BYTES = 4096
# Sent to a connection in a turn, and what its socket may have unsent before its cursor stops.
_TURN_BYTES = 1 << 20
_HIGH_WATER = 1 << 20
_MESSAGES_A_TURN = 4096
_TICK_S = 0.25
_CLOSE_S = 5.0
# A client that reads nothing for so long is disconnected; it may come back for the rest.
_STALLED_NS = 60_000_000_000
_HEADER = struct.Struct(">HB")


class Reading(Protocol):
    """What a connection is sent. next_sequence: of the next message."""

    session: bytes
    next_sequence: int

    def take(self, count: int, bytes_max: int) -> Sequence[bytes]:
        """The next messages, at most so many and together not longer than that, but one."""

    def has_ended(self) -> bool:
        """Whether all was taken and nothing will follow."""


class StreamReading:
    """Messages of a stream's session from a number on."""

    def __init__(self, source: Source, session: str, sequence: int) -> None:
        self.session = session.encode("latin-1")
        self.next_sequence = sequence
        self._source = source
        self._name = session

    def take(self, count: int, bytes_max: int) -> Sequence[bytes]:
        found = self._source.messages(self._name, self.next_sequence, count, bytes_max)
        self.next_sequence += len(found)
        return found

    def has_ended(self) -> bool:
        end = self._source.next_sequence(self._name)
        return self._name != self._source.session and self.next_sequence >= end


class ReplayPort:
    """Serves one stream on a bound socket, which it owns.

    snapshot: makes the reading of a snapshot; None where there is none now. password: None where
    none is asked; networks: who may come, none: anybody.
    """

    def __init__(
        self,
        bound: socket,
        source: Source,
        snapshot: Callable[[], Reading | None],
        *,
        admission: Admission,
        networks: Sequence[Network],
        password: PasswordHash | None,
        passwords: PasswordChecker,
        settings: SoupSettings,
        log: Throttled,
        clock: Callable[[], int],
    ) -> None:
        self.source = source
        self.snapshot = snapshot
        self.admission = admission
        self.networks = networks
        self.password = password
        self.passwords = passwords
        self.settings = settings
        self.log = log
        self.clock = clock
        self.connections: set[ReplayConnection] = set()
        self.logins = 0
        self._listener = Listener(bound, self._make, admission, log, tls=None, timeout_s=0)
        self._listener.start()

    def _make(self, place: Place) -> ReplayConnection:
        return ReplayConnection(self, place)

    def pump(self) -> bool:
        """Send every connection what is due; whether more could go now."""
        return any([connection.pump() for connection in self.connections])

    def close(self) -> None:
        self._listener.close()
        for connection in list(self.connections):
            connection.abort()

    def state(self) -> dict[str, int]:
        """For people: how many are there, and how many logged in."""
        return {"connections": len(self.connections), "logins": self.logins}


class ReplayConnection(asyncio.Protocol):
    """A connection, from its accept to its end."""

    problem = ""

    def __init__(self, port: ReplayPort, place: Place) -> None:
        # See `soup_session.Store`.
        self.last_sent_ns = 0
        self._port = port
        self._place = place
        self._buffer = bytearray(_BUFFER_BYTES)
        self._scanner = SoupScanner(memoryview(self._buffer), max_packet_bytes=_PACKET_BYTES)
        self._kept = 0
        self._session = SoupSession(port.settings, self, self, port.clock())
        self._reading: Reading | None = None
        # Since when the socket is full; 0: it is not.
        self._full_ns = 0
        self._check: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    # --- asyncio ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._port.connections.add(self)
        if not is_allowed(self._port.networks, self._place.host):
            self._port.log.emit("replay_refused", host=self._place.host, reason="address")
            self.abort()
            return
        self._tick()

    def data_received(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not self._is_closing():
            part = data[at : at + _BUFFER_BYTES - self._kept]
            at += len(part)
            end = self._kept + len(part)
            self._buffer[self._kept : end] = part
            # A packet is shorter than the buffer, so each round takes one at least.
            count = self._scanner.scan(0, end)
            self._session.receive(self._scanner, 0, count, self._port.clock())
            self._kept = end - self._scanner.consumed
            self._buffer[: self._kept] = self._buffer[self._scanner.consumed : end]
            self._carry_out()

    def pause_writing(self) -> None:
        self._full_ns = self._port.clock()

    def resume_writing(self) -> None:
        self._full_ns = 0
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.connections.discard(self)
        self._port.admission.release(self._place)
        if self._timer is not None:
            self._timer.cancel()
        if self._check is not None:
            self._check.cancel()
        self._reading = None

    # --- what the session machine asks (soup_session.Store, .Application) ------------------------

    def join(self, session: bytes, sequence: int) -> Joined | None:
        port = self._port
        if session.upper() == SNAPSHOT:
            self._reading = port.snapshot() if sequence <= 1 else None
        else:
            name = session.decode("latin-1") or port.source.session
            end = port.source.next_sequence(name) if name else 0
            wanted = sequence or max(end - 1, 1)
            if not 1 <= wanted <= end or (
                wanted < end and not port.source.messages(name, wanted, 1, 0)
            ):
                return None
            self._reading = StreamReading(port.source, name, wanted)
        if self._reading is None:
            return None
        return Joined(self._reading.session, self._reading.next_sequence)

    def on_packets(self, scanner: SoupScanner, first: int, count: int) -> int:
        if scanner.packet_type[first] == ord("U"):
            self.problem = "a replay takes no messages"
        return 0

    # --- what is due -----------------------------------------------------------------------------

    def pump(self) -> bool:
        """Send what is due, within the budget of a turn; whether more could go now."""
        reading = self._reading
        if reading is None or self._full_ns or self._is_closing():
            return False
        found = reading.take(_MESSAGES_A_TURN, _TURN_BYTES)
        if found:
            self.last_sent_ns = self._port.clock()
            self._transport_now().write(
                b"".join([part for one in found for part in (_head(len(one)), one)])
            )
        if reading.has_ended():
            self._session.ended(self._port.clock())
            self._carry_out()
            return False
        return bool(found) and not self._full_ns

    def abort(self) -> None:
        self._transport_now().abort()

    def _close(self) -> None:
        """Close once all is written; a client that does not read has _CLOSE_S for it."""
        self._transport_now().close()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_CLOSE_S, self.abort)

    def _tick(self) -> None:
        now_ns = self._port.clock()
        if self._full_ns and now_ns - self._full_ns > _STALLED_NS:
            self._port.log.emit("replay_cut", host=self._place.host, reason="it does not read")
            self.abort()
            return
        self._session.tick(now_ns)
        self._carry_out()
        if not self._is_closing():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_TICK_S, self._tick)

    def _carry_out(self) -> None:
        """Write what the session machine has to say, and do what it asks."""
        octets = self._session.data_to_send()
        if octets:
            self._transport_now().write(octets)
        for event in self._session.events():
            if isinstance(event, Authenticate):
                self._authenticate(event)
            elif isinstance(event, LoggedIn):
                self._port.logins += 1
                self._port.admission.authenticated(self._place)
                asyncio.get_running_loop().call_soon(self.pump)
            elif isinstance(event, LoggedOut):
                self._reading = None
            elif isinstance(event, Disconnect):
                self._close()

    def _authenticate(self, event: Authenticate) -> None:
        if self._port.password is None:
            self._answer("")
        elif not self._may_try():
            self._answer("too many wrong passwords from this address")
        else:
            loop = asyncio.get_running_loop()
            self._check = loop.create_task(self._check_password(event.password.upper()))

    def _may_try(self) -> bool:
        return self._port.admission.may_try(self._place, self._port.clock())

    async def _check_password(self, password: bytes) -> None:
        port = self._port
        assert port.password is not None
        fault = ""
        try:
            if not await port.passwords.check(
                port.password, password, self._place.address, self._may_try
            ):
                fault = "wrong password"
                port.admission.failed(self._place, port.clock())
        except Crowded as error:
            fault = str(error)
        except Abandoned:  # it hung up, and has not shown that it is right
            port.admission.failed(self._place, port.clock())
            raise
        finally:
            self._check = None
        if not self._is_closing():
            self._answer(fault)

    def _answer(self, fault: str) -> None:
        """Let it in, or say in the log why not."""
        if fault:
            self._port.log.emit("replay_refused", host=self._place.host, reason=fault)
        self._session.authenticated(not fault, self._port.clock())
        self._carry_out()

    def _is_closing(self) -> bool:
        return self._transport_now().is_closing()

    def _transport_now(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport


@lru_cache(maxsize=16)
def _head(size: int) -> bytes:
    """What stands before a message of this length."""
    return _HEADER.pack(1 + size, ord("S"))
