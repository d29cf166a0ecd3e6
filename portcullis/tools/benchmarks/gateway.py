"""The whole gateway, journal on, beside a bare echo and other engines, in one run.

Round trips have client and server on one processor; pipelined, the server has one and the client
another. Each server is started afresh on an empty directory. Budgets: docs/architecture.md.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from portcullis.gateway.control_port import SOCKET
from portcullis.gateway.operator_port import Request, call
from portcullis.tools.benchmarks import load, orders, ouch_orders
from portcullis.tools.benchmarks.figures import Figure, percentile
from portcullis.tools.gateway_process import CONFIG, OUCH_CONFIG, POLL_S, GatewayProcess
from portcullis.tools.operator_calls import ask_back_office
from portcullis.tools.slowed_process import slowed

ROUND_TRIPS_MAX = 20_000
# Slower servers get fewer orders: a figure of theirs needs no million.
RIVAL_ORDERS_MAX = 20_000
OFFICE_S = 10.0  # for the back office to be there
_LOGIN_ACCEPTED_BYTES = 33
OURS = {"p50": 3, "p99": 6}  # budgets, in multiples of the echo's p50


@contextmanager
def rival(name: str) -> Iterator[tuple[int, int]]:
    """A server of `rivals` in a process of its own; gives (port, pid)."""
    command = [sys.executable, "-m", "portcullis.tools.benchmarks.rivals", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.stdin.close()
            process.wait(load.TIMEOUT_S)


@contextmanager
def gateway(config: str = CONFIG) -> Iterator[tuple[int, int]]:
    """Our gateway on an empty directory; gives (port, pid)."""
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory,
        GatewayProcess(Path(directory), config) as process,
    ):
        yield process.port, process.pid
        process.stop()


@contextmanager
def ouch_gateway() -> Iterator[tuple[int, int]]:
    """The same with a second door; gives (its port, pid)."""
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory,
        GatewayProcess(Path(directory), OUCH_CONFIG) as process,
    ):
        yield process.ouch_port, process.pid
        process.stop()


@contextmanager
def processors(server_pid: int, *, shared: bool) -> Iterator[None]:
    """Client and server on one processor, or on one each where there are two."""
    ours = os.sched_getaffinity(0)
    first, last = min(ours), max(ours)
    os.sched_setaffinity(server_pid, {first})
    os.sched_setaffinity(0, {first if shared else last})
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


def _trips(
    name: str, times: list[int], echo: list[int] | None, budgets: Mapping[str, int]
) -> list[Figure]:
    figures = []
    for share, label in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")):
        value = percentile(times, share) / 1000
        budget, note = 0.0, ""
        if echo is not None:
            floor = percentile(echo, 0.5) / 1000
            note = f"{value / floor:.1f} x echo p50"
            budget = budgets.get(label, 0) * floor
        figures.append(Figure(f"{name}, round trip {label}", value, "us", budget, note))
    return figures


def measure_echo(size: int) -> tuple[list[Figure], list[int]]:
    """The floor: the bytes of an order there and back, and a stream of them."""
    messages = orders.resting_flow(min(size, ROUND_TRIPS_MAX)).messages
    octets = b"".join(orders.taker_flow(size).messages)
    with rival("echo") as (port, pid), load.connect(port) as link:
        with processors(pid, shared=True):
            load.round_trips(link, messages[: len(messages) // 10 + 1])
            times = load.round_trips(link, messages)
        with processors(pid, shared=False):
            seconds = load.echo_pipeline(link, octets)
    figures = _trips("bare uvloop echo", times, None, {})
    figures.append(Figure("bare uvloop echo, pipelined", size / seconds, "messages/s"))
    return figures, times


def pipelined(size: int) -> tuple[float, float]:
    """The mix over one session, as fast as it goes, all answers checked.

    Gives seconds, and nanoseconds of processor time that the gateway took.
    """
    resting = orders.maker_flow(size)
    with (
        gateway() as (port, pid),
        load.log_on(port, orders.MAKER) as maker,
        load.log_on(port, orders.TAKER) as taker,
        processors(pid, shared=False),
    ):
        load.pipeline(maker, orders.MAKER, resting)
        mix = orders.taker_flow(size)
        before_ns = load.work_ns(pid)
        seconds = load.pipeline(taker, orders.TAKER, mix)
        work_ns = load.work_ns(pid) - before_ns
        # The passive fills lie in the maker's socket; its own end mark closes them.
        maker.sendall(orders.end_request(orders.MAKER, len(resting.messages) + 3))
        room = bytearray(mix.passive_fills * 600 + 65536)
        used = load.receive_to_end(maker, room)
        load.check_answers(room, used, Counter({"F": mix.passive_fills}))
    return seconds, work_ns


def measure_gateway(size: int, echo: list[int]) -> list[Figure]:
    """Ours: round trips of resting orders, then the mix, pipelined."""
    trips = orders.resting_flow(min(size, ROUND_TRIPS_MAX))
    warm = len(trips.messages) // 10
    with gateway() as (port, pid), load.log_on(port, orders.TAKER) as link:
        with processors(pid, shared=True):
            load.round_trips(link, trips.messages[:warm])
            times = load.round_trips(link, trips.messages[warm:])
    seconds, _ = pipelined(size)
    figures = _trips("portcullis", times, echo, OURS)
    figures.append(
        Figure("portcullis, pipelined", size / seconds, "orders/s", 500_000, "one session")
    )
    return figures


def ouch_log_in(port: int, username: str) -> socket.socket:
    """Connect, log in, and take the day's first message."""
    link = load.connect(port)
    link.sendall(ouch_orders.login_request(username))
    octets = b""
    while len(octets) < _LOGIN_ACCEPTED_BYTES + ouch_orders.PACKET_BYTES["S"]:
        more = link.recv(65536)
        if not more:
            raise load.WrongAnswers(f"{username} was not let in: {octets!r}")
        octets += more
    return link


def _is_whole_ouch(answer: bytes) -> bool:
    return len(answer) >= 2 + int.from_bytes(answer[:2], "big")


def ouch_pipelined(size: int) -> tuple[float, float]:
    """`pipelined`, by OUCH."""
    resting, mix = ouch_orders.maker_flow(size), ouch_orders.taker_flow(size)
    end = ouch_orders.end_request()
    with (
        ouch_gateway() as (port, pid),
        ouch_log_in(port, ouch_orders.MAKER) as maker,
        ouch_log_in(port, ouch_orders.TAKER) as taker,
        processors(pid, shared=False),
    ):
        _ouch_stream(maker, b"".join((*resting.messages, end)), resting)
        octets = b"".join((*mix.messages, end))
        maker.sendall(ouch_orders.HEARTBEAT)
        before_ns = load.work_ns(pid)
        seconds = _ouch_stream(taker, octets, mix)
        work_ns = load.work_ns(pid) - before_ns
        # The passive fills lie in the maker's socket; an end of its own closes them.
        maker.sendall(ouch_orders.end_request(b"END2"))
        room = bytearray(mix.passive_fills * ouch_orders.PACKET_BYTES["E"] + 65536)
        used = load.receive_to_end(maker, room, b"END2".ljust(14))
        _check_ouch(room, used, Counter({"E": mix.passive_fills}))
    return seconds, work_ns


def _ouch_stream(link: socket.socket, octets: bytes, flow: orders.Flow) -> float:
    answers = sum(ouch_orders.PACKET_BYTES[one] * count for one, count in flow.answers.items())
    room = bytearray(answers + 65536)
    seconds, used = load.stream(link, octets, room, ouch_orders.END_TOKEN)
    _check_ouch(room, used, flow.answers)
    return seconds


def _check_ouch(room: bytearray, used: int, expected: Counter[str]) -> None:
    counted = ouch_orders.count_messages(memoryview(room)[:used])
    if counted != expected:
        raise load.WrongAnswers(f"messages: {dict(counted)}, expected {dict(expected)}")


def measure_ouch(size: int, echo: list[int]) -> list[Figure]:
    """The second door: as `measure_gateway`."""
    trips = ouch_orders.resting_flow(min(size, ROUND_TRIPS_MAX)).messages
    warm = len(trips) // 10
    with ouch_gateway() as (port, pid), ouch_log_in(port, ouch_orders.TAKER) as link:
        with processors(pid, shared=True):
            load.round_trips(link, trips[:warm], _is_whole_ouch)
            times = load.round_trips(link, trips[warm:], _is_whole_ouch)
    seconds, _ = ouch_pipelined(size)
    figures = _trips("portcullis, OUCH", times, echo, OURS)
    figures.append(
        Figure("portcullis, OUCH, pipelined", size / seconds, "orders/s", 800_000, "one session")
    )
    return figures


def measure_beside(size: int, echo: list[int]) -> list[Figure]:
    """Round trips again: beside the back office, which follows, and beside one that is stopped,
    slowed a thousandfold, and killed."""
    step = min(size, ROUND_TRIPS_MAX) // 2
    trips = iter(orders.resting_flow(4 * step).messages)
    config = CONFIG.replace("enabled = false", "enabled = true")
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory,
        GatewayProcess(Path(directory), config) as server,
        load.log_on(server.port, orders.TAKER) as link,
        processors(server.pid, shared=True),
    ):
        office = _back_office(server.data)
        times = load.round_trips(link, list(islice(trips, step)))
        os.kill(office, signal.SIGSTOP)
        stopped = load.round_trips(link, list(islice(trips, step)))
        with slowed(office) as told:
            beside = load.round_trips(link, list(islice(trips, step)))
        began = time.monotonic()
        behind_s = _caught_up(server.data) - began
        os.kill(office, signal.SIGKILL)
        killed = load.round_trips(link, list(islice(trips, step)))
        server.stop()
    figures = _trips("portcullis beside its back office", times, echo, {})
    figures += _trips("portcullis, its back office stopped", stopped, echo, {})
    figures += _trips("portcullis, its back office slowed", beside, echo, {})
    note = f"slowed: let run {told.run_s * 1000:.1f} of {told.of_s * 1000:,.0f} ms"
    figures.append(Figure("  then all is caught up with, behind", behind_s, "s", 0, note))
    return figures + _trips("portcullis, its back office killed", killed, echo, {})


def _caught_up(data: Path) -> float:
    """When all that follows has read the last row that is sealed now; monotonic, seconds."""
    row = call(data, Request(do="state"))["last_row"]
    deadline = time.monotonic() + load.TIMEOUT_S
    while time.monotonic() < deadline:
        followers = ask_back_office(data, "/health")["followers"].values()
        if all(one["row"] >= row for one in followers):
            return time.monotonic()
        time.sleep(POLL_S)
    raise load.WrongAnswers(f"the back office has not come to row {row}: {followers}")


def _back_office(data: Path) -> int:
    """The back office of a gateway, once it answers and has left our processor to us."""
    bound_to, office = os.sched_getaffinity(0), 0
    deadline = time.monotonic() + OFFICE_S
    while time.monotonic() < deadline:
        office = call(data, Request(do="state"))["back_office"]["process"]
        if office and (data / SOCKET).exists() and not bound_to & os.sched_getaffinity(office):
            break
        time.sleep(POLL_S)
    return office  # where there is one processor, it stays


def measure_rival(name: str, size: int, echo: list[int]) -> list[Figure]:
    """Another engine: a report for each order, no book."""
    size = min(size, RIVAL_ORDERS_MAX)
    trips = orders.resting_flow(size)
    mix = orders.taker_flow(size)
    one_each = Counter(
        {"0": mix.answers["0"], "4": mix.answers["4"]}  # no book, so no trades
    )
    figures = []
    with rival(name) as (port, pid), load.log_on(port, orders.TAKER) as link:
        with processors(pid, shared=True):
            times = load.round_trips(link, trips.messages)
        figures = _trips(name, times, echo, {})
    with rival(name) as (port, pid), load.log_on(port, orders.TAKER) as link:
        with processors(pid, shared=False):
            seconds = load.pipeline(link, orders.TAKER, orders.Flow(mix.messages, one_each))
    figures.append(Figure(f"{name}, pipelined", size / seconds, "orders/s"))
    return figures


def measure(size: int) -> list[Figure]:
    """Echo, ours, then the others; those not installed are named."""
    figures, echo = measure_echo(size)
    figures += measure_gateway(size, echo) + measure_ouch(size, echo)
    figures += measure_beside(size, echo)
    for name in ("simplefix", "quickfix"):
        if importlib.util.find_spec(name) is None:
            figures.append(Figure(f"{name}: not installed, skipped", 0, ""))
        else:
            figures += measure_rival(name, size, echo)
    return figures
