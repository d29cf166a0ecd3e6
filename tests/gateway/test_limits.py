"""Capacities may change between starts: the journal knows which was in force, and replays."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

ROOMY = {"orders": 100, "ids": 200, "levels": 100, "sessions": 8, "instruments": 8, "accounts": 8}


def configuration(**limits: int) -> str:
    """The test's configuration with these keys of [limits]."""
    lines = [f"{key} = {value}" for key, value in {**ROOMY, **limits}.items()]
    return CONFIG + "\n[limits]\n" + "\n".join(lines) + "\n"


def accepted(client: FixClient, name: str, orders: int) -> int:
    """How many of so many new orders are, each with an id and a price of its own."""
    prices = range(client.next_out, client.next_out + orders)
    client.link.sendall(
        b"".join(client.order(f"{name}{price}", "1", "1", str(price)) for price in prices)
    )
    return sum(client.expect("8")[150] == "0" for _ in prices)


@pytest.mark.parametrize("key", ["orders", "ids", "levels"])
def test_a_capacity_can_be_raised_and_lowered_between_starts(tmp_path: Path, key: str) -> None:
    gateway = GatewayProcess(tmp_path, configuration(**{key: 3}))
    client = FixClient("CLIENT1", gateway.port)
    taken = []
    for capacity in (3, 8, 2, 9, 4):
        gateway.configure(configuration(**{key: capacity}))
        with gateway:
            client.log_on()
            taken.append(accepted(client, "o", 5))
            client.close()
    # In use: 3, 8, still 8, 9, still 9.
    assert taken == [3, 5, 0, 1, 0]


def test_tables_of_names_can_be_raised_and_lowered_and_never_below_what_is_known(
    tmp_path: Path,
) -> None:
    gateway = GatewayProcess(tmp_path, configuration())
    client = FixClient("CLIENT1", gateway.port)
    for size in (8, 50, 3):
        limits = dict.fromkeys(("sessions", "instruments", "accounts"), size)
        gateway.configure(configuration(**limits))
        with gateway:
            client.log_on()
            assert accepted(client, "o", 2) == 2
            client.close()
    gateway.configure(configuration(accounts=2))
    with pytest.raises(RuntimeError, match=r"\[limits\] key accounts: expected more than 2"):
        gateway.start()
