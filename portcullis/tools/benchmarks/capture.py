"""What keeping inbound bytes costs the gateway: its processor time without and with the capture.

Batches of one order, sent one after the other, and as large as they come in a stream. The time is
the process's own, so that others at work on the machine matter less than for a clock's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from portcullis.tools.benchmarks import load, orders
from portcullis.tools.benchmarks.figures import Figure
from portcullis.tools.gateway_process import CONFIG, GatewayProcess

_TRIPS_MAX = 20_000
_STREAM_MAX = 100_000
_RUNS = 3
_LABELS = (("batch of one order", 1e6, "us"), ("order in a stream", 1e9, "ns"))


def measure(size: int) -> list[Figure]:
    """Without and with, in turn; the best of some runs, for what is beside them only adds."""
    configs = {
        name: f"{CONFIG}\n[capture]\nenabled = {switch}\n"
        for name, switch in (("without capture", "false"), ("with capture", "true"))
    }
    runs = [{name: _measure(size, configs[name]) for name in configs} for _ in range(_RUNS)]
    figures = []
    for place, (label, scale, unit) in enumerate(_LABELS):
        best = [scale * min(run[name][place] for run in runs) for name in configs]
        for name, value in zip(configs, best, strict=True):
            note = f"{value - best[0]:+.1f} {unit}" if value is not best[0] else ""
            figures.append(Figure(f"{label}, {name}", value, unit, 0, note))
    return figures


def _measure(size: int, config: str) -> tuple[float, float]:
    """Processor seconds of the gateway: per batch of one order, per order of a stream."""
    trips = orders.resting_flow(min(size, _TRIPS_MAX)).messages
    stream = orders.maker_flow(10 * min(size, _STREAM_MAX))
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory,
        GatewayProcess(Path(directory), config) as process,
    ):
        with load.log_on(process.port, orders.TAKER) as link:
            begin = _processor_s(process.pid)
            load.round_trips(link, trips)
            one = (_processor_s(process.pid) - begin) / len(trips)
        with load.log_on(process.port, orders.MAKER) as link:
            begin = _processor_s(process.pid)
            load.pipeline(link, orders.MAKER, stream)
            many = (_processor_s(process.pid) - begin) / len(stream.messages)
        process.stop()
    return one, many


def _processor_s(pid: int) -> float:
    """Processor time of a process's main thread, which does all of its work."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
