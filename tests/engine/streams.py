"""Seeded streams of commands of every kind, sent to the engine and to the oracle alike."""

from __future__ import annotations

import hashlib
import random
import sys

from portcullis.engine import why as w
from portcullis.journal import rows as r
from tests.engine.naive_matcher import Command, Instrument, NaiveMatcher, Order
from tests.support.commands import Venue

SESSIONS = 6
INSTRUMENTS = 3
# Account of each session; two sessions share one, so self-trades come about.
ACCOUNTS = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5}
STP = {
    1: r.STP_CANCEL_NEWEST,
    2: r.STP_CANCEL_OLDEST,
    3: r.STP_CANCEL_BOTH,
    4: r.STP_DECREMENT,
    5: r.STP_NONE,
}


class Stream:
    """Draws commands that mostly make sense, and often nearly do."""

    def __init__(self, seed: int, venue: Venue) -> None:
        self.draw = random.Random(seed)
        self.venue = venue
        self.naive = NaiveMatcher()
        self.count = 0
        self.day = 2026112101
        venue.put(r.DAY, {r.W_DAY: self.day})
        self.recent: list[Order] = []
        for instrument in range(1, INSTRUMENTS + 1):
            decimals = 2 * instrument
            venue.instrument(
                instrument,
                price_decimals=decimals,
                price_max=1000,
                qty_max=500,
                flags=r.INSTRUMENT_SHORT_MARKING,
            )
            self.naive.instruments[instrument] = Instrument(
                decimals, 1000, 500, r.INSTRUMENT_SHORT_MARKING
            )
        for account, mode in STP.items():
            venue.account(account, mode)
            self.naive.stp[account] = mode
        for session, account in ACCOUNTS.items():
            own = session == 2
            venue.session(session, account, r.SESSION_MASS_CANCEL_OWN if own else 0)
            self.naive.default_account[session] = account
            if own:
                self.naive.cancel_own.add(session)

    def new_id(self) -> bytes:
        self.count += 1
        kind = self.draw.randrange(20)
        text = f"{self.count:x}".encode()
        if kind == 0:
            return b"long-" + text.rjust(self.draw.randint(21, 60), b"x")
        return text.rjust(self.draw.randint(len(text), 24), b"-") if kind < 10 else text

    def known(self) -> Order | None:
        """An order of late, live ones preferred."""
        draw = self.draw
        if not self.recent:
            return None
        for _ in range(4):
            order = draw.choice(self.recent[-400:])
            if order.row in self.naive.live:
                break
        return order

    def terms(self, side: str) -> dict[str, object]:
        draw = self.draw
        away = draw.choice((0, draw.randint(-2, 40), draw.randint(-3, 8), draw.randint(1, 8)))
        price = 500 - away if side == "1" else 500 + away
        found: dict[str, object] = {
            "qty": draw.choice((draw.randint(1, 60), draw.randint(1, 60), draw.randint(1, 500))),
            "price": price,
            "ord_type": "1" if draw.random() < 0.05 else "2",
            "time_in_force": draw.choice("0000000011134"),
        }
        fault = draw.randrange(60)
        if fault == 0:
            found["qty"] = draw.choice((0, -1, 501, 2**62, -(2**63)))
        elif fault == 1:
            found["price"] = draw.choice((0, -5, 1001, 2**63 - 1))
        elif fault == 2:
            found["time_in_force"] = draw.choice("26\0")
        elif fault == 3:
            found["ord_type"] = "3"
        return found

    def draw_command(self) -> Command:
        draw = self.draw
        kind = draw.choices(
            (r.NEW_ORDER, r.CANCEL, r.REPLACE, r.STATUS, r.MASS_CANCEL, r.MASS_STATUS,
             r.BUST, r.CORRECT, r.SEND, r.DAY, r.CANCEL_ALL),
            (60, 15, 15, 3, 0.15, 0.3, 1, 1, 2, 0.1, 0.2),
        )[0]  # fmt: skip
        session = draw.randint(1, SESSIONS)
        in_seq = draw.choice((0, self.count))
        if kind == r.NEW_ORDER:
            return self.draw_new(session, in_seq)
        if kind in (r.SEND, r.DAY):
            return Command(kind, session, in_seq=in_seq)
        if kind == r.CANCEL_ALL:
            account = draw.randint(1, 5)
            return Command(kind, session, scope="7", account=account, refused=w.WHY_DISCONNECT)
        if kind in (r.MASS_CANCEL, r.MASS_STATUS):
            refused = draw.choice((0,) * 8 + (w.WHY_UNKNOWN_SYMBOL,))
            return Command(
                kind,
                session,
                self.new_id(),
                scope=draw.choice("1777" if kind == r.MASS_STATUS else "17772"),
                scope_side=draw.choice(("", "", "1", "2")),
                instrument=draw.randint(1, INSTRUMENTS),
                account=0 if draw.random() < 0.8 else draw.randint(1, 5),
                refused=refused if kind == r.MASS_CANCEL else 0,
            )
        order = self.known()
        if order is None:
            return self.draw_new(session, in_seq)
        if kind in (r.BUST, r.CORRECT):
            return self.draw_amendment(kind, order)
        return self.draw_change(kind, order, in_seq)

    def draw_new(self, session: int, in_seq: int) -> Command:
        draw = self.draw
        identifier = self.new_id()
        if self.recent and draw.random() < 0.03:
            other = draw.choice(self.recent[-200:])
            session, identifier = other.session, other.cl_ord_id
        side = draw.choice("1" * 10 + "2" * 8 + "56" + "7" * (draw.random() < 0.02))
        terms = self.terms(side)
        return Command(
            r.NEW_ORDER,
            session,
            identifier,
            side=side,
            instrument=draw.randint(1, INSTRUMENTS) if draw.random() < 0.98 else 0,
            account=ACCOUNTS[session] if draw.random() < 0.99 else 9,
            refused=w.WHY_LOT if draw.random() < 0.02 else 0,
            poss_resend=draw.random() < 0.05,
            in_seq=in_seq,
            **terms,  # type: ignore[arg-type]
        )

    def draw_change(self, kind: int, order: Order, in_seq: int) -> Command:
        draw = self.draw
        session = order.session
        orig = order.cl_ord_id
        changes: dict[str, object] = {}
        fault = draw.randrange(30)
        if fault == 0:
            session = draw.randint(1, SESSIONS)
        elif fault == 1:
            changes["for_session"], session = session, draw.randint(1, SESSIONS)
        elif fault == 2:
            changes["order_id"] = order.row + draw.randint(0, 1)
        elif fault == 3:
            orig = b"never seen"
        elif fault == 4 and self.recent:
            changes["cl_ord_id"] = draw.choice(self.recent[-200:]).cl_ord_id
        elif fault == 5:
            orig = draw.choice([*order.past_ids, orig])
        side = order.side if draw.random() < 0.98 else "2"
        if kind == r.STATUS:
            if draw.random() < 0.3:
                return Command(kind, session, order_id=order.row)
            changes.pop("cl_ord_id", None)
            return Command(kind, session, orig, **changes)  # type: ignore[arg-type]
        identifier = changes.pop("cl_ord_id", self.new_id())
        if kind == r.REPLACE:
            changes |= self.terms(order.side)
            if draw.random() < 0.5:
                changes["price"] = order.price
            if draw.random() < 0.3:
                changes["qty"] = draw.choice((order.qty, order.cum, order.cum + 1))
        return Command(
            kind,
            session,
            identifier,  # type: ignore[arg-type]
            orig,
            side=side,
            instrument=order.instrument if draw.random() < 0.98 else 2,
            account=order.account if draw.random() < 0.96 else draw.choice((0, 0, 1, 2)),
            refused=w.WHY_UNSUPPORTED_TERM if draw.random() < 0.01 else 0,
            poss_resend=draw.random() < 0.03,
            in_seq=in_seq,
            **changes,  # type: ignore[arg-type]
        )

    def draw_amendment(self, kind: int, order: Order) -> Command:
        draw = self.draw
        price, qty = draw.choice(order.fills) if order.fills else (500, 1)
        total = sum(a * b for a, b in order.fills)
        new_qty = draw.randint(1, qty)
        fill = (1, qty, price, new_qty, draw.randint(1, 1000), total)
        return Command(kind, order.session, order.cl_ord_id, fill=fill)

    def step(self) -> None:
        """One command to both."""
        command = self.draw_command()
        if command.kind == r.DAY:
            self.day += 1
            row = self.venue.put(r.DAY, {r.W_DAY: self.day})
        else:
            row = self.venue.send(command)
        self.naive.apply(row, command)
        if command.kind in (r.MASS_CANCEL, r.MASS_STATUS, r.CANCEL_ALL, r.DAY):
            # The oracle knows no slices: nothing else comes between.
            self.venue.run()
        if command.kind == r.NEW_ORDER:
            order = self.naive.ids[command.session, command.cl_ord_id]
            if order.row == row:
                self.recent.append(order)


def play(seed: int, commands: int, *, batch_rows: int = 256, input_rows: int = 100) -> Stream:
    """A whole stream through both."""
    venue = Venue(
        6 * commands + 1000,
        batch_rows=batch_rows,
        input_rows=input_rows,
        orders=commands + 1,
        ids=commands + 1,
        levels=5000,
        instruments=INSTRUMENTS,
    )
    stream = Stream(seed, venue)
    for _ in range(commands):
        stream.step()
        if stream.draw.random() < 0.02:
            venue.run_once()
    venue.run()
    return stream


def transcript(seed: int, commands: int) -> str:
    """A digest of every byte of the table and of the state, to compare the two modes."""
    stream = play(seed, commands)
    digest = hashlib.sha256(stream.venue.memory)
    digest.update(stream.venue.engine.state_hash().to_bytes(8, "little"))
    return digest.hexdigest()


if __name__ == "__main__":
    print(transcript(int(sys.argv[1]), int(sys.argv[2])))
