"""Many FIX sessions on one gateway at once: what each costs in memory and work, idle and trading.

All log on, stay silent for a while, then all trade, neighbour with neighbour, in rounds that come
from every session at once. Memory is what the process holds beside mapped files; work is the
gateway's processor time, which a busy machine disturbs little.
"""

from __future__ import annotations

import contextlib
import resource
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from portcullis.tools.benchmarks import load, orders
from portcullis.tools.benchmarks.figures import Figure
from portcullis.tools.gateway_process import GatewayProcess

IDLE_S = 2.0
TRADES = 10  # a session's orders, each of which trades
_ANSWERS = 2  # to each order: that it is new, and its fill
_SPARE_DESCRIPTORS = 64
_CONFIG = """
[listen]
fix = "127.0.0.1:{{port}}"
[back_office]
enabled = false
[journal]
segment_rows = 131072
[limits]
connections = {connections}
connections_per_address = {connections}
unauthenticated = {connections}
unauthenticated_per_address = {connections}
[[instrument]]
symbol = "BTC-USD"
tick = "0.01"
lot = "0.0001"
"""
_SESSION = '[[session]]\nprotocol = "fix"\nclient = "C{0}"\naccount = "C{0}"\n'


def config(sessions: int) -> str:
    """The gateway's configuration: clients C0, C1, ... each with an account of its own."""
    clients = (_SESSION.format(number) for number in range(sessions))
    return _CONFIG.format(connections=sessions + _SPARE_DESCRIPTORS) + "".join(clients)


def log_on(port: int, sessions: int, links: contextlib.ExitStack) -> list[socket.socket]:
    """All log on at once."""
    clients = []
    for number in range(sessions):
        client = links.enter_context(load.connect(port))
        client.sendall(orders.logon(f"C{number}"))
        clients.append(client)
    for client in clients:
        if b"\x0135=A\x01" not in load.receive_message(client):
            raise load.WrongAnswers("a session was not let in")
    return clients


def trade(clients: Sequence[socket.socket]) -> None:
    """Each session sends its orders, at one price; of two neighbours one sells, one buys.

    So each order rests or trades, whatever the order in which they arrive, and all trade at last.
    """
    for turn in range(TRADES):
        when = orders.utc_now()
        for number, client in enumerate(clients):
            terms = (
                f"11=T{turn}", "38=1", "40=2", "44=100", f"54={1 + number % 2}",
                "55=BTC-USD", f"60={when}",
            )  # fmt: skip
            client.sendall(orders.message("D", 2 + turn, f"C{number}", when, *terms))
        for client in clients:
            answers = b""
            while answers.count(b"\x0110=") < _ANSWERS:
                answers += load.receive_message(client)
            if orders.count_reports(answers) != {"0": 1, "F": 1}:
                raise load.WrongAnswers(f"an order was answered by {answers!r}")


def measure(size: int) -> list[Figure]:
    """size: sessions, an even number."""
    sessions = size + size % 2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = sessions + _SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory:
        with GatewayProcess(Path(directory) / "few", config(2)) as few:
            floor = few.memory_bytes
            few.stop()
        with (
            contextlib.ExitStack() as links,
            GatewayProcess(Path(directory) / "all", config(sessions)) as gateway,
        ):
            pid = gateway.pid
            configured, begin = gateway.memory_bytes, load.work_ns(pid)
            clients = log_on(gateway.port, sessions, links)
            logged_on, idle = gateway.memory_bytes, load.work_ns(pid)
            time.sleep(IDLE_S)
            trading = load.work_ns(pid)
            trade(clients)
            traded, end = gateway.memory_bytes, load.work_ns(pid)
            gateway.kill()  # its clients do not answer a Logout
    per_order = (end - trading) / (sessions * TRADES) / 1000
    idle_share = (trading - idle) / 1e9 / IDLE_S * 100
    return [
        Figure("sessions logged on at once", sessions, "sessions", 1000),
        Figure("memory: configured", (configured - floor) / (sessions - 2), "bytes/session"),
        Figure("memory: and logged on", (logged_on - configured) / sessions, "bytes/session"),
        Figure("memory: and having traded", (traded - configured) / sessions, "bytes/session"),
        Figure("work: Logon", (idle - begin) / sessions / 1000, "us/session"),
        Figure("work: all idle", idle_share, "% of a processor"),
        Figure("work: all trading", per_order, "us/order", 0, "order in, two reports out"),
    ]
