"""Commands over many orders: mass cancel, mass status and the gateway's own cancel, in slices.

Owns the mass command at work and those that wait, MASS_QUEUE at most. One run works on at most
SLICE_ORDERS reported orders, so that other commands come between. Must not know how an order ends
(`sweep`).

No session keeps the others from their mass cancels: MASS_WAITING of its commands wait at most, one
mass status of it waits or is at work, no mass status takes the last half of the queue, and mass
cancels that wait come before mass statuses that wait. What is beyond that is refused at once.
A CANCEL_ALL, which the gateway writes one at a time, finds a place behind all of them.

A mass command reaches the account's orders that were there when its row came. A mass cancel counts
them when it begins (533), so orders that fill between its slices are in the count. Of a mass
status the last report carries F_LAST; where all orders still to come ended between slices, a
report of no order carries it.

A command never waits in a state that only a run without rows would change: after each order the
next one is looked up, so an empty run does nothing that replay would miss.
Why bounds checks are off below: accounts are range-checked when a command is taken.
Specification: docs/rules-of-engagement.md, "Reports".
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.book import Book
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.reports import Reports
    from cython.cimports.portcullis.engine.sweep import Sweep
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.book import Book
    from portcullis.engine.layout import *
    from portcullis.engine.reports import Reports
    from portcullis.engine.sweep import Sweep
    from portcullis.engine.why import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class MassCommands:
    """Applies MASS_CANCEL and MASS_STATUS rows."""

    def __init__(self, table: RowTable, book: Book, sweep: Sweep, reports: Reports) -> None:
        self._table = table
        self._words = table.words
        self._book = book
        self._sweep = sweep
        self._reports = reports
        self._slots = book.orders
        self._sessions = reports.sessions
        # The command at work, 0: none; reports made of it, and orders counted when it began.
        self.row = 0
        self.sent = 0
        self.total = 0
        # Rows of those that wait, oldest first.
        self.waiting = memoryview(bytearray(8 * (MASS_QUEUE + 1))).cast("q")
        self.waits = 0
        # Orders that this run may still report.
        self.slice_left = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def take(self, row: cython.longlong) -> cython.void:
        """Begin a mass command, or let it wait; refuse it where it can't be done."""
        at: cython.longlong = self._table.at(row)
        head: cython.longlong = self._words[at + W_HEAD]
        scope: cython.longlong = self._words[at + W_SCOPE] & 0xFF
        account: cython.longlong = self._account(at)
        why: cython.longlong = WHY_NONE
        if (head >> 8) & F_REFUSED:
            why = (self._words[at + W_TERMS] >> 56) & 0xFF
            if why == WHY_NONE:
                why = WHY_SCOPE_UNSUPPORTED
        elif scope != SCOPE_ALL and scope != SCOPE_INSTRUMENT:
            why = WHY_SCOPE_UNSUPPORTED
        elif scope == SCOPE_INSTRUMENT and self._words[at + W_REF] & ID_MASK == 0:
            why = WHY_UNKNOWN_SYMBOL
        elif account == 0 or account > self._book.account_capacity:
            why = WHY_UNKNOWN_ACCOUNT
        elif self._is_busy(head):
            why = WHY_BUSY
        if why != WHY_NONE:
            if head & 0xFF != CANCEL_ALL:
                self._refuse(row, head, why)
        elif self.row:
            self.waiting[self.waits] = row
            self.waits += 1
        else:
            self._begin(row)
            self.work()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_busy(self, head: cython.longlong) -> cython.bint:
        """Whether a mass command, by its row's head, finds no place. O(MASS_QUEUE)."""
        if self.row == 0:
            return False
        if head & 0xFF == CANCEL_ALL:
            return self.waits > MASS_QUEUE
        is_status: cython.bint = head & 0xFF == MASS_STATUS
        if self.waits >= (MASS_QUEUE // 2 if is_status else MASS_QUEUE):
            return True
        session: cython.longlong = (head >> 32) & ID_MASK
        other: cython.longlong = self._words[self._table.at(self.row) + W_HEAD]
        has_status: cython.bint = self._is_status_of(other, session)
        own: cython.longlong = 0
        index: cython.longlong
        for index in range(self.waits):
            other = self._words[self._table.at(self.waiting[index]) + W_HEAD]
            if (other >> 32) & ID_MASK == session:
                own += 1
            if self._is_status_of(other, session):
                has_status = True
        return own >= MASS_WAITING or (is_status and has_status)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_status_of(self, head: cython.longlong, session: cython.longlong) -> cython.bint:
        return head & 0xFF == MASS_STATUS and (head >> 32) & ID_MASK == session

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _next_waiting(self) -> cython.longlong:
        """Take the next command out of the queue: the oldest that cancels, else the oldest."""
        place: cython.longlong = 0
        row: cython.longlong
        index: cython.longlong
        for index in range(self.waits):
            row = self.waiting[index]
            if self._words[self._table.at(row) + W_HEAD] & 0xFF != MASS_STATUS:
                place = index
                break
        row = self.waiting[place]
        self.waits -= 1
        for index in range(place, self.waits):
            self.waiting[index] = self.waiting[index + 1]
        return row

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _account(self, at: cython.longlong) -> cython.longlong:
        """The account a mass command is about: the one it names, else its session's own."""
        account: cython.longlong = (self._words[at + W_REF] >> 32) & ID_MASK
        if account:
            return account
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        return self._sessions[session * SESSION_WORDS + S_ACCOUNT]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _refuse(
        self, row: cython.longlong, head: cython.longlong, why: cython.longlong
    ) -> cython.void:
        """One row: a mass cancel report 0 with its 532, or a status report of no order."""
        session: cython.longlong = (head >> 32) & ID_MASK
        flags: cython.longlong = F_ANSWER
        if (head >> 8) & F_REFUSED:
            flags |= self._reports.text_flag(row)
        reason: cython.longlong = 99
        if head & 0xFF == MASS_CANCEL:
            if why == WHY_SCOPE_UNSUPPORTED:
                reason = 0
            elif why == WHY_UNKNOWN_SYMBOL:
                reason = 1
            self._reports.none(
                MASS_CANCEL_REPORT, flags, session, row, SCOPE_REFUSED, 0, reason, why
            )
        else:
            self._reports.none(
                STATUS_REPORT,
                flags | F_LAST,
                session,
                row,
                EXEC_STATUS,
                STATUS_REJECTED,
                reason,
                why,
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _matches(self, slot: cython.longlong, at: cython.longlong) -> cython.bint:
        """Whether the mass command whose row is at `at` means an order of its account."""
        order: cython.longlong = slot * ORDER_WORDS
        meta: cython.longlong = self._slots[order + O_META]
        instrument: cython.longlong = self._words[at + W_REF] & ID_MASK
        if (
            self._words[at + W_SCOPE] & 0xFF == SCOPE_INSTRUMENT
            and self._slots[order + O_REF] & ID_MASK != instrument
        ):
            return False
        side: cython.longlong = (self._words[at + W_SCOPE] >> 8) & 0xFF
        if side and meta & 0xFF != side:
            return False
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        kind: cython.longlong = self._words[at + W_HEAD] & 0xFF
        return (
            (meta >> 32) & ID_MASK == session
            or kind == MASS_STATUS
            or (
                kind == MASS_CANCEL
                and not self._sessions[session * SESSION_WORDS + S_FLAGS] & SESSION_MASS_CANCEL_OWN
            )
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _skip(self, at: cython.longlong) -> cython.void:
        """Move on to the next order that is meant; 0 where there is none."""
        slot: cython.longlong = self._sweep.mass_slot
        while slot:
            if self._slots[slot * ORDER_WORDS + O_ROW] > self.row:
                # Came later than the command, as all behind it did.
                slot = 0
            elif self._matches(slot, at):
                break
            else:
                slot = self._slots[slot * ORDER_WORDS + O_ACCOUNT_NEXT]
        self._sweep.mass_slot = slot

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _begin(self, row: cython.longlong) -> cython.void:
        """Count the orders that are meant and say so: one row. O(orders of the account).

        Nobody asks how many a CANCEL_ALL is about: they are not counted.
        """
        at: cython.longlong = self._table.at(row)
        session: cython.longlong = (self._words[at + W_HEAD] >> 32) & ID_MASK
        kind: cython.longlong = self._words[at + W_HEAD] & 0xFF
        first: cython.longlong = self._book.accounts[self._account(at) * ACCOUNT_WORDS + A_FIRST]
        self.row = row
        self.sent = 0
        self.total = 0
        self._sweep.mass_slot = first
        self._skip(at)
        if kind == CANCEL_ALL:
            return
        first = self._sweep.mass_slot
        while self._sweep.mass_slot:
            self.total += 1
            self._sweep.mass_slot = self._slots[
                self._sweep.mass_slot * ORDER_WORDS + O_ACCOUNT_NEXT
            ]
            self._skip(at)
        self._sweep.mass_slot = first
        if kind == MASS_CANCEL:
            offset: cython.longlong = self._reports.none(
                MASS_CANCEL_REPORT,
                F_ANSWER,
                session,
                row,
                self._words[at + W_SCOPE] & 0xFF,
                0,
                NO_REASON,
                WHY_NONE,
            )
            self._reports.put_last(offset, self.total, 0)
        elif first == 0:
            self._close_status(session)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _close_status(self, session: cython.longlong) -> cython.void:
        """The last report of a mass status where no order is left to carry the mark."""
        offset: cython.longlong = self._reports.none(
            STATUS_REPORT,
            F_ANSWER | F_LAST,
            session,
            self.row,
            EXEC_STATUS,
            STATUS_REJECTED,
            NO_REASON,
            WHY_NONE,
        )
        self._reports.put_last(offset, self.total, self.sent)
        self.sent = self.total

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def work(self) -> cython.bint:
        """Go on with mass commands for what is left of the slice; False: the batch is full."""
        at: cython.longlong
        slot: cython.longlong
        why: cython.longlong
        while self.row and self.slice_left:
            at = self._table.at(self.row)
            # The order it stood at may have ended since: then this is another.
            self._skip(at)
            slot = self._sweep.mass_slot
            if slot == 0:
                if not self.settle():
                    return False
                continue
            if self._table.tail + STEP_ROWS > self._table.batch_limit:
                return False
            self.slice_left -= 1
            self.sent += 1
            if self._words[at + W_HEAD] & 0xFF == MASS_STATUS:
                self._present(slot, at)
                self._sweep.mass_slot = self._slots[slot * ORDER_WORDS + O_ACCOUNT_NEXT]
            else:
                # Moves mass_slot on by itself.
                why = WHY_MASS_CANCEL
                if self._words[at + W_HEAD] & 0xFF == CANCEL_ALL:
                    why = (self._words[at + W_TERMS] >> 56) & 0xFF
                self._sweep.cancel_unasked(slot, self.row, why)
            self._skip(at)
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _present(self, slot: cython.longlong, at: cython.longlong) -> cython.void:
        """Report one order of a mass status; the last carries the mark."""
        order: cython.longlong = slot * ORDER_WORDS
        status: cython.longlong = STATUS_NEW
        if self._slots[order + O_CUM]:
            status = STATUS_PARTLY_FILLED
        offset: cython.longlong = self._reports.live(
            STATUS_REPORT,
            F_LAST if self.sent == self.total else 0,
            (self._words[at + W_HEAD] >> 32) & ID_MASK,
            self.row,
            slot,
            EXEC_STATUS,
            status,
            NO_REASON,
            WHY_NONE,
        )
        self._reports.put_last(offset, self.total, self.sent)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def settle(self) -> cython.bint:
        """End a mass command that has no order left, and begin the next; False: batch full."""
        at: cython.longlong
        while self.row:
            at = self._table.at(self.row)
            self._skip(at)
            if self._sweep.mass_slot:
                return True
            if self._table.tail + STEP_ROWS > self._table.batch_limit:
                return False
            if self._words[at + W_HEAD] & 0xFF == MASS_STATUS and (self.sent < self.total):
                self._close_status((self._words[at + W_HEAD] >> 32) & ID_MASK)
            self.row = 0
            if self.waits:
                self._begin(self._next_waiting())
        return True
