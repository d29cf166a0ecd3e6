"""A MoldUDP64 stream, its servers and the links between, all under a virtual clock.

A naive one: messages stand in a list, a request is answered from it, and each link loses,
doubles and delays datagrams as its dice say.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from portcullis.codecs.moldudp64 import packets
from portcullis.sessions.mold_subscriber import (
    SECOND_NS,
    Event,
    MoldSubscriber,
    SubscriberSettings,
    Way,
)

MILLISECOND_NS = 1_000_000
PER_ANSWER = 5


@dataclass
class Link:
    """Chances per datagram; delay_ms: at most, so datagrams overtake each other."""

    lost: float = 0.0
    doubled: float = 0.0
    delay_ms: int = 0

    def copies(self, dice: random.Random) -> list[int]:
        """How long each copy that arrives is under way, in milliseconds."""
        count = 0 if dice.random() < self.lost else 1 + (dice.random() < self.doubled)
        return [dice.randint(0, self.delay_ms) for _ in range(count)]


@dataclass
class World:
    """A subscriber and what it listens to. Sessions: name to messages; the last is live."""

    seed: int
    link: Link
    settings: SubscriberSettings = field(default_factory=SubscriberSettings)
    lines: int = 1
    has_replay: bool = True

    def __post_init__(self) -> None:
        self.now_ns = 0
        self.dice = random.Random(self.seed)
        self.sessions: dict[str, list[bytes]] = {"2026010201": []}
        self.ended: set[str] = set()
        self.subscriber = MoldSubscriber(self.settings, 0)
        self.events: list[Event] = []
        self.is_answering = True
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._replay_ns = self._tick_ns = 0

    @property
    def live(self) -> str:
        return next(reversed(self.sessions))

    # --- the stream ------------------------------------------------------------------------------

    def publish(self, messages: list[bytes]) -> None:
        log = self.sessions[self.live]
        self.say(packets.downstream(self.live.encode(), len(log) + 1, messages))
        log.extend(messages)

    def heartbeat(self) -> None:
        self.say(packets.downstream(self.live.encode(), len(self.sessions[self.live]) + 1, []))

    def end_session(self, following: str) -> None:
        for _ in range(3):
            self.say(packets.end_of_session(self.live.encode(), len(self.sessions[self.live]) + 1))
        self.ended.add(self.live)
        self.sessions[following] = []

    def say(self, datagram: bytes) -> None:
        for way in (Way.LINE_A, Way.LINE_B)[: self.lines]:
            self._send(lambda way=way: self._hear(datagram, way))  # type: ignore[misc]

    # --- time ------------------------------------------------------------------------------------

    def run(self, milliseconds: int) -> None:
        """Let time pass; the stream says something at least each second."""
        end_ns = self.now_ns + milliseconds * MILLISECOND_NS
        while self.now_ns < end_ns:
            following = [end_ns, self.now_ns - self.now_ns % SECOND_NS + SECOND_NS]
            following += [self._tick_ns] + [due[0] for due in self._due[:1]]
            if self.has_replay and self.subscriber.wants_replay:
                following.append(self._replay_ns)
            self.now_ns = min(max(one, self.now_ns + 1) for one in following)
            if self.now_ns % SECOND_NS == 0:
                self.heartbeat()
            while self._due and self._due[0][0] <= self.now_ns:
                heapq.heappop(self._due)[2]()
            self._tick_ns = self.subscriber.tick(self.now_ns)
            self._look()

    def _hear(self, datagram: bytes, way: Way) -> None:
        self.subscriber.receive(datagram, way, self.now_ns)
        self._look()

    def _look(self) -> None:
        self.events += self.subscriber.events()
        for request in self.subscriber.requests():
            self._send(lambda request=request: self._serve(request))  # type: ignore[misc]
        if self.has_replay and self.subscriber.wants_replay and self.now_ns >= self._replay_ns:
            self._replay_ns = self.now_ns + 20 * MILLISECOND_NS
            self._replay()

    def _send(self, arrive: Callable[[], None]) -> None:
        for delay in self.link.copies(self.dice):
            self._count += 1
            heapq.heappush(self._due, (self.now_ns + delay * MILLISECOND_NS, self._count, arrive))

    # --- the servers -----------------------------------------------------------------------------

    def _serve(self, datagram: bytes) -> None:
        request = packets.parse_request(datagram)
        assert request is not None
        name = request.session.decode().strip()
        log = self.sessions[name]
        found = log[request.sequence - 1 :][: min(request.wanted, PER_ANSWER)]
        if not self.is_answering:
            return
        if found:
            answer = packets.downstream(request.session, request.sequence, found)
        elif name in self.ended:
            answer = packets.end_of_session(request.session, len(log) + 1)
        else:
            return
        self._send(lambda: self._hear(answer, Way.ANSWER))

    def _replay(self) -> None:
        name = self.subscriber.session or self.live
        first = self.subscriber.next_sequence
        log = self.sessions[name]
        self.subscriber.replayed(name, first, log[first - 1 : first + 199], self.now_ns)
        if name in self.ended and first + 199 >= len(log):
            self.subscriber.replay_ended(name, len(log) + 1, self.now_ns)
        self.events += self.subscriber.events()
