"""`portcullis bench`: run the benchmarks and print their figures beside their budgets.

Knows the benchmarks' names and sizes, and how to print. Nothing here judges: a figure over its
budget is shown so, and the exit code stays 0.
"""

from __future__ import annotations

import importlib

import click
from rich.console import Console
from rich.table import Table

from portcullis import _build
from portcullis.tools.benchmarks.figures import Figure, machine

# name -> size of a real run
BENCHMARKS = {
    "stages": 300_000,
    "capture": 300_000,
    "fix_codec": 300_000,
    "engine": 500_000,
    "journal": 2_000_000,
    "recovery": 300_000,
    "gateway": 500_000,
    "memory": 1_000_000,
    "multicast": 100_000,
    "sessions": 1000,
    "translation": 100_000,
    "refill": 100_000,
}
CHECK_SIZE = 200


def measure(name: str, size: int) -> list[Figure]:
    """Run one benchmark."""
    figures: list[Figure] = importlib.import_module(f"portcullis.tools.benchmarks.{name}").measure(
        size
    )
    return figures


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}"


def table(name: str, figures: list[Figure], *, check: bool = False) -> Table:
    """The figures as people read them; check: what was run, for the sizes give no figures."""
    if check:
        ran = Table(title=f"{name}: ran", title_justify="left")
        ran.add_column("what")
        for figure in figures:
            ran.add_row(figure.name)
        return ran
    shown = Table(title=name, title_justify="left")
    shown.add_column("what")
    for column in ("figure", "budget"):
        shown.add_column(column, justify="right")
    shown.add_column("unit")
    shown.add_column("note")
    for figure in figures:
        value = _number(figure.value) if figure.unit else ""
        budget = _number(figure.budget) if figure.budget else ""
        shown.add_row(figure.name, value, budget, figure.unit, figure.note)
    return shown


@click.command()
@click.option("--check", is_flag=True, help="Tiny sizes: say what runs, and no figures.")
@click.option(
    "--size", type=click.IntRange(min=100), help="Orders per benchmark. Default: its own."
)
@click.argument("names", nargs=-1, type=click.Choice(sorted(BENCHMARKS)))
def command(check: bool, size: int | None, names: tuple[str, ...]) -> None:
    """Measure this build on this machine."""
    console = Console(width=None if Console().is_terminal else 110)
    console.print(f"portcullis bench: {_build.mode()}, {machine()}")
    for name in names or BENCHMARKS:
        figures = measure(name, CHECK_SIZE if check else size or BENCHMARKS[name])
        console.print(table(name, figures, check=check))
