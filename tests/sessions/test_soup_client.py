"""The client's side of SoupBinTCP: numbers, heartbeats, and what a wrong server causes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.soupbintcp import packets
from portcullis.codecs.soupbintcp.packets import packet
from portcullis.sessions.soup_client import (
    Accepted,
    Debugged,
    Ended,
    Failed,
    Refused,
    Sequenced,
    SoupClient,
    Unsequenced,
)

SECOND_NS = 10**9
STREAM = packets.login_accepted(b"2026112101", 7) + b"".join(
    packet("S", b"message %d" % number) + packet("H") for number in range(7, 20)
)


def up() -> SoupClient:
    client = SoupClient()
    client.login("OUCH1", "portcull", 0)
    client.feed(packets.login_accepted(b"2026112101", 7), 0)
    client.events()
    client.data_to_send()
    return client


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_sequenced_messages_are_counted_however_the_bytes_are_cut(cuts: list[int]) -> None:
    client = SoupClient()
    client.login("OUCH1", "portcull", 0, session="2026112101", sequence=7)
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        client.feed(STREAM[start:end], 0)
    expected = [Sequenced(number, b"message %d" % number) for number in range(7, 20)]
    assert client.events() == [Accepted("2026112101", 7), *expected]
    assert client.next_sequence == 20


def test_a_login_asks_for_session_and_number() -> None:
    client = SoupClient()
    client.login("OUCH1", "portcull", 0, session="2026112101", sequence=7)
    assert client.data_to_send() == packets.login_request("OUCH1", "portcull", "2026112101", 7)


def test_a_heartbeat_goes_out_after_a_second_and_silence_is_failure() -> None:
    client = up()
    client.send(b"x", SECOND_NS // 2)
    assert client.data_to_send() == packet("U", b"x")
    assert client.tick(SECOND_NS) == SECOND_NS + SECOND_NS // 2
    assert client.data_to_send() == b""
    client.tick(2 * SECOND_NS)
    assert client.data_to_send() == packets.CLIENT_HEARTBEAT
    client.tick(15 * SECOND_NS)
    assert client.events() == [Failed("the server is silent")]


def test_the_end_of_a_session_ends_the_client() -> None:
    client = up()
    client.feed(packet("S", b"last") + packet("Z") + packet("S", b"beyond"), 0)
    assert client.events() == [Sequenced(7, b"last"), Ended()]


@pytest.mark.parametrize(
    ("octets", "event"),
    [
        (packets.NOT_AUTHORIZED, Refused("not authorized")),
        (packets.NOT_AVAILABLE, Refused("session not available")),
        (packet("A", b"short"), Failed("the server's Login Accepted cannot be read")),
        (packet("S", b"early"), Failed("packet 'S' was not to be expected")),
        (b"\0\0", Failed("packet '\\x00' was not to be expected")),
    ],
)
def test_a_server_that_refuses_or_errs_ends_the_client(
    octets: bytes, event: Refused | Failed
) -> None:
    client = SoupClient()
    client.login("OUCH1", "portcull", 0)
    client.feed(octets, 0)
    assert client.events() == [event]
    assert client.is_over


def test_what_the_server_says_for_people_is_handed_on() -> None:
    client = up()
    client.feed(packets.debug("too late"), 0)
    assert client.events() == [Debugged("too late")]
    assert client.next_sequence == 7


def test_unsequenced_data_of_a_newer_server_has_no_number() -> None:
    client = up()
    client.feed(packet("U", b"note"), 0)
    assert client.events() == [Unsequenced(b"note")]
    assert client.next_sequence == 7
