"""An OUCH 4.2 client over SoupBinTCP for asyncio: orders out, the session's messages in.

    async with OuchClient("127.0.0.1", 9879, "OUCH1", "portcull") as client:
        await client.send(EnterOrder(order_token="1", buy_sell="B", shares=5000,
                                     stock="BTCUSD", price="101"))
        async for message in client:
            ...

Owns what a message is: those of `ouch_messages`. The place in the session is kept by `soup`: each
connection goes on behind the last message that `receive` gave, and `rewind` sets it elsewhere. For
another process, hand over `session` and `next_sequence`.

Must not know journals, engines or rows. More in docs/clients.md.
"""

from __future__ import annotations

import time

from portcullis.client.errors import ClientError, ConnectionLost, LoginRefused, SessionEnded
from portcullis.client.ouch_messages import (
    IMMEDIATE_OR_CANCEL,
    MARKET_HOURS,
    SYSTEM_HOURS,
    Accepted,
    AiqCanceled,
    BrokenTrade,
    Canceled,
    CancelOrder,
    CancelPending,
    CancelReject,
    EnterOrder,
    Executed,
    ModifyOrder,
    OrderModified,
    OrderPriorityUpdate,
    Rejected,
    Replaced,
    ReplaceOrder,
    Report,
    Request,
    SystemEvent,
    decode,
    encode,
)
from portcullis.client.soup import SoupClientSession

__all__ = [
    "IMMEDIATE_OR_CANCEL",
    "MARKET_HOURS",
    "SYSTEM_HOURS",
    "Accepted",
    "AiqCanceled",
    "BrokenTrade",
    "CancelOrder",
    "CancelPending",
    "CancelReject",
    "Canceled",
    "ClientError",
    "ConnectionLost",
    "EnterOrder",
    "Executed",
    "LoginRefused",
    "ModifyOrder",
    "OrderModified",
    "OrderPriorityUpdate",
    "OuchClient",
    "Rejected",
    "ReplaceOrder",
    "Replaced",
    "Report",
    "Request",
    "SessionEnded",
    "SystemEvent",
]


class OuchClient(SoupClientSession[Report]):
    """One user's session. See the module on how it is used, `ClientSession` for what it can."""

    async def send(self, request: Request) -> None:
        """Send a message.

        ConnectionLost: there is no connection, or it broke while this waited for room. What was
        sent into a connection that broke may not have arrived; sent again it does no harm, for a
        token that is known is passed over.
        """
        octets = encode(request)
        link = self._up_link()
        self._machine.send(octets, time.monotonic_ns())
        link.flush()
        await link.drain()
        self._up_link()

    def _read(self, octets: bytes, sequence: int) -> Report:
        return decode(octets, sequence)
