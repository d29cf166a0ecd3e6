"""What a stream's messages add up to: each account's position, and the oldest row they look at.

Owns, per account and instrument, what was bought and sold in the session: fills add to it, busts
take away, corrections change it. It is a function of the stream's messages, so a listener that has
them all can add up the same. And the lowest row that any of them is encoded from, which has to
stay as long as they may be asked for. Must not know numbers or bytes.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array
from collections.abc import Iterator

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.layout import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

# Of a position.
if cython.compiled:
    _WORDS = cython.declare(cython.longlong, 2)
else:
    _WORDS = 2


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class ReportTally:
    """Of one session. No bounds checks: rows are asked for, and places compared, before use."""

    def __init__(self, table: RowTable) -> None:
        self._table = table
        self._words = table.words
        # The lowest row looked at; 0: none yet.
        self.lowest = 0
        self._accounts = 1
        self._instruments = 1
        self._positions = memoryview(array("q", bytes(8 * _WORDS)))

    def clear(self) -> None:
        """A session begins."""
        self.lowest = 0
        self._positions = memoryview(array("q", bytes(8 * len(self._positions))))

    def make_room(self, accounts: int, instruments: int) -> None:
        """Let ids go up to before these. Called when there are new names."""
        if accounts <= self._accounts and instruments <= self._instruments:
            return
        old, old_accounts, old_instruments = self._positions, self._accounts, self._instruments
        self._accounts = max(accounts, self._accounts)
        self._instruments = max(instruments, self._instruments)
        size = 8 * _WORDS * self._accounts * self._instruments
        self._positions = memoryview(array("q", bytes(size)))
        for account in range(old_accounts):
            for word in range(_WORDS * old_instruments):
                self._positions[account * self._instruments * _WORDS + word] = old[
                    account * old_instruments * _WORDS + word
                ]

    def positions(self) -> Iterator[tuple[int, int, int, int]]:
        """Account, instrument, quantity bought and sold, of those that traded."""
        for account in range(self._accounts):
            for instrument in range(self._instruments):
                at = (account * self._instruments + instrument) * _WORDS
                bought, sold = self._positions[at], self._positions[at + 1]
                if bought or sold:
                    yield account, instrument, bought, sold

    def add(self, rows: cython.longlong[::1], count: int) -> None:
        """Take in the first `count` of a stream's message rows, ascending. O(count)."""
        if not 0 <= count <= len(rows):
            raise IndexError(f"no {count} of {len(rows)} rows")
        if count and not (self._table.has_row(rows[0]) and self._table.has_row(rows[count - 1])):
            raise IndexError(f"rows {rows[0]} to {rows[count - 1]} are not all in the table")
        self._add(rows, count)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _add(self, rows: cython.longlong[::1], count: cython.longlong) -> cython.void:
        index: cython.longlong
        at: cython.longlong
        cause: cython.longlong
        exec_type: cython.longlong
        for index in range(count):
            at = self._table.at(rows[index])
            cause = self._words[at + W_CAUSE]
            self._look_at(cause)
            self._look_at(self._words[at + W_TERMS_ROW])
            self._look_at(self._words[at + W_ORDER])
            if self._words[at] & 0xFF != REPORT:
                continue
            exec_type = self._words[at + W_STATE] & 0xFF
            if exec_type == EXEC_TRADE:
                self._move(at, self._words[at + W_LAST_QTY])
            elif self._table.has_row(cause) and (
                exec_type == EXEC_BUST or exec_type == EXEC_CORRECT
            ):
                cause = self._table.at(cause)
                self._look_at(self._words[cause + W_FILL_ROW])
                if exec_type == EXEC_CORRECT:
                    self._move(at, self._words[cause + W_NEW_QTY])
                self._move(at, -self._words[cause + W_FILL_QTY])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _look_at(self, row: cython.longlong) -> cython.void:
        if 0 < row and (row < self.lowest or self.lowest == 0):
            self.lowest = row

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _move(self, at: cython.longlong, quantity: cython.longlong) -> cython.void:
        """So much more was bought or sold by the order of a report."""
        order: cython.longlong = self._words[at + W_ORDER]
        terms: cython.longlong = self._words[at + W_TERMS_ROW]
        side: cython.longlong = (self._words[at + W_STATE] >> 32) & 0xFF
        account: cython.longlong
        instrument: cython.longlong
        if not (self._table.has_row(order) and self._table.has_row(terms)):
            return
        # A replacement may name the order alone, and neither account nor side.
        order = self._table.at(order)
        if side == 0:
            side = self._words[self._table.at(terms) + W_TERMS] & 0xFF
        if side == 0:
            side = self._words[order + W_TERMS] & 0xFF
        instrument = self._words[order + W_REF] & ID_MASK
        account = (self._words[order + W_REF] >> 32) & ID_MASK
        if account < self._accounts and instrument < self._instruments:
            self._positions[
                (account * self._instruments + instrument) * _WORDS + (side != SIDE_BUY)
            ] += quantity
