"""SIGKILL at each file operation of a roll, snapshot, index, archive, prune, day: all is found."""

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
def test_a_start_finds_its_way(tmp_path: Path, scenario: str, seed: int) -> None:
    command = [sys.executable, "-m", "tests.support.killed_at", scenario, str(tmp_path)]
    done = subprocess.run(
        [*command, str(seed), str(LINES)], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
