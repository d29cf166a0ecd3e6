"""When a trading day ends by the clock, and the row that says so.

Owns the calendar: the end of a day in its zone, and the id of the day that comes next. What the
end of a day does to orders and ids is the engine's (`engine.day`); what has to begin anew with a
day asks to be told (`on_roll`). Must not know sessions, nor what a wire says of a day.

A day is named after the date, in its zone, of its last moment: with end = "17:00" the evening of
the 20th belongs to the 21st, with end = "00:00" every moment to its own date. Two digits count the
days of one date, from 1: an operator may end a day early.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable

from portcullis.gateway.config_schema import Day
from portcullis.gateway.turn import Turn
from portcullis.journal import rows

_SECOND_NS = 1_000_000_000
# Of one date; the last two digits of an id.
DAYS_OF_A_DATE = 99


class DayError(ValueError):
    """A day can't end now; the text says why."""


class Calendar:
    """The ends of days, by `[day]` of the configuration. ZoneInfoNotFoundError: no such zone."""

    def __init__(self, settings: Day) -> None:
        hour, minute = settings.end.split(":")
        self._end = dt.time(int(hour), int(minute))
        self._zone = zoneinfo.ZoneInfo(settings.timezone)

    def end_after(self, now_ns: int) -> int:
        """When the day that `now_ns` lies in ends: the first end after it. Both since the epoch.

        An hour that the clock skips stands for the one after it, one that comes twice for its
        first time: so there is one end a date.
        """
        date = self._date(now_ns)
        for days in range(-1, 3):
            # Of an hour that comes twice, the first (fold=0).
            end = dt.datetime.combine(date + dt.timedelta(days), self._end, self._zone)
            end_ns = int(end.timestamp()) * _SECOND_NS
            if end_ns > now_ns:
                return end_ns
        raise AssertionError("an end of each date lies within two days")

    def day_after(self, day: int, now_ns: int) -> int:
        """The id of the day that begins at `now_ns` behind `day`; 0: there was none before.

        DayError: its date has had as many days as an id can count.
        """
        last = self._date(self.end_after(now_ns) - 1)
        first = ((last.year * 100 + last.month) * 100 + last.day) * 100 + 1
        if first > day:
            return first
        # Ended early, or the clock was set back.
        if day % 100 == DAYS_OF_A_DATE:
            raise DayError(f"day {day} is the last that its date can have")
        return day + 1

    def _date(self, now_ns: int) -> dt.date:
        return dt.datetime.fromtimestamp(now_ns // _SECOND_NS, self._zone).date()


class TradingDay:
    """The day of a running gateway. began_ns: row time of the DAY row that began it."""

    def __init__(self, calendar: Calendar, turn: Turn, began_ns: int) -> None:
        self._calendar = calendar
        self._turn = turn
        self.end_ns = calendar.end_after(began_ns)
        # Told the id of a day that has begun, once its row is appended.
        self.on_roll: list[Callable[[int], None]] = []

    @property
    def day(self) -> int:
        """Its id, YYYYMMDDNN."""
        return self._turn.engine.day

    def tick(self, now_ns: int) -> None:
        """End the day if it is time."""
        if now_ns >= self.end_ns:
            try:
                self.end()
            except DayError:  # a clock set back through a date whose ids are used up
                self.end_ns = self._calendar.end_after(now_ns)

    def following(self) -> int:
        """The id of the day that would begin now. DayError says why none can."""
        now_ns = self._turn.begin()
        self._turn.settle()
        return self._calendar.day_after(self.day, now_ns)

    def end(self) -> int:
        """End the day now, and begin the next; give its id. DayError says why it can't be."""
        day = self.following()
        now_ns = self._turn.now_ns
        self._turn.append(rows.DAY, words={rows.W_DAY: day})
        # On disk before anybody is told: a day's id must not begin twice.
        self._turn.settle()
        self._turn.journal.force()
        self.end_ns = self._calendar.end_after(now_ns)
        for tell in self.on_roll:
            tell(day)
        return day
