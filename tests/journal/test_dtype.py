"""The published dtypes, read by numpy, say what the rows say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from portcullis.journal import rows
from portcullis.journal.dtype import KIND_FIELDS, KIND_NAMES, ROW, describe
from portcullis.journal.rows import REPORT, ROW_BYTES, ROW_WORDS
from portcullis.journal.segments import HEADER_BYTES, segment_path
from tests.support.journals import SEGMENT_ROWS, fill


def test_numpy_reads_a_segment_as_the_table_does(tmp_path: Path) -> None:
    journal = fill(tmp_path, 12)
    words = [journal.table.row_words(row) for row in range(1, journal.sealed_row + 1)]
    journal.close()
    opened = np.memmap(segment_path(tmp_path, 1), np.dtype(ROW), "r", HEADER_BYTES)  # type: ignore[call-overload]
    assert len(opened) == SEGMENT_ROWS
    opened = opened[: len(words)]
    assert opened["kind"].tolist() == [row[0] & 0xFF for row in words]
    assert opened["session"].tolist() == [row[0] >> 32 for row in words]
    assert opened["time_ns"].tolist() == [row[1] for row in words]
    for word in range(2, 14):
        assert opened[f"word_{word}"].tolist() == [row[word] for row in words]
    assert opened["crc"].tolist() == [row[15] >> 32 & 0xFFFFFFFF for row in words]
    assert opened["sealed_ns"].tolist() == [row[15] for row in words]
    assert opened["row_count"].tolist() == [row[14] & 0xFFFF for row in words]
    reports = opened[opened["kind"] == REPORT].view(np.dtype(describe(REPORT)))  # type: ignore[call-overload]
    assert reports["out_seq"].tolist() == [row[2] for row in words if row[0] & 0xFF == REPORT]
    assert reports["cause_row"].tolist() == [row[4] for row in words if row[0] & 0xFF == REPORT]
    del opened, reports


def test_every_kind_has_a_name_and_its_fields() -> None:
    assert KIND_NAMES[rows.NEW_ORDER] == "new_order"
    assert KIND_NAMES[rows.TEXT] == "text"
    assert KIND_NAMES[rows.REPORT] == "report"
    assert set(KIND_NAMES) == set(KIND_FIELDS)


@pytest.mark.parametrize("kind", sorted(KIND_FIELDS))
def test_the_fields_of_a_kind_do_not_overlap_and_stay_in_the_row(kind: int) -> None:
    described = np.dtype(describe(kind))  # type: ignore[call-overload]
    assert described.itemsize == ROW_BYTES == 8 * ROW_WORDS
    taken: set[int] = set()
    for field_type, offset in described.fields.values():
        place = set(range(offset, offset + field_type.itemsize))
        assert not place & taken
        taken |= place
    assert max(taken) < ROW_BYTES


def test_the_description_does_not_import_numpy() -> None:
    code = "import sys, portcullis.journal.dtype; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
