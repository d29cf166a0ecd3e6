"""`portcullis day`: the trading day of a running gateway."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from portcullis.tools.conform.values import utc
from portcullis.tools.help_group import HelpGroup
from portcullis.tools.operator_calls import (
    command_gateway,
    data_option,
    json_option,
    print_answer,
    refusing,
    why_option,
)


@click.group(name="day", cls=HelpGroup)
def command() -> None:
    """Look at the trading day, or end it early."""


@command.command("show")
@data_option
@json_option
@refusing
def show(data: Path, as_json: bool) -> None:
    """Say which day it is and when it ends."""
    state = command_gateway(data, "state")
    end = dt.datetime.fromtimestamp(state["day_end_ns"] // 1_000_000_000, dt.UTC)
    found = {"row": state["last_row"], "day": state["day"], "ends": end.isoformat()}
    print_answer(found, as_json, f"day {found['day']}, ends {utc(state['day_end_ns'], 's')} UTC")


@command.command("end")
@data_option
@why_option
@json_option
@refusing
def end_day(data: Path, why: str, as_json: bool) -> None:
    """End the day now: Day orders expire, ids are free again, the next day begins."""
    found = command_gateway(data, "day end", why)
    text = f"day {found['day']} has begun; orders live before: {found['live_before']}"
    print_answer(found, as_json, f"{text}, of which those for the day expire")
