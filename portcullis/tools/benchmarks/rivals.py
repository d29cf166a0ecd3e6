"""Other servers to stand beside ours: `python -m portcullis.tools.benchmarks.rivals NAME`.

echo: uvloop and BufferedProtocol, the bytes back as they come; the floor under any server here.
simplefix: uvloop, a session without store or validation, a report for each order.
quickfix: QuickFIX's acceptor through its Python face, dictionary off, file store.
Each prints its port as its first line and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, cast

import simplefix
import uvloop

from portcullis.tools.benchmarks.orders import GATEWAY, MAKER, TAKER, utc_now


class Echo(asyncio.BufferedProtocol):
    """Writes what it reads, a fresh bytes each time: what a full socket keeps must not change."""

    def __init__(self) -> None:
        self._buffer = bytearray(1 << 18)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._transport.write(bytes(memoryview(self._buffer)[:nbytes]))


class SimplefixAcceptor(asyncio.Protocol):
    """Logon, TestRequest, and a report for each order or cancel; nothing is kept or checked."""

    _order_ids = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = simplefix.FixParser()
        self._next_out = 1

    def data_received(self, data: bytes) -> None:
        self._parser.append_buffer(data)
        while (message := self._parser.get_message()) is not None:
            self._transport.write(self._answer(message))

    def _answer(self, message: Any) -> bytes:
        msg_type = message.message_type
        answer = simplefix.FixMessage()
        answer.append_pair(8, b"FIX.4.4")
        answer.append_pair(35, {b"1": b"0", b"A": b"A"}.get(msg_type, b"8"))
        answer.append_pair(34, self._next_out)
        answer.append_pair(49, GATEWAY)
        answer.append_pair(52, utc_now())
        answer.append_pair(56, message.get(49))
        self._next_out += 1
        if msg_type == b"1":
            answer.append_pair(112, message.get(112))
        elif msg_type == b"A":
            answer.append_pair(98, 0)
            answer.append_pair(108, message.get(108))
        else:
            cancel = msg_type == b"F"
            number = next(self._order_ids)
            answer.append_pair(6, 0)
            answer.append_pair(11, message.get(11))
            answer.append_pair(14, 0)
            answer.append_pair(17, number)
            answer.append_pair(37, number)
            answer.append_pair(39, 4 if cancel else 0)
            if cancel:
                answer.append_pair(41, message.get(41))
            answer.append_pair(54, message.get(54))
            answer.append_pair(55, message.get(55))
            answer.append_pair(150, 4 if cancel else 0)
            answer.append_pair(151, 0 if cancel else message.get(38))
        octets: bytes = answer.encode()
        return octets


QUICKFIX_SETTINGS = """
[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort={port}
SocketNodelay=Y
FileStorePath={directory}
StartTime=00:00:00
EndTime=00:00:00
BeginString=FIX.4.4
SenderCompID={gateway}
UseDataDictionary=N
[SESSION]
TargetCompID={maker}
[SESSION]
TargetCompID={taker}
"""


def serve_quickfix() -> None:
    """Serve until standard input ends."""
    import quickfix as fix

    class Acceptor(fix.Application):  # type: ignore[misc]
        _order_ids = itertools.count(1)

        def onCreate(self, session_id: Any) -> None: ...
        def onLogon(self, session_id: Any) -> None: ...
        def onLogout(self, session_id: Any) -> None: ...
        def toAdmin(self, message: Any, session_id: Any) -> None: ...
        def fromAdmin(self, message: Any, session_id: Any) -> None: ...
        def toApp(self, message: Any, session_id: Any) -> None: ...

        def fromApp(self, message: Any, session_id: Any) -> None:
            cancel = message.getHeader().getField(35) == "F"
            number = str(next(self._order_ids))
            report = fix.Message()
            report.getHeader().setField(35, "8")
            for tag, value in ((6, "0"), (14, "0"), (17, number), (37, number)):
                report.setField(tag, value)
            for tag in (11, 54, 55):
                report.setField(tag, message.getField(tag))
            state = "4" if cancel else "0"
            report.setField(39, state)
            report.setField(150, state)
            report.setField(151, "0" if cancel else message.getField(38))
            fix.Session.sendToTarget(report, session_id)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "acceptor.cfg")
        path.write_text(
            QUICKFIX_SETTINGS.format(
                port=port, directory=directory, gateway=GATEWAY, maker=MAKER, taker=TAKER
            )
        )
        settings = fix.SessionSettings(str(path))
        acceptor = fix.SocketAcceptor(Acceptor(), fix.FileStoreFactory(settings), settings)
        acceptor.start()
        print(port, flush=True)
        sys.stdin.read()
        acceptor.stop()


async def serve(protocol: type[asyncio.BaseProtocol]) -> None:
    """Serve the protocol until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    watch = threading.Thread(
        target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True
    )
    watch.start()
    await ended.wait()
    server.close()


if __name__ == "__main__":
    if sys.argv[1] == "quickfix":
        serve_quickfix()
    else:
        uvloop.run(serve({"echo": Echo, "simplefix": SimplefixAcceptor}[sys.argv[1]]))
