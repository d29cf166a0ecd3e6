"""Replay: runs the engine over recorded batches, and holds what it makes against the record.

Owns the comparison. Must not know what the engine is beyond `run()`, which works through the
input rows of the open batch and appends output rows. That both are equal, byte for byte, is what
"state is a function of the journal" means; anything else is an engine that has changed or a
journal that has, and the start ends there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from portcullis.journal.errors import ReplayDifference
from portcullis.journal.recovery import Batch
from portcullis.journal.rows import ROW_BYTES, ROW_WORDS, W_SEAL_A, W_SEALED
from portcullis.journal.table import RowTable

_SEAL_BYTES = ROW_BYTES - W_SEAL_A * 8
_NO_SEAL = bytes(_SEAL_BYTES)
_SEALED = slice(W_SEALED * 8, W_SEALED * 8 + 8)


class Engine(Protocol):
    """What replay asks of an engine."""

    def run(self) -> int:
        """Work through the input rows of the table's open batch; append what comes of them."""
        ...


def replay(table: RowTable, engine: Engine, batches: Iterable[Batch]) -> Iterator[Batch]:
    """Run the engine once per batch as the writer did; give each batch that came out the same.

    The table's rows are those of `Journal.open`, whose batches these are: private until the next
    is asked for. Row time is that of the batch. ReplayDifference describes both rows.
    """
    octets = memoryview(table.octets)
    origin = table.origin_row
    for batch in batches:
        if not batch.is_roll:
            first_output = batch.first_row + batch.input_rows
            start = (first_output - origin) * ROW_BYTES
            end = (batch.last_row + 1 - origin) * ROW_BYTES
            recorded = bytearray(octets[start:end])
            octets[start:end] = bytes(end - start)
            table.tail = batch.first_row
            table.open_batch(batch.batch_rows, batch.input_rows_max)
            table.tail = first_output
            engine.run()
            made_end = (table.tail - origin) * ROW_BYTES
            if recorded:
                recorded[-_SEAL_BYTES:] = _NO_SEAL
                if not batch.input_rows:  # outputs alone: the first has the time of the seal
                    recorded[_SEALED] = bytes(8)
            if made_end != end or recorded != octets[start:end]:  # a memoryview compares by items
                _describe(table, batch, bytes(recorded), bytes(octets[start:made_end]))
        yield batch


def _describe(table: RowTable, batch: Batch, recorded: bytes, made: bytes) -> None:
    """Raise ReplayDifference for the first row that differs."""
    row = batch.first_row + batch.input_rows
    for at in range(0, max(len(recorded), len(made)), ROW_BYTES):
        ours, theirs = made[at : at + ROW_BYTES], recorded[at : at + ROW_BYTES]
        if ours != theirs:
            raise ReplayDifference(
                row + at // ROW_BYTES,
                f"replay of the batch at row {batch.first_row} differs at row "
                f"{row + at // ROW_BYTES}: recorded {_words(theirs)}, made {_words(ours)}",
            )


def _words(row: bytes) -> str:
    if not row:
        return "no row"
    words = memoryview(row).cast("q")[: ROW_WORDS - 2]
    return "[" + ", ".join(str(word) for word in words) + "]"
