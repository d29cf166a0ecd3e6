"""Scripts of `portcullis.client` for tests, as users would write them, and a gateway for them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from portcullis.client.fix import FixClient
from portcullis.client.ouch import OuchClient
from tests.support.gateway_process import GatewayProcess

LIMIT_S = 120.0

# Names enough for each test to have its own. Small tables: a start is soon done. What was under
# way in a restart may be old.
CONFIG = """
[gateway]
name = "PORTCULLIS"
[listen]
fix = "127.0.0.1:{port}"
ouch = "127.0.0.1:{ouch_port}"
[back_office]
enabled = false
[journal]
segment_rows = 32768
[limits]
orders = 20000
ids = 40000
[[instrument]]
symbol = "BTC-USD"
ouch = "BTCUSD"
tick = "0.01"
lot = "0.0001"
short_marking = true
""" + "".join(
    f"""
[[session]]
protocol = "fix"
client = "CLIENT{number}"
account = "CLIENT{number}"
stale_after = "1h"
[[session]]
protocol = "ouch"
username = "OUCH{number}"
account = "OUCH{number}"
"""
    for number in range(1, 10)
)


def run(script: Coroutine[Any, Any, None]) -> None:
    """Run a script, within bounds."""
    asyncio.run(asyncio.wait_for(script, LIMIT_S))


def fix_client(gateway: GatewayProcess, name: str, **settings: Any) -> FixClient:
    return FixClient("127.0.0.1", gateway.port, name, "PORTCULLIS", **settings)


def ouch_client(gateway: GatewayProcess, username: str, **settings: Any) -> OuchClient:
    return OuchClient("127.0.0.1", gateway.ouch_port, username, **settings)
