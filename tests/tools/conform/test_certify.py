"""`portcullis conform certify` walks a client through, here one of simplefix written for it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
import simplefix

from portcullis.tools.conform import corpus, def_reader
from portcullis.tools.conform.certify import Door, certify
from portcullis.tools.conform.matching import Grade
from portcullis.tools.conform.results import Line, Outcome, Result, Run
from portcullis.tools.conform.scenario import Scenario
from portcullis.tools.conform.target import Target
from tests.support.conformance import conform
from tests.support.fix_client import TIMEOUT_S, utc_now


class ClientUnderTest:
    """A small FIX client. faults: what it does wrong: "deaf" answers no TestRequest, "forgetful"
    resets at every Logon, "careless" asks for nothing that is missing; "unlucky" is none: numbers
    went with Logons that reached nobody."""

    def __init__(self, port: int, faults: frozenset[str] = frozenset()) -> None:
        self._port = port
        self._faults = faults
        self._next_out = self._next_in = 1
        self._writer: asyncio.StreamWriter | None = None
        self._orders = 0
        self._cancels = False
        self._knows = False
        self._stays_out = False

    def told(self, line: Line) -> None:
        """What its developer would read and do."""
        if line.direction != "!":
            return
        self._cancels = "OrderCancelRequest" in line.text
        self._stays_out = "then log out" in line.text
        if "NewOrderSingle" in line.text:
            self._order()
        if self._stays_out and self._writer is not None:
            self._send("5")

    async def run(self) -> None:
        """Connect whenever it is not connected."""
        while True:
            with contextlib.suppress(OSError):
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
                if "forgetful" in self._faults or not self._knows:
                    self._next_out = self._next_in = 1
                    self._send("A", (98, "0"), (108, "30"), (141, "Y"))
                else:
                    self._next_out += 2 * ("unlucky" in self._faults)
                    self._send("A", (98, "0"), (108, "30"))
                await self._listen(reader)
                self._writer.close()
            self._writer = None
            await asyncio.sleep(0.01)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        parser = simplefix.FixParser()
        while octets := await reader.read(4096):
            parser.append_buffer(octets)
            while (found := parser.get_message()) is not None:
                fields = {int(tag): value.decode() for tag, value in found.pairs}
                if not self._take(fields):
                    return

    def _take(self, fields: dict[int, str]) -> bool:
        msg_type, number = fields[35], int(fields[34])
        if msg_type == "A" and fields.get(141) == "Y":
            self._next_in = 1
        if msg_type == "4" and fields.get(123) == "Y" and number == self._next_in:
            self._next_in = int(fields[36])
            return True
        if msg_type == "A" and number >= self._next_in:
            self._knows = True
            if self._stays_out:
                self._send("5")
        if msg_type == "5" and number >= self._next_in:
            self._next_in = number + 1
            return False
        if number > self._next_in:
            if "careless" not in self._faults:
                self._send("2", (7, str(self._next_in)), (16, "0"))
            return True
        if number < self._next_in:
            if fields.get(43) != "Y":
                self._send("5", (58, "MsgSeqNum too low"))
            return fields.get(43) == "Y"
        self._next_in += 1
        if msg_type == "1" and 112 not in fields:
            self._send("3", (45, str(number)), (371, "112"), (372, "1"), (373, "1"))
        elif msg_type == "1" and "deaf" not in self._faults:
            self._send("0", (112, fields[112]))
        elif msg_type == "2":
            body = ((43, "Y"), (122, utc_now()), (123, "Y"), (36, str(self._next_out)))
            self._send("4", *body, number=int(fields[7]))
        elif msg_type == "8" and fields[150] == "0" and self._cancels:
            body = ((11, "C1"), (41, fields[11]), (54, "1"), (55, "BTC-USD"), (60, utc_now()))
            self._send("F", *body)
        return True

    def _order(self) -> None:
        self._orders += 1
        self._send(
            "D", (11, f"O{self._orders}"), (38, "10"), (40, "2"), (44, "100"), (54, "1"),
            (55, "BTC-USD"), (60, utc_now()),
        )  # fmt: skip

    def _send(self, msg_type: str, *body: tuple[int, str], number: int = 0) -> None:
        message = simplefix.FixMessage()
        for tag, value in (
            (8, "FIX.4.4"), (35, msg_type), (34, str(number or self._next_out)),
            (49, "CLIENT9"), (52, utc_now()), (56, "PORTCULLIS"), *body,
        ):  # fmt: skip
            message.append_pair(tag, value)
        if not number:
            self._next_out += 1
        assert self._writer is not None
        self._writer.write(message.encode())


async def walk(
    scenarios: list[Scenario],
    faults: frozenset[str],
    lines: list[str],
    patience_s: float = TIMEOUT_S,
) -> Run:
    """The client through the scenarios; `lines` takes what its developer is told."""
    door = Door()
    client = ClientUnderTest(await door.open("127.0.0.1", 0), faults)

    def said(line: Line) -> None:
        lines.append(f"{line.direction} {line.text}")
        client.told(line)

    def told(result: Result) -> None:
        lines.append(f"{result.outcome}: {result.failure and result.failure.what}")

    task = asyncio.create_task(client.run())
    try:
        target = Target(patience_s=patience_s, scenario_s=10 * TIMEOUT_S)
        return await certify(
            door, target, scenarios, Grade.STRICT, lambda one: lines.append(one.name), said, told
        )
    finally:
        task.cancel()
        door.close()


def test_a_client_that_keeps_to_the_rules_is_walked_through() -> None:
    lines: list[str] = []
    run = asyncio.run(walk(corpus.load("certify-fix44"), frozenset(), lines))
    assert [
        (result.scenario.name, result.failure) for result in run.results if result.failure
    ] == [], "\n".join(lines)
    assert run.count(Outcome.PASSED) == 12


@pytest.mark.parametrize(
    ("fault", "falls", "what"),
    [
        ("deaf", "heartbeat", "nothing came within 3 s; expected Heartbeat(0)"),
        ("careless", "gap", "nothing came within 3 s; expected ResendRequest(2)"),
        ("forgetful", "disconnect", "the Logon(A) differs"),
    ],
)
def test_what_a_client_does_wrong_is_told_and_the_walk_goes_on(
    fault: str, falls: str, what: str
) -> None:
    lines: list[str] = []
    names = ("heartbeat", "log-out") if fault == "deaf" else ("log-on", falls, "log-out")
    scenarios = [one for one in corpus.load("certify-fix44") if one.name in names]
    run = asyncio.run(walk(scenarios, frozenset((fault,)), lines, patience_s=3.0))
    fallen = {r.scenario.name: r.failure.what for r in run.results if r.failure}
    assert fallen == {falls: what}, "\n".join(lines)
    assert f"failed: {what}" in lines


def test_numbers_that_a_logon_skips_are_asked_for_as_a_venue_does() -> None:
    lines: list[str] = []
    names = ("log-on", "disconnect", "log-out")
    scenarios = [one for one in corpus.load("certify-fix44") if one.name in names]
    run = asyncio.run(walk(scenarios, frozenset(("unlucky",)), lines))
    assert run.count(Outcome.PASSED) == 3, "\n".join(lines)
    (request,) = (line for line in lines if line.startswith("> ") and "|35=2|" in line)
    assert "|7=3|16=0|" in request  # Logon and Heartbeat were 1 and 2


def test_a_def_file_that_waits_for_a_connection_is_played_as_the_venue(tmp_path: Path) -> None:
    path = tmp_path / "1B_Logon.def"
    path.write_text(
        "eCONNECT\n"
        "E8=FIX.4.4|9=78|35=A|34=1|49=CLIENT9|52=0|56=PORTCULLIS|98=0|108=30|141=Y|10=0|\n"
        "I8=FIX.4.4|35=A|34=1|49=PORTCULLIS|52=<TIME>|56=CLIENT9|98=0|108=30|141=Y|\n"
        "I8=FIX.4.4|35=1|34=2|49=PORTCULLIS|52=<TIME>|56=CLIENT9|112=HI|\n"
        "E8=FIX.4.4|9=67|35=0|34=2|49=CLIENT9|52=0|56=PORTCULLIS|112=HI|10=0|\n"
        "iDISCONNECT\n".replace("|", "\x01")
    )
    scenario = def_reader.read(path, "mine")
    assert scenario.role == "venue"
    lines: list[str] = []
    run = asyncio.run(walk([scenario], frozenset(), lines))
    assert run.count(Outcome.PASSED) == 1, "\n".join([*lines, str(run.results[0].failure)])


def test_nobody_who_connects_is_told_in_time() -> None:
    result = conform("certify", "--listen=0", "--only=log-on", "--patience=0.2")
    assert result.exit_code == 1
    assert "DO   Connect and log on" in result.output
    assert "WRONG nobody connected within 0.2 s" in result.output


def test_scenarios_of_a_venue_are_not_for_run_and_the_other_way_round() -> None:
    result = conform("run", "--target=127.0.0.1:1", "--corpus=certify-fix44")
    assert (result.exit_code, "are for `conform certify`" in result.output) == (2, True)
    result = conform("certify", "--listen=0", "--corpus=fix44-session")
    assert (result.exit_code, "no scenario with `role venue`" in result.output) == (2, True)
