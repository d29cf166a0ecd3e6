"""Runs one scenario against a target: step by step, every wait bounded.

Owns what each step does and when a scenario has fallen. Must not know files, corpora or reports,
nor what a protocol counts: that is the `Party`'s of each client.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from portcullis.tools.conform.fix_party import FixParty
from portcullis.tools.conform.link import CLOSED, Arrival, TargetError
from portcullis.tools.conform.matching import FieldCheck, Grade, Verdict, compare
from portcullis.tools.conform.mold_party import MoldParty
from portcullis.tools.conform.party import Party
from portcullis.tools.conform.results import Failure, Line, Outcome, Result
from portcullis.tools.conform.scenario import Scenario, Step, Timing, Verb, duration
from portcullis.tools.conform.soup_party import SoupParty
from portcullis.tools.conform.target import Client, Target
from portcullis.tools.conform.values import SOH, TemplateError, Values
from portcullis.tools.conform.wire import Message, WireError, fix_length_and_sum

# A target may need a moment to notice that the scenario before has hung up.
RETRIES = 20
RETRY_S = 0.1
# How long the answer to our Logout is waited for at the end.
GOODBYE_S = 0.5
TRANSCRIPT_MAX = 2_000
# Who speaks which protocol of a scenario.
PARTIES: dict[str, type[Party]] = {"fix": FixParty, "ouch": SoupParty, "moldudp64": MoldParty}


class StepFailed(Exception):
    """A step does not hold."""

    def __init__(self, what: str, checks: list[FieldCheck] | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.checks = tuple(checks or ())


@dataclass(frozen=True, slots=True)
class Lane:
    """What one scenario at a time may use: as many clients as it needs, and a symbol."""

    clients: tuple[Client, ...]
    symbol: str


class ScenarioRun:
    """One run of one scenario.

    fresh: makes ids never used before. now_ns: wall clock. said: told each line as it happens.
    """

    def __init__(
        self,
        scenario: Scenario,
        target: Target,
        lane: Lane,
        grade: Grade,
        fresh: Callable[[], str],
        now_ns: Callable[[], int],
        said: Callable[[Line], None] | None = None,
    ) -> None:
        self._scenario = scenario
        self._target = target
        self._grade = grade
        self._said = said
        self._loop = asyncio.get_running_loop()
        self._start_s = self._loop.time()
        self._transcript: list[Line] = []
        given = {
            "symbol": lane.symbol,
            "price": target.price,
            "qty": target.qty,
            "answer": "D" if target.application == "echo" else "8",
        }
        self._values = Values(given, fresh, now_ns)
        # What might have come, and did not in its time.
        self._maybes: list[Step] = []
        self._now_ns = now_ns
        self._clients: dict[str, Party] = {
            letter: self._party(letter, client)
            for letter, client in zip(scenario.clients, lane.clients, strict=False)
        }

    def _party(self, letter: str, client: Client) -> Party:
        kind = PARTIES[self._scenario.protocol]
        return kind(letter, client, self._target, self._now_ns)

    async def run(self) -> Result:
        """Carry out the steps; a scenario that lasts too long has fallen."""
        step = self._scenario.steps[0]
        failure = None
        try:
            async with asyncio.timeout(self._target.scenario_s):
                steps = self._scenario.steps
                place = 0
                while place < len(steps):
                    step = steps[place]
                    place += await self._do(step, steps, place)
        except StepFailed as error:
            failure = Failure(step.line, step.text, error.what, error.checks)
        except (TargetError, TemplateError, WireError) as error:
            failure = Failure(step.line, step.text, str(error))
        except TimeoutError:
            limit = self._target.scenario_s
            failure = Failure(step.line, step.text, f"the scenario took longer than {limit:g} s")
        await self._leave()
        return Result(
            self._scenario,
            Outcome.FAILED if failure else Outcome.PASSED,
            self._loop.time() - self._start_s,
            failure,
            transcript=self._transcript,
        )

    # --- steps -----------------------------------------------------------------------------------

    async def _do(self, step: Step, steps: tuple[Step, ...], place: int) -> int:
        """Carry out the step; give how many steps that were."""
        client = self._clients[step.client]
        match step.verb:
            case Verb.CONNECT:
                await self._connect(client)
            case Verb.DISCONNECT:
                await client.drop()
                self._note(client, "-", "disconnected")
            case Verb.LOGON:
                await self._log_on(client, step)
            case Verb.RESET:
                await self._reset(client, step)
            case Verb.LOGOUT:
                await self._log_out(client, step)
            case Verb.SEND | Verb.GARBLE:
                await self._send(client, step.message, step.fields, step.verb is Verb.SEND)
            case Verb.RAW | Verb.DRIP:
                await self._send_raw(client, step)
            case Verb.EXPECT:
                group = [step]
                for following in steps[place + 1 :]:
                    if following.verb not in (Verb.AND, Verb.OR):
                        break
                    group.append(following)
                await self._expect(client, group, one_of=group[-1].verb is Verb.OR)
                return len(group)
            case Verb.MAYBE:
                await self._maybe(client, step)
            case Verb.SILENT:
                await self._silent(client, step)
            case Verb.CLOSED:
                await self._closed(client, step.timing)
            case Verb.WAIT:
                await asyncio.sleep(duration(step.argument))
            case Verb.LET:
                name, _, template = step.argument.partition("=")
                self._values.known[name.strip()] = self._render(client, template.strip())
            case Verb.SAY:
                self._note(client, "!", self._render(client, step.argument))
            case Verb.OPERATE:
                await self._operate(client, step)
            case Verb.ACCEPT:
                await self._accept(client)
            case Verb.AND | Verb.OR:
                raise AssertionError("the reader lets it stand behind an expect only")
        return 1

    async def _connect(self, client: Party) -> None:
        await client.connect()
        self._note(client, "-", "connected")

    async def _operate(self, client: Party, step: Step) -> None:
        """Run the operator's command of the profile; without one a person is asked."""
        name, _, words = step.argument.partition(" ")
        command = self._target.operator.get(name)
        self._note(client, "!", words)
        if command is None:
            return
        # Split before values come in: what a target sends is never read as a command.
        arguments = [self._render(client, word) for word in shlex.split(command)]
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
        except OSError as error:
            raise StepFailed(f"the operator's command {name} failed: {error}") from None
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            text = said.decode("utf-8", "replace").strip()[-500:]
            raise StepFailed(f"the operator's command {name} failed: {text}")

    async def _accept(self, client: Party) -> None:
        raise StepFailed("waiting to be connected to is for `conform certify`")

    async def _log_on(self, client: Party, step: Step) -> None:
        """Connect and log on. Where numbers are not known they begin anew, with some patience:
        the target may not have noticed yet that the scenario before has gone."""
        for attempt in range(RETRIES):
            unknown = not client.is_known
            await self._connect(client)
            request, answers = client.logon(step)
            if request is not None:
                await self._send(client, request.message, request.fields, True)
            if unknown and attempt + 1 < RETRIES:
                arrival = await client.open_link().receive(self._target.patience_s)
                if arrival is not None and arrival.end == CLOSED:
                    client.forget()
                    await asyncio.sleep(RETRY_S)
                    continue
                if arrival is not None:
                    client.open_link().put_back(arrival)
            await self._expect(client, answers, one_of=True)
            client.is_known = True
            if unknown and client.past_s:
                await self._pass_over_the_past(client)
            return

    async def _pass_over_the_past(self, client: Party) -> None:
        """What was kept for the client before the scenario began is none of its business."""
        while (arrival := await client.open_link().receive(client.past_s)) is not None:
            if arrival.message is None:
                return
            client.took(arrival.message)

    async def _reset(self, client: Party, step: Step) -> None:
        if client.resets_by_itself:
            client.forget()
            return
        await self._log_on(client, step)
        await self._log_out(client, step)

    async def _log_out(self, client: Party, step: Step) -> None:
        request, answer = client.logout(step)
        if request is not None:
            await self._send(client, request.message, request.fields, True)
        if answer is not None:
            await self._expect(client, [answer])
        await client.drop()

    async def _send(
        self, client: Party, msg_type: str, templates: tuple[tuple[str, str], ...], counts: bool
    ) -> None:
        msg_type = self._render(client, msg_type)
        fields = [(name, self._render(client, template)) for name, template in templates]
        octets = client.encode(msg_type, fields, counts)
        client.sent(octets)
        self._note(client, ">", client.wire.shown(octets))
        await client.open_link().send(octets, self._target.patience_s)

    async def _send_raw(self, client: Party, step: Step) -> None:
        if step.in_order:
            octets = self._values.render_quickfix(step.argument).encode("latin-1")
            octets = fix_length_and_sum(octets)
        else:
            text = self._render(client, step.argument)
            if self._scenario.protocol == "fix":
                text = text.replace("|", SOH)
            octets = fix_length_and_sum(text.encode("latin-1"))
        client.sent(octets)
        self._note(client, ">", client.wire.shown(octets))
        link = client.open_link()
        if step.verb is Verb.RAW:
            await link.send(octets, self._target.patience_s)
            return
        for place in range(len(octets)):
            await link.send(octets[place : place + 1], self._target.patience_s)
            await asyncio.sleep(0.005)

    # --- what is to come -------------------------------------------------------------------------

    async def _expect(self, client: Party, group: list[Step], one_of: bool = False) -> None:
        """All messages of the group in any order, or one of them."""
        left = [replace(step, message=self._render(client, step.message)) for step in group]
        while left:
            timing = self._allowed(left[0].timing)
            arrival = await self._next(client, timing, left)
            if arrival is None:
                limit = timing.latest_s if timing else self._target.patience_s
                raise StepFailed(
                    f"nothing came within {limit:g} s; expected {self._names(client, left)}"
                )
            if arrival.message is None:
                raise StepFailed(f"{_ended(arrival)}; expected {self._names(client, left)}")
            found = [(step, *self._checks(client, step, arrival.message)) for step in left]
            found.sort(key=lambda one: sum(not check.holds for check in one[1]))
            step, checks, caught = found[0]
            self._note(client, "<", client.wire.shown(arrival.message.octets))
            if any(not check.holds for check in checks):
                raise StepFailed(self._difference(client, step, arrival.message), checks)
            client.took(arrival.message)
            self._values.known.update(caught)
            if one_of:
                return
            left.remove(step)

    def _checks(
        self, client: Party, step: Step, message: Message
    ) -> tuple[list[FieldCheck], dict[str, str]]:
        """Each field compared, and the values caught."""
        caught: dict[str, str] = {}
        checks = compare(
            step,
            message,
            self._grade,
            lambda template: (
                self._render(client, template)
                if not step.in_order
                else self._values.render_quickfix(template)
            ),
            caught,
        )
        if not step.in_order and step.message == message.type:
            checks += client.header_checks(step, message)
        return checks, caught

    def _difference(self, client: Party, step: Step, message: Message) -> str:
        wanted, got = client.wire.name(step.message), client.wire.name(message.type)
        if step.message != message.type:
            text = message.get("58")
            why = f' that says "{text}"' if text else ""
            return f"expected {wanted}, received {got}{why}"
        return f"the {got} differs"

    def _names(self, client: Party, steps: list[Step]) -> str:
        return ", ".join(client.wire.name(step.message) for step in steps)

    def _allowed(self, timing: Timing | None) -> Timing | None:
        return timing and replace(timing, latest_s=timing.latest_s + self._target.leeway_s)

    async def _next(
        self, client: Party, timing: Timing | None, expected: Sequence[Step]
    ) -> Arrival | None:
        """The next message that is not passed over, or the end; None: nothing in time."""
        link = client.open_link()
        begin_s = self._loop.time()
        if timing is None:
            earliest_s, latest_s = 0.0, begin_s + self._target.patience_s
        else:
            since_s, from_s = {
                "ours": (link.last_sent_s, link.last_sent_s),
                "theirs": (link.last_received_s, link.last_earliest_s),
            }.get(timing.since, (begin_s, begin_s))
            earliest_s, latest_s = from_s + timing.earliest_s, since_s + timing.latest_s
        while True:
            arrival = await link.receive(max(0.001, latest_s - self._loop.time()))
            if arrival is None or arrival.message is None:
                return arrival
            if client.is_passed_over(arrival.message, expected) or self._is_late(
                client, arrival.message, expected
            ):
                client.took(arrival.message)
                self._note(client, "<", client.wire.shown(arrival.message.octets))
                if self._loop.time() < latest_s:
                    continue
                return None
            if timing is not None and timing.since and arrival.at_s < earliest_s:
                early_s = earliest_s - arrival.at_s
                name = client.wire.name(arrival.message.type)
                raise StepFailed(f"{name} came {early_s:.2f} s too early")
            return arrival

    async def _maybe(self, client: Party, step: Step) -> None:
        arrival = await self._next(client, step.timing, [step])
        if arrival is None:
            self._maybes.append(step)
        if arrival is None or arrival.message is None:
            return
        checks, caught = self._checks(client, step, arrival.message)
        if all(check.holds for check in checks):
            self._note(client, "<", client.wire.shown(arrival.message.octets))
            client.took(arrival.message)
            self._values.known.update(caught)
        else:
            client.open_link().put_back(arrival)

    def _is_late(self, client: Party, message: Message, expected: Sequence[Step]) -> bool:
        """Whether it is none that is expected, and one that might have come before."""

        def holds(step: Step) -> bool:
            return all(check.holds for check in self._checks(client, step, message)[0])

        if any(map(holds, expected)):
            return False
        for step in self._maybes:
            if step.client == client.letter and holds(step):
                self._maybes.remove(step)
                return True
        return False

    async def _silent(self, client: Party, step: Step) -> None:
        quiet_s = duration(step.argument)
        left_s, link = quiet_s, client.open_link()
        while left_s > 0:  # while this process was not run, who may be is not known to be silent
            pauses_s = link.pauses_s
            arrival = await self._next(client, Timing(0.0, left_s), [])
            if arrival is not None:
                break
            left_s = link.pauses_s - pauses_s
        else:
            return
        if arrival.message is None:
            raise StepFailed(f"{_ended(arrival)}; expected {quiet_s:g} s of silence")
        self._note(client, "<", client.wire.shown(arrival.message.octets))
        raise StepFailed(
            f"expected {quiet_s:g} s of silence,"
            f" received {client.wire.name(arrival.message.type)}",
            [
                FieldCheck(name, "", value, Verdict.UNEXPECTED)
                for name, value in arrival.message.fields
            ],
        )

    async def _closed(self, client: Party, timing: Timing | None) -> None:
        timing = self._allowed(timing)
        arrival = await self._next(client, timing, [])
        limit_s = timing.latest_s if timing else self._target.patience_s
        if arrival is None:
            raise StepFailed(f"the connection is still open after {limit_s:g} s")
        if arrival.message is not None:
            self._note(client, "<", client.wire.shown(arrival.message.octets))
            name = client.wire.name(arrival.message.type)
            raise StepFailed(f"expected the connection to be closed, received {name}")
        if arrival.end != CLOSED:
            raise StepFailed(_ended(arrival))
        self._note(client, "-", "closed by the target")

    # --- the rest --------------------------------------------------------------------------------

    def _render(self, client: Party, template: str) -> str:
        return self._values.render(template, client.local())

    def _note(self, client: Party, direction: str, text: str) -> None:
        line = Line(self._loop.time() - self._start_s, client.letter, direction, text)
        if len(self._transcript) < TRANSCRIPT_MAX:
            self._transcript.append(line)
        if self._said is not None:
            self._said(line)

    async def _leave(self) -> None:
        """Go as one came, so that the next scenario finds the target as it was."""
        for client in self._clients.values():
            await self._say_goodbye(client)
            if client.leaves_orders:  # who has logged out already is heard no more
                with contextlib.suppress(StepFailed, TargetError, TimeoutError):
                    async with asyncio.timeout(self._target.patience_s):
                        client.forget()
                        await self._log_on(client, Step(0, "logon", Verb.LOGON))
                await self._say_goodbye(client)

    async def _say_goodbye(self, client: Party) -> None:
        """Part in good order, and cancel what rests, where there is a connection."""
        if client.link is None:
            return
        messages = client.goodbye()
        for octets in messages:
            await client.link.send(octets, GOODBYE_S)
        end_s = self._loop.time() + (GOODBYE_S if messages else 0.0)
        while (left_s := end_s - self._loop.time()) > 0:
            arrival = await client.link.receive(left_s)
            if arrival is None or arrival.message is None:
                break
            if client.is_goodbye(arrival.message):
                client.leaves_orders = False
                break
        await client.drop()


def _ended(arrival: Arrival) -> str:
    if arrival.end == CLOSED:
        return "the target closed the connection"
    return f"the connection is of no use any more: {arrival.end}"
