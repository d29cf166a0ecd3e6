"""The gateway from outside: orders, sessions, restarts. Clients are simplefix over sockets."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path) as gateway:
        yield gateway


@pytest.fixture
def clients(gateway: GatewayProcess) -> Iterator[tuple[FixClient, FixClient]]:
    """Two clients, logged on."""
    both = FixClient("CLIENT1", gateway.port), FixClient("CLIENT2", gateway.port)
    for client in both:
        client.log_on()
    yield both
    for client in both:
        client.close()


Two = tuple[FixClient, FixClient]


def test_the_log_names_strangers_within_bounds_and_new_accounts_once(
    gateway: GatewayProcess,
) -> None:
    stranger = FixClient("X\x7f" + "y" * 500, gateway.port).connect()
    stranger.send("A", "98=0", "108=30")
    assert stranger.is_closed_by_peer()
    stranger.close()
    assert [(one["client"], one["comp_id"]) for one in gateway.events("stranger")] == [
        ("X?" + "y" * 62, "PORTCULLIS")
    ]
    gateway.stop()
    gateway.start()
    new = [one["accounts"] for one in gateway.events("accounts_new")]
    assert new == [["CLIENT1", "CLIENT2"]]


def test_a_trade_is_seen_from_both_sides(clients: Two) -> None:
    seller, buyer = clients
    seller.link.sendall(seller.order("s1", "2", "2", "100.5"))
    resting = seller.expect("8", t150="0", t39="0", t11="s1", t151="2", t14="0")
    buyer.link.sendall(buyer.order("b1", "1", "0.5", "101"))
    buyer.expect("8", t150="0", t39="0", t11="b1")
    bought = buyer.expect("8", t150="F", t39="2", t31="100.5", t32="0.5", t151="0", t6="100.5")
    sold = seller.expect("8", t150="F", t39="1", t31="100.5", t32="0.5", t151="1.5", t14="0.5")
    assert sold[37] == resting[37] != bought[37]
    assert len({resting[17], bought[17], sold[17]}) == 3
    for client in (seller, buyer):
        client.log_out()


def test_an_order_is_replaced_and_cancelled(clients: Two) -> None:
    client, _ = clients
    client.link.sendall(client.order("o1", "1", "3", "50"))
    client.expect("8", t150="0", t11="o1")
    client.send(
        "G", "11=o2", "38=2", "40=2", "41=o1", "44=49.99", "54=1", "55=BTC-USD",
        "60=20260102-12:00:00",
    )  # fmt: skip
    client.expect("8", t150="5", t11="o2", t41="o1", t44="49.99", t151="2")
    client.send("F", "11=o3", "41=o2", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
    client.expect("8", t150="4", t39="4", t11="o3", t41="o2", t151="0")
    client.send("F", "11=o4", "41=o2", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
    client.expect("9", t11="o4", t41="o2", t102="0")


def test_numbers_go_on_after_a_reconnect_and_after_a_restart(
    gateway: GatewayProcess, clients: Two
) -> None:
    client, _ = clients
    client.link.sendall(client.order("o1", "1", "3", "50"))
    before = client.expect("8", t150="0")
    client.log_out()
    assert client.log_on()[34] == str(client.next_in - 1)
    gateway.signal(signal.SIGTERM)
    client.expect("5", t58="Gateway is stopping")
    client.send("5")
    assert client.is_closed_by_peer()
    assert gateway.wait() == 0

    gateway.start()
    client.log_on()
    assert client.barrier() == []
    client.send("F", "11=o2", "41=o1", "54=1", "55=BTC-USD", "60=20260102-12:00:00")
    after = client.expect("8", t150="4", t11="o2")
    assert after[37] == before[37]
    assert after[17] != before[17]


def test_what_was_missed_comes_again_on_request(clients: Two) -> None:
    seller, buyer = clients
    seller.link.sendall(seller.order("s1", "2", "5", "100"))
    first = seller.expect("8", t150="0")
    seller.close()
    for number in range(5):
        buyer.link.sendall(buyer.order(f"b{number}", "1", "1", "100"))
        buyer.expect("8", t150="0")
        buyer.expect("8", t150="F")
    missed_from = seller.next_in
    seller.next_in += 5  # the fills that nobody was there for
    seller.log_on()
    seller.send("2", f"7={missed_from - 2}", "16=0")
    again = []
    while (message := seller.receive())[35] != "4" or int(message[36]) < seller.next_in:
        again.append(message)
    assert message[123] == "Y"  # our Logon's answer, filled
    fills = [message for message in again if message[35] == "8" and message[150] == "F"]
    assert [int(fill[34]) for fill in fills] == list(range(missed_from, missed_from + 5))
    assert {fill[43] for fill in fills} == {"Y"}
    assert all(fill[122] <= fill[52] for fill in fills)
    assert [fill[151] for fill in fills] == ["4", "3", "2", "1", "0"]
    (resent,) = [message for message in again if message.get(150) == "0"]
    changed = {9, 10, 43, 52, 122}
    assert {t: v for t, v in resent.items() if t not in changed} == {
        t: v for t, v in first.items() if t not in changed
    }


def test_a_reset_begins_at_one_and_brings_what_was_never_sent(clients: Two) -> None:
    seller, buyer = clients
    seller.link.sendall(seller.order("s1", "2", "5", "100"))
    seller.expect("8", t150="0")
    seller.log_out()
    for number in range(2):
        buyer.link.sendall(buyer.order(f"b{number}", "1", "1", "100"))
        buyer.expect("8", t150="0")
        buyer.expect("8", t150="F")
    seller.next_out = seller.next_in = 1
    assert seller.log_on("141=Y")[141] == "Y"
    for left in ("4", "3"):
        seller.expect("8", t150="F", t11="s1", t151=left, t97="Y")
    assert seller.barrier() == []


def test_a_second_connection_is_dropped_and_the_first_lives(
    gateway: GatewayProcess, clients: Two
) -> None:
    client, _ = clients
    second = FixClient("CLIENT1", gateway.port).connect()
    second.send("A", "98=0", "108=30")
    assert second.is_closed_by_peer()
    second.close()
    client.expect("1")
    client.send("0", "112=TEST")
    client.link.sendall(client.order("o1", "1", "3", "50"))
    client.expect("8", t150="0")


def test_a_stop_logs_clients_out_and_marks_the_journal_clean(
    gateway: GatewayProcess, clients: Two
) -> None:
    gateway.signal(signal.SIGTERM)
    for client in clients:
        client.expect("5", t58="Gateway is stopping")
        client.send("5")
        assert client.is_closed_by_peer()
    assert gateway.wait() == 0
    (stopped,) = gateway.events("stopped")
    gateway.start()
    started = gateway.events("started")[-1]
    assert (started["clean_stop"], started["last_row"]) == (True, stopped["last_row"])


def test_ctrl_c_stops_it_though_clients_stay_silent(gateway: GatewayProcess, clients: Two) -> None:
    gateway.signal(signal.SIGINT)
    assert gateway.wait() == 0


def test_an_address_in_use_is_one_line(gateway: GatewayProcess, tmp_path: Path) -> None:
    other = GatewayProcess(tmp_path / "other", CONFIG.replace("{port}", str(gateway.port)))
    with pytest.raises(
        RuntimeError, match=r"cannot listen on 127\.0\.0\.1:\d+: Address already in use"
    ):
        other.start()
    assert other.wait() == 2
    assert not other.data.exists()


def test_a_directory_in_use_is_one_line(gateway: GatewayProcess, tmp_path: Path) -> None:
    other = GatewayProcess(tmp_path / "other")
    other.data = gateway.data
    with pytest.raises(RuntimeError, match="is in use by another process"):
        other.start()
    assert other.wait() == 3


def test_a_changed_configuration_is_taken_up(
    gateway: GatewayProcess, clients: Two, tmp_path: Path
) -> None:
    client, _ = clients
    client.link.sendall(client.order("o1", "1", "3", "50"))
    client.expect("8", t150="0")
    gateway.stop()
    text = CONFIG.replace('symbol = "BTC-USD"', 'symbol = "XRP-USD"').format(port=gateway.port)
    (tmp_path / "gateway.toml").write_text(text)
    gateway.start()
    client = clients[1]
    client.next_in = client.next_out = 1
    client.log_on("141=Y")
    client.link.sendall(client.order("o2", "2", "3", "50"))
    client.expect("8", t150="8", t103="2", t58="Instrument is halted")
    client.send("D", "11=o3", "38=1", "40=2", "44=1", "54=1", "55=XRP-USD", "60=20260102-12:00:00")
    client.expect("8", t150="0")


def test_decimals_of_a_symbol_stay(gateway: GatewayProcess, tmp_path: Path) -> None:
    gateway.stop()
    text = CONFIG.replace('tick = "0.01"', 'tick = "0.001"').format(port=gateway.port)
    (tmp_path / "gateway.toml").write_text(text)
    with pytest.raises(
        RuntimeError, match=r"\[\[instrument\]\] 1 key tick: expected at most 2 dec"
    ):
        gateway.start()
    assert gateway.wait() == 2


def test_a_logon_that_says_what_it_expects_is_answered_before_that_comes_again(
    tmp_path: Path,
) -> None:
    config = CONFIG.replace('client = "CLIENT1"', 'client = "CLIENT1"\nnext_expected = true')
    with GatewayProcess(tmp_path, config) as gateway:
        client = FixClient("CLIENT1", gateway.port)
        client.log_on("789=1")
        client.link.sendall(client.order("o1", "1", "3", "50"))
        client.expect("8", t150="0")
        client.close()
        client.log_on("789=2")
        client.expect("8", t150="0", t11="o1", t34="2", t43="Y")
        assert client.barrier() == []
        client.close()
