"""The world that a simulated gateway lives in: one clock, one source of chance, one list of what
is to happen.

Owns time and the order of events. What happens at the same moment happens in the order in which
it was arranged, and all chance comes from one seed: so a run is a function of its seed, and is
repeated by it. While `in_charge`, the process's own clocks and random bytes are the world's.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000
# 2026-01-05, a Monday, UTC.
MONDAY_NS = 1_767_571_200 * SECOND_NS


class Violation(AssertionError):
    """The gateway broke a promise; the text says which."""


class World:
    """seed: of all that is random. start_ns: what a clock on the wall shows at first."""

    def __init__(self, seed: int, start_ns: int) -> None:
        self.random = random.Random(seed)
        # Time that only runs forward, and what the gateway's wall clock is ahead of it.
        self.now_ns = start_ns
        self.wall_offset_ns = 0
        # Where os.fsync goes: files that the gateway writes beside its journal, and a follower's.
        self.fsync: Callable[[int], None] = os.fsync
        # Messages that reached a client or were sent by one.
        self.messages = 0
        self._transcript = hashlib.blake2b(digest_size=8)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, delay_ns: int, event: Callable[[], None]) -> None:
        """Have something happen later."""
        self._count += 1
        heapq.heappush(self._events, (self.now_ns + delay_ns, self._count, event))

    def run_until(self, end: Callable[[], bool], limit_ns: int) -> bool:
        """Let things happen until `end` holds; False: it did not within the limit."""
        deadline_ns = self.now_ns + limit_ns
        events = self._events
        while not end():
            if not events or events[0][0] > deadline_ns:
                self.now_ns = deadline_ns
                return end()
            when_ns, _, event = heapq.heappop(events)
            self.now_ns = max(self.now_ns, when_ns)
            event()
        return True

    def pass_time(self, delay_ns: int) -> None:
        """Let time pass in which nobody does anything that is not arranged already."""
        self.run_until(lambda: False, delay_ns)

    def sleep(self, delay_ns: int) -> None:
        """Let time pass in which nobody does anything at all: what was due comes after it."""
        self.now_ns += delay_ns

    def note(self, who: str, octets: bytes) -> None:
        """Put down what somebody saw."""
        self._transcript.update(b"%d %s " % (self.now_ns, who.encode()))
        self._transcript.update(octets)

    @property
    def transcript(self) -> str:
        """A hash of all that was seen so far, and when."""
        return self._transcript.hexdigest()

    # --- clocks ----------------------------------------------------------------------------------

    @property
    def wall_ns(self) -> int:
        """The gateway's wall clock, nanoseconds since the epoch."""
        return self.now_ns + self.wall_offset_ns

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Let the process's clocks, random bytes and forced writes be this world's."""
        chance = random.Random(self.random.getrandbits(64))
        stand_ins = {
            (time, "time_ns"): lambda: self.wall_ns,
            (time, "time"): lambda: self.wall_ns / SECOND_NS,
            (time, "monotonic_ns"): lambda: self.now_ns,
            (time, "monotonic"): lambda: self.now_ns / SECOND_NS,
            (os, "urandom"): chance.randbytes,
            (os, "fsync"): lambda descriptor: self.fsync(descriptor),
        }
        real = {place: getattr(*place) for place in stand_ins}
        try:
            for (module, name), function in stand_ins.items():
                setattr(module, name, function)
            yield
        finally:
            for (module, name), function in real.items():
                setattr(module, name, function)
