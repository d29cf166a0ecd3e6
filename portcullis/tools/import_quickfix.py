"""`portcullis import-quickfix FILE.cfg`: a QuickFIX configuration becomes ours.

Owns the writing of the TOML and of the remarks. What becomes of which setting is in
`quickfix_settings`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from portcullis.gateway.config import ConfigError, parse
from portcullis.tools.quickfix_settings import Imported, import_settings

_NAME_SHOWN = 64


@click.command(name="import-quickfix")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write. Default: standard output.",
)
def command(file: Path, output: Path | None) -> None:
    """Write the configuration that does what a QuickFIX acceptor's FILE says.

    Each setting that can't be honoured is named on standard error, with its line, and in a comment
    of what is written. Paths in FILE are looked for beside it and in the present directory.
    """
    text = file.read_text(encoding="utf-8", errors="replace")
    imported = import_settings(text, (file.parent, Path()))
    for remark in imported.remarks:
        where = f"{file}:{remark.line}" if remark.line else str(file)
        click.echo(f"{where}: {_comment(remark.name)}: {remark.text}", err=True)
    if not imported.sessions and not imported.templates:
        raise click.ClickException(f"{file} has no session that can be taken over")
    document = to_toml(imported, file.name)
    try:
        parse(document, str(output or "standard output"))
    except ConfigError as error:
        raise click.ClickException(f"what {file} says cannot be had: {error}") from None
    if output is None:
        click.echo(document, nl=False)
    else:
        output.write_text(document, encoding="utf-8")


def to_toml(imported: Imported, source: str) -> str:
    """The document, with what is not in it as comments."""
    lines = [f"# From {_comment(source)}, by `portcullis import-quickfix`."]
    lines += ["# Not as the file says:"] if imported.remarks else []
    lines += [
        f"#   line {remark.line}, {_comment(remark.name)}: {remark.text}"
        for remark in imported.remarks
    ]
    lines += ["# QuickFIX knows no instruments: add an [[instrument]] for each symbol, see"]
    lines += ['# docs/configuration.md, or say application = "echo" in a session.']
    for name, table in imported.tables.items():
        lines += _table(f"[{name}]", table)
    for schedule in imported.schedules:
        lines += _table("[[schedule]]", schedule)
    for session in imported.sessions:
        lines += _table("[[session]]", session)
    for template in imported.templates:
        lines += [f"# {line}".rstrip() for line in _table("[[session]]", template)]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    """Text of the file as one line that nobody has to scroll for."""
    return "".join(one if one.isprintable() else "?" for one in text[:_NAME_SHOWN])


def _table(title: str, table: dict[str, Any]) -> list[str]:
    # JSON's strings, numbers, lists and booleans are TOML's too.
    return ["", title, *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
