"""The MoldUDP64 corpus: it holds against a right stream, and each broken rule makes it fall."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from portcullis.tools.conform import corpus
from portcullis.tools.conform.matching import Grade
from portcullis.tools.conform.results import Outcome, Run
from portcullis.tools.conform.schedule import run_all
from portcullis.tools.conform.target import Target, make_target
from portcullis.tools.gateway_process import CONFIG, free_group, free_port
from tests.support.conformance import PATIENT, conform
from tests.support.fix_client import TIMEOUT_S
from tests.support.gateway_process import GatewayProcess
from tests.support.moldudp64_server import BROKEN, Stream

DOCUMENT = Path(__file__).parents[3] / "docs" / "conformance.md"
COMMAND = (
    "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
    ' s.sendto(sys.argv[1].encode(), ("127.0.0.1", int(sys.argv[2])))'
)


def operator(stream: Stream, name: str) -> str:
    return f"{sys.executable} -S -E -c '{COMMAND}' {name} {stream.command_port}"


def target(stream: Stream, patience_s: float) -> Target:
    names = ("publish", "day-end")
    return make_target(
        f"127.0.0.1:{stream.port}",
        {
            "groups": stream.groups,
            "operator": {name: operator(stream, name) for name in names},
            "patience_s": patience_s,
            "leeway_s": 0.0 if patience_s < TIMEOUT_S else TIMEOUT_S,
        },
    )


async def run(broken: str, *names: str) -> Run:
    """The corpus, or scenarios of these names, against a stream of its own."""
    scenarios = corpus.chosen(corpus.load("moldudp64"), names)
    with Stream(broken) as stream:
        # What keeps to the rules may take its time.
        asked = target(stream, 2.5 if broken else TIMEOUT_S)
        return await run_all(asked, scenarios, Grade.STRICT, lambda result: None)


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """A run with nothing broken, and one with each rule broken, all at once."""

    async def all_runs() -> list[Run]:
        return await asyncio.gather(run(""), *(run(rule, name) for rule, name in BROKEN.items()))

    return dict(zip(("", *BROKEN), asyncio.run(all_runs()), strict=True))


def test_a_stream_that_keeps_to_the_rules_holds(runs: dict[str, Run]) -> None:
    results = runs[""].results
    assert [
        (one.scenario.name, one.failure) for one in results if one.outcome is not Outcome.PASSED
    ] == []
    assert len(results) == 18


@pytest.mark.parametrize(("broken", "scenario"), BROKEN.items())
def test_a_broken_rule_makes_its_scenario_fall(
    runs: dict[str, Run], broken: str, scenario: str
) -> None:
    (result,) = runs[broken].results
    assert (result.scenario.name, result.outcome) == (scenario, Outcome.FAILED)


def test_each_scenario_has_a_rule_that_makes_it_fall_and_the_document_says_so() -> None:
    assert sorted(set(BROKEN.values())) == sorted(one.name for one in corpus.load("moldudp64"))
    text = DOCUMENT.read_text()
    rows = [f"| {rule} | `{scenario}` |" for rule, scenario in BROKEN.items()]
    assert [row for row in rows if row not in text] == []


def test_the_end_of_the_day_before_is_passed_over() -> None:
    with Stream("", says_old_end=True) as stream:
        scenarios = corpus.chosen(corpus.load("moldudp64"), ["heartbeat", "again"])
        run = asyncio.run(
            run_all(target(stream, TIMEOUT_S), scenarios, Grade.STRICT, lambda result: None)
        )
    assert [(one.outcome, one.failure) for one in run.results] == [(Outcome.PASSED, None)] * 2


def test_a_stream_is_named_on_the_command_line() -> None:
    with Stream("") as stream:
        groups = [f"--group={group}" for group in stream.groups]
        result = conform(
            "run", f"--target=127.0.0.1:{stream.port}", "--corpus=moldudp64", *groups,
            "--only=session-name", "--only=two-lines", *PATIENT,
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "1 of   2 hold, 1 skipped" in result.output


def test_a_stream_that_is_not_there_is_told_at_once() -> None:
    with Stream("") as stream:
        result = conform(
            "run", f"--target=127.0.0.1:{stream.port}", "--corpus=moldudp64", "--patience=0.2",
            "--group=239.255.13.9:9",
        )  # fmt: skip
    assert result.exit_code == 2
    assert "no stream from 239.255.13.9:9: nothing came within 0.2 s" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--group=239.255.13.9"], "'239.255.13.9' is no HOST:PORT"),
        (["--group=nowhere:9881"], "cannot listen to nowhere:9881 on 127.0.0.1"),
        (["--interface=lo"], "cannot listen to 239.255.13.1:9881 on lo"),
        (["--group=a:1", "--group=b:1", "--group=c:1"], "Expected `array` of length <= 2"),
    ],
)
def test_where_a_stream_cannot_be_it_is_told(arguments: list[str], said: str) -> None:
    result = conform("run", "--target=127.0.0.1:9", "--corpus=moldudp64", *arguments)
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_nobody_who_takes_requests_is_told() -> None:
    with Stream("") as stream:
        result = conform(
            "run", "--target=127.0.0.1:9", "--corpus=moldudp64", "--only=not-yet",
            f"--group={stream.groups[0]}", *PATIENT,
        )  # fmt: skip
    assert result.exit_code == 1
    assert "127.0.0.1:9 takes no requests: Connection refused" in result.output


# --- our own gateway -----------------------------------------------------------------------------

STREAM = """
[[stream]]
name = "reports"
groups = ["{line_a}", "{line_b}"]
retransmit = "127.0.0.1:{retransmit}"
heartbeat = "200ms"
end_of_session = "2s"
[limits]
orders = 10000
ids = 40000
"""
# Two orders, each of which brings a report.
PUBLISH = """
import sys, time
from tests.support.fix_client import FixClient
client = FixClient("CLIENT1", int(sys.argv[1]))
client.log_on("141=Y")
for _ in range(2):
    client.link.sendall(client.order(f"{time.time_ns()}", "1", "1", "100"))
client.barrier()
client.log_out()
"""


def test_our_gateway_holds(tmp_path: Path) -> None:
    script = tmp_path / "publish.py"
    script.write_text(PUBLISH)
    line_a, line_b = free_group(), free_group()
    retransmit = free_port(socket.SOCK_DGRAM)
    config = CONFIG.replace("enabled = false", "enabled = true")
    config += STREAM.format(line_a=line_a, line_b=line_b, retransmit=retransmit)
    ours = f"{sys.executable} -m portcullis.tools.main"
    with GatewayProcess(tmp_path, config) as gateway:
        profile = tmp_path / "profile.toml"
        profile.write_text(
            f'groups = ["{line_a}", "{line_b}"]\nscenario_s = 600\n[operator]\n'
            f'publish = "env PYTHONPATH=. {sys.executable} {script} {gateway.port}"\n'
            f'day-end = "{ours} day end --data {gateway.data} --why conformance"\n'
        )
        result = conform(
            "run", f"--target=127.0.0.1:{retransmit}", "--corpus=moldudp64",
            f"--profile={profile}", *PATIENT,
        )  # fmt: skip
    assert (result.exit_code, " 0 skipped," in result.output) == (0, True), result.output
