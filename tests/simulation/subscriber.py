"""A simulated subscriber of a stream, simple on purpose: it shares no code with the gateway.

Owns what it heard, by session and number. A packet arrives at the moment it is sent, so that it is
known whatever becomes of the gateway then. Numbers follow each other; only behind a start may some
be left out. A session that has ended is over, and nothing is ever said twice. In the end all of it
is held against the journal: what may be asked for again is what was heard.
"""

from __future__ import annotations

import struct
from typing import Any

from tests.simulation.process import SimulatedLoop
from tests.simulation.world import Violation, World

_PACKET = struct.Struct(">10sQH")
_LENGTH = struct.Struct(">H")
_ENDS = 0xFFFF


class SimulatedSubscriber:
    """name: the stream's."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        # A promise that was broken: raised by who runs the world, not where the gateway sends.
        self.fault: Violation | None = None
        # Whether numbers may be left out before the next packet.
        self.may_miss = True
        self._world = world
        # By session: messages by number, and the number that its end was said to come before.
        self._came: dict[int, dict[int, bytes]] = {}
        self._ended: dict[int, int] = {}
        self._session = 0
        self._next = 1
        # Sessions whose last messages a loss may have taken from the journal.
        self._cut: set[int] = set()

    def hear(self, packet: bytes) -> None:
        """A packet has come."""
        self._world.note(self.name, packet)
        name, number, count = _PACKET.unpack_from(packet)
        try:
            if count == _ENDS:
                self._hear_end(int(name), number)
            else:
                self._hear(int(name), number, packet)
        except Violation as violation:
            self.fault = self.fault or violation

    def _hear_end(self, session: int, number: int) -> None:
        last = max(self._came.get(session, {}), default=0)
        if last >= number or self._ended.setdefault(session, number) != number:
            raise Violation(f"{self.name}: {session} ends before {number}, and {last} came")

    def _hear(self, session: int, number: int, packet: bytes) -> None:
        if session in self._ended or session < self._session:
            raise Violation(f"{self.name}: {session} is said behind its end, in {self._session}")
        if session > self._session:
            self._session, self._next = session, 1
        if number < self._next or (number > self._next and not self.may_miss):
            raise Violation(f"{self.name}: {number} of {session} comes, {self._next} is next")
        self.may_miss = False
        came = self._came.setdefault(session, {})
        at = _PACKET.size
        while at < len(packet):
            (size,) = _LENGTH.unpack_from(packet, at)
            at += _LENGTH.size
            came[number] = packet[at : at + size]
            number += 1
            at += size
        self._next = number

    def forget(self) -> None:
        """The gateway has lost rows: of the last session, or of a day's end and the one before."""
        self._cut.update(sorted(self._came)[-2:])

    def check(self, journal: dict[int, list[bytes]]) -> None:
        """Hold all that came against the messages that the journal has, by session."""
        for session, came in self._came.items():
            has = journal.get(session, [])
            for number, octets in came.items():
                if number <= len(has) and octets != has[number - 1]:
                    raise Violation(
                        f"{self.name}: {session} {number} stands for {octets!r} and "
                        f"{has[number - 1]!r}"
                    )
            last = max(came, default=0)
            if last > len(has) and session not in self._cut:
                raise Violation(f"{self.name}: of {session} {last} came, {len(has)} are left")
            ended = self._ended.get(session, len(has) + 1)
            if ended != len(has) + 1 and not (ended > len(has) and session in self._cut):
                raise Violation(f"{self.name}: {session} ended before {ended} of {len(has)}")


class SimulatedLine:
    """A line of a stream in one gateway process, as `multicast.Line` is one.

    process: whose it is. What it sends has arrived.
    """

    def __init__(self, subscriber: SimulatedSubscriber, process: SimulatedLoop) -> None:
        self.group = subscriber.name
        self.packets = self.lost = self.stalled_ns = 0
        self.error = ""
        self.is_segmented = True
        self._subscriber = subscriber
        self._process = process

    def send(self, chunk: Any) -> bool:
        for run in chunk:
            for at in range(0, len(run.octets), run.packet_bytes):
                self._process.moment()
                if not self._process.is_dead:
                    self._subscriber.hear(bytes(run.octets[at : at + run.packet_bytes]))
        self.stalled_ns = 0
        return True

    def close(self) -> None:
        """It is gone with its gateway."""
