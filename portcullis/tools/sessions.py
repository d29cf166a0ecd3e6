"""`portcullis sessions`: what is known of a gateway's FIX sessions.

Owns the printing. `--schedule` works from the configuration alone, so that a schedule can be
looked at before a gateway runs on it.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from itertools import islice
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from portcullis.gateway.config import ConfigError, load
from portcullis.gateway.config_schema import Config
from portcullis.gateway.timetables import schedules_of
from portcullis.sessions.schedule import Schedule

EXIT_CONFIG = 2
WINDOWS = 10
_SECOND_NS = 1_000_000_000
_ISO_DATE = "%Y-%m-%dT%H:%M:%S"


@click.group(name="sessions", invoke_without_command=True)
@click.option("--schedule", is_flag=True, help="Print the next ten windows of each schedule.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Configuration, TOML. Default: the embedded one.",
)
@click.option("--from", "start", type=click.DateTime([_ISO_DATE]), help="UTC. Default: now.")
@click.pass_context
def command(
    ctx: click.Context, schedule: bool, config_file: Path | None, start: dt.datetime | None
) -> None:
    """Look at FIX sessions: when they are open."""
    if ctx.invoked_subcommand is not None:
        return
    if not schedule:
        raise click.UsageError("expected --schedule or a command", ctx)
    try:
        config = load(config_file).config
    except ConfigError as error:
        click.echo(f"portcullis: {error}", err=True)
        sys.exit(EXIT_CONFIG)
    now_ns = time.time_ns()
    if start is not None:
        now_ns = int(start.replace(tzinfo=dt.UTC).timestamp()) * _SECOND_NS
    print_schedules(config, now_ns, Console())


def print_schedules(config: Config, now_ns: int, console: Console) -> None:
    """The next ten windows of each schedule in its own zone, who goes by it, the next reset."""
    by_schedule: dict[str, list[str]] = {}
    for session in config.fix_sessions():
        by_schedule.setdefault(session.schedule, []).append(session.client)
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
        text = f"[bold]none[/]: {', '.join(unbound)}\n  always open, numbers are never reset"
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
