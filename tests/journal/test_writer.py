"""The writer: seals, rolls, the next segment, sync, the lock, a full disk."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import crcmod.predefined
import pytest

from portcullis.journal import maker, writer
from portcullis.journal.disk import Disk
from portcullis.journal.errors import JournalError, JournalFullError, JournalLockedError
from portcullis.journal.rows import NEW_ORDER, ROLL, ROW_BYTES, W_NEXT_ROW
from portcullis.journal.segments import read_header, segment_path
from portcullis.journal.writer import Journal
from tests.support.journals import (
    BATCH_ROWS,
    OPTIONS,
    SEGMENT_ROWS,
    EchoEngine,
    append_batch,
    fill,
    open_journal,
    recorded,
)

crc32c = crcmod.predefined.mkPredefinedCrcFun("crc-32c")


@contextmanager
def file_size_limit(octets: int) -> Iterator[None]:
    """Files of this process and its new children can't grow beyond: a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def wait_for(condition: Callable[[], object]) -> None:
    """Bounded wait for another process."""
    pause = threading.Event()
    for _ in range(12_000):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("did not happen within a minute")


def test_the_seal_stands_in_the_last_row(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    append_batch(journal, engine, 3)
    append_batch(journal, engine, 1)
    octets = bytearray(memoryview(journal.table.octets)[: 8 * ROW_BYTES])
    journal.close()
    chain = 0
    for first, last in ((1, 6), (7, 8)):
        end = last * ROW_BYTES
        seal = bytes(octets[end - 16 : end])
        octets[end - 4 : end] = bytes(4)
        crc = crc32c(bytes(octets[(first - 1) * ROW_BYTES : end]))
        assert seal == b"".join(
            number.to_bytes(size, "little")
            for number, size in ((last + 1 - first, 2), (1, 2), (chain, 4), (first, 4), (crc, 4))
        )
        chain = crc


def test_an_empty_batch_is_not_sealed(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert journal.seal() == 0
    append_batch(journal, EchoEngine(journal.table), 1)
    assert journal.seal() == 0
    assert journal.sealed_row == 2
    journal.close()


def test_every_batch_begins_with_its_whole_allowance_in_one_segment(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    table = journal.table
    rolls = []
    for number in range(200):
        segment = (table.batch_first - 1) // SEGMENT_ROWS
        assert (table.batch_limit - 1) // SEGMENT_ROWS == segment
        assert table.batch_limit - table.batch_first == BATCH_ROWS
        last = append_batch(journal, engine, 1 + number % 8)
        if table.tail != last + 1:
            roll = table.row_words(last + 1)
            assert roll[0] == ROLL and roll[W_NEXT_ROW] == table.tail
            assert (table.tail - 1) % SEGMENT_ROWS == 0
            # One row more would have been an allowance and the ROLL row.
            assert SEGMENT_ROWS - last % SEGMENT_ROWS <= BATCH_ROWS
            rolls.append(last + 1)
    assert len(rolls) == journal.cold_segments > 10
    journal.close()
    assert [batch.last_row for batch in recorded(tmp_path) if batch.is_roll] == rolls


def test_an_input_that_does_not_fit_waits_for_the_next_batch(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for _ in range(8):
        assert journal.table.append_input(NEW_ORDER, 1)
    assert journal.table.append_input(NEW_ORDER, 1) == 0
    journal.seal()
    assert journal.table.append_input(NEW_ORDER, 1) == 9
    journal.abandon()


def test_a_roll_owed_when_the_writer_was_killed_is_made_on_opening(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    make_cold, journal._make_cold = journal._make_cold, lambda: None  # type: ignore[method-assign]
    while journal.table.batch_limit != journal.table.tail:
        append_batch(journal, engine, 8)
    last = journal.sealed_row
    journal.abandon()
    del make_cold
    journal = open_journal(tmp_path)
    assert journal.sealed_row == last + 1
    assert journal.table.tail == SEGMENT_ROWS + 1
    append_batch(journal, engine, 1)
    journal.close()


def test_segments_keep_the_bounds_they_were_made_with(tmp_path: Path) -> None:
    fill(tmp_path, 5).close()
    journal = open_journal(tmp_path, segment_rows=160, batch_rows=32, input_rows=8)
    engine = EchoEngine(journal.table)
    assert journal.table.batch_limit - journal.table.batch_first == BATCH_ROWS
    while journal.table.tail <= SEGMENT_ROWS:
        append_batch(journal, engine, 4)
    assert journal.table.batch_limit - journal.table.batch_first == 32
    journal.close()
    assert read_header(segment_path(tmp_path, 2)).rows == 160
    assert {batch.batch_rows for batch in recorded(tmp_path)} == {BATCH_ROWS}


def test_the_next_segment_comes_from_the_maker(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, ahead=True)
    engine = EchoEngine(journal.table)
    for number in (2, 3, 4):
        append_batch(journal, engine, 1)
        wait_for(segment_path(tmp_path, number).exists)
        while journal.table.tail <= (number - 1) * SEGMENT_ROWS:
            append_batch(journal, engine, 4)
            if journal._next is None and journal.table.tail < (number - 1) * SEGMENT_ROWS:
                wait_for(lambda: journal._look_for_next() or journal._next)
    assert journal.cold_segments == 0
    sealed = journal.sealed_row
    journal.close()
    assert recorded(tmp_path)[-1].last_row == sealed
    assert not list(tmp_path.glob("*.making"))


def test_a_killed_maker_is_replaced(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, ahead=True)
    engine = EchoEngine(journal.table)
    assert journal._maker is not None
    wait_for(lambda: journal._look_for_next() or journal._next)
    first = journal._maker.process_id
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    while journal.table.tail <= 2 * SEGMENT_ROWS:
        append_batch(journal, engine, 4)
    assert journal.maker_deaths >= 1
    journal._ask_after_ns = 0
    wait_for(lambda: journal._next or journal._open_batch())
    assert journal._maker.process_id not in (0, first)
    assert journal.trouble == "" and journal.can_take_orders
    journal.close()


def test_a_maker_that_hangs_is_named_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path, ahead=True)
    assert journal._maker is not None
    wait_for(lambda: journal._look_for_next() or journal._next)
    monkeypatch.setattr(maker, "STALL_S", 0.2)
    hangs = journal._maker.process_id
    os.kill(hangs, signal.SIGSTOP)
    left_over = tmp_path / f"{3:010d}.journal.{hangs}.making"
    left_over.write_bytes(bytes(10))  # what it had made of it
    engine = EchoEngine(journal.table)
    while journal.table.tail <= SEGMENT_ROWS:
        append_batch(journal, engine, 4)
    wait_for(lambda: journal.look_for_room() or journal.trouble)
    assert journal.trouble == "the process that makes segments has done nothing for 0.2 s"
    assert journal.can_take_orders and journal.maker_deaths == 1
    monkeypatch.undo()
    journal._ask_after_ns = 0
    wait_for(lambda: journal.look_for_room() or journal._next)
    assert journal._maker.process_id not in (0, hangs) and not journal.trouble
    assert not left_over.exists()
    journal.close()
    with pytest.raises(ProcessLookupError):
        os.kill(hangs, 0)


def test_a_maker_that_hangs_holds_up_the_end_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maker, "CLOSE_S", 1.0)
    journal = open_journal(tmp_path, ahead=True)
    assert journal._maker is not None
    os.kill(journal._maker.process_id, signal.SIGSTOP)
    journal.close()
    assert recorded(tmp_path) == []


def test_what_a_killed_process_had_not_synced_is_on_disk_after_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In segments before the last, too: nobody else would ever sync those."""
    fill(tmp_path, 2 * SEGMENT_ROWS).abandon()
    synced: set[int] = set()
    folders: list[Path] = []
    monkeypatch.setattr(Disk, "sync", lambda _disk, one: synced.add(os.fstat(one).st_ino))
    monkeypatch.setattr(Disk, "sync_directory", lambda _disk, one: folders.append(one))
    journal = open_journal(tmp_path)
    assert segment_path(tmp_path, 2).exists()
    assert {path.stat().st_ino for path in tmp_path.glob("*.journal")} <= synced
    assert folders == [tmp_path]
    journal.abandon()


def test_the_maker_never_replaces_a_segment(tmp_path: Path) -> None:
    target = tmp_path / "0000000002.journal"
    target.write_bytes(b"in use")
    Disk().make_segment(target, b"header", 8192, zeros=True)
    assert target.read_bytes() == b"in use"
    assert list(tmp_path.iterdir()) == [target]


def test_the_maker_clears_away_what_another_left_and_nothing_that_the_gateway_makes(
    tmp_path: Path,
) -> None:
    """A gateway that can't wait for the maker makes the same segment, at the same moment."""
    target = tmp_path / "0000000002.journal"
    ours, left_over = (tmp_path / f"{target.name}.{one}.making" for one in (os.getpid(), 4711))
    ours.write_bytes(b"ours")
    left_over.write_bytes(b"left over")
    making = maker.SegmentMaker(tmp_path)
    making.ask(target, b"header", 8192)
    wait_for(lambda: making.poll() == "")
    assert sorted(tmp_path.iterdir()) == [target, ours]
    making.close()


def test_a_maker_whose_gateway_is_gone_touches_nothing(tmp_path: Path) -> None:
    """The next gateway may be at work there by now."""
    target = tmp_path / "0000000002.journal"
    theirs = tmp_path / f"{target.name}.4711.making"
    theirs.write_bytes(b"theirs")
    making = maker.SegmentMaker(tmp_path)
    os.kill(making.process_id, signal.SIGSTOP)
    making.ask(target, b"header", 8192)
    assert making._process is not None
    making._release(making._process)
    os.kill(making.process_id, signal.SIGCONT)
    assert making._process.wait(10) == 0
    assert list(tmp_path.iterdir()) == [theirs]


def test_what_a_killed_maker_left_is_cleared_away(tmp_path: Path) -> None:
    fill(tmp_path, 1).close()
    left_over = tmp_path / "0000000002.journal.4711.making"
    left_over.write_bytes(bytes(10))
    open_journal(tmp_path).close()
    assert not left_over.exists()


def test_a_full_disk_refuses_orders_first_and_keeps_rows_for_cancels(tmp_path: Path) -> None:
    reserved = 40
    with file_size_limit(4096):
        journal = open_journal_with_room(tmp_path, reserved)
        engine = EchoEngine(journal.table)
        wait_for(lambda: journal._open_batch() or journal.trouble)
        assert journal.can_take_orders and "File too large" in journal.trouble
        while journal.can_take_orders:
            append_batch(journal, engine, 1)
        assert journal.table.tail + reserved >= SEGMENT_ROWS
        cancels = 0
        while journal.table.append_input(NEW_ORDER, 1):
            engine.run()
            last = journal.seal()
            cancels += 1
        assert cancels > 5
        with pytest.raises(JournalFullError, match="File too large"):
            journal.seal()
    # Room again: the journal goes on where it stood.
    assert journal.seal() == 0
    assert journal.can_take_orders
    assert journal.table.tail == SEGMENT_ROWS + 1
    append_batch(journal, engine, 1)
    journal.close()
    batches = recorded(tmp_path)
    assert batches[-2].is_roll and batches[-3].last_row == last


def open_journal_with_room(directory: Path, reserved: int) -> Journal:
    """One whose first segment stands already when the disk fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    fill(directory, 1).close()
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    return open_journal(directory, ahead=True, reserved_rows=reserved)


def test_the_end_of_the_reserved_addresses_is_a_full_disk(tmp_path: Path) -> None:
    journal = open_journal(tmp_path, reserve_bytes=2 * SEGMENT_ROWS * ROW_BYTES)
    engine = EchoEngine(journal.table)
    with pytest.raises(JournalFullError, match="address range ends at row 192"):
        while True:
            if journal.table.append_input(NEW_ORDER, 1):
                engine.run()
            journal.seal()
    assert not journal.can_take_orders
    journal.abandon()
    # The next start reserves what is there and a segment more.
    open_journal(tmp_path, reserve_bytes=4096).close()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    with pytest.raises(JournalLockedError, match=f"in use by another process \\({os.getpid()}\\)"):
        Journal.open(tmp_path, **OPTIONS)
    journal.close()
    open_journal(tmp_path).close()


def test_sync_covers_what_was_sealed_before_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path, sync="batch")
    engine = EchoEngine(journal.table)
    assert not journal.sync_needed
    first = append_batch(journal, engine, 2)
    assert journal.sync_needed and journal.synced_row == 0
    synced: list[int] = []

    def seal_meanwhile(_disk: Disk, descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        if len(synced) == 1:
            append_batch(journal, engine, 2)

    monkeypatch.setattr(Disk, "sync", seal_meanwhile)
    assert journal.sync() == journal.synced_row == first
    assert journal.sync_needed
    assert journal.sync() == journal.sealed_row
    assert not journal.sync_needed
    # Over a roll both files are synced, and the old one is let go.
    while journal.table.tail <= SEGMENT_ROWS:
        append_batch(journal, engine, 4)
    del synced[:]
    journal.sync()
    journal.sync()
    inodes = [segment_path(tmp_path, number).stat().st_ino for number in (1, 2)]
    assert synced == [inodes[0], inodes[1], inodes[1]]
    journal.close()


def test_the_interval_is_waited_for_and_none_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000]
    monkeypatch.setattr(writer.time, "monotonic_ns", lambda: now[0])
    journal = open_journal(tmp_path / "interval", sync="interval", sync_interval_ns=50)
    append_batch(journal, EchoEngine(journal.table), 1)
    assert not journal.sync_needed
    now[0] += 50
    assert journal.sync_needed
    journal.sync()
    append_batch(journal, EchoEngine(journal.table), 1)
    assert not journal.sync_needed
    journal.close()
    journal = open_journal(tmp_path / "none", sync="none")
    append_batch(journal, EchoEngine(journal.table), 1)
    now[0] += 1_000_000_000_000
    assert not journal.sync_needed
    journal.close()


def test_nothing_is_reached_through_a_table_whose_journal_is_closed(tmp_path: Path) -> None:
    journal = fill(tmp_path, 3)
    table = journal.table
    view = memoryview(table.words)
    assert table.row_words(1)[0]
    journal.close()
    with pytest.raises(IndexError):
        table.row_words(1)
    assert table.append_input(NEW_ORDER, 1) == 0
    assert view[0] == 0
    with pytest.raises(JournalError):
        journal.seal()


def test_rows_beyond_the_mapped_segments_read_as_empty(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    words = memoryview(journal.table.words)
    assert len(words) * 8 == OPTIONS["reserve_bytes"]
    assert words[-1] == 0
    journal.close()


def test_an_open_batch_is_not_closed_over(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.table.append_input(NEW_ORDER, 1)
    with pytest.raises(JournalError, match="not sealed"):
        journal.close()
    journal.abandon()
    journal.abandon()


def test_a_journal_is_not_written_before_it_is_recovered(tmp_path: Path) -> None:
    journal, _batches = Journal.open(tmp_path, **OPTIONS)
    with pytest.raises(JournalError, match="walked"):
        journal.seal()
    journal.abandon()


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"segment_rows": 97}, "multiple of 32"),
        ({"segment_rows": 32}, "two batches"),
        ({"sync": "often"}, "expected 'none', 'interval' or 'batch'"),
    ],
)
def test_unusable_options_are_refused(
    tmp_path: Path, option: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        Journal.open(tmp_path, **OPTIONS | option)


def test_a_new_directory_is_its_owners_alone(tmp_path: Path) -> None:
    journal, batches = Journal.open(tmp_path / "data", segment_rows=32768, ahead=False)
    list(batches)
    journal.close()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
