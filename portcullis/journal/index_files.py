"""Files of anchors: one for each block of rows that is complete, read where they are good.

Owns the folder `index` of a data directory. A file is a cache of what rows say: it bears the CRC
of the first batch sealed behind its block, and as that is chained to all batches before, a file
that fits the journal's own seal is of these rows. Anything else, missing, damaged, of another
journal or of one that was cut since, is as if it were not there. Files are written beside the
gateway, never by it, and go with the rows that they are about. Must not know sessions.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from portcullis.journal.anchors import ENTRY_WORDS, anchors_of
from portcullis.journal.index import BLOCK_ROWS
from portcullis.journal.rows import W_HEAD, W_SEAL_B
from portcullis.journal.sections import MAKING, Form, SectionsError, read_sections, write_sections
from portcullis.journal.table import RowTable

FOLDER = "index"
FORM = Form(b"PORTINDX", 1, "an index")
_NAME = re.compile(r"sessions-(\d+)\.index")


class IndexFiles:
    """The files of one data directory. Implements `index.Blocks`."""

    def __init__(self, directory: Path) -> None:
        self.block_rows = BLOCK_ROWS
        self._folder = directory / FOLDER

    def read(self, block: int, table: RowTable) -> memoryview | None:
        """The entries of a block, mapped; None where there is no good file."""
        try:
            meta, sections = read_sections(self._path(block), FORM)
            entries = sections["anchors"].cast("q")
            row, crc = meta["sealed_row"], meta["crc"]
            if meta["rows"] != [block * self.block_rows + 1, self.block_rows]:
                return None
        except (OSError, SectionsError, LookupError, TypeError):
            return None
        if not table.oldest_row <= row < table.tail or _crc(table, row) != crc:
            return None
        return None if len(entries) % ENTRY_WORDS else entries

    def write(self, block: int, table: RowTable, end_row: int, session_capacity: int) -> bool:
        """Write a block from its rows, if its batches are all sealed before `end_row`.

        Whether they are. None is written where no row is. OSError: it can't be written.
        """
        first_row = block * self.block_rows + 1
        last_row = first_row + self.block_rows - 1
        if last_row >= end_row:
            return False
        while last_row >= first_row and not table.word(last_row, W_HEAD):
            last_row -= 1  # the end of a segment, behind the row that closed it
        if last_row < first_row:
            return True
        row = table.next_mark(last_row, end_row)
        if not row:
            return False
        self._folder.mkdir(mode=0o700, exist_ok=True)
        entries = anchors_of(table, first_row, first_row + self.block_rows, session_capacity)
        meta = {"rows": [first_row, self.block_rows], "sealed_row": row, "crc": _crc(table, row)}
        sections = [("anchors", entries)]
        write_sections(self._path(block), FORM, meta, sections, durable=False)
        return True

    def _path(self, block: int) -> Path:
        return self._folder / f"sessions-{block:010d}.index"


def _crc(table: RowTable, row: int) -> int:
    """The CRC that a row bears, if it is the last of its batch."""
    return int(table.word(row, W_SEAL_B)) >> 32 & 0xFFFFFFFF


class IndexSweep:
    """Looks after the files of blocks that are complete, one by one, from the oldest row on."""

    def __init__(self, files: IndexFiles, table: RowTable, session_capacity: int) -> None:
        self._files = files
        self._table = table
        self._capacity = session_capacity
        self._block = (table.oldest_row - 1) // files.block_rows

    def go_on(self, end_row: int) -> None:
        """Look at the next block, if all of it is before `end_row`; write it if need be.

        Some 10 ms where it is written. One that can't be is left out: whoever needs it makes it.
        """
        # Rows may have been let go of, since, which no file had been written about.
        block = max(self._block, (self._table.oldest_row - 1) // self._files.block_rows)
        if (block + 1) * self._files.block_rows >= end_row:
            return
        if self._files.read(block, self._table) is None:
            with suppress(OSError):
                if not self._files.write(block, self._table, end_row, self._capacity):
                    return
        self._block = block + 1


def drop_before(directory: Path, row: int) -> None:
    """Remove the files of blocks that end before a row."""
    for path in (directory / FOLDER).glob("sessions-*"):
        match = _NAME.fullmatch(path.name)
        if path.suffix == MAKING or (match and (int(match[1]) + 1) * BLOCK_ROWS < row):
            path.unlink(missing_ok=True)
