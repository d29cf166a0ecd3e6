"""A start: from the first row, from a snapshot, with the index' files and without; and memory.

Orders rest, and each is cancelled later: what lives stays the same, and only ids add up. Memory is
what belongs to the process alone (RssAnon): the journal's pages are the kernel's. `portcullis
bench recovery --size 20000000` shows it over a long run, and takes 10 GB of disk.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from array import array
from itertools import pairwise
from pathlib import Path

from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import Replica
from portcullis.gateway.report_index import ReportIndex
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal import rows
from portcullis.journal.index_files import FOLDER
from portcullis.journal.snapshots import list_snapshots
from portcullis.journal.tail import JournalTail
from portcullis.tools.benchmarks.figures import Figure

BATCH = 64
LIVE = 1000
_ID_BYTES = 16  # of an entry of the id table, which has two for each id
_CONFIG = """
[journal]
sync = "none"
[limits]
orders = 4096
ids = {ids}
levels = 1024
sessions = 16
accounts = 16
instruments = 16
[[instrument]]
symbol = "BTC-USD"
tick = "0.01"
lot = "0.0001"
[[stream]]
name = "reports"
groups = ["239.255.13.1:9881"]
[[session]]
protocol = "fix"
client = "CLIENT1"
account = "CLIENT1"
"""


def _anonymous_bytes() -> int:
    """Memory of this process that no file stands behind."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0


def _work(gateway: Recovered, begin: int, end: int) -> None:
    """Orders from `begin` on, each but the last LIVE cancelled, in batches."""
    table, engine, journal, index = (
        gateway.journal.table,
        gateway.engine,
        gateway.journal,
        gateway.index,
    )
    terms = ord("1") | ord("2") << 8 | ord("1") << 16 | 8 << 32 | 255 << 48
    cancel = ord("1") | 8 << 40 | 255 << 48
    for number in range(begin, end):
        words = {
            rows.W_ID: number + 1,
            rows.W_QTY: 10,
            rows.W_PRICE: 4000 + number % 100,
            rows.W_REF: 1 | 1 << 32,
            rows.W_TERMS: terms,
        }
        table.append_input(rows.NEW_ORDER, 1, words=words)
        if number >= LIVE:
            words = {rows.W_REF: 1, rows.W_TERMS: cancel, rows.W_ORIG: number + 1 - LIVE}
            table.append_input(rows.CANCEL, 1, words=words)
        if number % BATCH == 0 or number + 1 == end:
            first = table.batch_first
            engine.run()
            index.observe(first, journal.seal())


def measure(size: int) -> list[Figure]:
    """Rows a second of a start with and without a snapshot, and memory by orders."""
    text = _CONFIG.format(ids=size + LIVE)
    loaded = Loaded(parse(text, "bench"), "bench", Path(), text)
    figures = []
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as name:
        directory = Path(name)
        gateway = recover(loaded, directory)
        quarters = [size * part // 4 for part in range(5)]
        at_first = _anonymous_bytes()
        for begin, end in pairwise(quarters):
            _work(gateway, begin, end)
            grown = _anonymous_bytes() - at_first
            per_million = grown / end * 1_000_000 / (1 << 20)
            note = f"table of ids: {2 * _ID_BYTES} bytes an id, touched as ids come"
            figures.append(
                Figure(f"memory of {end:,} orders, per million", per_million, "MiB", note=note)
            )
        total = gateway.journal.sealed_row
        gateway.journal.abandon()

        begin_s = time.process_time()
        recover(loaded, directory).journal.abandon()
        seconds = time.process_time() - begin_s
        figures.append(Figure("start from the first row", total / seconds, "rows/s"))

        sizes = {key: getattr(loaded.config.limits, key) for key in LIMITS}
        replica = Replica(directory, sizes)
        reader = JournalTail(directory)
        begin_s = time.process_time()
        while replica.poll(reader):
            pass
        figures.append(
            Figure(
                "replica that follows", total / (time.process_time() - begin_s), "rows/s",
                note="the same, and a second engine's compare",
            )
        )  # fmt: skip
        for how in ("counted anew", "with its file"):
            begin_s = time.process_time()
            index = ReportIndex(directory, {"reports": 2}, 1)
            reports = JournalTail(directory)
            while index.poll(reports):
                pass
            seconds = time.process_time() - begin_s
            figures.append(Figure(f"refill index of a start, {how}", seconds * 1000, "ms"))
        begin_s = time.process_time()
        replica.save(reader)
        figures.append(Figure("snapshot written", (time.process_time() - begin_s) * 1000, "ms"))
        assert list_snapshots(directory)
        for how in ("with its index", "without"):
            begin_s = time.process_time()
            again = recover(loaded, directory)
            seconds = time.process_time() - begin_s
            note = f"{seconds:.2f} s"
            figures.append(
                Figure(f"start from that snapshot, {how}", total / seconds, "rows/s", note=note)
            )
            begin_s = time.process_time()
            assert again.index.walk(1, 1, memoryview(array("q", bytes(8 * BATCH))))
            milliseconds = (time.process_time() - begin_s) * 1000
            figures.append(Figure(f"then the oldest messages found, {how}", milliseconds, "ms"))
            again.journal.abandon()
            shutil.rmtree(directory / FOLDER, ignore_errors=True)
    return figures
