"""The highest numbers that instruments allow, in both modes: nothing wraps, averages are exact."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.engine import why as w
from portcullis.journal import rows as r
from tests.engine.naive_matcher import Command, Instrument, NaiveMatcher
from tests.support.commands import Venue


def order(identifier: bytes, session: int, side: str, qty: int, price: int) -> Command:
    return Command(
        r.NEW_ORDER, session, identifier, side=side, qty=qty, price=price, account=session
    )


@pytest.mark.parametrize(
    ("decimals", "price_max", "qty_max"),
    [
        (4, (1 << 62) // 10_000 - 1, 9_999),
        (0, 8, (1 << 58) - 1),
        (8, (1 << 31) - 1, 1 << 31),
        (8, (1 << 61), 1),
    ],
)
def test_the_highest_fill_is_told_exactly(decimals: int, price_max: int, qty_max: int) -> None:
    venue = Venue()
    venue.instrument(price_decimals=decimals, price_max=price_max, qty_max=qty_max)
    venue.do(order(b"A", 1, "1", qty_max, price_max))
    fill = venue.do(order(b"B", 2, "2", qty_max, price_max))[1]
    assert venue.engine.rows_ignored == 0
    assert (fill.last_px, fill.last_qty, fill.cum) == (price_max, qty_max, qty_max)
    assert fill.avg_px == price_max * 10 ** (min(decimals + 4, 8) - decimals)


@given(
    st.integers(0, 8),
    st.lists(st.tuples(st.integers(1, 16), st.integers(1, 1 << 54)), min_size=1, max_size=6),
)
@settings(max_examples=60)
def test_the_average_is_exact_and_half_up(decimals: int, fills: list[tuple[int, int]]) -> None:
    venue = Venue(256, batch_rows=64, input_rows=32, orders=20, ids=20, levels=20)
    venue.instrument(price_decimals=decimals, price_max=15, qty_max=(1 << 58) - 1)
    fills = [(min(price, 15), qty) for price, qty in fills]
    for number, (price, qty) in enumerate(fills):
        venue.send(order(b"%d" % number, 1, "2", qty, price))
    total = sum(qty for _, qty in fills)
    reports = venue.do(order(b"X", 2, "1", total, 15))
    last = [one for one in reports if one.session == 2][-1]
    scale = 10 ** (min(decimals + 4, 8) - decimals)
    exact = Fraction(sum(price * qty for price, qty in fills) * scale, total)
    assert (last.ord_status, last.avg_px) == ("2", floor(exact + Fraction(1, 2)))


@pytest.mark.parametrize("qty", [0, -1, 101, (1 << 63) - 1, -(1 << 63)])
def test_a_quantity_out_of_range_is_refused(qty: int) -> None:
    venue = Venue()
    venue.instrument(qty_max=100)
    assert venue.do(order(b"A", 1, "1", qty, 5))[0].why == w.WHY_BAD_QTY


@pytest.mark.parametrize("price", [0, -1, 101, (1 << 63) - 1, -(1 << 63)])
def test_a_price_out_of_range_is_refused(price: int) -> None:
    venue = Venue()
    venue.instrument(price_max=100)
    assert venue.do(order(b"A", 1, "1", 5, price))[0].why == w.WHY_BAD_PRICE


def test_bounds_that_change_under_live_orders_keep_the_product_in_range() -> None:
    venue = Venue()
    venue.instrument(price_max=1 << 40, qty_max=1 << 10)
    venue.do(order(b"A", 1, "2", 1 << 10, 1 << 40))
    venue.instrument(price_max=1 << 10, qty_max=1 << 40)
    venue.run()
    assert venue.engine.rows_ignored == 1
    assert venue.do(order(b"B", 2, "1", 1 << 20, 5))[0].why == w.WHY_BAD_QTY


def test_decimals_stay_while_an_instrument_has_live_orders() -> None:
    venue = Venue()
    venue.instrument(price_decimals=2)
    venue.do(order(b"A", 1, "2", 5, 5))
    venue.instrument(price_decimals=3)
    venue.run()
    assert venue.engine.rows_ignored == 1
    venue.do(Command(r.CANCEL, 1, b"C", b"A", side="2"))
    venue.instrument(price_decimals=3)
    venue.run()
    assert venue.engine.rows_ignored == 1


PRICES = st.integers(1, 40)
STEPS = st.lists(
    st.tuples(st.sampled_from("12"), PRICES, st.integers(1, 30), st.integers(-1, 40)), max_size=60
)


@given(STEPS)
@settings(max_examples=80)
def test_the_book_is_that_of_the_oracle(steps: list[tuple[str, int, int, int]]) -> None:
    venue = Venue(1024, batch_rows=64, input_rows=32, orders=100, ids=100, levels=100)
    venue.instrument(price_max=100, qty_max=100)
    naive = NaiveMatcher()
    naive.instruments[1] = Instrument(2, 100, 100)
    for number, (side, price, qty, target) in enumerate(steps):
        session = 1 + number % 2
        command = order(b"%d" % number, session, side, qty, price)
        if 0 <= target < number:
            session = 1 + target % 2
            orig = b"%d" % target
            side = steps[target][0]
            command = Command(r.CANCEL, session, b"c%d" % number, orig, side=side)
        naive.apply(venue.send(command), command)
    venue.run()
    assert venue.reports() == naive.reports
    for side in "BS":
        depth = [
            (abs(rank), sum(one.leaves for one in orders), len(orders))
            for rank, orders in naive.books.get((1, side), {}).items()
        ]
        assert venue.engine.book.depth(1, side == "S") == depth


def test_capacities_in_force_decide_what_is_refused_and_not_how_large_tables_are() -> None:
    memories = []
    for larger in (1, 4):
        venue = Venue(
            16384,
            orders=100 * larger,
            ids=1400 * larger,
            levels=40 * larger,
            instruments=4 * larger,
        )
        for limit, capacity in (
            (r.LIMIT_ORDERS, 100),
            (r.LIMIT_IDS, 1400),
            (r.LIMIT_LEVELS, 40),
            (r.LIMIT_INSTRUMENTS, 4),
        ):
            venue.put(r.SETTING, {r.W_SUBJECT: limit, r.W_LIMIT: capacity})
        refused = fill_and_empty(venue)
        # Lower than what is in use, and up again.
        for capacity in (5, 100):
            venue.put(r.SETTING, {r.W_SUBJECT: r.LIMIT_ORDERS, r.W_LIMIT: capacity})
            refused |= fill_and_empty(venue)
        assert refused >= {w.WHY_ORDERS_FULL, w.WHY_LEVELS_FULL, w.WHY_IDS_FULL}
        assert venue.engine.rows_ignored == 0
        memories.append(bytes(venue.memory))
    assert memories[0] == memories[1]


def fill_and_empty(venue: Venue) -> set[int]:
    """On side after side, more prices than there are levels, of which one stays."""
    first = venue.table.tail
    for instrument in range(1, 5):
        venue.instrument(instrument)
        for side in ("1", "2"):
            ids = [b"%d-%d" % (venue.table.tail, number) for number in range(63)]
            base = 100 if side == "1" else 1000
            for number, name in enumerate(ids):
                venue.send(
                    Command(
                        r.NEW_ORDER, 1, name, side=side, qty=1, price=base + number,
                        instrument=instrument, account=1,
                    )
                )  # fmt: skip
            for name in ids[1:]:
                venue.send(
                    Command(r.CANCEL, 1, b"", name, side=side, instrument=instrument, account=1)
                )
            venue.run()
    return {one.why for one in venue.reports(first)}


def test_a_capacity_beyond_the_tables_is_counted_and_changes_nothing() -> None:
    venue = Venue(orders=10, ids=16, levels=10, instruments=4)
    venue.run()
    before = venue.engine.book.order_capacity, venue.engine.book.level_capacity
    for limit in (r.LIMIT_ORDERS, r.LIMIT_IDS, r.LIMIT_LEVELS, r.LIMIT_INSTRUMENTS):
        for capacity in (17, 0, -1):
            venue.put(r.SETTING, {r.W_SUBJECT: limit, r.W_LIMIT: capacity})
    venue.run()
    assert venue.engine.rows_ignored == 12
    assert (venue.engine.book.order_capacity, venue.engine.book.level_capacity) == before
