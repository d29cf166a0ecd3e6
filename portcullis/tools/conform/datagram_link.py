"""A subscriber's two sockets: the group that a stream goes to, and requests with their answers.

Owns joining, sending and what was received from where. A datagram is one message, whatever is in
it. Must not know what a packet means.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
import time

from portcullis.tools.conform.link import Arrival, Link, TargetError, reason
from portcullis.tools.conform.wire import MoldWire

DATAGRAM_BYTES_MAX = 1 << 16
# Linux says when a datagram came; Python has no name for it.
SO_TIMESTAMPNS = 35
NOTES_BYTES = socket.CMSG_SPACE(16)


class DatagramLink(Link):
    """Listens to `group`, and sends requests to `server`; both (host, port), IPv4.

    interface: the address of the interface whose multicast is wanted. A group that is no
    multicast address is listened on as it is. TargetError where a socket cannot be had.
    """

    def __init__(
        self, wire: MoldWire, group: tuple[str, int], interface: str, server: tuple[str, int]
    ) -> None:
        super().__init__()
        self._wire = wire
        self._server = f"{server[0]}:{server[1]}"
        self._sockets: list[socket.socket] = []
        try:
            self._stream = self._socket()
            self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._stream.bind(group)
            if ipaddress.ip_address(group[0]).is_multicast:
                membership = socket.inet_aton(group[0]) + socket.inet_aton(interface)
                self._stream.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        except (OSError, ValueError) as error:
            self._release()
            why = reason(error) if isinstance(error, OSError) else error
            where = f"{group[0]}:{group[1]} on {interface}"
            raise TargetError(f"cannot listen to {where}: {why}") from None
        try:
            self._requests = self._socket()
            self._requests.connect(server)
        except OSError as error:
            self._release()
            raise TargetError(f"cannot send to {self._server}: {reason(error)}") from None
        self._tasks = [
            self._loop.create_task(self._read(self._stream, is_answer=False)),
            self._loop.create_task(self._read(self._requests, is_answer=True)),
        ]

    async def send(self, octets: bytes, timeout_s: float) -> None:
        """Send one datagram to the server."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._loop.sock_sendall(self._requests, octets)
        self.last_sent_s = self._loop.time()

    async def close(self) -> None:
        self._pulse.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._release()

    def _socket(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._sockets.append(made)
        return made

    def _release(self) -> None:
        for one in self._sockets:
            one.close()

    async def _readable(self, source: socket.socket) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(source, ready.set_result, None)
        try:
            await ready
        finally:
            self._loop.remove_reader(source)

    def _stamped(self, notes: list[tuple[int, int, bytes]]) -> tuple[float, float] | None:
        """When the system got it, however late it is read."""
        for level, kind, stamp in notes:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("@ll", stamp)
                age_s = time.time() - seconds - nanoseconds / 1e9
                return (self._loop.time() - max(0.0, age_s),) * 2
        return None

    async def _read(self, source: socket.socket, is_answer: bool) -> None:
        try:
            while True:
                try:
                    octets, notes, _, _ = source.recvmsg(DATAGRAM_BYTES_MAX, NOTES_BYTES)
                except BlockingIOError:
                    await self._readable(source)
                    continue
                times = self._stamped(notes) or self._times()
                await self._put(Arrival(*times, self._wire.parse(octets, is_answer)))
        except OSError as error:
            end = f"{self._server} takes no requests: {reason(error)}"
            await self._put(Arrival(*self._times(), None, end))
