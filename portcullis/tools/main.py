"""The command line: one module a command, loaded only when its command runs.

Owns the list of commands and nothing of what they do. Each module named here has a click command
called `command`. `portcullis --help` loads them all, for their first lines; `portcullis serve`
loads one.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import sys
from collections.abc import Iterator
from typing import Any

import click

from portcullis import __version__, _build
from portcullis.tools.help_group import HelpGroup

COMMANDS: dict[str, str] = {
    "bench": "portcullis.tools.bench",
    "book": "portcullis.tools.book",
    "bust": "portcullis.tools.bust",
    "conform": "portcullis.tools.conform.command",
    "correct": "portcullis.tools.correct",
    "day": "portcullis.tools.day",
    "demo": "portcullis.tools.demo",
    "dictionary": "portcullis.tools.dictionary",
    "import-quickfix": "portcullis.tools.import_quickfix",
    "journal": "portcullis.tools.journal",
    "log": "portcullis.tools.log",
    "orders": "portcullis.tools.orders",
    "password": "portcullis.tools.password",
    "serve": "portcullis.tools.serve",
    "sessions": "portcullis.tools.sessions",
    "subscribe": "portcullis.tools.subscribe",
}


class _LazyGroup(HelpGroup):
    """Finds commands in COMMANDS by their module's name, and says in one way why one failed."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _told():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _told():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context | None) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(COMMANDS[cmd_name]).command
        assert isinstance(found, click.Command)
        return found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say why a command fails as click does, but for the word in front, and exit."""
    try:
        yield
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        text = re.sub("^Error: ", "portcullis: ", said.getvalue(), flags=re.MULTILINE)
        click.echo(text, err=True, nl=False)
        sys.exit(error.exit_code)


def version_text() -> str:
    """Version and mode, and a warning where a compiled module is older than its source."""
    warning = _build.stale_warning()
    text = f"portcullis {__version__} ({_build.mode()})"
    return f"{text}\nwarning: {warning}" if warning else text


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(version_text())
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def main() -> None:
    """An order gateway: FIX 4.4 or OUCH in, matched, journaled, reports out."""


if __name__ == "__main__":
    main(prog_name="portcullis")
