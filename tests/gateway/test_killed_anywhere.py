"""SIGKILL at each file operation of a roll, snapshot, index, archive, prune, day: all is found.

Unless --thorough, at every fourth, from one on that the seed says.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from portcullis import _build
from tests.support.killed_at import SCENARIOS

# More by hand: python -m tests.support.killed_at roll FOLDER SEED 1000
LINES = 2
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(_build.is_pure(), reason="fills segments, for minutes")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_start_finds_its_way(
    tmp_path: Path, scenario: str, seed: int, pytestconfig: pytest.Config
) -> None:
    command = [sys.executable, "-m", "tests.support.killed_at", scenario, str(tmp_path)]
    step = 1 if pytestconfig.option.thorough else 4
    done = subprocess.run(
        [*command, str(seed), str(LINES), str(step)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
