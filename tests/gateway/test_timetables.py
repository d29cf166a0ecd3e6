"""Schedules at work: by hand under a virtual clock, and in a gateway whose clock is moved."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.gateway.config import parse
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.timetables import Timetable, resets_mark, schedules_of
from portcullis.tools.gateway_process import CONFIG
from tests.support.clocked_gateway import ClockedClient, ClockedGateway

SECOND_NS = 1_000_000_000
SCHEDULE = """
[[schedule]]
name = "day"
timezone = "America/New_York"
windows = ["mon-fri 08:00-17:00"]
resets = ["mon-fri 07:00"]
"""


def seconds(text: str) -> int:
    """A moment of UTC, "2026-01-07 15:00", in seconds since the epoch."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M"))


def ns(text: str) -> int:
    return seconds(text) * SECOND_NS


class Member:
    """A session that notes what it is told."""

    def __init__(self, done: str) -> None:
        self.resets_done_ns = ns(done)
        self.is_logged_on = True
        self.told: list[str] = []

    def logout(self, text: str, now_ns: int) -> None:
        self.is_logged_on = False
        self.told.append(text)

    def reset(self, text: str, now_ns: int) -> None:
        self.told.append("reset")


def timetable(deadlines: Deadlines) -> Timetable:
    return Timetable(schedules_of(parse(SCHEDULE, "test"))["day"], deadlines)


# --- by hand -------------------------------------------------------------------------------------


def test_members_are_logged_out_at_the_end_of_the_window_and_reset_at_reset_time() -> None:
    deadlines = Deadlines()
    table = timetable(deadlines)
    member = Member("2026-01-07 12:00")  # Wednesday's reset is done: 07:00 in New York
    table.join(member, ns("2026-01-07 14:00"))
    deadlines.run(ns("2026-01-07 14:00"))
    deadlines.run(ns("2026-01-07 22:00") - 1)
    assert member.told == []
    deadlines.run(ns("2026-01-07 22:00"))
    assert member.told == ["Session hours have ended"]
    deadlines.run(ns("2026-01-08 12:00") - 1)
    assert member.told == ["Session hours have ended"]
    deadlines.run(ns("2026-01-08 12:00"))
    assert member.told == ["Session hours have ended", "reset"]
    deadlines.run(ns("2026-01-08 12:30"))
    assert member.told == ["Session hours have ended", "reset"]


def test_a_reset_that_was_missed_is_made_up_once() -> None:
    deadlines = Deadlines()
    table = timetable(deadlines)
    late, done = Member("2026-01-06 12:00"), Member("2026-01-07 12:00")
    for member in (late, done):
        table.join(member, ns("2026-01-07 14:00"))
    for _ in range(2):
        deadlines.run(ns("2026-01-07 14:00"))
    assert (late.told, done.told) == (["reset"], [])


def test_a_logon_just_behind_reset_time_finds_the_numbers_reset() -> None:
    table = timetable(Deadlines())
    member = Member("2026-01-06 12:00")
    assert table.before_logon(member, ns("2026-01-07 12:00")) != ""
    assert member.told == ["reset"]


def test_a_logon_is_told_when_the_next_window_begins() -> None:
    table = timetable(Deadlines())
    member = Member("2026-01-09 12:00")
    assert table.before_logon(member, ns("2026-01-09 21:59")) == ""
    assert table.before_logon(member, ns("2026-01-09 22:00")) == (
        "Outside session hours, which begin Mon 2026-01-12 08:00 -0500"
    )


def test_a_clock_that_was_set_back_makes_the_end_of_the_window_come_again() -> None:
    deadlines = Deadlines()
    table = timetable(deadlines)
    member = Member("2026-01-07 12:00")
    table.join(member, ns("2026-01-07 22:00"))
    deadlines.run(ns("2026-01-07 22:00"))
    member.is_logged_on = True
    deadlines.run(ns("2026-01-07 21:50"))
    assert table.before_logon(member, ns("2026-01-07 21:50")) == ""
    deadlines.run(ns("2026-01-07 22:00"))
    assert member.told == ["Session hours have ended"] * 2


def test_many_sessions_are_worked_off_in_slices() -> None:
    deadlines = Deadlines()
    table = timetable(deadlines)
    members = [Member("2026-01-07 12:00") for _ in range(250)]
    for member in members:
        table.join(member, ns("2026-01-07 14:00"))
    now_ns, steps = ns("2026-01-07 22:00"), []
    while not steps or steps[-1] < len(members):
        deadlines.run(now_ns)
        now_ns += SECOND_NS // 20
        steps.append(sum(not member.is_logged_on for member in members))
    assert steps == [100, 200, 250]


def test_only_reset_times_and_their_zone_make_a_schedule_another() -> None:
    mark = resets_mark(parse(SCHEDULE, "test"), "day")
    assert mark == resets_mark(parse(SCHEDULE.replace("17:00", "18:00"), "test"), "day")
    assert mark != resets_mark(parse(SCHEDULE.replace("07:00", "07:30"), "test"), "day")
    assert mark != resets_mark(parse(SCHEDULE.replace("New_York", "Chicago"), "test"), "day")
    assert resets_mark(parse(SCHEDULE, "test"), "none") == 0


# --- a gateway --------------------------------------------------------------------------------

OPEN = "2026-01-07 15:00"  # a Wednesday, 10:00 in New York
SMALL = """
[journal]
segment_rows = 131072
[limits]
orders = 1000
ids = 2000
"""


def config(schedule: str = SCHEDULE) -> str:
    both = CONFIG.replace("protocol = ", 'schedule = "day"\nprotocol = ')
    return both + SMALL + schedule


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[ClockedGateway]:
    with ClockedGateway(tmp_path, config(), seconds(OPEN)) as gateway:
        yield gateway


def numbers(client: ClockedClient) -> tuple[int, int]:
    return client.next_in, client.next_out


def arrive(client: ClockedClient) -> None:
    """Log on without heartbeats, as hours will pass in a moment."""
    client.connect().send("A", "98=0", "108=0")
    client.expect("A")


def begin_anew(client: ClockedClient) -> None:
    client.next_in = client.next_out = 1


def test_the_end_of_the_window_logs_clients_out_and_they_come_back_the_next_day(
    gateway: ClockedGateway,
) -> None:
    client = gateway.client("CLIENT1")
    arrive(client)
    gateway.set_clock(seconds("2026-01-07 22:00"))
    client.expect("5", t58="Session hours have ended")
    client.send("5")
    assert client.is_closed_by_peer()

    client.connect().send("A", "98=0", "108=30")
    client.expect("5", t58="Outside session hours, which begin Thu 2026-01-08 08:00 -0500")
    assert client.is_closed_by_peer()
    client.next_out -= 1  # a Logon that is refused moves no number of ours

    gateway.set_clock(seconds("2026-01-08 13:00"))  # past the reset
    begin_anew(client)
    arrive(client)
    assert numbers(client) == (2, 2)
    client.close()


def test_who_is_connected_at_reset_time_is_logged_out_and_begins_at_one(tmp_path: Path) -> None:
    at_noon = SCHEDULE.replace("07:00", "12:00")
    with ClockedGateway(tmp_path, config(at_noon), seconds(OPEN)) as gateway:
        client, other = gateway.client("CLIENT1"), gateway.client("CLIENT2")
        for one in (client, other):
            arrive(one)
        client.link.sendall(client.order("o1", "1", "1", "10"))
        client.expect("8", t150="0")
        gateway.set_clock(seconds("2026-01-07 17:00"))
        for one in (client, other):
            one.expect("5", t58="Sequence numbers are reset by schedule")
            one.send("5")
            assert one.is_closed_by_peer()
            begin_anew(one)
            arrive(one)
        client.send("F", "11=o2", "41=o1", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
        client.expect("8", t150="4")  # the order lived on
        assert {event["session"] for event in gateway.events("numbers_reset")} == {
            "FIX.4.4:PORTCULLIS->CLIENT1",
            "FIX.4.4:PORTCULLIS->CLIENT2",
        }
        for one in (client, other):
            one.close()


def test_a_reset_that_the_gateway_slept_through_is_made_up_and_nothing_owed_is_lost(
    gateway: ClockedGateway,
) -> None:
    seller, buyer = gateway.client("CLIENT1"), gateway.client("CLIENT2")
    for client in (seller, buyer):
        arrive(client)
    seller.link.sendall(seller.order("s1", "2", "5", "100", "59=1"))
    seller.expect("8", t150="0")
    seller.log_out()
    buyer.link.sendall(buyer.order("b1", "1", "1", "100"))
    buyer.expect("8", t150="0")
    buyer.expect("8", t150="F")
    buyer.close()
    gateway.kill()

    gateway.set_clock(seconds("2026-01-09 15:00"))  # two resets later
    gateway.start()
    for client in (seller, buyer):
        begin_anew(client)
        arrive(client)
    seller.expect("8", t150="F", t11="s1", t151="4", t97="Y")
    for exec_type in "0F":  # nobody knows what reached the buyer before the kill
        buyer.expect("8", t150=exec_type, t11="b1", t97="Y")
    assert seller.barrier() == buyer.barrier() == []
    gateway.kill()

    gateway.start()  # nothing is made up twice
    for client in (seller, buyer):
        arrive(client)
        client.close()


def test_a_schedule_that_is_new_makes_nothing_up(tmp_path: Path) -> None:
    gateway = ClockedGateway(tmp_path, CONFIG + SMALL, seconds(OPEN))
    client = gateway.client("CLIENT1")
    with gateway:
        arrive(client)
        client.close()
        gateway.stop()
    gateway.configure(config())
    gateway.set_clock(seconds("2026-01-08 15:00"))
    with gateway:
        arrive(client)
        assert client.next_in > 2
        client.close()
