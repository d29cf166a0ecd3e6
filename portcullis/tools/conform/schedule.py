"""Runs many scenarios at once, as many as the target's clients and symbols allow.

Owns lanes: a scenario gets clients and a symbol that no other uses meanwhile. Scenarios of
QuickFIX's language name their own CompIDs, so those alike run one after the other. Must not know
what a step does.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from portcullis.tools.conform.link import TargetError
from portcullis.tools.conform.matching import Grade
from portcullis.tools.conform.results import Outcome, Result, Run
from portcullis.tools.conform.runner import Lane, ScenarioRun
from portcullis.tools.conform.scenario import Scenario, Step, Verb, duration
from portcullis.tools.conform.target import Client, Target

# The protocol whose every client hears the same.
STREAM = "moldudp64"
_ID_DIGITS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def id_maker(now_ns: int) -> Callable[[], str]:
    """Ids of at most 14 characters that no run a tenth of a second apart has made."""
    count = itertools.count(1)
    start = ""
    tenths = now_ns // 100_000_000
    while tenths:
        tenths, digit = divmod(tenths, len(_ID_DIGITS))
        start = _ID_DIGITS[digit] + start
    return lambda: f"{start[-7:]}{next(count):06d}"


def lanes_of(target: Target, scenarios: Sequence[Scenario]) -> list[Lane]:
    """The target's clients and symbols, dealt out."""
    protocols = sorted({one.protocol for one in scenarios})
    if len(protocols) > 1:
        raise TargetError(
            f"{' and '.join(protocols)}: a target speaks one protocol, run each alone"
        )
    clients, symbols = target.meant_for(protocols[0])
    need = max((len(one.clients) for one in scenarios if not one.identity), default=1)
    if need > len(clients):
        raise TargetError(f"{need} clients are needed at once, and {len(clients)} are named")
    groups = [tuple(clients[i : i + need]) for i in range(0, len(clients) - need + 1, need)]
    if target.application == "orders":
        # Scenarios that share a book would trade with each other.
        groups = groups[: len(symbols)]
    if any(one.protocol == STREAM for one in scenarios):
        # What one scenario publishes, all others hear.
        groups = groups[:1]
    return [Lane(group, symbols[place % len(symbols)]) for place, group in enumerate(groups)]


async def run_all(
    target: Target,
    scenarios: Sequence[Scenario],
    grade: Grade,
    told: Callable[[Result], None],
) -> Run:
    """Run them; `told` hears each result as it comes. TargetError: no target to speak to."""
    started = time.time_ns()
    begin_s = time.monotonic()
    fresh = id_maker(started)
    lanes = lanes_of(target, scenarios)
    run = Run(
        f"{target.host}:{target.port}",
        grade,
        time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started // 1_000_000_000)),
    )

    def one(scenario: Scenario, lane: Lane) -> ScenarioRun:
        return ScenarioRun(scenario, target, lane, grade, fresh, time.time_ns)

    await _preflight(target, scenarios, lanes, one)
    results: dict[int, Result] = {}
    free: asyncio.Queue[Lane] = asyncio.Queue()
    for lane in lanes:
        free.put_nowait(lane)
    speakers: dict[str, asyncio.Lock] = {}

    async def take(place: int, scenario: Scenario) -> None:
        missing = [need for need in scenario.needs if need not in target.offered]
        if missing:
            reason = f"needs {', '.join(missing)}, which the profile does not offer"
            results[place] = Result(scenario, Outcome.SKIPPED, reason=reason)
        elif scenario.identity:
            async with speakers.setdefault(scenario.identity, asyncio.Lock()):
                own = tuple(Client(letter) for letter in scenario.clients)
                results[place] = await one(scenario, Lane(own, "")).run()
        else:
            lane = await free.get()
            try:
                results[place] = await one(scenario, lane).run()
            finally:
                free.put_nowait(lane)
        told(results[place])

    # The slow ones first: the last to end should not have begun last.
    order = sorted(range(len(scenarios)), key=lambda place: -_time_asked(scenarios[place]))
    await asyncio.gather(*(take(place, scenarios[place]) for place in order))
    run.results = [results[place] for place in range(len(scenarios))]
    run.seconds = time.monotonic() - begin_s
    return run


async def _preflight(
    target: Target,
    scenarios: Sequence[Scenario],
    lanes: Sequence[Lane],
    one: Callable[[Scenario, Lane], ScenarioRun],
) -> None:
    """TargetError where a client cannot log on at all, so that it is said once and at once.

    What is still owed to a client, such as reports of orders that were filled while it was away,
    comes until it has logged out again, and not in the middle of a scenario.
    """
    first = next((each for each in scenarios if not each.identity), None)

    async def meet(lane: Lane) -> None:
        assert first is not None
        for client in lane.clients:
            steps = (Step(0, "logon", Verb.LOGON),)
            scenario = replace(first, name="preflight", steps=steps, clients=("A",))
            result = await one(scenario, Lane((client,), lane.symbol)).run()
            if result.failure is not None:
                _refuse(target, first, client, result)

    if first is not None:
        await asyncio.gather(*(meet(lane) for lane in lanes))
        return
    # Scenarios that name their own CompIDs; at least somebody has to listen.
    letter = scenarios[0].clients[0]
    steps = (Step(0, "connect", Verb.CONNECT, letter),)
    scenario = replace(scenarios[0], steps=steps, clients=(letter,))
    result = await one(scenario, Lane((Client(letter),), "")).run()
    if result.failure is not None:
        raise TargetError(result.failure.what)


def _refuse(target: Target, first: Scenario, client: Client, result: Result) -> None:
    """TargetError where a client could not log on; nothing where its answer only differs, or comes
    behind a report that it is owed."""
    assert result.failure is not None
    what = result.failure.what
    if result.failure.checks and result.failure.checks[0].holds:
        return
    if any(line.direction == "<" and "|35=8|" in line.text for line in result.transcript):
        return
    if first.protocol == STREAM:
        raise TargetError(f"no stream from {', '.join(target.groups)}: {what}")
    if any(line.direction == ">" for line in result.transcript):
        raise TargetError(
            f"{target.host}:{target.port} accepts connections, but {client.name} cannot log on to"
            f" {target.comp_id}: {what}. Check --comp-id, --client and what the target allows"
            " them."
        )
    raise TargetError(what)


def _time_asked(scenario: Scenario) -> float:
    """Seconds that a scenario's own waits take, roughly."""
    total = 0.0
    for step in scenario.steps:
        if step.verb in (Verb.WAIT, Verb.SILENT):
            total += duration(step.argument)
        elif step.timing is not None and step.timing.since:
            total += step.timing.earliest_s
    return total
