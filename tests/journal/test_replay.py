"""Replay: the same rows again, or the start ends with both rows named."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcullis.journal.errors import ReplayDifference
from portcullis.journal.replay import replay
from portcullis.journal.rows import NEW_ORDER, REPORT, ROW_WORDS, W_CAUSE, W_QTY, W_SEALED
from portcullis.journal.segments import segment_path
from portcullis.journal.table import RowTable
from portcullis.journal.writer import Journal
from tests.support.journals import OPTIONS, EchoEngine, append_batch, open_journal


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A journal of three segments with text rows; the batches differ in every way."""
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    journal.table.time_ns = 10**18
    for number in range(30):
        append_batch(journal, engine, 1 + number % 4, text=b"x" * 90 if number % 3 == 0 else b"")
    journal.table.append_input(1, 1)
    journal.seal()  # inputs alone: nothing came of them
    journal.close()
    return tmp_path


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes()[4096:] for path in directory.glob("*.journal")}


class Different(EchoEngine):
    """An engine whose answers change from some row on."""

    def __init__(self, table: RowTable, mischief: int, row: int) -> None:
        super().__init__(table)
        self.mischief, self.row, self.rows = mischief, row, table

    def run(self) -> int:
        super().run()
        table = self.rows
        if table.tail > self.row:
            if self.mischief == 0:
                memoryview(table.words)[(table.tail - 2) * ROW_WORDS + W_QTY] += 1
            else:
                table.tail += self.mischief
        return 0


class Silent(EchoEngine):
    """Makes nothing of the inputs at the journal's end."""

    def run(self) -> int:
        table = self._table
        return super().run() if table.row_words(table.tail - 1)[W_QTY] else 0


class Late(EchoEngine):
    """Answers what came in the batch before."""

    def run(self) -> int:
        table = self._table
        words = memoryview(table.words)
        for row in range(table.batch_first - 3, table.batch_first):
            if row > 0 and words[(row - 1) * ROW_WORDS] & 0xFF == NEW_ORDER:
                place = (table.tail - 1) * ROW_WORDS
                words[place], words[place + 1], words[place + W_CAUSE] = REPORT, table.time_ns, row
                table.tail += 1
        return 0


def test_a_batch_of_outputs_alone_replays_though_its_first_row_says_when_it_was_sealed(
    tmp_path: Path,
) -> None:
    journal = open_journal(tmp_path)
    engine, table = Late(journal.table), journal.table
    table.time_ns = 10**18
    for _ in range(3):
        table.append_input(NEW_ORDER, 1)
    engine.run()
    journal.seal(10**18 + 5)
    engine.run()
    assert journal.seal(10**18 + 7) == 6
    journal.close()
    before = files(tmp_path)
    journal, batches = Journal.open(tmp_path, **OPTIONS)
    walked = list(replay(journal.table, Late(journal.table), batches))
    assert [(batch.input_rows, batch.last_row) for batch in walked] == [(3, 3), (0, 6)]
    assert [journal.table.word(row, W_SEALED) - 10**18 for row in (1, 4)] == [5, 7]
    journal.abandon()
    assert files(tmp_path) == before


def test_replay_makes_the_same_rows_and_the_file_keeps_its_bytes(stopped: Path) -> None:
    before = files(stopped)
    journal, batches = Journal.open(stopped, **OPTIONS)
    walked = list(replay(journal.table, Silent(journal.table), batches))
    assert len(walked) == 31 + 2
    assert journal.table.time_ns == 10**18 + 30_000
    assert files(stopped) == before
    rows = bytes(memoryview(journal.table.octets)[: 96 * 128])
    assert rows == before[segment_path(stopped, 1).name]
    journal.abandon()
    assert files(stopped) == before


@pytest.mark.parametrize(
    ("mischief", "text"),
    [
        (0, r"recorded \[\d+, .*\], made \[\d+, "),
        (1, "recorded no row, made"),
        (-1, "made no row"),
    ],
)
def test_a_difference_names_the_row_and_changes_no_file(
    stopped: Path, mischief: int, text: str
) -> None:
    before = files(stopped)
    journal, batches = Journal.open(stopped, **OPTIONS)
    engine = Different(journal.table, mischief, 100)
    with pytest.raises(ReplayDifference, match=text) as caught:
        for batch in replay(journal.table, engine, batches):
            last = batch.last_row
    assert last < caught.value.row
    assert 100 <= caught.value.row <= 100 + 16
    journal.abandon()
    assert files(stopped) == before


def test_a_replayed_journal_goes_on_where_it_stood(stopped: Path) -> None:
    journal, batches = Journal.open(stopped, **OPTIONS)
    engine = Silent(journal.table)
    for _batch in replay(journal.table, engine, batches):
        pass
    append_batch(journal, engine, 2)
    journal.close()
    journal, batches = Journal.open(stopped, **OPTIONS)
    assert len(list(replay(journal.table, Silent(journal.table), batches))) == 34
    journal.close()
