"""A small journal, an engine as simple as one can be, and what a loss of power leaves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from portcullis.journal.maker import make_segment
from portcullis.journal.recovery import Batch
from portcullis.journal.rows import (
    NEW_ORDER,
    REPORT,
    ROW_BYTES,
    ROW_WORDS,
    TEXT,
    W_CAUSE,
    W_OUT_SEQ,
    W_PREV,
    W_QTY,
)
from portcullis.journal.segments import encode_header, list_segments, segment_path, write_header
from portcullis.journal.table import RowTable
from portcullis.journal.writer import Journal

SEGMENT_ROWS = 96
BATCH_ROWS = 16
INPUT_ROWS = 8
OPTIONS: dict[str, Any] = {
    "segment_rows": SEGMENT_ROWS,
    "batch_rows": BATCH_ROWS,
    "input_rows": INPUT_ROWS,
    "reserved_rows": 0,
    "reserve_bytes": 1 << 24,
    "ahead": False,
}


class EchoEngine:
    """Answers each input row with one numbered report that repeats its quantity."""

    def __init__(self, table: RowTable) -> None:
        self._table = table
        self._chains: dict[int, tuple[int, int]] = {}  # session: last number, last row

    def run(self) -> int:
        table = self._table
        words = memoryview(table.words)
        for row in range(table.batch_first, table.tail):
            offset = (row - table.origin_row) * ROW_WORDS
            if words[offset] & 0xFF == TEXT:
                continue
            session = words[offset] >> 32
            number, previous = self._chains.get(session, (0, 0))
            made = (table.tail - table.origin_row) * ROW_WORDS
            words[made] = REPORT | session << 32
            words[made + 1] = table.time_ns
            words[made + W_OUT_SEQ] = number + 1
            words[made + W_PREV] = previous
            words[made + W_CAUSE] = row
            words[made + W_QTY] = words[offset + W_QTY]
            self._chains[session] = (number + 1, table.tail)
            table.tail += 1
        return 0


def open_journal(directory: Path, **options: Any) -> Journal:
    """A journal that has been recovered, small unless told otherwise."""
    journal, batches = Journal.open(directory, **OPTIONS | options)
    for _batch in batches:
        pass
    return journal


def recorded(directory: Path, **options: Any) -> list[Batch]:
    """The batches that recovery gives; the journal is closed again."""
    journal, batches = Journal.open(directory, **OPTIONS | options)
    try:
        return list(batches)
    finally:
        journal.abandon()


def append_batch(journal: Journal, engine: EchoEngine, orders: int, *, text: bytes = b"") -> int:
    """One turn of a gateway: so many orders, the engine, the seal; give the sealed row."""
    table = journal.table
    table.time_ns += 1000
    for order in range(orders):
        row = table.append_input(
            NEW_ORDER,
            1 + order % 3,
            words={W_QTY: table.time_ns},
            items={9: text} if text else None,
        )
        assert row
    engine.run()
    return journal.seal()


def fill(directory: Path, batches: int, **options: Any) -> Journal:
    """A journal with so many batches, of one to four orders in turn. Still open."""
    journal = open_journal(directory, **options)
    engine = EchoEngine(journal.table)
    for number in range(batches):
        append_batch(journal, engine, 1 + number % 4)
    return journal


def row_at(row: int, segment_rows: int = SEGMENT_ROWS) -> tuple[int, int]:
    """The segment number of a row, and the row's first byte in the file."""
    return (row - 1) // segment_rows + 1, 4096 + (row - 1) % segment_rows * ROW_BYTES


def copy_running(journal: Path, target: Path) -> None:
    """Copy the folder of a journal in use: without lock, sockets, and what is being made."""
    passing = shutil.ignore_patterns("lock", "*.sock", "*.making", "*.new")
    shutil.copytree(journal, target, ignore=passing)


def turn_a_bit(path: Path, at: int) -> None:
    """Damage a file in its byte `at`; once more, and it is as it was."""
    with path.open("rb+") as file:
        file.seek(at)
        (octet,) = file.read(1)
        file.seek(at)
        file.write(bytes((octet ^ 1,)))


def lose_power(journal: Path, disk: Path, target: Path) -> None:
    """What the next boot finds: files as they were synced, and those made since, empty."""
    shutil.copytree(disk, target)
    for header in list_segments(journal):
        path = segment_path(target, header.number)
        if not path.exists():
            empty = replace(header, clean_stop_row=0)
            make_segment(path, encode_header(empty), header.file_bytes, zeros=False)
    for header in list_segments(target):
        write_header(target, replace(header, boot_id=b"another boot id!"))
