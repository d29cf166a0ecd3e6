"""nasdaq-protocols, NASDAQ's own client in Python, trades by OUCH, breaks off, and rewinds.

Its messages are made by its own generator from `ouch42.xml`, a definition written from NASDAQ's
tables. So neither the packets nor the messages come from what they are to check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portcullis.tools.gateway_process import OUCH_CONFIG
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

pytest.importorskip("nasdaq_protocols")
from nasdaq_protocols.common import EndOfQueue
from nasdaq_protocols.soup import LoginRejectReason

pytestmark = pytest.mark.interop

WAIT_S = 120.0


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, OUCH_CONFIG) as gateway:
        yield gateway


class Trader:
    """One user over connections of the library, which keeps number and session itself."""

    def __init__(self, venue: Any, gateway: GatewayProcess, user: str) -> None:
        self.venue = venue
        self.gateway = gateway
        self.user = user
        self.session = ""
        self.received: list[str] = []

    async def log_in(self, sequence: int) -> Trader:
        """Join the session from this message on."""
        self.link = await self.venue.connect_async(
            ("127.0.0.1", self.gateway.ouch_port),
            self.user,
            "",
            self.session,
            sequence,
            client_heartbeat_interval=1,
        )
        self.soup = self.link.soup_session
        self.session = self.soup.session_id.session
        return self

    @property
    def last(self) -> int:
        """The number of the last message received."""
        number: int = self.soup.sequence
        return number

    def send(self, name: str, **fields: Any) -> None:
        message = getattr(self.venue, name)()
        for field, value in fields.items():
            setattr(message, field, value)
        self.link.send_message(message)

    def enter(self, token: str, side: str, shares: int, price: int, **more: Any) -> None:
        """An Enter Order with every field set; price in 10^-4."""
        terms: dict[str, Any] = {
            "stock": "BTCUSD",
            "time_in_force": 99999,
            "firm": "",
            "display": "Y",
            "capacity": "P",
            "intermarket_sweep_eligibility": "N",
            "minimum_quantity": 0,
            "cross_type": "N",
            "customer_type": " ",
            **more,
        }
        self.send(
            "EnterOrder",
            order_token=token,
            buy_sell_indicator=side,
            shares=shares,
            price=price,
            **terms,
        )

    async def receive(self) -> Any:
        message = await asyncio.wait_for(self.link.receive_message(), WAIT_S)
        self.received.append(str(message))
        return message

    async def expect(self, name: str, **fields: Any) -> Any:
        """The next message, of this type and with these values."""
        message = await self.receive()
        found = {field: getattr(message, field) for field in fields}
        assert (type(message).__name__, found) == (name, fields), str(message)
        return message

    async def break_off(self) -> None:
        """Lose the connection, as a crash would."""
        self.soup._transport.abort()
        while not self.link.closed:
            await asyncio.sleep(0)

    async def log_out(self) -> None:
        self.soup.logout()
        while not self.link.closed:
            await asyncio.sleep(0)


def run(script: Any) -> None:
    asyncio.run(asyncio.wait_for(script, 3 * WAIT_S))


def test_it_enters_replaces_modifies_cancels_and_is_filled(
    venue: Any, gateway: GatewayProcess
) -> None:
    desk = FixClient("CLIENT1", gateway.port)
    desk.log_on()

    async def script() -> None:
        seller = await Trader(venue, gateway, "OUCH1").log_in(1)
        buyer = await Trader(venue, gateway, "OUCH2").log_in(1)
        for trader in (seller, buyer):
            await trader.expect("SystemEvent", event_code="S")
        seller.enter("s1", "S", 10_000, 1_005_000, firm="ACME", display="A", customer_type="R")
        first = await seller.expect(
            "Accepted",
            order_token="s1",
            buy_sell_indicator="S",
            shares=10_000,
            stock="BTCUSD",
            price=1_005_000,
            time_in_force=99999,
            firm="ACME",
            display="A",
            capacity="P",
            intermarket_sweep_eligibility="N",
            minimum_quantity=0,
            cross_type="N",
            order_state="L",
        )
        # A fill between two that it made itself, and one with the other door.
        buyer.enter("b1", "B", 4_000, 1_010_000, time_in_force=0)
        await buyer.expect("Accepted", order_token="b1", time_in_force=0)
        bought = await buyer.expect(
            "Executed",
            order_token="b1",
            executed_shares=4_000,
            execution_price=1_005_000,
            liquidity_flag="R",
        )
        await seller.expect(
            "Executed",
            order_token="s1",
            executed_shares=4_000,
            execution_price=1_005_000,
            liquidity_flag="A",
            match_number=bought.match_number,
        )
        seller.send(
            "ReplaceOrder",
            existing_order_token="s1",
            replacement_order_token="s2",
            shares=12_000,
            price=1_006_000,
            time_in_force=99999,
            display="Y",
            intermarket_sweep_eligibility="N",
            minimum_quantity=0,
        )
        replaced = await seller.expect(
            "Replaced",
            replacement_order_token="s2",
            previous_order_token="s1",
            shares=8_000,
            price=1_006_000,
            firm="ACME",
            order_state="L",
        )
        assert replaced.order_reference_number > first.order_reference_number
        desk.link.sendall(desk.order("f1", "1", "0.1", "101"))
        desk.expect("8", t150="0")
        by_fix = desk.expect("8", t150="F", t31="100.6", t32="0.1")
        await seller.expect(
            "Executed",
            order_token="s2",
            executed_shares=1_000,
            execution_price=1_006_000,
            match_number=int(by_fix[527]),
        )
        seller.send("ModifyOrder", order_token="s2", buy_sell_indicator="T", shares=11_000)
        await seller.expect(
            "OrderModified", order_token="s2", buy_sell_indicator="T", shares=6_000
        )
        seller.enter("s3", "B", 500, 1_010_000)
        await seller.expect("Accepted", order_token="s3")
        await seller.expect(
            "AiqCanceled",
            order_token="s3",
            decrement_shares=500,
            quantity_prevented_from_trading=500,
            execution_price=1_006_000,
            reason="Q",
        )
        seller.enter("s4", "S", 1, 1_006_050)
        await seller.expect("Rejected", order_token="s4", reason="X")
        seller.send("CancelOrder", order_token="s2", shares=7_000)
        await seller.expect("Canceled", order_token="s2", decrement_shares=4_000, reason="U")
        seller.send("CancelOrder", order_token="s2", shares=0)
        await seller.expect("Canceled", order_token="s2", decrement_shares=2_000, reason="U")
        for trader in (seller, buyer):
            await trader.log_out()

    try:
        run(script())
    finally:
        desk.close()


def test_it_breaks_off_in_the_stream_goes_on_and_rewinds(
    venue: Any, gateway: GatewayProcess
) -> None:
    count = 200

    async def script() -> None:
        maker = await Trader(venue, gateway, "OUCH1").log_in(1)
        taker = await Trader(venue, gateway, "OUCH2").log_in(1)
        await maker.expect("SystemEvent")
        for number in range(count):
            maker.enter(f"m{number}", "S", 10, 1_000_000)
        for number in range(count):
            await maker.expect("Accepted", order_token=f"m{number}")
        for number in range(count):
            taker.enter(f"t{number}", "B", 10, 1_000_000)
        # In the midst of its fills.
        for number in range(count // 2):
            await maker.expect("Executed", order_token=f"m{number}")
        await maker.break_off()
        read = len(maker.received)
        assert await maker.log_in(read + 1) is maker
        for number in range(count // 2, count):
            await maker.expect("Executed", order_token=f"m{number}")
        assert maker.last == 2 * count + 1
        # Nobody is there when the gateway dies; what it had said stands.
        await asyncio.gather(maker.break_off(), taker.break_off())
        gateway.kill()
        gateway.start()
        again = Trader(venue, gateway, "OUCH1")
        again.session = maker.session
        await again.log_in(1)
        for _ in range(2 * count + 1):
            await again.receive()
        assert again.received == maker.received
        again.enter("new", "B", 1, 100)
        await again.expect("Accepted", order_token="new")
        await again.log_out()

    run(script())


def test_it_understands_why_it_is_refused(venue: Any, gateway: GatewayProcess) -> None:
    async def script() -> None:
        for user, sequence, reason in (
            ("NOBODY", 1, LoginRejectReason.NOT_AUTHORIZED),
            ("OUCH1", 99, LoginRejectReason.SESSION_NOT_AVAILABLE),
        ):
            with pytest.raises(ConnectionRefusedError, match=reason.name):
                await Trader(venue, gateway, user).log_in(sequence)
        trader = await Trader(venue, gateway, "OUCH1").log_in(0)
        await trader.expect("SystemEvent", event_code="S")
        assert await asyncio.to_thread(gateway.stop) == 0
        with pytest.raises(EndOfQueue):
            await trader.receive()

    run(script())
