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

from portcullis.gateway.admission import Admission, Place
from portcullis.gateway.auth import PasswordChecker
from portcullis.gateway.config import load
from portcullis.gateway.connection import Peer
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.event_log import EventLog, Throttled
from portcullis.gateway.fix_peer import FixPeer, Surroundings
from portcullis.gateway.fix_peers import FixPeers
from portcullis.gateway.ouch_gate import OuchGate
from portcullis.gateway.ouch_peer import OuchPeer
from portcullis.gateway.startup import recover
from portcullis.gateway.turn import Turn
from portcullis.sessions.fix_message import identity_of
from portcullis.tools.benchmarks import gateway, orders, ouch_orders
from portcullis.tools.benchmarks.figures import Figure
from portcullis.tools.benchmarks.load import WrongAnswers, quiet
from portcullis.tools.gateway_process import CONFIG, OUCH_CONFIG

READ_BYTES = 64 << 10
SUM, GLUE, WHOLE = "sum without sockets", "input, output, glue", "a gateway's processor time"
NOTES = {GLUE: "the rest of the next line", WHOLE: "pipelined, live"}
# Nanoseconds per order of the mix.
BUDGETS = {
    "scan and validate": 180,
    "session check and translation": 60,
    "ids and book": 150,
    "seal": 60,
    "index and reports": 200,
}
_GLUE_NS = 200  # sockets and the event loop; risk (40) and multicast (40) are to come
_SUM_NS = sum(BUDGETS.values())
ALL_BUDGETS = {**BUDGETS, SUM: _SUM_NS, GLUE: _GLUE_NS, WHOLE: _SUM_NS + _GLUE_NS}


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
    place = Place("127.0.0.1", "127.0.0.1")

    def refuse(self, octets: bytes) -> None:
        raise WrongAnswers(f"refused: {octets!r}")

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
        path.write_text(config.format(port=0, ouch_port=0))
        self._loaded = loaded = load(path)
        self.recovered = recover(loaded, directory / "data")
        self.spent: Counter[str] = Counter()
        self._buffer = memoryview(bytearray(READ_BYTES + loaded.config.limits.message_bytes))
        engine = Timed(self.recovered.engine, "run", self.spent, "ids and book")
        journal = Timed(self.recovered.journal, "seal", self.spent, "seal")
        self.turn = Turn(
            journal,  # type: ignore[arg-type]
            engine,  # type: ignore[arg-type]
            self.recovered.index,
            call_soon=lambda call: None,
            start_sync=lambda done: None,
            fatal=_raise,
            fault=lambda session, error: _raise(error),
            resend_bytes=loaded.config.limits.resend_bytes,
        )
        self._null = os.open(os.devnull, os.O_WRONLY)
        self._shared = Surroundings(self.turn, EventLog(self._null), Deadlines(), 100)
        self._peers = FixPeers(self._shared, loaded, self.recovered, set(), self._buffer)

    def join(self, name: str) -> tuple[Peer, Wire]:
        """Let a client in by whichever protocol it speaks."""
        is_fix = name in (orders.MAKER, orders.TAKER)
        return self.log_on(name) if is_fix else self.log_in(name)

    def log_on(self, sender: str, seq: int = 1) -> tuple[FixPeer, Wire]:
        """Let a client in and take its Logon."""
        octets = orders.logon(sender, seq)
        self._buffer[: len(octets)] = octets
        scanner = self._peers.first_scanner
        count = scanner.scan(0, len(octets))
        identity = identity_of(scanner, 0)
        if identity not in self._peers.entries:
            raise WrongAnswers(f"{sender} was not let in")
        peer = self._peers.entries[identity].peer
        return peer, self._let_in(peer, count)

    def log_in(self, username: str, session: str = "") -> tuple[OuchPeer, Wire]:
        """Let a user of OUCH in and take its Login Request."""
        limits = self._loaded.config.limits
        gate = OuchGate(
            self._shared,
            self._loaded,
            self.recovered,
            set(),
            self._buffer,
            Admission(limits),
            PasswordChecker(waiting_max=1, waiting_per_address_max=1),
            self._peers.cancels,
            Throttled(self._shared.log),
        )
        octets = ouch_orders.login_request(username, session)
        self._buffer[: len(octets)] = octets
        count = gate.first_scanner.scan(0, len(octets))
        peer = gate.find(Link(), gate.first_scanner, self.turn.begin())
        assert isinstance(peer, OuchPeer)
        return peer, self._let_in(peer, count)

    def _let_in(self, peer: Any, count: int) -> Wire:
        now_ns = self.turn.begin()
        wire = Wire()
        peer.let_in(Link(), wire, now_ns)
        peer.receive(peer.scanner, count, now_ns)
        self.turn.flush()
        return wire

    def feed(self, peer: Peer, octets: bytes) -> None:
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
        self.recovered.journal.close()
        os.close(self._null)


def _run(
    size: int,
    config: str,
    flows: Any,
    clients: tuple[str, str],
    count: Callable[..., Counter[str]],
) -> Counter[str]:
    """Nanoseconds of the mix by stage. flows: the module that makes it; clients: maker, taker."""
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as directory:
        chain = Chain(Path(directory), config)
        maker, maker_wire = chain.join(clients[0])
        chain.feed(maker, b"".join(flows.maker_flow(size).messages))
        taker, taker_wire = chain.join(clients[1])
        maker_wire.written.clear()
        taker_wire.written.clear()
        flow = flows.taker_flow(size)
        a_read = READ_BYTES // max(map(len, flow.messages))
        answers: Counter[str] = Counter()
        fills: Counter[str] = Counter()
        chain.spent.clear()
        with quiet():
            for first in range(0, size, a_read):
                chain.feed(taker, b"".join(flow.messages[first : first + a_read]))
                # Counted and let go, as a socket lets go what it took: fresh memory costs 80 ns
                # an order.
                answers += count(b"".join(taker_wire.written))
                fills += count(b"".join(maker_wire.written))
                taker_wire.written.clear()
                maker_wire.written.clear()
        chain.close()
    if answers != flow.answers or fills.total() != flow.passive_fills:
        raise WrongAnswers(f"{dict(answers)} and {dict(fills)}, expected {dict(flow.answers)}")
    return chain.spent


def _figures(
    prefix: str, spent: Counter[str], size: int, work_ns: float, budgets: dict[str, int]
) -> list[Figure]:
    per_order = {stage: spent[stage] / size for stage in BUDGETS}
    inner, whole = sum(per_order.values()), work_ns / size
    per_order |= {SUM: inner, GLUE: whole - inner, WHOLE: whole}
    return [
        Figure(prefix + name, value, "ns", budgets.get(name, 0), NOTES.get(name, ""))
        for name, value in per_order.items()
    ]


def measure(size: int) -> list[Figure]:
    """Nanoseconds per order and stage, by FIX and by OUCH; all answers are counted."""
    clients = orders.MAKER, orders.TAKER
    spent = _run(size, CONFIG, orders, clients, orders.count_reports)
    figures = _figures("", spent, size, gateway.pipelined(size)[1], ALL_BUDGETS)
    clients = ouch_orders.MAKER, ouch_orders.TAKER
    spent = _run(size, OUCH_CONFIG, ouch_orders, clients, ouch_orders.count_messages)
    return figures + _figures("OUCH: ", spent, size, gateway.ouch_pipelined(size)[1], {})
