"""The session index against a naive walk over all rows."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.journal.index import SessionIndex
from portcullis.journal.rows import (
    ADVANCE,
    NEW_ORDER,
    REPORT,
    RESET,
    ROW_BYTES,
    ROW_WORDS,
    SENT,
    SYSTEM_EVENT,
    W_NEXT_OUT,
    W_ORDER,
    W_OUT_SEQ,
    W_PREV,
    W_SESSION_DAY,
)
from portcullis.journal.table import RowTable

SESSIONS = 5
PLACES = {
    "out_seq": W_OUT_SEQ,
    "prev": W_PREV,
    "next_out": W_NEXT_OUT,
    "order": W_ORDER,
    "day": W_SESSION_DAY,
}
OUT = memoryview(array("q", bytes(8 * 64)))


@dataclass
class Recorder:
    """Writes rows as an engine would, and remembers them the simple way."""

    table: RowTable
    index: SessionIndex
    epochs: dict[int, dict[int, int]] = field(default_factory=dict)  # session: number to row
    previous: dict[int, int] = field(default_factory=dict)
    next_out: dict[int, int] = field(default_factory=dict)

    def row(self, kind: int, session: int, **words: int) -> int:
        at = (self.table.tail - 1) * ROW_WORDS
        view = memoryview(self.table.words)
        view[at] = kind | session << 32
        for name, value in words.items():
            view[at + PLACES[name]] = value
        self.table.tail += 1
        return self.table.tail - 1

    def output(self, session: int, kind: int = REPORT) -> None:
        number = self.next_out.get(session, 1)
        previous = self.previous.get(session, 0)
        row = self.row(kind, session, out_seq=number, prev=previous)
        self.epochs.setdefault(session, {})[number] = row
        self.previous[session] = row
        self.next_out[session] = number + 1

    def reset(self, session: int, next_out: int) -> None:
        self.epochs[session] = {}
        self.previous[session] = 0
        self.next_out[session] = next_out

    def seal(self) -> None:
        first = self.table.batch_first
        last = self.table.tail - 1
        self.table.open_batch(8192, 4096)
        if last >= first:
            self.index.observe(first, last)


def recorder(rows: int = 20_000) -> Recorder:
    table = RowTable(bytearray(rows * ROW_BYTES))
    return Recorder(table, SessionIndex(table, session_capacity=SESSIONS))


def walked(index: SessionIndex, session: int, from_seq: int, room: int) -> list[int]:
    count = index.walk(session, from_seq, OUT[:room])
    return list(OUT[:count])


def check(made: Recorder, session: int, from_seq: int, room: int) -> None:
    rows = [row for number, row in sorted(made.epochs.get(session, {}).items())]
    numbers = sorted(made.epochs.get(session, {}))
    wanted = [row for number, row in zip(numbers, rows, strict=True) if number >= from_seq][:room]
    found = walked(made.index, session, from_seq, room)
    # A walk may stop early at a hole, never return less than one, never skip.
    assert found == wanted[: len(found)]
    assert bool(found) == bool(wanted)
    if numbers and from_seq >= numbers[0] and numbers[-1] - numbers[0] + 1 == len(numbers):
        assert found == wanted


@given(
    st.lists(
        st.tuples(
            st.integers(1, SESSIONS - 1), st.sampled_from("oooooooRJs"), st.integers(1, 900)
        ),
        max_size=150,
    ),
    st.lists(st.tuples(st.integers(1, SESSIONS - 1), st.integers(0, 4000), st.integers(1, 64))),
)
def test_a_walk_gives_what_a_naive_search_gives(
    steps: list[tuple[int, str, int]], queries: list[tuple[int, int, int]]
) -> None:
    made = recorder()
    for session, step, number in steps:
        if step == "o":
            for _ in range(min(number, 60)):
                made.row(NEW_ORDER, session)
                made.output(session, SENT if number % 2 else REPORT)
        elif step == "R":
            made.row(RESET, session, next_out=number)
            made.reset(session, number)
            if number % 2:
                made.output(session)
        elif step == "J":
            made.next_out[session] = made.next_out.get(session, 1) + number
        else:
            made.seal()
    made.seal()
    for session in range(1, SESSIONS):
        epoch = made.epochs.get(session, {})
        assert made.index.head_row(session) == (max(epoch.values()) if epoch else 0)
        if epoch:
            assert made.index.head_seq(session) == max(epoch)
    for session, from_seq, room in queries:
        check(made, session, from_seq, room)


def test_every_number_is_found_from_every_start() -> None:
    made = recorder()
    for number in range(800):
        made.output(1)
        made.output(2 + number % 2)
        if number % 7 == 0:
            made.seal()
    made.seal()
    for from_seq in range(1, 802):
        for room in (1, 64):
            check(made, 1, from_seq, room)


def test_answers_of_the_old_epoch_in_the_same_batch_do_not_undo_a_reset() -> None:
    made = recorder()
    made.output(1)
    made.seal()
    made.row(RESET, 1, next_out=1)
    made.output(1)
    made.seal()
    made.reset(1, 1)
    assert (made.index.head_row(1), made.index.head_seq(1)) == (0, 0)
    assert walked(made.index, 1, 1, 64) == []
    made.output(1)
    made.seal()
    check(made, 1, 1, 64)


def test_touched_sessions_are_told_once() -> None:
    made = recorder()
    made.row(ADVANCE, 4)
    made.output(3)
    made.output(1)
    made.output(3)
    made.seal()
    assert made.index.take_touched() == [3, 1]
    assert made.index.take_touched() == []
    made.output(1)
    made.seal()
    assert made.index.take_touched() == [1]


def test_rows_that_the_table_has_let_go_end_a_walk() -> None:
    made = recorder()
    for _ in range(20):
        made.output(1)
    made.seal()
    made.table.oldest_row = 11
    assert walked(made.index, 1, 1, 64) == list(range(11, 21))


def test_what_is_out_of_range_is_refused() -> None:
    made = recorder()
    with pytest.raises(IndexError):
        made.index.observe(1, 1)
    with pytest.raises(IndexError):
        made.index.walk(SESSIONS, 1, OUT)
    with pytest.raises(IndexError):
        made.index.head_row(SESSIONS)
    made.output(SESSIONS)
    with pytest.raises(IndexError, match="session 5 of row 1"):
        made.seal()


# --- days of OUCH -----------------------------------------------------------------------------


@dataclass
class Days:
    """Sessions whose days have 285 messages each, more than stand between two anchors."""

    made: Recorder
    rows: dict[tuple[int, int], list[int]] = field(default_factory=dict)  # session, day

    def trade(self, session: int, day: int, about: int = 0) -> None:
        """A day of a session. about: an order of an earlier day that one report is about."""
        made = self.made
        made.row(NEW_ORDER, session)
        first = made.row(SYSTEM_EVENT, session, out_seq=1, prev=0, day=day)
        rows = [first]
        for number in range(2, 286):
            order = about if about and number == 9 else made.row(NEW_ORDER, session)
            row = made.row(REPORT, session, out_seq=number, prev=rows[-1], order=order)
            rows.append(row)
        self.rows[session, day] = rows
        made.seal()


def walked_day(index: SessionIndex, session: int, day: int, from_seq: int) -> list[int]:
    found: list[int] = []
    while from_seq <= index.ended_seq(session, day):
        count = index.walk_ended(session, day, from_seq, OUT)
        found += OUT[:count]
        from_seq += count
    return found


def test_so_many_days_as_are_kept_are_walked_and_earlier_ones_forgotten() -> None:
    table = RowTable(bytearray(20_000 * ROW_BYTES))
    days = Days(Recorder(table, SessionIndex(table, session_capacity=SESSIONS, days_kept=2)))
    index = days.made.index
    for day in range(1, 6):
        for session in (1, 2):
            days.trade(session, day)
    assert index.day(1) == 5
    for session in (1, 2):
        assert [index.ended_seq(session, day) for day in range(6)] == [0, 0, 0, 285, 285, 0]
        for day in (3, 4):
            for first in (1, 2, 200, 285):
                wanted = days.rows[session, day][first - 1 :]
                assert walked_day(index, session, day, first) == wanted


def test_rows_are_needed_from_the_first_day_kept_and_from_a_busts_order_on() -> None:
    table = RowTable(bytearray(20_000 * ROW_BYTES))
    days = Days(Recorder(table, SessionIndex(table, session_capacity=SESSIONS, days_kept=2)))
    index = days.made.index
    assert index.oldest_row() == 0
    days.trade(1, 1)
    assert index.oldest_row() == days.rows[1, 1][0]
    for day in range(2, 6):
        days.trade(1, day)
    assert index.oldest_row() == days.rows[1, 3][0]
    days.trade(1, 6, about=7)
    assert index.oldest_row() == 7


def test_days_come_back_as_they_were_saved() -> None:
    table = RowTable(bytearray(20_000 * ROW_BYTES))
    days = Days(Recorder(table, SessionIndex(table, session_capacity=SESSIONS)))
    for day in range(1, 4):
        days.trade(2, day, about=(day == 2) * 5)
    index = SessionIndex(table, session_capacity=SESSIONS)
    saved = days.made.index.save()
    index.load(*(memoryview(bytes(section)) for _, section in saved))
    assert (index.day(2), index.oldest_row()) == (3, days.made.index.oldest_row())
    assert walked_day(index, 2, 2, 1) == days.rows[2, 2]
    assert index.save() == saved
    days.made.index = index
    days.trade(2, 4)
    assert walked_day(index, 2, 3, 1) == days.rows[2, 3]


def test_a_day_some_of_whose_rows_are_gone_is_not_kept() -> None:
    table = RowTable(bytearray(20_000 * ROW_BYTES))
    days = Days(Recorder(table, SessionIndex(table, session_capacity=SESSIONS)))
    for day in range(1, 4):
        days.trade(1, day)
    table.oldest_row = days.rows[1, 1][0] + 1
    assert days.made.index.ended_seq(1, 1) == 0
    assert days.made.index.ended_seq(1, 2) == 285
