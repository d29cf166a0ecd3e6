"""What a reset owes: every report that its client has not shown to have, and no more."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.gateway.operator_port import Request, call
from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import TIMEOUT_S, FixClient
from tests.support.gateway_process import GatewayProcess

LONG = "58=" + "x" * 3000
MANY = 300  # reports of that length: more than a small receive buffer, less than all buffers
FEW = CONFIG + "[limits]\nin_doubt_messages = 40\norders = 20000\nids = 40000\n"


def with_reset(accept_reset: str) -> str:
    named = f'client = "CLIENT1"\naccept_reset = "{accept_reset}"'
    return CONFIG.replace('client = "CLIENT1"', named, 1)


@pytest.fixture
def config() -> str:
    """What a test may replace for itself."""
    return CONFIG


@pytest.fixture
def gateway(tmp_path: Path, config: str) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, config) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[FixClient]:
    with contextlib.closing(FixClient("CLIENT1", gateway.port)) as client:
        yield client


def orders(client: FixClient, first: int, count: int, *more: str) -> None:
    """Send so many orders that rest."""
    client.link.sendall(
        b"".join(client.order(f"o{first + n}", "1", "1", "10", *more) for n in range(count))
    )


def accepted(client: FixClient, count: int) -> list[str]:
    return [client.expect("8", t150="0")[11] for _ in range(count)]


def cut(gateway: GatewayProcess, client: FixClient) -> None:
    """Break the connection without a word, and wait until the gateway has seen it."""
    seen = gateway.log.read_text().count("connection lost")
    client.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    for _ in range(1000):
        if gateway.log.read_text().count("connection lost") > seen:
            return
        stranger = FixClient("NOBODY", client.port).connect()
        stranger.send("A")
        assert stranger.is_closed_by_peer()
        stranger.close()
    raise AssertionError("the gateway did not see the connection end")


def reset(client: FixClient) -> list[dict[int, str]]:
    """Log on with 141=Y; give what comes of itself.

    It is numbered anew in slices, between which a barrier may be answered.
    """
    client.next_out = client.next_in = 1
    assert client.log_on("141=Y")[141] == "Y"
    came = client.barrier()
    while more := client.barrier():
        came += more
    return came


def refused(client: FixClient) -> str:
    """Log on with 141=Y; give the text of the Logout that answers."""
    client.connect()
    client.send("A", "98=0", "108=30", "141=Y", seq=1)
    answer = client.receive()
    assert answer[35] == "5"
    client.close()
    return answer[58]


def ids(messages: list[dict[int, str]]) -> list[str]:
    assert {one.get(97) for one in messages} <= {"Y"}
    return [one[11] for one in messages]


def test_what_lay_in_the_buffers_of_a_broken_connection_comes_again(
    gateway: GatewayProcess, client: FixClient
) -> None:
    client.log_on()
    orders(client, 0, MANY, LONG)
    # Read here, but nothing tells the gateway so when the connection breaks.
    everything = accepted(client, MANY)
    cut(gateway, client)
    assert ids(reset(client)) == everything
    cut(gateway, client)
    gateway.kill()
    gateway.start()
    assert ids(reset(client)) == everything
    client.log_out()
    assert reset(client) == []


def test_who_logs_out_in_order_has_had_everything(
    gateway: GatewayProcess, client: FixClient
) -> None:
    client.log_on()
    orders(client, 0, 5)
    accepted(client, 5)
    client.log_out()
    assert reset(client) == []
    orders(client, 5, 5)
    accepted(client, 5)
    gateway.stop()  # its Logout is not answered
    client.close()
    gateway.start()
    assert ids(reset(client)) == [f"o{n}" for n in range(5, 10)]


def test_nothing_follows_our_logout_and_what_happened_then_is_owed(
    gateway: GatewayProcess, client: FixClient
) -> None:
    client.log_on()
    orders(client, 0, 1)
    accepted(client, 1)
    call(gateway.data, Request(do="sessions disconnect", why="x", args={"session": "CLIENT1"}))
    client.expect("5")
    with contextlib.closing(FixClient("CLIENT2", gateway.port)) as other:
        other.log_on()
        other.link.sendall(other.order("t", "2", "1", "10"))
        other.expect("8", t150="0")
        other.expect("8", t150="F")
    client.send("5")
    assert client.is_closed_by_peer()
    client.close()
    (fill,) = reset(client)
    assert (fill[150], fill[11], fill[97]) == ("F", "o0", "Y")


def test_an_operator_gives_a_session_that_was_here_other_numbers(
    gateway: GatewayProcess, client: FixClient
) -> None:
    def operate(do: str, **numbers: int) -> None:
        args = {"session": "CLIENT1", **numbers}
        told = call(gateway.data, Request(do=do, why="x", args=args))
        client.next_out, client.next_in = told["next_in"], told["next_out"]

    client.log_on()
    orders(client, 0, 3)
    accepted(client, 3)
    client.log_out()
    operate("sessions reset")
    assert (client.next_out, client.next_in) == (1, 1)
    client.log_on()
    client.log_out()
    operate("sessions set-seq", next_in=40, next_out=50)
    client.log_on()
    assert client.barrier() == []
    client.log_out()
    operate("sessions set-seq", next_in=7, next_out=5)
    client.log_on()
    assert client.barrier() == []


def test_a_logout_that_leaves_bytes_unread_shows_nothing(
    gateway: GatewayProcess, client: FixClient
) -> None:
    client.log_on()
    some = b"".join(client.order(f"o{n}", "1", "1", "10") for n in range(5))
    client.link.sendall(some + client.frame("5"))
    assert select.select([client.link], [], [], TIMEOUT_S)[0]
    client.close()
    gateway.stop()
    gateway.start()
    assert ids(reset(client)) == [f"o{n}" for n in range(5)]


def test_a_reset_within_a_session_repeats_nothing(
    gateway: GatewayProcess, client: FixClient
) -> None:
    client.log_on()
    orders(client, 0, 5)
    accepted(client, 5)
    client.next_out = client.next_in = 1
    client.send("A", "98=0", "108=30", "141=Y")
    client.expect("A", t141="Y")
    assert client.barrier() == []


def test_what_tells_of_a_message_that_was_not_taken_is_owed_too(
    gateway: GatewayProcess, client: FixClient
) -> None:
    client.log_on()
    client.send("R", "131=Q1", "146=1", "55=BTC-USD")
    first = client.expect("j", t45="2", t372="R", t380="3")
    orders(client, 0, 1)
    accepted(client, 1)
    client.send("R", "131=Q2", "146=1", "55=BTC-USD", "115=DESK")
    second = client.expect("j", t45="4", t128="DESK")
    header = (9, 10, 34, 52, 97)

    def told(messages: list[dict[int, str]]) -> list[dict[int, str]]:
        return [{tag: one[tag] for tag in one if tag not in header} for one in messages]

    for _ in range(2):  # the second time what was numbered anew is itself in doubt
        cut(gateway, client)
        gateway.kill()
        gateway.start()
        came = reset(client)
        assert [one[35] for one in came] == ["j", "8", "j"]
        assert {one[97] for one in came} == {"Y"}
        assert told([came[0], came[2]]) == told([first, second])
    client.log_out()
    assert reset(client) == []


@pytest.mark.parametrize("config", [with_reset("never")])
def test_a_refused_logon_moves_nothing(gateway: GatewayProcess, client: FixClient) -> None:
    client.log_on()
    orders(client, 0, 5)
    accepted(client, 5)
    cut(gateway, client)
    assert refused(client) == "ResetSeqNumFlag is not accepted"
    gateway.stop()
    gateway.configure(CONFIG)
    gateway.start()
    assert ids(reset(client)) == [f"o{n}" for n in range(5)]


def test_a_resend_that_a_reset_cut_short_is_owed(
    gateway: GatewayProcess, client: FixClient
) -> None:
    client.log_on()
    orders(client, 0, MANY, LONG)
    accepted(client, MANY)
    client.log_out()
    client.log_on()
    client.send("2", "7=100", "16=0")
    assert client.receive()[43] == "Y"
    cut(gateway, client)
    # Its 7 says that all before it is there.
    assert ids(reset(client)) == [f"o{n}" for n in range(98, MANY)]


@pytest.mark.parametrize("config", [FEW])
def test_what_no_buffer_holds_is_not_in_doubt(gateway: GatewayProcess, client: FixClient) -> None:
    client.log_on()
    for begun in range(0, 200, 20):
        orders(client, begun, 20)
        accepted(client, 20)
    gateway.kill()
    client.close()
    gateway.start()
    again = ids(reset(client))
    assert again == [f"o{n}" for n in range(200 - len(again), 200)]
    # The mark in the journal is at most a quarter of the bound old, and a turn's messages.
    assert 40 <= len(again) <= 40 + 40 // 4 + 20


@pytest.mark.parametrize("config", [with_reset("once_per_day")])
def test_a_daily_reset_is_one_a_day_over_a_restart(
    gateway: GatewayProcess, client: FixClient
) -> None:
    assert client.log_on("141=Y")[141] == "Y"
    client.log_out()
    gateway.stop()
    gateway.start()
    assert refused(client) == "ResetSeqNumFlag is not accepted"
