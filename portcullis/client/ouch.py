"""An OUCH 4.2 client over SoupBinTCP for asyncio: orders out, the session's messages in.

    async with OuchClient("127.0.0.1", 9879, "OUCH1", "portcull") as client:
        await client.send(EnterOrder(order_token="1", buy_sell="B", shares=5000,
                                     stock="BTCUSD", price="101"))
        async for message in client:
            ...

Owns the place in one user's session around `sessions.soup_client`; messages are those of
`ouch_messages`. Each connection goes on behind the last message that `receive` gave, so none is
missed and none comes twice; `rewind` sets the place elsewhere. For another process, hand over
`session` and `next_sequence`.

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
from portcullis.client.session import LOGIN_TIMEOUT_S, QUEUE_MAX, ClientSession
from portcullis.codecs.soupbintcp import packets
from portcullis.sessions import soup_client as soup

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

_REFUSED = {
    "session not available": ": it is not kept, has no such number yet, or is connected already"
}


class OuchClient(ClientSession[Report]):
    """One user's session. See the module on how it is used, `ClientSession` for what it can.

    session, sequence: where to begin; without a session, in the current one. 0 is its newest
    message. ValueError where name or password is too long for SoupBinTCP.
    """

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str = "",
        *,
        session: str = "",
        sequence: int = 1,
        queue_max: int = QUEUE_MAX,
        login_timeout_s: float = LOGIN_TIMEOUT_S,
    ) -> None:
        super().__init__(host, port, queue_max=queue_max, login_timeout_s=login_timeout_s)
        packets.login_request(username, password, session, sequence)  # can it be said?
        self.session = session
        self.next_sequence = sequence
        self._username = username
        self._password = password
        self._machine = soup.SoupClient()
        self._has_ended = False

    def rewind(self, sequence: int, session: str | None = None) -> None:
        """The next connection begins at this message, of this session, or the one it was in."""
        self.next_sequence = sequence
        if session is not None:
            self.session = session

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

    async def receive(self) -> Report:
        """The next message. ConnectionLost, SessionEnded: there is none, and why."""
        try:
            message = await super().receive()
        except SessionEnded:
            if self._has_ended:
                self.rewind(1, "")
            raise
        self.next_sequence = message.sequence + 1
        return message

    # --- what `ClientSession` asks for -----------------------------------------------------------

    def _now_ns(self) -> int:
        return time.monotonic_ns()

    def _begin(self) -> soup.SoupClient:
        # Asked for again, from the first that was not given.
        self._queue.clear()
        self._has_ended = False
        self._machine = soup.SoupClient()
        return self._machine

    def _log_in(self) -> None:
        self._machine.login(
            self._username,
            self._password,
            time.monotonic_ns(),
            session=self.session,
            sequence=self.next_sequence,
        )

    def _begin_logout(self) -> None:
        self._machine.logout(time.monotonic_ns())

    def _unanswered(self, reason: str) -> ClientError:
        return ConnectionLost(f"{reason} before it answered the login")

    def _carry_out(self) -> None:
        for event in self._machine.events():
            if isinstance(event, soup.Sequenced):
                self._put(decode(event.octets, event.sequence))
            elif isinstance(event, soup.Accepted):
                self._accepted(event)
            elif isinstance(event, soup.Ended):
                self._has_ended = True
                self._end_link(SessionEnded(f"session {self.session} has ended"))
            elif isinstance(event, soup.Refused):
                self._end_link(LoginRefused(event.reason + _REFUSED.get(event.reason, "")))
            elif isinstance(event, soup.Failed):
                self._end_link(ConnectionLost(event.reason))
            elif isinstance(event, soup.Debugged):
                self._said = event.text

    def _accepted(self, event: soup.Accepted) -> None:
        asked, given = (self.session, self.next_sequence), (event.session, event.sequence)
        if asked[0] not in ("", given[0]) or asked[1] not in (0, given[1]):
            self._end_link(LoginRefused(f"asked for {asked}, the gateway would give {given}"))
            return
        self.session, self.next_sequence = given
        self._logged_in()
