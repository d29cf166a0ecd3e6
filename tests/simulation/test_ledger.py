"""The naive model of clients: it has to fall over what may not be."""

from __future__ import annotations

import pytest

from tests.simulation.ledger import Deed, Ledger, Live, Order, Side, Told
from tests.simulation.world import Violation


def order(client: str, side: str, qty: int, price: int) -> Order:
    made = Order(client, f"{client}-1", side, qty, price)
    made.take(Told(1, "accepted", f"{client}-1", qty, price, 0, 0, qty))
    return made


def test_a_book_that_is_crossed_is_a_violation() -> None:
    ledger = Ledger()
    ledger.orders = {"A": [order("A", "buy", 5, 101)], "B": [order("B", "sell", 5, 100)]}
    with pytest.raises(Violation, match="crossed"):
        ledger.check_live(ledger.live())


def test_an_order_that_only_its_client_knows_is_a_violation() -> None:
    ledger = Ledger()
    ledger.orders = {"A": [order("A", "buy", 5, 100)]}
    ledger.check_live([Live("A", "A-1", "buy", 100, 5, 0)])
    for gateway in ([], [Live("A", "A-1", "buy", 100, 4, 1)]):
        with pytest.raises(Violation, match="different orders"):
            ledger.check_live(gateway)


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (Told(2, "traded", "A-1", 6, 100, 9, 6, 0), "more than was left"),
        (Told(2, "traded", "A-1", 5, 101, 9, 5, 0), "worse than its limit"),
        (Told(2, "traded", "A-1", 2, 100, 9, 1, 4), "sums should be 2 and 3"),
        (Told(2, "accepted", "A-1", 5, 100), "accepted twice"),
    ],
)
def test_a_report_that_cannot_follow_is_a_violation(told: Told, fault: str) -> None:
    with pytest.raises(Violation, match=fault):
        order("A", "buy", 5, 100).take(told)


def test_a_trade_with_one_side_is_a_report_that_was_lost() -> None:
    ledger = Ledger()
    ledger.trade(9, Side("A", 2, "buy", 5, 100))
    with pytest.raises(Violation, match="a report was lost"):
        ledger.check_trades()
    ledger.trade(9, Side("B", 3, "sell", 5, 100))
    ledger.check_trades()


def test_an_exec_id_of_two_contents_is_a_violation() -> None:
    ledger = Ledger()
    assert ledger.exec_id("A", "9", "17=9|37=1")
    with pytest.raises(Violation, match="two contents"):
        ledger.exec_id("A", "9", "17=9|37=2")


def test_an_amendment_that_is_told_to_one_side_or_twice_or_that_nobody_made_is_a_violation() -> (
    None
):
    ledger = Ledger()
    for client, side in (("A", "buy"), ("B", "sell")):
        ledger.trade(9, Side(client, 2, side, 5, 100))
    ledger.amended(9, Side("A", 4, "buy", 0, 0))
    with pytest.raises(Violation, match="amended by nobody"):
        ledger.check_trades()
    ledger.deeds[9] = Deed(6, 0, 0)
    with pytest.raises(Violation, match="was told as"):
        ledger.check_trades()
    ledger.amended(9, Side("B", 5, "sell", 0, 0))
    ledger.check_trades()
    with pytest.raises(Violation, match="two amendments"):
        ledger.amended(9, Side("B", 6, "sell", 0, 0))


def test_a_trade_that_is_amended_counts_as_it_is_now() -> None:
    told = order("A", "buy", 9, 100)
    told.take(Told(2, "traded", "A-1", 3, 100, 9, 3, 6))
    told.take(Told(3, "traded", "A-1", 2, 99, 11, 5, 4))
    told.take(Told(5, "amended", "A-1", 1, 98, 11, 4, 4, amends=3))
    assert (told.qty, told.value()) == (8, 398)
    told.take(Told(7, "amended", "A-1", 0, 0, 9, 1, 4, amends=2))
    assert (told.qty, told.value()) == (5, 98)
    with pytest.raises(Violation, match="sums should be"):
        told.take(Told(9, "amended", "A-1", 0, 0, 9, 3, 4, amends=2))
