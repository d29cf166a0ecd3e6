"""A long run of orders through a whole gateway: what its memory does.

One session sends orders in pairs of which the second trades with the first, so that none lives on:
what adds up is ids alone, whose table has a place for each from the start. Memory is what the
process holds beside mapped files (RssAnon): the journal's pages are the kernel's. The full run is
`portcullis bench memory --size 20000000`, and takes 8 GB of disk.
"""

from __future__ import annotations

import socket
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

from portcullis.tools.benchmarks import load, orders
from portcullis.tools.benchmarks.figures import Figure
from portcullis.tools.gateway_process import GatewayProcess

CHUNK_ORDERS = 50_000
PARTS = 4
_ENTRY_BYTES = 16
_MIB = 1 << 20
_CONFIG = """
[listen]
fix = "127.0.0.1:{{port}}"
[back_office]
enabled = false
[capture]
enabled = false
[limits]
ids = {ids}
[[instrument]]
symbol = "BTC-USD"
tick = "0.01"
lot = "0.0001"
[[account]]
name = "CLIENT2"
self_trade = "none"
[[session]]
protocol = "fix"
client = "CLIENT2"
account = "CLIENT2"
"""


def trade(link: socket.socket, first: int, end: int, seq: int) -> int:
    """Send orders by their numbers, each pair a trade; check the answers, give the next number."""
    when, messages = orders.utc_now(), []
    for number in range(first, end):
        terms = (
            f"11={number}", "38=1", "40=2", "44=100", f"54={2 - number % 2}", "55=BTC-USD",
            f"60={when}",
        )  # fmt: skip
        messages.append(orders.message("D", seq, orders.TAKER, when, *terms))
        seq += 1
    messages.append(orders.end_request(orders.TAKER, seq))
    octets = b"".join(messages)
    room = bytearray(len(octets) * 5 + 65536)
    _seconds, used = load.stream(link, octets, room)
    load.check_answers(room, used, Counter({"0": end - first, "F": end - first}))
    return seq + 1


def measure(size: int) -> list[Figure]:
    """size: orders, an even number of them."""
    size += size % 2
    entries = 1 << (2 * size - 1).bit_length()
    table = entries * _ENTRY_BYTES
    figures = [Figure(f"table of {size:,} ids, named", table / size, "bytes/id")]
    held = []
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory,
        GatewayProcess(Path(directory), _CONFIG.format(ids=size)) as gateway,
        load.log_on(gateway.port, orders.TAKER) as link,
    ):
        held.append(gateway.memory_bytes)
        seq = 2
        parts = [size * part // PARTS // 2 * 2 for part in range(PARTS + 1)]
        for begin, end in pairwise(parts):
            for first in range(begin, end, CHUNK_ORDERS):
                seq = trade(link, first, min(first + CHUNK_ORDERS, end), seq)
            held.append(gateway.memory_bytes)
            figures.append(Figure(f"whole process after {end:,} orders", held[-1] / _MIB, "MiB"))
        gateway.stop()
    behind = held[-1] - held[1]
    millions = (parts[-1] - parts[1]) / 1e6
    figures.append(
        Figure("growth after the first quarter", behind / millions / _MIB, "MiB/million orders")
    )
    per_million = (held[-1] - held[0]) / size * 1e6 / _MIB
    figures.append(Figure("growth in all, the table included", per_million, "MiB/million orders"))
    return figures
