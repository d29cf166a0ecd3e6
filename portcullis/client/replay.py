"""A stream's replay port for asyncio: messages from any number on over TCP, and snapshots.

    async with ReplayClient("127.0.0.1", 9883, sequence=1000) as replay:
        while True:
            sequence, messages = await replay.receive_some()

Owns the place in one session of the stream around `sessions.soup_client`. Each connection goes on
behind the last message that was given. `take_snapshot` asks for the state instead: open orders and
the session's positions before a number, for who comes late.

Must not know the multicast lines (`reports`), nor journals, engines or rows. Specification: NASDAQ
SoupBinTCP 3.00; more in docs/multicast.md.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from portcullis.client.errors import ClientError, ConnectionLost, LoginRefused, SessionEnded
from portcullis.client.session import LOGIN_TIMEOUT_S, QUEUE_MAX, ClientSession
from portcullis.codecs.sbe.messages import Value, report_stream
from portcullis.codecs.soupbintcp import packets
from portcullis.sessions import soup_client as soup

USERNAME = "REPORT"  # a replay asks for a password at most
SNAPSHOT = "SNAPSHOT"


class ReplayClient(ClientSession[bytes]):
    """One connection after the other to a replay port; see `ClientSession` for what it can.

    session, sequence: where to begin; without a session, in the live one. 0 is its newest message.
    next_sequence: of the message that is given next.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        password: str = "",
        session: str = "",
        sequence: int = 1,
        queue_max: int = QUEUE_MAX,
        login_timeout_s: float = LOGIN_TIMEOUT_S,
    ) -> None:
        super().__init__(host, port, queue_max=queue_max, login_timeout_s=login_timeout_s)
        packets.login_request(USERNAME, password, session, sequence)  # can it be said?
        self.session = session
        self.next_sequence = sequence
        self._password = password
        self._machine = soup.SoupClient()

    async def receive(self) -> bytes:
        """The next message. ConnectionLost, SessionEnded: there is none, and why."""
        message = await super().receive()
        self.next_sequence += 1
        return message

    async def receive_some(self) -> tuple[int, list[bytes]]:
        """All messages that have come, one at least, and the number of the first; as `receive`."""
        sequence = self.next_sequence
        messages = [await self.receive()]
        while self._queue:
            messages.append(await self.receive())
        return sequence, messages

    # --- what `ClientSession` asks for -----------------------------------------------------------

    def _now_ns(self) -> int:
        return time.monotonic_ns()

    def _begin(self) -> soup.SoupClient:
        self._queue.clear()  # asked for again, from the first that was not given
        self._machine = soup.SoupClient()
        return self._machine

    def _log_in(self) -> None:
        self._machine.login(
            USERNAME,
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
                self._put(event.octets)
            elif isinstance(event, soup.Accepted):
                self.session, self.next_sequence = event.session, event.sequence
                self._logged_in()
            elif isinstance(event, soup.Ended):
                self._end_link(SessionEnded(f"session {self.session} has ended"))
            elif isinstance(event, soup.Refused):
                self._end_link(LoginRefused(event.reason))
            elif isinstance(event, soup.Failed):
                self._end_link(ConnectionLost(event.reason))
            elif isinstance(event, soup.Debugged):
                self._said = event.text


class Snapshot(NamedTuple):
    """What held before message `sequence` of the stream's `session`.

    orders: fields of an ExecutionReport for each open order, ExecType OrderStatus. positions: what
    each account has bought and sold in the session.
    """

    session: str
    sequence: int
    orders: list[dict[str, Value]]
    positions: list[dict[str, Value]]


async def take_snapshot(host: str, port: int, *, password: str = "") -> Snapshot:
    """Ask for one. LoginRefused where there is none, or none yet; ConnectionLost."""
    found: dict[str, list[dict[str, Value]]] = {}
    async with ReplayClient(host, port, password=password, session=SNAPSHOT) as replay:
        async for octets in replay:
            name, values = report_stream().decode(octets)
            found.setdefault(name, []).append(values)
    end = found.get("EndOfSnapshot", [{}])[0]
    session, sequence = end.get("streamSession"), end.get("nextSequence")
    if not isinstance(session, str) or not isinstance(sequence, int):
        raise ConnectionLost("the snapshot ended early")
    return Snapshot(session, sequence, found.get("ExecutionReport", []), found.get("Position", []))
