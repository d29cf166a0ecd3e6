"""Snapshots for who comes late: how many are read at once, and what hanging up does to that."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any, cast

from portcullis.gateway.replica import Replica
from portcullis.gateway.report_index import StreamHistory
from portcullis.gateway.report_snapshot import Snapshots
from portcullis.journal import rows as r
from tests.support.fix_desk import START_NS, FixDesk
from tests.support.sbe_decoder import decode
from tests.support.streams import put_stream

ORDERS = 3


def test_who_hangs_up_half_way_gives_its_place_back_at_once() -> None:
    desk = FixDesk()
    put_stream(desk.table, 1, r.STREAM_REPORTS, 2026112101)
    desk.run()
    for number in range(ORDERS):
        desk.send(f"D|11=o{number}|54=1|55=BTC-USD|38=1|40=2|44=100|60=20261121-00:00:00")
    history = StreamHistory(desk.table, desk.catalog, 1, 1, 9)
    history.count()
    shown: dict[str, Any] = {
        "engine": desk.engine,
        "table": desk.table,
        "registry": SimpleNamespace(catalog=desk.catalog, sessions=lambda: [(1, b"A->CLIENT1")]),
        "time_ns": START_NS,
        "last_row": desk.table.tail - 1,
    }
    replica = cast(Replica, SimpleNamespace(**shown))
    snapshots = Snapshots(2)
    gc.disable()
    try:
        for _ in range(3):
            taken = [snapshots.take(history, replica) for _ in range(3)]
            assert taken[0] is not None and taken[1] is not None and taken[2] is None
            (first,) = taken[0].take(1, 4096)
            assert decode(first)[1]["clOrdId"] == "o0"
            taken.clear()
    finally:
        gc.enable()
    whole = snapshots.take(history, replica)
    assert whole is not None
    assert len(whole.take(99, 1 << 20)) == ORDERS + 1 and whole.has_ended()
