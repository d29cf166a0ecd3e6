"""The session index against the simplest search: along each session's links, from its head."""

from __future__ import annotations

from array import array

from portcullis.journal.index import SessionIndex
from portcullis.journal.rows import W_OUT_SEQ, W_PREV
from portcullis.journal.table import RowTable

ROOM = 8


def check_walks(index: SessionIndex, table: RowTable, session: int, step: int = 1) -> None:
    """From each number of a session's epoch on, or each so many-th, a walk finds what is there."""
    chain: list[int] = []
    row = index.head_row(session)
    while table.oldest_row <= row < table.tail:
        chain.append(row)
        row = table.word(row, W_PREV)
    chain.reverse()
    numbers = [table.word(row, W_OUT_SEQ) for row in chain]
    assert numbers[-1:] == ([index.head_seq(session)] if chain else [])
    out = memoryview(array("q", bytes(8 * ROOM)))
    for at in range(0, len(chain), step):
        count = index.walk(session, numbers[at], out)
        assert list(out[:count]) == chain[at : at + ROOM]
