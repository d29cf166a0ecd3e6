"""Schedules at work: who may log on now, who is logged out, whose numbers begin at 1 again.

Owns the times at which something is due, one timetable for all sessions of a schedule. What a
schedule says is in `sessions.schedule`. Must not know bytes or sockets.

A reset is a row (`RESET`), so what was done is known from the journal: a session is due where its
schedule has had a reset since its last RESET row and since the SESSION row that brought the
schedule. So one that was missed while the process was down, or that a crash cut short, is made up
at the start; a schedule that is new or has changed makes nothing up.
"""

from __future__ import annotations

import zlib
import zoneinfo
from itertools import islice
from typing import Protocol

from portcullis.gateway.config_schema import Config
from portcullis.gateway.deadlines import Deadlines
from portcullis.sessions.schedule import Schedule, parse_moments, parse_window

# Sessions logged out or reset between two turns: a few milliseconds' work, as each reset is a
# batch of its own. The rest comes with the next tick of the timer.
_SESSIONS_AT_ONCE = 100


def schedules_of(config: Config) -> dict[str, Schedule]:
    """The schedules of a checked configuration, by name."""
    return {
        one.name: Schedule(
            zoneinfo.ZoneInfo(one.timezone),
            [window for text in one.windows for window in parse_window(text)],
            [moment for text in one.resets for moment in parse_moments(text)],
        )
        for one in config.schedule
    }


def resets_mark(config: Config, name: str) -> int:
    """What tells one schedule's resets from another's, for a SESSION row; 0: it has none."""
    for one in config.schedule:
        if one.name == name and one.resets:
            return zlib.crc32("\n".join((one.timezone, *one.resets)).encode())
    return 0


class Member(Protocol):
    """A session as its timetable sees it."""

    # Time since when no reset was missed, nanoseconds since the epoch. Moved by the timetable.
    resets_done_ns: int

    @property
    def is_logged_on(self) -> bool:
        """Whether somebody is there to be logged out."""

    def logout(self, text: str, now_ns: int) -> None:
        """Log out, if logged on."""

    def reset(self, text: str, now_ns: int) -> None:
        """Begin both numbers at 1: now, or as soon as who is connected has been logged out."""


class Timetable:
    """One schedule and the sessions that go by it."""

    def __init__(self, schedule: Schedule, deadlines: Deadlines) -> None:
        self.armed_ns = 0
        self._schedule = schedule
        self._deadlines = deadlines
        self._members: list[Member] = []

    def join(self, member: Member, now_ns: int) -> None:
        """One more session; what it has missed is made up soon."""
        self._members.append(member)
        self._deadlines.arm(self, now_ns)

    def before_logon(self, member: Member, now_ns: int) -> str:
        """Make up a reset that is due; give why it may not log on now, "" where it may."""
        last_ns = self._schedule.last_reset(now_ns)
        if member.resets_done_ns < last_ns:
            self._reset(member, last_ns, now_ns)
        if self._is_open(now_ns):
            return ""
        opens = self._schedule.show(next(self._schedule.windows_from(now_ns)).start_ns)
        return f"Outside session hours, which begin {opens}"

    def tick(self, now_ns: int) -> int:
        """Log out and reset who is due, so many at once; give the next time."""
        work = 0
        last_ns = self._schedule.last_reset(now_ns)
        is_open = self._is_open(now_ns)
        for member in self._members:
            if work >= _SESSIONS_AT_ONCE:
                return now_ns + 1
            if not is_open and member.is_logged_on:
                member.logout("Session hours have ended", now_ns)
                work += 1
            if member.resets_done_ns < last_ns:
                self._reset(member, last_ns, now_ns)
                work += 1
        return self._next_ns(now_ns)

    def _reset(self, member: Member, last_ns: int, now_ns: int) -> None:
        member.resets_done_ns = last_ns
        member.reset("Sequence numbers are reset by schedule", now_ns)

    def _is_open(self, now_ns: int) -> bool:
        return self._schedule.is_always_open or self._schedule.window_at(now_ns) is not None

    def _next_ns(self, now_ns: int) -> int:
        """When a window ends or a reset is due; 0: never."""
        ends = [span.end_ns for span in islice(self._schedule.windows_from(now_ns), 1)]
        reset_ns = self._schedule.next_reset(now_ns)
        return min([*ends, reset_ns] if reset_ns else ends, default=0)
