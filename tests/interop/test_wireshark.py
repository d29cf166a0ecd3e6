"""Wireshark's dissectors, by tshark, read an OUCH session as we do: every packet, every field."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from portcullis.codecs.soupbintcp import packets
from portcullis.dictionaries.binary_layouts import Message
from portcullis.dictionaries.ouch import INBOUND, OUTBOUND
from portcullis.tools.gateway_process import OUCH_CONFIG
from portcullis.tools.main import main
from tests.support.gateway_process import GatewayProcess
from tests.support.ouch_client import OuchClient, cancel, enter, modify, replace
from tests.support.pcap import SERVER_PORT, write_capture

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark"),
]

LIMIT_S = 300
# An odd size: packets begin and end anywhere in a segment, and have to be put together again.
SEGMENT_BYTES = 37
LOGIN_ACCEPTED_BYTES = 33
# Its names where they are not ours; the reason's depends on the message.
NAMES = {
    "buy_sell": "buy_sell_indicator",
    "intermarket_sweep": "iso_eligible",
    "minimum_quantity": "min_quantity",
    "prevented_shares": "quantity_prevented_from_trading",
    "time_in_force": "tif",
}
REASONS = {"C": "cancel_reason", "D": "cancel_reason", "B": "broken_trade_reason"}


@dataclass
class Dissected:
    """One SoupBinTCP packet as Wireshark reads it: bytes by field, and what it shows."""

    packet_type: str
    octets: dict[str, bytes] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)


def dissect(capture: Path) -> list[Dissected]:
    """Every SoupBinTCP packet of a capture, in order."""
    command = ["tshark", "-r", str(capture), "-T", "pdml"]
    command += ["-d", f"tcp.port=={SERVER_PORT},soupbintcp"]
    command += ["--enable-heuristic", "ouch_soupbintcp"]
    environment = os.environ | {"WIRESHARK_CONFIG_DIR": str(capture.parent)}
    done = subprocess.run(
        command, capture_output=True, check=True, timeout=LIMIT_S, env=environment
    )
    found: list[Dissected] = []
    for proto in ET.fromstring(done.stdout).iter("proto"):
        name = proto.get("name", "")
        assert "malformed" not in name, ET.tostring(proto).decode()
        fields = {part.get("name", "").partition(".")[2]: part for part in proto.iter("field")}
        if name == "soupbintcp":
            octets = bytes.fromhex(fields["packet_type"].get("value", ""))
            found.append(Dissected(octets.decode()))
        if name in ("soupbintcp", "ouch"):
            values = {key: part.get("value") for key, part in fields.items()}
            shows = {key: part.get("show", "") for key, part in fields.items()}
            if name == "ouch":
                found[-1].octets = {
                    key: bytes.fromhex(value) for key, value in values.items() if value
                }
            found[-1].shown |= shows
    return found


def same(message: Message, payload: bytes, dissected: Dissected) -> None:
    """Whether it has the message's fields and no other, with these bytes and numbers."""
    expected = {"packet_type": payload[:1]}
    for one in message.fields():
        name = NAMES.get(one.name, one.name)
        if name == "reason":
            name = REASONS.get(message.letter, "reject_reason")
        octets = expected[name] = payload[one.offset : one.offset + one.size]
        if one.kind == "int" and name != "timestamp":  # which is shown as a time of day
            assert int(dissected.shown[name]) == int.from_bytes(octets, "big"), name
    assert dissected.octets == expected


class RecordedLink:
    """A socket that notes what goes through it, as (from the client, bytes)."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self.record: list[tuple[bool, bytes]] = []

    def sendall(self, octets: bytes) -> None:
        self.record.append((True, octets))
        self._link.sendall(octets)

    def recv(self, size: int) -> bytes:
        octets = self._link.recv(size)
        # Wireshark begins a new conversation behind a Login Accepted, and forgets what of the
        # next packet came in the same segment.
        cut = LOGIN_ACCEPTED_BYTES if all(from_client for from_client, _ in self.record) else 0
        self.record += [(False, octets[:cut]), (False, octets[cut:])]
        return octets

    def close(self) -> None:
        self._link.close()


def up(gateway: GatewayProcess, username: str) -> tuple[OuchClient, RecordedLink]:
    client = OuchClient(gateway.ouch_port, username)
    link = RecordedLink(client.link)
    client.link = link  # type: ignore[assignment]
    assert client.log_in()[0] == "A"
    client.expect("S", event_code="S")
    return client, link


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, OUCH_CONFIG) as gateway:
        yield gateway
    OuchClient.close_all()


def operate(gateway: GatewayProcess, *command: str) -> None:
    """What an operator does, with a reason."""
    arguments = [*command, "--data", str(gateway.data), "--why", "a test"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def trade(gateway: GatewayProcess) -> tuple[OuchClient, RecordedLink]:
    """A session with every message that our venue sends, up to the end of its day."""
    other, _ = up(gateway, "OUCH2")
    client, link = up(gateway, "OUCH1")
    client.send(enter("s1", "S", 10_000, 1_005_000, firm="ACME", display="A", customer_type="R"))
    client.expect("A")
    other.send(enter("b1", "B", 4_000, 1_010_000, time_in_force=0))
    other.expect("A")
    match = other.expect("E")["match_number"]
    client.expect("E", match_number=match)
    client.send(replace("s1", "s2", 12_000, 1_006_000))
    client.expect("U")
    client.send(modify("s2", "T", 11_000))
    client.expect("M")
    client.send(enter("s3", "B", 500, 1_010_000))
    client.expect("A")
    client.expect("D")
    client.send(enter("s4", "S", 1, 1_006_050), cancel("s2", 7_000))
    client.expect("J")
    client.expect("C", decrement_shares=4_000)
    operate(gateway, "bust", str(match))
    client.expect("B", match_number=match)
    assert client.packet()[0] == "H"
    operate(gateway, "day", "end")
    client.expect("C", decrement_shares=3_000)
    client.expect("S", event_code="E")
    assert client.next() == {} and client.ended
    return client, link


def test_a_trading_session_reads_as_it_was_sent(gateway: GatewayProcess, tmp_path: Path) -> None:
    client, link = trade(gateway)
    capture = tmp_path / "session.pcap"
    write_capture(capture, link.record, segment_bytes=SEGMENT_BYTES)
    found = dissect(capture)
    # Those of the client, which it built itself.
    sent = [one for one in found if one.packet_type in "LU"]
    assert [one.shown["username"] for one in sent[:1]] == ["OUCH1 "]
    orders = b"".join(octets for from_client, octets in link.record if from_client)
    layouts = {message.letter: message for message in INBOUND}
    start = len(packets.login_request("", "", "", 1))
    for one in sent[1:]:
        message = layouts[one.octets["packet_type"].decode()]
        same(message, orders[start + 3 : start + 3 + message.size], one)
        start += 3 + message.size
    assert start == len(orders)
    first = sent[1].shown
    assert (first["shares"], first["price"], first["stock"]) == ("10000", "1005000", "BTCUSD  ")
    # Those of the gateway, in the numbers that Wireshark counts.
    received = [one for one in found if one.packet_type == "S"]
    assert [one.octets["packet_type"].decode() for one in received] == list("SAEUMADJCBCS")
    layouts = {message.letter: message for message in OUTBOUND}
    for number, one in enumerate(received, 1):
        payload = client.received[number]
        same(layouts[chr(payload[0])], payload, one)
    executed = received[2].shown
    assert (executed["executed_shares"], executed["execution_price"]) == ("4000", "1005000")
    assert {one.packet_type for one in found} == set("LAUSHZ")


def test_every_message_that_is_declared_is_one_of_its_own(tmp_path: Path, seed: int) -> None:
    """Those too that our venue never sends."""
    choice = random.Random(seed)
    stream = [
        (True, packets.login_request("OUCH1", "", "", 1)),
        (False, packets.login_accepted(b"2026112101", 1)),
    ]
    messages = []
    for message in (*INBOUND, *OUTBOUND) * 3:
        values: dict[str, Any] = {
            one.name: bytes(choice.choices(range(33, 127), k=one.size))
            if one.kind == "alpha"
            else choice.getrandbits(8 * one.size)
            for one in message.fields()
        }
        if "timestamp" in values:
            values["timestamp"] %= 86_400 * 10**9
        payload = message.letter.encode() + message.layout.build(values)
        messages.append((message, payload))
        inbound = message in INBOUND
        stream.append((inbound, packets.packet("U" if inbound else "S", payload)))
    capture = tmp_path / "all.pcap"
    write_capture(capture, stream, segment_bytes=SEGMENT_BYTES)
    found = dissect(capture)[2:]
    for (message, payload), one in zip(messages, found, strict=True):
        same(message, payload, one)
