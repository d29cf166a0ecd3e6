"""The table of rows: where commands and reports stand, and how a row is found and appended.

Owns the append position and the limits of the open batch. All that writes rows (translation,
sessions, engine) and all that reads them (engine, encoders, indexes) goes through one
`RowTable`; in the gateway its memory is the mapped journal, in tests it may be any zeroed memory.
Must not know what a row means beyond its head word and its TEXT rows, nor any file.

Invariants: oldest_row <= batch_first <= tail <= batch_limit; memory from `tail` on is zero;
rows before `batch_first` are sealed and never change. One contiguous address range serves all
rows, so a row's number gives its address and views are bound once.

Text items: TEXT rows behind an input row hold items back to back: code u1, zero u1, length u2,
then the bytes; an item may run over the end of a row. A row carries TEXT_BYTES of them in words 1
to 13. Positions of `text_*` count bytes over the rows of one owner.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from collections.abc import Callable

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.journal.rows import *
else:
    from portcullis.journal.rows import *


@cython.final
@cython.cclass
class RowTable:
    """Rows over one zeroed, writable, C-contiguous buffer.

    memory: at least one batch of bytes; its first byte is row `origin_row`. Row numbers start
    at 1. `batch_rows` bounds a batch, `input_rows` the part that inputs may take of it, so that
    outputs always find room to go on.
    """

    def __init__(
        self,
        memory: object,
        *,
        origin_row: int = 1,
        batch_rows: int = BATCH_ROWS,
        input_rows: int = BATCH_INPUT_ROWS,
    ) -> None:
        octets = memoryview(memory).cast("B")  # type: ignore[arg-type]
        self._memory = octets
        self.octets = octets
        self.words = octets.cast("q")
        self.origin_row = origin_row
        self.oldest_row = origin_row
        self.tail = origin_row
        self.time_ns = 0
        self._text_row = 0
        self._text_used = 0
        self._text_owner = 0
        self.open_batch(batch_rows, input_rows)

    def open_batch(self, batch_rows: int = BATCH_ROWS, input_rows: int = BATCH_INPUT_ROWS) -> None:
        """Begin a batch at `tail`: what was before it is sealed."""
        self.batch_first = self.tail
        self.batch_limit = self.tail + batch_rows
        self.input_limit = self.tail + input_rows

    # --- finding rows ------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def at(self, row: cython.longlong) -> cython.longlong:
        """Word offset of a row that exists. O(1)."""
        return (row - self.origin_row) * ROW_WORDS

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def has_row(self, row: cython.longlong) -> cython.bint:
        """Whether the row is mapped and written: ask before following a number from outside."""
        return self.oldest_row <= row < self.tail

    def row_offset(self, row: int) -> int:
        """Word offset of a row, for Python callers; IndexError names a row that is not there."""
        if not self.has_row(row):
            raise IndexError(
                f"row {row} is not in the table (rows {self.oldest_row} to {self.tail - 1})"
            )
        return self.at(row)

    @cython.ccall
    @cython.exceptval(-1)
    def word(self, row: cython.longlong, index: cython.longlong) -> cython.longlong:
        """One word of a row; IndexError where the row or the word is not there."""
        if not self.has_row(row) or not 0 <= index < ROW_WORDS:
            raise IndexError(f"no word {index} of row {row} in the table")
        return self.words[self.at(row) + index]

    def row_words(self, row: int) -> list[int]:
        """A copy of the sixteen words of a row."""
        offset = self.row_offset(row)
        return list(self.words[offset : offset + ROW_WORDS])

    # --- appending ---------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def open_input(
        self,
        kind: cython.longlong,
        flags: cython.longlong,
        session: cython.longlong,
        rows_needed: cython.longlong,
    ) -> cython.longlong:
        """Append an input row; give its word offset, or -1 where the batch is full.

        rows_needed: this row and the TEXT rows to follow; the caller then appends just those.
        On -1 nothing has changed: the owner of the journal runs the engine, seals, and the
        caller tries again. No allocation. O(1).
        """
        row: cython.longlong = self.tail
        if row + rows_needed > self.input_limit:
            return -1
        # In range: tail < batch_limit, and the memory holds every row up to batch_limit.
        offset: cython.longlong = (row - self.origin_row) * ROW_WORDS
        self.words[offset + W_HEAD] = kind | (flags << 8) | (session << 32)
        self.words[offset + W_TIME] = self.time_ns
        self.tail = row + 1
        return offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def open_output(
        self, kind: cython.longlong, flags: cython.longlong, session: cython.longlong
    ) -> cython.longlong:
        """Append an output row; give its word offset. The engine has checked room for its step."""
        row: cython.longlong = self.tail
        offset: cython.longlong = (row - self.origin_row) * ROW_WORDS
        self.words[offset + W_HEAD] = kind | (flags << 8) | (session << 32)
        self.words[offset + W_TIME] = self.time_ns
        self.tail = row + 1
        return offset

    # --- seals -------------------------------------------------------------------------------

    def seal(
        self,
        segment: cython.longlong,
        chain: cython.longlong,
        crc32c: Callable[[memoryview], int],
        now_ns: cython.longlong = 0,
    ) -> cython.longlong:
        """Seal the open batch in the reserved words of its last row; give its CRC-32C.

        segment: number of the segment; chain: CRC of the batch before; crc32c: computes one, of
        all bytes of the batch, the place of the CRC itself as zero; now_ns: the time that its
        first row notes, row time if that is later. The CRC is written last, in one store: where it
        stands, all else was there.
        """
        last: cython.longlong = self.tail - 1
        count: cython.longlong = self.tail - self.batch_first
        if not 0 < count <= self.batch_limit - self.batch_first:
            raise ValueError(f"a batch of {count} rows can't be sealed")
        # Typed, as a literal above 31 bits would be a Python integer: a third of a seal's time.
        half: cython.longlong = 0x80000000
        whole: cython.longlong = 0x100000000
        if chain >= half:
            chain -= whole  # the word is signed
        offset: cython.longlong = (last - self.origin_row) * ROW_WORDS
        self.words[offset + W_SEAL_A] = count + ((segment & 0xFFFF) << 16) + chain * whole
        self.words[offset + W_SEAL_B] = self.batch_first & (whole - 1)
        first: cython.longlong = (self.batch_first - self.origin_row) * ROW_BYTES
        if count > 1:
            place: cython.longlong = (self.batch_first - self.origin_row) * ROW_WORDS
            self.words[place + W_SEALED] = max(now_ns, self.time_ns)
        crc: cython.longlong = crc32c(self._memory[first : first + count * ROW_BYTES])
        self.words[offset + W_SEAL_B] += (crc - whole if crc >= half else crc) * whole
        return crc

    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def next_mark(self, first: cython.longlong, end: cython.longlong) -> int:
        """The next row that bears a seal mark, from `first` and below `end`; 0: none does.

        Rows to `end` must lie in the table's memory: IndexError. O(rows).
        """
        if first < self.origin_row or (end - self.origin_row) * ROW_BYTES > len(self.octets):
            raise IndexError(f"rows {first} to {end} are not all in the table's memory")
        # In range: every row looked at lies between the bounds just checked.
        offset: cython.longlong = (first - self.origin_row) * ROW_WORDS + W_SEAL_A
        row: cython.longlong
        for row in range(first, end):
            if self.words[offset] & 0xFFFF:
                return row
            offset += ROW_WORDS
        return 0

    def mark_fits(self, first: cython.longlong, last: cython.longlong, segment: int) -> bool:
        """Whether the seal words of row `last` are those of a batch that begins at `first`."""
        offset: cython.longlong = (last - self.origin_row) * ROW_WORDS
        low: cython.longlong = self.words[offset + W_SEAL_A] & 0xFFFFFFFF
        number: cython.longlong = segment & 0xFFFF
        return (
            low == last - first + 1 + (number << 16)
            and (self.words[offset + W_SEAL_B] & 0xFFFFFFFF) == first & 0xFFFFFFFF
        )

    def mark_rows(self, row: cython.longlong) -> int:
        """The row count that a seal mark gives; 0: the row bears none."""
        return int(self.words[(row - self.origin_row) * ROW_WORDS + W_SEAL_A] & 0xFFFF)

    def input_count(self, first: cython.longlong, last: cython.longlong) -> int:
        """How many rows of the batch from `first` to `last` came in: its leading rows."""
        row: cython.longlong
        kind: cython.longlong
        for row in range(first, last + 1):
            kind = self.words[(row - self.origin_row) * ROW_WORDS] & 0xFF
            if kind >= FIRST_OUTPUT and kind != TEXT:
                return row - first
        return last + 1 - first

    # --- text items --------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def text_open(self, owner: cython.longlong) -> cython.void:
        """Begin the items of row `owner`, which is the last row appended."""
        self._text_owner = owner
        self._text_row = owner
        self._text_used = TEXT_BYTES

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _text_octet_put(self, value: cython.uchar) -> cython.void:
        if self._text_used == TEXT_BYTES:
            owner_at: cython.longlong = (self._text_owner - self.origin_row) * ROW_WORDS
            row: cython.longlong = self.tail
            offset: cython.longlong = (row - self.origin_row) * ROW_WORDS
            self.words[offset] = TEXT | ((self.words[owner_at] >> 32) << 32)
            self.words[owner_at] += 1 << 16
            self.tail = row + 1
            self._text_row = row
            self._text_used = 0
        position: cython.longlong = (
            (self._text_row - self.origin_row) * ROW_BYTES + TEXT_START + self._text_used
        )
        self.octets[position] = value
        self._text_used += 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def text_put(
        self,
        code: cython.longlong,
        source: cython.const[cython.uchar][::1],
        start: cython.longlong,
        end: cython.longlong,
    ) -> cython.void:
        """Append one item: source[start:end], which the caller has checked. O(length).

        The caller has reserved the rows (`rows_for_text`) when it opened the input row, and
        keeps the length within ITEM_BYTES_MAX.
        """
        length: cython.longlong = end - start
        self._text_octet_put(code & 0xFF)
        self._text_octet_put(0)
        self._text_octet_put(length & 0xFF)
        self._text_octet_put((length >> 8) & 0xFF)
        index: cython.longlong
        for index in range(start, end):
            self._text_octet_put(source[index])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def text_octet(self, owner: cython.longlong, position: cython.longlong) -> cython.uchar:
        """The byte at `position` of the owner's text; the caller stays within its rows."""
        row: cython.longlong = owner + 1 + position // TEXT_BYTES
        return self.octets[
            (row - self.origin_row) * ROW_BYTES + TEXT_START + position % TEXT_BYTES
        ]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def text_find(self, owner: cython.longlong, code: cython.longlong) -> cython.longlong:
        """Where an item of the owner begins, as position << 16 | length; -1: it has none.

        Position is that of the item's first byte of content. O(items).
        """
        rows: cython.longlong = (self.words[(owner - self.origin_row) * ROW_WORDS] >> 16) & 0xFFFF
        total: cython.longlong = rows * TEXT_BYTES
        position: cython.longlong = 0
        found: cython.longlong
        length: cython.longlong
        while position + ITEM_HEAD <= total:
            found = self.text_octet(owner, position)
            if found == 0:
                return -1
            length = self.text_octet(owner, position + 2)
            length |= cython.cast(cython.longlong, self.text_octet(owner, position + 3)) << 8
            if position + ITEM_HEAD + length > total:
                return -1
            if found == code:
                return ((position + ITEM_HEAD) << 16) | length
            position += ITEM_HEAD + length
        return -1

    # --- for callers in Python -----------------------------------------------------------------

    def append_input(
        self,
        kind: int,
        session: int = 0,
        *,
        flags: int = 0,
        words: dict[int, int] | None = None,
        items: dict[int, bytes] | None = None,
    ) -> int:
        """Append an input row with its items; give its number, or 0 where the batch is full.

        words: word index to value; items: item code to content, in the order given. ValueError
        where an item is longer than ITEM_BYTES_MAX or the row could never fit a batch.
        """
        content = items or {}
        for code, value in content.items():
            if len(value) > ITEM_BYTES_MAX:
                raise ValueError(
                    f"text item {code} has {len(value)} bytes, above {ITEM_BYTES_MAX}"
                )
        needed = 1 + rows_for_text(sum(ITEM_HEAD + len(value) for value in content.values()))
        allowance = self.input_limit - self.batch_first  # 0: the journal is full, or closed
        if 0 < allowance < needed:
            raise ValueError(f"an input of {needed} rows does not fit a batch")
        offset: cython.longlong = self.open_input(kind, flags, session, needed)
        if offset < 0:
            return 0
        row = self.tail - 1
        place: cython.longlong
        for index, word in (words or {}).items():
            place = index
            self.words[offset + place] = word
        if content:
            self.text_open(row)
            for code, value in content.items():
                self.text_put(code, value, 0, len(value))
        return row

    def item(self, owner: int, code: int) -> bytes | None:
        """The content of an item of row `owner`, or None."""
        self.row_offset(owner)
        found = self.text_find(owner, code)
        if found < 0:
            return None
        start = found >> 16
        return bytes([self.text_octet(owner, start + i) for i in range(found & 0xFFFF)])


def rows_for_text(octets: int) -> int:
    """TEXT rows that so many bytes of items (their heads included) take."""
    return (octets + TEXT_BYTES - 1) // TEXT_BYTES
