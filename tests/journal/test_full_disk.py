"""The disk is full from any batch on: orders end first, cancels later, and nothing is lost."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import cast

import pytest

from portcullis.journal.disk import Disk
from portcullis.journal.errors import JournalFullError
from portcullis.journal.maker import SegmentMaker
from portcullis.journal.reader import verify
from portcullis.journal.rows import NEW_ORDER
from portcullis.journal.segments import list_segments
from tests.support.journals import (
    BATCH_ROWS,
    SEGMENT_ROWS,
    EchoEngine,
    append_batch,
    open_journal,
    recorded,
)

RESERVED = 3 * BATCH_ROWS
# Batches of two orders, four rows: enough for two segments and a part of the third.
BATCHES = 2 * SEGMENT_ROWS // 4 + 4


class FullDisk(Disk):
    """A disk that can be full: then no segment is made, neither ahead nor at once."""

    is_full = False

    def make_segment(self, target: Path, header: bytes, size: int, *, zeros: bool) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().make_segment(target, header, size, zeros=zeros)

    def segment_maker(self, directory: Path) -> SegmentMaker:
        return cast(SegmentMaker, _Maker(self))


class _Maker:
    """Makes segments as the helper process does, when it is asked how far it is."""

    def __init__(self, disk: FullDisk) -> None:
        self._disk = disk
        self._asked: tuple[Path, bytes, int] | None = None

    def ask(self, target: Path, header: bytes, size: int) -> None:
        self._asked = (target, header, size)

    def poll(self) -> str:
        assert self._asked is not None
        try:
            self._disk.make_segment(*self._asked, zeros=True)
        except OSError as error:
            return error.strerror or ""
        return ""

    def close(self) -> None:
        pass


def test_whenever_it_fills_up_orders_end_before_cancels_and_both_go_on(tmp_path: Path) -> None:
    for full_at in range(BATCHES):
        directory, disk = tmp_path / str(full_at), FullDisk()
        journal = open_journal(directory, ahead=True, reserved_rows=RESERVED, disk=disk)
        engine, batches = EchoEngine(journal.table), 0
        while journal.can_take_orders and batches < BATCHES:
            disk.is_full = batches >= full_at
            append_batch(journal, engine, 2)
            batches += 1
        last, cancels = journal.sealed_row, 0
        segment = list_segments(directory)[-1]
        if not journal.can_take_orders:
            assert segment.end_row - journal.table.tail > RESERVED - BATCH_ROWS
            assert "No space left" in journal.trouble
            while journal.table.append_input(NEW_ORDER, 1):
                engine.run()
                last = journal.seal()
                cancels += 1
            with pytest.raises(JournalFullError, match="No space left"):
                journal.seal()
            assert verify(directory).ending == "clean"
            assert verify(directory).last_row == last
            disk.is_full = False
            journal.look_for_room()
            assert journal.can_take_orders and not journal.trouble
            assert cancels >= RESERVED // BATCH_ROWS
        last = append_batch(journal, engine, 2)
        journal.close()
        assert recorded(directory)[-1].last_row == last
