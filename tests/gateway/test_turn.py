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
from portcullis.journal.writer import Journal, SyncPolicy


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
        self.synced: list[int] = []

    def pump(self, now_ns: int) -> bool:
        self.sealed.append(self.journal.sealed_row)
        self.synced.append(self.journal.synced_row)
        return False


class Desk:
    """A turn over a journal of its own; the loop is a list of calls."""

    def __init__(self, directory: Path, sync: SyncPolicy = "none") -> None:
        self.journal, batches = Journal.open(
            directory, segment_rows=32768, ahead=False, sync=sync, sync_interval_ns=0
        )
        assert list(batches) == []
        self.engine = Engine()
        self.calls: list[Callable[[], None]] = []
        self.told: list[int] = []
        # Syncs begun and not ended: `end_sync` is the disk.
        self.syncs: list[Callable[[], None]] = []
        self.faults: list[BaseException] = []
        self.failed: list[int] = []
        self.turn = Turn(
            self.journal,
            self.engine,  # type: ignore[arg-type]
            SessionIndex(self.journal.table, session_capacity=8),
            call_soon=self.calls.append,
            start_sync=self.syncs.append,
            fatal=self.faults.append,
            fault=lambda session, error: self.failed.append(session),
            resend_bytes=65536,
        )
        self.output = Output(self.journal)
        self.turn.outputs[1] = self.output

    def run_loop(self) -> None:
        calls, self.calls[:] = list(self.calls), []
        for call in calls:
            call()

    def end_sync(self) -> None:
        self.journal.sync()
        self.syncs.pop()()
        self.run_loop()

    def speak(self, session: int) -> int:
        """A turn in which a session is told something; give the row that has to be on disk."""
        self.turn.begin()
        row = self.turn.append(rows.ADVANCE, session, words={rows.W_NEXT_IN: 2})
        self.told.append(session)
        self.run_loop()
        return row

    def observe(self, first: int, last: int) -> None:
        """As the index: the sealed rows are looked at."""

    def take_touched(self) -> list[int]:
        """As the index: who was told something."""
        told, self.told = self.told, []
        return told


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "data")
    yield desk
    desk.journal.abandon()


@pytest.fixture
def slow_disk(tmp_path: Path) -> Iterator[Desk]:
    """With `sync = "batch"`, a disk that ends a sync when the test says so, and session 2, too."""
    desk = Desk(tmp_path / "data", "batch")
    desk.turn.index = desk  # type: ignore[assignment]
    desk.turn.outputs[2] = desk.output
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
    assert desk.turn.watch_clock() == 0
    assert not desk.turn.has_rows
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
    assert abs(desk.turn.watch_clock() - 3_600_000_000_000) < 1_000_000_000
    words = desk.journal.table.row_words(1)
    assert words[rows.W_HEAD] & 0xFF == rows.TIME_STEP


def test_what_waits_for_the_flush_comes_after_the_sending(desk: Desk) -> None:
    order: list[str] = []
    desk.turn.begin()
    desk.turn.after.append(lambda: order.append(f"after {len(desk.output.sealed)}"))
    desk.turn.wake(1)
    desk.run_loop()
    assert order == ["after 1"]


def test_nobody_is_asked_to_send_before_the_sync_has_ended(slow_disk: Desk) -> None:
    row = slow_disk.speak(1)
    assert (len(slow_disk.syncs), slow_disk.output.synced) == (1, [])
    slow_disk.end_sync()
    assert slow_disk.output.synced == [row]
    assert slow_disk.turn.sendable_row == row


def test_turns_go_on_and_seal_while_the_disk_works_and_share_the_next_sync(
    slow_disk: Desk,
) -> None:
    first = slow_disk.speak(1)
    slow_disk.journal.sync()  # it has begun, and covers no more than this
    last = [slow_disk.speak(session) for session in (2, 1, 2)][-1]
    assert slow_disk.journal.sealed_row == last
    assert len(slow_disk.syncs) == 1
    slow_disk.syncs.pop()()
    slow_disk.run_loop()
    assert slow_disk.turn.sendable_row == first
    assert len(slow_disk.syncs) == 1
    slow_disk.end_sync()
    assert slow_disk.turn.sendable_row == last
    assert slow_disk.output.synced[-2:] == [last, last]
    assert slow_disk.syncs == []


def test_a_session_that_speaks_in_every_turn_is_not_put_off_for_ever(slow_disk: Desk) -> None:
    slow_disk.speak(1)
    for _ in range(3):
        slow_disk.journal.sync()
        row = slow_disk.speak(1)
        assert slow_disk.journal.synced_row < row
        slow_disk.syncs.pop()()
        slow_disk.run_loop()
    assert len(slow_disk.output.synced) >= 3


def test_closing_waits_for_the_disk_and_reading_does_not(slow_disk: Desk) -> None:
    calls: list[str] = []
    slow_disk.turn.after.append(lambda: calls.append("read on"))
    slow_disk.turn.after_sending.append(lambda: calls.append("close"))
    slow_disk.speak(1)
    slow_disk.speak(2)
    assert calls == ["read on"]
    slow_disk.end_sync()
    assert calls == ["read on", "close"]


def test_the_timer_begins_a_sync_only_where_none_is_under_way(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "data", "interval")
    desk.speak(1)
    for _ in range(2):
        desk.turn.sync()
    assert len(desk.syncs) == 1
    assert desk.turn.sendable_row > desk.journal.sealed_row
    desk.end_sync()
    desk.turn.sync()
    assert desk.syncs == []
    desk.journal.abandon()
