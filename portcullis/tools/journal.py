"""`portcullis journal`: look into a journal, also a live one, and let its oldest segments go.

Owns the printing; what is printed comes from `journal.reader`. Nothing here locks but `snapshot`,
and nothing but that, `archive` and `prune` (`journal.retention`) writes.
Exit codes: 0; 2 where a library is missing; 3 where the journal is damaged or unusable.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from shlex import quote
from typing import Any

import click

from portcullis.gateway.config_values import Duration
from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import snapshot_at_end
from portcullis.gateway.saved_state import latest, start_of
from portcullis.journal.dtype import KIND_NAMES
from portcullis.journal.errors import JournalError
from portcullis.journal.reader import (
    JournalReader,
    Statistics,
    Verification,
    dump,
    loss,
    statistics,
    verify,
)
from portcullis.journal.recovery import Start
from portcullis.journal.retention import Floor, archive, below, find_floor, prune
from portcullis.journal.segments import SegmentHeader
from portcullis.journal.snapshots import snapshot_row
from portcullis.journal.writer import lock_directory
from portcullis.tools.conform.values import utc
from portcullis.tools.export import export
from portcullis.tools.help_group import HelpGroup
from portcullis.tools.journal_names import JournalNames
from portcullis.tools.operator_calls import data_option, json_option

EXIT_MISSING = 2
EXIT_DAMAGE = 3


@click.group(cls=HelpGroup)
def command() -> None:
    """Look into a journal, take it out for analysis, let its oldest rows go."""


def _reading(function: Callable[..., None]) -> Callable[..., None]:
    """Options that all of them share, and the one way that they fail."""

    @wraps(function)
    def run(**options: Any) -> None:
        try:
            function(**options)
        except BrokenPipeError:  # whoever read our output has seen enough; click ends silently
            raise
        except (JournalError, OSError) as error:
            text = str(error)
            if isinstance(error, OSError) and error.filename:
                text = f"{error.filename}: {error.strerror}"
            click.echo(f"portcullis: {text}", err=True)
            sys.exit(EXIT_DAMAGE)

    return data_option(json_option(run))


@command.command("verify")
@_reading
def verify_command(data: Path, as_json: bool) -> None:
    """Check every seal and the chain of the journal."""
    found = verify(data)
    click.echo(json.dumps(found.as_json()) if as_json else verification_text(found))
    if found.ending == "damage":
        sys.exit(EXIT_DAMAGE)


@command.command("dump")
@click.option(
    "--session", help="Only rows of a session: its key, a part that no other has, or its number."
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(sorted(KIND_NAMES.values()), case_sensitive=False),
    metavar="KIND",
    help="Only rows of this kind, such as new_order or report; may be given again.",
)
@click.option("--from-row", type=click.IntRange(min=1), default=1, help="Default: the first.")
@click.option("--to-row", type=click.IntRange(min=1), help="Default: the last.")
@_reading
def dump_command(
    data: Path,
    as_json: bool,
    session: str | None,
    kinds: tuple[str, ...],
    from_row: int,
    to_row: int | None,
) -> None:
    """Print the sealed rows of the journal, one a line.

    Prices and quantities are decimals, and numbers of instruments, accounts and sessions their
    names; with --json all is as it stands in the rows.

    in_doubt is the first number of ours that the client may not have. flags are bits, which mean
    another thing in each kind: the F_ constants of portcullis/journal/rows.py say what.
    """
    names = None if as_json and session is None else JournalNames(data)
    try:
        number = names.session_meant(session) if names and session is not None else None
    except ValueError as error:
        raise click.ClickException(f"session: {error}") from None
    found = dump(data, session=number, kinds=frozenset(kinds), from_row=from_row, to_row=to_row)
    is_empty = True
    for shown in found:
        is_empty = False
        click.echo(row_text(names.readable(shown)) if names and not as_json else json.dumps(shown))
    if is_empty:
        click.echo("no sealed row of this journal is one that was asked for", err=True)


@command.command("stats")
@_reading
def stats_command(data: Path, as_json: bool) -> None:
    """Count the rows of the journal by kind and session."""
    counted = statistics(data)
    names = JournalNames(data)
    click.echo(json.dumps(counted.as_json()) if as_json else statistics_text(counted, names))
    if counted.damage:
        text = f"portcullis: damage at {counted.damage}; rows behind it are not counted"
        click.echo(text, err=True)
        sys.exit(EXIT_DAMAGE)


@command.command("export")
@_reading
@click.option(
    "--parquet",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for one Parquet file a kind of row.",
)
def export_command(data: Path, as_json: bool, folder: Path) -> None:
    """Write the journal as Parquet files (pip install 'portcullis[parquet]')."""
    try:
        written = export(data, folder)
    except ImportError as error:
        click.echo(f"portcullis: {error}; pip install 'portcullis[parquet]'", err=True)
        sys.exit(EXIT_MISSING)
    if as_json:
        click.echo(json.dumps(written))
    for name, rows in sorted(written.items()) if not as_json else ():
        click.echo(f"{rows:>12,}  {folder / name}.parquet")


_keep_option = click.option(
    "--keep",
    default="168h",
    show_default=True,
    metavar="DURATION",
    help="Rows so young stay, for clients that ask for what they missed. Units: ns, us, ms, s, m,"
    " h.",
)


def _going(directory: Path, keep: str) -> tuple[Floor, list[SegmentHeader]]:
    try:
        keep_ns = Duration.parse(keep)
    except ValueError:
        raise click.BadParameter(f"expected {Duration.spelling}", param_hint="--keep") from None
    floor = find_floor(directory, time.time_ns() - keep_ns)
    return floor, below(directory, floor)


def _segments(count: int) -> str:
    return "1 segment" if count == 1 else f"{count:,} segments"


def _print_gone(gone: Iterator[SegmentHeader], floor: Floor, as_json: bool) -> None:
    count = 0
    for header in gone:
        count += 1
        if as_json:
            click.echo(json.dumps({"segment": header.number, "first_row": header.first_row}))
        else:
            click.echo(f"segment {header.number}, rows {header.first_row} to {header.end_row - 1}")
    if as_json:
        click.echo(json.dumps({"segments": count, "stays_from": floor.row, "why": floor.why}))
    else:
        click.echo(f"{_segments(count)}; rows from {floor.row:,} on stay: {floor.why}")


@command.command("prune")
@_keep_option
@_reading
def prune_command(data: Path, as_json: bool, keep: str) -> None:
    """Remove the oldest segments of the journal that nothing needs any more."""
    floor, headers = _going(data, keep)
    _print_gone(prune(data, headers), floor, as_json)


@command.command("archive")
@_reading
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@_keep_option
def archive_command(data: Path, target: Path, as_json: bool, keep: str) -> None:
    """Move the oldest segments of the journal to TARGET that nothing needs here."""
    floor, headers = _going(data, keep)
    _print_gone(archive(data, target, headers), floor, as_json)


@command.command("snapshot")
@_reading
def snapshot_command(data: Path, as_json: bool) -> None:
    """Write a snapshot of the journal's end, while no gateway runs: before a change of engine.

    A program whose engine version is another can't replay what is there, and starts from this.
    """
    JournalReader(data)  # there has to be one
    lock = lock_directory(data)
    try:
        path = snapshot_at_end(data)
    finally:
        os.close(lock)
    text = f"{path}, of row {snapshot_row(path):,}"
    click.echo(json.dumps({"snapshot": str(path), "row": snapshot_row(path)}) if as_json else text)


@command.command("repair")
@_reading
def repair_command(data: Path, as_json: bool) -> None:
    """Show what would be lost if the journal were cut where it is damaged.

    Changes nothing: `portcullis serve --accept-loss` cuts, and keeps what it cut in .cut files,
    unless a snapshot stands behind the damage, at which a start begins.
    """
    found, lost = loss(data)
    start = _start_behind(data, found)
    if start is None:
        text = loss_text(found, lost, data)
    else:
        after, lost = loss(data, start.next_row)
        text = (
            f"{verification_text(found)}\n\nA start, with --accept-loss or without, begins behind "
            f"the damage, at the snapshot of row {start.last_row:,}, and does not cut there. "
            "Restore the file from a copy, if there is one: who reads rows from before the "
            "snapshot comes to the damage."
        )
        if after.ending != "clean":
            text += f"\n\nFrom the snapshot on: {loss_text(after, lost, data)}"
    if as_json:
        row = start.last_row if start else 0
        shown = {"journal": found.as_json(), "lost": lost.as_json(), "snapshot_row": row}
        click.echo(json.dumps(shown))
    else:
        click.echo(text)
    if found.ending == "damage":
        sys.exit(EXIT_DAMAGE)


def _start_behind(data: Path, found: Verification) -> Start | None:
    """Where a start begins, if that is a snapshot behind the damage."""
    if found.ending != "damage":
        return None
    snapshot = latest(data, dict.fromkeys(LIMITS, 0), [])
    start = start_of(snapshot) if snapshot else None
    return start if start and start.next_row > found.row else None


def loss_text(found: Verification, lost: Statistics, data: Path) -> str:
    """What is good, what would go, and how."""
    text = verification_text(found)
    if found.ending == "clean":
        return f"{text}; nothing would be lost"
    if found.ending == "unsealed":
        if found.same_boot:
            return f"{text}; a start cuts it by itself, and nobody was ever sent what it says"
        return (
            f"{text}; the machine has stopped since: a start cuts it by itself and, unless the "
            'journal was kept with sync = "batch", passes over the numbers that may have been sent'
        )
    behind = "A cut would lose the damaged batch; nothing good stands behind it."
    if lost.rows:
        behind = (
            "Good batches behind the damage, which a cut would lose with it:\n"
            f"{statistics_text(lost, JournalNames(data))}"
        )
    return (
        f"{text}\n\n{behind}\n\n"
        f"To cut: portcullis serve --data {quote(str(data))} --accept-loss. Restore the file "
        "from a copy instead, if there is one: row numbers and the sessions' numbers that were "
        "given out from the damage on are passed over, but what clients were told there is not "
        "true any more."
    )


def verification_text(found: Verification) -> str:
    """A line for people."""
    # Where there is damage, or the walk began behind it, not all of them are good.
    segments = (
        ""
        if found.ending == "damage" or not found.segments
        else f" and {_segments(found.segments)}"
    )
    text = (
        f"{found.rows:,} rows in {found.batches:,} batches{segments} are good; "
        f"the last row is {found.last_row:,}"
    )
    empty = found.last_row - found.first_row + 1 - found.rows
    if empty > 0 and found.ending != "damage":
        text += f" ({empty:,} numbers before it are empty ends of segments)"
    if found.ending == "unsealed":
        text += f"; row {found.row:,} is written but not sealed (a torn tail, or a live writer)"
    return f"damage at {found.text}; {text}" if found.ending == "damage" else text


def row_text(shown: dict[str, Any]) -> str:
    """One row in one line; zero and empty fields are left out."""
    rest = dict(shown)
    items = rest.pop("items", {})
    row, kind, session = rest.pop("row"), rest.pop("kind"), rest.pop("session")
    parts = [f"{row:>10} {utc(rest.pop('time_ns'), 'ns')} {kind:<18} {session:>5}"]
    for name, value in rest.items():
        if value not in (0, ""):
            is_time = name.endswith("_ns") and isinstance(value, int)
            parts.append(f"{name.removesuffix('_ns')}={utc(value, 'ns') if is_time else value}")
    parts += [f"{name}={value!r}" for name, value in items.items()]
    return " ".join(parts)


def statistics_text(counted: Statistics, names: JournalNames | None = None) -> str:
    """A table for people. names: how sessions are called; None: by their numbers."""
    mean = counted.rows / counted.batches if counted.batches else 0.0
    lines = [
        f"segments  {counted.segments}",
        f"batches   {counted.batches:,} (rows: mean {mean:.1f}, most {counted.batch_rows_max:,})",
        f"rows      {counted.rows:,} ({counted.outputs:,} outputs)",
    ]
    if counted.rows:
        lines.append(f"from      {utc(counted.first_time_ns, 'ns')}")
        lines.append(f"to        {utc(counted.last_time_ns, 'ns')}")
    lines += [f"  {kind:<20}{count:>14,}" for kind, count in counted.kinds.most_common()]
    called = [
        (names.session(session) if names else str(session), count)
        for session, count in counted.sessions.most_common(20)
    ]
    width = max((len(name) for name, _count in called), default=0)
    lines += [f"  session {name:<{max(width, 12)}}{count:>14,}" for name, count in called]
    return "\n".join(lines)
