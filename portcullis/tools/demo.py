"""`portcullis demo`: a gateway and two clients; a trade, a kill, and a restart that lost nothing.

Stands outside of the gateway as a client does: sockets, and simplefix to read what comes. Raises
where an answer is not what it must be, so that it also serves as a check of an installation.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import click
import simplefix

from portcullis.tools.benchmarks.orders import MAKER, TAKER, message, utc_now
from portcullis.tools.gateway_process import GatewayProcess

TIMEOUT_S = 10.0
_STATES = {"0": "new", "1": "partly filled", "2": "filled", "4": "cancelled", "8": "rejected"}


class Client:
    """One FIX client: sends fields, receives messages, counts its own numbers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._next_out = 1

    def log_on(self, port: int) -> None:
        """Connect and log on, going on with the numbers of before."""
        self._link = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._parser = simplefix.FixParser()
        self.send("A", "98=0", "108=30")
        self.expect("35=A")
        click.echo(f"{self.name} logged on")

    def send(self, msg_type: str, *fields: str) -> None:
        """Send one message; the body's fields as "tag=value"."""
        octets = message(msg_type, self._next_out, self.name, utc_now(), *fields)
        self._next_out += 1
        self._link.sendall(octets)

    def order(self, cl_ord_id: str, side: str, qty: str, price: str) -> None:
        """Send a limit order; side 1 buys, 2 sells."""
        verb = "buys" if side == "1" else "sells"
        click.echo(f"{self.name} {verb} {qty} BTC-USD at {price}")
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
        """An ExecutionReport with these fields; told in words."""
        report = self.expect("35=8", *fields)
        text = f"{self.name} <- order {report[37]}: {_STATES[report[39]]}"
        if report[150] == "F":
            text += f", {report[32]} at {report[31]}"
        click.echo(f"{text}, {report[151]} left (ExecID {report[17]})")

    def close(self) -> None:
        self._link.close()


def trade(seller: Client, buyer: Client) -> None:
    """A resting order, and another that takes part of it."""
    seller.order("sell-1", "2", "2", "100.5")
    seller.expect_report("150=0", "39=0", "151=2")
    buyer.order("buy-1", "1", "0.5", "101")
    buyer.expect_report("150=0", "39=0")
    buyer.expect_report("150=F", "39=2", "31=100.5", "32=0.5")
    seller.expect_report("150=F", "39=1", "151=1.5")


@click.command()
def command() -> None:
    """A trade seen from both sides, a kill, and a restart that lost nothing."""
    seller, buyer = Client(MAKER), Client(TAKER)
    with (
        tempfile.TemporaryDirectory(prefix="portcullis-demo-") as directory,
        GatewayProcess(Path(directory)) as gateway,
    ):
        click.echo(f"gateway listens on 127.0.0.1:{gateway.port}")
        for client in (seller, buyer):
            client.log_on(gateway.port)
        trade(seller, buyer)

        gateway.kill()
        click.echo("gateway killed, without warning; started again")
        gateway.start()
        for client in (seller, buyer):
            client.close()
            client.log_on(gateway.port)
        click.echo(f"{seller.name} cancels the rest of its order")
        seller.send("F", "11=cancel-1", "41=sell-1", "54=2", "55=BTC-USD", f"60={utc_now()}")
        seller.expect_report("150=4", "39=4", "41=sell-1", "14=0.5", "151=0")
        for client in (seller, buyer):
            client.send("5")
            client.expect("35=5")
            client.close()
        if gateway.stop() != 0:
            raise click.ClickException("the gateway did not stop cleanly")
    click.echo("done")
