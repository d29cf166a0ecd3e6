"""Rules of the gateway are broken on purpose: the simulation finds each, and finds it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from portcullis import _build
from tests.simulation.broken_rules import RULES, Rule
from tests.simulation.run import Failed, Plan, simulate

# Seeds that are tried with a rule that is broken: not every run comes across it.
SEEDS = range(1, 25)


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
