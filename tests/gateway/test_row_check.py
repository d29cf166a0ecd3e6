"""Damage in rows that no start reads is found, and what is pruned meanwhile is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.gateway import row_check
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.followers import Followed
from portcullis.gateway.row_check import RowCheck
from portcullis.journal.reader import verify
from portcullis.journal.retention import FOLLOWERS, prune
from portcullis.journal.segments import list_segments, segment_path
from tests.support.journals import SEGMENT_ROWS, fill, recorded, row_at, turn_a_bit

SLICE_ROWS, BATCH_ROWS = 40, 8
POLLS_MOST = 100


class Checking:
    """A check of all rows that are sealed now, at work as the back office has it.

    told: what it has ended with.
    """

    def __init__(self, data: Path, end_row: int) -> None:
        self.told: list[int] = []
        self.followed = Followed(
            RowCheck.name,
            lambda next_row: RowCheck(next_row, end_row, self.told.append),
            data,
            EventLog(os.open(os.devnull, os.O_WRONLY)),
            keeps_place=False,
        )

    def end(self) -> list[int]:
        """Go on until it has ended."""
        for _ in range(POLLS_MOST):
            assert self.followed.poll() < SLICE_ROWS + BATCH_ROWS
            self.followed.keep()
            self.followed.sealed_row = 1 << 40
            assert not self.followed.trouble and not self.followed.damaged_row
            if self.told:
                return self.told
        raise AssertionError("it has not ended")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A journal of some segments that nobody writes, and slices to match."""
    monkeypatch.setattr(row_check, "ROWS_A_POLL", SLICE_ROWS)
    fill(tmp_path, 240).close()
    assert len(list_segments(tmp_path)) > 10
    yield tmp_path
    assert not (tmp_path / FOLLOWERS).exists(), "a cursor would hold rows back"


def test_damage_anywhere_is_told_with_its_row_and_a_good_journal_is_not(data: Path) -> None:
    batches = recorded(data)
    end_row = batches[-1].last_row + 1
    assert Checking(data, end_row).end() == [0]
    for batch in batches[::7]:
        number, at = row_at(batch.last_row)
        turn_a_bit(segment_path(data, number), at + 9)
        assert Checking(data, end_row).end() == [batch.first_row]
        if batch is not batches[-1]:
            assert verify(data).row == batch.first_row
        # Behind where others begin it is theirs.
        assert Checking(data, batch.first_row).end() == [0]
        turn_a_bit(segment_path(data, number), at + 9)


@pytest.mark.parametrize("name", ["missing", "unusable"])
def test_a_segment_missing_or_unusable_behind_another_is_damage(data: Path, name: str) -> None:
    checking = Checking(data, recorded(data)[-1].last_row + 1)
    checking.followed.poll()
    path = segment_path(data, 3)
    if name == "missing":
        path.unlink()
    else:
        turn_a_bit(path, 30)
    assert checking.end() == [2 * SEGMENT_ROWS + 1]


def test_what_is_pruned_meanwhile_is_let_go_of_and_no_concern_of_it(data: Path) -> None:
    headers, end_row = list_segments(data), recorded(data)[-1].last_row + 1
    for polls, gone in ((1, 1), (1, 2), (3, 4)):
        checking = Checking(data, end_row)
        for _ in range(polls):
            checking.followed.poll()
        turn_a_bit(segment_path(data, headers[0].number), 5000)  # it was read, or goes unread
        for _header in prune(data, headers[:gone]):
            pass
        checking.followed.poll()
        maps = Path("/proc/self/maps").read_text()
        assert str(segment_path(data, headers[gone - 1].number)) not in maps
        assert checking.end() == [0]
        del headers[:gone]
