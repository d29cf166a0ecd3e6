"""FIX to rows and rows to FIX: what translation and encoders cost per message.

Ordinary orders (limit, no carried fields) are scanned once and translated over and over into fresh
batches of plain memory; their acceptances are encoded as first sendings and as resends. The engine
runs once in between and is not timed, nor is the scan.
"""

from __future__ import annotations

import time
from pathlib import Path

import portcullis.dictionaries
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tables import compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.engine.matcher import Engine
from portcullis.gateway.catalog import Catalog
from portcullis.gateway.fix_door import FixDoor
from portcullis.gateway.fix_orders import FixOrders
from portcullis.gateway.fix_reports import FixReports
from portcullis.journal import rows as r
from portcullis.journal.table import RowTable
from portcullis.tools.benchmarks.figures import Figure
from portcullis.tools.benchmarks.load import WrongAnswers, quiet

BATCH = 100
TRANSLATE_BUDGET_NS = 60  # with the session check
ENCODE_BUDGET_NS = 200
_NOW_NS = 1_795_219_200_000_000_000
_DOOR = FixDoor(1, comp_id=b"PORTCULLIS", client=b"CLIENT1", default_account=1)


def _message(seq: int, cl_ord_id: bytes, extra: bytes = b"") -> bytes:
    body = (
        b"35=D|34=%d|49=CLIENT1|52=20261121-00:00:00.123|56=PORTCULLIS|11=%s|21=1|38=1.5|40=2|"
        b"44=50000.25|54=1|55=BTC-USD|59=0|60=20261121-00:00:00.123|%s" % (seq, cl_ord_id, extra)
    ).replace(b"|", b"\x01")
    message = b"8=FIX.4.4\x019=%d\x01%s" % (len(body), body)
    return message + b"10=%03d\x01" % (sum(message) % 256)


def _configured() -> tuple[RowTable, Catalog, Engine]:
    table = RowTable(bytearray(r.ROW_BYTES * (4 * r.BATCH_ROWS)))
    table.time_ns = _NOW_NS
    catalog = Catalog()
    engine = Engine(table, order_capacity=1024, id_capacity=4096, level_capacity=1024)
    words = {r.W_SUBJECT: 1, r.W_DECIMALS: 2 | 4 << 8, r.W_TICK: 1, r.W_LOT: 1}
    words |= {r.W_PRICE_MAX: 10**9, r.W_QTY_MAX: 10**9}
    rows = [
        table.append_input(r.ACCOUNT, words={r.W_SUBJECT: 1}, items={r.ITEM_NAME: b"ACME"}),
        table.append_input(r.INSTRUMENT, words=words, items={r.ITEM_NAME: b"BTC-USD"}),
    ]
    for row in rows:
        catalog.apply(table, row)
    engine.run()
    table.open_batch()
    return table, catalog, engine


def _times(extra: bytes, turns: int) -> tuple[float, float, float]:
    """Best nanoseconds per message of translation, first sending, resend."""
    table, catalog, engine = _configured()
    octets = b"".join(_message(n + 1, b"order-%05d" % n, extra) for n in range(BATCH))
    tables = compile_tables(
        load_dictionary(Path(portcullis.dictionaries.__file__).parent / "FIX44.xml")
    )
    scanner = FixScanner(tables, bytearray(octets))
    orders = FixOrders(table, catalog)
    reports = FixReports(table, catalog)
    if scanner.scan(0, len(octets)) != BATCH:
        raise WrongAnswers("the scanner did not find every message")
    start_row = table.tail
    translate, encode, resend = [], [], []
    for _ in range(turns):
        # Over the same rows: they get the same contents, as if over zeros.
        table.tail = start_row
        begin = time.perf_counter_ns()
        done = orders.translate(scanner, 0, BATCH, _DOOR)
        translate.append(time.perf_counter_ns() - begin)
        if done != BATCH:
            raise WrongAnswers(f"{done} of {BATCH} orders were translated")
    first = table.tail
    engine.run()
    count = 0
    for row in range(first, table.tail):
        if table.row_words(row)[r.W_HEAD] & 0xFF == r.REPORT:
            reports.rows[count] = row
            count += 1
    if count != BATCH:
        raise WrongAnswers(f"{count} reports for {BATCH} orders")
    for _ in range(turns):
        begin = time.perf_counter_ns()
        reports.encode(_DOOR, 0, BATCH, 1 << 30)
        encode.append(time.perf_counter_ns() - begin)
        reports.take()
        begin = time.perf_counter_ns()
        reports.resend(_DOOR, 0, BATCH, 1, _NOW_NS, 1 << 30)
        resend.append(time.perf_counter_ns() - begin)
        reports.take()
    return min(translate) / BATCH, min(encode) / BATCH, min(resend) / BATCH


def measure(size: int) -> list[Figure]:
    """Nanoseconds per message, of the best batch: what else runs on the machine only adds."""
    turns = max(1, size // BATCH)
    with quiet():
        translate, encode, resend = _times(b"", turns)
        _, carried, _ = _times(b"58=a note|453=1|448=DESK|447=D|452=1|526=second|", turns)
    note = f"best batch of {BATCH}"
    return [
        Figure("order to row", translate, "ns", TRANSLATE_BUDGET_NS, note),
        Figure("acceptance to FIX", encode, "ns", ENCODE_BUDGET_NS, note),
        Figure("acceptance resent", resend, "ns", 0, note),
        Figure("acceptance with carried fields", carried, "ns", 0, note),
    ]
