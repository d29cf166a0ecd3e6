"""SIGKILL at random moments under load, again and again: nothing that a client has seen is lost.

Two traders send orders and read what comes, until the gateway is killed; it is started again, they
log on with their numbers, each side asks the other for what it missed, and all that was ever
received is held against what must be true. The seed stands in the output.
"""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

from portcullis import _build
from portcullis.tools.gateway_process import CONFIG
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

ROUNDS = 2 if _build.is_pure() else 5
ORDERS_A_ROUND = 400
# Small tables, so that the state is hashed in no time.
LIMITS = """
[journal]
segment_rows = 32768
[limits]
orders = 20000
ids = 40000
levels = 1000
sessions = 10
accounts = 10
instruments = 10
"""
# What a resend may change.
OF_THE_SENDING = {9, 10, 43, 52, 122}
WAIT_S = 120.0


class Trader(FixClient):
    """Answers ResendRequests, and checks each message against all that came before it."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name, port)
        self.sent: dict[int, tuple[str, ...]] = {}
        # What came under each number of the gateway's: it must stay that for ever.
        self.content: dict[int, dict[int, str]] = {}
        self.exec_ids: dict[str, int] = {}
        # By ClOrdID(11), the last report of each order.
        self.orders: dict[str, dict[int, str]] = {}
        self.fills: list[dict[int, str]] = []
        self._checked = 0

    def send_order(self, *fields: str) -> None:
        self.sent[self.next_out] = fields
        self.link.sendall(self.frame("D", *fields))

    def check(self) -> None:
        """Look at what came since the last time."""
        for fields in self.messages[self._checked :]:
            self._check_one(fields)
        self._checked = len(self.messages)

    def _check_one(self, fields: dict[int, str]) -> None:
        number = int(fields[34])
        assert fields[35] not in "35j", fields
        if fields[35] != "8":
            return
        content = {tag: value for tag, value in fields.items() if tag not in OF_THE_SENDING}
        known = self.content.setdefault(number, content)
        assert known == content, f"number {number} was used for two contents"
        assert self.exec_ids.setdefault(fields[17], number) == number, "an ExecID stands twice"
        if known is content:
            self.orders[fields[11]] = fields
            if fields[150] == "F":
                self.fills.append(fields)

    def come_back(self) -> None:
        """Log on with the numbers of before; ask for what is missing, send what is asked for."""
        self.connect()
        expected = self.next_in
        self.send("A", "98=0", "108=30")
        logon = self._receive_logon()
        if int(logon[34]) > expected:
            self.send("2", f"7={expected}", f"16={int(logon[34]) - 1}")
        self.send("1", "112=BACK")
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            fields = self.receive()
            if fields[35] == "2":
                self._send_again(int(fields[7]))
            elif fields[35] == "0" and fields.get(112) == "BACK":
                break
        else:
            raise AssertionError("the TestRequest was not answered")
        self.check()
        missing = [n for n in range(expected, int(logon[34])) if n not in self.content]
        filled = {
            number
            for fields in self.messages
            if fields[35] == "4"
            for number in range(int(fields[34]), int(fields[36]))
        }
        assert set(missing) <= filled, "a report is lost"

    def _receive_logon(self) -> dict[int, str]:
        """The Logon's answer may have any number: what is below it is asked for."""
        self.next_in, before = 0, self.next_in
        while (found := self._parser.get_message()) is None:
            octets = self.link.recv(1 << 16)
            assert octets, f"{self.name} is not let in again"
            self._parser.append_buffer(octets)
        fields = {int(tag): value.decode() for tag, value in found.pairs}
        assert fields[35] == "A" and int(fields[34]) >= before, fields
        self.next_in = int(fields[34]) + 1
        return fields

    def _send_again(self, begin: int) -> None:
        """Orders once more with 43=Y; all else is filled. Up to the Logon that was in the way."""
        last = self.next_out - 1
        for number in range(begin, last + 1):
            fields = self.sent.get(number)
            if fields is None:
                again = ("122=20260102-12:00:00", "123=Y", f"36={number + 1}")
                self.send("4", "43=Y", *again, seq=number)
            else:
                when = next(f for f in fields if f.startswith("60="))[3:]
                self.send("D", "43=Y", f"122={when}", *fields, seq=number)


def now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    when = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(seconds))
    return f"{when}.{nanoseconds // 1_000_000:03d}"


def trade_until_killed(
    rng: random.Random, gateway: GatewayProcess, traders: list[Trader], round_number: int
) -> None:
    """Send orders around one price; kill once a random number of reports has come."""
    kill_after = rng.randrange(ORDERS_A_ROUND)
    reports = 0
    for number in range(ORDERS_A_ROUND):
        trader = rng.choice(traders)
        side = "1" if trader is traders[0] else "2"
        price = 10_000 + rng.randrange(-3, 4) + (-2 if side == "1" else 2)
        trader.send_order(
            f"11={trader.name[-1]}{round_number}-{number}",
            f"38={rng.randrange(1, 5)}", "40=2", f"44={price / 100}", f"54={side}",
            "55=BTC-USD", "59=1", f"60={now()}",
        )  # fmt: skip
        reports += sum(len(one.available()) for one in traders)
        if reports >= kill_after:
            break
    gateway.kill()
    for trader in traders:
        trader.available()
        trader.check()


def state(gateway: GatewayProcess) -> str:
    """The engine's state hash, as the gateway logs it on SIGUSR1."""
    seen = gateway.log.read_text().count('"event":"state"')
    gateway.signal(signal.SIGUSR1)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        lines = [
            line for line in gateway.log.read_text().splitlines() if '"event":"state"' in line
        ]
        if len(lines) > seen:
            return str(json.loads(lines[-1])["state"])
        time.sleep(0.01)
    raise AssertionError("no state was logged")


def assert_fills_agree(traders: list[Trader]) -> None:
    """Both sides of each match, and how much of each order they make."""
    quantities: dict[str, int] = {}
    for trader in traders:
        for fill in trader.fills:
            quantities[fill[37]] = quantities.get(fill[37], 0) + int(fill[32])
    matches = [{fill[527]: fill[32] for fill in trader.fills} for trader in traders]
    assert matches[0] == matches[1]
    for trader in traders:
        for report in trader.orders.values():
            assert int(report[14]) == quantities.get(report[37], 0), report


def test_nothing_that_was_seen_is_lost(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with GatewayProcess(tmp_path, CONFIG + LIMITS) as gateway:
        traders = [Trader(name, gateway.port) for name in ("CLIENT1", "CLIENT2")]
        for trader in traders:
            trader.log_on()
        for round_number in range(ROUNDS):
            trade_until_killed(rng, gateway, traders, round_number)
            gateway.start()
            for trader in traders:
                trader.come_back()
            for trader in traders:
                trader.barrier()
                trader.check()
            assert_fills_agree(traders)

        before = state(gateway)
        gateway.kill()
        gateway.start()
        assert state(gateway) == before
        for trader in traders:
            trader.come_back()

        # What rests is all there, and trades in order of price, then of arrival.
        buyer, seller = traders
        resting = [r for r in seller.orders.values() if r[39] in "01"]
        resting.sort(key=lambda report: (float(report[44]), int(report[37])))
        open_qty = sum(int(report[151]) for report in resting)
        assert resting
        seen = len(seller.fills)
        buyer.send_order(
            "11=last", f"38={open_qty}", "40=2", "44=1000", "54=1", "55=BTC-USD", f"60={now()}"
        )
        for trader in traders:
            trader.barrier()
            trader.check()
        assert [fill[37] for fill in seller.fills[seen:]] == [report[37] for report in resting]
        assert buyer.orders["last"][39] == "2"
        for trader in traders:
            trader.close()
