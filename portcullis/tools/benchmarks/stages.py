"""Where the time of an order goes: the gateway's own parts, joined by hand and without a socket.

The reference mix passes through as reads of a fixed size, each a turn of its own, with a clock at
every seam. So the sum lacks input and output alone; what those take is told by a live gateway
under the same mix. Seams are where plain Python calls compiled modules, once per batch; what
happens between them stays as it is in the gateway. The clock is that of the thread's processor
time, so that a busy machine disturbs little.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portcullis.gateway.config import load
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.fix_peer import FixPeer, Surroundings
from portcullis.gateway.fix_peers import FixPeers
from portcullis.gateway.startup import recover
from portcullis.gateway.turn import Turn
from portcullis.sessions.fix_message import identity_of
from portcullis.tools.benchmarks import gateway, orders
from portcullis.tools.benchmarks.figures import Figure
from portcullis.tools.benchmarks.load import WrongAnswers, quiet
from portcullis.tools.gateway_process import CONFIG

READ_BYTES = 64 << 10
SUM = "sum without sockets"
# Nanoseconds per order of the mix.
BUDGETS = {
    "scan and validate": 180,
    "session check and translation": 60,
    "ids and book": 150,
    "seal": 60,
    "index and reports": 200,
}
GLUE = 200  # sockets and the event loop; risk (40) and multicast (40) are to come


class Wire:
    """The transport of a client that reads everything at once."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_extra_info(self, name: str) -> Any:
        return None


class Link:
    """The connection, as a peer sees it."""

    took_all = False

    def logged_on(self) -> None:
        """Nothing waits for it here."""

    def finish(self, reason: str) -> None:
        raise WrongAnswers(f"disconnected: {reason}")

    def abort(self) -> None:
        raise WrongAnswers("cut")


class Timed:
    """Stands before an object; the time spent in one method of it goes to a stage."""

    def __init__(self, behind: Any, method: str, spent: Counter[str], stage: str) -> None:
        self._behind = behind
        setattr(self, method, _timed(getattr(behind, method), spent, stage))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)


def _timed(call: Callable[..., Any], spent: Counter[str], stage: str) -> Callable[..., Any]:
    clock = time.thread_time_ns

    def timed(*args: Any) -> Any:
        begin = clock()
        result = call(*args)
        spent[stage] += clock() - begin
        return result

    return timed


def _raise(error: BaseException) -> None:
    raise error


class Chain:
    """A gateway without a loop: `feed` bytes of a client, a read at a time. For tests, too."""

    def __init__(self, directory: Path, config: str = CONFIG) -> None:
        path = directory / "gateway.toml"
        path.write_text(config.format(port=0))
        loaded = load(path)
        self._recovered = recover(loaded, directory / "data")
        self.spent: Counter[str] = Counter()
        self._buffer = memoryview(bytearray(READ_BYTES + loaded.config.limits.message_bytes))
        engine = Timed(self._recovered.engine, "run", self.spent, "ids and book")
        journal = Timed(self._recovered.journal, "seal", self.spent, "seal")
        self.turn = Turn(
            journal,  # type: ignore[arg-type]
            engine,  # type: ignore[arg-type]
            self._recovered.index,
            call_soon=lambda call: None,
            start_sync=lambda done: None,
            fatal=_raise,
            fault=lambda session, error: _raise(error),
            resend_bytes=loaded.config.limits.resend_bytes,
        )
        self._null = os.open(os.devnull, os.O_WRONLY)
        shared = Surroundings(self.turn, EventLog(self._null), Deadlines())
        self._peers = FixPeers(shared, loaded, self._recovered, set(), self._buffer)

    def log_on(self, sender: str, seq: int = 1) -> tuple[FixPeer, Wire]:
        """Let a client in and take its Logon."""
        octets = orders.logon(sender, seq)
        self._buffer[: len(octets)] = octets
        scanner = self._peers.first_scanner
        count = scanner.scan(0, len(octets))
        now_ns = self.turn.begin()
        link, wire = Link(), Wire()
        identity = identity_of(scanner, 0)
        if identity not in self._peers.entries:
            raise WrongAnswers(f"{sender} was not let in")
        peer = self._peers.entries[identity].peer
        peer.let_in(link, wire, now_ns)
        peer.receive(scanner, count, now_ns)
        self.turn.flush()
        return peer, wire

    def feed(self, peer: FixPeer, octets: bytes) -> None:
        """One read after the other, each with its flush."""
        clock = time.thread_time_ns
        spent = self.spent
        carried = 0
        for at in range(0, len(octets), READ_BYTES):
            piece = octets[at : at + READ_BYTES]
            end = carried + len(piece)
            self._buffer[carried:end] = piece
            start = 0
            begin = clock()
            now_ns = self.turn.begin()
            while True:
                scanner = peer.scanner
                count = scanner.scan(start, end)
                scanned = clock()
                spent["scan and validate"] += scanned - begin
                inner = spent["ids and book"] + spent["seal"]
                peer.receive(scanner, count, now_ns)
                begin = clock()
                inner = spent["ids and book"] + spent["seal"] - inner
                spent["session check and translation"] += begin - scanned - inner
                start = scanner.consumed
                if not scanner.full:
                    break
            inner = spent["ids and book"] + spent["seal"]
            self.turn.flush()
            inner = spent["ids and book"] + spent["seal"] - inner
            spent["index and reports"] += clock() - begin - inner
            carried = end - start
            self._buffer[:carried] = bytes(self._buffer[start:end])

    def close(self) -> None:
        self._recovered.journal.close()
        os.close(self._null)


def measure(size: int) -> list[Figure]:
    """Nanoseconds per order and stage; all answers are counted."""
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory:
        chain = Chain(Path(directory))
        maker, maker_wire = chain.log_on(orders.MAKER)
        chain.feed(maker, b"".join(orders.maker_flow(size).messages))
        taker, taker_wire = chain.log_on(orders.TAKER)
        maker_wire.written.clear()
        flow = orders.taker_flow(size)
        octets = b"".join(flow.messages)
        chain.spent.clear()
        with quiet():
            chain.feed(taker, octets)
        chain.close()
    answers = orders.count_reports(b"".join(taker_wire.written))
    fills = orders.count_reports(b"".join(maker_wire.written))
    if answers != flow.answers or fills != {"F": flow.passive_fills}:
        raise WrongAnswers(f"{dict(answers)} and {dict(fills)}, expected {dict(flow.answers)}")
    per_order = {stage: chain.spent[stage] / size for stage in BUDGETS}
    figures = [Figure(stage, value, "ns", BUDGETS[stage]) for stage, value in per_order.items()]
    inner, budget = sum(per_order.values()), sum(BUDGETS.values())
    _, work_ns = gateway.pipelined(size)
    whole = work_ns / size
    return [
        *figures,
        Figure(SUM, inner, "ns", budget),
        Figure("input, output, glue", whole - inner, "ns", GLUE, "the rest of the next line"),
        Figure("a gateway's processor time", whole, "ns", budget + GLUE, "pipelined, live"),
    ]
