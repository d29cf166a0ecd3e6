"""`portcullis sessions`: what is known of a gateway's FIX sessions, and what can be done to them.

Owns the printing. `--schedule` works from the configuration alone, so that a schedule can be
looked at before a gateway runs on it; the others ask a running gateway.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from portcullis.gateway.config import ConfigError, load
from portcullis.gateway.config_schema import Config
from portcullis.gateway.timetables import schedules_of
from portcullis.sessions.schedule import Schedule
from portcullis.tools.help_group import HelpGroup
from portcullis.tools.operator_calls import (
    ask_back_office,
    command_gateway,
    data_option,
    json_option,
    print_answer,
    print_rows,
    refusing,
    why_option,
)

EXIT_CONFIG = 2
WINDOWS = 10
_SECOND_NS = 1_000_000_000
_DATES = ["%Y%m%d-%H:%M:%S", "%Y-%m-%dT%H:%M:%S"]


@click.group(name="sessions", cls=HelpGroup, invoke_without_command=True)
@click.option("--schedule", is_flag=True, help="Print the next ten windows of each schedule.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Configuration, TOML. Default: the embedded one.",
)
@click.option("--from", "start", type=click.DateTime(_DATES), help="UTC. Default: now.")
@data_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    schedule: bool,
    config_file: Path | None,
    start: dt.datetime | None,
    data: Path,
    as_json: bool,
) -> None:
    """Look at sessions, and work on them: when they are open, their numbers.

    Without a command they are listed, as `show` does.
    """
    if ctx.invoked_subcommand is not None:
        if schedule or config_file or start:
            raise click.UsageError("--schedule goes without a command", ctx)
        ctx.default_map = {name: {"data": data, "as_json": as_json} for name in command.commands}
        return
    if not schedule and (config_file or start):
        raise click.UsageError("--config and --from go with --schedule", ctx)
    if not schedule:
        ctx.invoke(show, data=data, as_json=as_json)
        return
    try:
        config = load(config_file).config
    except ConfigError as error:
        click.echo(f"portcullis: {error}", err=True)
        sys.exit(EXIT_CONFIG)
    now_ns = time.time_ns()
    if start is not None:
        now_ns = int(start.replace(tzinfo=dt.UTC).timestamp()) * _SECOND_NS
    if as_json:
        print_schedules_json(config, now_ns)
    else:
        print_schedules(config, now_ns, Console())


def _clients_by_schedule(config: Config) -> dict[str, list[str]]:
    by_schedule: dict[str, list[str]] = {}
    for session in [*config.fix_sessions(), *config.templates()]:
        by_schedule.setdefault(session.schedule, []).append(session.client)
    return by_schedule


def print_schedules_json(config: Config, now_ns: int) -> None:
    """What `print_schedules` says as one object; times in ISO 8601 with their zone's offset."""
    by_schedule = _clients_by_schedule(config)
    found = []
    for name, schedule in schedules_of(config).items():

        def iso(moment_ns: int, zone: dt.tzinfo = schedule.zone) -> str:
            return dt.datetime.fromtimestamp(moment_ns // _SECOND_NS, zone).isoformat()

        reset = schedule.next_reset(now_ns)
        windows = [] if schedule.is_always_open else schedule.windows_from(now_ns)
        found.append(
            {
                "name": name,
                "timezone": str(schedule.zone),
                "clients": by_schedule.pop(name, []),
                "always_open": schedule.is_always_open,
                "windows": [
                    {"opens": iso(span.start_ns), "closes": iso(span.end_ns)}
                    for span in islice(windows, WINDOWS)
                ],
                "next_reset": iso(reset) if reset else None,
            }
        )
    without = [client for clients in by_schedule.values() for client in clients]
    click.echo(json.dumps({"schedules": found, "without_schedule": without}))


def print_schedules(config: Config, now_ns: int, console: Console) -> None:
    """The next ten windows of each schedule in its own zone, who goes by it, the next reset."""
    by_schedule = _clients_by_schedule(config)
    schedules = schedules_of(config)
    for name, schedule in schedules.items():
        clients = ", ".join(by_schedule.pop(name, [])) or "no session"
        console.print(f"[bold]{name}[/] ({schedule.zone}): {clients}", soft_wrap=True)
        if schedule.is_always_open:
            console.print("  always open")
        else:
            console.print(_windows_table(schedule, now_ns))
        reset = schedule.next_reset(now_ns)
        console.print(f"  next reset: {schedule.show(reset) if reset else 'none'}\n")
    for unbound in by_schedule.values():  # what is left has the schedule "none"
        text = f"No schedule: {', '.join(unbound)}\n  always open, numbers are never reset"
        console.print(text, soft_wrap=True)


def _windows_table(schedule: Schedule, now_ns: int) -> Table:
    table = Table("  opens", "closes", "for", box=None, padding=(0, 2, 0, 0))
    for span in islice(schedule.windows_from(now_ns), WINDOWS):
        length = dt.timedelta(seconds=(span.end_ns - span.start_ns) // _SECOND_NS)
        opens, closes = (schedule.show(moment) for moment in span)
        table.add_row(
            f"  {opens}", closes, str(length) + (", open" if span.start_ns <= now_ns else "")
        )
    return table


# --- of a running gateway ------------------------------------------------------------------------

_session_argument = click.argument("session")


@command.command("show")
@data_option
@json_option
@refusing
def show(data: Path, as_json: bool) -> None:
    """List all sessions with their state and next numbers; JSON says up to which row."""
    print_rows(ask_back_office(data, "/sessions"), "sessions", as_json)


@command.command("set-seq")
@_session_argument
@data_option
@click.option("--next-in", type=click.IntRange(1), help="Number expected of them next.")
@click.option("--next-out", type=click.IntRange(1), help="Number of our next message.")
@why_option
@json_option
@refusing
def set_seq(
    session: str, data: Path, next_in: int | None, next_out: int | None, why: str, as_json: bool
) -> None:
    """Set the numbers of SESSION, by its key or its client's CompID; it must not be connected.

    A higher number of ours leaves a hole, which is filled when it is asked for. A lower one begins
    a new epoch: what was sent before is not sent again.
    """
    if next_in is None and next_out is None:
        raise click.UsageError("expected --next-in, --next-out or both")
    found = command_gateway(
        data, "sessions set-seq", why, session=session, next_in=next_in, next_out=next_out
    )
    print_answer(found, as_json, _numbers_text(found))


@command.command("reset")
@_session_argument
@data_option
@why_option
@json_option
@refusing
def reset(session: str, data: Path, why: str, as_json: bool) -> None:
    """Set both numbers of SESSION to 1; it must not be connected.

    What was sent before is not sent again.
    """
    found = command_gateway(data, "sessions reset", why, session=session)
    print_answer(found, as_json, _numbers_text(found))


@command.command("disconnect")
@_session_argument
@data_option
@why_option
@json_option
@refusing
def disconnect(session: str, data: Path, why: str, as_json: bool) -> None:
    """Log SESSION out. It may log on again."""
    found = command_gateway(data, "sessions disconnect", why, session=session)
    print_answer(found, as_json, f"{found['session']} is {found['state']}")


@command.command("release")
@_session_argument
@data_option
@why_option
@json_option
@refusing
def release(session: str, data: Path, why: str, as_json: bool) -> None:
    """Let SESSION in again that brought the gateway down, once you know why."""
    found = command_gateway(data, "sessions release", why, session=session)
    print_answer(found, as_json, f"{found['session']} may log on; its report: {found['report']}")


def _numbers_text(found: dict[str, Any]) -> str:
    text = f"{found['session']}: next in {found['next_in']}, next out {found['next_out']}"
    return text if found["resends_earlier"] else f"{text}; nothing sent before is sent again"
