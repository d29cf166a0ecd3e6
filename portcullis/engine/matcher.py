"""The engine: takes input rows one by one, keeps all state of the venue, appends output rows.

Owns the order in which things happen: an unfinished sweep, then input rows from `cursor` on, then
a slice of an unfinished day's end, then one of an unfinished mass command. Session numbers and
configuration are applied here, commands upon one order by `orders`, those over many by `day` and
`mass`. State is a function of the rows: no clock, no chance, no file, no socket. Must not know
FIX.

One `run` belongs to one batch. Input rows and output rows follow each other in a batch, so a run
takes rows up to the tail it found and skips output rows of earlier batches. What it could not end
goes on in the next run: a sweep before anything else, the others behind the rows of that run,
by slices of SLICE_ORDERS reported orders. So the first row behind a `run` that ended in RUN_DONE
or RUN_SLICE gets the number that its session has then. A run that has no new input and appends
nothing changes nothing that the next run would not change first; so a replay that calls `run` once
for each recorded batch, after placing its inputs, appends the same rows.

A row whose numbers are out of range is counted in `rows_ignored` and changes nothing: rows are
written by the gateway, which has checked what clients sent.
Why bounds checks are off below: sessions, accounts and instruments are range-checked where a row
names them; rows up to the tail exist.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.amendments import Amendments
    from cython.cimports.portcullis.engine.book import Book
    from cython.cimports.portcullis.engine.day import DayRoll
    from cython.cimports.portcullis.engine.ids import IdTable
    from cython.cimports.portcullis.engine.keys import OrderKeys
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.mass import MassCommands
    from cython.cimports.portcullis.engine.old_ids import OldIds
    from cython.cimports.portcullis.engine.orders import Orders
    from cython.cimports.portcullis.engine.reports import Reports
    from cython.cimports.portcullis.engine.status import StatusAnswers
    from cython.cimports.portcullis.engine.sweep import Sweep
    from cython.cimports.portcullis.engine.why import *
    from cython.cimports.portcullis.journal.rows import *
    from cython.cimports.portcullis.journal.table import RowTable
else:
    from portcullis.engine.amendments import Amendments
    from portcullis.engine.book import Book
    from portcullis.engine.day import DayRoll
    from portcullis.engine.ids import IdTable
    from portcullis.engine.keys import OrderKeys
    from portcullis.engine.layout import *
    from portcullis.engine.mass import MassCommands
    from portcullis.engine.old_ids import OldIds
    from portcullis.engine.orders import Orders
    from portcullis.engine.reports import Reports
    from portcullis.engine.status import StatusAnswers
    from portcullis.engine.sweep import Sweep
    from portcullis.engine.why import *
    from portcullis.journal.rows import *
    from portcullis.journal.table import RowTable


@cython.boundscheck(False)
@cython.initializedcheck(False)
@cython.wraparound(False)
@cython.final
@cython.cclass
class Engine:
    """Matching engine over the rows of `table`.

    Capacities are numbers of live orders, of ids ever used, of price levels, and the highest ids
    of sessions, instruments and accounts. All memory is taken here. SETTING rows put lower ones in
    force, so that what is refused for want of room is a function of the rows too.
    """

    def __init__(
        self,
        table: RowTable,
        *,
        order_capacity: int = 1 << 17,
        id_capacity: int = 1 << 20,
        level_capacity: int = 1 << 15,
        session_capacity: int = 1 << 10,
        instrument_capacity: int = 1 << 8,
        account_capacity: int = 1 << 10,
    ) -> None:
        for name, capacity in (
            ("order", order_capacity),
            ("id", id_capacity),
            ("level", level_capacity),
            ("session", session_capacity),
            ("instrument", instrument_capacity),
            ("account", account_capacity),
        ):
            if not 1 <= capacity <= 1 << 30:
                raise ValueError(f"{name} capacity was {capacity}, must be 1 to {1 << 30}")
        self._table = table
        self._words = table.words
        self.book = Book(
            orders=order_capacity,
            levels=level_capacity,
            instruments=instrument_capacity,
            accounts=account_capacity,
        )
        for account in range(account_capacity + 1):
            self.book.accounts[account * ACCOUNT_WORDS + A_STP] = STP_CANCEL_NEWEST
        self.ids = IdTable(id_capacity)
        self.reports = Reports(table, self.book, session_capacity)
        self.instruments = memoryview(
            bytearray(8 * INSTRUMENT_WORDS * (instrument_capacity + 1))
        ).cast("q")
        self.sweep = Sweep(table, self.book, self.ids, self.reports, self.instruments)
        self.old_ids = OldIds(table, self.ids)
        self._keys = keys = OrderKeys(table, self.ids, self.old_ids, session_capacity)
        parts = (table, self.book, keys, self.sweep, self.ids, self.reports)
        self._status = StatusAnswers(*parts)
        self.orders = Orders(*parts, self.instruments, self._status)
        self.amendments = Amendments(*parts, self.instruments)
        self.mass = MassCommands(table, self.book, self.sweep, self.reports)
        self.day_roll = DayRoll(table, self.book, self.old_ids, self.sweep, self.reports)
        self._sessions = self.reports.sessions
        # The EXPIRE row at work; 0: none.
        self._expire_row = 0
        # Next input row to look at.
        self.cursor = table.tail
        # Rows that could not be applied: a fault of whoever wrote them, never of a client.
        self.rows_ignored = 0

    def run(self) -> int:
        """Apply input rows up to the tail; give RUN_DONE, RUN_MORE or RUN_SLICE.

        RUN_MORE: the batch is full; seal, open the next, run again at once. RUN_SLICE: a mass
        command or a day's end goes on; seal, open the next, and run again, with what has come in
        meanwhile.
        """
        return self._run()

    # --- the run -----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _run(self) -> cython.longlong:
        if self.sweep.slot and not self.sweep.go_on():
            return RUN_MORE
        end: cython.longlong = self._table.tail
        head: cython.longlong
        row: cython.longlong
        looked: cython.longlong = 0
        self.mass.slice_left = SLICE_ORDERS
        self.day_roll.slice_left = SLICE_ORDERS
        while self.cursor < end:
            row = self.cursor
            if row >= looked:
                looked = self._keys.look_ahead(row, end)
            head = self._words[self._table.at(row) + W_HEAD]
            if head & 0xFF >= FIRST_OUTPUT:
                self.cursor = row + 1
                continue
            if head & 0xFF == ROLL:
                # What lies between stays empty.
                row = self._words[self._table.at(row) + W_NEXT_ROW]
                self.cursor = min(max(self.cursor + 1, row), end)
                continue
            if self._table.tail + STEP_ROWS > self._table.batch_limit:
                return RUN_MORE
            self.cursor = row + 1 + ((head >> 16) & 0xFFFF)
            self._apply(row, head)
            if self.sweep.slot:
                return RUN_MORE
        if not self.day_roll.work() or not self._expire():
            return RUN_MORE
        if not self.mass.work() or not self.mass.settle():
            return RUN_MORE
        self.day_roll.settle()
        if self.mass.row or self.day_roll.is_busy() or self._expire_row:
            return RUN_SLICE
        return RUN_DONE

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _apply(self, row: cython.longlong, head: cython.longlong) -> cython.void:
        """Apply one input row; there is room for STEP_ROWS."""
        kind: cython.longlong = head & 0xFF
        session: cython.longlong = (head >> 32) & ID_MASK
        at: cython.longlong = self._table.at(row)
        if kind < GENESIS:
            # From clients: they belong to a session and move its number.
            if session == 0 or session > self.reports.session_capacity:
                self.rows_ignored += 1
                return
            if self._words[at + W_IN_SEQ]:
                self._sessions[session * SESSION_WORDS + S_NEXT_IN] = (
                    self._words[at + W_IN_SEQ] + 1
                )
            if kind == NEW_ORDER:
                self.orders.new_order(row)
            elif kind == CANCEL:
                self.orders.cancel(row)
            elif kind == REPLACE:
                self.orders.replace(row)
            elif kind == SEND:
                self.reports.open(SENT, 0, session, row, 0, WHY_NONE)
            elif kind == STATUS:
                self._status.answer(row)
            elif kind == MODIFY:
                self.orders.modify(row)
            elif kind == MASS_CANCEL or kind == MASS_STATUS or kind == CANCEL_ALL:
                self.mass.take(row)
            else:
                self._session_row(at, kind, session)
        elif kind == BUST or kind == CORRECT:
            if session <= self.reports.session_capacity:
                self.amendments.apply(row)
            else:
                self.rows_ignored += 1
        elif kind == EXPIRE:
            self._expire_row = row
            self._expire()
        elif kind == DAY:
            if self.day_roll.take(row):
                self.day_roll.work()
            else:
                self.rows_ignored += 1
        elif not self._configure(row, kind):
            self.rows_ignored += 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _expire(self) -> cython.bint:
        """End orders whose time has run out by the EXPIRE row at work, for what is left of the
        slice, which days share; False: the batch is full."""
        slot: cython.longlong = 0
        while self._expire_row:
            slot = self.sweep.expiries.due(self._words[self._table.at(self._expire_row) + W_TIME])
            if slot == 0:
                self._expire_row = 0
            elif self.day_roll.slice_left == 0:
                break
            elif self._table.tail + STEP_ROWS > self._table.batch_limit:
                return False
            else:
                self.day_roll.slice_left -= 1
                self.sweep.withdraw(slot)
                self.sweep.close(
                    slot,
                    self.reports.live(
                        REPORT,
                        0,
                        0,
                        self._expire_row,
                        slot,
                        EXEC_EXPIRED,
                        STATUS_EXPIRED,
                        NO_REASON,
                        WHY_TIME_OUT,
                    ),
                )
        return True

    # --- sessions ----------------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _session_row(
        self, at: cython.longlong, kind: cython.longlong, session: cython.longlong
    ) -> cython.void:
        record: cython.longlong = session * SESSION_WORDS
        if kind == ADVANCE:
            if self._words[at + W_NEXT_IN]:
                self._sessions[record + S_NEXT_IN] = self._words[at + W_NEXT_IN]
            if self._words[at + W_NEXT_OUT]:
                self._sessions[record + S_NEXT_OUT] = self._words[at + W_NEXT_OUT]
        elif kind == RESET:
            self._sessions[record + S_NEXT_IN] = self._words[at + W_NEXT_IN]
            self._sessions[record + S_NEXT_OUT] = self._words[at + W_NEXT_OUT]
            self._sessions[record + S_HEAD] = 0
        elif kind == SESSION_EVENT:
            if self._words[at + W_EVENT] != EVENT_PROGRESS:
                self._sessions[record + S_EVENT] = self._words[at + W_EVENT]
                self._sessions[record + S_EVENT_TIME] = self._words[at + W_TIME]
        else:
            self.rows_ignored += 1

    # --- configuration -----------------------------------------------------------------------

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _configure(self, row: cython.longlong, kind: cython.longlong) -> cython.bint:
        """Take what a row of configuration says; False where it can't be so. At most one row."""
        at: cython.longlong = self._table.at(row)
        subject: cython.longlong = self._words[at + W_SUBJECT]
        if kind == INSTRUMENT:
            return self._configure_instrument(at, subject)
        if kind == ACCOUNT:
            if subject < 1 or subject > self.book.account_capacity:
                return False
            if self._words[at + W_STP] < STP_NONE or self._words[at + W_STP] > STP_DECREMENT:
                return False
            self.book.accounts[subject * ACCOUNT_WORDS + A_STP] = self._words[at + W_STP]
        elif kind == SESSION:
            if subject < 1 or subject > self.reports.session_capacity:
                return False
            self._sessions[subject * SESSION_WORDS + S_ACCOUNT] = self._words[at + W_ACCOUNT]
            self._sessions[subject * SESSION_WORDS + S_FLAGS] = self._words[at + W_SESSION_FLAGS]
            if (
                self._words[at + W_SESSION_FLAGS] & SESSION_OUCH
                and self.day_roll.day
                and not self.reports.has_day(subject)
            ):
                self.reports.begin_day(subject, row, self.day_roll.day)
        elif kind == GENESIS:
            if self.ids.used:
                return False
            self.ids.set_key(self._words[at + W_KEY], self._words[at + W_KEY + 1])
        elif kind == SETTING:
            if subject == LIMIT_IDS:
                return self.ids.limit(self._words[at + W_LIMIT])
            if subject:
                return self.book.limit(subject, self._words[at + W_LIMIT])
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.cdivision(True)
    def _configure_instrument(
        self, at: cython.longlong, instrument: cython.longlong
    ) -> cython.bint:
        """Take an instrument's terms. Decimals stay while it has live orders, and the highest
        price and quantity ever taken under them keep their product below 2^62."""
        if instrument < 1 or instrument > self.book.instrument_capacity:
            return False
        record: cython.longlong = instrument * INSTRUMENT_WORDS
        decimals: cython.longlong = self._words[at + W_DECIMALS]
        price_max: cython.longlong = self._words[at + W_PRICE_MAX]
        qty_max: cython.longlong = self._words[at + W_QTY_MAX]
        price_decimals: cython.longlong = decimals & 0xFF
        if price_decimals > 8 or (decimals >> 8) & 0xFF > 18:
            return False
        if price_max < 1 or qty_max < 1 or qty_max >= cython.cast(cython.longlong, 1) << 58:
            return False
        scale: cython.longlong = 1
        _step: cython.longlong
        for _step in range(8 - price_decimals if price_decimals > 4 else 4):
            scale *= 10
        bound: cython.longlong = (cython.cast(cython.longlong, 1) << 62) - 1
        price_widest: cython.longlong = price_max
        qty_widest: cython.longlong = qty_max
        if self.instruments[record + I_KNOWN]:
            if (self.instruments[record + I_DECIMALS] ^ decimals) & 0xFFFF:
                if self.instruments[record + I_ORDERS]:
                    return False
            else:
                if self.instruments[record + I_PRICE_WIDEST] > price_widest:
                    price_widest = self.instruments[record + I_PRICE_WIDEST]
                if self.instruments[record + I_QTY_WIDEST] > qty_widest:
                    qty_widest = self.instruments[record + I_QTY_WIDEST]
        lot: cython.longlong = self._words[at + W_LOT] if self._words[at + W_LOT] > 0 else 1
        tick: cython.longlong = self._words[at + W_TICK] if self._words[at + W_TICK] > 0 else 1
        if price_widest > bound // qty_widest or price_widest > bound // scale:
            return False
        self.instruments[record + I_KNOWN] = 1
        self.instruments[record + I_DECIMALS] = decimals & 0xFFFFFF
        self.instruments[record + I_PRICE_MAX] = price_max
        self.instruments[record + I_QTY_MAX] = qty_max
        self.instruments[record + I_SCALE] = scale
        self.instruments[record + I_LOT] = lot
        self.instruments[record + I_TICK] = tick
        self.instruments[record + I_OUCH_UP] = 1
        self.instruments[record + I_OUCH_DOWN] = 1
        for _step in range(price_decimals, 4):
            self.instruments[record + I_OUCH_DOWN] *= 10
        for _step in range(4, price_decimals):
            self.instruments[record + I_OUCH_UP] *= 10
        self.instruments[record + I_PRICE_WIDEST] = price_widest
        self.instruments[record + I_QTY_WIDEST] = qty_widest
        return True

    # --- for owners, tools and tests -----------------------------------------------------------

    @property
    def expires_ns(self) -> int:
        """When the next order's time runs out: time for an EXPIRE row. 0: no order's does."""
        return self.sweep.expiries.next_ns()

    def session_day(self, session: int) -> int:
        """OUCH: the day whose messages a session is numbering."""
        return self._session_word(session, S_DAY)

    def take_unsaid(self) -> tuple[list[int], int]:
        """Rows that say more to OUCH sessions than their messages do, and how many were left out
        since the last call."""
        count = self.reports.unsaid_count
        kept = min(count, UNSAID_ROWS)
        self.reports.unsaid_count = 0
        return list(self.reports.unsaid[:kept]), count - kept

    @property
    def day(self) -> int:
        """The trading day, YYYYMMDDNN; 0: none has begun."""
        return self.day_roll.day

    @property
    def is_ending_day(self) -> bool:
        """Whether orders of the day before have still to expire."""
        return self.day_roll.row != 0

    def next_out(self, session: int) -> int:
        """The number of a session's next outbound message."""
        return self._session_word(session, S_NEXT_OUT)

    def next_in(self, session: int) -> int:
        """The number expected of a session's next inbound message."""
        return self._session_word(session, S_NEXT_IN)

    def head_row(self, session: int) -> int:
        """The last numbered output row of a session's epoch, or 0."""
        return self._session_word(session, S_HEAD)

    def last_event(self, session: int) -> tuple[int, int]:
        """The last SESSION_EVENT of a session: its EVENT_ code, 0: there was none, and time."""
        return self._session_word(session, S_EVENT), self._session_word(session, S_EVENT_TIME)

    def _session_word(self, session: int, word: int) -> int:
        if not 0 <= session <= self.reports.session_capacity:
            raise IndexError(f"session {session} is not in 0 to {self.reports.session_capacity}")
        return self._sessions[session * SESSION_WORDS + word]

    def live_orders(self, account: int) -> list[int]:
        """Slots of an account's live orders, oldest first."""
        if not 1 <= account <= self.book.account_capacity:
            raise IndexError(f"account {account} is not in 1 to {self.book.account_capacity}")
        found = []
        slot = self.book.accounts[account * ACCOUNT_WORDS + A_FIRST]
        while slot:
            found.append(slot)
            slot = self.book.orders[slot * ORDER_WORDS + O_ACCOUNT_NEXT]
        return found

    def state_hash(self) -> int:
        """64 bits over all state, alike for equal states whatever slots and levels they use.

        Books in order of priority with each order's terms and quantities, accounts, instruments,
        sessions, unfinished work, and the ids as a set: where an id stands in the table is left
        out. For comparing a replay with what was replayed. O(all state).
        """
        return self._hash_state()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _mix(self, state: cython.ulonglong, value: cython.longlong) -> cython.ulonglong:
        all_bits: cython.ulonglong = 0xFFFFFFFFFFFFFFFF
        factor: cython.ulonglong = 0x2545F4914F6CDD1D
        state = ((state ^ (cython.cast(cython.ulonglong, value) & all_bits)) * factor) & all_bits
        return state ^ (state >> 29)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_order(self, state: cython.ulonglong, slot: cython.longlong) -> cython.ulonglong:
        order: cython.longlong = slot * ORDER_WORDS
        word: cython.longlong
        state = self._mix(state, self.book.orders[order + O_ROW])
        for word in range(O_TERMS, O_LEVEL):
            if word != O_ID:
                state = self._mix(state, self.book.orders[order + word])
        if self.book.orders[order + O_META] & META_EXPIRES:
            state = self._mix(state, self.sweep.expiries.time_of(slot))
        return state

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_state(self) -> cython.ulonglong:
        state: cython.ulonglong = 0
        index: cython.longlong
        slot: cython.longlong
        for index in range(1, self.book.account_capacity + 1):
            state = self._mix(state, self.book.accounts[index * ACCOUNT_WORDS + A_STP])
            slot = self.book.accounts[index * ACCOUNT_WORDS + A_FIRST]
            while slot:
                state = self._hash_order(state, slot)
                slot = self.book.orders[slot * ORDER_WORDS + O_ACCOUNT_NEXT]
        for index in range(2, 2 * self.book.instrument_capacity + 2):
            state = self._hash_side(state, index)
        for index in range((self.book.instrument_capacity + 1) * INSTRUMENT_WORDS):
            state = self._mix(state, self.instruments[index])
        for index in range((self.reports.session_capacity + 1) * SESSION_WORDS):
            state = self._mix(state, self._sessions[index])
        state = self._mix(state, self.day_roll.day)
        state = self._mix(state, self.day_roll.row)
        state = self._mix(state, self.day_roll.account)
        state = self._mix(state, self.day_roll.session)
        state = self._mix(state, self._expire_row)
        state = self._mix(state, self.book.orders[self.sweep.day_slot * ORDER_WORDS + O_ROW])
        state = self._mix(state, self.mass.row)
        state = self._mix(state, self.mass.sent)
        state = self._mix(state, self.mass.total)
        state = self._mix(state, self.book.orders[self.sweep.mass_slot * ORDER_WORDS + O_ROW])
        for index in range(self.mass.waits):
            state = self._mix(state, self.mass.waiting[index])
        state = self._mix(state, self.book.orders[self.sweep.slot * ORDER_WORDS + O_ROW])
        if self.sweep.slot:
            state = self._mix(state, self.sweep.cause)
            state = self._mix(state, self.sweep.why)
        return self._mix(state, self._hash_ids())

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_side(self, state: cython.ulonglong, side: cython.longlong) -> cython.ulonglong:
        """Orders of a side in priority; the records themselves are hashed with the accounts."""
        base: cython.longlong = self.book.sides[side * SIDE_WORDS + B_BASE]
        entry: cython.longlong = base + self.book.sides[side * SIDE_WORDS + B_COUNT] - 1
        slot: cython.longlong
        while entry >= base:
            state = self._mix(state, self.book.ladders[entry * LADDER_WORDS])
            slot = self.book.levels[
                self.book.ladders[entry * LADDER_WORDS + 1] * LEVEL_WORDS + L_FIRST
            ]
            while slot:
                state = self._mix(state, self.book.orders[slot * ORDER_WORDS + O_ROW])
                slot = self.book.orders[slot * ORDER_WORDS + O_NEXT]
            entry -= 1
        return state

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash_ids(self) -> cython.ulonglong:
        """The ids as a set: a sum, which has no order."""
        all_bits: cython.ulonglong = 0xFFFFFFFFFFFFFFFF
        total: cython.ulonglong = 0
        entry: cython.ulonglong
        index: cython.longlong
        current: cython.longlong
        reference: cython.longlong
        for index in range(self.ids.size()):
            reference = self.ids.reference(index)
            if reference == 0 or reference == REF_FREED or self.old_ids.is_old(index):
                continue
            current = self.ids.current(index)
            reference = self.ids.reference(current)
            if reference & 3 == REF_LIVE:
                reference = self.book.orders[(reference >> 2) * ORDER_WORDS + O_ROW] << 2
            entry = self._mix(self.ids.key_word(index), reference)
            entry = self._mix(entry ^ self.ids.key_word(current), 1 if current == index else 0)
            total = (total + entry) & all_bits
        return total
