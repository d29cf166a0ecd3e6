"""The binary declarations: lengths and places as NASDAQ's documents have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from portcullis.dictionaries import binary_offsets_writer, moldudp64, ouch, soupbintcp
from portcullis.dictionaries.binary_layouts import Message
from portcullis.tools.dictionary import command

# Length and some offsets, from the tables of OUCH 4.2 (2.1 to 3.12) and SoupBinTCP 3.00.
OUCH = {
    "Enter Order": (
        49,
        {"order_token": 1, "stock": 20, "price": 28, "firm": 36, "cross_type": 47},
    ),
    "Replace Order": (47, {"replacement_order_token": 15, "shares": 29, "minimum_quantity": 43}),
    "Cancel Order": (19, {"shares": 15}),
    "Modify Order": (20, {"buy_sell": 15, "shares": 16}),
    "System Event": (10, {"timestamp": 1, "event_code": 9}),
    "Accepted": (
        66,
        {"order_reference_number": 49, "order_state": 64, "bbo_weight_indicator": 65},
    ),
    "Replaced": (
        80,
        {"replacement_order_token": 9, "order_state": 64, "previous_order_token": 65},
    ),
    "Canceled": (28, {"decrement_shares": 23, "reason": 27}),
    "AIQ Canceled": (37, {"reason": 27, "prevented_shares": 28, "liquidity_flag": 36}),
    "Executed": (40, {"execution_price": 27, "liquidity_flag": 31, "match_number": 32}),
    "Broken Trade": (32, {"match_number": 23, "reason": 31}),
    "Rejected": (24, {"order_token": 9, "reason": 23}),
    "Cancel Pending": (23, {"order_token": 9}),
    "Cancel Reject": (23, {"order_token": 9}),
    "Order Priority Update": (36, {"price": 23, "display": 27, "order_reference_number": 28}),
    "Order Modified": (28, {"buy_sell": 23, "shares": 24}),
}
# What the length field of the packet says, and offsets behind it.
SOUPBINTCP = {
    "Login Accepted": (31, {"session": 1, "sequence": 11}),
    "Login Rejected": (2, {"reason": 1}),
    "Login Request": (47, {"username": 1, "password": 7, "session": 17, "sequence": 27}),
    "Long Login Request": (52, {"heartbeat_timeout": 47}),
    "Server Heartbeat": (1, {}),
    "End Of Session": (1, {}),
    "Client Heartbeat": (1, {}),
    "Logout Request": (1, {}),
}
# Sections 3 and 4 of MoldUDP64 1.00.
MOLDUDP64 = {"Request": (20, {"session": 0, "sequence": 10, "count": 18})}


def named(messages: tuple[Message, ...]) -> dict[str, Message]:
    return {message.name: message for message in messages}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (ouch.MESSAGES, OUCH),
        (soupbintcp.MESSAGES, SOUPBINTCP),
        (moldudp64.MESSAGES, MOLDUDP64),
    ],
    ids=["ouch", "soupbintcp", "moldudp64"],
)
def test_messages_have_the_lengths_and_places_of_the_specification(
    messages: tuple[Message, ...], expected: dict[str, tuple[int, dict[str, int]]]
) -> None:
    found = {name: one for name, one in named(messages).items() if not one.open_ended}
    assert {name: one.size for name, one in found.items()} == {
        name: size for name, (size, _) in expected.items()
    }
    for name, (_, places) in expected.items():
        offsets = {field.name: field.offset for field in found[name].fields()}
        assert {field: offsets[field] for field in places} == places


CONSTANTS = binary_offsets_writer.all_constants()


@pytest.mark.parametrize("declaration", CONSTANTS, ids=lambda path: path.stem)
def test_the_committed_constants_are_those_of_the_declarations(declaration: Path) -> None:
    values = CONSTANTS[declaration]
    path = binary_offsets_writer.offsets_path(declaration)
    assert path.read_text() == binary_offsets_writer.module_text(declaration, values)
    declared = binary_offsets_writer.declarations_text(declaration, values)
    assert path.with_suffix(".pxd").read_text() == declared


@pytest.mark.parametrize("protocol", binary_offsets_writer.PROTOCOLS)
def test_the_command_prints_every_field(protocol: str) -> None:
    done = CliRunner().invoke(command, [protocol])
    assert done.exit_code == 0
    for message in binary_offsets_writer.PROTOCOLS[protocol][0]:
        assert f"{message.letter}  {message.name}:".strip() in done.output
        for field in message.fields():
            assert field.name in done.output


def test_the_command_refuses_a_protocol_that_it_does_not_know() -> None:
    done = CliRunner().invoke(command, ["itch"])
    assert done.exit_code == 2
    assert "'moldudp64', 'ouch', 'soupbintcp'" in done.output


def test_the_writer_leaves_alone_what_says_it_already() -> None:
    path = binary_offsets_writer.offsets_path(binary_offsets_writer.FOLDER / "ouch.py")
    before = path.stat().st_mtime_ns
    binary_offsets_writer.main()
    assert path.stat().st_mtime_ns == before
