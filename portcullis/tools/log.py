"""`portcullis log`: message and event logs with field names, in the order of time.

Owns which files are read, following them, and colours. What stands in them is `message_log`'s.
"""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from portcullis.dictionaries.fix_dictionary import FixDictionary
from portcullis.dictionaries.fix_xml import DictionaryError, load_dictionary
from portcullis.gateway.message_logs import FOLDER
from portcullis.tools.message_log import (
    CAME_IN,
    EVENT,
    WENT_OUT,
    Line,
    LineReader,
    is_wanted,
    named_fields,
    readable,
    title,
    type_named,
)
from portcullis.tools.operator_calls import json_option

_POLL_S = 0.2
_READ_BYTES = 1 << 20
_MARKS = {CAME_IN: "<", WENT_OUT: ">", EVENT: "*"}
_COLOURS = {CAME_IN: "cyan", WENT_OUT: "green", EVENT: "yellow"}
_REFUSALS = frozenset((b"3", b"9", b"j"))


@click.command(name="log")
@click.argument("logs", nargs=-1)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Data directory, whose logs are meant where LOGS are no files.",
)
@click.option("--cl-ord-id", "cl_ord_ids", multiple=True, help="Only messages about this order.")
@click.option(
    "--type",
    "types",
    multiple=True,
    help='Only this MsgType of FIX, D or NewOrderSingle, or message of OUCH, "Enter Order".',
)
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--dictionary", default="FIX44.xml", show_default=True, help="Names of fields.")
@json_option
def command(
    logs: tuple[str, ...],
    data: Path,
    cl_ord_ids: tuple[str, ...],
    types: tuple[str, ...],
    follow: bool,
    dictionary: str,
    as_json: bool,
) -> None:
    """Show logs of FIX and OUCH messages and events.

    LOGS are files or folders, of this gateway or of QuickFIX (C++, /J, /Go), or CompIDs or
    usernames of clients; without any, all of the data directory. `<` came in, `>` went out, `*`
    is an event. Passwords and the like are not shown, whoever wrote the log. What stands at the
    same millisecond is in the order of its log, and what came in goes before what went out.
    With --json one object a line.
    """
    try:
        names = load_dictionary(dictionary)
    except DictionaryError as error:
        raise click.ClickException(str(error)) from None
    wanted = frozenset(one.encode() for one in cl_ord_ids)
    try:
        kinds = frozenset(type_named(one, names) for one in types)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--type") from None
    sources = Sources(logs, data / FOLDER)
    if not sources.refresh():
        nothing = f"no log {' '.join(logs) or f'in {data / FOLDER}'}"
        if not follow:
            raise click.ClickException(nothing)
        click.echo(f"{nothing} yet: waiting for one", err=True)
    try:
        show = partial(_show, wanted=wanted, kinds=kinds, names=names, as_json=as_json)
        if not show(sources.lines(final=not follow), sources.are_several) and not follow:
            click.echo("no entry of these logs is one that was asked for", err=True)
        while follow:
            time.sleep(_POLL_S)
            sources.refresh()
            show(sources.lines(final=False), sources.are_several)
    except (KeyboardInterrupt, BrokenPipeError):
        return
    finally:
        sources.close()


def _order(line: Line) -> tuple[str, bool]:
    """By time, and of the same millisecond what came in first: what went out may answer it."""
    return line.time.replace("/", "").replace(" ", "-"), line.way == WENT_OUT


def _show(
    lines: Iterator[Line],
    are_several: bool,
    *,
    wanted: frozenset[bytes],
    kinds: frozenset[bytes | str],
    names: FixDictionary,
    as_json: bool,
) -> int:
    """Print what is wanted of these lines; how many that were."""
    count = 0
    for line in lines:
        if is_wanted(line, wanted, kinds):
            count += 1
            if as_json:
                click.echo(json.dumps(line_fields(line, names)))
            else:
                click.echo(_shown(line, are_several, names))
    return count


def line_fields(line: Line, names: FixDictionary) -> dict[str, Any]:
    """An entry for programs. A message of FIX has fields in their order; others have text."""
    shown: dict[str, Any] = {"time": line.time, "way": line.way, "log": line.log}
    if not line.fields:
        return {**shown, "text": line.text}
    found = names.messages.get(line.get(35))
    fields = []
    for tag, value in line.fields:
        described = names.fields.get(tag)
        name = described.name if described else None
        fields.append({"tag": tag, "name": name, "value": readable(value)})
    message = {"type": readable(line.get(35)), "name": found.name if found else None}
    return {**shown, **message, "fields": fields}


def _shown(line: Line, are_several: bool, names: FixDictionary) -> str:
    mark = _MARKS.get(line.way, "-")
    if not line.fields:  # an event, or a message of OUCH: nothing in it says whose
        text = f"{line.log}: {line.text}" if are_several else line.text
        return click.style(f"{line.time} {mark} {text}", fg=_COLOURS.get(line.way))
    is_refusal = line.get(35) in _REFUSALS or (line.get(35), line.get(39)) == (b"8", b"8")
    colour = "red" if is_refusal else _COLOURS.get(line.way)
    head = click.style(f"{mark} {title(line, names)}", fg=colour, bold=True)
    return f"{line.time} {head} " + " ".join(named_fields(line, names))


class Sources:
    """The files that are read. logs: as the command was given them; folder: of the gateway."""

    def __init__(self, logs: tuple[str, ...], folder: Path) -> None:
        self._logs = logs
        self._folder = folder
        self._files: dict[Path, _Source] = {}

    def refresh(self) -> bool:
        """Look for files that have come; whether there are any at all."""
        for path in self._paths():
            if path not in self._files:
                self._files[path] = _Source(path)
        return bool(self._files)

    @property
    def are_several(self) -> bool:
        """Whether there are logs of more than one session."""
        return len({source.log for source in self._files.values()}) > 1

    def _paths(self) -> Iterator[Path]:
        for log in self._logs:
            path = Path(log)
            if path.is_dir():
                yield from sorted(path.glob("*.log"))
            elif path.is_file():
                yield path
            else:
                yield from sorted(
                    found
                    for found in self._folder.glob("*.log")
                    if f"-{log}." in found.name or f"-{log}-" in found.name
                )
        if not self._logs:
            yield from sorted(self._folder.glob("*.log"))

    def lines(self, *, final: bool) -> Iterator[Line]:
        """What all files have now and was not read, in the order of time.

        final: of each a last line without its end, too.
        """
        return heapq.merge(*(one.read(final=final) for one in self._files.values()), key=_order)

    def close(self) -> None:
        for source in self._files.values():
            source.close()


class _Source:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = LineReader(path.name)
        self.log = self._reader.log
        self._file = path.open("rb")
        self._identity = path.stat().st_ino

    def read(self, *, final: bool = False) -> Iterator[Line]:
        """What is there and was not read; a file put aside is read to its end first."""
        while octets := self._file.read(_READ_BYTES):
            yield from self._reader.feed(octets)
        if self._is_another():
            yield from self._reader.end()
            self._file.close()
            self._file = self._path.open("rb")
            self._identity = self._path.stat().st_ino
            yield from self.read()
        if final:
            yield from self._reader.end()

    def close(self) -> None:
        self._file.close()

    def _is_another(self) -> bool:
        try:
            status = self._path.stat()
        except FileNotFoundError:  # put aside; the next one comes with its first line
            return False
        return status.st_ino != self._identity or status.st_size < self._file.tell()
