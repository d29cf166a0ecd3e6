"""The journal alone: appending and sealing batches, under each sync policy.

Batches of 64 rows at a steady million rows a second, which is what the gateway writes at a million
orders. Pre-written segments are those of the maker process; cold ones are reserved on disk but
never written. Under `batch` each seal waits for the disk, so it runs as fast as that goes.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor

from portcullis.journal.rows import REPORT, ROW_BYTES
from portcullis.journal.writer import Journal, SyncPolicy
from portcullis.tools.benchmarks.figures import Figure, percentile
from portcullis.tools.benchmarks.load import quiet

ROWS = 64
PACE_NS = ROWS * 1000
SYNCED_BATCHES_MAX = 500
SEGMENT_ROWS = 1 << 17  # 16 MiB: many changes of segment in a short run
BUDGET_NS = 60


def append_batches(journal: Journal, batches: int, pace_ns: int) -> list[int]:
    """Append, seal and sync as the gateway does; give the nanoseconds of each batch, ordered."""
    row = REPORT.to_bytes(8, "little") + bytes(range(ROW_BYTES - 24)) + bytes(16)
    content = row * ROWS
    table = journal.table
    octets = table.octets
    clock = time.perf_counter_ns
    times = []
    pending: Future[int] | None = None
    with ThreadPoolExecutor(1) as thread, quiet():
        due = clock()
        for _ in range(batches):
            while clock() < due:
                pass
            due += pace_ns
            begin = clock()
            first = (table.tail - table.origin_row) * ROW_BYTES
            octets[first : first + len(content)] = content
            table.tail += ROWS
            journal.seal()
            if journal.sync_policy == "batch":
                journal.sync()
            elif journal.sync_needed and (pending is None or pending.done()):
                pending = thread.submit(journal.sync)
            times.append(clock() - begin)
    times.sort()
    return times


def measure_policy(sync: SyncPolicy, ahead: bool, rows: int) -> list[Figure]:
    """One policy, with segments written ahead or cold."""
    batches = rows // ROWS + 1
    if sync == "batch":
        batches = min(batches, SYNCED_BATCHES_MAX)
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory:
        journal, held = Journal.open(directory, segment_rows=SEGMENT_ROWS, sync=sync, ahead=ahead)
        for _ in held:
            raise AssertionError("a new journal holds nothing")
        times = append_batches(journal, batches, 0 if sync == "batch" else PACE_NS)
        note = f"{journal.cold_segments} cold segments" if ahead and journal.cold_segments else ""
        journal.close()
    name = f"sync {sync}, {'pre-written' if ahead else 'cold'}"
    budget = BUDGET_NS if ahead and sync != "batch" else 0
    return [
        Figure(f"{name}: per row", percentile(times, 0.5) / ROWS, "ns", budget, note),
        Figure(f"{name}: batch of {ROWS}, p99", percentile(times, 0.99) / 1000, "us"),
        Figure(f"{name}: batch of {ROWS}, p99.9", percentile(times, 0.999) / 1000, "us"),
    ]


def measure_recovery(rows: int) -> list[Figure]:
    """The walk over what a killed writer left, without an engine."""
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory:
        journal, held = Journal.open(directory, sync="none", ahead=False)
        list(held)
        append_batches(journal, rows // ROWS + 1, 0)
        journal.abandon()
        begin = time.perf_counter()
        journal, held = Journal.open(directory, ahead=False)
        found = sum(batch.last_row + 1 - batch.first_row for batch in held)
        seconds = time.perf_counter() - begin
        journal.close()
    return [Figure(f"recovery, batches of {ROWS}", found / seconds, "rows/s")]


def measure(size: int) -> list[Figure]:
    """Every policy, with segments written ahead and with cold ones; then recovery."""
    figures = []
    policies: tuple[SyncPolicy, ...] = ("none", "interval", "batch")
    for ahead in (True, False):
        for sync in policies:
            figures += measure_policy(sync, ahead, size)
    return figures + measure_recovery(size)
