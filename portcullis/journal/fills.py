"""A match looked up in the journal from outside: what a bust or a correction has to know of it.

Owns the walk over sealed rows. Reads files only, so that neither the gateway nor its back office
is held up by it. O(rows from the older of the two orders on).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from portcullis.journal.errors import JournalError
from portcullis.journal.reader import JournalReader
from portcullis.journal.rows import (
    BUST,
    CORRECT,
    F_AGGRESSOR,
    F_PASSIVE,
    REPORT,
    ROW_BYTES,
    ROW_WORDS,
    W_CAUSE,
    W_FILL_ROW,
    W_HEAD,
    W_LAST_PX,
    W_LAST_QTY,
    W_ORDER,
    W_REF,
    W_STATE,
)

_TRADE, _BUST, _CORRECT = b"FHG"


class NoMatchError(JournalError):
    """No fill has this number, or its match has been amended before."""


@dataclass(frozen=True)
class Match:
    """A match. number: its aggressor's fill row. qty and price count units of the instrument.

    sums: price x quantity over the fills of both orders, the aggressor's first, up to last_row.
    sessions: theirs.
    """

    number: int
    qty: int
    price: int
    instrument: int
    sums: tuple[int, int]
    last_row: int
    sessions: tuple[int, int]


def find_match(directory: Path, exec_id: int) -> Match:
    """The match that a fill, by its ExecID of either side, belongs to.

    NoMatchError says why there is none to amend; else as `JournalReader`.
    """
    side = next(_rows(directory, exec_id, exec_id), None)
    flags = 0 if side is None else side[1][W_HEAD] >> 8 & (F_AGGRESSOR | F_PASSIVE)
    if side is None or side[1][W_HEAD] & 0xFF != REPORT or not flags:
        raise NoMatchError(f"ExecID {exec_id} is no fill")
    number = exec_id if flags & F_AGGRESSOR else exec_id - 1
    sides = [words for _, words in _rows(directory, number, number + 1)]
    orders = [words[W_ORDER] for words in sides]
    (_, brought), *_rest = _rows(directory, orders[0], orders[0])
    fills: dict[int, dict[int, int]] = {order: {} for order in orders}
    meant: dict[int, int] = {}  # by row of a BUST or CORRECT, the fill it names
    reader = JournalReader(directory)
    for row, words in _rows_of(reader, min(orders)):
        if words[W_HEAD] & 0xFF != REPORT:
            meant[row] = words[W_FILL_ROW]
            continue
        of_order = fills.get(words[W_ORDER])
        exec_type = words[W_STATE] & 0xFF
        if of_order is None or exec_type not in (_TRADE, _BUST, _CORRECT):
            continue
        value = words[W_LAST_PX] * words[W_LAST_QTY]
        if exec_type == _TRADE:
            of_order[row] = value
        else:
            fill = meant[words[W_CAUSE]]
            if fill in (number, number + 1):
                raise NoMatchError(f"match {number} has been amended before, by row {row}")
            of_order[fill] = value if exec_type == _CORRECT else 0
    first, second = (sum(fills[order].values()) for order in orders)
    return Match(
        number,
        sides[0][W_LAST_QTY],
        sides[0][W_LAST_PX],
        brought[W_REF] & 0xFFFFFFFF,
        (first, second),
        reader.found.last_row,
        (sides[0][W_HEAD] >> 32, sides[1][W_HEAD] >> 32),
    )


def _rows(directory: Path, from_row: int, to_row: int) -> Iterator[tuple[int, list[int]]]:
    return _rows_of(JournalReader(directory), from_row, to_row)


def _rows_of(
    reader: JournalReader, from_row: int, to_row: int | None = None
) -> Iterator[tuple[int, list[int]]]:
    """Sealed rows and their words: all between the two, or all reports and amendments on."""
    for batch in reader.batches(from_row):
        if to_row is not None and batch.first_row > to_row:
            return
        kinds = bytes(batch.octets[::ROW_BYTES])
        with batch.octets.cast("q") as words:
            for index, kind in enumerate(kinds):
                row = batch.first_row + index
                if row < from_row or (to_row is not None and row > to_row):
                    continue
                if to_row is not None or kind in (REPORT, BUST, CORRECT):
                    yield row, list(words[index * ROW_WORDS : (index + 1) * ROW_WORDS])
