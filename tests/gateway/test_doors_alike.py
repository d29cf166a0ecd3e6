"""One random flow of what FIX and OUCH can say alike, by either door: equal books, equal trades.

Partial cancels are FIX's replaces to a smaller quantity at the same price; replaces change the
price or raise the quantity. A naive matcher says which orders live, so that nothing is sent that
the protocols answer differently: no duplicates, nothing about dead orders. It is the third to be
compared with.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from portcullis import _build
from portcullis.codecs.soupbintcp import packets
from portcullis.journal import rows as r
from portcullis.tools.benchmarks import orders
from portcullis.tools.benchmarks.stages import Chain
from portcullis.tools.gateway_process import OUCH_CONFIG
from tests.engine.naive_matcher import Command, Instrument, NaiveMatcher, Order
from tests.support import ouch_client as ouch
from tests.support.wire import fields, split

COMMANDS = 200 if _build.is_pure() else 1500
CLIENTS = 3  # the third only sweeps what is left
SIDES = {"1": "B", "2": "S", "5": "T", "6": "E"}
# Of each instrument: names, a lot as text, the tick in 10^-4, the lowest price in ticks.
INSTRUMENTS = {
    1: ("BTC-USD", "BTCUSD", 1, 100, 1000),  # lot 0.0001, tick 0.01
    2: ("ETH-USD", "ETHUSD", 3000, 5, 4000),  # lot 0.3, tick 0.0005
}
# Decimals of price and quantity that the catalogue makes of tick and lot.
PLACES = {1: (2, 4), 2: (4, 1)}
ACCOUNT = '\n[[account]]\nname = "{}{}"\nself_trade = "{}"\n'
STP = {1: "cancel_newest", 2: "decrement", 3: "cancel_newest"}
CONFIG = (
    OUCH_CONFIG.replace('account = "CLIENT1"\nfirm', 'account = "OUCH3"\nfirm')
    + """
[[session]]
protocol = "fix"
client = "CLIENT3"
account = "CLIENT3"

[[instrument]]
symbol = "ETH-USD"
ouch = "ETHUSD"
tick = "0.0005"
lot = "0.3"
short_marking = true
"""
    + "".join(
        ACCOUNT.format(name, number, mode)
        for name in ("CLIENT", "OUCH")
        for number, mode in STP.items()
    )
)


class Trade(NamedTuple):
    """A fill as one party heard of it: order, price in 10^-4, lots, whether it came in."""

    order: int
    price: int
    lots: int
    is_aggressor: bool


def price_of(instrument: int, ticks: int) -> int:
    """In units of 10^-4."""
    return ticks * INSTRUMENTS[instrument][3]


def decimal(units: int) -> str:
    """Units of 10^-4 as FIX writes them."""
    return f"{units // 10_000}.{units % 10_000:04}"


class FixSpeaker:
    """Says commands by FIX, as client `number`. Ids begin with the order's row."""

    def __init__(self, chain: Chain, number: int) -> None:
        self.name = f"CLIENT{number}"
        self._peer, self._wire = chain.log_on(self.name)
        self._chain = chain
        self._next = 2
        self._said: list[bytes] = []
        self._ids: dict[int, str] = {}

    def say(self, row: int, command: Command, order: Order | None) -> None:
        symbol, _, lot, _, _ = INSTRUMENTS[command.instrument]
        body = [f"54={command.side}", f"55={symbol}", "60=20260102-12:00:00.000"]
        key = order.row if order else row
        fresh = f"{key}-{row}"
        if command.kind != r.NEW_ORDER:
            body.append(f"41={self._ids[key]}")
        if command.kind != r.CANCEL:
            self._ids[key] = fresh
            body += [f"38={decimal(command.qty * lot)}", f"40={command.ord_type}"]
            body.append(f"59={command.time_in_force}")
            if command.ord_type == "2":
                body.append(f"44={decimal(command.price)}")
        letter = {r.NEW_ORDER: "D", r.REPLACE: "G", r.CANCEL: "F"}[command.kind]
        when = orders.utc_now()
        self._said.append(
            orders.message(letter, self._next, self.name, when, f"11={fresh}", *body)
        )
        self._next += 1

    def send(self) -> None:
        self._chain.feed(self._peer, b"".join(self._said))
        self._said.clear()

    def trades(self) -> Iterator[Trade]:
        for octets in split(b"".join(self._wire.written)):
            message = fields(octets)
            assert message[35] in "A8", message
            assert message.get(150) != "8", message
            if message.get(150) == "F":
                lot = {symbol: lot for symbol, _, lot, _, _ in INSTRUMENTS.values()}[message[55]]
                yield Trade(
                    int(message[11].partition("-")[0]),
                    round(float(message[31]) * 10_000),
                    round(float(message[32]) * 10_000) // lot,
                    message[851] == "2",
                )


class OuchSpeaker:
    """The same by OUCH."""

    def __init__(self, chain: Chain, number: int) -> None:
        self._peer, self._wire = chain.log_in(f"OUCH{number}")
        self._chain = chain
        self._said: list[bytes] = []
        self._tokens: dict[int, str] = {}

    def say(self, row: int, command: Command, order: Order | None) -> None:
        key = order.row if order else row
        fresh = f"{key}-{row}"
        price = 0x7FFFFFFF if command.ord_type == "1" else command.price
        if command.kind == r.NEW_ORDER:
            self._tokens[key] = fresh
            message = ouch.enter(
                fresh,
                SIDES[command.side],
                command.qty,
                price,
                stock=INSTRUMENTS[command.instrument][1],
                time_in_force=99999 if command.time_in_force == "0" else 0,
                minimum_quantity=command.qty if command.time_in_force == "4" else 0,
            )
        elif command.kind == r.CANCEL:
            message = ouch.cancel(self._tokens[key])
        elif order is not None and command.price == order.price and command.qty < order.qty:
            message = ouch.cancel(self._tokens[key], command.qty)
        else:
            message = ouch.replace(self._tokens[key], fresh, command.qty, price)
            self._tokens[key] = fresh
        self._said.append(packets.packet("U", message))

    def send(self) -> None:
        self._chain.feed(self._peer, b"".join(self._said))
        self._said.clear()

    def trades(self) -> Iterator[Trade]:
        octets = b"".join(self._wire.written)
        while octets:
            end = 2 + int.from_bytes(octets[:2], "big")
            letter, payload, octets = octets[2:3], octets[3:end], octets[end:]
            if letter == b"S":
                message = ouch.decode(payload)
                assert message["type"] != "J", message
                if message["type"] == "E":
                    yield Trade(
                        int(message["order_token"].partition("-")[0]),
                        message["execution_price"],
                        message["executed_shares"],
                        message["liquidity_flag"] == "R",
                    )


Said = tuple[int, Command, Order | None]


class Flow:
    """Commands, drawn one after the other; what comes of each says what can come next."""

    def __init__(self, seed: int) -> None:
        self.naive = NaiveMatcher()
        self._draw = random.Random(seed)
        for number in INSTRUMENTS:
            self.naive.instruments[number] = Instrument(
                4, 10**9, 10**6, r.INSTRUMENT_SHORT_MARKING
            )
        self.naive.stp[2] = r.STP_DECREMENT

    def commands(self) -> Iterator[Said]:
        """Row, command, and the order that it is about, as that was before."""
        for row in range(1, COMMANDS + 1):
            command, order = self._command()
            before = order and Order(**vars(order))
            self.naive.apply(row, command)
            yield row, command, before

    def sweep(self) -> Iterator[Said]:
        """Somebody takes what is left: the place of each order shows."""
        for row, order in enumerate(list(self.naive.live.values()), COMMANDS + 1):
            side = "2" if order.side == "1" else "1"
            command = Command(
                r.NEW_ORDER, 3, str(row).encode(), side=side, ord_type="1", time_in_force="3",
                qty=self._draw.randint(1, 30), instrument=order.instrument, account=3,
            )  # fmt: skip
            self.naive.apply(row, command)
            yield row, command, None

    def _command(self) -> tuple[Command, Order | None]:
        draw = self._draw
        instrument = draw.choice((1, 1, 2))
        client = draw.randint(1, 2)
        price = price_of(instrument, INSTRUMENTS[instrument][4] + draw.randrange(8))
        fresh = str(draw.getrandbits(64)).encode()
        mine = [one for one in self.naive.live.values() if one.session == client]
        if not mine or draw.random() < 0.5:
            side = draw.choice("112256")
            ord_type, time_in_force = draw.choice(("20", "20", "20", "20", "23", "24", "13", "14"))
            return Command(
                r.NEW_ORDER, client, fresh, side=side, ord_type=ord_type,
                time_in_force=time_in_force, qty=draw.randint(1, 30),
                price=price if ord_type == "2" else 0, instrument=instrument, account=client,
            ), None  # fmt: skip
        order = draw.choice(mine)
        known = {"orig": order.cl_ord_id, "side": order.side, "instrument": order.instrument}
        price = price_of(order.instrument, INSTRUMENTS[order.instrument][4] + draw.randrange(8))
        change = draw.choice(("cancel", "lower", "raise", "move"))
        if change == "move" and price != order.price:
            qty = order.cum + draw.randint(1, 30)
        elif change == "raise":
            price, qty = order.price, order.qty + draw.randint(1, 5)
        elif change == "lower" and order.leaves > 1:
            price, qty = order.price, draw.randint(order.cum + 1, order.qty - 1)
        else:
            return Command(r.CANCEL, client, fresh, **known), order
        return Command(r.REPLACE, client, fresh, qty=qty, price=price, **known), order


Book = dict[tuple[int, bool], list[tuple[int, int, int]]]


def run(directory: Path, seed: int, speaker: Any) -> tuple[Flow, Book, list[list[Trade]]]:
    """What came of the flow: the books before the sweep, and what each client heard of trades."""
    directory.mkdir()
    chain = Chain(directory, CONFIG)
    clients = [speaker(chain, number) for number in range(1, CLIENTS + 1)]
    flow = Flow(seed)
    say(clients, flow.commands())
    found = book(chain)
    assert found == naive_book(flow.naive)
    say(clients, flow.sweep())
    chain.close()
    return flow, found, [list(client.trades()) for client in clients]


def say(clients: Sequence[Any], flow: Iterator[Said]) -> None:
    """One batch for all that a client says before another speaks."""
    for number, some in itertools.groupby(flow, lambda said: said[1].session):
        client = clients[number - 1]
        for said in some:
            client.say(*said)
        client.send()


def book(chain: Chain) -> Book:
    """By instrument and side, levels from the best on: price in 10^-4, lots, orders."""
    depth, found = chain.recovered.engine.book.depth, {}
    for number, (_, _, lot, _, _) in INSTRUMENTS.items():
        decimals, qty_decimals = PLACES[number]
        for sells in (False, True):
            found[number, sells] = [
                (price * 10 ** (4 - decimals), qty * 10 ** (4 - qty_decimals) // lot, count)
                for price, qty, count in depth(number, sells)
            ]
    return found


def naive_book(naive: NaiveMatcher) -> Book:
    return {
        (number, letter == "S"): [
            (abs(rank), sum(one.leaves for one in level), len(level))
            for rank, level in naive.books.get((number, letter), {}).items()
            if level
        ]
        for number in INSTRUMENTS
        for letter in "BS"
    }


def naive_trades(naive: NaiveMatcher) -> list[list[Trade]]:
    """As each client must have heard of them."""
    heard: list[list[Trade]] = [[] for _ in range(CLIENTS)]
    for aggressor, passive, price, qty in naive.traded:
        for row, is_aggressor in ((aggressor, True), (passive, False)):
            trade = Trade(row, price, qty, is_aggressor)
            heard[naive.by_row[row].session - 1].append(trade)
    return heard


def test_the_same_flow_by_either_door_leaves_equal_books_and_trades(
    tmp_path: Path, seed: int
) -> None:
    flow, fix_book, fix_trades = run(tmp_path / "fix", seed, FixSpeaker)
    _, ouch_book, ouch_trades = run(tmp_path / "ouch", seed, OuchSpeaker)
    assert ouch_book == fix_book
    assert ouch_trades == fix_trades == naive_trades(flow.naive)
    assert len(flow.naive.traded) > COMMANDS // 50
