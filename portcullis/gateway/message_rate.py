"""How many messages somebody may send: so many a second, a second's worth at once.

Owns the count of one sender. Knows no protocol and no clock; O(1) for any number of messages.
"""

from __future__ import annotations

_SECOND_NS = 1_000_000_000


class MessageRate:
    """The messages of one sender; a fresh one may send a second's worth."""

    def __init__(self, per_second: int) -> None:
        self._cost_ns = _SECOND_NS // per_second
        # Time up to which messages are paid for; a message moves it by its cost.
        self._paid_ns = 0

    def take(self, count: int, now_ns: int) -> int:
        """How many of so many messages may come now; they are counted."""
        # A second that was not used is lost; a clock that was set back costs nobody anything.
        if not now_ns - _SECOND_NS <= self._paid_ns <= now_ns:
            self._paid_ns = now_ns - _SECOND_NS
        allowed = min(count, (now_ns - self._paid_ns) // self._cost_ns)
        self._paid_ns += allowed * self._cost_ns
        return allowed

    @property
    def next_ns(self) -> int:
        """When one more may come, nanoseconds since the epoch."""
        return self._paid_ns + self._cost_ns
