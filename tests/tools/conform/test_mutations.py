"""A session layer that breaks one rule is caught: each mutation makes its scenario fall.

One gateway serves all mutations, each to the client that is named after it; the table of
docs/conformance.md says the same.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from portcullis.tools.conform import corpus
from portcullis.tools.conform.matching import Grade
from portcullis.tools.conform.results import Outcome, Result
from portcullis.tools.conform.runner import Lane, ScenarioRun
from portcullis.tools.conform.schedule import id_maker
from portcullis.tools.conform.target import Client, Target
from tests.support.fix_client import TIMEOUT_S
from tests.support.gateway_process import GatewayProcess
from tests.support.mutated_gateway import MUTATIONS

DOCUMENT = Path(__file__).parent.parent.parent.parent / "docs" / "conformance.md"
CLIENTS = [*MUTATIONS, "SOUND", "OTHER"]
CONFIG = (
    '[gateway]\nname = "PORTCULLIS"\n[listen]\nfix = "127.0.0.1:{port}"\n'
    "[back_office]\nenabled = false\n"
    '[[instrument]]\nsymbol = "BTC-USD"\ntick = "0.01"\nlot = "1"\n'
) + "".join(
    f'[[session]]\nprotocol = "fix"\nclient = "{name}"\naccount = "A"\napplication = "echo"\n'
    for name in CLIENTS
)


async def play(port: int, pairs: list[tuple[str, str]], patience_s: float = 1.5) -> list[Result]:
    """Each scenario as the client beside it."""
    target = Target(port=port, application="echo", patience_s=patience_s)
    scenarios = {scenario.name: scenario for scenario in corpus.load("fix44-session")}
    fresh = id_maker(time.time_ns())

    async def one(client: str, name: str) -> Result:
        lane = Lane((Client(client), Client("OTHER")), "BTC-USD")
        scenario = scenarios[name]
        return await ScenarioRun(scenario, target, lane, Grade.STRICT, fresh, time.time_ns).run()

    return await asyncio.gather(*(one(client, name) for client, name in pairs))


def test_every_broken_rule_makes_its_scenario_fall(tmp_path: Path) -> None:
    pairs = [(name, mutation.scenario) for name, mutation in MUTATIONS.items()]
    program = ("-m", "tests.support.mutated_gateway")
    with GatewayProcess(tmp_path, CONFIG, program=program) as gateway:
        results = asyncio.run(play(gateway.port, pairs))
        sound = [
            asyncio.run(play(gateway.port, [("SOUND", name)], TIMEOUT_S))[0].failure
            for name in ("2.b-too-high", "8-mixed")
        ]
    assert [
        f"{name} holds {result.scenario.name}"
        for (name, _), result in zip(pairs, results, strict=True)
        if result.outcome is not Outcome.FAILED
    ] == []
    # It is the mutation that fells them, not the process they run in.
    assert sound == [None, None]


def test_the_document_lists_every_rule_with_its_scenario() -> None:
    text = DOCUMENT.read_text()
    rows = [f"| {m.rule} | `{m.scenario}` |" for m in MUTATIONS.values()]
    assert [row for row in rows if row not in text] == []
