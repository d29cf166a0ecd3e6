"""Following a journal while it is written: every sealed row once, in order, across segments."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, cast

import pytest
from crc32c import crc32c

from portcullis.journal.errors import DamageError, SegmentError
from portcullis.journal.reader import batch_at
from portcullis.journal.rows import ROW_BYTES
from portcullis.journal.segments import segment_path
from portcullis.journal.tail import JournalTail
from tests.support.journals import (
    SEGMENT_ROWS,
    EchoEngine,
    append_batch,
    fill,
    open_journal,
    recorded,
    row_at,
)


def test_what_is_sealed_comes_once_and_in_order(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    tail = JournalTail(tmp_path)
    assert list(tail.batches(1000)) == []
    engine = EchoEngine(journal.table)
    seen: list[tuple[int, int]] = []
    for number in range(60):
        append_batch(journal, engine, 1 + number % 4)
        seen += [(batch.first_row, batch.row_count) for batch in tail.batches(1000)]
    journal.close()
    assert seen == [
        (batch.first_row, batch.last_row + 1 - batch.first_row) for batch in recorded(tmp_path)
    ]


def test_a_reader_takes_no_more_than_it_asked_for_and_goes_on_there(tmp_path: Path) -> None:
    journal = fill(tmp_path, 40)
    tail = JournalTail(tmp_path)
    rows = []
    while taken := [batch.row_count for batch in tail.batches(8)]:
        assert sum(taken) < 8 + 16
        rows += taken
    again = JournalTail(tmp_path, 1 + rows[0])
    assert sum(batch.row_count for batch in again.batches(10_000)) == sum(rows[1:])
    journal.abandon()


def test_a_reader_skips_to_behind_a_batch_that_has_the_crc_it_is_told(tmp_path: Path) -> None:
    journal = fill(tmp_path, 60)
    batches = recorded_while_open(tmp_path)
    for batch, (next_row, crc) in batches.items():
        tail = JournalTail(tmp_path)
        for other_row, other_crc in ((batch, crc ^ 1), (batch + 1, crc), (1 << 40, crc), (0, crc)):
            assert not tail.skip_to(other_row, other_crc)
            assert (tail.next_row, tail.crc) == (1, 0)
        assert tail.skip_to(batch, crc)
        assert tail.next_row == next_row
        rest = [one.first_row for one in tail.batches(10_000)]
        assert rest == [row for row in batches if row > batch]
    journal.abandon()


def recorded_while_open(directory: Path) -> dict[int, tuple[int, int]]:
    """By a batch's first row: the row behind it, and its CRC."""
    tail = JournalTail(directory)
    found = {}
    while rows := [batch.first_row for batch in tail.batches(1)]:
        assert tail.crc is not None
        found[rows[0]] = (tail.next_row, tail.crc)
    return found


class Watched(bytearray):
    """Bytes that count how often somebody looks."""

    looks = 0

    def __getitem__(self, place: Any) -> Any:
        self.looks += 1
        return super().__getitem__(place)


def test_a_look_where_nothing_is_written_yet_costs_next_to_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    header = JournalTail(tmp_path).segment
    rows = Watched(segment_path(tmp_path, 1).read_bytes())
    assert batch_at(cast(mmap.mmap, rows), header, 1, crc32c) is None
    assert rows.looks == 1
    journal.abandon()


def test_a_batch_that_is_being_written_is_not_there_yet(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    append_batch(journal, engine, 1)
    tail = JournalTail(tmp_path)
    assert len(list(tail.batches(100))) == 1
    table = journal.table
    table.append_input(1, 1)
    engine.run()
    assert list(tail.batches(100)) == []
    journal.seal()
    assert len(list(tail.batches(100))) == 1
    journal.abandon()


def test_a_broken_chain_is_damage_and_a_missing_segment_is_named(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    for _ in range(2):
        append_batch(journal, engine, 1)
    first = bytes(journal.table.octets[: 2 * ROW_BYTES])
    journal.close()
    tail = JournalTail(tmp_path)
    reader = tail.batches(1000)
    next(reader)
    # A batch good in itself, but of another journal.
    segment, at = row_at(3)
    path = tmp_path / f"{segment:010d}.journal"
    other = open_journal(tmp_path / "other")
    engine = EchoEngine(other.table)
    for number in range(2):
        other.table.time_ns += 77
        append_batch(other, engine, 1 + number)
    foreign = bytes(other.table.octets[2 * ROW_BYTES : 6 * ROW_BYTES])
    other.abandon()
    assert first != bytes(len(first))
    with path.open("rb+") as file:
        file.seek(at)
        file.write(foreign)
    with pytest.raises(DamageError, match="row 3"):
        list(reader)
    with pytest.raises(SegmentError, match="row 4000"):
        JournalTail(tmp_path, 4000)


def test_what_the_writer_has_sealed_and_is_no_good_batch_is_damage(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    for _ in range(3):
        append_batch(journal, engine, 1)
    tail = JournalTail(tmp_path)
    segment, at = row_at(3)
    octets = memoryview(journal.table.octets)
    octets[at - 4096 + 9] ^= 1
    assert [batch.first_row for batch in tail.batches(1000)] == [1]
    assert tail.is_damaged() and tail.next_row == 3
    octets[at - 4096 + 9] ^= 1
    assert not tail.is_damaged()
    assert [batch.first_row for batch in tail.batches(1000)] == [3, 5]
    while journal.sealed_row <= SEGMENT_ROWS:
        append_batch(journal, engine, 1)
    second = tmp_path / f"{segment + 1:010d}.journal"
    header = second.read_bytes()[:1]
    with second.open("rb+") as file:
        file.write(b"x")
    with pytest.raises(DamageError, match=f"{second.name}: not a journal segment") as raised:
        list(tail.batches(1000))
    assert raised.value.row == tail.next_row == SEGMENT_ROWS + 1
    with second.open("rb+") as file:
        file.write(header)
    assert not tail.is_damaged()
    second.rename(tmp_path / "away")
    lost = JournalTail(tmp_path)
    list(lost.batches(1000))
    assert lost.is_damaged() and lost.next_row == SEGMENT_ROWS + 1
    journal.abandon()
