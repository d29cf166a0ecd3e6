"""What clients were told, held against what may be: a naive model of orders and trades.

Owns the promises that are looked at: no report contradicts those before it, none comes twice under
two numbers, no ExecID stands for two contents, each trade has two sides that agree, both are told
once what an operator does to it, and the orders that clients know are live are those that the
gateway has. Knows nothing of rows, engines or sockets; all it has is what arrived.

After the power failed, a gateway that does not wait for its disk has forgotten its last rows.
What clients were told of those is taken back (`Order.forget`); that it was told stays known, for
nothing else may ever be told by the same ExecID.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.simulation.world import Violation


class Told(NamedTuple):
    """One thing said of an order. at: where it stands in what its client was told.

    kind: accepted, traded, amended, replaced, reduced, ended or refused. qty: the order's; of this
    trade, 0 of one that is busted; what it is reduced by. cum_qty, leaves_qty: as said; -1: not
    said. amends: where the trade stands that is amended.
    """

    at: Any
    kind: str
    cl_ord_id: str
    qty: int = 0
    price: int = 0
    match: int = 0
    cum_qty: int = -1
    leaves_qty: int = -1
    amends: Any = None


@dataclass(slots=True)
class Order:
    """One order as its client knows it: what was sent, and all that was said of it."""

    client: str
    sent_id: str
    side: str
    sent_qty: int
    sent_price: int
    is_market: bool = False
    # For ever, or only what is in the book at this moment.
    rests: bool = True
    told: list[Told] = field(default_factory=list)
    cl_ord_id: str = ""
    state: str = "sent"
    qty: int = 0
    price: int = 0
    cum_qty: int = 0
    leaves_qty: int = 0

    def take(self, told: Told) -> None:
        """Something more is said of it. Violation where it can't be."""
        self.told.append(told)
        fault = self._apply(told)
        if fault:
            raise Violation(f"{self.client}: {fault}: {told} of {self.describe()}")

    def forget(self, is_kept: Callable[[Any], bool]) -> bool:
        """Take back what was said and is not kept; whether there was any."""
        kept = [told for told in self.told if is_kept(told.at)]
        if len(kept) == len(self.told):
            return False
        self.told, self.state = kept, "sent"
        self.qty = self.price = self.cum_qty = self.leaves_qty = 0
        for told in kept:
            fault = self._apply(told)
            assert not fault, fault
        return True

    def fill(self, wanted: Callable[[Told], bool]) -> Told:
        """The one of its trades that is meant."""
        found = [told for told in self.told if told.kind == "traded" and wanted(told)]
        if len(found) != 1:
            raise Violation(f"{self.client}: {len(found)} trades are meant of {self.describe()}")
        return found[0]

    def value(self) -> int:
        """Price x quantity over its trades, as they are by now."""
        fills = {told.at: told.price * told.qty for told in self.told if told.kind == "traded"}
        fills |= {told.amends: told.price * told.qty for told in self.told if told.amends}
        return sum(fills.values())

    def describe(self) -> str:
        """All that is known of it, for a person."""
        said = "; ".join(f"{one.kind} {one.qty} at {one.at}" for one in self.told[-6:])
        return f"{self.sent_id} ({self.side} {self.sent_qty} at {self.sent_price}): {said}"

    def _apply(self, told: Told) -> str:
        kind = told.kind
        if kind == "accepted":
            if self.state != "sent":
                return "accepted twice"
            if (told.qty, told.price) != (self.sent_qty, self.sent_price):
                return "accepted with other terms than were sent"
            self.state, self.cl_ord_id = "open", told.cl_ord_id
            self.qty = self.leaves_qty = told.qty
            self.price = told.price
        elif kind == "refused":
            if self.state != "sent":
                return "refused after it was accepted"
            self.state = "refused"
        elif kind == "amended":
            if self.state not in ("open", "done"):
                return f"a trade is amended of an order that is {self.state}"
            change = told.qty - self.fill(lambda one: one.at == told.amends).qty
            self.cum_qty += change
            self.qty += change
        elif self.state != "open":
            return f"something is said of an order that is {self.state}"
        elif kind == "traded":
            if not 0 < told.qty <= self.leaves_qty:
                return "traded more than was left"
            if not self.is_market and (
                told.price > self.price if self.side == "buy" else told.price < self.price
            ):
                return "traded at a price worse than its limit"
            self.cum_qty += told.qty
            self.leaves_qty -= told.qty
        elif kind == "replaced":
            self.cl_ord_id = told.cl_ord_id
            self.qty, self.price = told.qty, told.price
            self.leaves_qty = told.qty - self.cum_qty
        elif kind == "reduced":
            self.leaves_qty -= told.qty
        elif kind == "ended":
            self.leaves_qty = 0
        if self.leaves_qty < 0:
            return "less than nothing is left"
        if self.state == "open" and not self.leaves_qty:
            self.state = "done"
        if told.cum_qty >= 0 and (told.cum_qty, told.leaves_qty) != (
            self.cum_qty,
            self.leaves_qty,
        ):
            return f"the sums should be {self.cum_qty} and {self.leaves_qty}"
        return ""


class Live(NamedTuple):
    """A live order, as both sides have to know it."""

    client: str
    cl_ord_id: str
    side: str
    price: int
    leaves_qty: int
    cum_qty: int


class Side(NamedTuple):
    """One side of a trade. at: as of `Told`."""

    client: str
    at: Any
    side: str
    qty: int
    price: int


class Deed(NamedTuple):
    """What an operator did to a trade. row: it is in the journal up to this. qty: 0 of a bust."""

    row: int
    qty: int
    price: int


class Ledger:
    """What all clients were told."""

    def __init__(self) -> None:
        self.orders: dict[str, list[Order]] = {}
        # Clients that are told of busts and of no corrections.
        self.half_told: set[str] = set()
        # By match: its sides, what was done to it, and who was told of that.
        self.trades: dict[int, list[Side]] = {}
        self.deeds: dict[int, Deed] = {}
        self._amended: dict[int, list[Side]] = {}
        # By ExecID: for whom, and what.
        self._contents: dict[str, tuple[str, str]] = {}

    def exec_id(self, client: str, exec_id: str, content: str) -> bool:
        """An ExecID was seen; whether it is new. Violation where it was of something else."""
        known = self._contents.setdefault(exec_id, (client, content))
        if known == (client, content):
            return known[1] is content
        raise Violation(
            f"ExecID {exec_id} stands for two contents: {known[1]} to {known[0]}, and {content} "
            f"to {client}"
        )

    def rows(self) -> list[int]:
        """The rows by which clients were told what they know, where they can know that."""
        return [
            told.at
            for orders in self.orders.values()
            for order in orders
            for told in order.told
            if isinstance(told.at, int)
        ]

    def trade(self, match: int, side: Side) -> None:
        """One side of a trade was told."""
        sides = self.trades.setdefault(match, [])
        sides.append(side)
        if len(sides) > 2:
            raise Violation(f"match {match} has more than two sides: {sides}")

    def amended(self, match: int, side: Side) -> None:
        """One side of a trade was told that it is amended."""
        sides = self._amended.setdefault(match, [])
        sides.append(side)
        if len({one.side for one in sides}) < len(sides):
            raise Violation(f"match {match}: a side was told of two amendments: {sides}")

    def forget(self, client: str, is_kept: Callable[[Any], bool]) -> None:
        """Take back what a client was told and is not kept."""
        for order in self.orders.get(client, ()):
            order.forget(is_kept)
        for told in (self.trades, self._amended):
            for match, sides in list(told.items()):
                left = [side for side in sides if side.client != client or is_kept(side.at)]
                if len(left) < len(sides):
                    told[match] = left
                    if not left:
                        del told[match]

    # --- when nothing is on its way --------------------------------------------------------------

    def check_trades(self) -> None:
        """Each trade has a buyer and a seller, and they agree; both know what was done to it."""
        for match, sides in self.trades.items():
            if len(sides) != 2:
                raise Violation(f"a report was lost: match {match} has one side only: {sides}")
            one, other = sides
            if one.side == other.side or one[3:] != other[3:]:
                raise Violation(f"the sides of match {match} differ: {sides}")

        for match in self.deeds.keys() | self._amended.keys():
            told = sorted(self._amended.get(match, ()), key=lambda side: side.side)
            deed = self.deeds.get(match)
            if deed is None:
                raise Violation(f"match {match} was amended by nobody: {told}")
            ought = [
                (side.client, side.side, deed.qty, deed.price)
                for side in sorted(self.trades[match], key=lambda side: side.side)
                if not deed.qty or side.client not in self.half_told
            ]
            if [(one.client, *one[2:]) for one in told] != ought:
                raise Violation(f"match {match}: {deed} was told as {told}, not as {ought}")

    def live(self) -> list[Live]:
        """All orders that clients know to be live, sorted."""
        return sorted(
            Live(
                order.client,
                order.cl_ord_id,
                order.side,
                order.price,
                order.leaves_qty,
                order.cum_qty,
            )
            for orders in self.orders.values()
            for order in orders
            if order.state == "open"
        )

    def check_live(self, gateway: list[Live]) -> None:
        """They are the ones that the gateway has, and no two of them could trade."""
        known, has = set(self.live()), set(gateway)
        if known != has:
            raise Violation(
                f"clients and gateway know different orders: only clients {sorted(known - has)}, "
                f"only the gateway {sorted(has - known)}"
            )
        bids = [order.price for order in known if order.side == "buy"]
        asks = [order.price for order in known if order.side == "sell"]
        if bids and asks and max(bids) >= min(asks):
            raise Violation(f"the book is crossed: bid {max(bids)}, ask {min(asks)}")
