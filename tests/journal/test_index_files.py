"""Files of anchors: what they say is used where it is so, and rows are asked where it is not."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.journal import index as index_module
from portcullis.journal import index_files
from portcullis.journal.index import SessionIndex
from portcullis.journal.index_files import FOLDER, FORM, IndexFiles, IndexSweep, drop_before
from portcullis.journal.rows import RESET, W_NEXT_OUT
from portcullis.journal.sections import read_sections, write_sections
from portcullis.journal.segments import segment_path
from tests.support.index_walks import check_walks
from tests.support.journals import SEGMENT_ROWS, EchoEngine, append_batch, open_journal, row_at

# Neither a segment's, nor a part of one.
BLOCK_ROWS = 80
SESSIONS = 8
BATCHES = 300


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_files, "BLOCK_ROWS", BLOCK_ROWS)


class Indexed:
    """A journal, and an index of it that has observed each batch."""

    def __init__(self, directory: Path) -> None:
        self.journal = open_journal(directory)
        self.table = self.journal.table
        self.files = IndexFiles(directory)
        self.index = SessionIndex(self.table, session_capacity=SESSIONS, files=self.files)
        self._engine = EchoEngine(self.table)

    def append(self, batches: int, draw: random.Random) -> None:
        for _ in range(batches):
            first = self.table.batch_first
            self.index.observe(first, append_batch(self.journal, self._engine, draw.randint(1, 4)))

    def sweep(self) -> None:
        sweep = IndexSweep(self.files, self.table, SESSIONS)
        for _ in range(self.table.tail // BLOCK_ROWS + 1):
            sweep.go_on(self.table.batch_first)

    def entries(self) -> list[bytes | None]:
        """What the files of all blocks say, as far as they are good."""
        found = [self.files.read(one, self.table) for one in range(self.table.tail // BLOCK_ROWS)]
        return [None if one is None else one.tobytes() for one in found]

    def again(self) -> SessionIndex:
        """An index that takes what a snapshot of now has, and begins with the next batch."""
        index = SessionIndex(self.table, session_capacity=SESSIONS, files=self.files)
        index.load(*(memoryview(bytes(section)) for _, section in self.index.save()))
        return index


@pytest.fixture
def indexed(tmp_path: Path, seed: int) -> Iterator[Indexed]:
    made = Indexed(tmp_path)
    made.append(BATCHES, random.Random(seed))
    yield made
    made.journal.abandon()


def paths(directory: Path) -> list[Path]:
    return sorted((directory / FOLDER).iterdir())


def check(indexed: Indexed, index: SessionIndex) -> None:
    for session in (1, 2, 3):
        check_walks(index, indexed.table, session)


def test_numbers_are_found_in_memory_in_files_and_behind_a_snapshot(
    indexed: Indexed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(indexed, indexed.index)
    indexed.sweep()
    complete = (indexed.table.tail - 1) // BLOCK_ROWS
    assert len(paths(tmp_path)) >= complete - 1
    monkeypatch.setattr(index_module, "anchors_of", None)  # files have all that is asked
    again, first = indexed.again(), indexed.table.batch_first
    indexed.append(1, random.Random(2))
    again.observe(first, indexed.journal.sealed_row)
    indexed.index.forget()
    check(indexed, indexed.index)
    check(indexed, again)
    indexed.append(60, random.Random(1))
    indexed.sweep()
    check(indexed, indexed.index)


def test_a_file_is_a_function_of_its_rows(indexed: Indexed, tmp_path: Path) -> None:
    indexed.sweep()
    before = {path: path.read_bytes() for path in paths(tmp_path)}
    for path in before:
        path.unlink()
    indexed.sweep()
    assert {path: path.read_bytes() for path in paths(tmp_path)} == before


def test_whatever_the_files_hold_numbers_are_found_and_the_files_made_anew(
    indexed: Indexed, tmp_path: Path, seed: int
) -> None:
    """Bits turned, cut, empty, pages of nothing, another block's, no file at all."""
    draw = random.Random(seed)
    indexed.sweep()
    whole = {path: path.read_bytes() for path in paths(tmp_path)}
    entries = indexed.entries()
    for _ in range(6):
        for path, octets in whole.items():
            damaged = bytearray(octets)
            match draw.randrange(7):
                case 0:
                    damaged[draw.randrange(len(octets.rstrip(b"\0")))] ^= 1 << draw.randrange(8)
                case 1:
                    del damaged[draw.randrange(len(octets)) :]
                case 2:
                    page = 4096 * draw.randrange(len(octets) // 4096)
                    damaged[page : page + 4096] = bytes(4096)
                case 3:
                    damaged[:] = draw.choice(list(whole.values()))
                case 4:
                    damaged.clear()
                case 5:
                    path.unlink()
                    continue
            path.write_bytes(damaged)
        check(indexed, indexed.again())
        indexed.sweep()
        assert indexed.entries() == entries


def test_files_of_rows_that_a_cut_took_are_not_believed(
    indexed: Indexed, tmp_path: Path, seed: int
) -> None:
    """The machine stopped: files are of rows that it lost, and others came in their place."""
    indexed.sweep()
    before = {path.name: path.read_bytes() for path in paths(tmp_path)}
    sealed = {path.name: read_sections(path, FORM)[0]["sealed_row"] for path in paths(tmp_path)}
    indexed.journal.abandon()
    cut = 4 * SEGMENT_ROWS + 9
    number, at = row_at(cut)
    octets = segment_path(tmp_path, number).read_bytes()
    segment_path(tmp_path, number).write_bytes(octets[:at] + bytes(len(octets) - at))
    for later in sorted(tmp_path.glob("*.journal"))[number:]:
        later.unlink()
    (tmp_path / "other").mkdir()
    other = Indexed(tmp_path)
    assert 0 < other.journal.sealed_row < cut
    left = [name for name, row in sealed.items() if row <= other.journal.sealed_row]
    for first in range(1, other.journal.sealed_row + 1):
        other.index.observe(first, first)
    other._engine._chains = {
        session: (other.index.head_seq(session), other.index.head_row(session))
        for session in (1, 2, 3)
    }
    other.table.time_ns += 77  # no batch is what it was
    other.append(BATCHES, random.Random(seed + 1))
    check(other, other.again())
    other.sweep()
    kept = [path.name for path in paths(tmp_path) if before.get(path.name) == path.read_bytes()]
    assert left and kept == left
    check(other, other.again())
    other.journal.abandon()


def test_what_a_good_file_says_is_asked_of_the_rows(
    indexed: Indexed, tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    indexed.sweep()
    for path in paths(tmp_path):
        meta, sections = read_sections(path, FORM)
        words = array("q", sections["anchors"].tobytes())
        for at in range(2, len(words), 3):
            words[at] += draw.choice((-1, 1, 0, -500, 1 << 40))
        if draw.random() < 0.3:
            words = array("q", [draw.randint(-9, 1 << 20) for _ in words])
        write_sections(path, FORM, meta, [("anchors", memoryview(words))], durable=False)
    index = indexed.again()
    check(indexed, index)
    check(indexed, index)


def test_epochs_in_one_block_are_told_apart(indexed: Indexed) -> None:
    table, draw = indexed.table, random.Random(4)
    for _ in range(12):
        table.append_input(RESET, 1, words={W_NEXT_OUT: 1})
        indexed.index.observe(table.batch_first, indexed.journal.seal())
        indexed._engine._chains.pop(1)
        indexed.append(draw.randint(1, 30), draw)
        check(indexed, indexed.index)
    indexed.sweep()
    indexed.index.forget()
    check(indexed, indexed.index)
    check(indexed, indexed.again())


def test_files_go_with_the_rows_that_they_are_about(indexed: Indexed, tmp_path: Path) -> None:
    indexed.sweep()
    (tmp_path / FOLDER / "sessions-left.making").write_bytes(b"x")
    count = len(paths(tmp_path)) - 1
    row = 3 * BLOCK_ROWS + 5
    drop_before(tmp_path, row)
    assert len(paths(tmp_path)) == count - 3
    indexed.table.oldest_row = row
    indexed.index.forget()
    check(indexed, indexed.index)
    check(indexed, indexed.again())


def test_blocks_whose_rows_are_gone_before_the_sweep_came_to_them_are_passed_over(
    indexed: Indexed, tmp_path: Path
) -> None:
    sweep = IndexSweep(indexed.files, indexed.table, SESSIONS)
    sweep.go_on(indexed.table.batch_first)
    indexed.table.oldest_row = 3 * BLOCK_ROWS + 5
    sweep.go_on(indexed.table.batch_first)
    names = [path.name for path in paths(tmp_path)]
    assert names == ["sessions-0000000000.index", "sessions-0000000003.index"]
    indexed.index.forget()
    check(indexed, indexed.again())


def test_a_disk_that_is_full_costs_the_files_and_nothing_else(
    indexed: Indexed, tmp_path: Path
) -> None:
    (tmp_path / FOLDER).write_bytes(b"no folder")
    indexed.sweep()
    indexed.index.forget()
    check(indexed, indexed.index)


def test_rows_that_are_not_sealed_for_good_have_no_file(tmp_path: Path) -> None:
    made = Indexed(tmp_path)
    made.append(40, random.Random(1))
    for end_row in (1, BLOCK_ROWS):
        assert not made.files.write(0, made.table, end_row, SESSIONS)
    assert made.files.read(0, made.table) is None
    assert made.files.write(0, made.table, made.table.batch_first, SESSIONS)
    assert made.files.read(0, made.table) is not None
    made.journal.abandon()
