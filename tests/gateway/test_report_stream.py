"""What a stream is: its numbers are a function of rows, whoever counts and in which portions."""

from __future__ import annotations

import random

import pytest

from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows as r
from tests.support.fix_desk import FixDesk
from tests.support.streams import put_stream

ORDER = "D|11={}|54=1|55=BTC-USD|38=1.5|40=2|44=100|60=20261121-00:00:00.123"
DAY = 2026112101


def orders(desk: FixDesk, first: int, count: int) -> None:
    for number in range(first, first + count):
        desk.send(ORDER.format(f"a{number}"))


def roll(desk: FixDesk, day: int, flags: int = r.F_BEGINS) -> None:
    put_stream(desk.table, 1, r.STREAM_REPORTS, day, flags=flags)
    desk.run()


def test_each_day_numbers_from_one_and_the_day_before_has_an_end() -> None:
    desk = FixDesk()
    stream = ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail)
    orders(desk, 0, 3)  # before the stream was: not its messages
    roll(desk, DAY)
    orders(desk, 3, 4)
    stream.follow(desk.table.tail)
    assert (stream.day, stream.next_number, stream.ended_day) == (DAY, 5, 0)
    desk.table.time_ns += 1000
    roll(desk, DAY + 1)
    orders(desk, 7, 2)
    stream.follow(desk.table.tail)
    assert (stream.day, stream.next_number) == (DAY + 1, 3)
    ended = (stream.ended_day, stream.ended_number, stream.ended_ns)
    assert ended == (DAY, 5, desk.table.time_ns)


def test_numbers_that_a_loss_cut_off_get_no_end() -> None:
    desk = FixDesk()
    stream = ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail)
    roll(desk, DAY)
    orders(desk, 0, 2)
    roll(desk, DAY + 1, r.F_BEGINS | r.F_NO_END)
    stream.follow(desk.table.tail)
    assert (stream.day, stream.next_number, stream.ended_day) == (DAY + 1, 1, 0)


def test_another_filter_within_a_day_goes_on_with_its_numbers() -> None:
    desk = FixDesk()
    stream = ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail)
    roll(desk, DAY)
    orders(desk, 0, 2)
    put_stream(desk.table, 1, r.STREAM_ACCOUNTS, DAY, (2,), flags=0)
    put_stream(desk.table, 2, r.STREAM_NOTHING, DAY + 7)  # another stream's
    orders(desk, 2, 2)
    desk.send(ORDER.format("b"), session=2)
    stream.follow(desk.table.tail)
    assert (stream.day, stream.next_number, stream.accounts) == (DAY, 4, (2,))
    put_stream(desk.table, 1, r.STREAM_NOTHING, DAY, flags=0)
    orders(desk, 4, 2)
    stream.follow(desk.table.tail)
    assert stream.next_number == 4


def test_status_answers_and_refused_cancels_are_no_messages() -> None:
    desk = FixDesk()
    stream = ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail)
    roll(desk, DAY)
    orders(desk, 0, 1)
    where = "54=1|55=BTC-USD"
    time = "60=20261121-00:00:00.123"
    desk.send(f"H|11=a0|{where}", f"F|11=c|41=none|{where}|{time}", f"q|11=d|530=7|{time}")
    desk.send(ORDER.format("a0"))
    stream.follow(desk.table.tail)
    assert stream.select(desk.table.tail) == 0
    assert stream.next_number == 1 + 3  # taken, cancelled by the mass cancel, the duplicate


@pytest.mark.parametrize("seed", range(5))
def test_whoever_reads_in_whichever_portions_counts_alike(seed: int) -> None:
    rng = random.Random(seed)
    desk = FixDesk()
    whole, parts = (
        ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail) for _ in range(2)
    )
    roll(desk, DAY)
    for number in range(60):
        orders(desk, number, 1)
        if rng.random() < 0.1:
            roll(desk, DAY + number)
        if rng.random() < 0.3:
            end = rng.randrange(parts.next_row, desk.table.tail + 1)
            count_max = rng.choice([1, 3, 1 << 20])
            count = parts.select(end, count_max)
            assert count <= count_max
            if count and rng.random() < 0.5:  # only some of them went out
                some = rng.randrange(count)
                parts.pass_to(parts.rows[some], some)
            else:
                parts.pass_to(parts.reached, count)
        if rng.random() < 0.1:
            again = ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail)
            again.load(parts.save())
            parts = again
    whole.follow(desk.table.tail)
    parts.follow(desk.table.tail)
    assert parts.save() == whole.save()


def test_rows_that_are_not_there_are_named() -> None:
    desk = FixDesk()
    stream = ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail)
    with pytest.raises(IndexError, match=f"rows {stream.next_row} to {desk.table.tail + 1}"):
        stream.select(desk.table.tail + 1)
