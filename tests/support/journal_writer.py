"""A process that writes a journal until it is killed, and says each row it has sealed.

Run as `python -m tests.support.journal_writer DIRECTORY SEED`. After each seal it writes the
sealed row's number, eight bytes, to standard output: what a client would have seen.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from portcullis.journal.replay import replay
from portcullis.journal.writer import Journal
from tests.support.journals import OPTIONS, EchoEngine, append_batch


def main(directory: Path, seed: int) -> None:
    draw = random.Random(seed)
    options = OPTIONS | {"ahead": draw.random() < 0.5, "sync": draw.choice(["none", "batch"])}
    journal, batches = Journal.open(directory, **options)
    engine = EchoEngine(journal.table)
    for batch in replay(journal.table, engine, batches):
        journal.table.time_ns = max(journal.table.time_ns, batch.last_row)
    while True:
        text = b"t" * draw.choice([0, 0, 5, 120])
        row = append_batch(journal, engine, draw.randrange(1, 3), text=text)
        if journal.sync_needed:
            journal.sync()
        os.write(1, row.to_bytes(8, "little"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
