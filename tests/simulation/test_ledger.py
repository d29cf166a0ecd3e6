"""The naive model of clients: it has to fall over what may not be."""

from __future__ import annotations

import pytest

from tests.simulation.ledger import Ledger, Live, Order, Side, Told
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
