"""A stream of reports: which rows are its messages, and which numbers they have.

Owns the table below and a stream's state: what it carries, the day whose session it numbers, its
next number. All of it is a function of the journal's rows, so the gateway and whoever sends again
count alike. STREAM rows say what the configuration asks for, and begin each session: the first
message behind one with another day has number 1. Must not know bytes or sockets.

    row                       all reports   named accounts       trades
    REPORT                    yes           of the account       fills of the aggressor; busts and
                                                                 corrections of those
    REFUSED_DUPLICATE         yes           of the account       no
    any other output row      no            no                   no

So every report that changes an order or refuses one is there once, in the journal's order; answers
to questions (status, refused cancels, what a mass cancel did) and session messages are not.
Specification: docs/multicast.md.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

from array import array
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.layout import EXEC_BUST, EXEC_CORRECT, ID_MASK
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.layout import EXEC_BUST, EXEC_CORRECT, ID_MASK
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class ReportStream:
    """One stream, as of the row before `next_row`.

    `select` a batch's messages into `rows`, then `pass_to` behind them; or `follow` whole batches
    where only the count matters. number: its own, from 1, never another's. No bounds checks:
    `select` looks at the rows it is given, and rows name only rows before them.
    """

    def __init__(self, table: RowTable, number: int, name: bytes, *, next_row: int = 1) -> None:
        self._table = table
        self._words = table.words
        self.number = number
        self.name = name
        # A STREAM_ code, and of STREAM_ACCOUNTS the accounts' ids.
        self.content = STREAM_NOTHING
        self.accounts: tuple[int, ...] = ()
        # The day whose session is numbered, YYYYMMDDNN, 0: none yet; the number to be given next.
        self.day = 0
        self.next_number = 1
        self.next_row = next_row
        # The session before that had an end: its day, the number it ended before, when.
        self.ended_day = 0
        self.ended_number = 0
        self.ended_ns = 0
        # What `select` has found, and how far it came.
        self.rows = memoryview(array("q", bytes(8 * BATCH_ROWS)))
        self.reached = next_row
        self._end = next_row
        # By account: 1 where it is carried.
        self._wanted = memoryview(bytearray(1))
        self._wanted_end = 1

    # --- messages --------------------------------------------------------------------------------

    @cython.ccall
    @cython.exceptval(-1, check=True)
    def select(
        self, end: cython.longlong, count_max: cython.longlong = BATCH_ROWS
    ) -> cython.longlong:
        """Find the messages among the rows from `next_row` to before `end`; give how many.

        They stand in `rows`, ascending. Stops at `reached`: at `end`, or behind it where a segment
        ends there, at the message behind `count_max` (at most BATCH_ROWS) of them, or at a STREAM
        row that is about this stream. IndexError: those rows are not there. No allocation.
        O(rows).
        """
        if self.next_row < self._table.oldest_row or end > self._table.tail:
            raise IndexError(
                f"rows {self.next_row} to {end} are not all in the table (rows "
                f"{self._table.oldest_row} to {self._table.tail - 1})"
            )
        self._end = end
        return self._select(end, min(count_max, BATCH_ROWS))

    @cython.ccall
    @cython.exceptval(-1, check=True)
    def pass_to(self, row: cython.longlong, count: cython.longlong) -> cython.int:
        """Go on at `row`, which `select` has reached, behind `count` messages.

        Where it is a STREAM row that stopped `select`, obey it and go on behind.
        """
        self.next_number += count
        self.next_row = row
        if row == self.reached and row < self._end and self._is_about(row):
            self._obey(row)
            self.next_row = row + 1
        return 0

    def follow(self, end: int) -> None:
        """Count the messages of rows up to before `end`, as `select` finds them."""
        while self.next_row < end:
            count = self.select(end)
            self.pass_to(self.reached, count)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _select(self, end: cython.longlong, count_max: cython.longlong) -> cython.longlong:
        count: cython.longlong = 0
        row: cython.longlong = self.next_row
        at: cython.longlong = self._table.at(row)
        kind: cython.longlong
        while row < end:
            kind = self._words[at] & 0xFF
            if kind == REPORT or kind == REFUSED_DUPLICATE:
                if count == count_max:
                    break
                if self.content == STREAM_REPORTS or self._carries(at, kind):
                    self.rows[count] = row
                    count += 1
            elif kind == STREAM and self._words[at + W_SUBJECT] == self.number:
                break
            elif kind == ROLL:
                row = self._words[at + W_NEXT_ROW]
                at = self._table.at(row)
                continue
            row += 1
            at += ROW_WORDS
        self.reached = row
        return count

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _carries(self, at: cython.longlong, kind: cython.longlong) -> cython.bint:
        """Whether a report is a message of a stream that does not carry all."""
        exec_type: cython.longlong = self._words[at + W_STATE] & 0xFF
        flags: cython.longlong = (self._words[at] >> 8) & 0xFF
        cause: cython.longlong = self._words[at + W_CAUSE]
        terms: cython.longlong
        account: cython.longlong = 0
        if self.content == STREAM_TRADES:
            if kind != REPORT:
                return False
            if exec_type == EXEC_BUST or exec_type == EXEC_CORRECT:
                return (self._words[self._table.at(cause)] >> 8) & F_OF_AGGRESSOR != 0
            return flags & F_AGGRESSOR != 0
        if self.content != STREAM_ACCOUNTS:
            return False
        terms = self._words[at + W_TERMS_ROW]
        if kind == REFUSED_DUPLICATE or terms == 0:
            terms = cause
        if self._table.has_row(terms):
            account = self._words[self._table.at(terms) + W_REF] >> 32
        if account == 0 and self._table.has_row(self._words[at + W_ORDER]):
            account = self._words[self._table.at(self._words[at + W_ORDER]) + W_REF] >> 32
        account &= ID_MASK
        return account < self._wanted_end and self._wanted[account] != 0

    # --- what it carries -------------------------------------------------------------------------

    def _is_about(self, row: cython.longlong) -> bool:
        at: cython.longlong = self._table.at(row)
        return self._words[at] & 0xFF == STREAM and self._words[at + W_SUBJECT] == self.number

    def _obey(self, row: cython.longlong) -> None:
        """Carry what a STREAM row says, from there on."""
        at: cython.longlong = self._table.at(row)
        flags: cython.longlong = (self._words[at] >> 8) & 0xFF
        if flags & F_BEGINS:
            if self.day and not flags & F_NO_END:
                self.ended_day, self.ended_number = self.day, self.next_number
                self.ended_ns = self._words[at + W_TIME]
            self.day = self._words[at + W_STREAM_DAY]
            self.next_number = 1
        self.content = self._words[at + W_CONTENT]
        self._set_accounts(array("I", self._table.item(row, ITEM_VALUE) or b""))

    def _set_accounts(self, accounts: Any) -> None:
        self.accounts = tuple(accounts)
        self._wanted_end = 1 + max(self.accounts, default=0)
        self._wanted = memoryview(bytearray(self._wanted_end))
        account: cython.longlong
        for account in self.accounts:
            self._wanted[account] = 1

    def save(self) -> dict[str, Any]:
        """What it knows, for `load`."""
        return {
            "number": self.number,
            "name": self.name.decode(),
            "content": self.content,
            "accounts": self.accounts,
            "next": (self.day, self.next_number, self.next_row),
            "ended": (self.ended_day, self.ended_number, self.ended_ns),
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Take what `save` gave of another over rows of the same journal."""
        self.content = saved["content"]
        self._set_accounts(saved["accounts"])
        self.day, self.next_number, self.next_row = saved["next"]
        self.ended_day, self.ended_number, self.ended_ns = saved["ended"]
