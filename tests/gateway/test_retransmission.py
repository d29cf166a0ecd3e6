"""What a retransmission server answers, what it does not, and how little that may cost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.moldudp64 import packets
from portcullis.gateway.admission import parse_networks
from portcullis.gateway.retransmission import Retransmission
from tests.support.fix_client import TIMEOUT_S
from tests.support.report_source import ListSource

OLD, LIVE = b"2026010101", b"2026010201"
HOST = "127.0.0.1"
SECOND_NS = 1_000_000_000


@contextlib.contextmanager
def serving(
    source: ListSource,
    *,
    per_client: int = 1000,
    in_all: int = 1000,
    networks: tuple[str, ...] = (),
    packet_bytes: int = 1400,
) -> Iterator[tuple[Retransmission, tuple[str, int]]]:
    """A server on a port of its own, and its address."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((HOST, 0))
    address = bound.getsockname()
    server = Retransmission(
        bound,
        source,
        networks=parse_networks(networks),
        per_client=per_client,
        in_all=in_all,
        packet_bytes=packet_bytes,
        clock=lambda: SECOND_NS,
    )
    try:
        yield server, address
    finally:
        server.close()


def served(
    test: Callable[[Retransmission], None],
    *,
    arriving: tuple[bytes, ...] = (),
    **bounds: Any,
) -> None:
    """Run a test on a server of two sessions, an old one of 3 messages and one of 1,000."""

    async def run() -> None:
        source = ListSource(
            s2026010101=[b"a", b"b", b"c"], s2026010201=[b"%03d" % n * 10 for n in range(1000)]
        )
        source.arriving.extend(arriving)
        with serving(source, packet_bytes=200, **bounds) as (server, _address):
            test(server)

    asyncio.run(run())


def test_an_answer_holds_what_fits_into_a_packet_and_no_more_than_asked() -> None:
    def test(server: Retransmission) -> None:
        few = server.answer(packets.request(LIVE, 5, 2), HOST, SECOND_NS)
        assert few == packets.downstream(LIVE, 5, [b"004" * 10, b"005" * 10])
        many = server.answer(packets.request(LIVE, 5, 0xFFFF), HOST, SECOND_NS)
        found = packets.parse_downstream(many)
        assert found is not None and len(found.messages) == 5 and len(many) <= 200

    served(test)


@pytest.mark.parametrize(
    ("request_", "counted"),
    [
        (packets.request(LIVE, 1001, 1), "nothing_there"),
        (packets.request(LIVE, (1 << 64) - 1, 65535), "nothing_there"),
        (packets.request(LIVE, 0, 5), "nothing_there"),
        (packets.request(LIVE, 7, 0), "nothing_there"),
        (packets.request(b"2026010301", 1, 5), "unknown_session"),
        (packets.request(b"\xff\x00", 1, 5), "unknown_session"),
        (packets.request(LIVE, 1, 5)[:-1], "unreadable"),
        (packets.request(LIVE, 1, 5) + b"\0", "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_what_cannot_be_answered_is_counted_and_gets_no_answer(
    request_: bytes, counted: str
) -> None:
    def test(server: Retransmission) -> None:
        assert server.answer(request_, HOST, SECOND_NS) == b""
        assert server.state()[counted] == sum(server.state().values()) == 1

    served(test)


def test_what_was_heard_before_the_server_looked_is_answered_all_the_same() -> None:
    def test(server: Retransmission) -> None:
        answer = server.answer(packets.request(LIVE, 1001, 2), HOST, SECOND_NS)
        assert answer == packets.downstream(LIVE, 1001, [b"just now"])

    served(test, arriving=(b"just now",))


def test_behind_the_last_message_of_an_ended_session_its_end_is_told() -> None:
    def test(server: Retransmission) -> None:
        for sequence in (4, 99):
            answer = server.answer(packets.request(OLD, sequence, 1), HOST, SECOND_NS)
            assert answer == packets.end_of_session(OLD, 4)
        answer = server.answer(packets.request(OLD, 3, 9), HOST, SECOND_NS)
        assert answer == packets.downstream(OLD, 3, [b"c"])

    served(test)


def test_who_asks_too_much_is_not_answered_and_the_others_are() -> None:
    def test(server: Retransmission) -> None:
        request = packets.request(LIVE, 1, 1)
        answers = [server.answer(request, HOST, SECOND_NS) for _ in range(1000)]
        assert sum(map(bool, answers)) == 10
        assert server.answer(request, "127.0.0.2", SECOND_NS)
        assert server.answer(request, HOST, 2 * SECOND_NS)
        assert server.state()["too_many"] == 990

    served(test, per_client=10)


def test_all_together_are_bounded_and_addresses_made_up_take_no_memory() -> None:
    def test(server: Retransmission) -> None:
        request = packets.request(LIVE, 1, 1)
        hosts = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(3000)]
        answers = [server.answer(request, host, SECOND_NS) for host in hosts]
        assert sum(map(bool, answers)) == 50
        assert server.state()["too_many_in_all"] == 2950
        assert len(server._rates) == 1024

    served(test, in_all=50)


def test_addresses_that_may_not_ask_are_not_answered() -> None:
    def test(server: Retransmission) -> None:
        request = packets.request(LIVE, 1, 1)
        assert server.answer(request, "10.1.2.3", SECOND_NS)
        assert not server.answer(request, "10.2.2.3", SECOND_NS)

    served(test, networks=("10.1.0.0/16",))


@given(st.binary(max_size=64))
def test_no_datagram_does_harm(datagram: bytes) -> None:
    def test(server: Retransmission) -> None:
        server.answer(datagram, HOST, SECOND_NS)
        assert server.answer(packets.request(LIVE, 1, 1), HOST, SECOND_NS)

    served(test)


def test_an_answer_goes_to_where_the_request_came_from() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        with (
            serving(ListSource(s2026010201=[b"a"])) as (server, address),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            client.setblocking(False)
            client.bind((HOST, 0))
            for junk in (b"", b"x" * 1999):
                await loop.sock_sendto(client, junk, address)
            await loop.sock_sendto(client, packets.request(LIVE, 1, 9), address)
            answer = await asyncio.wait_for(loop.sock_recv(client, 2048), TIMEOUT_S)
        assert answer == packets.downstream(LIVE, 1, [b"a"])
        assert server.state()["unreadable"] == 2

    asyncio.run(run())


def test_a_flood_of_one_address_leaves_room_for_the_request_of_another() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        one = ListSource(s2026010201=[b"a"])
        with (
            serving(one, per_client=1, in_all=2) as (server, address),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            flood.bind(("127.0.0.2", 0))
            client.setblocking(False)
            client.bind((HOST, 0))
            # More than Linux keeps unless asked for room; nobody reads before all are sent.
            for _ in range(400):
                flood.sendto(packets.request(LIVE, 1, 9), address)
            client.sendto(packets.request(LIVE, 1, 9), address)
            answer = await asyncio.wait_for(loop.sock_recv(client, 2048), TIMEOUT_S)
        assert answer == packets.downstream(LIVE, 1, [b"a"])
        assert server.state()["too_many"] == 399 and server.state()["answered"] == 2

    asyncio.run(run())
