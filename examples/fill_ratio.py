"""How much of what each session orders is filled: an answer from an exported journal.

    portcullis journal export --parquet exported
    python examples/fill_ratio.py exported

Quantities are added up per session in units of their instruments' lots, so compare sessions that
trade the same instruments. A bust or correction counts with what it makes of the order.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq


def fill_ratios(folder: Path) -> dict[str, float]:
    """By the session's key: quantity filled over quantity ordered, of all accepted orders."""
    reports = pq.read_table(
        folder / "report.parquet",
        columns=["session", "order_id", "exec_type", "flags", "cum_qty", "order_qty"],
    )
    # What was refused never was an order. A copy for a session that manages the account (flag 32)
    # is not its own.
    reports = reports.filter(pc.not_equal(reports["exec_type"], "8"))
    reports = reports.filter(pc.equal(pc.bit_wise_and(reports["flags"], 32), 0))
    # Rows are in order, and what the last report says of an order holds.
    last = [("session", "last"), ("cum_qty", "last"), ("order_qty", "last")]
    orders = reports.group_by("order_id", use_threads=False).aggregate(last)
    sums = orders.group_by("session_last").aggregate(
        [("cum_qty_last", "sum"), ("order_qty_last", "sum")]
    )
    names = pq.read_table(folder / "session.parquet", columns=["subject", "item_name"])
    keys = dict(zip(*(column.to_pylist() for column in names.columns), strict=True))
    return {
        keys[session]: filled / ordered
        for session, filled, ordered in zip(
            sums["session_last"].to_pylist(),
            sums["cum_qty_last_sum"].to_pylist(),
            sums["order_qty_last_sum"].to_pylist(),
            strict=True,
        )
        if ordered
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: fill_ratio.py FOLDER, of portcullis journal export --parquet FOLDER")
    try:
        ratios = fill_ratios(Path(sys.argv[1]))
    except FileNotFoundError as missing:
        sys.exit(f"no exported journal: {missing}")
    for key, ratio in sorted(ratios.items()):
        print(f"{ratio:7.1%}  {key}")
