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

from portcullis.tools.conform.link import TargetError
from portcullis.tools.conform.matching import Grade
from portcullis.tools.conform.results import Outcome, Result, Run
from portcullis.tools.conform.runner import Lane, ScenarioRun
from portcullis.tools.conform.scenario import Scenario, Step, Verb, duration
from portcullis.tools.conform.target import Client, Target

# Before anything runs: can the first client log on at all?
PREFLIGHT = (
    Step(0, "logon", Verb.LOGON),
    Step(0, "logout", Verb.LOGOUT),
)
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
    clients = target.clients or [Client("CLIENT1"), Client("CLIENT2")]
    need = max((len(one.clients) for one in scenarios if not one.identity), default=1)
    if need > len(clients):
        raise TargetError(f"{need} clients are needed at once, and {len(clients)} are named")
    groups = [tuple(clients[i : i + need]) for i in range(0, len(clients) - need + 1, need)]
    if target.application == "orders":
        # Scenarios that share a book would trade with each other.
        groups = groups[: len(target.symbols)]
    return [
        Lane(group, target.symbols[place % len(target.symbols)])
        for place, group in enumerate(groups)
    ]


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

    await _preflight(target, scenarios, lanes[0], one)
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
    lane: Lane,
    one: Callable[[Scenario, Lane], ScenarioRun],
) -> None:
    """TargetError where nothing can be run, so that it is said once and at once."""
    first = next((one for one in scenarios if not one.identity), None)
    if first is None:
        # Scenarios that name their own CompIDs; at least somebody has to listen.
        first = scenarios[0]
        steps: tuple[Step, ...] = (Step(0, "connect", Verb.CONNECT, first.clients[0]),)
        lane = Lane(tuple(Client(letter) for letter in first.clients), "")
    else:
        steps = PREFLIGHT
    trial = Scenario(
        first.corpus, "preflight", "log on", first.path, 0, steps, first.protocol,
        clients=first.clients,
    )  # fmt: skip
    result = await one(trial, lane).run()
    if result.failure is None:
        return
    who = lane.clients[0].name
    what = result.failure.what
    if any(line.direction == ">" for line in result.transcript):
        raise TargetError(
            f"{target.host}:{target.port} accepts connections, but {who} cannot log on to"
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
