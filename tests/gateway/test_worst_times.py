"""Slow clients, kills and resets at the worst of times: nothing is lost or said twice as new.

Each client keeps what it was told by ExecID(17), whatever the number it came under, as a client's
own books do.
"""

from __future__ import annotations

import calendar
import contextlib
import socket
import struct
import time
from pathlib import Path

import pytest
import simplefix

from portcullis.tools.gateway_process import CONFIG
from tests.support.clocked_gateway import ClockedClient, ClockedGateway
from tests.support.fix_client import TIMEOUT_S, FixClient
from tests.support.gateway_process import GatewayProcess

LIMITS = """
[journal]
segment_rows = 131072
[limits]
orders = 20000
ids = 40000
"""
QTY = 12_000
TEXT = "58=" + "x" * 3500


class Ledger(FixClient):
    """A client that asks for what it missed, and keeps its reports by ExecID(17)."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name, port)
        self.reports: dict[str, dict[int, str]] = {}
        # Numbers missed: the first and the last.
        self.missed: list[tuple[int, int]] = []

    def connect(self) -> FixClient:
        self.close()
        self.expect_much()
        self._socket = socket.socket()
        self._socket.settimeout(TIMEOUT_S)
        # A small window keeps the gateway's buffer small, too: it soon notices who does not read.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        self._socket.connect(("127.0.0.1", self.port))
        return self

    def _take(self, found: simplefix.FixMessage) -> dict[int, str]:
        fields = {int(tag): value.decode("latin-1") for tag, value in found.pairs}
        number = int(fields[34])
        if fields.get(43) != "Y" and number > self.next_in:
            self.missed.append((self.next_in, number - 1))
            self.next_in = number
        if fields[35] == "8":
            if (known := self.reports.get(fields[17])) is not None:
                # The same in all but where and when it was said.
                assert {37: known[37], 150: known[150], 14: known[14]}.items() <= fields.items()
                assert "Y" in (fields.get(43), fields.get(97)), f"said twice as new: {fields}"
            self.reports[fields[17]] = fields
        return super()._take(found)

    def come_back(self, *fields: str) -> None:
        """Log on, ask for what was missed, and take it all."""
        if "141=Y" in fields:
            self.next_in = self.next_out = 1
        self.log_on(*fields)
        for first, last in self.missed:
            self.send("2", f"7={first}", f"16={last}")
        self.missed.clear()
        while self.barrier():  # what is owed comes in slices
            continue

    def statuses(self) -> list[dict[int, str]]:
        """What a mass status request brings: one report an open order, or one that says none."""
        self.send("AF", "584=S", "585=7")
        found = [self.expect("8", t150="I")]
        while found[-1].get(912) != "Y":
            found.append(self.expect("8", t150="I"))
        return found

    def quantities(self) -> list[int]:
        """CumQty(14) of the fills, in order."""
        return sorted(int(one[14]) for one in self.reports.values() if one[150] == "F")


def wait_for(gateway: GatewayProcess, words: str, witness: FixClient) -> None:
    """Until the log has said it. witness: somebody who has nothing to do meanwhile."""
    until = time.monotonic() + TIMEOUT_S
    while words not in gateway.log.read_text():
        assert time.monotonic() < until, f"the log does not say {words}"
        assert witness.barrier() == []


def trade(buyer: FixClient, first: int, count: int) -> None:
    """Buy one so often from whoever offers."""
    buyer.link.sendall(
        b"".join(buyer.order(f"b{first + n}", "1", "1", "100") for n in range(count))
    )
    for _ in range(count):
        buyer.expect("8", t150="0")
        buyer.expect("8", t150="F")


def test_who_is_cut_again_and_again_and_loses_the_gateway_too_misses_no_fill(
    tmp_path: Path,
) -> None:
    with GatewayProcess(tmp_path, CONFIG + LIMITS + "max_lag = 100\n") as gateway:
        slow, buyer = Ledger("CLIENT1", gateway.port), Ledger("CLIENT2", gateway.port)
        buyer.log_on()
        slow.log_on()
        slow.link.sendall(slow.order("s", "2", str(QTY), "100", TEXT))
        slow.expect("8", t150="0")
        traded = 0
        for cut in (1, 2):
            while gateway.log.read_text().count('"slow_consumer"') < cut:
                trade(buyer, traded, 100)
                traded += 100
                assert traded < QTY, "it was not cut"
            trade(buyer, traded, 50)  # while it is away
            traded += 50
            if cut == 1:
                gateway.kill()
                gateway.start()
                buyer.come_back()
            # What lay in the buffers of the connection that was cut may be read or lost.
            if cut == 2:
                with_rest = slow.available()
                assert len(with_rest) > 0
            slow.come_back(*(("141=Y",) if cut == 2 else ()))
            assert slow.quantities() == list(range(1, traded + 1))
        slow.log_out()
        buyer.close()


# --- cancel on disconnect ------------------------------------------------------------------------


def with_grace(grace: str) -> str:
    agreed = f'client = "CLIENT1"\ncancel_on_disconnect = true\ncancel_grace = "{grace}"'
    return CONFIG.replace('client = "CLIENT1"', agreed) + LIMITS


def hang_up(client: FixClient) -> None:
    """Break the connection without a word."""
    client.link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("returns", [True, False])
def test_kills_within_the_grace_neither_forget_it_nor_use_it_up(
    tmp_path: Path, returns: bool
) -> None:
    with GatewayProcess(tmp_path, with_grace("600s" if returns else "1500ms")) as gateway:
        client, witness = Ledger("CLIENT1", gateway.port), Ledger("CLIENT2", gateway.port)
        client.log_on()
        witness.log_on()
        for number in range(300):  # more than one slice of a mass cancel
            client.link.sendall(client.order(f"o{number}", "1", "1", "100"))
        for _ in range(300):
            client.expect("8", t150="0")
        hang_up(client)
        wait_for(gateway, "connection lost", witness)
        for _ in range(2):
            gateway.kill()
            gateway.start()
            witness.come_back()
        if not returns:
            wait_for(gateway, "orders_cancelled", witness)
        client.come_back()
        ends = [one for one in client.reports.values() if one[150] == "4"]
        statuses = client.statuses()
        if returns:
            assert (ends, len(statuses)) == ([], 300)
        else:
            assert {one[11] for one in ends} == {f"o{number}" for number in range(300)}
            assert {(one[378], one[151]) for one in ends} == {("8", "0")}
            assert [one[39] for one in statuses] == ["8"]  # none
        client.log_out()
        witness.close()


# --- a schedule's reset --------------------------------------------------------------------------

NOON = """
[[schedule]]
name = "day"
timezone = "UTC"
resets = ["daily 12:00", "daily 13:00", "daily 14:00"]
"""


class ClockedLedger(ClockedClient, Ledger):
    """The same by the gateway's clock, without heartbeats: hours pass in a moment."""

    def send_logon(self) -> None:
        self.connect().send("A", "98=0", "108=0")
        self.expect("A")


def trade_alone(client: FixClient, hour: int) -> None:
    """Orders of somebody without a schedule, answered as ever."""
    for number in range(20):
        client.link.sendall(client.order(f"d{hour}-{number}", "1", "1", "90"))
        client.expect("8", t150="0", t11=f"d{hour}-{number}")


def test_a_reset_by_schedule_under_load_loses_no_report_and_nobody_else_notices(
    tmp_path: Path,
) -> None:
    # What is under way when the clock is moved was sent an hour ago.
    terms = 'schedule = "day"\nsending_time_window = "24h"\nprotocol = '
    config = CONFIG.replace("protocol = ", terms, 1) + LIMITS + NOON
    morning = calendar.timegm((2026, 1, 7, 11, 0, 0))
    with ClockedGateway(tmp_path, config, morning) as gateway:
        client, other = ClockedLedger("CLIENT1", gateway), ClockedLedger("CLIENT2", gateway)
        client.send_logon()
        other.send_logon()
        sent = 0
        for hour in range(3):
            for _ in range(6):  # orders lie unread in both directions when the clock strikes
                client.link.sendall(
                    b"".join(client.order(f"o{sent + n}", "1", "1", "100") for n in range(100))
                )
                sent += 100
            gateway.set_clock(morning + 3600 + hour * 3600)
            trade_alone(other, hour)
            with contextlib.suppress(EOFError, ConnectionError):
                while client.receive()[35] != "5":
                    continue
                if hour == 1:
                    client.send("5")
                    while client.receive():
                        continue
            client.close()
            if hour == 2:
                gateway.kill()
                gateway.start()
                other.send_logon()
            client.next_in = client.next_out = 1
            client.send_logon()
            while client.barrier():
                continue
        live = {one[37] for one in client.statuses()}
        told = {one[37] for one in client.reports.values() if one[150] == "0"}
        assert live == told
        assert 600 <= len(live) <= sent
        client.close()
        other.close()
