"""The end of a trading day: who expires, which ids are free again, and what comes between."""

from __future__ import annotations

import random

from portcullis.engine.layout import RUN_SLICE, SLICE_ORDERS
from portcullis.engine.why import (
    WHY_DAY_END,
    WHY_DUPLICATE_ID,
    WHY_NEW_DAY,
    WHY_UNKNOWN_ORDER,
)
from portcullis.journal import rows as r
from tests.engine.naive_matcher import Command
from tests.support.commands import Venue

FIRST_DAY = 2026112101


def open_venue(**sizes: int) -> Venue:
    venue = Venue(**sizes)
    venue.instrument()
    venue.put(r.DAY, {r.W_DAY: FIRST_DAY})
    for session in (1, 2):
        venue.session(session, session)
    venue.run()
    return venue


def order(session: int, name: bytes, **terms: object) -> Command:
    given = {"qty": 5, "price": 100, "account": session} | terms
    return Command(r.NEW_ORDER, session, name, **given)  # type: ignore[arg-type]


def end_day(venue: Venue, day: int, flags: int = 0) -> int:
    row = venue.table.append_input(r.DAY, 0, flags=flags, words={r.W_DAY: day})
    assert row
    return row


def test_day_orders_expire_and_good_till_cancel_ones_live_on() -> None:
    venue = open_venue()
    venue.do(order(1, b"day"))
    venue.do(order(1, b"gtc", time_in_force="1"))
    first = venue.table.tail
    row = end_day(venue, FIRST_DAY + 1)
    venue.run()
    (expired,) = venue.reports(first)
    assert (expired.exec_type, expired.ord_status, expired.leaves) == ("C", "C", 0)
    assert (expired.why, expired.cause, expired.session) == (WHY_DAY_END, row, 1)
    assert venue.engine.day == FIRST_DAY + 1
    assert venue.engine.book.depth(1, False) == [(100, 5, 1)]


def test_the_first_day_ends_none_and_a_day_never_goes_back() -> None:
    venue = open_venue()
    venue.do(order(1, b"day"))
    before = venue.engine.rows_ignored
    for day in (FIRST_DAY, FIRST_DAY - 1):
        end_day(venue, day)
    venue.run()
    assert venue.engine.rows_ignored == before + 2
    assert venue.engine.book.orders_live == 1


def test_a_day_that_goes_on_under_a_new_id_expires_nothing() -> None:
    venue = open_venue()
    venue.do(order(1, b"day"))
    end_day(venue, FIRST_DAY + 1, r.F_SAME_DAY)
    venue.run()
    assert venue.engine.day == FIRST_DAY + 1
    assert venue.engine.book.orders_live == 1
    (again,) = venue.do(order(1, b"day"))
    assert again.why == WHY_DUPLICATE_ID


def test_ids_are_free_again_but_for_those_of_live_orders() -> None:
    venue = open_venue()
    venue.do(order(1, b"day"))
    venue.do(order(1, b"gtc", time_in_force="1"))
    change = Command(r.REPLACE, 1, b"gtc-2", b"gtc", qty=4, price=100, time_in_force="1")
    venue.do(change)
    assert venue.engine.ids.used == 3
    end_day(venue, FIRST_DAY + 1)
    venue.run()
    assert venue.engine.ids.used == 2
    assert venue.do(order(1, b"day"))[0].exec_type == "0"
    for taken in (b"gtc", b"gtc-2"):
        assert venue.do(order(1, taken))[0].why == WHY_DUPLICATE_ID
    (canceled,) = venue.do(Command(r.CANCEL, 1, b"c", b"gtc-2"))
    assert canceled.exec_type == "4"


def test_what_has_ended_is_unknown_the_next_day() -> None:
    venue = open_venue()
    venue.do(order(1, b"day"))
    end_day(venue, FIRST_DAY + 1)
    venue.run()
    (refused,) = venue.do(Command(r.CANCEL, 1, b"c", b"day"))
    assert refused.why == WHY_UNKNOWN_ORDER


def test_a_large_day_ends_in_slices_and_others_commands_come_between() -> None:
    count = 2 * SLICE_ORDERS + 10
    venue = open_venue(rows=8 * count, orders=count + 10, ids=count + 10, batch_rows=1024)
    for number in range(count):
        venue.send(order(1, b"%d" % number))
    venue.run()
    first = venue.table.tail
    end_day(venue, FIRST_DAY + 1)
    assert venue.run_once() == RUN_SLICE
    # Trades with one of the old day; its own id is today's, and stays taken.
    venue.send(order(2, b"today", side="2", time_in_force="3", qty=5))
    venue.send(order(2, b"stays"))
    venue.run()
    reports = venue.reports(first)
    kinds = [one.exec_type for one in reports]
    # The oldest has expired already: the one that traded is the first that had not.
    assert kinds.count("C") == count - 1 and kinds.count("F") == 2
    assert venue.engine.book.orders_live == 1
    assert venue.engine.ids.used == 2
    assert venue.do(order(2, b"today"))[0].why == WHY_DUPLICATE_ID


def test_a_replaced_order_of_the_old_day_is_the_new_days() -> None:
    count = SLICE_ORDERS + 2
    venue = open_venue(rows=8 * count, orders=count + 10, ids=count + 10)
    for number in range(count):
        venue.send(order(1, b"%d" % number))
    venue.run()
    end_day(venue, FIRST_DAY + 1)
    assert venue.run_once() == RUN_SLICE
    venue.send(Command(r.REPLACE, 1, b"new", b"%d" % (count - 1), qty=4, price=100))
    venue.run()
    assert venue.engine.book.depth(1, False) == [(100, 4, 1)]
    assert venue.do(Command(r.CANCEL, 1, b"c", b"new"))[0].exec_type == "4"


def test_ids_are_found_after_many_were_removed(seed: int) -> None:
    draw = random.Random(seed)
    venue = open_venue(rows=20_000, orders=4000, ids=1000, batch_rows=1024)
    live: set[bytes] = set()
    for day in range(1, 5):
        for number in range(700 - len(live)):
            name = b"%d-%d" % (day, number)
            lasts = draw.random() < 0.2
            venue.send(order(1, name, time_in_force="1" if lasts else "0"))
            if lasts:
                live.add(name)
        end_day(venue, FIRST_DAY + day)
        venue.run()
        assert venue.engine.ids.used == len(live)
        for name in draw.sample(sorted(live), len(live) // 2):
            (ended,) = venue.do(Command(r.CANCEL, 1, b"", name))
            assert ended.exec_type == "4", name
            live.discard(name)
        for name in sorted(live):
            assert venue.engine.ids.lookup(1, name), name


def test_a_mass_cancel_between_slices_meets_only_what_it_asks_for() -> None:
    """An order that ends between two slices must not let the one behind it in unasked."""
    count = SLICE_ORDERS + 4
    venue = open_venue(rows=8 * count, orders=count + 10, ids=count + 10)
    for number in range(count):
        venue.send(order(1, b"%d" % number))
    venue.send(order(1, b"other side", side="2", price=200))
    venue.send(order(1, b"last"))
    venue.run()
    venue.send(Command(r.MASS_CANCEL, 1, b"all buys", account=1, scope="7", scope_side="1"))
    assert venue.run_once() == RUN_SLICE
    for number in range(SLICE_ORDERS, count):
        venue.send(Command(r.CANCEL, 1, b"c%d" % number, b"%d" % number))
    venue.run()
    assert venue.engine.book.depth(1, True) == [(200, 5, 1)]
    assert venue.engine.book.depth(1, False) == []


def test_orders_that_live_on_are_restated_once_where_their_session_wants_it() -> None:
    count = SLICE_ORDERS + 10
    venue = open_venue(rows=12 * count, orders=2 * count + 10, ids=2 * count + 10)
    venue.session(1, 1, r.SESSION_FIX | r.SESSION_GTC_RESTATE)
    for number in range(count):
        venue.send(order(1, b"gtc %d" % number, time_in_force="1", qty=5))
        venue.send(order(1, b"day %d" % number))
    venue.send(order(2, b"unasked", time_in_force="1"))
    venue.run()
    venue.do(order(2, b"fills", side="2", price=100, qty=2, time_in_force="3"))
    first = venue.table.tail
    row = end_day(venue, FIRST_DAY + 1)
    assert venue.run_once() == RUN_SLICE
    # Between two slices: one that is changed now is not restated, and one that ends neither.
    change = {"qty": 4, "price": 100, "account": 1, "time_in_force": "1"}
    venue.send(Command(r.REPLACE, 1, b"new", b"gtc %d" % (count - 1), **change))  # type: ignore[arg-type]
    venue.send(Command(r.CANCEL, 1, b"c", b"gtc %d" % (count - 2)))
    venue.run()
    restated = [one for one in venue.reports(first) if one.exec_type == "D"]
    assert len(restated) == len({one.order_id for one in restated}) == count - 2
    assert {(one.why, one.reason, one.session, one.cause) for one in restated} == {
        (WHY_NEW_DAY, 1, 1, row)
    }
    assert (restated[0].ord_status, restated[0].leaves, restated[0].cum) == ("1", 3, 2)
    assert [one.exec_type for one in venue.reports(first)].count("C") == count
