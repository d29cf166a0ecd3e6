"""`portcullis conform`: scenarios against a gateway, a client walked through, sessions recorded.

Owns the command line and what it prints. Exit codes: 0 all hold, 1 some fall, 2 could not run.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from portcullis.tools.conform import corpus as corpora
from portcullis.tools.conform import reports
from portcullis.tools.conform.certify import Door
from portcullis.tools.conform.certify import certify as certify_client
from portcullis.tools.conform.link import TargetError
from portcullis.tools.conform.matching import Grade
from portcullis.tools.conform.record import RecordError, as_scenario, read_log, record_live
from portcullis.tools.conform.report_page import page
from portcullis.tools.conform.reports import by_area, failure_text
from portcullis.tools.conform.results import Line, Outcome, Result, Run
from portcullis.tools.conform.scenario import Scenario, ScenarioError
from portcullis.tools.conform.schedule import run_all
from portcullis.tools.conform.target import (
    PORT_MAX,
    Target,
    TargetConfigError,
    make_target,
    parse_address,
    read_profile,
)
from portcullis.tools.conform.values import number_of
from portcullis.tools.help_group import HelpGroup

EXIT_CANNOT_RUN = 2
_FAULTS = (ScenarioError, corpora.CorpusError, TargetConfigError, TargetError, OSError)


@click.group(name="conform", cls=HelpGroup)
def command() -> None:
    """Test how a gateway or a client keeps to the protocol."""


def _fail(error: Exception) -> NoReturn:
    if isinstance(error, BrokenPipeError):  # who reads what is printed has seen enough
        raise error
    click.echo(f"portcullis: {error}", err=True)
    sys.exit(EXIT_CANNOT_RUN)


Files = list[tuple[Path, Callable[[Run], str]]]


def _files(junit: Path | None, html: Path | None, json_file: Path | None) -> Files:
    """The reports wanted; OSError where one cannot be written, before anything is run."""
    files: Files = []
    for file, text in ((junit, reports.junit), (html, page), (json_file, reports.as_json)):
        if file is not None:
            was_there = file.exists()
            file.open("ab").close()
            if not was_there:  # a run that can't begin leaves nothing
                file.unlink()
            files.append((file, text))
    return files


def _write(run: Run, files: Files) -> None:
    for file, text in files:
        file.write_text(text(run), "utf-8")


# --- run -----------------------------------------------------------------------------------------


@command.command()
@click.option("--target", "address", required=True, metavar="HOST:PORT", help="What is tested.")
@click.option(
    "--corpus", "names", multiple=True, metavar="NAME|DIR", default=("fix44-session",),
    show_default=True, help="A shipped corpus (see `list`), a folder or a file; repeatable.",
)  # fmt: skip
@click.option(
    "--only", "patterns", multiple=True, metavar="PATTERN",
    help="Only scenarios whose name, title, area or case number fits; repeatable.",
)  # fmt: skip
@click.option(
    "--grade", type=click.Choice([grade.value for grade in Grade]), default=Grade.STRICT.value,
    show_default=True, help="tolerant: texts, order of fields and forms of numbers may differ.",
)  # fmt: skip
@click.option("--profile", type=click.Path(path_type=Path), help="What the target is, TOML.")
@click.option("--comp-id", metavar="NAME", help="CompID of the target.  [default: PORTCULLIS]")
@click.option(
    "--client", "clients", multiple=True, metavar="NAME[:PASSWORD]",
    help="Who logs on; repeatable. More clients, more at once.  [default: those of our embedded "
    "default, CLIENT1 and CLIENT2 or OUCH1 and OUCH2]",
)  # fmt: skip
@click.option(
    "--symbol", "symbols", multiple=True, metavar="NAME", help="[default: BTC-USD, by OUCH BTCUSD]"
)
@click.option(
    "--application", type=click.Choice(["orders", "echo"]),
    help="What answers an order: reports, or the same order.  [default: orders]",
)  # fmt: skip
@click.option(
    "--reset", type=click.Choice(["flag", "logon"]),
    help="Numbers begin anew by 141=Y, or at each Logon.  [default: flag]",
)  # fmt: skip
@click.option(
    "--offers", multiple=True, metavar="NAME",
    help="What scenarios that need it may ask of the target; repeatable.",
)  # fmt: skip
@click.option(
    "--group", "groups", multiple=True, metavar="HOST:PORT",
    help="Where a MoldUDP64 stream goes; a second one is line B.  [default: 239.255.13.1:9881]",
)  # fmt: skip
@click.option("--interface", metavar="ADDRESS",
              help="The interface that multicast is heard on.  [default: 127.0.0.1]")  # fmt: skip
@click.option("--patience", type=click.FloatRange(0.1, 600), metavar="SECONDS",
              help="How long an answer may take.  [default: 5]")  # fmt: skip
@click.option("--leeway", type=click.FloatRange(0.0, 600), metavar="SECONDS",
              help="How much later than a scenario says something may come, on a busy machine."
              "  [default: 0]")  # fmt: skip
@click.option("--junit", type=click.Path(path_type=Path), help="Write a JUnit report.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a report for people.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Show what held, too.")
def run(
    address: str,
    names: tuple[str, ...],
    patterns: tuple[str, ...],
    grade: str,
    profile: Path | None,
    comp_id: str | None,
    clients: tuple[str, ...],
    symbols: tuple[str, ...],
    application: str | None,
    reset: str | None,
    offers: tuple[str, ...],
    groups: tuple[str, ...],
    interface: str | None,
    patience: float | None,
    leeway: float | None,
    junit: Path | None,
    html: Path | None,
    json_file: Path | None,
    verbose: bool,
) -> None:
    """Run scenarios against a gateway and say which hold.

    Exit codes: 0 all hold, 1 some fall, 2 could not run.
    """
    try:
        values = read_profile(profile) if profile else {}
        if clients:
            values["clients"] = [_client(text) for text in clients]
        for key, value in (
            ("comp_id", comp_id),
            ("symbols", list(symbols)),
            ("application", application),
            ("reset", reset),
            ("offers", list(offers)),
            ("groups", list(groups)),
            ("interface", interface),
            ("patience_s", patience),
            ("leeway_s", leeway),
        ):
            if value:
                values[key] = value
        target = make_target(address, values)
        scenarios = corpora.chosen(_load(names), patterns)
        if any(one.role == "venue" for one in scenarios):
            raise corpora.CorpusError("scenarios with `role venue` are for `conform certify`")
        if not scenarios:
            raise corpora.CorpusError(f"no scenario fits {', '.join(patterns)}")
        files = _files(junit, html, json_file)
        outcome = asyncio.run(_run(target, scenarios, Grade(grade), verbose))
        _write(outcome, files)
    except _FAULTS as error:
        _fail(error)
    _summary(outcome)
    sys.exit(outcome.exit_code)


def _client(text: str) -> dict[str, str]:
    name, _, password = text.partition(":")
    return {"name": name, "password": password}


def _load(names: tuple[str, ...]) -> list[Scenario]:
    return [scenario for name in names for scenario in corpora.load(name)]


async def _run(target: Target, scenarios: list[Scenario], grade: Grade, verbose: bool) -> Run:
    def told(result: Result) -> None:
        if verbose or result.outcome is Outcome.FAILED:
            click.echo(_line(result))

    return await run_all(target, scenarios, grade, told)


def _line(result: Result) -> str:
    scenario = result.scenario
    text = f"{result.outcome:8} {scenario.name}  {scenario.title}"
    more = failure_text(result, result.failure) if result.failure else result.reason
    return "\n         ".join([text, *more.splitlines()])


def _summary(run: Run) -> None:
    for area, results in by_area(run).items():
        passed = sum(result.outcome is Outcome.PASSED for result in results)
        skipped = sum(result.outcome is Outcome.SKIPPED for result in results)
        more = f", {skipped} skipped" if skipped else ""
        click.echo(f"{passed:4} of {len(results):3} hold{more}  {area}")
    failed = run.count(Outcome.FAILED)
    click.echo(
        f"{run.count(Outcome.PASSED)} hold, {failed} fall, {run.count(Outcome.SKIPPED)} skipped,"
        f" {run.seconds:.1f} s, {run.grade}, {run.target}"
    )


# --- list ----------------------------------------------------------------------------------------


@command.command(name="list")
@click.option(
    "--corpus", "names", multiple=True, metavar="NAME|DIR",
    help="Only this one; repeatable.  [default: all that are shipped]",
)  # fmt: skip
def list_scenarios(names: tuple[str, ...]) -> None:
    """List corpora and their scenarios, with the case numbers they stand for.

    The numbers are those of the FIX Trading Community's session test cases (or of the order state
    tables), and the names of QuickFIX's acceptance tests.
    """
    try:
        for name in names or tuple(corpora.SHIPPED):
            scenarios = corpora.load(name)
            click.echo(f"{name}: {corpora.SHIPPED.get(name, scenarios[0].path.parent)}")
            for scenario in scenarios:
                cases = [f"FIX {case}" for case in scenario.fix_cases]
                cases += [f"QuickFIX {case}" for case in scenario.quickfix_cases]
                click.echo(f"  {scenario.name:34} {', '.join(cases)}".rstrip())
                click.echo(f"      {scenario.title}")
    except _FAULTS as error:
        _fail(error)


# --- certify -------------------------------------------------------------------------------------


@command.command()
@click.option("--listen", required=True, metavar="[HOST:]PORT", help="Where the client connects.")
@click.option(
    "--corpus", "names", multiple=True, metavar="NAME|DIR", default=("certify-fix44",),
    show_default=True, help="Scenarios with `role venue`, or .def files with eCONNECT.",
)  # fmt: skip
@click.option("--only", "patterns", multiple=True, metavar="PATTERN", help="As for `run`.")
@click.option("--comp-id", default="PORTCULLIS", show_default=True, help="CompID of the venue.")
@click.option("--patience", type=click.FloatRange(0.1, 3600), default=120.0, show_default=True,
              metavar="SECONDS", help="How long the client may take for a step.")  # fmt: skip
@click.option("--junit", type=click.Path(path_type=Path), help="Write a JUnit report.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a report for people.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write JSON.")
def certify(
    listen: str,
    names: tuple[str, ...],
    patterns: tuple[str, ...],
    comp_id: str,
    patience: float,
    junit: Path | None,
    html: Path | None,
    json_file: Path | None,
) -> None:
    """Play the venue and walk a client through, saying what to do and what went wrong.

    Exit codes: 0 all hold, 1 some fall, 2 could not run.
    """
    try:
        host, _, digits = listen.rpartition(":")
        port = number_of(digits)
        if port is None or port > PORT_MAX:
            raise TargetConfigError(f"{listen!r} is no [HOST:]PORT")
        scenarios = [one for one in _load(names) if one.role == "venue"]
        scenarios = corpora.chosen(scenarios, patterns)
        if not scenarios:
            raise corpora.CorpusError("no scenario with `role venue` fits")
        target = Target(comp_id=comp_id, patience_s=patience, scenario_s=10 * patience)
        files = _files(junit, html, json_file)
        outcome = asyncio.run(_certify(host or "127.0.0.1", port, target, scenarios))
        _write(outcome, files)
    except _FAULTS as error:
        _fail(error)
    _summary(outcome)
    sys.exit(outcome.exit_code)


async def _certify(host: str, port: int, target: Target, scenarios: list[Scenario]) -> Run:
    door = Door()
    port = await door.open(host, port)
    click.echo(f"{target.comp_id} listens on {host}:{port}, {len(scenarios)} scenarios")

    def begins(scenario: Scenario) -> None:
        click.echo(f"\n{scenario.name}: {scenario.title}")

    def said(line: Line) -> None:
        words = {"!": "  DO   ", ">": "  sent ", "<": "  got  ", "-": "       "}
        click.echo(f"{words[line.direction]}{line.text}")

    def told(result: Result) -> None:
        if result.failure is None:
            click.echo("  OK")
            return
        for place, text in enumerate(failure_text(result, result.failure).splitlines()):
            click.echo(f"  {'WRONG' if place == 1 else '     '} {text}")
        click.echo("        The connection is closed. Connect and log on again for the next one.")

    try:
        return await certify_client(door, target, scenarios, Grade.STRICT, begins, said, told)
    finally:
        door.close()


# --- record --------------------------------------------------------------------------------------


@command.command()
@click.option("--log", "log", type=click.Path(path_type=Path), help="A message log to read.")
@click.option("--listen", metavar="[HOST:]PORT", help="Let a client through from here ...")
@click.option("--target", "address", metavar="HOST:PORT", help="... to here, and record it.")
@click.option("--name", default="recorded", show_default=True, help="Name of the scenario.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="[default: standard output]")
def record(
    log: Path | None, listen: str | None, address: str | None, name: str, output: Path | None
) -> None:
    """Turn a message log or a live FIX session into a scenario.

    Times become times of the run, ids become new ones; numbers are left to the run.
    """
    try:
        if log is not None:
            messages = read_log(log)
            title = f"From {log.name}"
        elif listen is not None and address is not None:
            host, port = parse_address(address)
            near = parse_address(listen if ":" in listen else f"127.0.0.1:{listen}")
            click.echo(f"waiting for a client on {near[0]}:{near[1]}", err=True)
            messages = asyncio.run(record_live(host, port, *near))
            title = f"From a session with {address}"
        else:
            raise RecordError("expected --log, or --listen and --target")
        text = as_scenario(messages, name, title)
        if output is not None:
            output.write_text(text, "utf-8")
        else:
            click.echo(text, nl=False)
    except (RecordError, *_FAULTS) as error:
        _fail(error)
