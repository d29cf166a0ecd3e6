"""A writer killed at any moment has lost nothing that it had sealed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from portcullis.journal.reader import verify
from portcullis.journal.replay import replay
from portcullis.journal.writer import Journal
from tests.support.journals import OPTIONS, EchoEngine

ROUNDS = 12
ROOT = Path(__file__).parent.parent.parent


def test_what_a_killed_writer_had_sealed_is_there(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    last = 0
    for _ in range(ROUNDS):
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.journal_writer",
                str(tmp_path),
                str(draw.getrandbits(32)),
            ],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert child.stdout is not None
        with child, child.stdout:
            said = child.stdout.read(8 * draw.randrange(1, 400))
            child.kill()
            said += child.stdout.read()
        said = said[: len(said) // 8 * 8]
        sealed = int.from_bytes(said[-8:], "little")
        assert sealed > last
        found = verify(tmp_path)
        assert found.ending != "damage"
        journal, batches = Journal.open(tmp_path, **OPTIONS)
        last = max(
            batch.last_row for batch in replay(journal.table, EchoEngine(journal.table), batches)
        )
        assert last >= sealed
        assert last == found.last_row
        journal.abandon()
