"""The process in which an authenticator runs: a line of JSON in, a line out, until the input ends.

Owns the calling of the operator's function. Started by `gateway.authenticator` with the entry
point and the folder where modules are looked for first. Nothing of a request is ever printed:
of an exception, its type and place are told, and its text is not.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from portcullis.gateway.authenticator import LogonAnswer, LogonRequest, Reply


def load(entry_point: str) -> Callable[[LogonRequest], Any]:
    """The function that "module:function" names; ValueError where there is none."""
    module, _, name = entry_point.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except BaseException as error:
        raise ValueError(f"{entry_point} cannot be loaded: {place_of(error)}") from None
    if not callable(found):
        raise ValueError(f"{entry_point} is no function")
    return found  # type: ignore[no-any-return]


def place_of(error: BaseException) -> str:
    """Type and place of an exception: its text may hold what a request held."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {os.path.basename(last.filename)}:{last.lineno}"


def reply_to(function: Callable[[LogonRequest], Any], line: bytes) -> Reply:
    """What the function makes of one request."""
    try:
        said = function(msgspec.json.decode(line, type=LogonRequest))
        # By way of plain values, so that what was made without a check is checked.
        answer = None if said is None else msgspec.convert(msgspec.to_builtins(said), LogonAnswer)
    except msgspec.ValidationError:
        return Reply(error="expected a LogonAnswer or None of it")
    except BaseException as error:  # an exit too: Python would print what was given to it
        return Reply(error=place_of(error))
    return Reply(answer)


def serve(entry_point: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the requests end."""

    def say(reply: Reply) -> None:
        replies.write(msgspec.json.encode(reply) + b"\n")
        replies.flush()

    try:
        function = load(entry_point)
    except ValueError as error:
        say(Reply(error=str(error)))
        return
    say(Reply())
    for line in requests:
        say(reply_to(function, line))


def main() -> None:
    """Run with the arguments of the command line."""
    # Ctrl-C is for the gateway, which ends us by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the function prints must not stand among the answers.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path.insert(0, sys.argv[2])
    serve(sys.argv[1], sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
