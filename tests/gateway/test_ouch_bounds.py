"""Every message of a client cut at every byte, with every type byte, every field at its bounds.

What must come of it is said here by the rules of docs/ouch.md, in plain Python; another client
trades beside it all the time, and must notice nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from portcullis.codecs.soupbintcp import packets
from portcullis.tools.gateway_process import OUCH_CONFIG
from tests.support.gateway_process import GatewayProcess
from tests.support.ouch_client import OuchClient, cancel, enter, modify, replace

CONFIG = OUCH_CONFIG + "\n[limits]\norders = 20000\nids = 40000\nlevels = 1000\n"
MESSAGES = {
    "O": enter("T", "B", 1, 100),
    "U": replace("T", "R", 1, 100),
    "X": cancel("T"),
    "M": modify("T", "S", 1),
}
INTEGERS = (0, 1, 2, 9, 10, 11, 99_997, 99_998, 99_999, 100_000, 999_999, 1_000_000)
INTEGERS += (1_999_999_899, 1_999_999_900, 1_999_999_901, 1_999_999_999, 2**31 - 2, 2**31 - 1)
INTEGERS += (2**31, 2**32 - 1)
BYTES = [bytes([octet]) for octet in range(256)]
GOOD: dict[str, Any] = {
    "side": b"B",
    "shares": 10,
    "price": 10_000,
    "stock": b"BTCUSD  ",
    "time_in_force": 99_999,
    "firm": b"    ",
    "display": b"Y",
    "capacity": b"A",
    "intermarket_sweep": b"N",
    "minimum_quantity": 0,
    "cross_type": b"N",
    "customer_type": b" ",
}


class Beside:
    """Another client, whose orders are all accepted."""

    numbers = itertools.count()

    def __init__(self, gateway: GatewayProcess) -> None:
        self.client = up(gateway, "OUCH2")

    def trades(self) -> None:
        token = f"b{next(self.numbers)}"
        self.client.send(enter(token, "B", 1, 100))
        self.client.expect("A", order_token=token)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("bounds"), CONFIG) as gateway:
        yield gateway


@pytest.fixture
def beside(gateway: GatewayProcess) -> Iterator[Beside]:
    beside = Beside(gateway)
    yield beside
    beside.trades()
    OuchClient.close_all()


def up(gateway: GatewayProcess, username: str = "OUCH1") -> OuchClient:
    """Logged in behind the newest message."""
    client = OuchClient(gateway.ouch_port, username)
    assert client.log_in(sequence=0)[0] == "A"
    client.next()
    return client


def is_disconnected(client: OuchClient) -> bool:
    """Whether it is told why by a Debug packet, then closed, and nothing else."""
    letter, payload = client.packet()
    while letter == "H":
        letter, payload = client.packet()
    return letter == "+" and len(payload) > 10 and client.is_closed_by_peer()


@pytest.mark.parametrize("letter", MESSAGES)
def test_a_message_cut_at_any_byte_disconnects_its_sender(
    gateway: GatewayProcess, beside: Beside, letter: str
) -> None:
    message = MESSAGES[letter]
    for size in (*range(len(message)), len(message) + 1):
        client = up(gateway)
        client.send((message + b" ")[:size])
        assert is_disconnected(client), size
        beside.trades()


def test_a_type_that_is_none_disconnects_its_sender(
    gateway: GatewayProcess, beside: Beside
) -> None:
    for octet in set(BYTES) - {letter.encode() for letter in MESSAGES}:
        for message in MESSAGES.values():
            client = up(gateway)
            client.send(octet + message[1:])
            assert is_disconnected(client), octet
        beside.trades()


def test_a_connection_that_ends_within_a_packet_leaves_what_came_before(
    gateway: GatewayProcess, beside: Beside
) -> None:
    octets = packets.packet("U", MESSAGES["O"])
    for size in range(1, len(octets)):
        client = up(gateway)
        token = f"whole{size}"
        client.send(enter(token, "B", 1, 100))
        client.link.sendall(octets[:size])
        client.expect("A", order_token=token)
        client.close()
        again = up(gateway)
        again.send(cancel(token))
        again.expect("C", order_token=token)
        again.close()


def reason(fields: dict[str, Any], *, is_replace: bool = False) -> str:
    """Why docs/ouch.md refuses an order; empty: it is taken."""
    shares, price, time_in_force = fields["shares"], fields["price"], fields["time_in_force"]
    minimum = fields["minimum_quantity"]
    if not is_replace:
        if fields["stock"] != b"BTCUSD  ":
            return "S"
        if fields["side"] not in (b"B", b"S", b"T", b"E"):
            return "O"
        if fields["firm"] not in (b"    ", b"ACME"):
            return "L"
        if fields["cross_type"] != b"N":
            return "R"
    if not 1 <= shares <= 999_999:
        return "Z"
    if fields["display"] not in (b"A", b"Y"):
        return "D"
    if time_in_force > 99_999:
        return "O"
    if minimum and not (minimum == shares and time_in_force == 0):
        return "N"
    is_market = price == 0x7FFFFFFF and time_in_force == 0
    if not is_market and (not 1 <= price <= 1_999_999_900 or price % 100):
        return "X"
    return ""


def variations() -> Iterator[dict[str, Any]]:
    """The good order with one field at a time at every bound, then some pairs."""
    for name, value in GOOD.items():
        if isinstance(value, int):
            tries: list[Any] = list(INTEGERS)
        elif len(value) == 1:
            tries = list(BYTES)
        else:
            tries = [value[:at] + octet + value[at + 1 :] for at in (0, -2) for octet in BYTES]
            tries += [b"ACME", b"ACM ", b"acme", b"BTCUSD \0", b" BTCUSD ", b"btcusd  "]
            tries = [one for one in tries if len(one) == len(value)]
        for one in tries:
            yield GOOD | {name: one}
    for time_in_force in (0, 1):
        for shares in INTEGERS:
            for minimum in (0, shares, shares + 1):
                if minimum < 2**32:
                    fields = {"shares": shares, "minimum_quantity": minimum}
                    yield GOOD | fields | {"time_in_force": time_in_force}
        for price in INTEGERS:
            yield GOOD | {"price": price, "time_in_force": time_in_force}


def first_answers(client: OuchClient, end: str) -> dict[str, dict[str, Any]]:
    """The first message of each token, up to that of `end`."""
    found: dict[str, dict[str, Any]] = {}
    while end not in found:
        message = client.next()
        token = message.get("replacement_order_token") or message["order_token"]
        found.setdefault(token, message)
    return found


def test_every_field_of_an_order_at_its_bounds(gateway: GatewayProcess, beside: Beside) -> None:
    client = up(gateway)
    orders = {f"o{number}": fields for number, fields in enumerate(variations())}
    for token, fields in orders.items():
        client.send(enter(token, **fields))
    client.send(enter("end o", "B", 1, 100))
    answers = first_answers(client, "end o")
    client.send(*map(cancel, orders))
    for token, fields in orders.items():
        answer, wanted = answers[token], reason(fields)
        assert (answer["type"], answer.get("reason", "")) == ("J" if wanted else "A", wanted), (
            fields,
            answer,
        )
        if not wanted:
            for name in ("shares", "price", "time_in_force", "minimum_quantity"):
                assert answer[name] == fields[name], fields
            capacity = fields["capacity"].decode("latin-1")
            assert answer["capacity"] == (capacity if capacity in "APR" else "O")
            beside_sweep = fields["intermarket_sweep"]
            shown = beside_sweep if b" " <= beside_sweep <= b"~" else b"N"
            assert answer["intermarket_sweep"] == shown.decode().rstrip()


def test_every_field_of_a_replace_at_its_bounds(gateway: GatewayProcess, beside: Beside) -> None:
    client = up(gateway)
    names = (
        "shares",
        "price",
        "time_in_force",
        "display",
        "intermarket_sweep",
        "minimum_quantity",
    )
    tries: dict[str, dict[str, Any]] = {}
    for fields in variations():
        if all(fields[name] == value for name, value in GOOD.items() if name not in names):
            tries[f"{len(tries)}"] = fields
    for number, fields in tries.items():
        changed = {name: fields[name] for name in names}
        client.send(
            enter("u" + number, "B", 10, 10_000),
            replace("u" + number, "v" + number, **changed),
        )
    client.send(enter("end u", "B", 1, 100))
    found: dict[str, list[str]] = {}
    while True:
        message = client.next()
        token = message.get("previous_order_token") or message["order_token"]
        if token == "end u":
            break
        found.setdefault(token, []).append(message["type"] + message.get("reason", ""))
    client.send(*(cancel("v" + number) for number in tries))
    for number, fields in tries.items():
        wanted = "CU" if reason(fields, is_replace=True) else "U"
        assert found["u" + number][:2] == ["A", wanted], fields


def test_every_size_of_a_cancel_and_of_a_modify(gateway: GatewayProcess, beside: Beside) -> None:
    client = up(gateway)
    for number, shares in enumerate(INTEGERS):
        for letter, message in (
            ("C", cancel(f"C{number}", shares)),
            ("M", modify(f"M{number}", "S", shares)),
        ):
            token = f"{letter}{number}"
            client.send(enter(token, "S", 10, 1_000_000), message, cancel(token))
            client.expect("A", order_token=token)
            left = 10
            if letter == "C" and shares < 10:
                client.expect("C", order_token=token, decrement_shares=10 - shares, reason="U")
                left = shares
            elif letter == "M" and 0 < shares <= 10:
                client.expect("M", order_token=token, buy_sell="S", shares=shares)
                left = shares
            if left:
                client.expect("C", order_token=token, decrement_shares=left, reason="U")


def test_every_side_of_a_modify(gateway: GatewayProcess, beside: Beside) -> None:
    client = up(gateway)
    for base in "BSTE":
        for octet in BYTES:
            side = octet.decode("latin-1")
            token = f"m{base}{ord(side)}"
            price = 100 if base == "B" else 1_000_000
            client.send(
                enter(token, base, 10, price),
                modify(token, octet, 10),  # type: ignore[arg-type]
                cancel(token),
            )
            client.expect("A", order_token=token)
            if side == base or (base != "B" and side in "STE"):
                client.expect("M", order_token=token, buy_sell=side, shares=10)
            client.expect("C", order_token=token, decrement_shares=10, reason="U")


def test_every_byte_of_a_token(gateway: GatewayProcess, beside: Beside) -> None:
    client = up(gateway)
    for octet in range(256):
        for at in (0, 7, 13):
            token = bytearray(b"%03d%02d token  . " % (octet, at))[:14]
            token[at] = octet
            message = enter("", "B", 1, 100)
            client.send(message[:1] + bytes(token) + message[15:], cancel("none"))
            answer = client.next()
            good = 0x20 <= octet <= 0x7E
            assert answer["type"] == ("A" if good else "J"), token
            assert client.received[client.next_sequence - 1][9:23] == token
    client.send(enter("", "B", 1, 100))
    client.expect("J", order_token="", reason="O")
