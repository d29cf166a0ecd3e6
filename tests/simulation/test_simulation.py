"""A million messages through a gateway to which everything happens; a quarter unless --thorough.

`python -m tests.simulation` runs more of them by hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from portcullis import _build
from tests.simulation.run import Plan, simulate

# A million messages in all; uncompiled, where one takes thirty times as long, some thousands.
RUNS, MESSAGES = (1, 2_000) if _build.is_pure() else (40, 25_000)
# At each sync of a small run; uncompiled at some of them.
CUT_MESSAGES, CUT_STEP = 1200, 7 if _build.is_pure() else 1
MESSAGES_ALIKE = 200 if _build.is_pure() else 3000


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "number" in metafunc.fixturenames:
        runs = RUNS if metafunc.config.option.thorough else -(-RUNS // 4)
        metafunc.parametrize("number", range(runs))


def test_every_promise_is_kept_whatever_happens(tmp_path: Path, seed: int, number: int) -> None:
    result = simulate(Plan(seed + number, MESSAGES), tmp_path / "run")
    assert result.messages >= MESSAGES


def test_the_power_may_fail_at_any_sync_and_clients_resume_by_protocol_alone(
    tmp_path: Path, seed: int
) -> None:
    """Each sync of a run in turn is the last before the cut, and the run then goes to its end."""
    plan = Plan(seed, CUT_MESSAGES, ("split", "reset", "operator"), "interval")
    syncs = simulate(plan, tmp_path / "run").syncs
    assert syncs > 5
    for cut in range(1, syncs + 1, CUT_STEP):
        result = simulate(replace(plan, cut=cut), tmp_path / "run")
        assert result.power_losses == 1 or cut == syncs


def test_a_run_is_a_function_of_its_seed_and_of_nothing_else(tmp_path: Path) -> None:
    """Neither of the order of sets, nor of the mode, nor of what ran before it."""
    plan = Plan(11, MESSAGES_ALIKE)
    told = {simulate(plan, tmp_path / "here").transcript}
    for hashes, pure in (("1", "1" if _build.is_pure() else ""), ("2", "1")):
        program = (
            "import sys; from pathlib import Path; from tests.simulation.run import *; "
            f"print(simulate(Plan(11, {MESSAGES_ALIKE}), Path(sys.argv[1])).transcript)"
        )
        run = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / hashes)],
            env=os.environ
            | {"PYTHONHASHSEED": hashes, "PORTCULLIS_PURE": pure}
            | {"PORTCULLIS_REQUIRE_COMPILED": ""},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        told.add(run.stdout.strip())
    assert len(told) == 1
    assert simulate(Plan(12, MESSAGES_ALIKE), tmp_path / "other").transcript not in told
