"""Schedules at work: who may log on now, who is logged out, whose numbers begin at 1 again.

Owns the times at which something is due, one timetable for all sessions of a schedule. What a
schedule says is in `sessions.schedule`. Must not know bytes or sockets.

A reset is a row (`RESET`), so what was done is known from the journal: a session is due where its
schedule has had a reset since its last RESET row and since the SESSION row that brought the
schedule. So one that was missed while the process was down, or that a crash cut short, is made up
at the start; a schedule that is new or has changed makes nothing up.
"""

from __future__ import annotations

import zoneinfo

from portcullis.gateway.config_schema import Config
from portcullis.sessions.schedule import Schedule, parse_moments, parse_window


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
