"""Runs of the simulation by hand: `python -m tests.simulation --seed 7 --messages 1000000`."""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from pathlib import Path

import click

from portcullis import _build
from tests.simulation.run import FAULTS, Failed, Plan, simulate


def _faults(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[str, ...]:
    wanted = tuple(FAULTS) if value == "all" else tuple(value.split(",")) if value else ()
    wanted = () if value == "none" else wanted
    if unknown := set(wanted) - set(FAULTS):
        known = ", ".join(f"{name} ({text})" for name, text in FAULTS.items())
        raise click.BadParameter(f"{', '.join(sorted(unknown))} is none of {known}")
    return wanted


@click.command()
@click.option("--seed", type=int, help="What the run is a function of. Default: a new one.")
@click.option("--messages", default=100_000, help="Messages of a run, both ways.")
@click.option("--runs", default=1, help="So many runs, with seeds that follow.")
@click.option("--faults", default="all", callback=_faults, help="Names, with commas; all, none.")
@click.option("--sync", default="", type=click.Choice(["", "none", "interval", "batch"]))
@click.option("--cut", default=0, help="The power fails as this sync begins.")
def main(
    seed: int | None, messages: int, runs: int, faults: tuple[str, ...], sync: str, cut: int
) -> None:
    """Drive the gateway through a simulated world, and say what came of it."""
    first = secrets.randbits(32) if seed is None else seed
    click.echo(f"{_build.mode()}, seed {first}")
    for number in range(first, first + runs):
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            try:
                result = simulate(Plan(number, messages, faults, sync, cut), Path(folder) / "run")
            except Failed as failed:
                click.echo(str(failed), err=True)
                sys.exit(1)
            click.echo(f"{number}: {result}, {time.process_time() - began:.1f} s")


if __name__ == "__main__":
    main()
