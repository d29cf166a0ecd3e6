"""A relay for datagrams that loses, doubles and reorders them, by dice with a seed.

It joins a multicast group and sends what it hears on to another; or stands between clients and a
server, both ways. Runs in the test's event loop.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from dataclasses import dataclass

INTERFACE = "127.0.0.1"


@dataclass
class Dice:
    """Chances per datagram. reordered: it waits until the next one has gone."""

    seed: int
    lost: float = 0.0
    doubled: float = 0.0
    reordered: float = 0.0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._waiting: list[bytes] = []

    def throw(self, datagram: bytes) -> list[bytes]:
        """What of it, and of those before it, goes on now."""
        if self._random.random() < self.lost:
            return []
        copies = [datagram] * (1 + (self._random.random() < self.doubled))
        if self._random.random() < self.reordered:
            self._waiting += copies
            return []
        waiting, self._waiting = self._waiting, []
        return copies + waiting


def sender() -> socket.socket:
    """A socket that sends to groups on the loopback interface."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(INTERFACE))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    return out


def listener(group: str, port: int) -> socket.socket:
    """A socket that hears a group; port 0: any free one."""
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    heard.bind((group, port))
    member = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(INTERFACE))
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    heard.setblocking(False)
    return heard


class GroupRelay:
    """Hears a group, and sends on to another."""

    def __init__(self, heard: tuple[str, int], target: tuple[str, int], dice: Dice) -> None:
        self.count = 0
        self._in, self._out = listener(*heard), sender()
        self._target = target
        self._dice = dice
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._in, self._read)

    def _read(self) -> None:
        for _ in range(256):
            try:
                datagram = self._in.recv(65_535)
            except BlockingIOError:
                return
            self.count += 1
            for one in self._dice.throw(datagram):
                self._out.sendto(one, self._target)

    def close(self) -> None:
        self._loop.remove_reader(self._in)
        self._in.close()
        self._out.close()


class UnicastRelay:
    """Stands before a server for one client; both ways go through the dice."""

    def __init__(self, server: tuple[str, int], dice: Dice) -> None:
        self._dice = dice
        self._server = server
        self._client: tuple[str, int] | None = None
        self._front = self._bound()
        self._back = self._bound()
        self.address: tuple[str, int] = self._front.getsockname()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._front, self._request)
        self._loop.add_reader(self._back, self._answer)

    @staticmethod
    def _bound() -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((INTERFACE, 0))
        one.setblocking(False)
        return one

    def _request(self) -> None:
        datagram, self._client = self._front.recvfrom(65_535)
        for one in self._dice.throw(datagram):
            self._back.sendto(one, self._server)

    def _answer(self) -> None:
        datagram, _server = self._back.recvfrom(65_535)
        for one in self._dice.throw(datagram):
            if self._client is not None:
                self._front.sendto(one, self._client)

    def close(self) -> None:
        for one in (self._front, self._back):
            self._loop.remove_reader(one)
            one.close()
