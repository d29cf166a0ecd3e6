"""Recovery: torn tails are cut and said, damage stops the start, nothing is lost in silence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from portcullis.journal.errors import DamageError, SegmentError
from portcullis.journal.reader import verify
from portcullis.journal.recovery import Batch
from portcullis.journal.rows import ROW_BYTES
from portcullis.journal.segments import list_segments, segment_path, write_header
from portcullis.journal.writer import Journal
from tests.support.journals import (
    OPTIONS,
    SEGMENT_ROWS,
    EchoEngine,
    append_batch,
    fill,
    open_journal,
    recorded,
    row_at,
)


@pytest.fixture
def killed(tmp_path: Path) -> tuple[Path, list[Batch]]:
    """A journal of three segments whose writer never closed it, and its batches."""
    directory = tmp_path / "killed"
    fill(directory, 42).abandon()
    batches = recorded(directory)
    assert batches[-1].last_row > 2 * SEGMENT_ROWS
    return directory, batches


def poke(directory: Path, row: int, at: int, octets: bytes) -> None:
    number, start = row_at(row)
    with segment_path(directory, number).open("rb+") as file:
        file.seek(start + at)
        file.write(octets)


def peek(directory: Path, row: int, at: int, size: int) -> bytes:
    number, start = row_at(row)
    with segment_path(directory, number).open("rb") as file:
        file.seek(start + at)
        return file.read(size)


def boot_anew(directory: Path) -> None:
    """The machine stops, and boots."""
    for header in list_segments(directory):
        write_header(directory, replace(header, boot_id=b"another boot id!"))


def refused(directory: Path) -> DamageError:
    """What a start says of damage; `verify` says the same."""
    with pytest.raises(DamageError) as caught:
        recorded(directory)
    found = verify(directory)
    assert (found.ending, found.row) == ("damage", caught.value.row), found
    assert not list(directory.glob("*.cut"))
    assert "--accept-loss" in str(caught.value) and "restore the file" in str(caught.value)
    return caught.value


def test_what_was_sealed_comes_back_in_order(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    sealed = [append_batch(journal, engine, 1 + number % 4) for number in range(40)]
    rows = {row: journal.table.row_words(row) for row in range(1, sealed[-1] + 1)}
    journal.abandon()
    journal, batches = Journal.open(tmp_path, **OPTIONS)
    found = []
    for batch in batches:
        for row in range(batch.first_row, batch.last_row + 1):
            assert journal.table.row_words(row) == rows[row]
        if not batch.is_roll:
            assert 2 * batch.input_rows == batch.last_row + 1 - batch.first_row
            found.append(batch.last_row)
    assert found == sealed
    assert journal.sealed_row == sealed[-1]
    assert append_batch(journal, engine, 2) > sealed[-1]
    journal.close()


def test_the_last_batch_cut_at_every_byte_is_a_torn_tail(
    killed: tuple[Path, list[Batch]], tmp_path: Path
) -> None:
    directory, batches = killed
    *before, last = batches
    size = (last.last_row + 1 - last.first_row) * ROW_BYTES
    whole = peek(directory, last.first_row, 0, size)
    # A killed process has written the CRC or not; of it, too, power may leave a part.
    for kept in range(size):
        poke(directory, last.first_row, 0, whole[:kept].ljust(size, b"\0"))
        assert kept == 0 or whole[:kept].strip(b"\0")
        if kept > size - 4:
            assert whole[size - 4 : kept].strip(b"\0")
            assert refused(directory).row == last.first_row
            boot_anew(directory)
        assert verify(directory).ending == ("unsealed" if kept else "clean")
        journal, walk = Journal.open(directory, **OPTIONS)
        assert list(walk) == before
        report = journal.report
        if kept == 0:
            assert report.cut_row == 0
        else:
            assert report.cut_row == last.first_row
            (cut,) = report.cut_files
            written = whole[:kept].rstrip(b"\0")
            rows = -(-len(written) // ROW_BYTES)
            assert report.cut_rows == rows
            assert cut.read_bytes() == written.ljust(rows * ROW_BYTES, b"\0")
            cut.unlink()
        assert journal.table.tail == last.first_row
        journal.note_run()
        journal.abandon()
        assert not peek(directory, last.first_row, 0, size).strip(b"\0")


@pytest.mark.parametrize("orders", [1, 3])
def test_a_kill_at_any_store_of_a_seal_leaves_a_torn_tail(tmp_path: Path, orders: int) -> None:
    journal = fill(tmp_path, 5)
    first = journal.table.tail
    last = append_batch(journal, EchoEngine(journal.table), orders)
    journal.abandon()
    batches = recorded(tmp_path)
    assert (batches[-1].first_row, batches[-1].last_row) == (first, last)
    whole = peek(tmp_path, first, 0, (last + 1 - first) * ROW_BYTES)
    # In the order of `RowTable.seal`: the mark, the first row's number, the time, then the CRC.
    seal = (last - first) * ROW_BYTES + 112
    stores = [slice(seal, seal + 8), slice(seal + 8, seal + 12), slice(120, 128)]
    torn = bytearray(whole)
    for store in [*stores, slice(seal + 12, seal + 16)]:
        torn[store] = bytes(store.stop - store.start)
    for store in stores:
        poke(tmp_path, first, 0, bytes(torn))
        assert verify(tmp_path).ending == "unsealed"
        journal = open_journal(tmp_path)
        assert journal.report.cut_row == first
        journal.abandon()
        torn[store] = whole[store]
    poke(tmp_path, first, 0, whole)
    assert recorded(tmp_path) == batches


def test_any_byte_changed_in_the_last_batch_is_damage_unless_the_machine_has_stopped(
    killed: tuple[Path, list[Batch]],
) -> None:
    directory, batches = killed
    *before, last = batches
    size = (last.last_row + 1 - last.first_row) * ROW_BYTES
    whole = peek(directory, last.first_row, 0, size)
    for at in range(size):
        poke(directory, last.first_row, at, bytes([whole[at] ^ 0x10]))
        error = refused(directory)
        assert error.row == last.first_row
        assert "it was sealed, and the machine has not stopped since" in str(error)
        poke(directory, last.first_row, at, whole[at : at + 1])
    assert recorded(directory) == batches
    for at in range(0, size, 7):
        boot_anew(directory)
        poke(directory, last.first_row, 0, whole)
        poke(directory, last.first_row, at, bytes([whole[at] ^ 0x10]))
        assert verify(directory).ending == "unsealed"
        journal, walk = Journal.open(directory, **OPTIONS)
        assert list(walk) == before
        assert journal.report.cut_row == last.first_row
        journal.report.cut_files[0].unlink()
        journal.abandon()


def test_any_byte_changed_before_the_last_batch_is_damage_and_names_the_row(
    killed: tuple[Path, list[Batch]], seed: int
) -> None:
    directory, batches = killed
    for index, batch in enumerate(batches[:-1]):
        size = (batch.last_row + 1 - batch.first_row) * ROW_BYTES
        # Every byte of a few batches, one that rolls among them; then one byte in 61.
        step = 1 if index in (0, 17) or batch.is_roll else 61
        for at in range(seed % step, size, step):
            (byte,) = peek(directory, batch.first_row, at, 1)
            poke(directory, batch.first_row, at, bytes([byte ^ 1 << (seed + at) % 8]))
            with pytest.raises(DamageError) as caught:
                recorded(directory)
            assert caught.value.row == batch.first_row, f"byte {at} of the batch"
            assert f"row {batch.first_row}" in str(caught.value)
            poke(directory, batch.first_row, at, bytes([byte]))
    assert recorded(directory) == batches
    assert not list(directory.glob("*.cut"))


def test_accepting_the_loss_cuts_at_the_damage_and_keeps_all_that_is_cut(
    killed: tuple[Path, list[Batch]],
) -> None:
    directory, batches = killed
    bad = batches[7]
    second = segment_path(directory, 2).read_bytes()
    poke(directory, bad.first_row, 20, b"\xff")
    start = row_at(bad.first_row)[1]
    first = segment_path(directory, 1).read_bytes()[start:]
    journal, walk = Journal.open(directory, **OPTIONS, accept_loss=True)
    assert list(walk) == batches[:7]
    report = journal.report
    assert report.cut_row == bad.first_row
    cut = {path.name: path.read_bytes() for path in report.cut_files}
    assert first.startswith(cut[f"0000000001-{bad.first_row}.cut"])
    assert not first[len(cut[f"0000000001-{bad.first_row}.cut"]) :].strip(b"\0")
    assert cut[f"0000000002-{SEGMENT_ROWS + 1}.cut"] == second
    assert len(cut) == 3
    append_batch(journal, EchoEngine(journal.table), 3)
    journal.close()
    assert recorded(directory)[:7] == batches[:7]
    assert len(recorded(directory)) == 8


def test_a_batch_of_another_chain_is_damage(
    killed: tuple[Path, list[Batch]], tmp_path: Path
) -> None:
    directory, _batches = killed
    other = tmp_path / "other"
    journal = open_journal(other)
    engine = EchoEngine(journal.table)
    journal.table.time_ns = 5
    for number in range(42):
        append_batch(journal, engine, 1 + number % 4)
    journal.abandon()
    shutil.copy(segment_path(other, 2), segment_path(directory, 2))
    with pytest.raises(DamageError, match="does not follow") as caught:
        recorded(directory)
    assert caught.value.row == SEGMENT_ROWS + 1


def test_zeroed_rows_before_a_valid_batch_are_damage(killed: tuple[Path, list[Batch]]) -> None:
    directory, batches = killed
    bad = batches[-3]
    poke(directory, bad.first_row, 0, bytes((bad.last_row + 1 - bad.first_row) * ROW_BYTES))
    with pytest.raises(DamageError) as caught:
        recorded(directory)
    assert caught.value.row == bad.first_row


def test_a_zeroed_segment_is_damage_where_the_journal_goes_on(
    killed: tuple[Path, list[Batch]],
) -> None:
    directory, _batches = killed
    path = segment_path(directory, 2)
    path.write_bytes(path.read_bytes()[:4096].ljust(path.stat().st_size, b"\0"))
    with pytest.raises(DamageError) as caught:
        recorded(directory)
    assert caught.value.row == SEGMENT_ROWS + 1


def test_rows_of_an_older_segment_are_no_batches(killed: tuple[Path, list[Batch]]) -> None:
    directory, batches = killed
    first = segment_path(directory, 1).read_bytes()
    last = segment_path(directory, 3)
    last.write_bytes(last.read_bytes()[:4096] + first[4096:])
    kept = [batch for batch in batches if batch.last_row <= 2 * SEGMENT_ROWS]
    assert refused(directory).row == 2 * SEGMENT_ROWS + 1  # no kill leaves that
    boot_anew(directory)
    journal, walk = Journal.open(directory, **OPTIONS)
    assert list(walk) == kept
    assert journal.report.cut_row == 2 * SEGMENT_ROWS + 1
    journal.abandon()


def test_garbage_far_beyond_the_end_is_cut_too(killed: tuple[Path, list[Batch]]) -> None:
    directory, batches = killed
    poke(directory, 3 * SEGMENT_ROWS, 127, b"x")
    journal, walk = Journal.open(directory, **OPTIONS)
    assert list(walk) == batches
    assert journal.report.cut_row == batches[-1].last_row + 1
    assert not peek(directory, 3 * SEGMENT_ROWS, 127, 1).strip(b"\0")
    journal.abandon()


def test_a_row_behind_the_roll_row_is_damage(killed: tuple[Path, list[Batch]]) -> None:
    directory, batches = killed
    roll = next(batch for batch in batches if batch.is_roll)
    assert roll.last_row < SEGMENT_ROWS
    poke(directory, SEGMENT_ROWS, 3, b"x")
    with pytest.raises(DamageError, match="closed the segment"):
        recorded(directory)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_segment_is_named(killed: tuple[Path, list[Batch]], number: int) -> None:
    directory, _batches = killed
    segment_path(directory, number).unlink()
    with pytest.raises(SegmentError, match=f"segment {number} is missing"):
        recorded(directory)


def test_a_journal_that_lost_all_its_segments_does_not_begin_anew(
    killed: tuple[Path, list[Batch]],
) -> None:
    directory, _batches = killed
    for path in directory.glob("*.journal"):
        path.unlink()
    with pytest.raises(SegmentError, match="lost all its segments"):
        open_journal(directory)


def test_a_renamed_segment_is_named(killed: tuple[Path, list[Batch]]) -> None:
    directory, _batches = killed
    segment_path(directory, 3).rename(segment_path(directory, 4))
    with pytest.raises(SegmentError, match="holds segment 3: the file has been renamed"):
        recorded(directory)


def test_a_segment_cut_short_is_named(killed: tuple[Path, list[Batch]]) -> None:
    directory, _batches = killed
    with segment_path(directory, 2).open("rb+") as file:
        file.truncate(4096 + 50 * ROW_BYTES)
    with pytest.raises(SegmentError, match="expected 16384"):
        recorded(directory)


def test_another_engine_version_can_not_replay(killed: tuple[Path, list[Batch]]) -> None:
    directory, _batches = killed
    with pytest.raises(SegmentError, match="engine version 1; version 2 can't replay"):
        recorded(directory, engine_version=2)


def test_rows_lost_after_a_clean_stop_are_damage(tmp_path: Path) -> None:
    journal = fill(tmp_path, 9)
    last = journal.sealed_row
    journal.close()
    batches = recorded(tmp_path)
    # The last walk reopened the journal, so close it in order once more.
    open_journal(tmp_path).close()
    first = batches[-1].first_row
    whole = peek(tmp_path, first, 0, (last + 1 - first) * ROW_BYTES)
    boot_anew(tmp_path)  # a clean stop is one, whatever came after
    for left in (bytes(len(whole)), b"x" + whole[1:], whole[:-ROW_BYTES] + bytes(ROW_BYTES)):
        poke(tmp_path, first, 0, left)
        error = refused(tmp_path)
        assert error.row == first and f"closed at row {last}" in str(error)
    poke(tmp_path, first, 0, bytes(len(whole)))
    journal = open_journal(tmp_path, accept_loss=True)
    assert journal.report.cut_row == first  # said, though nothing is left to be kept
    assert journal.report.cut_files == []
    assert f"from row {first} on are empty" in str(journal.report)
    journal.abandon()


def test_what_is_written_behind_a_clean_stop_is_damage(tmp_path: Path) -> None:
    journal = fill(tmp_path, 9)
    last = journal.sealed_row
    journal.close()
    poke(tmp_path, last + 1, 5, b"x")
    error = refused(tmp_path)
    assert error.row == last + 1 and f"closed at row {last}" in str(error)


def test_the_report_tells_a_clean_stop_from_a_kill(tmp_path: Path) -> None:
    fill(tmp_path, 3).close()
    journal = open_journal(tmp_path)
    assert journal.report.clean_stop and journal.report.same_boot
    journal.abandon()
    journal = open_journal(tmp_path)
    assert not journal.report.clean_stop and journal.report.same_boot
    journal.close()


def test_a_second_cut_at_the_same_row_gets_a_name_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path, 3).abandon()
    names = []
    for _ in range(2):
        row = recorded(tmp_path)[-1].last_row + 1
        poke(tmp_path, row, 0, b"torn")
        journal = open_journal(tmp_path)
        names += [path.name for path in journal.report.cut_files]
        journal.abandon()
    assert names == [f"0000000001-{row}.cut", f"0000000001-{row}-2.cut"]
