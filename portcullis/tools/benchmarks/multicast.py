"""Reports by multicast on the loopback interface: their cost, and how soon they follow an order.

The cost is that of the reference mix through a gateway without a loop, each turn publishing what
it has sealed, beside a bare `sendto` of such packets. One listener has joined, and takes them
between the turns, which is not counted. The clock is that of the thread's processor time. The
latency has a live gateway, a client that sends one order after the other, and a listener, all on
one processor.
Budgets: docs/architecture.md.
"""

from __future__ import annotations

import socket
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from portcullis.dictionaries.moldudp64_offsets import DOWNSTREAM_BYTES
from portcullis.gateway.config import parse
from portcullis.gateway.config_schema import Stream
from portcullis.gateway.multicast import Line, Outlet, Sender
from portcullis.gateway.report_messages import ReportMessages
from portcullis.gateway.report_packets import Run
from portcullis.tools.benchmarks import gateway, load, orders
from portcullis.tools.benchmarks.figures import Figure, percentile
from portcullis.tools.benchmarks.stages import Chain
from portcullis.tools.gateway_process import CONFIG, free_group

TURN_PACKETS = 80  # of a read of 64 KiB: the reports of its orders
PACKET_MESSAGES = 5  # of the default size
REPORTS_MAX = 100_000
ENCODE_NS = 40  # budget: of an order, whose report it mostly is
_RECEIVE_BYTES = 4 << 20


class Listener:
    """A socket that has joined a group on the loopback interface."""

    def __init__(self, group: str) -> None:
        host, _, port = group.rpartition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, int(port)))
        joined = struct.pack("4s4s", socket.inet_aton(host), socket.inet_aton("127.0.0.1"))
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        timeout = struct.pack("ll", load.TIMEOUT_S, 0)  # the kernel's: Python's own would wait
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)

    def drain(self) -> list[bytes]:
        """What has come, without waiting."""
        found = []
        try:
            while True:
                found.append(self._socket.recv(1 << 16, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return found

    def receive(self) -> bytes:
        return self._socket.recv(1 << 16)

    def close(self) -> None:
        self._socket.close()


def _stream_config() -> tuple[str, str]:
    """A configuration with a stream, and its group, whose port nobody has now."""
    group = free_group()
    return CONFIG + f'\n[[stream]]\nname = "reports"\ngroups = ["{group}"]\n', group


class _Nowhere:
    """A line that takes everything and sends nothing: what is left is selecting and encoding."""

    def send(self, _chunk: Sequence[Run]) -> bool:
        return True


def _published(
    size: int, config: str, settings: Stream, lines: list[Any], between: Callable[[], object]
) -> tuple[int, int]:
    """Publish what the mix brings, each read's reports with its turn; nanoseconds, messages."""
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory:
        chain = Chain(Path(directory), config)
        stream = chain.recovered.streams.named("reports")
        outlet = Outlet(settings, lines)
        catalog = chain.recovered.registry.catalog
        sender = Sender(outlet, stream, ReportMessages(chain.turn.table, catalog))
        spent = 0

        def publish() -> None:
            nonlocal spent
            begin = time.thread_time_ns()
            sender.publish(chain.turn.journal.sealed_row + 1)
            spent += time.thread_time_ns() - begin
            between()

        chain.turn.publish = publish
        maker, _ = chain.join(orders.MAKER)
        chain.feed(maker, b"".join(orders.maker_flow(size).messages))
        taker, _ = chain.join(orders.TAKER)
        spent, before = 0, stream.next_number
        with load.quiet():
            chain.feed(taker, b"".join(orders.taker_flow(size).messages))
        chain.close()
    return spent, stream.next_number - before


def measure_cost(size: int) -> list[Figure]:
    """Nanoseconds per report: encoded, published, and sent bare."""
    size = min(size, REPORTS_MAX)
    config, group = _stream_config()
    packets: list[bytes] = []
    settings = parse(config.format(port=0), "").stream[0]
    encode_ns, count = _published(size, config, settings, [_Nowhere()], lambda: None)
    line, listener = Line(settings, group), Listener(group)
    try:
        publish_ns, _ = _published(
            size, config, settings, [line], lambda: packets.extend(listener.drain())
        )
        bare_ns = _bare(group, packets, listener)
    finally:
        listener.close()
        line.close()
    if line.packets != len(packets):
        raise load.WrongAnswers(f"of {line.packets} packets {len(packets)} came")
    per_packet_ns = bare_ns / len(packets)
    bare_ns_each = per_packet_ns * -(-count // PACKET_MESSAGES) / count
    ratio = f"{publish_ns / count / bare_ns_each:.2f} x the bare sendto"
    return [
        Figure(
            "select and encode", encode_ns / count, "ns/report", ENCODE_NS, f"{count:,} reports"
        ),
        Figure("published", publish_ns / count, "ns/report", 0, ratio),
        Figure("bare sendto of such packets", bare_ns_each, "ns/report"),
        Figure("published", count * 1e9 / publish_ns, "reports/s", 0, "of a processor"),
    ]


def _bare(group: str, packets: list[bytes], listener: Listener) -> int:
    """Nanoseconds of a sendto for each packet, the listener's part left out."""
    host, _, port = group.rpartition(":")
    spent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bare, load.quiet():
        interface = socket.inet_aton("127.0.0.1")
        bare.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        bare.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        place = (host, int(port))
        for first in range(0, len(packets), TURN_PACKETS):
            turn = packets[first : first + TURN_PACKETS]
            begin = time.thread_time_ns()
            for packet in turn:
                bare.sendto(packet, place)
            spent += time.thread_time_ns() - begin
            listener.drain()
    return spent


def measure_latency(size: int) -> list[Figure]:
    """From an order's first byte to its report at the client, and to the one at the listener."""
    trips = orders.resting_flow(min(size, gateway.ROUND_TRIPS_MAX)).messages
    config, group = _stream_config()
    answered, published = [], []
    clock = time.perf_counter_ns
    with (
        gateway.gateway(config) as (port, pid),
        load.log_on(port, orders.TAKER) as link,
        gateway.processors(pid, shared=True),
    ):
        listener = Listener(group)
        try:
            with load.quiet():
                for octets in trips:
                    begin = clock()
                    link.send(octets)
                    link.recv(65536)
                    answered.append(clock() - begin)
                    while len(listener.receive()) <= DOWNSTREAM_BYTES:
                        pass  # a heartbeat
                    published.append(clock() - begin)
        finally:
            listener.close()
    figures = []
    for name, times in (("order to report", answered), ("order to multicast", published)):
        times = sorted(times[len(times) // 10 :])
        for share, label in ((0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")):
            figures.append(Figure(f"{name}, {label}", percentile(times, share) / 1000, "us"))
    return figures


def measure(size: int) -> list[Figure]:
    """Cost and latency."""
    return measure_cost(size) + measure_latency(size)
