"""The second door from outside: sessions, orders, trades with FIX, rewinds and restarts."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis import _build
from portcullis.codecs.soupbintcp import packets
from portcullis.gateway.auth import PasswordHash
from portcullis.tools.gateway_process import OUCH_CONFIG
from tests.support.fix_client import TIMEOUT_S, FixClient
from tests.support.gateway_process import GatewayProcess
from tests.support.ouch_client import OuchClient, cancel, enter, modify, replace

# Small tables: a gateway a test.
CONFIG = (
    OUCH_CONFIG
    + """
[journal]
segment_rows = 32768

[limits]
orders = 20000
ids = 40000
levels = 1000
"""
)
DESKS: list[FixClient] = []


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, CONFIG) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def closed_clients() -> Iterator[None]:
    yield
    OuchClient.close_all()
    while DESKS:
        DESKS.pop().close()


@pytest.fixture
def client(gateway: GatewayProcess) -> OuchClient:
    return up(gateway)


def up(gateway: GatewayProcess, username: str = "OUCH1") -> OuchClient:
    """Logged in from the first message on."""
    client = OuchClient(gateway.ouch_port, username)
    assert client.log_in()[0] == "A"
    client.expect("S", event_code="S")
    return client


def fix(gateway: GatewayProcess, name: str = "CLIENT1") -> FixClient:
    client = FixClient(name, gateway.port)
    DESKS.append(client)
    client.log_on()
    return client


def test_a_session_has_the_id_of_the_day_and_begins_with_its_event(client: OuchClient) -> None:
    assert len(client.session) == 10
    assert client.session.isdigit()
    assert client.session.endswith("01")
    assert client.next_sequence == 2


def test_an_order_is_accepted_with_all_its_terms(client: OuchClient) -> None:
    client.send(
        enter("A", "B", 7, 1005000, firm="ACME", display="A", capacity="x", customer_type="R")
    )
    accepted = client.expect(
        "A",
        order_token="A",
        buy_sell="B",
        shares=7,
        stock="BTCUSD",
        price=1005000,
        time_in_force=99999,
        firm="ACME",
        display="A",
        capacity="O",
        intermarket_sweep="N",
        minimum_quantity=0,
        cross_type="N",
        order_state="L",
    )
    assert accepted["order_reference_number"] > 0
    assert 0 <= accepted["timestamp"] < 86_400 * 10**9


REJECTIONS: list[tuple[dict[str, object], str]] = [
    ({"stock": "NOSUCH"}, "S"),
    ({"side": "X"}, "O"),
    ({"shares": 0}, "Z"),
    ({"shares": 1_000_000}, "Z"),
    ({"display": "N"}, "D"),
    ({"firm": "ELSE"}, "L"),
    ({"cross_type": "O"}, "R"),
    ({"time_in_force": 100_000}, "O"),
    ({"minimum_quantity": 1}, "N"),
    ({"minimum_quantity": 1, "time_in_force": 0}, "N"),
    ({"price": 0}, "X"),
    ({"price": 0x7735939D}, "X"),
    ({"price": 0x7FFFFFFF}, "X"),
    ({"price": 1005050}, "X"),  # 100.505: the tick is 0.01
    ({"price": 1005001}, "X"),
]


def test_what_cannot_be_is_rejected_and_its_token_burnt(client: OuchClient) -> None:
    for number, (terms, reason) in enumerate(REJECTIONS):
        good = {"token": f"A{number}", "side": "B", "shares": 7, "price": 1005000}
        after = {**good, "token": f"B{number}"}
        client.send(enter(**{**good, **terms}), enter(**good), enter(**after))  # type: ignore[arg-type]
        client.expect("J", order_token=f"A{number}", reason=reason)
        client.expect("A", order_token=f"B{number}")


def test_the_highest_and_lowest_values_are_taken(client: OuchClient) -> None:
    client.send(
        enter("!#$%&'()*+,-./", "S", 999_999, 1999999900),
        enter("low", "B", 1, 100),
        enter("fok", "B", 1, 0x7FFFFFFF, time_in_force=0, minimum_quantity=1),
        enter("second", "B", 1, 100, time_in_force=1),
    )
    client.expect("A", order_token="!#$%&'()*+,-./", shares=999_999, price=1999999900)
    client.expect("A", order_token="low", shares=1, price=100)
    # The whole of it would meet the account's own order.
    client.expect("A", order_token="fok", price=0x7FFFFFFF, minimum_quantity=1)
    client.expect("C", order_token="fok", decrement_shares=1, reason="I")
    client.expect("A", order_token="second", time_in_force=1)
    client.expect("C", order_token="second", decrement_shares=1, reason="T")


def test_it_trades_with_fix_at_both_sides_one_number(gateway: GatewayProcess) -> None:
    client, other = up(gateway), fix(gateway)
    client.send(enter("A", "S", 50_000, 1005000))
    client.expect("A", order_token="A")
    other.link.sendall(other.order("b1", "1", "2", "101"))
    other.expect("8", t150="0")
    bought = other.expect("8", t150="F", t31="100.5", t32="2", t151="0")
    client.expect(
        "E",
        order_token="A",
        executed_shares=20_000,
        execution_price=1005000,
        liquidity_flag="A",
        match_number=int(bought[527]),
    )
    client.send(enter("B", "B", 10, 1010000, time_in_force=0))
    client.expect("A", order_token="B")
    client.expect(
        "D",
        order_token="B",
        decrement_shares=10,
        prevented_shares=10,
        execution_price=1005000,
        liquidity_flag="R",
        reason="Q",
    )


def test_orders_are_replaced_modified_and_cancelled(client: OuchClient) -> None:
    client.send(enter("A", "S", 10, 1005000))
    first = client.expect("A", order_token="A")
    client.send(modify("A", "T", 9))
    client.expect("M", order_token="A", buy_sell="T", shares=9)
    client.send(cancel("A", 8))
    client.expect("C", order_token="A", decrement_shares=1, reason="U")
    client.send(replace("A", "B", 12, 1006000, display="A"))
    replaced = client.expect(
        "U",
        replacement_order_token="B",
        previous_order_token="A",
        buy_sell="T",
        shares=12,
        stock="BTCUSD",
        price=1006000,
        display="A",
        capacity="P",
        order_state="L",
    )
    assert replaced["order_reference_number"] > first["order_reference_number"]
    client.send(replace("B", "C", 1_000_000, 1006000))
    client.expect("C", order_token="B", decrement_shares=12, reason="U")
    client.send(cancel("B"), replace("B", "C", 1, 1006000), enter("C", "B", 1, 100))
    client.expect("A", order_token="C")


def test_fix_sees_and_cancels_the_orders_of_its_account(gateway: GatewayProcess) -> None:
    client, desk = up(gateway, "OUCH3"), fix(gateway)
    client.send(enter("A", "S", 10, 1005000), replace("A", "B", 12, 1006100))
    client.expect("A")
    client.expect("U")
    desk.send("AF", "584=1", "585=7")
    desk.expect(
        "8", t150="I", t11="B", t54="2", t55="BTC-USD", t38="0.0012", t44="100.61", t1="CLIENT1"
    )
    desk.send("q", "11=m", "530=7", "60=20260102-12:00:00")
    desk.expect("r", t533="1")
    client.expect("C", order_token="B", decrement_shares=12, reason="U")
    gateway.stop()
    assert [(one["token"], one["text"]) for one in gateway.events("unsaid")] == [
        ("B", "Mass cancel")
    ]


def test_what_ouch_has_no_words_for_is_in_the_log(gateway: GatewayProcess) -> None:
    client = up(gateway)
    client.send(enter("A", "B", 1, 1005001), enter("A", "B", 1, 100), cancel("none"))
    client.expect("J", reason="X")
    gateway.stop()
    gateway.start()  # which replays it, and does not say it again
    gateway.stop()
    assert [(one["token"], one["text"]) for one in gateway.events("unsaid")] == [
        ("A", "Price(44) is not a multiple of the tick"),
        ("A", "Duplicate ClOrdID(11)"),
        ("none", "Unknown order"),
    ]


def test_a_client_rewinds_to_any_number(gateway: GatewayProcess) -> None:
    client = up(gateway)
    for number in range(300):
        client.send(enter(f"t{number}", "B", 1, 100))
        client.expect("A", order_token=f"t{number}")
    client.link.sendall(packets.LOGOUT_REQUEST)
    assert client.is_closed_by_peer()
    for sequence in (1, 2, 150, 301, 302):
        again = OuchClient(gateway.ouch_port)
        assert again.log_in(session=client.session, sequence=sequence)[0] == "A"
        assert again.next_sequence == sequence
        for _ in range(sequence, 302):
            again.next()
        assert again.received == {
            number: octets for number, octets in client.received.items() if number >= sequence
        }
        again.link.sendall(packets.LOGOUT_REQUEST)
        assert again.is_closed_by_peer()


def test_zero_asks_for_the_newest_message(gateway: GatewayProcess, client: OuchClient) -> None:
    client.send(enter("A", "B", 1, 100))
    client.expect("A")
    client.link.sendall(packets.LOGOUT_REQUEST)
    again = OuchClient(gateway.ouch_port)
    again.log_in(sequence=0)
    again.expect("A", order_token="A")


def test_a_login_that_cannot_be_is_refused(gateway: GatewayProcess) -> None:
    for username, session, sequence, answer in (
        ("NOBODY", "", 1, b"A"),
        ("OUCH1", "2020010101", 1, b"S"),
        ("OUCH1", "SESSION", 1, b"S"),
        ("OUCH1", "", 3, b"S"),
    ):
        client = OuchClient(gateway.ouch_port, username)
        assert client.log_in(session=session, sequence=sequence) == ("J", answer)
        assert client.is_closed_by_peer()


def test_a_password_is_asked_where_there_is_one_in_capitals_or_not(tmp_path: Path) -> None:
    line = f'username = "OUCH1"\npassword_hash = "{PasswordHash.make(b"SECRET")}"'
    config = CONFIG.replace('username = "OUCH1"', line)
    with GatewayProcess(tmp_path, config) as gateway:
        for password, answer in (("wrong", "J"), ("", "J"), ("Secret", "A")):
            client = OuchClient(gateway.ouch_port, "ouch1")
            assert client.log_in(password)[0] == answer


def test_a_second_login_is_refused_while_the_first_is_heard(
    gateway: GatewayProcess, client: OuchClient
) -> None:
    second = OuchClient(gateway.ouch_port)
    assert second.log_in() == ("J", b"S")
    client.send(enter("A", "B", 1, 100))
    client.expect("A")


def test_a_second_login_takes_over_from_a_connection_that_has_been_silent(
    gateway: GatewayProcess, client: OuchClient
) -> None:
    begin = time.monotonic()
    client.send(enter("A", "B", 1, 100))
    client.expect("A")
    answers = []
    while not answers or answers[-1][0] != "A":  # for 3 seconds it is refused
        assert time.monotonic() - begin < TIMEOUT_S
        second = OuchClient(gateway.ouch_port)
        answers.append(second.log_in(session=client.session, sequence=2))
        second.link.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            second.packet()  # the end, or the first message
    assert time.monotonic() - begin > 2.5
    assert set(answers[:-1]) <= {("J", b"S")}  # none, where 3 seconds passed in no time
    assert client.is_closed_by_peer()
    second.link.settimeout(TIMEOUT_S)
    second.send(cancel("A"))
    second.expect("C", order_token="A")


def test_an_offender_is_disconnected_and_others_go_on(gateway: GatewayProcess) -> None:
    other = up(gateway, "OUCH2")
    sequence = 1
    for number, octets in enumerate(
        (
            packets.packet("U", b"Z" * 19),
            packets.packet("U", b"X" * 18),
            packets.packet("U", b""),
            packets.packet("Q"),
            b"\0\0",
            packets.login_request("OUCH1", "", "", 1),
        )
    ):
        client = OuchClient(gateway.ouch_port)
        assert client.log_in(sequence=sequence)[0] == "A"
        if sequence == 1:
            client.expect("S")
        client.send(enter(f"A{number}", "B", 1, 100))
        client.expect("A")
        filled = client.next_sequence
        client.link.sendall(octets + packets.packet("U", enter(f"B{number}", "B", 1, 100)))
        other.send(enter(f"S{number}", "S", 1, 100))
        other.expect("A")
        other.expect("E")
        while client.next():
            pass
        again = OuchClient(gateway.ouch_port)
        again.log_in(sequence=filled)
        again.expect("E", order_token=f"A{number}")
        again.link.sendall(packets.LOGOUT_REQUEST)
        assert again.is_closed_by_peer()
        sequence = again.next_sequence


def test_kills_at_any_moment_lose_no_message_and_renumber_none(
    gateway: GatewayProcess, seed: int
) -> None:
    draw = random.Random(seed)
    known: dict[str, dict[int, bytes]] = {"OUCH1": {}, "OUCH2": {}}
    sides = {"OUCH1": "B", "OUCH2": "S"}
    session = ""
    for life in range(4):
        clients = []
        for username, received in known.items():
            client = OuchClient(gateway.ouch_port, username)
            assert client.log_in(session=session, sequence=len(received) + 1)[0] == "A"
            assert client.next_sequence == len(received) + 1
            session = client.session
            clients.append(client)
        for client in clients:  # they trade, and neither has read all when the kill comes
            client.send(
                *(
                    enter(f"{life}.{number}", sides[client.username], draw.randint(1, 9), 1000000)
                    for number in range(500)
                )
            )
        for client in clients:
            for _ in range(draw.randint(1, 350)):
                client.next()
        gateway.kill()
        for client in clients:
            while client.next():
                pass
            received = known[client.username]
            assert not received.keys() & client.received.keys()
            received.update(client.received)
            assert list(received) == list(range(1, len(received) + 1))
        gateway.start()
    for username, received in known.items():
        again = OuchClient(gateway.ouch_port, username)
        again.log_in(session=session)
        again.send(enter("last", sides[username], 1, 1000000))
        while again.next().get("order_token") != "last":
            pass
        assert received.items() <= again.received.items()
        assert list(again.received) == list(range(1, len(again.received) + 1))


@pytest.mark.skipif(_build.is_pure(), reason="fills the kernel's buffers, for 15 seconds")
def test_who_does_not_read_is_cut_and_gets_the_rest_on_return(tmp_path: Path) -> None:
    orders = 38_000  # more than the kernel and the gateway hold for a socket
    config = CONFIG + 'max_lag = 100\nwrite_high_water = "4KiB"\n'
    with GatewayProcess(tmp_path, config) as gateway:
        slow, other = OuchClient(gateway.ouch_port, receive_bytes=4096), up(gateway, "OUCH2")
        assert slow.log_in()[0] == "A"
        message = enter("", "B", 1, 100, time_in_force=0)  # accepted, and cancelled at once
        head, tail = packets.packet("U", message)[:4], message[15:]
        tokens = (b"%-14d" % number for number in range(orders))
        slow.link.sendall(b"".join(head + token + tail for token in tokens))
        while not gateway.events("slow_consumer"):
            assert other.packet()[0] == "H"  # a second later
        before = slow.count_to(b"nothing")
        again = OuchClient(gateway.ouch_port)
        again.log_in(sequence=before + 1)
        assert again.next_sequence == before + 1
        again.send(enter("last", "B", 1, 100))
        assert 100 < before < 2 * orders
        assert before + again.count_to(b"last") == 1 + 2 * orders + 1


def test_orders_of_who_is_gone_are_cancelled_where_that_is_agreed(tmp_path: Path) -> None:
    line = 'username = "OUCH1"\ncancel_on_disconnect = true'
    with GatewayProcess(tmp_path, CONFIG.replace('username = "OUCH1"', line)) as gateway:
        ends = {
            "logout": lambda client: client.link.sendall(packets.LOGOUT_REQUEST),
            "hang up": OuchClient.close,
            "fault": lambda client: client.send(b"Z"),
            "kill": lambda client: gateway.kill(),
        }
        other = up(gateway, "OUCH2")
        other.send(enter("stays", "B", 1, 100))
        for sequence, (token, end) in enumerate(ends.items()):
            client = OuchClient(gateway.ouch_port)
            client.log_in(sequence=1 if not sequence else 2 * sequence + 2)
            if not sequence:
                client.expect("S")
            client.send(enter(token, "B", 1, 100))
            client.expect("A", order_token=token)
            end(client)
            while token != "hang up" and client.packet() != ("", b""):
                pass
            if token == "kill":
                gateway.start()
            again = OuchClient(gateway.ouch_port)
            again.log_in(sequence=2 * sequence + 3)
            again.expect("C", order_token=token, decrement_shares=1, reason="S")
            again.link.sendall(packets.LOGOUT_REQUEST)
            assert again.is_closed_by_peer()
        other = OuchClient(gateway.ouch_port, "OUCH2")
        other.log_in(sequence=3)
        other.send(cancel("stays"))
        other.expect("C", order_token="stays", reason="U")


def test_a_stop_ends_no_session(gateway: GatewayProcess) -> None:
    client = up(gateway)
    client.send(enter("A", "B", 1, 100))
    client.expect("A")
    assert gateway.stop() == 0
    assert client.is_closed_by_peer()  # no Z
    gateway.start()
    again = OuchClient(gateway.ouch_port)
    again.log_in(session=client.session, sequence=2)
    again.expect("A", order_token="A")
    again.send(cancel("A"))
    again.expect("C", order_token="A", decrement_shares=1)


def test_a_silent_gateway_sends_heartbeats(client: OuchClient) -> None:
    assert client.packet() == ("H", b"")


def test_signal_for_the_state_is_answered(gateway: GatewayProcess, client: OuchClient) -> None:
    gateway.signal(signal.SIGUSR1)
    client.send(enter("A", "B", 1, 100))
    client.expect("A")
    gateway.stop()
    assert gateway.events("state")
