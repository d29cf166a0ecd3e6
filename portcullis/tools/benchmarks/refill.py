"""How fast a subscriber that missed everything catches up: by requests, by replay.

A gateway has published so many reports while nobody listened. Then a subscriber joins that wants
them all, from the first. By requests alone each packet is asked for, so many of them under way at
once; the servers' bound for one client is lifted for that. Client and server share the machine.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from portcullis.client.replay import ReplayClient
from portcullis.client.reports import Missing, Report, ReportStream, SubscriberSettings
from portcullis.tools.benchmarks import load, orders
from portcullis.tools.benchmarks.figures import Figure
from portcullis.tools.gateway_process import CONFIG, GatewayProcess, free_port

_HOST = "127.0.0.1"
_WAIT_S = 120.0
_LOOK_S = 0.05
_STREAM = """
[[stream]]
name = "reports"
groups = ["{group}"]
retransmit = "{retransmit}"
replay = "{replay}"
requests_per_second = 1_000_000
requests_per_second_in_all = 1_000_000
"""


def measure(size: int) -> list[Figure]:
    """The three ways, one after the other."""
    replay, control = free_port(), free_port()
    places = {
        "group": f"239.255.13.2:{free_port(socket.SOCK_DGRAM)}",
        "retransmit": f"{_HOST}:{free_port(socket.SOCK_DGRAM)}",
        "replay": f"{_HOST}:{replay}",
    }
    config = CONFIG.replace("enabled = false", "enabled = true").replace(
        "[back_office]", f'control = "{_HOST}:{control}"\n[back_office]'
    )
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory,
        GatewayProcess(Path(directory), config + _STREAM.format(**places)) as process,
    ):
        flow = orders.resting_flow(size)
        with load.log_on(process.port, orders.TAKER) as link:
            load.pipeline(link, orders.TAKER, flow)
        count = _published(control, size)
        figures = [
            _figure("replay, bytes taken only", asyncio.run(_replay(replay, count)), count),
            _figure("subscriber, by replay", asyncio.run(_subscribe(places, count, True)), count),
            _figure("subscriber, asking", asyncio.run(_subscribe(places, count, False)), count),
        ]
        process.stop()
    return figures


def _figure(name: str, seconds: float, count: int) -> Figure:
    note = f"{count:,} reports, {count / seconds:,.0f} a second"
    return Figure(f"gap refilled: {name}", 1000 * seconds, "ms", 0, note)


async def _replay(port: int, count: int) -> float:
    began = time.perf_counter()
    async with ReplayClient(_HOST, port) as replay:
        while replay.next_sequence <= count:
            await replay.receive_some()
    return time.perf_counter() - began


async def _subscribe(places: dict[str, str], count: int, by_replay: bool) -> float:
    """Seconds from the heartbeat that shows the gap to the last report."""
    began = 0.0
    stream = ReportStream(
        [places["group"]],
        retransmit=places["retransmit"],
        replay=places["replay"] if by_replay else "",
        settings=SubscriberSettings(has_replay=by_replay),
    )
    async with asyncio.timeout(_WAIT_S), stream:
        async for event in stream:
            if isinstance(event, Missing):
                began = began or time.perf_counter()
            elif isinstance(event, Report) and event.sequence >= count:
                break
    return time.perf_counter() - began


def _published(control: int, size: int) -> int:
    """How many reports there are, once the back office has read all and has nothing else to do."""
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        try:
            found = _get(control, "/streams")["reports"]
            health = _get(control, "/health")
        except OSError:
            continue
        count: int = found["sessions"].get(found["session"], 1) - 1
        if count >= size and not any(
            follower["behind_rows"] for follower in health["followers"].values()
        ):
            return count
    raise RuntimeError("the back office has not counted the reports")


def _get(control: int, path: str) -> dict[str, Any]:
    link = http.client.HTTPConnection(_HOST, control, timeout=_WAIT_S)
    try:
        link.request("GET", path)
        found: dict[str, Any] = json.loads(link.getresponse().read())
        return found
    finally:
        link.close()
