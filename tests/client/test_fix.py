"""The FIX client against a gateway that lives: trades, returns, refusals, restarts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import trustme

from portcullis.client.fix import (
    BusinessMessageReject,
    ConnectionLost,
    ExecType,
    ExecutionReport,
    FixClient,
    LoginRefused,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    OrdType,
    Reject,
    Request,
    SessionEnded,
    Side,
    TimeInForce,
)
from portcullis.tools.gateway_process import free_port
from tests.support.client_scripts import CONFIG, fix_client, run
from tests.support.gateway_process import GatewayProcess


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One for all tests here: each has clients of its own, and leaves nothing that may trade."""
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), CONFIG) as gateway:
        yield gateway


def order(cl_ord_id: str, side: str, qty: str, price: str, **more: str) -> NewOrderSingle:
    return NewOrderSingle(
        cl_ord_id=cl_ord_id, symbol="BTC-USD", side=side, order_qty=qty, price=price, **more
    )


async def report(client: FixClient, exec_type: str) -> ExecutionReport:
    """The next message, which must be a report of this type."""
    message = await client.receive()
    assert isinstance(message, ExecutionReport), message
    assert message.exec_type == exec_type, message
    return message


def test_two_clients_trade_change_their_minds_and_part(gateway: GatewayProcess) -> None:
    async def script() -> None:
        async with (
            fix_client(gateway, "CLIENT1") as seller,
            fix_client(gateway, "CLIENT2") as buyer,
        ):
            assert await seller.send(order("s1", Side.SELL, "2", "100.5")) == 2
            new = await report(seller, ExecType.NEW)
            assert (new.cl_ord_id, new.ord_status) == ("s1", OrdStatus.NEW)
            assert (new.order_qty, new.price) == (Decimal(2), Decimal("100.5"))
            await buyer.send(order("b1", Side.BUY, "0.5", "101"))
            await report(buyer, ExecType.NEW)
            bought = await report(buyer, ExecType.TRADE)
            assert (bought.last_qty, bought.last_px) == (Decimal("0.5"), Decimal("100.5"))
            assert (bought.leaves_qty, bought.avg_px) == (0, Decimal("100.5"))
            sold = await report(seller, ExecType.TRADE)
            assert (sold.ord_status, sold.leaves_qty) == (
                OrdStatus.PARTIALLY_FILLED,
                Decimal("1.5"),
            )
            assert sold.get(527) == bought.get(527) != ""
            await seller.send(
                OrderCancelReplaceRequest(
                    cl_ord_id="s2",
                    orig_cl_ord_id="s1",
                    symbol="BTC-USD",
                    side=Side.SELL,
                    order_qty=Decimal("1.00"),
                    price=Decimal("1E+2"),
                    text="a better price",
                )
            )
            replaced = await report(seller, ExecType.REPLACED)
            assert (replaced.orig_cl_ord_id, replaced.price) == ("s1", 100)
            assert (replaced.leaves_qty, replaced.text) == (Decimal("0.5"), "a better price")
            await seller.send(OrderStatusRequest(cl_ord_id="s2", symbol="BTC-USD", side=Side.SELL))
            assert (await report(seller, ExecType.ORDER_STATUS)).order_id == new.order_id
            await seller.send(OrderMassStatusRequest(mass_status_req_id="all"))
            assert (await report(seller, ExecType.ORDER_STATUS)).get(584) == "all"
            await seller.send(
                OrderCancelRequest(
                    cl_ord_id="s3", orig_cl_ord_id="s1", symbol="BTC-USD", side=Side.SELL
                )
            )
            refused = await seller.receive()
            assert isinstance(refused, OrderCancelReject)
            assert (refused.cl_ord_id, refused.cxl_rej_reason) == ("s3", 1)
            await seller.send(OrderMassCancelRequest(cl_ord_id="m1"))
            mass = await seller.receive()
            assert isinstance(mass, OrderMassCancelReport)
            assert (mass.cl_ord_id, mass.total_affected_orders) == ("m1", 1)
            assert (await report(seller, ExecType.CANCELED)).order_id == new.order_id
            await buyer.send(
                NewOrderSingle(
                    cl_ord_id="b2",
                    symbol="BTC-USD",
                    side=Side.BUY,
                    order_qty=1,
                    ord_type=OrdType.MARKET,
                    time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
                )
            )
            await report(buyer, ExecType.NEW)
            assert (await report(buyer, ExecType.CANCELED)).leaves_qty == 0
        assert [message async for message in buyer] == []
        with pytest.raises(SessionEnded, match="logged out"):
            await buyer.receive()

    run(script())


def test_what_the_gateway_cannot_take_is_told_by_its_kind(gateway: GatewayProcess) -> None:
    async def script() -> None:
        async with fix_client(gateway, "CLIENT3") as client:
            number = await client.send(order("a", Side.BUY, "1", "50", more=((18, "6"),)))
            refused = await report(client, ExecType.REJECTED)
            assert (refused.ord_rej_reason, refused.ord_status) == (11, OrdStatus.REJECTED)
            assert refused.text == "Unsupported order term: ExecInst(18)"
            number = await client.send(order("b", Side.BUY, "1", "50", more=((999, "6"),)))
            rejected = await client.receive()
            assert isinstance(rejected, Reject)
            assert (rejected.ref_seq_num, rejected.ref_tag_id) == (number, 999)
            email = Email(more=((94, "0"), (147, "subject"), (33, "1"), (58, "line"), (164, "t")))
            number = await client.send(email)
            unsupported = await client.receive()
            assert isinstance(unsupported, BusinessMessageReject)
            assert (unsupported.ref_seq_num, unsupported.business_reject_reason) == (number, 3)

    run(script())


class Email(Request):
    """A message that FIX has, and the gateway no work for."""

    msg_type = b"C"


def test_what_came_meanwhile_follows_after_the_next_logon(gateway: GatewayProcess) -> None:
    async def script() -> None:
        seller = fix_client(gateway, "CLIENT4")
        async with seller, fix_client(gateway, "CLIENT5") as buyer:
            await seller.send(order("s1", Side.SELL, "3", "200"))
            await report(seller, ExecType.NEW)
            seller.abort()
            for number in range(3):
                await buyer.send(order(f"b{number}", Side.BUY, "1", "200"))
                await report(buyer, ExecType.NEW)
                await report(buyer, ExecType.TRADE)
            assert not seller.is_up
            with pytest.raises(ConnectionLost, match="aborted"):
                await seller.send(order("s2", Side.SELL, "1", "200"))
        async with seller:
            fills = [await report(seller, ExecType.TRADE) for _ in range(3)]
        assert [fill.leaves_qty for fill in fills] == [2, 1, 0]
        assert [fill.msg_seq_num for fill in fills] == [3, 4, 5]
        assert all(fill.poss_dup for fill in fills)

    run(script())


def test_a_kill_loses_nothing_that_was_sent(gateway: GatewayProcess) -> None:
    async def script() -> None:
        async with fix_client(gateway, "CLIENT6") as client:
            await client.send(order("a", Side.BUY, "1", "50"))
            await report(client, ExecType.NEW)
            gateway.kill()
            # The client cannot know yet.
            assert await client.send(order("b", Side.BUY, "1", "50")) == 3
            with pytest.raises(ConnectionLost):
                await client.receive()
        with pytest.raises(ConnectionLost, match=f"127.0.0.1:{gateway.port}: .*refused|Connect"):
            await client.connect()
        gateway.start()
        async with client:
            assert (await report(client, ExecType.NEW)).cl_ord_id == "b"

    run(script())


def test_another_process_goes_on_with_the_numbers(gateway: GatewayProcess) -> None:
    async def script() -> None:
        async with fix_client(gateway, "CLIENT7") as first:
            for name in "abc":
                await first.send(order(name, Side.BUY, "1", "50"))
            await report(first, ExecType.NEW)
        # Two reports came before the answer to the logout, and nobody read them.
        assert (first.next_out, first.next_in) == (6, 3)
        second = fix_client(gateway, "CLIENT7", next_out=first.next_out, next_in=first.next_in)
        async with second:
            again = [await report(second, ExecType.NEW) for _ in range(2)]
            assert [one.cl_ord_id for one in again] == ["b", "c"]
            await second.send(order("d", Side.BUY, "1", "50"))
            assert (await report(second, ExecType.NEW)).cl_ord_id == "d"

    run(script())


def test_numbers_that_are_lost_are_told_and_can_be_reset(gateway: GatewayProcess) -> None:
    async def script() -> None:
        async with fix_client(gateway, "CLIENT8") as client:
            await client.send(order("a", Side.BUY, "1", "50"))
            await report(client, ExecType.NEW)
        with pytest.raises(LoginRefused, match="MsgSeqNum too low, expecting 4 but received 1"):
            await fix_client(gateway, "CLIENT8").connect()
        fresh = fix_client(gateway, "CLIENT8", reset=True)
        async with fresh:
            assert await fresh.send(order("b", Side.BUY, "1", "50")) == 2
            assert (await report(fresh, ExecType.NEW)).msg_seq_num == 2
            fresh.abort()
        async with fresh:  # and goes on from there
            assert await fresh.send(order("c", Side.BUY, "1", "50")) == 4
            assert (await report(fresh, ExecType.NEW)).msg_seq_num == 4

    run(script())


def test_a_session_that_begins_anew_each_time_can_be_agreed_on(gateway: GatewayProcess) -> None:
    async def script() -> None:
        client = fix_client(gateway, "CLIENT2", reset_on_logon=True)
        for name in "xyz":
            async with client:
                assert await client.send(order(name, Side.BUY, "1", "50")) == 2
                assert (await report(client, ExecType.NEW)).msg_seq_num == 2

    run(script())


def test_a_stranger_is_refused_with_a_reason(gateway: GatewayProcess) -> None:
    async def script() -> None:
        with pytest.raises(LoginRefused, match="CompIDs, address or password"):
            await fix_client(gateway, "NOBODY").connect()

    run(script())


def test_a_gateway_that_stops_says_so(gateway: GatewayProcess) -> None:
    async def script() -> None:
        async with fix_client(gateway, "CLIENT9") as client:
            await client.send(order("a", Side.BUY, "1", "50"))
            assert await asyncio.to_thread(gateway.stop) == 0
            await report(client, ExecType.NEW)
            with pytest.raises(ConnectionLost, match="logged out: "):
                await client.receive()
        gateway.start()
        async with client:
            await client.send(OrderMassStatusRequest(mass_status_req_id="m"))
            await report(client, ExecType.ORDER_STATUS)

    run(script())


def test_it_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(str(tmp_path / "chain.pem"), append=number > 0)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    port = free_port()
    config = CONFIG.replace("[listen]", f'[listen]\nfix_tls = "127.0.0.1:{port}"')
    config += '\n[tls]\ncertificate = "chain.pem"\nkey = "key.pem"\n'

    async def script() -> None:
        client = FixClient("localhost", port, "CLIENT1", "PORTCULLIS", tls=context)
        async with client:
            await client.send(order("a", Side.BUY, "1", "100"))
            await report(client, ExecType.NEW)
        suspicious = ssl.create_default_context()
        client = FixClient("localhost", port, "CLIENT1", "PORTCULLIS", tls=suspicious)
        with pytest.raises(ConnectionLost, match="certificate verify failed"):
            await client.connect()

    with GatewayProcess(tmp_path, config):
        run(script())
