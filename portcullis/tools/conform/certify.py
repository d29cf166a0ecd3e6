"""Plays the venue: walks a client under test through scenarios, telling its developer what to do.

Owns what differs where the tool listens: connections are waited for, the client's Logon is
answered, Heartbeats are kept up while a person reads. Numbers go on from scenario to scenario, as
they do between a client and its venue; a client may begin anew by 141=Y. Must not know how
results are shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from portcullis.tools.conform.fix_party import HEART_BT_INT_S, FixParty
from portcullis.tools.conform.link import Arrival, StreamLink, TargetError
from portcullis.tools.conform.matching import FieldCheck, Grade
from portcullis.tools.conform.party import Party
from portcullis.tools.conform.results import Line, Result, Run
from portcullis.tools.conform.runner import Lane, ScenarioRun, StepFailed
from portcullis.tools.conform.scenario import Scenario, Step, Timing, Verb
from portcullis.tools.conform.schedule import id_maker
from portcullis.tools.conform.target import Client, Target
from portcullis.tools.conform.values import number_of, utc
from portcullis.tools.conform.wire import Fields, Message


class Door:
    """Where the client connects to; a connection waits here until a scenario takes it."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
        self._waiting = asyncio.Queue(1)
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; give the port. TargetError where that cannot be done."""
        try:
            self._server = await asyncio.start_server(self._come, host, port)
        except OSError as error:
            raise TargetError(f"cannot listen on {host}:{port}: {error.strerror}") from None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._waiting.full():
            writer.transport.abort()
        else:
            self._waiting.put_nowait((reader, writer))

    async def next(self, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The next connection; StepFailed where none comes in time."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._waiting.get()
        except TimeoutError:
            raise StepFailed(f"nobody connected within {timeout_s:g} s") from None

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


class VenueParty(FixParty):
    """The venue's side of the client's session. Outlives scenarios."""

    heart_bt_s = float(HEART_BT_INT_S)
    # Numbers that the client skipped in its Logon: from the one to before the other.
    skipped = (0, 0)
    _them = ""

    @property
    def us(self) -> str:
        return self.target.comp_id

    @property
    def them(self) -> str:
        return self._them

    def on_connect(self) -> None:
        """Numbers go on."""

    def encode(self, msg_type: str, fields: Fields, counts: bool) -> bytes:
        # Our Logon answers theirs, which was counted: it does not begin their numbers anew.
        next_in = self.next_in
        octets = super().encode(msg_type, fields, counts)
        self.next_in = next_in
        return octets

    def header_checks(self, step: Step, message: Message) -> list[FieldCheck]:
        if message.type == "A":
            self._meet(message)
        return super().header_checks(step, message)

    def _meet(self, message: Message) -> None:
        """Whoever logs on is the client; it may begin anew, and must the first time.

        A client may have used numbers on what reached nobody: they are skipped and asked for.
        """
        self._them = message.get("49") or ""
        number = number_of(message.get("34")) or 1
        if message.get("141") == "Y":
            self.next_out = self.next_in = 1
        elif not self.is_known:
            self.next_in = number
        elif number > self.next_in:
            self.skipped, self.next_in = (self.next_in, number), number
        self.heart_bt_s = float(number_of(message.get("108") or HEART_BT_INT_S) or 0)

    def is_passed_over(self, message: Message, expected: Sequence[Step]) -> bool:
        """What fills the numbers skipped at the Logon is no part of a scenario."""
        number = number_of(message.get("34")) or 0
        fills = message.get("43") == "Y" and self.skipped[0] <= number < self.skipped[1]
        return fills or super().is_passed_over(message, expected)

    def answer(self, message: Message) -> Fields:
        """What our Logon says to theirs."""
        fields = [("98", "0"), ("108", message.get("108") or HEART_BT_INT_S)]
        if message.get("141") == "Y":
            fields.append(("141", "Y"))
        return fields


class VenueRun(ScenarioRun):
    """One scenario as the venue."""

    def __init__(self, door: Door, party: VenueParty, *arguments: object) -> None:
        self._door = door
        self._venue = party
        super().__init__(*arguments)  # type: ignore[arg-type]

    def _party(self, letter: str, client: Client) -> Party:
        return self._venue

    async def _accept(self, client: Party) -> None:
        assert isinstance(client, VenueParty)
        await client.drop()
        reader, writer = await self._door.next(self._target.patience_s)
        client.link = StreamLink(reader, writer, client.new_wire())
        client.on_connect()
        self._note(client, "-", "connected")

    async def _log_on(self, client: Party, step: Step) -> None:
        """Wait for a Logon and answer it. A connection that is up already is kept."""
        assert isinstance(client, VenueParty)
        if client.link is not None:
            return
        await self._accept(client)
        expected = Step(step.line, step.text, Verb.EXPECT, step.client, "A", step.fields)
        arrival = await self._next(client, None, [])
        if arrival is not None and arrival.message is not None:
            client.open_link().put_back(arrival)
        await self._expect(client, [expected])
        client.is_known = True
        assert arrival is not None and arrival.message is not None
        await self._send(client, "A", tuple(client.answer(arrival.message)), True)
        if client.skipped[0] < client.skipped[1] == int(arrival.message.get("34") or 0):
            await self._send(client, "2", (("7", str(client.skipped[0])), ("16", "0")), True)

    async def _next(
        self, client: Party, timing: Timing | None, expected: Sequence[Step]
    ) -> Arrival | None:
        """While a person reads, the session is kept up: Heartbeats, answers to what is asked."""
        assert isinstance(client, VenueParty)
        limit_s = timing.latest_s if timing else self._target.patience_s
        if timing is not None and timing.since:
            return await super()._next(client, timing, expected)
        end_s = self._loop.time() + limit_s
        wanted = {step.message for step in expected}
        while (left_s := end_s - self._loop.time()) > 0:
            slice_s = min(left_s, client.heart_bt_s or left_s)
            arrival = await super()._next(client, Timing(0.0, slice_s), expected)
            if arrival is None:
                if client.is_known and client.heart_bt_s and left_s > slice_s:
                    await self._send(client, "0", (), True)
                continue
            message = arrival.message
            if message is None or message.type not in {"1", "2"} - wanted:
                return arrival
            client.took(message)
            self._note(client, "<", client.wire.shown(message.octets))
            if message.type == "1":
                await self._send(client, "0", (("112", message.get("112") or ""),), True)
            else:
                await self._fill(client, message)
        return None

    async def _fill(self, client: VenueParty, request: Message) -> None:
        """Answer a ResendRequest: what was sent belongs to scenarios that are over."""
        fill = {
            "34": request.get("7") or "1", "43": "Y", "122": utc(self._now_ns()),
            "123": "Y", "36": str(client.next_out),
        }  # fmt: skip
        await self._send(client, "4", tuple(fill.items()), False)

    async def _leave(self) -> None:
        """The connection stays for the next scenario, unless this one fell."""


async def certify(
    door: Door,
    target: Target,
    scenarios: Sequence[Scenario],
    grade: Grade,
    begins: Callable[[Scenario], None],
    said: Callable[[Line], None],
    told: Callable[[Result], None],
) -> Run:
    """Walk the client through the scenarios, one after the other.

    begins: told each scenario before it runs; said: each line of it; told: its result.
    """
    started = time.time_ns()
    begin_s = time.monotonic()
    fresh = id_maker(started)
    run = Run(
        "the client under test",
        grade,
        time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started // 1_000_000_000)),
    )
    venue = VenueParty("A", Client("CLIENT"), target, time.time_ns)
    lane = Lane((venue.client,), target.meant_for("fix")[1][0])
    for scenario in scenarios:
        begins(scenario)
        one = VenueRun(door, venue, scenario, target, lane, grade, fresh, time.time_ns, said)
        result = await one.run()
        if result.failure is not None:
            # What the client knows of our numbers is not known any more.
            await venue.drop()
            venue.is_known = False
        told(result)
        run.results.append(result)
    if venue.link is not None:
        await venue.link.send(venue.encode("5", [], True), 1.0)
        await venue.drop()
    run.seconds = time.monotonic() - begin_s
    return run
