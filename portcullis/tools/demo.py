"""`portcullis demo`: FIX trades with OUCH; then a kill, and a restart that lost nothing.

Stands outside of the gateway as a client does: sockets, simplefix to read FIX, and an OUCH client
of its own (`demo_ouch`). Raises where an answer is not what it must be, so that it also serves as
a check of an installation. What it shows is in `demo_page`.
"""

from __future__ import annotations

import socket
import tempfile
import time
from pathlib import Path

import click
import simplefix
from rich.console import Console

from portcullis.tools.benchmarks.orders import MAKER, message, utc_now
from portcullis.tools.demo_ouch import OuchClient, OuchMessage
from portcullis.tools.demo_page import DemoPage
from portcullis.tools.gateway_process import OUCH_CONFIG, GatewayProcess

TIMEOUT_S = 10.0


class FixClient:
    """One FIX client: sends fields, receives messages, counts its own numbers.

    reports: the execution reports it has been sent and nobody has shown yet, field by field.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.reports: list[dict[int, str]] = []
        self._next_out = 1

    def log_on(self, port: int) -> None:
        """Connect and log on, going on with the numbers of before."""
        self._link = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._parser = simplefix.FixParser()
        self.send("A", "98=0", "108=30")
        self.expect("35=A")

    def send(self, msg_type: str, *fields: str) -> None:
        """Send one message; the body's fields as "tag=value"."""
        octets = message(msg_type, self._next_out, self.name, utc_now(), *fields)
        self._next_out += 1
        self._link.sendall(octets)

    def order(self, cl_ord_id: str, side: str, qty: str, price: str) -> None:
        """Send a limit order; side 1 buys, 2 sells."""
        terms = (f"11={cl_ord_id}", f"38={qty}", "40=2", f"44={price}", f"54={side}")
        self.send("D", *terms, "55=BTC-USD", f"60={utc_now()}")

    def expect(self, *fields: str) -> dict[int, str]:
        """The next message, which must have these fields."""
        while (found := self._parser.get_message()) is None:
            octets = self._link.recv(65536)
            if not octets:
                raise click.ClickException(f"the gateway hung up on {self.name}")
            self._parser.append_buffer(octets)
        pairs = {int(tag): value.decode("latin-1") for tag, value in found.pairs}
        for field in fields:
            tag, _, value = field.partition("=")
            if pairs.get(int(tag)) != value:
                raise click.ClickException(f"{self.name} expected {field} in {pairs}")
        return pairs

    def expect_report(self, *fields: str) -> None:
        """An ExecutionReport with these fields."""
        self.reports.append(self.expect("35=8", *fields))

    def take_reports(self) -> list[dict[int, str]]:
        """The reports that nobody has shown yet."""
        reports, self.reports = self.reports, []
        return reports

    def close(self) -> None:
        self._link.close()


def trade(seller: FixClient, buyer: OuchClient) -> list[OuchMessage]:
    """A resting order, and another that takes part of it; gives the buyer's messages."""
    seller.order("sell-1", "2", "2", "100.5")
    seller.expect_report("150=0", "39=0", "151=2")
    buyer.buy("buy-1", 5000, "BTCUSD", 1_010_000)
    messages = [
        buyer.expect("A", order_token="buy-1", shares=5000, order_state="L"),
        buyer.expect("E", order_token="buy-1", executed_shares=5000, execution_price=1_005_000),
    ]
    match = messages[-1].fields["match number"]
    seller.expect_report("150=F", "39=1", "31=100.5", "32=0.5", "151=1.5", f"527={match}")
    return messages


def rewind(buyer: OuchClient, port: int) -> None:
    """Ask for the whole session again; it must be what it was."""
    before = list(buyer.received)
    buyer.log_in(port, TIMEOUT_S, sequence=1)
    for octets in before:
        buyer.expect(chr(octets[0]))
    if buyer.received != before:
        raise click.ClickException(f"{buyer.name} was told {before}, and now {buyer.received}")


def cancel_rest(seller: FixClient) -> None:
    """The seller takes back what is left of its order."""
    seller.send("F", "11=cancel-1", "41=sell-1", "54=2", "55=BTC-USD", f"60={utc_now()}")
    seller.expect_report("150=4", "39=4", "41=sell-1", "14=0.5", "151=0")


@click.command(short_help="FIX trades with OUCH, then a kill and a restart.")
def command() -> None:
    """FIX trades with OUCH, seen from both sides; a kill, and a restart that lost nothing."""
    began = time.perf_counter()
    page = DemoPage(Console(highlight=False))
    seller, buyer = FixClient(MAKER), OuchClient("OUCH1")
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-demo-") as directory,
        GatewayProcess(Path(directory), OUCH_CONFIG) as gateway,
    ):
        page.step(
            f"A gateway listens for FIX on 127.0.0.1:{gateway.port} and for OUCH on "
            f"127.0.0.1:{gateway.ouch_port}, its journal in a folder of its own. {seller.name} "
            f"logs on by FIX, {buyer.name} by OUCH."
        )
        seller.log_on(gateway.port)
        buyer.log_in(gateway.ouch_port, TIMEOUT_S)
        buyer.expect("S", event_code="S")

        page.step(
            f"{seller.name} offers 2 BTC-USD at 100.5. {buyer.name} would pay 101 for 5000 lots "
            "(0.5), and gets them for 100.5: the order that waited says the price. Each is told "
            "its side in its own words:"
        )
        messages = trade(seller, buyer)
        reports = seller.take_reports()
        page.reports(seller.name, reports)
        page.ouch_messages(buyer.name, messages)
        page.step(f"The fill as {seller.name} received it, field by field:")
        page.message(reports[-1])
        page.step(
            f"And as {buyer.name} received it, {len(messages[-1].octets)} bytes; the match number "
            "is the other side's SecondaryExecID(527):"
        )
        page.ouch_message(messages[-1])

        gateway.kill()
        killed = time.perf_counter()
        gateway.start()
        took_ms = (time.perf_counter() - killed) * 1000
        seller.close()
        buyer.close()
        page.step(
            "The gateway is killed without warning (SIGKILL) and started again: it replays its "
            f"journal, and listens {took_ms:.0f} ms later. {seller.name} logs on where it had "
            f"stopped. {buyer.name} asks for its session from message 1 on, and gets all "
            f"{len(buyer.received)} messages again, byte for byte."
        )
        seller.log_on(gateway.port)
        rewind(buyer, gateway.ouch_port)
        page.step(f"{seller.name} cancels what the kill left of its order:")
        cancel_rest(seller)
        page.reports(seller.name, seller.take_reports())
        seller.send("5")
        seller.expect("35=5")
        seller.close()
        buyer.log_out()
        if gateway.stop() != 0:
            raise click.ClickException("the gateway did not stop cleanly")
    page.end(f"Nothing was lost. Both logged out; it took {time.perf_counter() - began:.1f} s.")
