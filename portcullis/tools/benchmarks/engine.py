"""The engine alone: the reference mix as rows, ids and books and report rows included.

Rows stand ready in plain memory; only `run` is timed, a batch of 64 orders at a time, as many as a
busy turn of the loop brings. No seal: the journal's benchmark has it.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

from portcullis.engine.matcher import Engine
from portcullis.journal.rows import (
    ACCOUNT,
    CANCEL,
    FIRST_OUTPUT,
    INSTRUMENT,
    NEW_ORDER,
    ROW_BYTES,
    ROW_WORDS,
    SEND,
    SESSION,
    SESSION_FIX,
    STATUS,
    W_ACCOUNT,
    W_DECIMALS,
    W_HEAD,
    W_ID,
    W_IN_SEQ,
    W_LOT,
    W_ORIG,
    W_PRICE,
    W_PRICE_MAX,
    W_QTY,
    W_QTY_MAX,
    W_REF,
    W_SESSION_FLAGS,
    W_SUBJECT,
    W_TERMS,
    W_TICK,
)
from portcullis.journal.table import RowTable
from portcullis.tools.benchmarks.figures import Figure, percentile
from portcullis.tools.benchmarks.load import WrongAnswers, quiet

BATCH = 64
MAKER, TAKER = 1, 2
ROWS_PER_ORDER = 4  # its own, at most two reports, and one to the other side
ID_BUDGET_NS, BOOK_BUDGET_NS = 50, 100
BUDGET_NS = ID_BUDGET_NS + BOOK_BUDGET_NS
_TRADE_PRICE = 10_000


def _order(table: RowTable, session: int, number: int, side: str, price: int) -> None:
    seq = number + 1
    terms = ord(side) | ord("2") << 8 | ord("0") << 16 | ord("1") << 24 | 9 << 32 | 255 << 48
    words = {
        W_IN_SEQ: seq,
        W_ID: _name(session, number),
        W_ID + 1: ord("x"),
        W_QTY: 10,
        W_PRICE: price,
        W_REF: 1 | session << 32,
        W_TERMS: terms,
    }
    assert table.append_input(NEW_ORDER, session, words=words)


def _cancel(table: RowTable, session: int, number: int, target: int) -> None:
    terms = ord("1") | 9 << 32 | 9 << 40 | 255 << 48
    words = {
        W_IN_SEQ: number + 1,
        W_ID: _name(session, number),
        W_ID + 1: ord("x"),
        W_REF: 1,
        W_TERMS: terms,
        W_ORIG: _name(session, target),
        W_ORIG + 1: ord("x"),
    }
    assert table.append_input(CANCEL, session, words=words)


def _name(session: int, number: int) -> int:
    """Eight bytes of an id, as a word."""
    return int.from_bytes(b"%d%07d" % (session, number), "little")


def _configure(table: RowTable) -> None:
    for subject in (MAKER, TAKER):
        table.append_input(ACCOUNT, words={W_SUBJECT: subject})
        words = {W_SUBJECT: subject, W_ACCOUNT: subject, W_SESSION_FLAGS: SESSION_FIX}
        table.append_input(SESSION, words=words)
    words = {W_SUBJECT: 1, W_DECIMALS: 2 | 4 << 8, W_TICK: 1, W_LOT: 1}
    table.append_input(INSTRUMENT, words=words | {W_PRICE_MAX: 10**6, W_QTY_MAX: 10**9})


def _fill(table: RowTable, begin: int, end: int) -> None:
    """The taker's orders from `begin` on: of ten, the fifth cancels, the tenth trades."""
    for number in range(begin, end):
        kind = number % 10
        if kind == 4:
            _cancel(table, TAKER, number, number - 2)
        else:
            price = _TRADE_PRICE if kind == 9 else 4_000 + number % 100 * 10
            _order(table, TAKER, number, "1", price)


def measure(size: int) -> list[Figure]:
    """Nanoseconds per order of the mix, every report counted; then its parts."""
    return _mix(size) + _parts((size + 9) // 10)


def _prepared(rows: int, orders: int) -> tuple[RowTable, Engine]:
    """An engine with its sessions, accounts and instrument, and room for so many rows."""
    # Populated, as the gateway's segments are: a fresh page would cost more than an order.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    memory = mmap.mmap(-1, ROW_BYTES * (rows + 16384), flags)
    table = RowTable(memory)
    engine = Engine(table, order_capacity=orders, id_capacity=2 * orders)
    _configure(table)
    engine.run()
    return table, engine


def _run(
    table: RowTable, engine: Engine, size: int, fill: Callable[[int, int], None]
) -> list[int]:
    """Nanoseconds per command of each batch, in rising order; `fill` appends those of a range."""
    times = []
    with quiet():
        for begin in range(0, size, BATCH):
            end = min(size, begin + BATCH)
            table.open_batch()
            fill(begin, end)
            start = time.perf_counter_ns()
            engine.run()
            times.append((time.perf_counter_ns() - start) // (end - begin))
    return sorted(times)


def _mix(size: int) -> list[Figure]:
    makers = (size + 9) // 10
    table, engine = _prepared(ROWS_PER_ORDER * (size + makers), size + makers)

    def make(begin: int, end: int) -> None:
        for number in range(begin, end):
            _order(table, MAKER, number, "2", _TRADE_PRICE)

    _run(table, engine, makers, make)
    first = table.tail
    times = _run(table, engine, size, lambda begin, end: _fill(table, begin, end))
    _check(table, first, size)
    mean = sum(times) / len(times)
    return [
        Figure("order of the mix, mean", mean, "ns", BUDGET_NS, f"batches of {BATCH}"),
        Figure("order of the mix, p50 of batches", percentile(times, 0.5), "ns"),
        Figure("order of the mix, p99 of batches", percentile(times, 0.99), "ns"),
    ]


def _parts(size: int) -> list[Figure]:
    """What a row, an id and the book cost: medians, each less what the parts before it cost."""
    table, engine = _prepared(ROWS_PER_ORDER * 5 * size, 2 * size)

    def send(begin: int, end: int) -> None:
        for number in range(begin, end):
            table.append_input(SEND, TAKER, words={W_IN_SEQ: number + 1})

    def ask(begin: int, end: int) -> None:
        for number in range(begin, end):
            words = {W_ID: _name(9, number), W_ID + 1: ord("x"), W_TERMS: 9 << 32}
            table.append_input(STATUS, TAKER, words=words)

    def rest(begin: int, end: int) -> None:
        for number in range(begin, end):
            _order(table, TAKER, number, "1", 4_000 + number % 100 * 10)

    def cancel(begin: int, end: int) -> None:
        for number in range(begin, end):
            _cancel(table, TAKER, size + number, number)

    def make(begin: int, end: int) -> None:
        for number in range(begin, end):
            _order(table, MAKER, number, "2", _TRADE_PRICE)

    def trade(begin: int, end: int) -> None:
        for number in range(begin, end):
            _order(table, TAKER, 2 * size + number, "1", _TRADE_PRICE)

    row, unknown, rested, cancelled, _, traded = (
        percentile(_run(table, engine, size, fill), 0.5)
        for fill in (send, ask, rest, cancel, make, trade)
    )
    return [
        Figure("  report row, numbered", row, "ns"),
        Figure("  id looked up, hash included", unknown - row, "ns", ID_BUDGET_NS),
        Figure("  rest, beside id and row", rested - unknown, "ns", BOOK_BUDGET_NS),
        Figure("  cancel, beside an id and a row", cancelled - unknown, "ns", BOOK_BUDGET_NS),
        Figure("  trade, beside an id and a row", traded - unknown, "ns", 0, "two rows more"),
    ]


def _check(table: RowTable, first: int, size: int) -> None:
    """One report for each order and cancel, and one to each side of a trade."""
    heads = table.words[(first - table.origin_row) * ROW_WORDS + W_HEAD :: ROW_WORDS]
    reports = sum(FIRST_OUTPUT <= head & 0xFF < 127 for head in heads[: table.tail - first])
    trades = sum(number % 10 == 9 for number in range(size))
    if reports != size + 2 * trades:
        raise WrongAnswers(f"{reports} reports, expected {size + 2 * trades}")
