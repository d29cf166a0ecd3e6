"""When a session may be logged on, and when its numbers begin at 1 again.

Owns the way from weekly times in a zone to moments of UTC. Windows and resets are kept apart: a
window that opens resets nothing, a reset closes nothing by itself. Knows no clock and no file:
time is an argument, nanoseconds since the Unix epoch, and the zone is handed in.

Clocks that change: a time of the week is the first moment at which the zone's clock shows that
date and time or a later one. So each happens exactly once a week: one that is skipped happens
when the clocks change, one that comes twice counts when it comes first.
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_SECOND_NS = 1_000_000_000
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"(\d\d):(\d\d)(?::(\d\d))?"
_DAILY = re.compile(rf"(\S+) {_TIME}-{_TIME}")
_LONG = re.compile(rf"([a-z]+) {_TIME}-([a-z]+) {_TIME}")
_MOMENT = re.compile(rf"(\S+) {_TIME}")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Weeks looked at for the next time: a zone whose clocks skip whole days may leave some empty.
_WEEKS_MAX = 5

WINDOW_SPELLING = 'a window such as "mon-fri 08:00-17:00" or "sun 18:00-fri 17:00"'
MOMENT_SPELLING = 'a time such as "mon-fri 07:55" or "daily 00:00"'


class Span(NamedTuple):
    """A window as it happens: open from start_ns until before end_ns."""

    start_ns: int
    end_ns: int


def parse_window(text: str) -> list[tuple[int, int]]:
    """A window of the week, as (start, end) in seconds since Monday 00:00, one for each day named.

    "mon-fri 08:00-17:00" is one a day; an end not after its start is the next day's. "sun
    18:00-fri 17:00" is one long one. The end may lie in the next week, a week away at most.
    ValueError where it is neither.
    """
    match = _LONG.fullmatch(text)
    if match:
        start = _day(match[1]) * _DAY_S + _clock(*match.group(2, 3, 4))
        end = _day(match[5]) * _DAY_S + _clock(*match.group(6, 7, 8))
        return [(start, end if end > start else end + _WEEK_S)]
    match = _DAILY.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {WINDOW_SPELLING}")
    start, end = _clock(*match.group(2, 3, 4)), _clock(*match.group(5, 6, 7))
    end += _DAY_S if end <= start else 0
    return [(day * _DAY_S + start, day * _DAY_S + end) for day in _days(match[1])]


def parse_moments(text: str) -> list[int]:
    """Times of the week in seconds since Monday 00:00: "mon-fri 07:55". ValueError else."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {MOMENT_SPELLING}")
    return [day * _DAY_S + _clock(*match.group(2, 3, 4)) for day in _days(match[1])]


class Schedule:
    """Weekly windows and reset times in a zone; without windows it is always open.

    windows: (start, end) in seconds since Monday 00:00 of the zone's clock, as `parse_window`
    gives them; those that overlap or touch are one. resets: seconds since Monday 00:00.
    """

    def __init__(
        self,
        zone: dt.tzinfo,
        windows: Sequence[tuple[int, int]] = (),
        resets: Sequence[int] = (),
    ) -> None:
        self.zone = zone
        self._windows = _merged(windows)
        self._resets = sorted(set(resets))

    @property
    def is_always_open(self) -> bool:
        """Whether there is no time outside its windows."""
        return not self._windows

    def window_at(self, now_ns: int) -> Span | None:
        """The window that is open now; None: none is. Not asked of one that is always open."""
        found = next(self.windows_from(now_ns), None)
        return found if found is not None and found.start_ns <= now_ns else None

    def windows_from(self, now_ns: int) -> Iterator[Span]:
        """The window that is open, if any, then those to come, without end. In order.

        None at all where it is always open.
        """
        if self.is_always_open:
            return
        held: Span | None = None
        # A window is shorter than a week: one that is open began this week or the last.
        for monday in self._mondays(now_ns, -1):
            for start, end in self._windows:
                span = Span(self._moment(monday, start), self._moment(monday, end))
                if span.end_ns <= now_ns or span.end_ns <= span.start_ns:
                    continue
                if held is None:
                    held = span
                elif span.start_ns <= held.end_ns:  # what lay between them was skipped
                    held = Span(held.start_ns, span.end_ns)
                else:
                    yield held
                    held = span

    def next_reset(self, now_ns: int) -> int:
        """The first reset after now; 0: there is none."""
        for moment in self._resets_around(now_ns, 0, _WEEKS_MAX):
            if moment > now_ns:
                return moment
        return 0

    def last_reset(self, now_ns: int) -> int:
        """The last reset that is not after now; 0: there is none."""
        passed = [m for m in self._resets_around(now_ns, -_WEEKS_MAX, 1) if m <= now_ns]
        return max(passed, default=0)

    def show(self, time_ns: int) -> str:
        """A moment as the zone's clock shows it, with its offset: "Mon 2026-03-09 08:00 -0400"."""
        moment = (_EPOCH + dt.timedelta(seconds=time_ns // _SECOND_NS)).astimezone(self.zone)
        seconds = ":%S" if moment.second else ""
        return moment.strftime(f"%a %Y-%m-%d %H:%M{seconds} %z")

    def _resets_around(self, now_ns: int, first_week: int, weeks_end: int) -> Iterator[int]:
        mondays = self._mondays(now_ns, first_week)
        for _, monday in zip(range(first_week, weeks_end), mondays, strict=False):
            for reset in self._resets:
                yield self._moment(monday, reset)

    def _mondays(self, now_ns: int, first_week: int) -> Iterator[dt.date]:
        """Mondays by the zone's calendar, from so many weeks after this one on."""
        moment = _EPOCH + dt.timedelta(seconds=now_ns // _SECOND_NS)
        today = moment.astimezone(self.zone).date()
        monday = today + dt.timedelta(days=7 * first_week - today.weekday())
        while True:
            yield monday
            monday += dt.timedelta(days=7)

    def _moment(self, monday: dt.date, seconds: int) -> int:
        """When the zone's clock first shows that time of the week, or a later one."""
        shown = dt.datetime.combine(monday, dt.time()) + dt.timedelta(seconds=seconds)
        # Offsets as they are before and after a change of clocks; the same on other days.
        late, early = (
            int((shown - offset).replace(tzinfo=dt.UTC).timestamp())
            for fold in (0, 1)
            if (offset := self.zone.utcoffset(shown.replace(fold=fold))) is not None
        )
        if early < late:  # the clock skips this time: find the moment of the change
            within = range(early, late + 1)
            early += bisect_left(within, True, key=lambda second: self._clock_at(second) >= shown)
        else:  # shown once, or twice: the first time
            early = late
        return early * _SECOND_NS

    def _clock_at(self, second: int) -> dt.datetime:
        """What the zone's clock shows at a moment, seconds since the epoch."""
        return (_EPOCH + dt.timedelta(seconds=second)).astimezone(self.zone).replace(tzinfo=None)


def _day(name: str) -> int:
    if name not in _DAYS:
        raise ValueError(f"expected a day ({', '.join(_DAYS)}), got {name!r}")
    return _DAYS.index(name)


def _days(text: str) -> list[int]:
    """Days of "daily", "mon-fri", "mon,wed,sat-sun"."""
    if text == "daily":
        return list(range(7))
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = _day(first)
        length = (_day(last) - start) % 7 if dash else 0
        found.extend((start + step) % 7 for step in range(length + 1))
    return sorted(set(found))


def _clock(hours: str, minutes: str, seconds: str | None) -> int:
    """Seconds of a time of day, 00:00 to 24:00."""
    total = int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)
    if int(minutes) > 59 or int(seconds or 0) > 59 or total > _DAY_S:
        raise ValueError(f"expected a time of day, got {hours}:{minutes}")
    return total


def _merged(windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Windows of a week without overlap, ascending; none where they cover the whole week."""
    merged: list[tuple[int, int]] = []
    # The week before and after too, so that one that crosses the week's end meets its neighbour.
    shifted = [(a + w, b + w) for a, b in windows for w in (-_WEEK_S, 0, _WEEK_S)]
    for start, end in sorted(shifted):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    if any(end - start >= _WEEK_S for start, end in merged):
        return []
    return [(start, end) for start, end in merged if 0 <= start < _WEEK_S]
