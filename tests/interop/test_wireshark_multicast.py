"""Wireshark's dissector of MoldUDP64, by tshark, numbers the messages of a stream as we do."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from portcullis.gateway.operator_port import Request, call
from portcullis.tools.gateway_process import CONFIG, free_group
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess
from tests.support.multicast_listener import MulticastListener
from tests.support.pcap import write_datagrams

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark"),
]

LIMIT_S = 300
PORT = 9881
REQUEST_NOTE = "Number of Requested Messages"
FIELDS = ("session", "sequence", "count", "msgseq", "msglen", "msgdata")


def dissect(capture: Path) -> list[dict[str, list[str]]]:
    """Of each packet, the values of the dissector's fields, and what it complains of."""
    command = ["tshark", "-r", str(capture), "-d", f"udp.port=={PORT},moldudp64", "-T", "fields"]
    names = [*(f"moldudp64.{name}" for name in FIELDS), "_ws.expert.message"]
    command += [part for name in names for part in ("-e", name)]
    environment = os.environ | {"WIRESHARK_CONFIG_DIR": str(capture.parent)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    lines = done.stdout.splitlines()
    return [
        dict(zip((*FIELDS, "complaint"), map(values, line.split("\t")), strict=True))
        for line in lines
    ]


def values(column: str) -> list[str]:
    return column.split(",") if column else []


def test_every_packet_of_a_day_is_read_with_its_numbers_and_counts(tmp_path: Path) -> None:
    group = free_group()
    listening = MulticastListener(group)
    stream = f'\n[[stream]]\nname = "s"\ngroups = ["{group}"]\nheartbeat = "100ms"\n'
    client = None
    try:
        with GatewayProcess(tmp_path, CONFIG + stream) as gateway:
            client = FixClient("CLIENT1", gateway.port)
            client.log_on()
            orders = [client.order(f"a{number}", "1", "1", "100") for number in range(200)]
            client.link.sendall(b"".join(orders))
            listening.until_number(200)
            while listening.receive().messages:
                pass  # until a heartbeat
            call(gateway.data, Request(do="day end", who="test", why="a test", args={}))
            while not listening.packets[-1].ends:
                listening.receive()
    finally:
        listening.close()
        if client is not None:
            client.close()
    capture = tmp_path / "multicast.pcap"
    write_datagrams(capture, listening.datagrams, PORT)
    found = dissect(capture)
    assert len(found) == len(listening.packets) > 40
    for read, packet in zip(found, listening.packets, strict=True):
        # Its note on a header alone, which might be a request.
        assert read["complaint"] in ([], [] if packet.messages else [REQUEST_NOTE])
        assert read["session"] == [packet.session.decode()]
        assert [int(one) for one in read["sequence"]] == [packet.sequence]
        count = 0xFFFF if packet.ends else len(packet.messages)
        assert [int(one) for one in read["count"]] == [count]
        numbers = list(range(packet.sequence, packet.next_sequence))
        assert [int(one) for one in read["msgseq"]] == numbers
        assert [int(one) for one in read["msglen"]] == [len(one) for one in packet.messages]
        assert [bytes.fromhex(one) for one in read["msgdata"]] == list(packet.messages)
    kinds = {(bool(packet.messages), packet.ends) for packet in listening.packets}
    assert kinds == {(True, False), (False, False), (False, True)}
