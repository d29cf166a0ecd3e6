"""Subscribers of a gateway in a process of its own: bad links, a kill, late comers."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from portcullis.client.errors import ClientError, LoginRefused
from portcullis.client.replay import ReplayClient, Snapshot, take_snapshot
from portcullis.client.reports import Ended, Lost, Report, ReportStream
from portcullis.codecs.moldudp64 import packets
from portcullis.gateway.followed_rows import FollowedRows
from portcullis.gateway.operator_port import Request, call
from portcullis.gateway.report_messages import ReportMessages
from portcullis.gateway.report_stream import ReportStream as Counted
from portcullis.journal.tail import JournalTail
from portcullis.tools.gateway_process import CONFIG, free_port
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess
from tests.support.journals import copy_running, lose_power
from tests.support.lossy_relay import Dice, GroupRelay, UnicastRelay
from tests.support.sbe_decoder import decode

HOST = "127.0.0.1"
GROUP, RELAYED = "239.255.77.2", "239.255.77.3"
WAIT_S = 120.0
# What orders carry: mostly nothing, or more than one packet has room for.
CARRIED: list[tuple[str, ...]] = [()] * 20
CARRIED += [
    ("15=USD", "58=a text"),
    ("453=1", "448=FUND", "447=D", "452=3"),
    (f"58={'x' * 3000}",),
]
OF_AN_ORDER = ("clOrdId", "leavesQty", "transactTime", "orderReference", "text", "carried")
SMALL = """
[journal]
segment_rows = 32768
snapshot_every = 500
[limits]
orders = 20000
ids = 40000
levels = 1000
sessions = 10
accounts = 10
instruments = 10

[[stream]]
name = "reports"
groups = ["{group}"]
retransmit = "{retransmit}"
replay = "{replay}"
{more}

[[stream]]
name = "client1"
groups = ["{group_1}"]
accounts = ["CLIENT1"]
replay = "{replay_1}"

[[stream]]
name = "trades"
groups = ["{group_2}"]
content = "trades"
replay = "{replay_2}"
"""


class Venue:
    """A gateway with one stream, and two clients that trade."""

    def __init__(self, directory: Path, more: str) -> None:
        self.group = (GROUP, free_port(socket.SOCK_DGRAM, GROUP))
        self.retransmit = (HOST, free_port(socket.SOCK_DGRAM))
        self.replay = (HOST, free_port())
        self.replay_of_client1 = (HOST, free_port())
        self.replay_of_trades = (HOST, free_port())
        self.control = free_port()
        stream = SMALL.format(
            group=_text(self.group),
            retransmit=_text(self.retransmit),
            replay=_text(self.replay),
            more=more,
            group_1=f"{GROUP}:{free_port(socket.SOCK_DGRAM, GROUP)}",
            group_2=f"{GROUP}:{free_port(socket.SOCK_DGRAM, GROUP)}",
            replay_1=_text(self.replay_of_client1),
            replay_2=_text(self.replay_of_trades),
        )
        config = CONFIG.replace("enabled = false", "enabled = true").replace(
            "[back_office]", f'control = "{HOST}:{self.control}"\n[back_office]'
        )
        self.gateway = GatewayProcess(directory, config + stream)
        self.clients = [FixClient(name, self.gateway.port) for name in ("CLIENT1", "CLIENT2")]
        self._dice = random.Random(11)
        self._orders = 0

    def trade(self, count: int) -> None:
        """So many orders, some of which meet, each answered."""
        for number in range(count):
            client = self._dice.choice(self.clients)
            side, price = self._dice.choice("12"), self._dice.randint(99, 101)
            cl_ord_id, more = f"o{self._orders + number}", self._dice.choice(CARRIED)
            client.link.sendall(client.order(cl_ord_id, side, "1", str(price), *more))
        self._orders += count
        for client in self.clients:
            client.barrier()

    def log_on(self) -> None:
        for client in self.clients:
            client.log_on()

    def start_again(self) -> None:
        """The gateway is gone: start it, with clients who know nothing of before."""
        self.gateway.start()
        self.clients = [FixClient(one.name, one.port) for one in self.clients]
        for client in self.clients:
            client.log_on("141=Y")

    def log(self) -> list[tuple[str, int, bytes]]:
        """What the journal's rows say that the stream is: session, number, message."""
        found: list[tuple[str, int, bytes]] = []
        tail = JournalTail(self.gateway.data)
        followed = FollowedRows(self.gateway.data, tail)
        for batch in tail.batches(1 << 30):
            followed.take(batch, tail.segment)
        stream = Counted(followed.table, 1, b"")
        stream.load({**stream.save(), "next": (0, 1, 1)})
        messages = ReportMessages(followed.table, followed.registry.catalog)
        while stream.next_row < followed.table.tail:
            count = stream.select(followed.table.tail)
            made = messages.encode(stream.content, stream.rows, 0, count)
            for place, octets in enumerate(made, stream.next_number):
                found.append((str(stream.day), place, octets))
            stream.pass_to(stream.reached, count)
        return found

    def streams(self) -> dict[str, Any]:
        """GET /streams, once the back office answers and knows the live session."""
        link = http.client.HTTPConnection(HOST, self.control, timeout=WAIT_S)
        try:
            link.request("GET", "/streams")
            found: dict[str, Any] = json.loads(link.getresponse().read())
            return found["reports"]
        finally:
            link.close()

    def close(self) -> None:
        for client in self.clients:
            client.close()


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


@asynccontextmanager
async def served(tmp_path: Path, more: str = "") -> AsyncIterator[Venue]:
    """more: lines for the stream of reports."""
    venue = Venue(tmp_path, more)
    with venue.gateway:
        try:
            async with asyncio.timeout(WAIT_S):
                venue.log_on()
                yield venue
        finally:
            venue.close()


async def until_refilled(venue: Venue) -> dict[str, Any]:
    """Once the back office serves the live session."""
    while True:
        with suppress(OSError, ValueError):
            found = await asyncio.to_thread(venue.streams)
            if found["session"]:
                return found
        await asyncio.sleep(0.05)


async def received(stream: ReportStream, count: int) -> list[tuple[str, int, bytes]]:
    """The next so many reports; none may be lost."""
    found: list[tuple[str, int, bytes]] = []
    while len(found) < count:
        event = await anext(stream)
        assert not isinstance(event, Lost), event
        if isinstance(event, Report):
            found.append((event.session, event.sequence, event.octets))
    return found


@asynccontextmanager
async def behind_a_bad_link(
    venue: Venue, lost: float, *, replay: bool
) -> AsyncIterator[ReportStream]:
    """A subscriber whose datagrams, both ways, go through relays."""
    target = (RELAYED, free_port(socket.SOCK_DGRAM, RELAYED))
    relay = GroupRelay(venue.group, target, Dice(1, lost, doubled=0.05, reordered=0.1))
    asked = UnicastRelay(venue.retransmit, Dice(2, lost, doubled=0.05, reordered=0.1))
    stream = ReportStream(
        [_text(target)],
        retransmit=_text(asked.address),
        replay=_text(venue.replay) if replay else "",
    )
    try:
        async with stream:
            yield stream
    finally:
        relay.close()
        asked.close()


def test_subscribers_on_bad_links_have_every_report_once_in_order_as_its_rows_say(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with served(tmp_path) as venue, AsyncExitStack() as links:
            streams = [
                await links.enter_async_context(behind_a_bad_link(venue, lost, replay=replay))
                for lost, replay in ((0.01, False), (0.1, False), (0.5, True))
            ]
            await asyncio.to_thread(venue.trade, 1000)
            log = await asyncio.to_thread(venue.log)
            assert len(log) > 1000
            for stream in streams:
                assert await received(stream, len(log)) == log
                counts = stream.counts
                assert counts.received + counts.recovered == len(log) and counts.recovered
                assert counts.lost == 0

    asyncio.run(test())


async def _collect(stream: ReportStream, found: list[tuple[str, int, bytes]]) -> None:
    while True:
        found += await received(stream, 1)


def test_a_kill_in_the_middle_doubles_no_number_and_misses_none(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as venue, behind_a_bad_link(venue, 0.1, replay=True) as one:
            found: list[tuple[str, int, bytes]] = []
            taking = asyncio.create_task(_collect(one, found))
            for _ in range(2):
                await asyncio.to_thread(venue.trade, 300)
                # Killed while it answers: nobody knows what of it was published.
                for client in venue.clients:
                    orders = (client.order(f"k{n}", "1", "1", "98") for n in range(200))
                    client.link.sendall(b"".join(orders))
                venue.gateway.kill()
                venue.close()
                await asyncio.to_thread(venue.start_again)
            await asyncio.to_thread(venue.trade, 100)
            log = await asyncio.to_thread(venue.log)
            while len(found) < len(log):
                assert not taking.done(), taking.exception()
                await asyncio.sleep(0.02)
            taking.cancel()
            assert found == log
            assert [number for _session, number, _octets in found] == list(
                range(1, len(found) + 1)
            )

    asyncio.run(test())


def kill_all(gateway: GatewayProcess) -> None:
    """The gateway and its children, who otherwise end when they notice, and write until then."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    descriptors = [os.pidfd_open(int(child)) for child in children]
    gateway.kill()
    for descriptor in descriptors:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        assert select.select([descriptor], [], [], WAIT_S)[0]
        os.close(descriptor)


def test_what_a_loss_of_power_took_from_a_session_is_in_no_other(tmp_path: Path) -> None:
    """Its listeners go on with the next session; who asks is told of the old one what is left."""

    async def test() -> None:
        async with served(tmp_path) as venue:
            data, disk = venue.gateway.data, tmp_path / "disk"
            await asyncio.to_thread(venue.trade, 100)
            kept = await asyncio.to_thread(venue.log)
            copy_running(data, disk)
            async with _listening(venue) as one:
                await asyncio.to_thread(venue.trade, 100)
                told = await asyncio.to_thread(venue.log)
                assert await received(one, len(told)) == told
                kill_all(venue.gateway)
                venue.close()
                lose_power(data, disk, tmp_path / "lost")
                shutil.rmtree(data)
                (tmp_path / "lost").rename(data)
                await asyncio.to_thread(venue.start_again)
                await asyncio.to_thread(venue.trade, 50)
                log = await asyncio.to_thread(venue.log)
                first, following = told[0][0], log[-1][0]
                begun = [report for report in log if report[0] == following]
                assert log[: len(kept)] == kept and log == kept + begun
                assert first < following and len(begun) > 50
                assert [number for _session, number, _octets in begun] == list(
                    range(1, len(begun) + 1)
                )
                assert isinstance(ended := await anext(one), Ended) and ended.session == first
                assert await received(one, len(begun)) == begun
            async with _listening(venue, session=first) as late:
                assert await received(late, len(kept)) == kept
                assert await anext(late) == Ended(first, len(kept) + 1, True)
                assert await received(late, len(begun)) == begun

    asyncio.run(test())


def _listening(venue: Venue, session: str = "") -> ReportStream:
    return ReportStream(
        [_text(venue.group)],
        retransmit=_text(venue.retransmit),
        replay=_text(venue.replay),
        session=session,
    )


def test_who_comes_late_takes_a_snapshot_and_goes_on_from_there(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as venue:
            await asyncio.to_thread(venue.trade, 200)
            snapshot = await _snapshot(venue)
            await asyncio.to_thread(venue.trade, 50)
            log = await asyncio.to_thread(venue.log)
            place = snapshot.sequence - 1
            assert 200 < place < len(log)
            opened, positions = _fold(log[:place])
            orders = {
                one["orderId"]: [one[field] for field in OF_AN_ORDER] for one in snapshot.orders
            }
            assert orders == opened
            shown = {
                one["account"]: (one["boughtQty"], one["soldQty"]) for one in snapshot.positions
            }
            assert shown == positions
            # A stream of one account tells of that one alone, one of trades of nobody.
            own = await take_snapshot(*venue.replay_of_client1)
            assert {one["account"] for one in own.orders + own.positions} == {"CLIENT1"}
            async with ReplayClient(*venue.replay_of_client1) as replay:
                assert own.sequence > 1
                _sequence, messages = await replay.receive_some()
                assert {decode(one)[1]["account"] for one in messages} == {"CLIENT1"}
            with pytest.raises(LoginRefused):
                await take_snapshot(*venue.replay_of_trades)
            async with ReplayClient(*venue.replay_of_trades) as replay:
                _sequence, messages = await replay.receive_some()
                assert decode(messages[0])[0] == "Trade"
            late = ReportStream(
                [_text(venue.group)],
                retransmit=_text(venue.retransmit),
                session=snapshot.session,
                sequence=snapshot.sequence,
            )
            async with late:
                assert await received(late, len(log) - place) == log[place:]

    asyncio.run(test())


async def _snapshot(venue: Venue) -> Snapshot:
    """One, as soon as the replica has read the journal."""
    while True:
        found = await asyncio.to_thread(venue.streams)
        with suppress(ClientError):
            taken = await take_snapshot(*venue.replay)
            if taken.sequence == found["sessions"][found["session"]] > 200:
                return taken
        await asyncio.sleep(0.05)


def _fold(
    log: list[tuple[str, int, bytes]],
) -> tuple[dict[int, list[Any]], dict[str, tuple[int, int]]]:
    """Open orders, and what each account bought and sold, as reports say it."""
    opened: dict[int, list[Any]] = {}
    traded: dict[str, tuple[int, int]] = {}
    for _session, _number, octets in log:
        _name, values = decode(octets)
        if values["ordStatus"] in ("New", "PartiallyFilled"):
            opened[values["orderId"]] = [values[field] for field in OF_AN_ORDER]
        else:
            opened.pop(values["orderId"], None)
        if values["execType"] == "Trade":
            bought, sold = traded.get(values["account"], (0, 0))
            if values["side"] == "Buy":
                bought += values["lastQty"]
            else:
                sold += values["lastQty"]
            traded[values["account"]] = bought, sold
    return opened, traded


def test_a_mad_requester_harms_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        # So few that a busy machine reaches the bound, too.
        async with served(tmp_path, "requests_per_second = 20") as venue:
            await asyncio.to_thread(venue.trade, 100)
            found = await until_refilled(venue)
            session = found["session"].encode()
            mad = [
                packets.request(session, 1, 0xFFFF),
                packets.request(session, 1 << 40, 1),
                packets.request(session, 0, 1),
                packets.request(b"1999010101", 1, 1),
                packets.request(session, 1, 1)[:19],
                struct.pack(">10sQH", session, (1 << 64) - 1, 0xFFFF),
            ]
            counts: dict[str, int] = {}
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                while not counts.get("too_many"):
                    for request in mad * 100:
                        asking.sendto(request, venue.retransmit)
                    counts = (await asyncio.to_thread(venue.streams))["requests"]
            assert counts["unreadable"] > 0
            assert counts["unknown_session"] > 0 and counts["nothing_there"] > 0
            for sequence in (1_000_000, -5, 1 << 62):
                with pytest.raises((ClientError, ValueError)):
                    async with ReplayClient(*venue.replay, sequence=sequence):
                        pass
            await asyncio.to_thread(venue.trade, 100)
            log = await asyncio.to_thread(venue.log)
            async with ReportStream([_text(venue.group)], replay=_text(venue.replay)) as stream:
                assert await received(stream, len(log)) == log

    asyncio.run(test())


def test_a_day_that_has_ended_is_replayed_to_its_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(tmp_path) as venue:
            await asyncio.to_thread(venue.trade, 50)
            first = (await until_refilled(venue))["session"]
            async with _listening(venue) as stream:
                call(venue.gateway.data, Request(do="day end", why="test"))
                for client in venue.clients:
                    client.barrier()
                await asyncio.to_thread(venue.trade, 20)
                log = await asyncio.to_thread(venue.log)
                found: list[tuple[str, int, bytes]] = []
                ends: list[Ended] = []
                while len(found) < len(log):
                    event = await anext(stream)
                    if isinstance(event, Report):
                        found.append((event.session, event.sequence, event.octets))
                    elif isinstance(event, Ended):
                        ends.append(event)
                assert found == log
                last = max(number for session, number, _ in log if session == first)
                assert ends == [Ended(first, last + 1, True)]
            async with ReplayClient(*venue.replay, session=first) as replay:
                assert [octets async for octets in replay] == [
                    octets for session, _number, octets in log if session == first
                ]

    asyncio.run(test())
