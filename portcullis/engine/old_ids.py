"""Ids of days that have ended: free at once, and out of the id table little by little.

Owns which ids a day's end frees, and the two walks through the table that take them out: one that
buries their entries, one that clears those which no other id needs to be found. From the day's
end on an id that is free is not found, wherever the walks are; each search for an id moves them on
by FREED_A_SEARCH entries. So nobody waits while millions of ids are forgotten, and since searches
come from rows alone, replay does the same at the same rows.

An id stays taken while its order lives, and for the rest of the day in which that ends; so do all
ids of an order's chain, since its first is what an OrderID is looked up by. Must not know when a
day has ended (`engine.day`).
Why bounds checks are off below: indexes are below the id table's size, rows are asked for before
they are read.
Specification: docs/rules-of-engagement.md, "Ids and chains".
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.ids import IdTable
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.ids import IdTable
    from portcullis.engine.layout import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable

if cython.compiled:
    _IDLE = cython.declare(cython.longlong, 0)
    _BURYING = cython.declare(cython.longlong, 1)
    _CLEARING = cython.declare(cython.longlong, 2)
else:
    _IDLE, _BURYING, _CLEARING = 0, 1, 2


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class OldIds:
    """The walks through one table of ids. stage: 0 while there is nothing to take out."""

    def __init__(self, table: RowTable, ids: IdTable) -> None:
        self._table = table
        self._words = table.words
        self._ids = ids
        self.stage = 0
        # The next entry to look at; the first walk goes up, the second down.
        self.index = 0
        # The DAY row that ended the day, and the last row of when its last order had expired.
        self.day_row = 0
        self.last_row = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def begin(self, day_row: cython.longlong, last_row: cython.longlong) -> cython.void:
        """Free the ids of orders that ended up to `last_row`, but for those that came behind
        `day_row`. A walk that is under way begins anew."""
        self.day_row = day_row
        self.last_row = last_row
        self.stage = _BURYING
        self.index = 0
        self._walk(FREED_AT_ONCE)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def find(self) -> cython.longlong:
        """As the table's, while there are old ids in it; moves the walk on."""
        self._walk(FREED_A_SEARCH)
        # A table that is full of old ids refuses none of today's.
        while self.stage != _IDLE and self._ids.used >= self._ids.capacity:
            self._walk(FREED_AT_ONCE)
        found: cython.longlong = self._ids.find()
        if found >= 0 and self.is_old(found):
            self._ids.bury(found)
            found = self._ids.find()
        return found

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def is_old(self, index: cython.longlong) -> cython.bint:
        """Whether the id at an index is free though its entry stands. O(ids of its order) once,
        then O(1)."""
        if self.stage != _BURYING:
            return False
        reference: cython.longlong = self._ids.reference(self._ids.current(index))
        if reference == REF_FREED:
            return True
        report: cython.longlong = reference >> 2
        if reference & 3 == REF_LIVE or report > self.last_row:
            return False
        return not (
            report > self.day_row
            and self._table.has_row(report)
            and self._words[self._table.at(report) + W_TERMS_ROW] > self.day_row
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _walk(self, count: cython.longlong) -> cython.void:
        """Look at so many entries more, or go on to the next walk. O(count)."""
        reference: cython.longlong
        end: cython.longlong
        if self.stage == _BURYING:
            end = min(self.index + count, self._ids.size())
            while self.index < end:
                reference = self._ids.reference(self.index)
                if reference != 0 and reference != REF_FREED and self.is_old(self.index):
                    self._ids.bury(self.index)
                self.index += 1
            if self.index < self._ids.size():
                return
            self.stage = _CLEARING
            self.index = self._ids.size() - 1
        if self.stage == _CLEARING:
            count = min(count, self.index + 1)
            self._ids.clear(self.index, count)
            self.index -= count
            if self.index < 0:
                self.stage = _IDLE
