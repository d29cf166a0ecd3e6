"""How operator commands reach a gateway, and how their answers are printed.

Owns the options that all of them share. What changes something goes to the gateway itself; what is
looked at comes from the back office, over its socket in the data directory.
"""

from __future__ import annotations

import getpass
import http.client
import json
import socket
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import click
from rich.console import Console
from rich.table import Table

from portcullis.gateway.control_port import SOCKET
from portcullis.gateway.operator_port import (
    MovedOnError,
    OperatorError,
    Request,
    Value,
    call,
    short_path,
)
from portcullis.journal.errors import JournalError
from portcullis.journal.fills import Match, find_match
from portcullis.tools.conform.values import number_of, utc

EXIT_REFUSED = 1
WAIT_S = 10.0
STATE_WAIT_S = 2.0
AMEND_TRIES = 10

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Data directory of the gateway.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
why_option = click.option("--why", required=True, help="The reason, for the journal.")


def _exec_id(_ctx: click.Context, _param: click.Parameter, text: str) -> int:
    number = number_of(text)
    if not number:
        raise click.BadParameter(f"expected ExecID(17) of a fill, a number from 1, got {text!r}")
    return number


exec_id_argument = click.argument("exec_id", callback=_exec_id)


def refusing(function: Callable[..., None]) -> Callable[..., None]:
    """Say in one line why a command was refused, and exit 1."""

    @wraps(function)
    def run(**options: Any) -> None:
        try:
            function(**options)
        except OperatorError as error:
            refuse(str(error))
        except UnicodeEncodeError:
            refuse("expected arguments in UTF-8")

    return run


def refuse(text: str) -> NoReturn:
    click.echo(f"portcullis: {text}", err=True)
    sys.exit(EXIT_REFUSED)


def command_gateway(
    data: Path, do: str, why: str = "", **args: str | int | None
) -> dict[str, Any]:
    """Have the gateway do something; OperatorError says why it did not."""
    given: dict[str, Value] = {name: value for name, value in args.items() if value is not None}
    return call(data, Request(do=do, who=getpass.getuser(), why=why, args=given))


def amend(
    data: Path, do: str, why: str, exec_id: int, args: Callable[[Match], Mapping[str, int]]
) -> tuple[Match, Mapping[str, int], dict[str, Any]]:
    """Bust or correct the match of a fill; give it, `args` of it, and what the gateway answers.

    args: what is asked beside what the journal says. Looks again where other amendments, or the
    match's own orders, were faster than the look, up to AMEND_TRIES times.
    """
    for left in reversed(range(AMEND_TRIES)):
        try:
            match = find_match(data, exec_id)
        except JournalError as error:
            raise OperatorError(str(error)) from None
        first, second = match.sums
        known = {"match": match.number, "looked_to": match.last_row}
        sums = {"sum": first, "other_sum": second}
        asked = args(match)
        try:
            return match, asked, command_gateway(data, do, why, **known, **sums, **asked)
        except MovedOnError:
            if not left:
                raise
    raise AssertionError("one try at least")


class _LocalConnection(http.client.HTTPConnection):
    """HTTP over the socket of a data directory."""

    def __init__(self, data: Path) -> None:
        super().__init__("localhost", timeout=WAIT_S)
        self._data = data

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WAIT_S)
        with short_path(self._data, SOCKET) as path:
            self.sock.connect(path)


def ask_back_office(
    data: Path, path: str, questions: Mapping[str, str | int | None] | None = None
) -> dict[str, Any]:
    """Ask the back office; OperatorError where it does not answer, or refuses.

    Whoever asks is told on stderr where it has not heard of the gateway for a while.
    """
    asked = urlencode({key: value for key, value in (questions or {}).items() if value})
    link = _LocalConnection(data)
    try:
        link.request("GET", f"{path}?{asked}" if asked else path)
        answer = link.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
    except (TimeoutError, BlockingIOError):  # the latter: more wait than the system lets in
        raise OperatorError(
            f"the back office of data directory {str(data)!r} did not answer within {WAIT_S:g} s:"
            f" it hangs; {_beside_it(data)}"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise OperatorError(
            f"no back office answers for data directory {str(data)!r}: {reason};"
            " none runs on it, or it is starting"
        ) from None
    finally:
        link.close()
    if "error" in content:
        raise OperatorError(content["error"])
    if since_ns := content.get("gateway_silent_since_ns"):
        click.echo(
            f"portcullis: the gateway has not answered since {utc(since_ns, 's')} UTC; this is"
            " what it had written when it was last read",
            err=True,
        )
    return content


def _beside_it(data: Path) -> str:
    """How the gateway is whose back office hangs, and what to do."""
    try:
        office = call(data, Request(do="state"), wait_s=STATE_WAIT_S)["back_office"]
    except OperatorError as error:
        return str(error)
    process = f" (process {office['process']})" if office else ""
    return f"trading goes on: kill it{process}, and the gateway starts another"


def print_answer(content: Mapping[str, Any], as_json: bool, text: str) -> None:
    """What a command brought: JSON, or a line."""
    click.echo(json.dumps(content) if as_json else text)


def print_rows(content: Mapping[str, Any], name: str, as_json: bool) -> None:
    """Like things, called `name` in an answer: the answer as JSON, or a table of them."""
    if as_json:
        click.echo(json.dumps(content))
        return
    found: list[dict[str, Any]] = content[name]
    if not found:
        click.echo("none")
        return
    table = Table(*found[0], box=None, padding=(0, 2, 0, 0))
    for one in found:
        table.add_row(*(str(value) for value in one.values()))
    width = None if sys.stdout.isatty() else 200
    Console(width=width).print(table)
