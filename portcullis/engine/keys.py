"""From a command row to the order it means: its ids, long and short, and whose they are.

Owns how a row spells an id: in its words, or in a text item. Must not know what is done with the
order found. Why bounds checks are off below: rows come from the table.
Specification: docs/rules-of-engagement.md, "Ids and chains"; layout: `journal.rows`.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.ids import IdTable
    from cython.cimports.portcullis.engine.layout import (
        REF_SUPERSEDED,
    )
    from cython.cimports.portcullis.journal.rows import (
        F_FOR_SESSION,
        F_LONG_ID,
        F_LONG_ORIG,
        ITEM_CL_ORD_ID,
        ITEM_FOR_SESSION,
        ITEM_ORIG_CL_ORD_ID,
        W_HEAD,
        W_ID,
        W_ORIG,
        W_TERMS,
    )
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.ids import IdTable
    from portcullis.engine.layout import (
        REF_SUPERSEDED,
    )
    from portcullis.journal.rows import (
        F_FOR_SESSION,
        F_LONG_ID,
        F_LONG_ORIG,
        ITEM_CL_ORD_ID,
        ITEM_FOR_SESSION,
        ITEM_ORIG_CL_ORD_ID,
        W_HEAD,
        W_ID,
        W_ORIG,
        W_TERMS,
    )
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class OrderKeys:
    """Reads ids out of rows of `table` and hashes them for `ids`."""

    def __init__(self, table: RowTable, ids: IdTable, session_capacity: int) -> None:
        self._table = table
        self._words = table.words
        self._ids = ids
        self._session_capacity = session_capacity

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def hash_id(
        self, row: cython.longlong, at: cython.longlong, session: cython.longlong
    ) -> cython.void:
        """Hash the id of a command."""
        words_at: cython.longlong = at + W_ID
        length: cython.longlong = (self._words[at + W_TERMS] >> 32) & 0xFF
        if (self._words[at + W_HEAD] >> 8) & F_LONG_ID:
            self._hash_item(row, session, ITEM_CL_ORD_ID)
        else:
            self._ids.hash_short(
                session,
                self._words[words_at],
                self._words[words_at + 1],
                self._words[words_at + 2],
                length,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def hash_original(
        self, row: cython.longlong, at: cython.longlong, session: cython.longlong
    ) -> cython.void:
        """Hash the original id that a cancel or replacement names."""
        words_at: cython.longlong = at + W_ORIG
        length: cython.longlong = (self._words[at + W_TERMS] >> 40) & 0xFF
        if (self._words[at + W_HEAD] >> 8) & F_LONG_ORIG:
            self._hash_item(row, session, ITEM_ORIG_CL_ORD_ID)
        else:
            self._ids.hash_short(
                session,
                self._words[words_at],
                self._words[words_at + 1],
                self._words[words_at + 2],
                length,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_item(
        self, row: cython.longlong, session: cython.longlong, item: cython.longlong
    ) -> cython.void:
        found: cython.longlong = self._table.text_find(row, item)
        if found < 0:
            found = 0
        self._ids.hash_text(session, self._table, row, found >> 16, found & 0xFFFF)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def number_item(self, row: cython.longlong, item: cython.longlong) -> cython.longlong:
        """An item of eight bytes as a number; 0 where it is missing or out of range."""
        found: cython.longlong = self._table.text_find(row, item)
        if found < 0 or (found & 0xFFFF) != 8:
            return 0
        value: cython.longlong = 0
        octet: cython.longlong
        index: cython.longlong
        for index in range(8):
            octet = self._table.text_octet(row, (found >> 16) + index)
            if index == 7 and octet > 0x7F:
                return 0
            value |= octet << (8 * index)
        return value

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def owner_session(
        self, row: cython.longlong, flags: cython.longlong, session: cython.longlong
    ) -> cython.longlong:
        """The session whose ids a command speaks of; 0, which has none, where it is unknown."""
        if not flags & F_FOR_SESSION:
            return session
        session = self.number_item(row, ITEM_FOR_SESSION)
        return session if session <= self._session_capacity else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def current(self, index: cython.longlong) -> cython.longlong:
        """The id that an order goes by now; shortens the chain it walked."""
        end: cython.longlong = index
        reference: cython.longlong = self._ids.reference(end)
        while reference & 3 == REF_SUPERSEDED:
            end = reference >> 2
            reference = self._ids.reference(end)
        while index != end:
            reference = self._ids.reference(index)
            self._ids.refer(index, (end << 2) | REF_SUPERSEDED)
            index = reference >> 2
        return end
