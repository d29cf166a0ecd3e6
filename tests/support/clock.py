"""Time that moves only when a test says so."""

from __future__ import annotations

SECOND_NS = 1_000_000_000
# Friday, 2 January 2026, 12:00:00 UTC: no schedule's edge, no change of a clock.
NOON_NS = 1_767_355_200 * SECOND_NS


class VirtualClock:
    """Nanoseconds since the epoch, UTC; starts at noon of an ordinary trading day."""

    def __init__(self, now_ns: int = NOON_NS) -> None:
        self.now_ns = now_ns

    def advance(self, seconds: float) -> int:
        """Let so much time pass; give the new time."""
        self.now_ns += round(seconds * SECOND_NS)
        return self.now_ns
