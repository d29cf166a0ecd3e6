"""A bound address and the connections taken in from it, plain or over TLS.

Owns the accepting: a few connections a turn, each with a place of `Admission` before anything
else is done for it, the TLS handshake included, so that a flood of them costs an accept and a
close. Must not know what is spoken.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Callable

from portcullis.gateway.admission import Admission, Place
from portcullis.gateway.config import ConfigError
from portcullis.gateway.config_values import Address
from portcullis.gateway.event_log import Throttled
from portcullis.gateway.tls import why_failed

_BACKLOG = 1024
# Accepted between two turns: some milliseconds' work at most.
_ACCEPTS_PER_TURN = 64
# No descriptor is left: try again when some connections may have ended.
_PAUSE_S = 1.0
_BIND_AGAIN_S = 0.05


def listen(address: Address, *, wait_s: float = 0.0) -> socket.socket:
    """Take an address, without listening yet; ConfigError where it can't be had.

    wait_s: how long to try where it is taken, by somebody who is about to let go.
    """
    return _bind(address, socket.SOCK_STREAM, wait_s)


def begin(bound: socket.socket) -> None:
    """Listen on an address taken, or go on to; ConfigError where another process does.

    Two that start at one moment may both take an address, as SO_REUSEADDR has it, and one of them
    listens.
    """
    try:
        bound.listen(_BACKLOG)
    except OSError as error:
        host, port = bound.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from None


def listen_datagrams(address: Address, *, wait_s: float = 0.0) -> socket.socket:
    """The same for UDP."""
    return _bind(address, socket.SOCK_DGRAM, wait_s)


def _bind(address: Address, kind: int, wait_s: float) -> socket.socket:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return _try_to_bind(address, kind)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise ConfigError(f"cannot listen on {address}: {error.strerror}") from None
        time.sleep(_BIND_AGAIN_S)


def _try_to_bind(address: Address, kind: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    taken = socket.socket(family, kind)
    if kind == socket.SOCK_STREAM:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((address.host, address.port))
    except OSError:
        taken.close()
        raise
    return taken


class Listener:
    """Takes connections from a bound socket, which it owns.

    make: the protocol of a connection that has a place; it gives the place back at its end.
    tls: None for plain connections. timeout_s: for handshake and shutdown of TLS.
    """

    def __init__(
        self,
        bound: socket.socket,
        make: Callable[[Place], asyncio.BaseProtocol],
        admission: Admission,
        log: Throttled,
        *,
        tls: ssl.SSLContext | None,
        timeout_s: float,
    ) -> None:
        self._socket = bound
        self._make = make
        self._admission = admission
        self._log = log
        self._tls = tls
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self) -> None:
        """Listen, and take connections."""
        self._socket.setblocking(False)
        begin(self._socket)
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Take no more; what was taken lives on, handshakes do not."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()
            for task in self._opening:
                task.cancel()

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                accepted, peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log.emit("accept_failed", error=error.strerror)
                self._loop.remove_reader(self._socket)
                self._loop.call_later(_PAUSE_S, self._go_on)
                return
            place = self._admission.take(peer[0])
            if isinstance(place, str):
                self._log.emit("connection_refused", host=peer[0], reason=place)
                accepted.close()
                continue
            task = self._loop.create_task(self._open(accepted, place))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _go_on(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._socket, self._accept)

    async def _open(self, accepted: socket.socket, place: Place) -> None:
        timeout_s = self._timeout_s if self._tls is not None else None
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(
                lambda: self._make(place),
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=timeout_s,
            )
        except (OSError, asyncio.CancelledError) as error:  # of TLS too: its errors are OSErrors
            self._admission.release(place)
            accepted.close()
            self._log.emit("handshake_failed", host=place.host, reason=why_failed(error))
