"""What both clients share, against servers that misbehave: bounds, and ends that are told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from portcullis.client.ouch import (
    ConnectionLost,
    LoginRefused,
    OuchClient,
    Replaced,
    SessionEnded,
)
from portcullis.codecs.soupbintcp import packets
from portcullis.codecs.soupbintcp.packets import packet
from tests.support.client_scripts import run

SESSION = b"2026112101"
LOGIN_BYTES = 49

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def replaced(number: int) -> bytes:
    """A sequenced message, the longest there is, with its number for a token."""
    return packet("S", b"U" + bytes(8) + b"%-14d" % number + bytes(57))


@asynccontextmanager
async def served_by(server: Server, **settings: int | float) -> AsyncIterator[OuchClient]:
    """A client of a server that has taken its login request; not connected yet."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(LOGIN_BYTES)
            await server(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        yield OuchClient("127.0.0.1", port, "OUCH1", **settings)  # type: ignore[arg-type]


async def until_logout(reader: asyncio.StreamReader) -> None:
    """Read heartbeats, as many as there are time for, and the Logout Request behind them."""
    while (octets := await reader.readexactly(3)) == packets.CLIENT_HEARTBEAT:
        continue
    assert octets == packets.LOGOUT_REQUEST


def test_a_reader_that_is_slow_holds_the_server_up_and_misses_nothing() -> None:
    count = 12_000  # 1 MB
    one_read = (1 << 18) // len(replaced(1))

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packets.login_accepted(SESSION, 1))
        writer.write(b"".join(map(replaced, range(1, count + 1))))
        await until_logout(reader)

    async def script() -> None:
        async with served_by(server, queue_max=100) as client, client:
            for number in range(1, count + 1):
                message = await client.receive()
                assert isinstance(message, Replaced)
                assert message.replacement_order_token == str(number)
                assert len(client._queue) <= 100 + one_read
                await asyncio.sleep(0)  # what has arrived may be read

    run(script())


def test_messages_before_an_end_are_given_before_it_is_told() -> None:
    async def server(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packets.login_accepted(SESSION, 1) + replaced(1) + replaced(2))
        writer.write(packets.debug("no more for you"))

    async def script() -> None:
        async with served_by(server) as client, client:
            tokens = []
            with pytest.raises(ConnectionLost, match=r"^no more for you$"):
                async for message in client:
                    assert isinstance(message, Replaced)
                    tokens.append(message.replacement_order_token)
            assert tokens == ["1", "2"]
            assert not client.is_up
            with pytest.raises(ConnectionLost, match="no more for you"):
                await client.receive()

    run(script())


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (b"", ConnectionLost, "closed the connection before it answered the login"),
        (packets.NOT_AUTHORIZED, LoginRefused, "^not authorized$"),
        (packet("J", b"?"), LoginRefused, r"b'\?'"),
        (packet("S", b"early"), ConnectionLost, "'S' was not to be expected"),
        (packets.login_accepted(b"OTHER", 5), LoginRefused, "would give .*OTHER.* 5"),
        (packets.login_accepted(SESSION, 6), LoginRefused, "would give .*2026112101.* 6"),
    ],
)
def test_a_login_that_comes_to_nothing_says_why(
    answer: bytes, error: type[Exception], text: str
) -> None:
    async def server(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async def script() -> None:
        async with served_by(server) as client:
            client.rewind(5, SESSION.decode())
            with pytest.raises(error, match=text):
                await client.connect()
            assert not client.is_up
            await client.close()

    run(script())


def test_a_server_that_does_not_answer_the_login_is_given_up() -> None:
    async def server(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def script() -> None:
        async with served_by(server, login_timeout_s=0.2) as client:
            with pytest.raises(ConnectionLost, match=r"127.0.0.1:\d+: no answer in 0.2 s"):
                await client.connect()

    run(script())


def test_a_connect_that_is_cancelled_leaves_no_connection() -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        assert await reader.read() == b""
        hung_up.set()

    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def script() -> None:
        async with served_by(server) as client:
            task = asyncio.create_task(client.connect())
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await hung_up.wait()
            with pytest.raises(SessionEnded, match="given up"):
                await client.receive()

    run(script())


def test_a_server_that_ignores_a_logout_is_left_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("portcullis.client.session.LOGOUT_TIMEOUT_S", 0.2)

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packets.login_accepted(SESSION, 1))
        await reader.read()

    async def script() -> None:
        async with served_by(server) as client, client:
            pass
        with pytest.raises(SessionEnded, match="logged out"):
            await client.receive()

    run(script())


def test_a_client_is_connected_once_at_a_time_and_not_before_it_is_asked() -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packets.login_accepted(SESSION, 1))
        await until_logout(reader)

    async def script() -> None:
        async with served_by(server) as client:
            with pytest.raises(SessionEnded, match="never connected"):
                await client.receive()
            async with client:
                with pytest.raises(RuntimeError, match="connected already"):
                    await client.connect()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.receive(), 0.05)

    run(script())


def test_a_message_that_cannot_be_read_ends_the_connection() -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(packets.login_accepted(SESSION, 1) + packet("S", b"?"))
        await reader.read()

    async def script() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        async with served_by(server) as client, client:
            with pytest.raises(ConnectionLost, match="message 1 is none of OUCH"):
                await client.receive()

    run(script())


def test_nobody_there_is_told_without_the_system_s_number() -> None:
    async def main() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        with pytest.raises(ConnectionLost, match=rf"^127.0.0.1:{port}: Connection refused$"):
            await OuchClient("127.0.0.1", port, "OUCH1", "portcull").connect()

    asyncio.run(main())
