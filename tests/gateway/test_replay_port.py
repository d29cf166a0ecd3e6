"""The replay over TCP: any number of any session, then live; and what is refused."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import pytest

from portcullis.gateway.admission import Admission, parse_networks
from portcullis.gateway.auth import PasswordChecker, PasswordHash
from portcullis.gateway.config_schema import Limits
from portcullis.gateway.event_log import EventLog, Throttled
from portcullis.gateway.replay_port import Reading, ReplayPort
from portcullis.sessions.soup_client import (
    Accepted,
    ClientEvent,
    Ended,
    Refused,
    Sequenced,
    SoupClient,
)
from portcullis.sessions.soup_session import SoupSettings
from tests.support.report_source import ListSource

HOST = "127.0.0.1"
OLD, LIVE = "2026010101", "2026010201"
WAIT_S = 120.0
SECOND_NS = 1_000_000_000


class Client:
    """A SoupBinTCP client on a real connection."""

    def __init__(self, port: int) -> None:
        self.soup = SoupClient()
        self.events: list[ClientEvent] = []
        self._port = port

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(HOST, self._port)

    async def log_in(
        self, session: str = "", sequence: int = 1, password: str = "none"
    ) -> ClientEvent:
        await self.connect()
        self.soup.login("ANY", password, self.now(), session=session, sequence=sequence)
        return (await self.expect(1))[0]

    async def expect(self, count: int) -> list[ClientEvent]:
        """The next so many events."""
        async with asyncio.timeout(WAIT_S):
            while len(self.events) < count:
                self.writer.write(self.soup.data_to_send())
                octets = await self.reader.read(1 << 16)
                assert octets, f"closed behind {self.events}"
                self.soup.feed(octets, self.now())
                self.events += self.soup.events()
        found, self.events = self.events[:count], self.events[count:]
        return found

    async def is_closed(self) -> bool:
        async with asyncio.timeout(WAIT_S):
            try:
                return not await self.reader.read(1 << 16)
            except ConnectionResetError:
                return True

    def now(self) -> int:
        return int(asyncio.get_running_loop().time() * 1e9)


class Prepared:
    """A snapshot of two messages."""

    def __init__(self) -> None:
        self.session = b"SNAPSHOT"
        self.next_sequence = 1

    def take(self, count: int, bytes_max: int) -> Sequence[bytes]:
        found = [b"order", b"end"][self.next_sequence - 1 :]
        self.next_sequence += len(found)
        return found

    def has_ended(self) -> bool:
        return self.next_sequence == 3


class Bench:
    """A port on a free address, and what it serves from."""

    def __init__(
        self,
        *,
        password: PasswordHash | None = None,
        networks: Sequence[str] = (),
        connections: int = 4,
        snapshot: Callable[[], Reading | None] = Prepared,
    ) -> None:
        bound = socket.socket()
        bound.bind((HOST, 0))
        self.late_ns = 0
        self._number: int = bound.getsockname()[1]
        self._clients: list[Client] = []
        self.source = ListSource(s2026010101=[b"a", b"b"], s2026010201=[b"1", b"2", b"3"])
        self.port = ReplayPort(
            bound,
            self.source,
            snapshot,
            admission=Admission(Limits(connections=connections)),
            networks=parse_networks(networks),
            password=password,
            passwords=PasswordChecker(waiting_max=4, waiting_per_address_max=4),
            settings=SoupSettings(),
            log=Throttled(EventLog(2)),
            clock=lambda: int(asyncio.get_running_loop().time() * 1e9) + self.late_ns,
        )

    def client(self) -> Client:
        self._clients.append(Client(self._number))
        return self._clients[-1]

    async def close(self) -> None:
        self.port.close()
        for client in self._clients:
            client.writer.close()
            with suppress(OSError):
                await client.writer.wait_closed()


def run(test: Callable[[Bench], Awaitable[None]], **settings: object) -> None:
    async def served() -> None:
        bench = Bench(**settings)  # type: ignore[arg-type]
        try:
            await test(bench)
        finally:
            await bench.close()

    asyncio.run(served())


def sequenced(events: Sequence[ClientEvent]) -> list[tuple[int, bytes]]:
    return [(one.sequence, one.octets) for one in events if isinstance(one, Sequenced)]


@pytest.mark.parametrize("first", [1, 2, 4])
def test_a_replay_begins_at_any_number_and_goes_over_into_the_live_stream(first: int) -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        assert await client.log_in(sequence=first) == Accepted(LIVE, first)
        bench.source.logs[LIVE] += [b"4", b"5"]
        bench.port.pump()
        wanted = list(enumerate([b"1", b"2", b"3", b"4", b"5"], 1))[first - 1 :]
        assert sequenced(await client.expect(len(wanted))) == wanted

    run(test)


def test_an_ended_session_is_replayed_to_its_end() -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        assert await client.log_in(OLD, 2) == Accepted(OLD, 2)
        assert await client.expect(2) == [Sequenced(2, b"b"), Ended()]
        assert await client.is_closed()

    run(test)


def test_a_live_session_that_ends_is_ended_for_who_listens() -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        await client.log_in(sequence=4)
        bench.source.logs[LIVE].append(b"last")
        bench.source.logs["2026010301"] = []
        bench.port.pump()
        assert await client.expect(2) == [Sequenced(4, b"last"), Ended()]

    run(test)


@pytest.mark.parametrize(("session", "sequence"), [(LIVE, 5), ("2025010101", 1), (OLD, 4)])
def test_what_is_not_there_is_not_available(session: str, sequence: int) -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        answer = await client.log_in(session, sequence)
        assert answer == Refused("session not available")

    run(test)


def test_number_0_begins_at_the_newest_message() -> None:
    async def test(bench: Bench) -> None:
        assert await bench.client().log_in(sequence=0) == Accepted(LIVE, 3)

    run(test)


def test_a_snapshot_is_counted_from_1_and_ends() -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        assert await client.log_in("SNAPSHOT") == Accepted("SNAPSHOT", 1)
        assert await client.expect(3) == [Sequenced(1, b"order"), Sequenced(2, b"end"), Ended()]

    run(test)


def test_where_there_is_no_snapshot_none_is_available() -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.client().log_in("SNAPSHOT")
        assert answer == Refused("session not available")

    run(test, snapshot=lambda: None)


def test_a_password_is_asked_where_one_is_configured() -> None:
    async def test(bench: Bench) -> None:
        wrong = await bench.client().log_in(password="other")
        assert wrong == Refused("not authorized")
        assert isinstance(await bench.client().log_in(password="secret"), Accepted)

    run(test, password=PasswordHash.make(b"SECRET"))


def test_the_log_says_a_wrong_password_from_one_too_many(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def test(bench: Bench) -> None:
        bench.port.admission = Admission(Limits(connections=4, failed_logons_per_minute=2))
        for password in ("other", "other", "secret"):
            assert await bench.client().log_in(password=password) == Refused("not authorized")

    run(test, password=PasswordHash.make(b"SECRET", n=2))
    said = re.findall('"reason":"([^"]*)"', capfd.readouterr().err)
    assert said == ["wrong password"] * 2 + ["too many wrong passwords from this address"]


def test_addresses_that_may_not_come_are_closed_at_once() -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        await client.connect()
        assert await client.is_closed()

    run(test, networks=["10.0.0.0/8"])


def test_connections_are_bounded_and_their_places_come_back() -> None:
    async def test(bench: Bench) -> None:
        clients = [bench.client() for _ in range(4)]
        for client in clients:
            await client.log_in()
        client = bench.client()
        await client.connect()
        assert await client.is_closed()
        clients[0].writer.close()
        async with asyncio.timeout(WAIT_S):
            while len(bench.port.connections) == 4:
                await asyncio.sleep(0)
        assert isinstance(await bench.client().log_in(), Accepted)

    run(test)


@pytest.mark.parametrize(
    "octets", [b"\0\0", b"\xff\xffL", b"GET / HTTP/1.1\r\n", b"\0\1R", b"\0\2Ux"]
)
def test_what_is_no_login_is_closed_without_a_byte(octets: bytes) -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        await client.connect()
        client.writer.write(octets)
        assert await client.is_closed()

    run(test)


def test_who_sends_messages_is_told_and_closed() -> None:
    async def test(bench: Bench) -> None:
        client = bench.client()
        await client.log_in(sequence=4)
        client.soup.send(b"order?", client.now())
        client.writer.write(client.soup.data_to_send())
        async with asyncio.timeout(WAIT_S):
            assert b"a replay takes no messages" in await client.reader.read()

    run(test)


def test_a_client_that_does_not_read_stops_its_cursor_and_no_other() -> None:
    async def test(bench: Bench) -> None:
        bench.source.logs[LIVE] = [b"x" * 1000] * 40_000
        lazy, eager = bench.client(), bench.client()
        await lazy.log_in()
        await eager.log_in()
        async with asyncio.timeout(WAIT_S):
            while bench.port.pump():
                await asyncio.sleep(0)
                if not eager.soup.next_sequence > 40_000:
                    eager.soup.feed(await eager.reader.read(1 << 20), eager.now())
            while eager.soup.next_sequence <= 40_000:
                eager.soup.feed(await eager.reader.read(1 << 20), eager.now())
                bench.port.pump()
        (stopped,) = [one for one in bench.port.connections if one._full_ns]
        assert stopped._reading is not None and stopped._reading.next_sequence < 40_000
        # It still does not read a minute later.
        bench.late_ns = 61 * SECOND_NS
        async with asyncio.timeout(WAIT_S):
            while stopped in bench.port.connections:
                await asyncio.sleep(0)

    run(test)
