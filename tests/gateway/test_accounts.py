"""Accounts as the configuration describes them: trading with oneself, and managing for others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

NOW = "60=20260102-12:00:00"
MODES = ("none", "cancel_newest", "cancel_oldest", "cancel_both", "decrement", "default")


def config() -> str:
    """An account and an instrument for each mode; one session that trades for all of them."""
    names = ", ".join(f'"{mode}"' for mode in MODES)
    text = f"""
[listen]
fix = "127.0.0.1:{{port}}"
[[session]]
protocol = "fix"
client = "CLIENT1"
account = "CLIENT1"
accounts = [{names}]
timestamp = "us"
mass_cancel_scope = "session"
[[session]]
protocol = "fix"
client = "DESK"
account = "CLIENT1"
manages_account = true
timestamp = "s"
"""
    for mode in MODES:
        text += f'[[instrument]]\nsymbol = "{mode}"\ntick = "0.01"\nlot = "1"\n'
        text += "short_marking = false\n"
        if mode != "default":
            text += f'[[account]]\nname = "{mode}"\nself_trade = "{mode}"\n'
    for name in ("default", "CLIENT1"):
        text += f'[[account]]\nname = "{name}"\n'
    return text + '[[instrument]]\nsymbol = "SHORT"\ntick = "1"\nlot = "1"\n'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("accounts"), config()) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def client(gateway: GatewayProcess) -> Iterator[FixClient]:
    client = FixClient("CLIENT1", gateway.port)
    client.log_on()
    yield client
    client.close()


def order(client: FixClient, cl_ord_id: str, side: str, qty: str, symbol: str, *more: str) -> None:
    account = () if any(field.startswith("1=") for field in more) else (f"1={symbol}",)
    terms = (f"11={cl_ord_id}", f"38={qty}", "40=2", "44=10", f"54={side}", f"55={symbol}", NOW)
    client.send("D", *account, *terms, *more)
    client.expect("8", t150="0", t11=cl_ord_id)


def meet(client: FixClient, mode: str) -> list[tuple[str, ...]]:
    """Sell 3, then buy 5, both of the mode's account: what is reported of their meeting."""
    order(client, f"{mode}-rest", "2", "3", mode)
    order(client, f"{mode}-new", "1", "5", mode)
    reports = client.barrier()
    for report in reports:
        assert report[150] == "F" or report[58].startswith("Self-trade prevention")
    return [(report[11].split("-")[1], report[150], report[151]) for report in reports]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("none", [("new", "F", "2"), ("rest", "F", "0")]),
        ("cancel_newest", [("new", "4", "0")]),
        ("default", [("new", "4", "0")]),
        ("cancel_oldest", [("rest", "4", "0")]),
        ("cancel_both", [("new", "4", "0"), ("rest", "4", "0")]),
        ("decrement", [("new", "D", "2"), ("rest", "4", "0")]),
    ],
)
def test_an_account_meets_itself_as_configured(
    client: FixClient, mode: str, expected: list[tuple[str, ...]]
) -> None:
    assert meet(client, mode) == expected


def test_sell_short_is_taken_where_the_instrument_says_so(client: FixClient) -> None:
    order(client, "short", "5", "1", "SHORT", "1=CLIENT1")
    terms = ("38=1", "40=2", "44=10", "54=5", "55=default", NOW)
    client.send("D", "11=unmarked", *terms)
    assert client.expect("8", t150="8", t11="unmarked")[39] == "8"


def test_times_are_as_fine_as_configured(gateway: GatewayProcess, client: FixClient) -> None:
    order(client, "timed", "2", "1", "default", "1=CLIENT1")
    assert len(client.messages[-1][52]) == len("20260102-12:00:00.123456")
    desk = FixClient("DESK", gateway.port)
    assert len(desk.log_on()[52]) == len("20260102-12:00:00")
    desk.log_out()


def test_a_session_that_manages_its_account_cancels_for_another(
    gateway: GatewayProcess, client: FixClient
) -> None:
    order(client, "managed", "1", "1", "cancel_both", "1=CLIENT1")
    number = client.messages[-1][37]
    desk = FixClient("DESK", gateway.port)
    desk.log_on("141=Y")
    desk.send("F", "11=d1", f"37={number}", "41=managed", "54=1", "55=cancel_both", NOW)
    desk.expect("8", t150="4", t37=number)
    told = client.expect("8", t150="4", t11="managed", t37=number, t378="99")
    assert told[58] == "By a session that manages the account"
    assert 41 not in told
    desk.log_out()


def test_a_mass_cancel_of_session_scope_leaves_what_others_sent(
    gateway: GatewayProcess, client: FixClient
) -> None:
    desk = FixClient("DESK", gateway.port)
    desk.next_in = desk.next_out = 1
    desk.log_on("141=Y")
    order(desk, "stays", "1", "1", "decrement", "1=CLIENT1")
    order(client, "goes", "1", "1", "decrement", "1=CLIENT1")
    client.send("q", "11=mass", "530=7", NOW)
    client.expect("r", t11="mass", t531="7")
    assert "goes" in {report[11] for report in client.barrier()}
    assert desk.barrier() == []
    desk.log_out()
