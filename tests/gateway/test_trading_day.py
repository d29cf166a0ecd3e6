"""When days end by the clock, in any zone, over changes of its offset."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.gateway.config_schema import Day
from portcullis.gateway.config_values import Clock
from portcullis.gateway.trading_day import Calendar, DayError

SECOND_NS = 1_000_000_000


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * SECOND_NS


def calendar(end: str, zone: str = "UTC") -> Calendar:
    return Calendar(Day(end=Clock(end), timezone=zone))


@pytest.mark.parametrize(
    ("end", "zone", "now", "expected"),
    [
        ("00:00", "UTC", "2026-11-21T00:00:00+00:00", "2026-11-22T00:00:00+00:00"),
        ("00:00", "UTC", "2026-11-21T23:59:59+00:00", "2026-11-22T00:00:00+00:00"),
        ("17:00", "America/Chicago", "2026-11-20T22:59:59+00:00", "2026-11-20T23:00:00+00:00"),
        # Clocks go back on 1 November: the day has 25 hours.
        ("17:00", "America/Chicago", "2026-10-31T22:00:00+00:00", "2026-11-01T23:00:00+00:00"),
        # 02:30 comes twice on 25 October in Berlin: the first counts, and the second is no end.
        ("02:30", "Europe/Berlin", "2026-10-25T00:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("02:30", "Europe/Berlin", "2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"),
        # It never comes on 29 March: the hour after it stands for it.
        ("02:30", "Europe/Berlin", "2026-03-29T00:00:00+00:00", "2026-03-29T01:30:00+00:00"),
    ],
)
def test_the_end_of_a_day(end: str, zone: str, now: str, expected: str) -> None:
    assert calendar(end, zone).end_after(at(now)) == at(expected)


def test_an_evening_belongs_to_the_date_of_its_end() -> None:
    days = calendar("17:00", "America/New_York")
    assert days.day_after(0, at("2026-11-20T16:59:00-05:00")) == 2026112001
    assert days.day_after(0, at("2026-11-20T17:00:00-05:00")) == 2026112101
    assert calendar("00:00").day_after(0, at("2026-11-20T00:00:00+00:00")) == 2026112001


def test_a_day_ended_early_is_followed_by_a_second_of_its_date() -> None:
    days = calendar("00:00")
    now = at("2026-11-20T12:00:00+00:00")
    assert days.day_after(2026112001, now) == 2026112002
    with pytest.raises(DayError, match="2026112099"):
        days.day_after(2026112099, now)


@given(
    st.sampled_from(sorted(zoneinfo.available_timezones())[::7]),
    st.integers(0, 24 * 60 - 1),
    st.integers(at("1990-01-01T00:00:00+00:00"), at("2035-01-01T00:00:00+00:00")),
)
def test_every_day_has_one_end_and_ids_ascend(zone: str, minute: int, now: int) -> None:
    days = calendar(f"{minute // 60:02}:{minute % 60:02}", zone)
    day = days.day_after(0, now)
    for _ in range(3):
        end = days.end_after(now)
        # A day has from 22 to 26 hours, but where a zone has changed sides of the date line.
        assert now < end <= now + 50 * 3600 * SECOND_NS
        following = days.day_after(day, end)
        assert following > day
        now, day = end, following
