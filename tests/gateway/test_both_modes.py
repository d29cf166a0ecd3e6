"""One seeded flow of orders through the whole gateway, compiled and pure: the same answers."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from portcullis import _build
from portcullis.tools.benchmarks import load, orders
from portcullis.tools.gateway_process import CONFIG
from tests.support.gateway_process import GatewayProcess
from tests.support.wire import readable, split

MESSAGES = 400
CONFIG_TWO_ACCOUNTS = CONFIG.replace(
    'account = "CLIENT1"', 'account = "CLIENT1"\naccounts = ["OTHER"]'
)
WHEN = "20260102-12:00:00.000"


def order_flow(rng: random.Random) -> list[bytes]:
    """Mostly good orders of two accounts around one price; cancels, replaces, and bad ones."""
    messages = []
    for number in range(MESSAGES):
        cl_ord_id = f"C{number}"
        earlier = f"C{rng.randrange(max(1, number))}"
        account = rng.choice(["1=CLIENT1", "1=OTHER", "1=OTHER", "1=STRANGER"])
        symbol = rng.choice(["BTC-USD"] * 9 + ["DOGE-USD"])
        side = rng.choice("12")
        price = rng.choice(["99.98", "99.99", "100", "100.01", "100.02", "100.005", "-1"])
        qty = rng.choice(["1", "2.5", "10", "0.0001", "0.00001", "0"])
        terms = [f"38={qty}", "40=2", f"44={price}", f"54={side}", f"55={symbol}"]
        tail = [f"59={rng.choice('0134')}", f"60={WHEN}"]
        kind = rng.choice("DDDDDDDMGGFFHqAV")
        if kind == "D":
            body = [account, f"11={rng.choice([cl_ord_id] * 9 + [earlier])}", *terms, *tail]
        elif kind == "M":
            body = [account, f"11={cl_ord_id}", f"38={qty}", "40=1", f"54={side}"]
            body += [f"55={symbol}", f"60={WHEN}"]
        elif kind == "G":
            body = [account, f"11={cl_ord_id}", *terms[:3], f"41={earlier}", *terms[3:], tail[1]]
        elif kind == "F":
            body = [f"11={cl_ord_id}", f"41={earlier}", f"54={side}", f"55={symbol}", tail[1]]
        elif kind == "H":
            body = [f"11={earlier}", f"54={side}", f"55={symbol}"]
        elif kind == "q":
            body = [f"11={cl_ord_id}", f"530={rng.choice('17')}", f"60={WHEN}"]
        elif kind == "A":
            kind, body = "AF", [f"584={cl_ord_id}", f"585={rng.choice('17')}"]
        else:
            body = ["112=still there?"]
        kind = {"M": "D", "V": "1"}.get(kind, kind)
        when = orders.utc_now()
        messages.append(orders.message(kind, number + 2, orders.MAKER, when, *body))
    return messages


def transcript(octets: bytes) -> list[str]:
    """The messages without what time and batches decide: numbers of rows become their order."""
    renamed: dict[str, str] = {}
    lines = []
    for message in split(octets):
        fields = []
        for field in readable(message).strip("|").split("|"):
            tag, _, value = field.partition("=")
            if tag in ("9", "10", "52"):
                continue
            if tag in ("17", "37", "527") and value.isdigit():
                value = renamed.setdefault(value, f"#{len(renamed)}")
            fields.append(f"{tag}={value}")
        lines.append("|".join(fields))
    return lines


def run(directory: Path, messages: list[bytes], environment: dict[str, str]) -> list[str]:
    with GatewayProcess(directory, CONFIG_TWO_ACCOUNTS, environment) as gateway:
        link = load.log_on(gateway.port, orders.MAKER)
        link.sendall(b"".join(messages) + orders.end_request(orders.MAKER, len(messages) + 2))
        room = bytearray(len(messages) * 4000)
        used = load.receive_to_end(link, room)
        link.close()
        assert gateway.stop() == 0
    return transcript(bytes(room[:used]))


def test_the_compiled_and_the_pure_gateway_answer_alike(tmp_path: Path, seed: int) -> None:
    if _build.is_pure():
        pytest.skip("there is no compiled gateway to compare with")
    messages = order_flow(random.Random(seed))
    compiled = run(tmp_path / "compiled", messages, {})
    pure = run(
        tmp_path / "pure", messages, {"PORTCULLIS_PURE": "1", "PORTCULLIS_REQUIRE_COMPILED": ""}
    )
    assert pure == compiled
    assert len(compiled) > MESSAGES / 2
