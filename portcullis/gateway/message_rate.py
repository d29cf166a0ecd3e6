"""How many messages somebody may send: so many a second, a second's worth at once.

Owns the count of one sender, and of many that share a rate. Knows no protocol and no clock; O(1)
for any number of messages.
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


class SharedRate:
    """The messages of many senders: half in equal shares, half for who comes first.

    So who sends little gets on beside some that send without end; one may use all that nobody
    else does. Shares are those of the senders of the second before, of so many at most.
    """

    def __init__(self, per_second: int, senders_max: int) -> None:
        self._first_come = MessageRate(per_second - per_second // 2)
        self._fair_per_second = per_second // 2 or 1
        self._fair = MessageRate(per_second // 2) if per_second > 1 else self._first_come
        self._senders_max = senders_max
        # By sender: what it had of its share in the second that began then.
        self._taken: dict[str, int] = {}
        self._began_ns = 0
        self._senders = 1

    def take(self, sender: str, now_ns: int) -> bool:
        """Whether one message of a sender may come now; it is counted."""
        if not 0 <= now_ns - self._began_ns < _SECOND_NS:
            self._senders = len(self._taken)
            self._taken = {}
            self._began_ns = now_ns
        taken = self._taken
        if sender in taken or len(taken) < self._senders_max:
            had = taken.setdefault(sender, 0)
            share = self._fair_per_second // max(self._senders, len(taken)) or 1
            if had < share and self._fair.take(1, now_ns):
                taken[sender] = had + 1
                return True
        return bool(self._first_come.take(1, now_ns))
