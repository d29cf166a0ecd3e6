"""The OUCH client against a gateway that lives: trades, returns, refusals, a day's end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import TypeVar

import pytest

from portcullis.client.ouch import (
    Accepted,
    AiqCanceled,
    Canceled,
    CancelOrder,
    ConnectionLost,
    EnterOrder,
    Executed,
    LoginRefused,
    ModifyOrder,
    OrderModified,
    OuchClient,
    Rejected,
    Replaced,
    ReplaceOrder,
    Report,
    SessionEnded,
    SystemEvent,
)
from portcullis.gateway.auth import PasswordHash
from portcullis.gateway.operator_port import Request as OperatorRequest
from portcullis.gateway.operator_port import call
from tests.support.client_scripts import CONFIG, ouch_client, run
from tests.support.gateway_process import GatewayProcess


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One for all tests here: each has users of its own, and leaves nothing that may trade."""
    with_password = f'username = "OUCH9"\npassword_hash = "{PasswordHash.make(b"SECRET")}"'
    config = CONFIG.replace('username = "OUCH9"', with_password)
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), config) as gateway:
        yield gateway


def order(token: str, side: str, shares: int, price: str | None) -> EnterOrder:
    return EnterOrder(order_token=token, buy_sell=side, shares=shares, stock="BTCUSD", price=price)


Kind = TypeVar("Kind", bound=Report)


async def expect(client: OuchClient, kind: type[Kind]) -> Kind:
    """The next message, which must be of this kind."""
    message = await client.receive()
    assert isinstance(message, kind), message
    return message


async def begin(client: OuchClient) -> None:
    assert (await expect(client, SystemEvent)).event_code == "S"


def test_two_clients_trade_change_their_minds_and_part(gateway: GatewayProcess) -> None:
    async def script() -> None:
        async with ouch_client(gateway, "OUCH1") as seller, ouch_client(gateway, "OUCH2") as buyer:
            await begin(seller)
            await begin(buyer)
            await seller.send(order("s1", "S", 20_000, "100.5"))
            accepted = await expect(seller, Accepted)
            assert (accepted.order_token, accepted.shares) == ("s1", 20_000)
            assert (accepted.price, accepted.order_state) == (Decimal("100.5"), "L")
            await buyer.send(order("b1", "B", 5_000, "101"))
            await expect(buyer, Accepted)
            bought, sold = await expect(buyer, Executed), await expect(seller, Executed)
            assert (bought.executed_shares, bought.execution_price) == (5_000, Decimal("100.5"))
            assert (bought.liquidity_flag, sold.liquidity_flag) == ("R", "A")
            assert bought.match_number == sold.match_number
            await seller.send(order("s2", "B", 1, "101"))
            await expect(seller, Accepted)
            prevented = await expect(seller, AiqCanceled)
            assert (prevented.reason, prevented.execution_price) == ("Q", Decimal("100.5"))
            await seller.send(ModifyOrder(order_token="s1", buy_sell="T", shares=19_000))
            modified = await expect(seller, OrderModified)
            assert (modified.buy_sell, modified.shares) == ("T", 14_000)
            await seller.send(CancelOrder(order_token="s1", shares=18_000))
            assert (await expect(seller, Canceled)).decrement_shares == 1_000
            await seller.send(
                ReplaceOrder(
                    existing_order_token="s1",
                    replacement_order_token="s3",
                    shares=20_000,
                    price=Decimal("199999.99"),
                )
            )
            replaced = await expect(seller, Replaced)
            assert (replaced.shares, replaced.previous_order_token) == (15_000, "s1")
            await seller.send(order("s4", "S", 1, "100.505"))
            assert (await expect(seller, Rejected)).reason == "X"
            await seller.send(CancelOrder(order_token="s3"))
            canceled = await expect(seller, Canceled)
            assert (canceled.decrement_shares, canceled.reason) == (15_000, "U")
            assert seller.next_sequence == canceled.sequence + 1 == 11
        assert [message async for message in buyer] == []

    run(script())


@contextlib.asynccontextmanager
async def entered(client: OuchClient) -> AsyncIterator[None]:
    """Entered as soon as the gateway has seen that the connection before is gone."""
    while True:
        try:
            await client.__aenter__()
            break
        except LoginRefused:
            await asyncio.sleep(0.05)
    try:
        yield
    finally:
        await client.__aexit__(None, None, None)


def test_a_connection_that_breaks_misses_nothing_and_gives_nothing_twice(
    gateway: GatewayProcess,
) -> None:
    async def script() -> None:
        client = ouch_client(gateway, "OUCH3")
        given: list[Report] = []
        for stop_at in (1, 4, 30):
            async with entered(client):
                # A connection that breaks may take orders with it; a token that is known is
                # passed over.
                for number in range(30):
                    await client.send(order(str(number), "B", 1, "1"))
                async for message in client:
                    given.append(message)
                    if message.sequence == stop_at:
                        client.abort()
                        # What has come is asked for again.
                        break
        assert [message.sequence for message in given] == list(range(1, 31))
        client.rewind(1)
        async with entered(client):
            assert [await client.receive() for _ in given] == given
        newest = ouch_client(gateway, "OUCH3", sequence=0)
        async with entered(newest):
            assert newest.next_sequence == 31
            assert newest.session == client.session

    run(script())


def test_a_kill_loses_no_message_and_another_process_goes_on(gateway: GatewayProcess) -> None:
    async def script() -> None:
        client = ouch_client(gateway, "OUCH4")
        async with client:
            await client.send(order("a", "B", 1, "50"))
            await begin(client)
            await client.send(order("b", "B", 1, "50"))
            await expect(client, Accepted)
            await expect(client, Accepted)
            gateway.kill()
            with pytest.raises(ConnectionLost):
                await client.receive()
            with pytest.raises(ConnectionLost):
                await client.send(order("c", "B", 1, "50"))
        gateway.start()
        other = ouch_client(gateway, "OUCH4", session=client.session, sequence=3)
        async with other:
            assert (await expect(other, Accepted)).order_token == "b"
            # Sent again, since nobody knew whether it had arrived: a known token is passed over.
            await other.send(order("b", "B", 1, "50"))
            await other.send(order("c", "B", 1, "50"))
            assert (await expect(other, Accepted)).order_token == "c"

    run(script())


def test_a_login_that_cannot_be_is_refused_with_a_reason(gateway: GatewayProcess) -> None:
    async def script() -> None:
        for client, reason in (
            (ouch_client(gateway, "OUCH9", password="wrong"), "not authorized"),
            (ouch_client(gateway, "OUCH5", sequence=3), "no such number yet"),
            (ouch_client(gateway, "OUCH5", session="2020010101"), "is not kept"),
        ):
            with pytest.raises(LoginRefused, match=reason):
                await client.connect()
        async with ouch_client(gateway, "OUCH9", password="Secret") as first:
            await begin(first)
            with pytest.raises(LoginRefused, match="is connected already"):
                await ouch_client(gateway, "OUCH9", password="secret").connect()
            await first.send(order("a", "B", 1, "50"))
            await expect(first, Accepted)
        with pytest.raises(ValueError, match="username has at most 6 characters"):
            ouch_client(gateway, "TOOLONG")

    run(script())


def test_an_end_of_the_day_ends_the_loop_and_the_next_connection_begins_the_new_one(
    gateway: GatewayProcess,
) -> None:
    async def script() -> None:
        client = ouch_client(gateway, "OUCH6")
        async with client:
            await client.send(order("a", "B", 1, "50"))
            await begin(client)
            await expect(client, Accepted)
            first = client.session
            end = OperatorRequest(do="day end", who="tests", why="early close", args={})
            await asyncio.to_thread(call, gateway.data, end)
            rest = [message async for message in client]
            assert [type(message) for message in rest] == [Canceled, SystemEvent]
            with pytest.raises(SessionEnded, match=f"session {first} has ended"):
                await client.receive()
        async with client:
            await begin(client)
            assert int(client.session) == int(first) + 1
            await client.send(order("a", "B", 1, "50"))
            await expect(client, Accepted)
        client.rewind(2, first)
        async with client:
            assert [message.sequence async for message in client] == [2, 3, 4]

    run(script())
