"""Which numbers of a MoldUDP64 session are missing, and when each is to be asked for.

Owns the missing ranges: disjoint, never touching a number that is there. Must not know messages,
packets nor sessions: `mold_subscriber` tells it numbers.

A range waits `patience_ns` first, for the other line or for a packet that was overtaken. Then it
is asked for, from the front of the oldest `window` ranges, each cut to `piece` numbers so that
several answers are under way at once. An answer holds what fits into a packet: what is left of its
range is asked for at once. A request without an answer is sent again, after a wait that doubles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sortedcontainers import SortedDict


@dataclass(frozen=True, slots=True)
class GapSettings:
    """How gaps are asked for. Times in nanoseconds.

    window: requests under way at once. piece: numbers asked for in one. retry_ns: the first wait
    for an answer, and retry_most_ns the longest.
    """

    patience_ns: int = 5_000_000
    window: int = 16
    piece: int = 64
    retry_ns: int = 50_000_000
    retry_most_ns: int = 500_000_000


@dataclass(slots=True)
class Range:
    """Numbers first to end - 1 are missing. due_ns: when it is asked for next."""

    end: int
    noticed_ns: int
    due_ns: int
    requests: int = 0


class Gaps:
    """The missing ranges of one session."""

    def __init__(self, settings: GapSettings) -> None:
        self._settings = settings
        self._ranges: SortedDict = SortedDict()  # by first number
        # How many numbers are missing.
        self.missing = 0

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each range's first number and end."""
        return ((first, found.end) for first, found in self._ranges.items())

    def front(self) -> tuple[int, Range]:
        """The first range of all; IndexError where nothing is missing."""
        first, found = self._ranges.peekitem(0)
        return first, found

    def add(self, first: int, end: int, now_ns: int) -> None:
        """These are missing, and none of them was before."""
        self._ranges[first] = Range(end, now_ns, now_ns + self._settings.patience_ns)
        self.missing += end - first

    def restore(self, first: int, end: int, now_ns: int) -> None:
        """These came and could not be kept: they are missing again, as one with their neighbours,
        so that one request brings them."""
        self.missing += end - first
        following = self._ranges.pop(end, None)
        if following is not None:
            end = following.end
        index = self._ranges.bisect_left(first) - 1
        before = self._ranges.peekitem(index)[1] if index >= 0 else None
        if before is not None and before.end == first:
            before.end, before.noticed_ns = end, now_ns
        else:
            self._ranges[first] = Range(end, now_ns, now_ns + self._settings.patience_ns)

    def fill(self, first: int, end: int, now_ns: int, *, is_answer: bool) -> list[tuple[int, int]]:
        """These have come; give those that were missing, as ascending ranges.

        is_answer: they came because they were asked for, so what is left of a range is asked for
        at once. O(ranges touched, log of all).
        """
        taken: list[tuple[int, int]] = []
        index = max(self._ranges.bisect_right(first) - 1, 0)
        while index < len(self._ranges):
            start, found = self._ranges.peekitem(index)
            if start >= end:
                break
            if found.end <= first:
                index += 1
                continue
            low, high = max(start, first), min(found.end, end)
            taken.append((low, high))
            self.missing -= high - low
            del self._ranges[start]
            if start < low:
                self._ranges[start] = Range(low, found.noticed_ns, found.due_ns, found.requests)
                index += 1
            if high < found.end:
                if is_answer:
                    found.requests, found.due_ns = 0, now_ns
                self._ranges[high] = found
                break
        return taken

    def give_up(self) -> tuple[int, int]:
        """Forget the first range; give its first number and end."""
        first, found = self._ranges.popitem(0)
        self.missing -= found.end - first
        return first, found.end

    def ask(self, now_ns: int, window: int) -> Iterator[tuple[int, int]]:
        """What to ask for now, of the first `window` ranges: first number and count of each."""
        settings = self._settings
        index = 0
        while index < min(window, len(self._ranges)):
            first, found = self._ranges.peekitem(index)
            index += 1
            if found.due_ns > now_ns:
                continue
            middle = first + settings.piece
            if middle < found.end:
                self._ranges[middle] = Range(found.end, found.noticed_ns, now_ns)
                found.end = middle
            wait_ns = settings.retry_ns << min(found.requests, 16)
            found.due_ns = now_ns + min(wait_ns, settings.retry_most_ns)
            found.requests += 1
            yield first, found.end - first

    def deadline(self) -> int:
        """When `ask` has something next; 0: nothing is missing."""
        return min((found.due_ns for found in self._window()), default=0)

    def requests_most(self) -> int:
        """The most requests in a row for the same numbers that brought nothing."""
        return max((found.requests for found in self._window()), default=0)

    def _window(self) -> Iterator[Range]:
        return (
            self._ranges.peekitem(index)[1]
            for index in range(min(self._settings.window, len(self._ranges)))
        )
