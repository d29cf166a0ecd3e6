"""The order state tables of FIX 4.4 volume 4, case by case: what a client is told, in order.

Names give the case of the tables. Shown as (ExecType, OrdStatus, LeavesQty, CumQty).
"""

from __future__ import annotations

import pytest

from portcullis.engine import why as w
from portcullis.journal import rows as r
from tests.engine.naive_matcher import Command, Report
from tests.support.commands import Venue

ME, OTHER = 1, 2


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.instrument()
    made.instrument(2)
    return made


def order(identifier: bytes, session: int = ME, **terms: object) -> Command:
    given: dict[str, object] = {"qty": 100, "price": 50, "account": session, **terms}
    return Command(r.NEW_ORDER, session, identifier, **given)  # type: ignore[arg-type]


def sell(qty: int, price: int = 50) -> Command:
    sell.count += 1  # type: ignore[attr-defined]
    identifier = b"s%d" % sell.count  # type: ignore[attr-defined]
    return order(identifier, OTHER, side="2", qty=qty, price=price)


sell.count = 0  # type: ignore[attr-defined]


def cancel(identifier: bytes, orig: bytes, **terms: object) -> Command:
    return Command(r.CANCEL, ME, identifier, orig, **terms)  # type: ignore[arg-type]


def change(identifier: bytes, orig: bytes, qty: int, price: int = 50, **terms: object) -> Command:
    return Command(r.REPLACE, ME, identifier, orig, qty=qty, price=price, **terms)  # type: ignore[arg-type]


def told(reports: list[Report], session: int = ME) -> list[tuple[str, str, int, int]]:
    return [
        (one.exec_type, one.ord_status, one.leaves, one.cum)
        for one in reports
        if one.session == session
    ]


def test_a_1_a_filled_in_two(venue: Venue) -> None:
    assert told(venue.do(order(b"X"))) == [("0", "0", 100, 0)]
    assert told(venue.do(sell(20))) == [("F", "1", 80, 20)]
    assert told(venue.do(sell(80))) == [("F", "2", 0, 100)]


def test_a_refused_order_burns_its_id(venue: Venue) -> None:
    first = venue.do(order(b"X", qty=0))[0]
    assert (first.exec_type, first.ord_status, first.reason) == ("8", "8", 13)
    again = venue.do(order(b"X"))[0]
    assert (again.kind, again.reason, again.ord_status) == (r.REFUSED_DUPLICATE, 6, "8")
    assert again.order_id == first.order_id


def test_b_1_a_cancel_with_nothing_filled(venue: Venue) -> None:
    venue.do(order(b"X"))
    answers = venue.do(cancel(b"Y", b"X"))
    assert told(answers) == [("4", "4", 0, 0)]
    assert answers[0].flags == r.F_ANSWER
    assert venue.engine.book.depth(1, False) == []


def test_b_1_b_cancel_keeps_what_was_filled(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(sell(30))
    assert told(venue.do(cancel(b"Y", b"X"))) == [("4", "4", 0, 30)]


def test_b_1_c_cancel_of_a_filled_order_is_too_late(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(sell(100))
    answer = venue.do(cancel(b"Y", b"X"))[0]
    assert (answer.kind, answer.ord_status, answer.reason) == (r.CANCEL_REJECT, "2", 0)


def test_b_1_f_cancel_of_an_unknown_order_leaves_its_id_free(venue: Venue) -> None:
    answer = venue.do(cancel(b"Y", b"X"))[0]
    assert (answer.kind, answer.order_id, answer.ord_status, answer.reason) == (
        r.CANCEL_REJECT,
        0,
        "8",
        1,
    )
    assert told(venue.do(order(b"Y"))) == [("0", "0", 100, 0)]


def test_c_1_a_more_quantity(venue: Venue) -> None:
    venue.do(order(b"X"))
    answer = venue.do(change(b"Y", b"X", 110))[0]
    assert (answer.exec_type, answer.ord_status, answer.leaves) == ("5", "0", 110)
    assert answer.order_qty == 110


def test_c_2_a_change_of_a_filled_order_is_too_late(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(sell(100))
    answer = venue.do(change(b"Y", b"X", 110))[0]
    assert (answer.kind, answer.ord_status, answer.reason) == (r.CANCEL_REJECT, "2", 0)


def test_c_3_a_less_quantity_but_above_what_is_filled(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(sell(30))
    assert told(venue.do(change(b"Y", b"X", 80))) == [("5", "1", 50, 30)]


@pytest.mark.parametrize("qty", [30, 20])
def test_c_3_b_and_c_down_to_what_is_filled_or_below_means_stop_now(
    venue: Venue, qty: int
) -> None:
    venue.do(order(b"X"))
    venue.do(sell(30))
    answer = venue.do(change(b"Y", b"X", qty))[0]
    assert (answer.exec_type, answer.ord_status, answer.leaves, answer.cum) == ("5", "2", 0, 30)
    assert answer.order_qty == 30
    assert venue.engine.book.depth(1, False) == []


def test_d_1_b_after_a_refused_change_the_old_id_stands(venue: Venue) -> None:
    venue.do(order(b"X"))
    assert venue.do(change(b"Y", b"X", 0))[0].kind == r.CANCEL_REJECT
    assert told(venue.do(change(b"Z", b"X", 90))) == [("5", "0", 90, 0)]


def test_d_2_a_changes_of_changes_name_the_id_before(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(change(b"Y", b"X", 90))
    assert told(venue.do(change(b"Z", b"Y", 80))) == [("5", "0", 80, 0)]
    answer = venue.do(cancel(b"C", b"X"))[0]
    assert (answer.reason, answer.why) == (1, w.WHY_NOT_CURRENT_ID)
    assert told(venue.do(cancel(b"C", b"Z"))) == [("4", "4", 0, 0)]


def test_f_1_a_a_duplicate_tells_the_state_of_the_order_that_is_there(venue: Venue) -> None:
    row = venue.do(order(b"X"))[0].order_id
    venue.do(sell(30))
    answer = venue.do(order(b"X"))[0]
    assert answer.kind == r.REFUSED_DUPLICATE
    assert (answer.order_id, answer.ord_status, answer.leaves, answer.cum) == (row, "1", 70, 30)


def test_f_1_b_a_possible_resend_is_told_the_present_state(venue: Venue) -> None:
    venue.do(order(b"X"))
    answer = venue.do(order(b"X", poss_resend=True))[0]
    assert (answer.kind, answer.exec_type, answer.ord_status) == (r.STATUS_REPORT, "I", "0")


def test_a_possible_resend_never_seen_is_a_new_order(venue: Venue) -> None:
    assert told(venue.do(order(b"X", poss_resend=True))) == [("0", "0", 100, 0)]


def test_g_1_status_at_each_stage(venue: Venue) -> None:
    ask = Command(r.STATUS, ME, b"X")
    unknown = venue.do(ask)[0]
    assert (unknown.exec_type, unknown.ord_status, unknown.reason) == ("I", "8", 5)
    venue.do(order(b"X"))
    assert told(venue.do(ask)) == [("I", "0", 100, 0)]
    venue.do(sell(40))
    assert told(venue.do(ask)) == [("I", "1", 60, 40)]
    venue.do(sell(60))
    assert told(venue.do(ask)) == [("I", "2", 0, 100)]


def test_status_by_order_id_alone(venue: Venue) -> None:
    row = venue.do(order(b"X"))[0].order_id
    answer = venue.do(Command(r.STATUS, ME, order_id=row))[0]
    assert (answer.order_id, answer.ord_status, answer.flags) == (row, "0", r.F_OWN)
    assert venue.do(Command(r.STATUS, OTHER, order_id=row))[0].order_id == 0


def test_i_1_a_a_fill_or_kill_that_cannot_fill_is_new_then_cancelled(venue: Venue) -> None:
    venue.do(sell(99))
    answers = venue.do(order(b"X", time_in_force="4"))
    assert told(answers) == [("0", "0", 100, 0), ("4", "4", 0, 0)]
    assert venue.engine.book.depth(1, True) == [(50, 99, 1)]


def test_i_1_b_the_rest_of_an_immediate_or_cancel_is_cancelled(venue: Venue) -> None:
    venue.do(sell(30))
    answers = venue.do(order(b"X", time_in_force="3"))
    assert told(answers) == [("0", "0", 100, 0), ("F", "1", 70, 30), ("4", "4", 0, 30)]


def test_a_market_order_takes_what_there_is(venue: Venue) -> None:
    venue.do(sell(30, 1000))
    answers = venue.do(order(b"X", ord_type="1", price=0))
    assert told(answers)[1:] == [("F", "1", 70, 30), ("4", "4", 0, 30)]
    assert answers[-1].why == w.WHY_MARKET_REST


@pytest.mark.parametrize(
    ("qty", "price", "first"), [(90, 50, ME), (100, 50, ME), (110, 50, 3), (100, 51, ME)]
)
def test_a_change_keeps_its_place_only_for_less_at_the_same_price(
    venue: Venue, qty: int, price: int, first: int
) -> None:
    venue.do(order(b"X"))
    venue.do(order(b"R", 3))
    venue.do(change(b"Y", b"X", qty, price))
    passive = [one for one in venue.do(sell(1)) if one.flags & r.F_PASSIVE]
    assert [one.session for one in passive] == [first]


def test_a_change_of_price_may_trade_at_once_after_its_report(venue: Venue) -> None:
    venue.do(sell(30, 60))
    venue.do(order(b"X"))
    answers = venue.do(change(b"Y", b"X", 100, 60))
    assert told(answers) == [("5", "0", 100, 0), ("F", "1", 70, 30)]
    assert answers[1].last_px == 60


def test_j_1_a_a_bust_of_a_live_order_gives_nothing_back(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(sell(30))
    bust = Command(r.BUST, ME, b"X", fill=(1, 30, 50, 0, 0, 0))
    answer = venue.do(bust)[0]
    assert (answer.exec_type, answer.ord_status, answer.leaves, answer.cum) == ("H", "0", 70, 0)
    assert (answer.order_qty, answer.avg_px, answer.last_qty) == (70, 0, 30)


def test_j_1_a_a_correction_of_a_filled_order_moves_its_average(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(sell(100))
    answer = venue.do(Command(r.CORRECT, ME, b"X", fill=(1, 100, 50, 100, 49, 5000)))[0]
    assert (answer.exec_type, answer.ord_status, answer.cum) == ("G", "2", 100)
    assert answer.avg_px == 49 * 10**4
    assert told(venue.do(Command(r.STATUS, ME, b"X"))) == [("I", "2", 0, 100)]


def test_j_1_b_a_bust_after_a_cancel_stays_cancelled(venue: Venue) -> None:
    venue.do(order(b"X"))
    venue.do(sell(30))
    venue.do(cancel(b"Y", b"X"))
    bust = Command(r.BUST, ME, b"X", fill=(1, 30, 50, 0, 0, 1500))
    assert told(venue.do(bust)) == [("H", "4", 0, 0)]


def test_a_bust_of_more_than_was_filled_is_ignored(venue: Venue) -> None:
    venue.do(order(b"X"))
    assert venue.do(Command(r.BUST, ME, b"X", fill=(1, 30, 50, 0, 0, 0))) == []
    assert venue.engine.amendments.ignored == 1


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"side": "2"}, w.WHY_TERMS_MISMATCH),
        ({"instrument": 2}, w.WHY_TERMS_MISMATCH),
        ({"order_id": 1}, w.WHY_ID_MISMATCH),
        ({"for_session": OTHER}, w.WHY_UNKNOWN_ORDER),
        ({"for_session": 99}, w.WHY_UNKNOWN_ORDER),
        ({"refused": w.WHY_UNSUPPORTED_TERM}, w.WHY_UNSUPPORTED_TERM),
        ({"cl_ord_id": b"X"}, w.WHY_DUPLICATE_ID),
    ],
)
def test_a_cancel_that_does_not_fit_is_refused(
    venue: Venue, terms: dict[str, object], why: int
) -> None:
    venue.do(order(b"X"))
    asked = cancel(b"Y", b"X")._replace(**terms)  # type: ignore[arg-type]
    answer = venue.do(asked)[0]
    assert (answer.kind, answer.why) == (r.CANCEL_REJECT, why)
    assert answer.reason == w.WHYS[why].cxl_rej_reason
    assert venue.engine.book.depth(1, False) == [(50, 100, 1)]


def test_a_replacement_keeps_the_account_and_may_name_no_other(venue: Venue) -> None:
    venue.do(order(b"X"))
    answer = venue.do(change(b"Y", b"X", 60, account=2))[0]
    assert (answer.kind, answer.why, answer.reason) == (r.CANCEL_REJECT, w.WHY_TERMS_MISMATCH, 99)
    assert venue.do(change(b"Y", b"X", 60, account=1))[0].exec_type == "5"
    assert venue.do(change(b"Z", b"Y", 50, account=0))[0].exec_type == "5"


def test_a_session_that_manages_the_account_cancels_and_both_are_told(venue: Venue) -> None:
    venue.do(order(b"X"))
    answers = venue.do(Command(r.CANCEL, OTHER, b"Y", b"X", for_session=ME))
    assert [(one.session, one.flags, one.ord_status) for one in answers] == [
        (ME, 0, "4"),
        (OTHER, r.F_ANSWER | r.F_OWN, "4"),
    ]


@pytest.mark.parametrize(
    ("flags", "why"), [(r.INSTRUMENT_HALTED, w.WHY_HALTED), (0, w.WHY_UNSUPPORTED_TERM)]
)
def test_halts_and_short_sales_are_the_instruments_terms(
    venue: Venue, flags: int, why: int
) -> None:
    venue.instrument(flags=flags)
    assert venue.do(order(b"X", side="5"))[0].why == why


@pytest.mark.parametrize(
    ("mode", "mine"),
    [
        (r.STP_NONE, [("0", 15), ("F", 10), ("F", 0)]),
        (r.STP_CANCEL_NEWEST, [("0", 15), ("F", 10), ("4", 0)]),
        (r.STP_CANCEL_OLDEST, [("0", 15), ("F", 10), ("4", 0), ("F", 5)]),
        (r.STP_CANCEL_BOTH, [("0", 15), ("F", 10), ("4", 0), ("4", 0)]),
        (r.STP_DECREMENT, [("0", 15), ("F", 10), ("4", 0), ("D", 10)]),
    ],
)
def test_self_trade_prevention_meets_others_first(
    venue: Venue, mode: int, mine: list[tuple[str, int]]
) -> None:
    venue.account(ME, mode)
    venue.do(sell(5))
    venue.do(order(b"R", side="2", qty=20))
    venue.do(sell(5))
    answers = [one for one in venue.do(order(b"X", qty=15)) if one.session == ME]
    got = [(one.exec_type, one.leaves) for one in answers if one.flags != r.F_PASSIVE]
    assert got == mine


@pytest.mark.parametrize(
    ("capacity", "why"),
    [
        ({"ids": 1}, w.WHY_IDS_FULL),
        ({"orders": 1}, w.WHY_ORDERS_FULL),
        ({"levels": 1}, w.WHY_LEVELS_FULL),
    ],
)
def test_a_full_table_refuses_new_orders_by_name(capacity: dict[str, int], why: int) -> None:
    venue = Venue(**capacity)  # type: ignore[arg-type]
    venue.instrument()
    venue.do(order(b"X"))
    assert venue.do(order(b"Y", price=49))[0].why == why
    assert told(venue.do(cancel(b"C", b"X"))) == [("4", "4", 0, 0)]
