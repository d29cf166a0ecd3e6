"""asyncfix, a FIX client in pure Python, against our gateway, over a restart.

It forgets a Logout's number and hangs up without one of its own, so each return asks for what it
missed: a client that is not quite right, as many are.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess

pytest.importorskip("asyncfix")
from asyncfix import AsyncFIXClient, FIXMessage, FMsg, FTag, Journaler
from asyncfix.connection import ConnectionState
from asyncfix.protocol import FIXProtocol44

pytestmark = pytest.mark.interop

WAIT_S = 120.0


class Trader(AsyncFIXClient):  # type: ignore[misc]
    """Logs on by itself; queues states and reports."""

    def __init__(self, name: str, port: int, store: Path) -> None:
        super().__init__(
            protocol=FIXProtocol44(),
            sender_comp_id=name,
            target_comp_id="PORTCULLIS",
            journaler=Journaler(str(store)),
            host="127.0.0.1",
            port=port,
            heartbeat_period=30,
            logger=logging.getLogger(f"asyncfix.{name}"),
        )
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    async def on_connect(self) -> None:
        await self.send_msg(FIXMessage(FMsg.LOGON, {FTag.EncryptMethod: 0, FTag.HeartBtInt: 30}))

    async def on_state_change(self, connection_state: ConnectionState) -> None:
        if connection_state == ConnectionState.ACTIVE:
            await self.heard.put("active")

    async def on_disconnect(self) -> None:
        await self.heard.put("disconnected")

    async def on_message(self, msg: FIXMessage) -> None:
        await self.heard.put({int(tag): value for tag, value in msg.items() if tag.isdigit()})

    async def hear(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), WAIT_S)

    async def hear_report(self, **expected: str) -> dict[int, str]:
        """The next thing, which must be a report with these tags: hear_report(t150="F")."""
        report: dict[int, str] = await self.hear()
        assert isinstance(report, dict), report
        assert {tag: report.get(int(tag[1:])) for tag in expected} == expected, report
        return report

    async def order(self, cl_ord_id: str, side: str, qty: str, price: str) -> None:
        message = FIXMessage(FMsg.NEWORDERSINGLE)
        for tag, value in (
            (FTag.ClOrdID, cl_ord_id),
            (FTag.Symbol, "BTC-USD"),
            (FTag.Side, side),
            (FTag.TransactTime, "20260102-12:00:00.000"),
            (FTag.OrderQty, qty),
            (FTag.OrdType, "2"),
            (FTag.Price, price),
        ):
            message.set(tag, value)
        await self.send_msg(message)

    async def close(self) -> None:
        for task in (self._aio_task_socket_read, self._aio_task_heartbeat):
            task.cancel()
        await self.disconnect(ConnectionState.DISCONNECTED_WCONN_TODAY, logout_message="")


async def trade_over_a_restart(gateway: GatewayProcess, directory: Path) -> None:
    seller = Trader("CLIENT1", gateway.port, directory / "seller.db")
    buyer = Trader("CLIENT2", gateway.port, directory / "buyer.db")
    for trader in (seller, buyer):
        await trader.connect()
        assert await trader.hear() == "active"

    await seller.order("s1", "2", "2", "100.5")
    resting = await seller.hear_report(t35="8", t150="0", t39="0", t11="s1")
    await buyer.order("b1", "1", "0.5", "101")
    await buyer.hear_report(t150="0", t11="b1")
    await buyer.hear_report(t150="F", t39="2", t31="100.5", t32="0.5")
    await seller.hear_report(t150="F", t39="1", t151="1.5")

    assert await asyncio.to_thread(gateway.stop) == 0
    for trader in (seller, buyer):
        assert await trader.hear() == "disconnected"
    await asyncio.to_thread(gateway.start)
    for trader in (seller, buyer):
        await trader.connect()
        # Asks for the Logout it forgot, gets a gap fill, and only then counts as active.
        assert await trader.hear() == "active"

    await buyer.order("b2", "1", "1.5", "100.5")
    await buyer.hear_report(t150="0", t11="b2")
    await buyer.hear_report(t150="F", t39="2", t32="1.5")
    sold = await seller.hear_report(t150="F", t39="2", t151="0")
    assert sold[37] == resting[37]
    for trader in (seller, buyer):
        await trader.close()


def test_asyncfix_trades_and_comes_back_after_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with GatewayProcess(tmp_path) as gateway:
        asyncio.run(trade_over_a_restart(gateway, tmp_path))
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
