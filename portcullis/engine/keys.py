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

from portcullis.engine.memory import zeroed

if cython.compiled:
    from cython.cimports.portcullis.engine.ids import IdTable
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.old_ids import OldIds
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.ids import IdTable
    from portcullis.engine.layout import *
    from portcullis.engine.old_ids import OldIds
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class OrderKeys:
    """Reads ids out of rows of `table` and hashes them for `ids`."""

    def __init__(
        self, table: RowTable, ids: IdTable, old_ids: OldIds, session_capacity: int
    ) -> None:
        self._table = table
        self._words = table.words
        self._ids = ids
        self._old_ids = old_ids
        self._session_capacity = session_capacity
        # Hashes made ahead, by row: the row, first and second word; of its id, then its original.
        self._ahead = zeroed(2 * LOOK_AHEAD_WORDS * LOOK_AHEAD_PLACES, "Q")

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def look_ahead(self, row: cython.longlong, end: cython.longlong) -> cython.longlong:
        """Hash the ids of the next commands and have their places in the table brought near, so
        that the waits for memory overlap; give the row behind the last one looked at.

        Stops at what is not a client's command: a GENESIS row changes the key.
        """
        at: cython.longlong
        head: cython.longlong
        session: cython.longlong
        _count: cython.longlong
        for _count in range(LOOK_AHEAD):
            if row >= end:
                break
            at = self._table.at(row)
            head = self._words[at + W_HEAD]
            if head & 0xFF >= GENESIS:
                break
            session = (head >> 32) & ID_MASK
            if head & 0xFF <= STATUS and not (head >> 8) & (F_LONG_ID | F_FOR_SESSION):
                self.hash_id(row, at, session)
                self._remember(row, 0)
            if (head & 0xFF == CANCEL or head & 0xFF == REPLACE) and not (head >> 8) & (
                F_LONG_ORIG | F_FOR_SESSION
            ):
                self.hash_original(row, at, session)
                self._remember(row, LOOK_AHEAD_WORDS)
            row += 1 + ((head >> 16) & 0xFFFF)
        return row

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _remember(self, row: cython.longlong, offset: cython.longlong) -> cython.void:
        """Keep the hash made last as that of a row's id, or of the id it names as the original."""
        place: cython.longlong = 2 * LOOK_AHEAD_WORDS * (row & (LOOK_AHEAD_PLACES - 1)) + offset
        self._ahead[place] = cython.cast(cython.ulonglong, row)
        self._ahead[place + 1] = self._ids.first
        self._ahead[place + 2] = self._ids.second
        self._ids.fetch()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _recalls(self, row: cython.longlong, offset: cython.longlong) -> cython.bint:
        """Take the hash that was kept of a row, if it was."""
        place: cython.longlong = 2 * LOOK_AHEAD_WORDS * (row & (LOOK_AHEAD_PLACES - 1)) + offset
        if self._ahead[place] != cython.cast(cython.ulonglong, row):
            return False
        self._ids.recall(self._ahead[place + 1], self._ahead[place + 2])
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def hash_id(
        self, row: cython.longlong, at: cython.longlong, session: cython.longlong
    ) -> cython.void:
        """Hash the id of a command."""
        if self._recalls(row, 0):
            return
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
        if self._recalls(row, LOOK_AHEAD_WORDS):
            return
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
    def find(self) -> cython.longlong:
        """Index of the id hashed last, or -1 - (place for it) where no order has it today."""
        return self._old_ids.find() if self._old_ids.stage else self._ids.find()
