"""A listener on a multicast group of the loopback interface."""

from __future__ import annotations

import time

from portcullis.codecs.moldudp64.packets import Downstream, parse_downstream
from tests.support.fix_client import TIMEOUT_S
from tests.support.lossy_relay import listener


class MulticastListener:
    """Collects a group's packets in the order they come. Receives only when it is asked to."""

    def __init__(self, group: str) -> None:
        host, _, port = group.rpartition(":")
        self._socket = listener(host, int(port))
        self.datagrams: list[bytes] = []
        self.packets: list[Downstream] = []

    def receive(self, timeout_s: float = TIMEOUT_S) -> Downstream:
        """The next packet. TimeoutError: none came."""
        self._socket.settimeout(timeout_s)
        datagram = self._socket.recv(1 << 16)
        packet = parse_downstream(datagram)
        assert packet is not None, datagram
        self.datagrams.append(datagram)
        self.packets.append(packet)
        return packet

    def until_number(self, number: int, session: bytes = b"") -> list[bytes]:
        """Receive until a message of that number has come; give the messages of its session."""
        limit = time.monotonic() + TIMEOUT_S
        while not any(
            packet.sequence <= number < packet.next_sequence and session in (b"", packet.session)
            for packet in self.packets
        ):
            assert time.monotonic() < limit, self.packets[-3:]
            self.receive()
        return self.messages(session or self.packets[-1].session)

    def messages(self, session: bytes) -> list[bytes]:
        """The messages of a session, numbered from 1 without a gap or a copy."""
        found: list[bytes] = []
        for packet in self.packets:
            if packet.session == session:
                assert packet.sequence == len(found) + 1, packet
                found += packet.messages
        return found

    def close(self) -> None:
        self._socket.close()
