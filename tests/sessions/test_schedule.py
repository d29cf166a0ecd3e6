"""Windows and resets: on ordinary days, over changes of clocks, against a clock read minute by
minute."""

from __future__ import annotations

import datetime as dt
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.sessions.schedule import Schedule, Span, parse_moments, parse_window

SECOND_NS = 1_000_000_000
MINUTE = dt.timedelta(minutes=1)
WEEK = dt.timedelta(days=7)


def ns(text: str) -> int:
    """A moment of UTC: "2026-01-05 13:00"."""
    moment = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    return int(moment.timestamp()) * SECOND_NS


def schedule(zone: str, *windows: str, resets: tuple[str, ...] = ()) -> Schedule:
    return Schedule(
        ZoneInfo(zone),
        [one for text in windows for one in parse_window(text)],
        [one for text in resets for one in parse_moments(text)],
    )


def windows(one: Schedule, at: str, count: int) -> list[tuple[str, str]]:
    """The next windows in UTC, as text."""
    return [
        tuple(f"{dt.datetime.fromtimestamp(t // SECOND_NS, dt.UTC):%a %d %H:%M}" for t in span)
        for span in islice(one.windows_from(ns(at)), count)
    ]


# --- ordinary days ------------------------------------------------------------------------------


def test_a_daily_window_opens_on_its_days() -> None:
    week = schedule("Europe/London", "mon,wed-thu 08:00-16:30")
    assert windows(week, "2026-01-05 12:00", 4) == [  # a Monday, GMT
        ("Mon 05 08:00", "Mon 05 16:30"),
        ("Wed 07 08:00", "Wed 07 16:30"),
        ("Thu 08 08:00", "Thu 08 16:30"),
        ("Mon 12 08:00", "Mon 12 16:30"),
    ]


def test_a_window_that_ends_before_it_starts_ends_the_next_day() -> None:
    night = schedule("UTC", "sun-thu 17:00-16:00")
    assert windows(night, "2026-01-09 15:59", 2) == [
        ("Thu 08 17:00", "Fri 09 16:00"),
        ("Sun 11 17:00", "Mon 12 16:00"),
    ]


def test_a_long_window_goes_over_days_and_over_the_end_of_the_week() -> None:
    week = schedule("America/New_York", "sun 18:00-fri 17:00")
    assert windows(week, "2026-01-07 00:00", 2) == [
        ("Sun 04 23:00", "Fri 09 22:00"),
        ("Sun 11 23:00", "Fri 16 22:00"),
    ]


def test_windows_that_touch_or_overlap_are_one() -> None:
    joined = schedule("UTC", "mon 08:00-12:00", "mon 12:00-14:00", "sun 20:00-mon 09:00")
    assert windows(joined, "2026-01-05 13:00", 2) == [
        ("Sun 04 20:00", "Mon 05 14:00"),
        ("Sun 11 20:00", "Mon 12 14:00"),
    ]


def test_the_end_of_a_window_is_outside_of_it_and_its_start_inside() -> None:
    day = schedule("UTC", "daily 08:00-17:00")
    assert day.window_at(ns("2026-01-05 07:59")) is None
    span = Span(ns("2026-01-05 08:00"), ns("2026-01-05 17:00"))
    assert day.window_at(span.start_ns) == span
    assert day.window_at(span.end_ns - 1) == span
    assert day.window_at(span.end_ns) is None


@pytest.mark.parametrize(
    "texts", [(), ("daily 00:00-00:00",), ("daily 00:00-24:00",), ("mon 00:00-mon 00:00",)]
)
def test_windows_without_a_gap_are_always_open(texts: tuple[str, ...]) -> None:
    always = schedule("Asia/Tokyo", *texts)
    assert always.is_always_open
    assert list(always.windows_from(ns("2026-01-05 00:00"))) == []


def test_resets_are_apart_from_windows() -> None:
    day = schedule("America/Chicago", "mon-fri 08:00-15:00", resets=("mon-fri 16:00",))
    assert day.next_reset(ns("2026-01-05 21:59")) == ns("2026-01-05 22:00")
    assert day.next_reset(ns("2026-01-09 22:00")) == ns("2026-01-12 22:00")
    assert day.last_reset(ns("2026-01-11 00:00")) == ns("2026-01-09 22:00")
    assert day.last_reset(ns("2026-01-09 22:00")) == ns("2026-01-09 22:00")
    assert schedule("UTC").next_reset(0) == schedule("UTC").last_reset(0) == 0


# --- changes of clocks: New York goes from 02:00 to 03:00 on 8 March 2026, back on 1 November --


def test_the_window_keeps_its_local_times_when_the_offset_changes() -> None:
    day = schedule("America/New_York", "daily 17:00-16:00")
    assert windows(day, "2026-03-06 22:00", 3) == [
        ("Fri 06 22:00", "Sat 07 21:00"),
        ("Sat 07 22:00", "Sun 08 20:00"),  # 23 hours less one
        ("Sun 08 21:00", "Mon 09 20:00"),
    ]


def test_a_time_that_is_skipped_happens_when_the_clocks_change() -> None:
    night = schedule("America/New_York", "sun 02:30-04:00", resets=("sun 02:15",))
    assert windows(night, "2026-03-08 00:00", 1) == [("Sun 08 07:00", "Sun 08 08:00")]
    assert night.next_reset(ns("2026-03-08 00:00")) == ns("2026-03-08 07:00")
    assert night.next_reset(ns("2026-03-08 07:00")) == ns("2026-03-15 06:15")


def test_a_time_that_comes_twice_counts_when_it_comes_first() -> None:
    night = schedule("America/New_York", "sun 01:15-01:45", resets=("sun 01:30",))
    assert windows(night, "2026-11-01 00:00", 2) == [
        ("Sun 01 05:15", "Sun 01 05:45"),
        ("Sun 08 06:15", "Sun 08 06:45"),
    ]
    assert night.next_reset(ns("2026-11-01 00:00")) == ns("2026-11-01 05:30")
    assert night.next_reset(ns("2026-11-01 05:30")) == ns("2026-11-08 06:30")


def test_a_window_within_the_skipped_hour_does_not_happen() -> None:
    night = schedule("America/New_York", "sun 02:10-02:50")
    assert windows(night, "2026-03-08 00:00", 1) == [("Sun 15 06:10", "Sun 15 06:50")]


def test_windows_whose_gap_is_skipped_are_one() -> None:
    night = schedule("America/New_York", "sun 01:00-02:10", "sun 02:40-05:00")
    assert windows(night, "2026-03-08 00:00", 1) == [("Sun 08 06:00", "Sun 08 09:00")]


def test_a_day_that_a_zone_leaves_out_is_left_out() -> None:
    # Samoa had no 30 December 2011, a Friday.
    friday = schedule("Pacific/Apia", "fri 09:00-17:00", resets=("fri 08:00",))
    assert windows(friday, "2011-12-24 12:00", 1) == [("Thu 05 19:00", "Fri 06 03:00")]
    assert friday.next_reset(ns("2011-12-24 12:00")) == ns("2011-12-30 10:00")


# --- what is written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "mon", "mon 08:00", "08:00-17:00", "mun 08:00-17:00", "mon 8:00-17:00", "mon 08:00-25:00",
     "mon 08:60-17:00", "mon 24:01-05:00", "sun 17:00-fry 16:00", "mon-fri  08:00-17:00"],
)  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_window(text)


@pytest.mark.parametrize("text", ["", "mon", "07:55", "mon 07:55-08:00", "every 07:55"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_moments(text)


# --- against a clock that is read minute by minute -----------------------------------------------

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Zones with changes of an hour, of half of one, at midnight, of a whole day, and none.
ZONES = (
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "America/Santiago",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
)
CLOCK_TIMES = st.integers(0, 24 * 12 - 1).map(lambda n: f"{n // 12:02}:{n % 12 * 5:02}")
# Five-minute steps, so that a minute of the oracle never splits a window.
WINDOWS = st.one_of(
    st.builds(
        "{} {}-{}".format, st.sampled_from([*DAYS, "daily", "mon-fri"]), CLOCK_TIMES, CLOCK_TIMES
    ),
    st.builds(
        "{} {}-{} {}".format,
        st.sampled_from(DAYS),
        CLOCK_TIMES,
        st.sampled_from(DAYS),
        CLOCK_TIMES,
    ),
)


def changes_of(zone: ZoneInfo) -> list[dt.datetime]:
    """Hours of 2011 and 2026 at which a zone's offset changes, and an ordinary one."""
    found = [dt.datetime(2026, 1, 5, tzinfo=dt.UTC)]
    for year in (2011, 2026):
        hours = [dt.datetime(year, 1, 1, tzinfo=dt.UTC) + n * dt.timedelta(hours=1) for n in
                 range(8760)]  # fmt: skip
        found += [b for a, b in pairwise(hours)
                  if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset()]  # fmt: skip
    return found


CHANGES = {name: changes_of(ZoneInfo(name)) for name in ZONES}


def first_shown(zone: ZoneInfo, start: dt.datetime, minutes: int) -> list[dt.datetime]:
    """The furthest that the clock has shown, minute by minute from `start` on."""
    shown = []
    furthest = dt.datetime.min
    for n in range(minutes):
        furthest = max(furthest, (start + n * MINUTE).astimezone(zone).replace(tzinfo=None))
        shown.append(furthest)
    return shown


def times_of(text: str, mondays: list[dt.datetime]) -> list[tuple[dt.datetime, dt.datetime]]:
    """Windows of a text as dates and times on the wall, worked out from the days' names."""
    days, _, rest = text.partition(" ")
    named = [*DAYS] if days == "daily" else DAYS[:5] if days == "mon-fri" else [days]
    found = []
    for monday in mondays:
        for day in named:
            begin = monday + dt.timedelta(days=DAYS.index(day))
            first, _, last = rest.partition("-")
            start = begin + _hours(first)
            if " " in last:
                day_name, _, last = last.partition(" ")
                end = monday + dt.timedelta(days=DAYS.index(day_name)) + _hours(last)
                end += WEEK if end <= start else dt.timedelta()
            else:
                end = begin + _hours(last)
                end += dt.timedelta(days=1) if end <= start else dt.timedelta()
            found.append((start, end))
    return found


def _hours(text: str) -> dt.timedelta:
    hours, minutes = text.split(":")
    return dt.timedelta(hours=int(hours), minutes=int(minutes))


@settings(max_examples=40)
@given(st.data(), st.sampled_from(ZONES), st.lists(WINDOWS, min_size=1, max_size=3))
def test_a_window_is_open_when_a_clock_read_minute_by_minute_says_so(
    data: st.DataObject, name: str, texts: list[str]
) -> None:
    zone = ZoneInfo(name)
    change = data.draw(st.sampled_from(CHANGES[name]))
    begin = change - dt.timedelta(hours=10)
    minutes = 30 * 60
    # What the clock had shown before counts too.
    shown = first_shown(zone, begin - dt.timedelta(days=1), minutes + 1440)[1440:]
    monday = shown[0].replace(hour=0, minute=0) - dt.timedelta(days=shown[0].weekday())
    mondays = [monday + n * WEEK for n in (-2, -1, 0, 1, 2)]
    wall = [one for text in texts for one in times_of(text, mondays)]
    expected = [any(start <= now < end for start, end in wall) for now in shown]

    tested = schedule(name, *texts)
    begin_ns = int(begin.timestamp()) * SECOND_NS
    open_minutes = [tested.is_always_open] * minutes
    for span in tested.windows_from(begin_ns):
        first = (span.start_ns - begin_ns) // (60 * SECOND_NS)
        last = (span.end_ns - begin_ns) // (60 * SECOND_NS)
        if first >= minutes:
            break
        for n in range(max(first, 0), min(last, minutes)):
            open_minutes[n] = True
    assert open_minutes == expected


@settings(max_examples=40)
@given(st.data(), st.sampled_from(ZONES), st.sampled_from(DAYS), CLOCK_TIMES)
def test_a_reset_happens_when_a_clock_read_minute_by_minute_first_shows_it(
    data: st.DataObject, name: str, day: str, clock: str
) -> None:
    zone = ZoneInfo(name)
    change = data.draw(st.sampled_from(CHANGES[name]))
    begin = change - dt.timedelta(hours=10)
    shown = first_shown(zone, begin - dt.timedelta(days=1), 30 * 60 + 1440)[1440:]
    monday = shown[0].replace(hour=0, minute=0) - dt.timedelta(days=shown[0].weekday())
    due = [
        monday + n * WEEK + dt.timedelta(days=DAYS.index(day)) + _hours(clock)
        for n in (-1, 0, 1, 2)
    ]
    expected = [
        begin + (n + 1) * MINUTE
        for n, (before, after) in enumerate(pairwise(shown))
        if any(before < time <= after for time in due)
    ]
    tested = schedule(name, resets=(f"{day} {clock}",))
    found = []
    now_ns = int(begin.timestamp()) * SECOND_NS
    end_ns = now_ns + (30 * 60 - 1) * 60 * SECOND_NS
    while now_ns < (now_ns := tested.next_reset(now_ns)) <= end_ns:
        found.append(dt.datetime.fromtimestamp(now_ns // SECOND_NS, dt.UTC))
        assert tested.last_reset(now_ns) == now_ns
        assert tested.last_reset(now_ns + SECOND_NS) == now_ns
    assert found == expected
