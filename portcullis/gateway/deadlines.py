"""Who has to be looked at when: one heap for all sessions, one timer of the loop.

Owns no clock. A deadline that moves away is left where it is and found to be early; only one that
comes nearer is put in anew. So a session that is busy costs nothing here. Where the clock has been
set back, all are looked at once and say anew when they are due.
"""

from __future__ import annotations

import heapq
from typing import Protocol


class Ticking(Protocol):
    """What has deadlines."""

    # The earliest deadline in the heap, nanoseconds since the epoch; 0: none.
    armed_ns: int

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the next deadline, 0: none."""


class Deadlines:
    """The heap. Times are nanoseconds since the Unix epoch."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Ticking]] = []
        self._count = 0
        self._now_ns = 0

    def arm(self, who: Ticking, deadline_ns: int) -> None:
        """Look at `who` at that time at the latest; 0: no need."""
        if deadline_ns and (not who.armed_ns or deadline_ns < who.armed_ns):
            who.armed_ns = deadline_ns
            self._count += 1  # breaks ties, as `who` cannot be compared
            heapq.heappush(self._heap, (deadline_ns, self._count, who))

    def run(self, now_ns: int) -> None:
        """Tick all whose time has come."""
        heap = self._heap
        set_back, self._now_ns = now_ns < self._now_ns, now_ns
        if set_back:
            for _, _, who in heap:
                who.armed_ns = now_ns
            heap[:] = [(now_ns, count, who) for _, count, who in heap]
        while heap and heap[0][0] <= now_ns:
            deadline_ns, _, who = heapq.heappop(heap)
            if deadline_ns == who.armed_ns:  # else it was armed anew, for an earlier time
                who.armed_ns = 0
                self.arm(who, who.tick(now_ns))
