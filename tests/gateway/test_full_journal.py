"""When no further journal segment can be made: new orders are refused by name, cancels pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcullis import _build
from portcullis.tools.gateway_process import CONFIG, GatewayProcess
from tests.support.fix_client import FixClient

# Two segments and no more: 65,536 rows of 128 bytes.
SMALL = """
[journal]
segment_rows = 32768
address_space = "8MiB"
[limits]
orders = 20000
ids = 40000
"""
# Carried with the order, so that an order takes some thirty rows.
TEXT = "58=" + "x" * 3500


@pytest.mark.skipif(_build.is_pure(), reason="fills a journal, for half a minute")
def test_orders_are_refused_and_cancels_pass_until_a_restart_makes_room(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path, CONFIG + SMALL) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on()
        accepted = 0
        while accepted < 2000:
            client.link.sendall(client.order(f"o{accepted}", "1", "1", "10", TEXT))
            report = client.receive()
            if report[150] == "8":
                break
            accepted += 1
        assert (report[39], report[103]) == ("8", "99")
        assert report[58].startswith("Journal has no room for new orders")
        client.send("F", "11=c1", "41=o0", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
        client.expect("8", t150="4", t41="o0")
        client.log_out()
        assert gateway.stop() == 0

        gateway.start()
        client.log_on()
        client.link.sendall(client.order("o-more", "1", "1", "10"))
        client.expect("8", t150="0")
        client.send("F", "11=c2", "41=o1", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
        client.expect("8", t150="4", t41="o1")
        client.close()
