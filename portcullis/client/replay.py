"""A stream's replay port for asyncio: messages from any number on over TCP, and snapshots.

    async with ReplayClient("127.0.0.1", 9883, sequence=1000) as replay:
        while True:
            sequence, messages = await replay.receive_some()

Each connection goes on behind the last message that was given, as `soup` has it. `take_snapshot`
asks for the state instead: open orders and the session's positions before a number, for who comes
late.

Must not know the multicast lines (`reports`), nor journals, engines or rows. Specification: NASDAQ
SoupBinTCP 3.00; more in docs/subscribing.md.
"""

from __future__ import annotations

from typing import NamedTuple

from portcullis.client.errors import ConnectionLost
from portcullis.client.soup import SoupClientSession
from portcullis.codecs.sbe.messages import Value, report_stream

USERNAME = "REPORT"  # a replay asks for a password at most
SNAPSHOT = "SNAPSHOT"


class ReplayClient(SoupClientSession[bytes]):
    """One connection after the other to a replay port; see `ClientSession` for what it can.

    session, sequence: where to begin; without a session, in the live one. 0 is its newest message.
    """

    _NOT_AVAILABLE = "it is not kept, or has no such number yet"

    def __init__(
        self, host: str, port: int, *, password: str = "", session: str = "", sequence: int = 1
    ) -> None:
        super().__init__(host, port, USERNAME, password, session=session, sequence=sequence)

    async def receive_some(self) -> tuple[int, list[bytes]]:
        """All messages that have come, one at least, and the number of the first; as `receive`."""
        sequence = self.next_sequence
        messages = [await self.receive()]
        while self._queue:
            messages.append(await self.receive())
        return sequence, messages

    def _read(self, octets: bytes, sequence: int) -> bytes:
        return octets


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
