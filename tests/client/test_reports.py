"""The report stream's client on real sockets: lines, requests, replay, and a reader that rests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from portcullis.client.errors import LoginRefused
from portcullis.client.replay import take_snapshot
from portcullis.client.reports import (
    Began,
    Ended,
    Lost,
    ReplayRefused,
    Report,
    ReportStream,
    State,
    StreamEvent,
)
from portcullis.codecs.moldudp64 import packets
from portcullis.codecs.sbe.messages import report_stream
from portcullis.gateway.admission import Admission
from portcullis.gateway.auth import PasswordChecker
from portcullis.gateway.config_schema import Limits
from portcullis.gateway.event_log import EventLog, Throttled
from portcullis.gateway.replay_port import Reading, ReplayPort
from portcullis.gateway.retransmission import Retransmission
from portcullis.sessions.mold_subscriber import SECOND_NS, SubscriberSettings
from portcullis.sessions.soup_session import SoupSettings
from portcullis.tools.gateway_process import free_port
from tests.gateway.test_replay_port import Prepared
from tests.support.lossy_relay import Dice, sender
from tests.support.report_source import ListSource

SESSION, NEXT = "2026010201", "2026010301"
GROUP = "239.255.77.1"
HOST = "127.0.0.1"
WAIT_S = 120.0


class Venue:
    """A stream's sender and its servers, in this loop."""

    def __init__(self, dice: Dice | None = None) -> None:
        self.source = ListSource(s2026010201=[])
        self.snapshot: Callable[[], Reading | None] = Prepared
        self._dice = dice or Dice(0)
        self._out = sender()
        self.group = (GROUP, free_port(socket.SOCK_DGRAM, GROUP))
        asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asked.bind((HOST, 0))
        replayed = socket.socket()
        replayed.bind((HOST, 0))
        self.retransmit = f"{HOST}:{asked.getsockname()[1]}"
        self.replay = f"{HOST}:{replayed.getsockname()[1]}"
        self._retransmission = Retransmission(
            asked,
            self.source,
            networks=(),
            per_client=10_000,
            in_all=10_000,
            packet_bytes=1400,
            clock=self._now,
        )
        self.port = ReplayPort(
            replayed,
            self.source,
            lambda: self.snapshot(),
            admission=Admission(Limits()),
            networks=(),
            password=None,
            passwords=PasswordChecker(waiting_max=4, waiting_per_address_max=4),
            settings=SoupSettings(),
            log=Throttled(EventLog(2)),
            clock=self._now,
        )

    def stream(self, **changed: object) -> ReportStream:
        settings = {"retransmit": self.retransmit, "replay": self.replay, **changed}
        return ReportStream([f"{GROUP}:{self.group[1]}"], **settings)  # type: ignore[arg-type]

    def publish(self, *messages: bytes) -> None:
        log = self.source.logs[self.source.session]
        self.say(packets.downstream(self.source.session.encode(), len(log) + 1, messages))
        log.extend(messages)

    def heartbeat(self) -> None:
        end = len(self.source.logs[self.source.session]) + 1
        self.say(packets.heartbeat(self.source.session.encode(), end))

    def say(self, datagram: bytes) -> None:
        for one in self._dice.throw(datagram):
            self._out.sendto(one, self.group)

    async def pump(self) -> None:
        """What the back office does between two looks at the journal."""
        while True:
            self.port.pump()
            await asyncio.sleep(0.001)

    def close(self) -> None:
        self._retransmission.close()
        self.port.close()
        self._out.close()

    def _now(self) -> int:
        return int(asyncio.get_running_loop().time() * 1e9)


def run(test: Callable[[Venue], Awaitable[None]], dice: Dice | None = None) -> None:
    async def bounded() -> None:
        venue = Venue(dice)
        pumping = asyncio.create_task(venue.pump())
        try:
            async with asyncio.timeout(WAIT_S):
                await test(venue)
        finally:
            pumping.cancel()
            venue.close()
            await asyncio.sleep(0)

    asyncio.run(bounded())


async def reports(stream: ReportStream, count: int) -> list[tuple[int, bytes]]:
    """The next so many reports; none may be lost."""
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        event = await anext(stream)
        assert not isinstance(event, Lost), event
        if isinstance(event, Report):
            found.append((event.sequence, event.octets))
    return found


def test_reports_come_as_they_are_published() -> None:
    async def test(venue: Venue) -> None:
        async with venue.stream() as stream:
            venue.publish(b"a", b"b")
            venue.publish(b"c")
            assert await reports(stream, 3) == [(1, b"a"), (2, b"b"), (3, b"c")]
            assert (stream.counts.received, stream.counts.recovered) == (3, 0)

    run(test)


@pytest.mark.parametrize("lost", [0.01, 0.1, 0.5])
def test_every_report_comes_once_and_in_order_over_a_link_that_loses_some(lost: float) -> None:
    async def test(venue: Venue) -> None:
        async with venue.stream() as stream:
            for number in range(300):
                venue.publish(*(b"%d/%d" % (number, part) for part in range(number % 7)))
                if number % 50 == 0:
                    await asyncio.sleep(0)
            log = venue.source.logs[SESSION]

            async def speak() -> None:
                while True:
                    venue.heartbeat()
                    await asyncio.sleep(0.05)

            speaking = asyncio.create_task(speak())
            assert await reports(stream, len(log)) == list(enumerate(log, 1))
            speaking.cancel()
            counts = stream.counts
            assert counts.received + counts.recovered == len(log) and counts.lost == 0

    run(test, Dice(7, lost, doubled=0.1, reordered=0.1))


def test_who_comes_late_has_all_from_the_first_by_the_replay() -> None:
    async def test(venue: Venue) -> None:
        venue.source.logs[SESSION] = [b"%d" % number for number in range(5000)]
        async with venue.stream() as stream:
            venue.publish(b"live")
            found = await reports(stream, 5001)
            assert found == list(enumerate(venue.source.logs[SESSION], 1))
            assert stream.counts.replays == 1 and stream.counts.requests == 0

    run(test)


def test_where_no_line_is_heard_the_replay_stands_in_for_it() -> None:
    async def test(venue: Venue) -> None:
        settings = SubscriberSettings(silence_ns=SECOND_NS // 10)
        async with venue.stream(settings=settings) as stream:
            log = venue.source.logs[SESSION]
            log += [b"a", b"b"]
            assert await reports(stream, 2) == [(1, b"a"), (2, b"b")]
            assert stream.is_silent
            log.append(b"c")
            assert await reports(stream, 1) == [(3, b"c")]

    run(test)


@pytest.mark.parametrize("past", [[], [b"a"], [b"a", b"b"]])
def test_who_wants_what_comes_next_is_told_nothing_past_by_the_replay_either(
    past: list[bytes],
) -> None:
    async def test(venue: Venue) -> None:
        settings = SubscriberSettings(silence_ns=SECOND_NS // 10)
        log = venue.source.logs[SESSION]
        log += past
        async with venue.stream(sequence=0, settings=settings) as stream:
            assert await anext(stream) == Began(SESSION, len(past) + 1)
            log.append(b"next")
            assert await reports(stream, 1) == [(len(past) + 1, b"next")]

    run(test)


def test_a_day_that_ends_while_nobody_listened_is_taken_to_its_end_before_the_next() -> None:
    async def test(venue: Venue) -> None:
        venue.source.logs[SESSION] = [b"a", b"b", b"c"]
        venue.source.logs[NEXT] = []
        async with venue.stream(session=SESSION, sequence=2) as stream:
            venue.publish(b"next")
            found: list[StreamEvent] = []
            while not found or not isinstance(found[-1], Report) or found[-1].session != NEXT:
                found.append(await anext(stream))
                venue.heartbeat()
        shown = [event for event in found if isinstance(event, Began | Ended)]
        assert shown == [Began(SESSION, 2), Ended(SESSION, 4, True), Began(NEXT, 1)]
        taken = [(one.sequence, one.octets) for one in found if isinstance(one, Report)]
        assert taken == [(2, b"b"), (3, b"c"), (1, b"next")]

    run(test)


def test_a_place_that_the_replay_refuses_is_told_once() -> None:
    async def test(venue: Venue) -> None:
        async with venue.stream(session="2000010101", sequence=1) as stream:
            assert await anext(stream) == Began("2000010101", 1)
            event = await anext(stream)
            assert isinstance(event, ReplayRefused)
            assert event.reason == (
                "session not available: it is not kept, or has no such number yet"
            )
            with pytest.raises(TimeoutError):  # though it was asked again
                async with asyncio.timeout(0.5):
                    await anext(stream)

    run(test)


def test_a_reader_that_rests_stops_the_reading_and_misses_nothing() -> None:
    async def test(venue: Venue) -> None:
        async with venue.stream(queue_max=10) as stream:
            for number in range(200):
                venue.publish(b"%d" % number)
                await asyncio.sleep(0)
            assert len(stream._events) < 10 + 64 + 1
            venue.heartbeat()
            log = venue.source.logs[SESSION]
            assert await reports(stream, 200) == list(enumerate(log, 1))

    run(test)


def test_a_snapshot_says_what_held_before_which_number() -> None:
    codec = report_stream()
    order = codec.encode(
        "ExecutionReport",
        {
            "engineTime": 1,
            "publishTime": 1,
            "execId": 0,
            "leavesQty": 5,
            "cumQty": 0,
            "avgPx": 0,
            "priceDecimals": 2,
            "qtyDecimals": 0,
            "avgPxDecimals": 6,
            "execType": "OrderStatus",
            "ordStatus": "New",
            "side": "Buy",
            "why": "NoReason",
            "clOrdId": "x",
        },
    )
    end = codec.encode("EndOfSnapshot", {"streamSession": SESSION, "nextSequence": 42})

    class Taken(Prepared):
        def take(self, count: int, bytes_max: int) -> list[bytes]:
            found = [order, end][self.next_sequence - 1 :]
            self.next_sequence += len(found)
            return found

    async def test(venue: Venue) -> None:
        host, _, port = venue.replay.rpartition(":")
        venue.snapshot = Taken
        snapshot = await take_snapshot(host, int(port))
        assert (snapshot.session, snapshot.sequence) == (SESSION, 42)
        assert [one["clOrdId"] for one in snapshot.orders] == ["x"]
        venue.snapshot = lambda: None
        with pytest.raises(LoginRefused, match="not available"):
            await take_snapshot(host, int(port))

    run(test)


def test_only_the_source_asked_for_is_listened_to() -> None:
    async def test(venue: Venue) -> None:
        # Those that hear nothing have been told of nothing missing either.
        async with (
            venue.stream(source="192.0.2.1") as deaf,
            venue.stream(source=HOST) as hears,
            venue.stream() as hears_all,
        ):
            venue.publish(b"a")
            for stream in (hears, hears_all):
                assert await reports(stream, 1) == [(1, b"a")]
            assert deaf.counts.received == 0 and deaf.state == State.WAITING

    run(test)


def test_of_two_lines_the_first_copy_counts() -> None:
    async def test(venue: Venue) -> None:
        other = (GROUP, free_port(socket.SOCK_DGRAM, GROUP))
        groups = [f"{GROUP}:{venue.group[1]}", f"{GROUP}:{other[1]}"]
        with sender() as line_b:
            async with ReportStream(groups) as stream:
                for number, octets in enumerate((b"a", b"b", b"c"), 1):
                    packet = packets.downstream(SESSION.encode(), number, [octets])
                    if number != 2:  # line A loses it
                        venue.say(packet)
                    line_b.sendto(packet, other)
                assert await reports(stream, 3) == [(1, b"a"), (2, b"b"), (3, b"c")]
                while stream.counts.duplicated < 2:
                    await asyncio.sleep(0)
                assert stream.counts.received == 3

    run(test)


def test_a_stream_that_cannot_be_joined_says_so_and_leaves_nothing_open() -> None:
    async def join() -> None:
        with pytest.raises(OSError):
            async with ReportStream([f"{GROUP}:0"], interface="192.0.2.1"):
                pass

    asyncio.run(join())
    with pytest.raises(ValueError, match="expected an address"):
        ReportStream(["239.255.13.1"])
