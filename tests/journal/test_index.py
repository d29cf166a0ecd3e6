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
    W_NEXT_OUT,
    W_OUT_SEQ,
    W_PREV,
)
from portcullis.journal.table import RowTable

SESSIONS = 5
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
            view[at + {"out_seq": W_OUT_SEQ, "prev": W_PREV, "next_out": W_NEXT_OUT}[name]] = value
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
