"""Our clients against servers that this project did not write: QuickFIX, and nasdaq-protocols."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portcullis.client import fix, ouch
from portcullis.tools.gateway_process import free_port
from tests.support.client_scripts import run
from tests.support.servers import process, quickfix_acceptor

pytestmark = pytest.mark.interop


def order(number: int, **more: Any) -> fix.NewOrderSingle:
    return fix.NewOrderSingle(
        cl_ord_id=f"o{number}", symbol="X", side=fix.Side.BUY, order_qty=7, price="1.5", **more
    )


def test_the_fix_client_trades_with_quickfix_and_misses_nothing(tmp_path: Path) -> None:
    pytest.importorskip("quickfix")

    async def script(port: int) -> None:
        client = fix.FixClient("127.0.0.1", port, "ONE", "PORTCULLIS", heart_bt_int=1)
        async with client:
            await client.send(order(0))
            report = await client.receive()
            assert isinstance(report, fix.ExecutionReport)
            assert (report.cl_ord_id, report.ord_status) == ("o0", fix.OrdStatus.NEW)
            assert (report.leaves_qty, report.poss_dup) == (7, False)
            # What answers these finds nobody.
            for number in range(1, 4):
                await client.send(order(number))
            client.abort()
        async with client:
            reports = [await client.receive() for _ in range(3)]
            assert all(isinstance(one, fix.ExecutionReport) for one in reports)
            assert [one.get(11) for one in reports] == ["o1", "o2", "o3"]
            assert [one.msg_seq_num for one in reports] == [3, 4, 5]
            number = await client.send(order(4, more=((9999, "x"),)))
            reject = await client.receive()
            assert isinstance(reject, fix.Reject)
            assert (reject.ref_seq_num, reject.ref_tag_id) == (number, 9999)
            number = await client.send(fix.OrderMassStatusRequest(mass_status_req_id="m"))
            refused = await client.receive()
            assert isinstance(refused, fix.BusinessMessageReject)
            assert (refused.ref_seq_num, refused.business_reject_reason) == (number, 3)
            # Two heartbeats pass each way, and neither side finds the other silent.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.receive(), 2.5)
        numbers = {"next_out": client.next_out, "next_in": client.next_in}
        other = fix.FixClient("127.0.0.1", port, "ONE", "PORTCULLIS", **numbers)
        async with other:
            await other.send(order(5))
            assert (await other.receive()).get(11) == "o5"
        with pytest.raises(fix.LoginRefused, match="MsgSeqNum too low"):
            await fix.FixClient("127.0.0.1", port, "ONE", "PORTCULLIS").connect()
        with pytest.raises(fix.LoginRefused, match="CompIDs"):
            await fix.FixClient("127.0.0.1", port, "NOBODY", "PORTCULLIS").connect()

    with quickfix_acceptor(tmp_path, ["ONE"], "venue") as port:
        run(script(port))


def test_the_ouch_client_trades_with_a_server_of_nasdaq_protocols(venue: Any) -> None:
    async def script(port: int) -> None:
        client = ouch.OuchClient("127.0.0.1", port, "OUCH1", "secret")
        async with client:
            for number in range(10):
                await client.send(enter(f"t{number}", number + 1))
            first = [await client.receive() for _ in range(10)]
            assert client.session == "TODAY"
            client.abort()
        assert [one.sequence for one in first] == list(range(1, 11))
        assert [
            (one.order_token, one.shares, one.price, one.stock, one.firm)
            for one in first
            if isinstance(one, ouch.Accepted)
        ] == [
            (f"t{number}", number + 1, Decimal("100.5"), "BTCUSD", "ACME") for number in range(10)
        ]
        for sequence in (5, 1):
            client.rewind(sequence)
            async with client:
                again = [await client.receive() for _ in range(sequence, 11)]
            assert again == first[sequence - 1 :]
        async with client:
            await client.send(enter("END", 1))
            assert [message async for message in client] == []
        with pytest.raises(ouch.LoginRefused, match="not authorized"):
            await ouch.OuchClient("127.0.0.1", port, "OUCH1", "wrong").connect()

    port = free_port()
    with process("tests.support.nasdaq_server", venue.__file__, str(port), port=port):
        run(script(port))


def enter(token: str, shares: int) -> ouch.EnterOrder:
    return ouch.EnterOrder(
        order_token=token, buy_sell="B", shares=shares, stock="BTCUSD", price="100.5", firm="ACME"
    )
