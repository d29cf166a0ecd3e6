"""A thousand FIX sessions logged on at once on one gateway: all served, each costing little."""

from __future__ import annotations

import contextlib
from pathlib import Path

from portcullis.tools.benchmarks.sessions import config
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

SESSIONS = 1000
# Real memory that a logged-on session adds to its configured one; 1.9 kB were measured.
BYTES_MAX = 16 << 10


def test_a_thousand_sessions_are_logged_on_at_once_and_trade(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, config(SESSIONS)) as gateway, contextlib.ExitStack() as links:
        before = gateway.memory_bytes
        clients = [FixClient(f"C{number}", gateway.port) for number in range(SESSIONS)]
        for client in clients:
            links.callback(client.close)
            client.connect().send("A", "98=0", "108=30")
        for client in clients:
            client.expect("A")
        grown = (gateway.memory_bytes - before) // SESSIONS
        print(f"{SESSIONS} sessions: {grown} bytes each")
        assert grown < BYTES_MAX

        for number, client in enumerate(clients):  # each trades with its neighbour
            client.link.sendall(client.order("o", "12"[number % 2], "1", str(10 + number // 2)))
        for client in clients:
            client.expect("8", t150="0", t11="o")
            client.expect("8", t150="F", t32="1", t151="0")
        for client in clients:
            client.send("5")
        for client in clients:
            client.expect("5")
            assert client.is_closed_by_peer()
        assert gateway.stop() == 0
