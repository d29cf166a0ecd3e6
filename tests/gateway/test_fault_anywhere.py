"""An exception at any line between a batch's first row and its seal: nothing of it leaves.

A gateway without sockets takes one turn in which sessions of both doors send orders, changes and
what the session layer answers. A trace function counts the lines that run while the batch is
open, and then, for lines drawn from the seed, raises at one. Each time the process must end with
code 70, nothing said, and a start must find the journal as if the turn had never been.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import portcullis
from portcullis import _build
from portcullis.codecs.soupbintcp import packets
from portcullis.gateway.admission import Place
from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.connection import Connection
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.quarantine import FOLDER, Quarantine
from portcullis.gateway.server import EXIT_FATAL, Server
from portcullis.gateway.startup import recover
from portcullis.journal import disk
from portcullis.tools.gateway_process import OUCH_CONFIG
from tests.support.fix_client import FixClient
from tests.support.ouch_client import enter

# More by hand; a run has some thousands of lines uncompiled, some hundreds compiled.
POINTS = 40 if _build.is_pure() else 25
SMALL = """
[journal]
segment_rows = 32768
[limits]
orders = 100
ids = 400
levels = 100
sessions = 10
accounts = 10
instruments = 10
[capture]
enabled = false
"""
TEXT = OUCH_CONFIG.format(port=0, ouch_port=0) + SMALL
LOADED = Loaded(parse(TEXT, "g.toml"), "g.toml", Path(), TEXT)
SOURCES = str(Path(portcullis.__file__).parent)
FIX_KEYS = {name: f"FIX.4.4:PORTCULLIS->{name}" for name in ("CLIENT1", "CLIENT2")}
KEYS = {*FIX_KEYS.values(), "OUCH:OUCH1"}


class InjectedError(Exception):
    """What no code expects."""


class Wire(asyncio.Transport):
    """Takes what a connection writes."""

    def __init__(self) -> None:
        super().__init__()
        self.octets = b""

    def write(self, data: Any) -> None:
        self.octets += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        raise AssertionError("nothing here is long enough")

    def resume_reading(self) -> None:
        pass


class Disk(disk.Disk):
    """The machine's own, without a process that makes segments: this turn needs none."""

    def segment_maker(self, _directory: Path) -> Any:
        return self

    def ask(self, *_request: Any) -> None:
        pass

    def poll(self) -> None:
        pass

    def close(self) -> None:
        pass


class Gateway:
    """A server on a directory, and its connections. Closed by `leave`."""

    def __init__(self, directory: Path) -> None:
        self.recovered = recover(LOADED, directory, disk=Disk())
        self.log = EventLog(os.open(os.devnull, os.O_WRONLY))
        self.server = Server(LOADED, self.recovered, self.log, Quarantine(directory))
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.server._on_stray_error)
        self.wires: list[Wire] = []

    def connect(self, gate: Any) -> Connection:
        connection = Connection(self.server, gate, Place("127.0.0.1", "127.0.0.1"))
        self.wires.append(Wire())
        connection.connection_made(self.wires[-1])
        return connection

    def leave(self) -> None:
        self.recovered.journal.abandon()
        os.close(self.log._descriptor)


def send(connection: Connection, octets: bytes) -> None:
    """Have it read this; what it raises is told to the loop, as event loops do."""
    try:
        connection.get_buffer(-1)[: len(octets)] = octets
        connection.buffer_updated(len(octets))
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler({"message": "", "exception": error})


async def settled() -> None:
    """Until the flush of this turn, and what it asks for, is done."""
    for _ in range(3):
        await asyncio.sleep(0)


class Breaker:
    """Counts the lines of the package that run while a batch is open; raises at `point`."""

    def __init__(self, server: Server, point: int) -> None:
        self.lines = 0
        self.file = ""
        self._turn = server.turn
        self._point = point

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line" and self._turn.has_rows:
            self.lines += 1
            if self.lines == self._point:
                self.file = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise InjectedError
        return self.trace if frame.f_code.co_filename.startswith(SOURCES) else None


@contextmanager
def tracing(breaker: Breaker) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(breaker.trace)
    try:
        yield
    finally:
        sys.settrace(before)


class Attempt:
    """One turn, broken at a point; 0: nowhere."""

    def __init__(self, directory: Path, point: int) -> None:
        self.directory = directory
        self.point = point
        # Once the turn has begun.
        self.breaker: Breaker | None = None
        self.before = 0
        self.said: list[bytes] = []
        self.wires: list[Wire] = []

    async def run(self) -> None:
        gateway = Gateway(self.directory)
        self.wires = gateway.wires
        try:
            await self._run(gateway)
        finally:
            gateway.leave()

    async def _run(self, gateway: Gateway) -> None:
        server, clients = gateway.server, [FixClient(name, 0) for name in FIX_KEYS]
        links = [gateway.connect(server._gate) for _ in clients]
        for link, client in zip(links, clients, strict=True):
            send(link, client.frame("A", "98=0", "108=30"))
        ouch = gateway.connect(server._ouch)
        send(ouch, packets.login_request("OUCH1", "", "", 1))
        await settled()
        send(links[0], clients[0].order("rests", "1", "2", "100"))
        await settled()
        assert all(wire.octets for wire in gateway.wires)

        self.before = gateway.recovered.journal.sealed_row
        self.said = [wire.octets for wire in gateway.wires]
        changed = ["11=changed", "41=rests", "38=2", "40=2", "44=101", "54=1", "55=BTC-USD"]
        messages = clients[1].order("sells", "2", "1", "100") + clients[1].frame("1", "112=x")
        turn = (
            (links[1], messages),
            (links[0], clients[0].frame("G", *changed, "60=20260102-12:00:00")),
            (ouch, packets.packet("U", enter("token", "S", 1, 1_000_000))),
        )
        self.breaker = Breaker(server, self.point)
        with tracing(self.breaker):
            for connection, octets in turn:
                send(connection, octets)
            await settled()


def check(directory: Path, file: str, before: int) -> None:
    """The journal is that of before the turn, or has the whole batch; one session is kept out."""
    (path,) = (directory / FOLDER).iterdir()
    report = json.loads(path.read_text())
    assert report["error"] == "InjectedError()"
    assert report["session"] in KEYS | {""}
    if any(f"/{layer}/" in file for layer in ("codecs", "sessions")):
        assert report["session"] in KEYS
    again = recover(LOADED, directory, disk=Disk())
    if again.journal.report.last_row == before:
        assert report["batch_row"] == before + 1
    else:
        assert "/journal/" in file  # the seal was written already
    again.journal.abandon()


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    recover(LOADED, tmp_path / "base", disk=Disk()).journal.close()
    return tmp_path


def test_nothing_of_a_batch_that_breaks_leaves(directory: Path, seed: int) -> None:
    draw, work = random.Random(seed), directory / "work"

    def attempt(point: int) -> Breaker:
        shutil.copytree(directory / "base", work)
        one = Attempt(work, point)
        try:
            asyncio.run(one.run())
            code = 0
        except SystemExit as end:
            assert isinstance(end.code, int)
            code = end.code
        assert one.breaker is not None
        if point <= one.breaker.lines and point:
            assert code == EXIT_FATAL, one.breaker.file
            assert [wire.octets for wire in one.wires] == one.said, one.breaker.file
            check(work, one.breaker.file, one.before)
        shutil.rmtree(work)
        return one.breaker

    lines = attempt(0).lines
    assert lines > 100
    layers = set()
    for point in sorted(draw.sample(range(1, lines + 1), POINTS)):
        layers.add(Path(attempt(point).file).parent.name)
    assert len(layers) > 1
