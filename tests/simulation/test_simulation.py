"""A million messages through a gateway to which everything happens; and proof that it would show.

`python -m tests.simulation` runs more of them by hand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from portcullis import _build
from tests.simulation.broken_rules import RULES, Rule
from tests.simulation.ledger import Ledger, Live, Order, Side, Told
from tests.simulation.run import Failed, Plan, simulate
from tests.simulation.world import Violation

# A million messages in all; uncompiled, where one takes thirty times as long, some thousands.
RUNS, MESSAGES = (2, 2_000) if _build.is_pure() else (40, 25_000)
# Seeds that are tried with a rule that is broken: not every run comes across it.
SEEDS = range(1, 25)


@pytest.mark.parametrize("number", range(RUNS))
def test_every_promise_is_kept_whatever_happens(tmp_path: Path, seed: int, number: int) -> None:
    result = simulate(Plan(seed + number, MESSAGES), tmp_path / "run")
    assert result.messages >= MESSAGES


@pytest.mark.skipif(_build.is_pure(), reason="what is broken is the same in both modes")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.text)
def test_a_rule_that_is_broken_is_found_and_found_again(tmp_path: Path, rule: Rule) -> None:
    for seed in SEEDS:
        plan = Plan(seed, rule.messages, rule.faults, rule.sync)
        first = failure(rule, plan, tmp_path / "run")
        if first:
            break
    else:
        pytest.fail(f"a simulation does not notice when it is broken that {rule.text}")
    assert plan.command() in first and f"--seed {seed} " in first
    shutil.rmtree(tmp_path / "run")
    assert failure(rule, plan, tmp_path / "run") == first


def failure(rule: Rule, plan: Plan, folder: Path) -> str:
    """What a run says that comes across a broken rule; "": it did not."""
    with rule.broken():
        try:
            simulate(plan, folder)
        except Failed as failed:
            return str(failed)
    return ""


def test_a_run_is_a_function_of_its_seed_and_of_nothing_else(tmp_path: Path) -> None:
    """Neither of the order of sets, nor of the mode, nor of what ran before it."""
    plan = Plan(11, 1_500)
    told = {simulate(plan, tmp_path / "here").transcript}
    for hashes, pure in (("1", "1" if _build.is_pure() else ""), ("2", "1")):
        program = (
            "import sys; from pathlib import Path; from tests.simulation.run import *; "
            "print(simulate(Plan(11, 1_500), Path(sys.argv[1])).transcript)"
        )
        run = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / hashes)],
            env=os.environ | {"PYTHONHASHSEED": hashes, "PORTCULLIS_PURE": pure},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        told.add(run.stdout.strip())
    assert len(told) == 1
    assert simulate(Plan(12, 1_500), tmp_path / "other").transcript not in told


# --- the ledger, by hand ------------------------------------------------------------------------


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
    first, second = "17=9|37=1".join(("", "")), "17=9|37=2"
    assert ledger.exec_id("A", "9", first)
    with pytest.raises(Violation, match="two contents"):
        ledger.exec_id("A", "9", second)
