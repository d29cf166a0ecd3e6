"""The turn: nothing leaves before it is sealed, a fault lets nothing out, time runs one way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portcullis.engine.layout import RUN_DONE
from portcullis.gateway.turn import Turn
from portcullis.journal import rows
from portcullis.journal.index import SessionIndex
from portcullis.journal.writer import Journal


class Engine:
    """Makes nothing of what it is given; fails where it is told to."""

    def __init__(self) -> None:
        self.fails = False

    def run(self) -> int:
        if self.fails:
            raise RuntimeError("a fault of the engine")
        return RUN_DONE


class Output:
    """Notes what was sealed when it was asked to send."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.sealed: list[int] = []

    def pump(self, now_ns: int) -> bool:
        self.sealed.append(self.journal.sealed_row)
        return False


class Desk:
    """A turn over a journal of its own; the loop is a list of calls."""

    def __init__(self, directory: Path) -> None:
        self.journal, batches = Journal.open(directory, segment_rows=32768, ahead=False)
        assert list(batches) == []
        self.engine = Engine()
        self.calls: list[Callable[[], None]] = []
        self.faults: list[BaseException] = []
        self.failed: list[int] = []
        self.turn = Turn(
            self.journal,
            self.engine,  # type: ignore[arg-type]
            SessionIndex(self.journal.table, session_capacity=8),
            call_soon=self.calls.append,
            fatal=self.faults.append,
            fault=lambda session, error: self.failed.append(session),
        )
        self.output = Output(self.journal)
        self.turn.outputs[1] = self.output

    def run_loop(self) -> None:
        calls, self.calls[:] = list(self.calls), []
        for call in calls:
            call()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "data")
    yield desk
    desk.journal.abandon()


def test_however_many_reads_there_are_one_flush_follows(desk: Desk) -> None:
    for _ in range(5):
        desk.turn.begin()
        desk.turn.append(rows.ADVANCE, 1, words={rows.W_NEXT_IN: 2})
    assert len(desk.calls) == 1
    desk.run_loop()
    assert desk.journal.sealed_row == 5
    assert desk.calls == []


def test_a_session_is_asked_to_send_only_when_all_is_sealed(desk: Desk) -> None:
    desk.turn.begin()
    desk.turn.append(rows.ADVANCE, 1, words={rows.W_NEXT_IN: 2})
    desk.turn.wake(1)
    desk.run_loop()
    assert desk.output.sealed == [1]


def test_a_full_batch_is_settled_where_it_stands_and_sends_nothing(desk: Desk) -> None:
    desk.turn.begin()
    desk.turn.wake(1)
    for number in range(rows.BATCH_INPUT_ROWS + 1):
        desk.turn.append(rows.ADVANCE, 1, words={rows.W_NEXT_IN: number})
    assert desk.journal.sealed_row == rows.BATCH_INPUT_ROWS
    assert desk.output.sealed == []
    desk.run_loop()
    assert desk.output.sealed == [rows.BATCH_INPUT_ROWS + 1]


def test_a_fault_before_the_seal_is_fatal_and_lets_nothing_out(desk: Desk) -> None:
    desk.turn.begin()
    desk.turn.append(rows.ADVANCE, 1, words={rows.W_NEXT_IN: 2})
    desk.turn.wake(1)
    desk.engine.fails = True
    with pytest.raises(RuntimeError, match="a fault of the engine"):
        desk.run_loop()
    assert len(desk.faults) == 1
    assert desk.output.sealed == []
    assert desk.journal.sealed_row == 0


def test_an_output_that_fails_holds_nobody_else_up(desk: Desk) -> None:
    class Broken:
        def pump(self, now_ns: int) -> bool:
            raise RuntimeError("cannot be encoded")

    other = Output(desk.journal)
    desk.turn.outputs = {1: Broken(), 2: other}
    desk.turn.begin()
    desk.turn.wake(1)
    desk.turn.wake(2)
    desk.run_loop()
    assert (desk.failed, len(other.sealed), desk.faults) == ([1], 1, [])


def test_row_time_never_runs_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [2_000]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0])
    times = []
    for now in (2_000, 1_000, 3_000):
        clock[0] = now
        desk.turn.begin()
        row = desk.turn.append(rows.ADVANCE, 1, words={rows.W_NEXT_IN: 2})
        times.append(desk.journal.table.row_words(row)[rows.W_TIME])
        desk.run_loop()
    assert times == [2_000, 2_000, 3_000]


def test_a_clock_that_was_set_is_a_row(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.turn.watch_clock()
    assert not desk.turn.has_rows
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
    desk.turn.watch_clock()
    words = desk.journal.table.row_words(1)
    assert words[rows.W_HEAD] & 0xFF == rows.TIME_STEP


def test_what_waits_for_the_flush_comes_after_the_sending(desk: Desk) -> None:
    order: list[str] = []
    desk.turn.begin()
    desk.turn.after.append(lambda: order.append(f"after {len(desk.output.sealed)}"))
    desk.turn.wake(1)
    desk.run_loop()
    assert order == ["after 1"]
