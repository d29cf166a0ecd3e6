"""The matcher as plain as it can be: dicts and sorted lists, written from the rules of the venue.

The oracle for the compiled engine. It takes commands one at a time and gives reports as tuples of
what a client could see; it knows neither rows nor batches nor slices, so a stream of commands must
give the same reports however the engine cuts its work.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from typing import NamedTuple

from sortedcontainers import SortedDict

from portcullis.engine import why as w
from portcullis.journal import rows as r


class Command(NamedTuple):
    """One command, as translation would hand it over. Codes are FIX's characters."""

    kind: int
    session: int
    cl_ord_id: bytes = b""
    orig: bytes = b""
    side: str = "1"
    ord_type: str = "2"
    time_in_force: str = "0"
    qty: int = 0
    price: int = 0
    instrument: int = 1
    account: int = 0
    refused: int = 0
    poss_resend: bool = False
    order_id: int = 0
    for_session: int = 0
    scope: str = "7"
    scope_side: str = ""
    fill: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    # row of the fill, its qty, its price, new qty, new price, sum before
    in_seq: int = 0


class Report(NamedTuple):
    """An output row without its own number: what the encoders read."""

    kind: int
    flags: int
    session: int
    out_seq: int
    cause: int
    terms_row: int
    order_id: int
    last_px: int
    last_qty: int
    leaves: int
    cum: int
    avg_px: int
    order_qty: int
    exec_type: str
    ord_status: str
    reason: int
    why: int


@dataclass(eq=False)
class Order:
    row: int
    terms_row: int
    session: int
    account: int
    instrument: int
    side: str
    ord_type: str
    time_in_force: str
    price: int
    qty: int
    leaves: int
    cl_ord_id: bytes
    fills: list[tuple[int, int]] = field(default_factory=list)
    past_ids: list[bytes] = field(default_factory=list)
    end: str = ""  # status once it ended
    refused: bool = False

    @property
    def cum(self) -> int:
        return sum(qty for _, qty in self.fills)

    @property
    def status(self) -> str:
        if self.end:
            return self.end
        if not self.cum:
            return "0"
        return "1" if self.leaves else "2"


@dataclass
class Instrument:
    price_decimals: int
    price_max: int
    qty_max: int
    flags: int = 0


class NaiveMatcher:
    """Applies commands; `reports` grows."""

    def __init__(self) -> None:
        self.instruments: dict[int, Instrument] = {}
        self.stp: dict[int, int] = {}
        self.default_account: dict[int, int] = {}
        self.cancel_own: set[int] = set()
        self.ids: dict[tuple[int, bytes], Order] = {}
        self.by_row: dict[int, Order] = {}
        self.live: dict[int, Order] = {}  # by row, oldest first
        self.books: dict[tuple[int, str], SortedDict] = {}
        self.next_out: dict[int, int] = {}
        self.next_in: dict[int, int] = {}
        self.reports: list[Report] = []
        self.traded: list[tuple[int, int, int, int]] = []  # aggressor, passive, price, qty

    # --- reports ---------------------------------------------------------------------------------

    def average(self, order: Order) -> int:
        if not order.cum:
            return 0
        decimals = self.instruments[order.instrument].price_decimals
        scale = 10 ** (min(decimals + 4, 8) - decimals)
        total = sum(price * qty for price, qty in order.fills)
        return floor(Fraction(total * scale, order.cum) + Fraction(1, 2))

    def report(
        self,
        kind: int,
        cause: int,
        order: Order | None,
        exec_type: str,
        *,
        session: int = 0,
        flags: int = 0,
        reason: int = r.NO_REASON,
        why: int = w.WHY_NONE,
        last: tuple[int, int] = (0, 0),
        status: str = "8",
    ) -> None:
        to = session or (order.session if order else 0)
        number = self.next_out.get(to, 1)
        self.next_out[to] = number + 1
        if order is None:
            state = (0, 0, *last, 0, 0, 0, 0, exec_type, status)
        else:
            state = (
                order.terms_row,
                order.row,
                *last,
                order.leaves,
                order.cum,
                self.average(order) if order.fills else 0,
                order.qty,
                exec_type,
                order.status,
            )
        self.reports.append(Report(kind, flags, to, number, cause, *state, reason, why))

    # --- commands --------------------------------------------------------------------------------

    def apply(self, row: int, command: Command) -> None:
        if command.in_seq:
            self.next_in[command.session] = command.in_seq + 1
        {
            r.NEW_ORDER: self.new_order,
            r.CANCEL: self.cancel,
            r.REPLACE: self.replace,
            r.STATUS: self.status,
            r.MASS_CANCEL: self.mass_cancel,
            r.MASS_STATUS: self.mass_status,
            r.CANCEL_ALL: self.cancel_all,
            r.BUST: self.amend,
            r.CORRECT: self.amend,
            r.SEND: self.send,
            r.DAY: self.end_day,
        }[command.kind](row, command)

    def send(self, row: int, command: Command) -> None:
        self.report(r.SENT, row, None, "\0", session=command.session, reason=0, status="\0")

    def end_day(self, row: int, _command: Command) -> None:
        """Day orders end; ids stay taken where their order lives."""
        for order in sorted(self.live.values(), key=lambda one: (one.account, one.row)):
            if order.time_in_force == "0":
                self.forget(order, "C")
                self.report(r.REPORT, row, order, "C", why=w.WHY_DAY_END)
        self.ids = {key: order for key, order in self.ids.items() if order.row in self.live}

    def terms_fault(self, command: Command, instrument_id: int) -> int:
        instrument = self.instruments.get(instrument_id)
        if instrument is None:
            return w.WHY_UNKNOWN_SYMBOL
        if instrument.flags & (r.INSTRUMENT_HALTED | r.INSTRUMENT_OUTSIDE):
            return w.WHY_HALTED
        if command.side not in "1256":
            return w.WHY_UNSUPPORTED_TERM
        if command.side in "56" and not instrument.flags & r.INSTRUMENT_SHORT_MARKING:
            return w.WHY_UNSUPPORTED_TERM
        if command.time_in_force not in "0134":
            return w.WHY_UNSUPPORTED_TERM
        if not 0 < command.qty <= instrument.qty_max:
            return w.WHY_BAD_QTY
        if command.ord_type not in "12":
            return w.WHY_UNSUPPORTED_TERM
        if command.ord_type == "2" and not 0 < command.price <= instrument.price_max:
            return w.WHY_BAD_PRICE
        return w.WHY_NONE

    def new_order(self, row: int, command: Command) -> None:
        key = (command.session, command.cl_ord_id)
        seen = self.ids.get(key)
        if seen is not None:
            if command.poss_resend:
                self.report(r.STATUS_REPORT, row, seen, "I", session=command.session)
            else:
                self.report(
                    r.REFUSED_DUPLICATE,
                    row,
                    seen,
                    "8",
                    session=command.session,
                    flags=r.F_ANSWER,
                    reason=6,
                    why=w.WHY_DUPLICATE_ID,
                )
            return
        fault = command.refused or self.terms_fault(command, command.instrument)
        if not command.refused and not 0 < command.account <= 8:
            fault = w.WHY_UNKNOWN_ACCOUNT
        order = Order(
            row,
            row,
            command.session,
            command.account,
            command.instrument,
            command.side,
            command.ord_type,
            command.time_in_force,
            command.price,
            command.qty,
            command.qty,
            command.cl_ord_id,
        )
        self.ids[key] = self.by_row[row] = order
        if fault:
            order.end, order.leaves, order.refused = "8", 0, True
            self.report(
                r.REPORT,
                row,
                order,
                "8",
                flags=r.F_ANSWER,
                reason=w.WHYS[fault].ord_rej_reason,
                why=fault,
            )
            return
        self.live[row] = order
        self.report(r.REPORT, row, order, "0", flags=r.F_ANSWER)
        self.enter(row, order)

    def side(self, order: Order, opposite: bool = False) -> SortedDict:
        """A side of a book: rank (best lowest) to orders, oldest first."""
        buys = (order.side == "1") != opposite
        return self.books.setdefault((order.instrument, "B" if buys else "S"), SortedDict())

    def rank(self, order: Order) -> int:
        return -order.price if order.side == "1" else order.price

    def rests(self, order: Order) -> bool:
        return order.ord_type == "2" and order.time_in_force in "01"

    def crossing(self, order: Order) -> list[Order]:
        """The orders it could trade with, best first."""
        found = []
        for orders in self.side(order, opposite=True).values():
            for other in orders:
                fits = (
                    order.ord_type == "1"
                    or (order.side == "1" and other.price <= order.price)
                    or (order.side != "1" and other.price >= order.price)
                )
                if fits:
                    found.append(other)
        return found

    def fillable(self, order: Order) -> bool:
        mode = self.stp.get(order.account, r.STP_CANCEL_NEWEST)
        total = 0
        for other in self.crossing(order):
            if mode != r.STP_NONE and other.account == order.account:
                if mode == r.STP_CANCEL_OLDEST:
                    continue
                break
            total += other.leaves
        return total >= order.leaves

    def enter(self, cause: int, order: Order) -> None:
        mode = self.stp.get(order.account, r.STP_CANCEL_NEWEST)
        if order.time_in_force == "4" and not self.fillable(order):
            self.end(cause, order, w.WHY_FOK_UNFILLABLE)
            return
        for other in self.crossing(order):
            if mode != r.STP_NONE and other.account == order.account:
                self.prevent(cause, order, other, mode)
            else:
                self.trade(cause, order, other)
            if order.row not in self.live:
                return
        if self.rests(order):
            self.side(order).setdefault(self.rank(order), []).append(order)
        else:
            market = order.ord_type == "1"
            self.end(cause, order, w.WHY_MARKET_REST if market else w.WHY_IOC_REST)

    def trade(self, cause: int, order: Order, other: Order) -> None:
        qty = min(order.leaves, other.leaves)
        price = other.price
        self.traded.append((order.row, other.row, price, qty))
        for party, flag in ((order, r.F_AGGRESSOR), (other, r.F_PASSIVE)):
            party.leaves -= qty
            party.fills.append((price, qty))
            self.report(r.REPORT, cause, party, "F", flags=flag, last=(price, qty))
        for party in (other, order):
            if not party.leaves:
                self.forget(party, "2")

    def prevent(self, cause: int, order: Order, other: Order, mode: int) -> None:
        qty = min(order.leaves, other.leaves)
        last = (other.price, qty)
        if mode in (r.STP_CANCEL_NEWEST, r.STP_CANCEL_BOTH):
            self.end(cause, order, w.WHY_SELF_TRADE, last)
        if mode in (r.STP_CANCEL_OLDEST, r.STP_CANCEL_BOTH):
            self.end(cause, other, w.WHY_SELF_TRADE, last)
        if mode == r.STP_DECREMENT:
            for party in (order, other):
                if party.leaves == qty:
                    self.end(cause, party, w.WHY_SELF_TRADE, last)
                else:
                    party.leaves -= qty
                    party.qty -= qty
                    self.report(
                        r.REPORT,
                        cause,
                        party,
                        "D",
                        reason=5,
                        why=w.WHY_SELF_TRADE_DECREMENT,
                        last=last,
                    )

    def unbook(self, order: Order) -> None:
        side = self.side(order)
        orders = side.get(self.rank(order), [])
        if any(other is order for other in orders):
            orders[:] = [other for other in orders if other is not order]
            if not orders:
                del side[self.rank(order)]

    def forget(self, order: Order, status: str) -> None:
        self.unbook(order)
        del self.live[order.row]
        order.end, order.leaves = status, 0

    def end(self, cause: int, order: Order, why: int, last: tuple[int, int] = (0, 0)) -> None:
        self.forget(order, "4")
        reason = w.WHYS[why].restatement
        self.report(
            r.REPORT,
            cause,
            order,
            "4",
            reason=r.NO_REASON if reason is None else reason,
            why=why,
            last=last,
        )

    # --- cancel and replace ----------------------------------------------------------------------

    def target(self, command: Command) -> tuple[Order | None, int]:
        owner = command.for_session or command.session
        order = self.ids.get((owner, command.orig))
        if order is None or order.refused:
            return None, w.WHY_UNKNOWN_ORDER
        if command.order_id and command.order_id != order.row:
            return order, w.WHY_ID_MISMATCH
        if order.cl_ord_id != command.orig:
            return order, w.WHY_NOT_CURRENT_ID
        if order.row not in self.live:
            return order, w.WHY_TOO_LATE
        if (command.side, command.instrument) != (order.side, order.instrument):
            return order, w.WHY_TERMS_MISMATCH
        return order, w.WHY_NONE

    def reject_change(self, row: int, command: Command, order: Order | None, why: int) -> None:
        self.report(
            r.CANCEL_REJECT,
            row,
            order,
            "\0",
            session=command.session,
            flags=r.F_ANSWER,
            reason=w.WHYS[why].cxl_rej_reason,
            why=why,
        )

    def answer_change(self, row: int, command: Command, order: Order, exec_type: str) -> None:
        if order.session == command.session:
            self.report(r.REPORT, row, order, exec_type, flags=r.F_ANSWER)
        else:
            self.report(r.REPORT, row, order, exec_type, reason=99, why=w.WHY_MANAGED)
            self.report(
                r.REPORT,
                row,
                order,
                exec_type,
                session=command.session,
                flags=r.F_ANSWER | r.F_OWN,
            )

    def cancel(self, row: int, command: Command) -> None:
        order, why = self.target(command)
        if command.cl_ord_id and (command.session, command.cl_ord_id) in self.ids:
            why = w.WHY_DUPLICATE_ID
        why = command.refused or why
        if why:
            self.reject_change(row, command, order, why)
            return
        assert order is not None
        self.forget(order, "4")
        self.answer_change(row, command, order, "4")

    def replace(self, row: int, command: Command) -> None:
        order, why = self.target(command)
        owner = command.for_session or command.session
        seen = self.ids.get((owner, command.cl_ord_id))
        if seen is not None and command.poss_resend:
            self.report(r.STATUS_REPORT, row, seen, "I", session=command.session)
            return
        if seen is not None:
            why = w.WHY_DUPLICATE_ID
        elif command.refused:
            why = command.refused
        elif not why:
            assert order is not None
            why = self.terms_fault(command, order.instrument)
            if command.account not in (0, order.account):
                why = w.WHY_TERMS_MISMATCH
        if why:
            self.reject_change(row, command, order, why)
            return
        assert order is not None
        self.ids[owner, command.cl_ord_id] = order
        new = replace(order, ord_type=command.ord_type, time_in_force=command.time_in_force)
        keeps = self.rests(new) and command.price == order.price and command.qty <= order.qty
        done = command.qty <= order.cum
        if done or not keeps:
            self.unbook(order)
        order.past_ids.append(order.cl_ord_id)
        order.cl_ord_id = command.cl_ord_id
        order.terms_row = row
        order.ord_type, order.time_in_force = command.ord_type, command.time_in_force
        order.price = command.price
        order.qty = max(command.qty, order.cum)
        order.leaves = order.qty - order.cum
        self.answer_change(row, command, order, "5")
        if done:
            self.forget(order, "2")
        elif not keeps:
            self.enter(row, order)

    # --- status, mass commands, corrections ------------------------------------------------------

    def status(self, row: int, command: Command) -> None:
        owner = command.for_session or command.session
        own = 0
        if command.cl_ord_id:
            order = self.ids.get((owner, command.cl_ord_id))
        else:
            own = r.F_OWN
            order = self.by_row.get(command.order_id)
            if order is not None:
                first = order.past_ids[0] if order.past_ids else order.cl_ord_id
                # Looked up by the id that brought it: free once the day has ended.
                if order.session != owner or self.ids.get((owner, first)) is not order:
                    order = None
        if order is not None and command.order_id and order.row != command.order_id:
            order = None
        if order is None:
            self.report(
                r.STATUS_REPORT,
                row,
                None,
                "I",
                session=command.session,
                flags=r.F_ANSWER | own,
                reason=5,
                why=w.WHY_UNKNOWN_ORDER,
            )
        else:
            self.report(r.STATUS_REPORT, row, order, "I", session=command.session, flags=own)

    def meant(self, command: Command) -> list[Order]:
        account = command.account or self.default_account[command.session]
        return [
            order
            for order in self.live.values()
            if order.account == account
            and (command.scope == "7" or order.instrument == command.instrument)
            and (not command.scope_side or order.side == command.scope_side)
            and (
                command.kind != r.MASS_CANCEL
                or command.session not in self.cancel_own
                or order.session == command.session
            )
        ]

    def mass_cancel(self, row: int, command: Command) -> None:
        fault = command.refused or (0 if command.scope in "17" else w.WHY_SCOPE_UNSUPPORTED)
        if fault:
            self.report(
                r.MASS_CANCEL_REPORT,
                row,
                None,
                "0",
                session=command.session,
                flags=r.F_ANSWER,
                reason={w.WHY_SCOPE_UNSUPPORTED: 0, w.WHY_UNKNOWN_SYMBOL: 1}.get(fault, 99),
                why=fault,
                status="\0",
            )
            return
        orders = self.meant(command)
        self.report(
            r.MASS_CANCEL_REPORT,
            row,
            None,
            command.scope,
            session=command.session,
            flags=r.F_ANSWER,
            last=(len(orders), 0),
            status="\0",
        )
        for order in orders:
            self.end(row, order, w.WHY_MASS_CANCEL)

    def cancel_all(self, row: int, command: Command) -> None:
        """The gateway's own cancel: `refused` is why the orders go."""
        for order in self.meant(command):
            if order.session == command.session:
                self.end(row, order, command.refused)

    def mass_status(self, row: int, command: Command) -> None:
        orders = self.meant(command)
        for place, order in enumerate(orders, 1):
            self.report(
                r.STATUS_REPORT,
                row,
                order,
                "I",
                session=command.session,
                flags=r.F_LAST if place == len(orders) else 0,
                last=(len(orders), place),
            )
        if not orders:
            self.report(
                r.STATUS_REPORT,
                row,
                None,
                "I",
                session=command.session,
                flags=r.F_ANSWER | r.F_LAST,
            )

    def amend(self, row: int, command: Command) -> None:
        order = self.ids.get((command.session, command.cl_ord_id))
        _, qty, price, new_qty, new_price, _ = command.fill
        if order is None or (price, qty) not in order.fills:
            return
        order.fills.remove((price, qty))
        bust = command.kind == r.BUST
        if not bust:
            order.fills.append((new_price, new_qty))
        if order.row in self.live:
            order.qty += (0 if bust else new_qty) - qty
        elif order.end == "2" and order.cum < order.qty:
            order.end = "4"
        self.report(
            r.REPORT,
            row,
            order,
            "H" if bust else "G",
            why=w.WHY_BUST if bust else w.WHY_CORRECT,
            last=(price, qty) if bust else (new_price, new_qty),
        )
