"""`sync = "batch"` with a disk that takes its time: nothing leaves before it has answered."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from portcullis.gateway.config import load
from portcullis.gateway.config_values import Address
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.journal_sync import JournalSync
from portcullis.gateway.listener import listen
from portcullis.gateway.quarantine import Quarantine
from portcullis.gateway.server import Server
from portcullis.gateway.startup import recover
from portcullis.journal.disk import Disk
from portcullis.journal.writer import Journal
from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import TIMEOUT_S, FixClient

BATCH = '[journal]\nsync = "batch"\nsegment_rows = 32768\n[limits]\norders = 1000\nids = 4000\n'


class SlowDisk(Disk):
    """Syncs that end when the test lets them."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._begun = threading.Semaphore(0)

    def sync(self, descriptor: int) -> None:
        self._begun.release()
        assert self._open.wait(TIMEOUT_S)

    def stand_still(self) -> None:
        """Wait for what is on its way; the next sync lasts until `go_on`."""
        self._open.clear()
        while self._begun.acquire(blocking=False):
            pass

    def wait_until_busy(self) -> None:
        assert self._begun.acquire(timeout=TIMEOUT_S)

    def go_on(self) -> None:
        self._open.set()


def serve(directory: Path, disk: Disk, scenario: Callable[[int], None]) -> int:
    """Run a gateway in this process, and the scenario in a thread with its port; its exit code."""
    path = directory / "gateway.toml"
    path.write_text(CONFIG.format(port=0) + BATCH)
    loaded = load(path)
    recovered = recover(loaded, directory / "data", disk=disk)
    log = EventLog(os.open(directory / "gateway.log", os.O_WRONLY | os.O_CREAT))

    async def run() -> int:
        server = Server(loaded, recovered, log, Quarantine(directory / "data"))
        listener = listen(Address("127.0.0.1:0"))
        listener.listen()  # the scenario may come before the server takes it over
        port = listener.getsockname()[1]
        running = asyncio.create_task(server.run({"fix": listener}))
        try:
            await asyncio.to_thread(scenario, port)
        finally:
            server.stop()
            code = await running
        return code

    try:
        return asyncio.run(run())
    finally:
        log.close()


def let_the_loop_turn(port: int) -> None:
    """Come as a stranger and be hung up on: the gateway has read all that was sent before."""
    stranger = FixClient("NOBODY", port).connect()
    stranger.send("A", "98=0", "108=30")
    assert stranger.is_closed_by_peer()
    stranger.close()


def test_nothing_leaves_while_the_disk_works_and_turns_go_on(tmp_path: Path) -> None:
    disk = SlowDisk()

    def scenario(port: int) -> None:
        seller, buyer = FixClient("CLIENT1", port), FixClient("CLIENT2", port)
        try:
            buyer.log_on()  # and what the start wrote is synced
            disk.stand_still()
            seller.connect().send("A", "98=0", "108=30")
            disk.wait_until_busy()
            let_the_loop_turn(port)
            assert seller.available() == []  # not even the answer to a Logon
            disk.go_on()
            seller.expect("A")

            disk.stand_still()
            # What the ResendRequest asks for has not been sent yet: it comes once, as new.
            asked = seller.frame("2", "7=2", "16=0", seq=3)
            seller.link.sendall(seller.order("s1", "2", "1", "100") + asked)
            seller.next_out += 1
            disk.wait_until_busy()
            asked = buyer.frame("1", "112=THERE", seq=3)
            buyer.link.sendall(buyer.order("b1", "1", "1", "100") + asked)
            buyer.next_out += 1
            let_the_loop_turn(port)
            assert (seller.available(), buyer.available()) == ([], [])
            disk.go_on()
            seller.expect("8", t150="0")
            buyer.expect("8", t150="0")
            buyer.expect("8", t150="F")
            buyer.expect("0", t112="THERE")
            seller.expect("8", t150="F")
            assert seller.barrier() == []

            disk.stand_still()
            buyer.send("5")
            disk.wait_until_busy()
            let_the_loop_turn(port)
            assert buyer.available() == []
            disk.go_on()
            buyer.expect("5")
            assert buyer.is_closed_by_peer()
        finally:
            disk.go_on()
            seller.close()
            buyer.close()

    assert serve(tmp_path, disk, scenario) == 0


def test_a_sync_that_fails_is_fatal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_disk: Disk, descriptor: int) -> None:
        raise OSError("the disk is gone")

    async def run() -> tuple[list[str], list[str]]:
        journal, batches = Journal.open(tmp_path, segment_rows=32768, ahead=False, sync="batch")
        assert list(batches) == []
        monkeypatch.setattr(Disk, "sync", break_down)
        ended = asyncio.Event()
        fatal: list[str] = []
        done: list[str] = []

        def end(error: BaseException) -> None:
            fatal.append(repr(error))
            ended.set()

        syncs = JournalSync(journal, end)
        syncs.start(lambda: done.append("done"))
        await asyncio.wait_for(ended.wait(), TIMEOUT_S)
        syncs.close()
        journal.abandon()
        return fatal, done

    assert asyncio.run(run()) == (["OSError('the disk is gone')"], [])
