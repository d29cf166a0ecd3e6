"""Mutated messages by the hundred thousand, from a client that may talk, while others trade.

PORTCULLIS_HOSTILE_MESSAGES says how many; the suite sends a few thousand.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import select
import socket
from collections import Counter
from pathlib import Path

from portcullis.tools.gateway_process import CONFIG
from tests.fuzz import fuzz_fix_scanner
from tests.support.fix_client import TIMEOUT_S, FixClient, utc_now
from tests.support.gateway_process import GatewayProcess
from tests.support.hostile import framed, header, mutated

MESSAGES = int(os.environ.get("PORTCULLIS_HOSTILE_MESSAGES", "4000"))
NAME = b"CLIENT1"
CHUNK = 100
RESET_EVERY = 10
STRANGER_EVERY = 20
GROWTH_MAX = 64 << 20
MORE = """
[[session]]
protocol = "fix"
client = "CLIENT3"
account = "CLIENT3"

[[instrument]]
symbol = "ETH-USD"
tick = "0.01"
lot = "0.0001"

[journal]
segment_rows = 131072
"""


class Enemy:
    """A client that logs on as it should and then sends whatever harms; and again, once cut."""

    def __init__(self, port: int, rng: random.Random) -> None:
        self.sent = 0
        self.answers: Counter[str] = Counter()
        self._port = port
        self._rng = rng
        self._link: socket.socket | None = None
        self._seq = 1

    def log_on(self) -> None:
        self._link = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S)
        fields = [*header(NAME, b"A", 1, utc_now().encode()), b"98=0", b"108=30", b"141=Y"]
        self._link.sendall(framed(fields))
        self._seq = 2
        self.answers["connection"] += 1
        if not self._link.recv(65536):
            self.close()  # the connection before has not been seen to end

    def attack(self) -> None:
        """One chunk of messages, with SequenceResets that put an end to gaps."""
        if self._link is None:
            self.log_on()
        if self._link is None:
            return
        when = utc_now().encode()
        chunk = []
        for number in range(CHUNK):
            if number % RESET_EVERY == 0:
                self._seq += CHUNK
                fields = [*header(NAME, b"4", self._seq, when), b"36=%d" % self._seq]
                chunk.append(framed(fields))
            chunk.append(mutated(self._rng, NAME, self._seq, when))
            self._seq += 1
        with contextlib.suppress(ConnectionError):
            self._link.sendall(b"".join(chunk))
            self.sent += CHUNK

    def listen(self) -> None:
        """Take what was answered, without waiting."""
        if self._link is None:
            return
        octets = b"none yet"
        with contextlib.suppress(ConnectionError):
            while select.select([self._link], [], [], 0)[0] and octets:
                octets = self._link.recv(1 << 20)
                kinds = re.findall(rb"\x0135=(\w)\x01", octets)
                self.answers.update(kind.decode() for kind in kinds)
        if not octets or b"\x0135=5\x01" in octets:
            self.close()

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def stranger(port: int, data: bytes) -> None:
    """Bytes from somebody who has not logged on."""
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as link,
    ):
        link.sendall(data)


def trade(seller: FixClient, buyer: FixClient, number: int) -> None:
    """The two make a trade, and each is told all of it, in order."""
    for client, side in ((seller, "2"), (buyer, "1")):
        client.send(
            "D", f"11=t{number}", "38=1", "40=2", "44=100", f"54={side}", "55=ETH-USD",
            f"60={utc_now()}",
        )  # fmt: skip
        client.expect("8", t150="0", t11=f"t{number}")
        if client is buyer:
            buyer.expect("8", t150="F", t151="0", t11=f"t{number}")
            seller.expect("8", t150="F", t151="0", t11=f"t{number}")


def test_good_clients_trade_whatever_another_sends(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with GatewayProcess(tmp_path, CONFIG + MORE) as gateway:
        seller, buyer = FixClient("CLIENT2", gateway.port), FixClient("CLIENT3", gateway.port)
        for client in (seller, buyer):
            client.log_on()
        before = gateway.memory_bytes
        enemy = Enemy(gateway.port, rng)
        rounds = 0
        while enemy.sent < MESSAGES:
            enemy.attack()
            if rounds % STRANGER_EVERY == 0:
                stranger(gateway.port, fuzz_fix_scanner.mutated(rng))
            trade(seller, buyer, rounds)
            enemy.listen()
            rounds += 1
        enemy.close()
        print(f"{enemy.sent} messages, {rounds} trades beside them; answers {enemy.answers}")
        # Of each kind; how many it got to read depends on what is owed from before each reset.
        assert min(enemy.answers[kind] for kind in "0234589jr") > 0
        for client in (seller, buyer):
            assert [one for one in client.barrier() if one[35] != "0"] == []
            client.log_out()
        assert gateway.memory_bytes - before < GROWTH_MAX
        said = gateway.log.read_text()
        assert '"fault"' not in said and '"fatal"' not in said
        assert gateway.stop() == 0
