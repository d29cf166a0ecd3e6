"""The way in for operators' commands: a Unix socket in the data directory, JSON lines.

Owns the socket and what a caller may cost: lines, callers and waiting are bounded, so whoever
hangs on it holds up nobody. Who may write to the data directory may command; the caller's user id
comes from the system, not from what it says. Must not know what a command does (`operator`).
A command whose caller no longer waits is not begun, so that one that nobody was told of is not
carried out behind a wait: the caller sends until when it waits, and its end of the socket shows
whether it is still there.

    > {"do": "day end", "who": "ann", "why": "early close", "args": {}, "deadline_ns": 73000000000}
    < {"ok": true, "result": {"day": 2026112102, "live_before": 12}}
    < {"ok": false, "error": "day 2026112099 is the last that its date can have", "again": false}
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import select
import shlex
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

SOCKET = "operator.sock"
LINE_BYTES_MAX = 64 << 10
CALLERS_MAX = 16
WAIT_S = 10.0
_PEER = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)

Value = str | int | bool | None
Short = Annotated[str, Meta(max_length=200)]


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """A command. who: as the caller says; why: for the journal, needed where something changes.

    deadline_ns: by the machine's CLOCK_MONOTONIC, how long the caller waits; 0: as long as it is
    connected.
    """

    do: Annotated[str, Meta(max_length=40)]
    who: Short = ""
    why: Short = ""
    args: dict[Short, Value] = field(default_factory=dict)
    deadline_ns: int = 0


class OperatorError(Exception):
    """A command can't be done; the text says why, in words for the operator."""


class MovedOnError(OperatorError):
    """What the command rests on is no longer so; whoever looks again may ask again."""


Handle = Callable[[Request], dict[str, Any]]


@contextlib.contextmanager
def short_path(directory: Path, name: str) -> Iterator[str]:
    """A path to a file of the directory that fits a socket's address, however long its own is."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


class OperatorPort:
    """Listens in `directory`, which the caller has locked. handle: does a command, on the loop."""

    def __init__(self, directory: Path, handle: Handle) -> None:
        self._directory = directory
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._callers = 0

    async def start(self) -> None:
        """Listen. A socket left over from a killed gateway is replaced."""
        (self._directory / SOCKET).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_path(self._directory, SOCKET) as path:
            listener.bind(path)
        os.chmod(self._directory / SOCKET, 0o600)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=LINE_BYTES_MAX
        )

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            (self._directory / SOCKET).unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        try:
            user = _user_of(writer)
            while self._callers <= CALLERS_MAX:
                line = await asyncio.wait_for(reader.readline(), WAIT_S)
                if not line or _is_gone(writer):
                    break
                writer.write(msgspec.json.encode(self._answer(line, user)) + b"\n")
                await asyncio.wait_for(writer.drain(), WAIT_S)
        except (TimeoutError, OSError, ValueError):  # ValueError: a line that is too long
            pass
        finally:
            self._callers -= 1
            writer.close()

    def _answer(self, line: bytes, user: str) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.DecodeError as error:
            return {"ok": False, "error": f"not a command: {error}"}
        said = request.who
        request.who = user if said in ("", user) else f"{said} ({user})"
        if 0 < request.deadline_ns < time.monotonic_ns():
            return {"ok": False, "error": f"{request.do} came too late, and was not begun"}
        try:
            return {"ok": True, "result": self._handle(request)}
        except OperatorError as error:
            again = isinstance(error, MovedOnError)
            return {"ok": False, "error": str(error), "again": again}


def _user_of(writer: asyncio.StreamWriter) -> str:
    """The system's name of the user who calls."""
    link: socket.socket = writer.get_extra_info("socket")
    options = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _pid, uid, _gid = _PEER.unpack(options)
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _is_gone(writer: asyncio.StreamWriter) -> bool:
    """Whether the caller has closed its socket; one that only sends no more still waits."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket"), select.POLLHUP)
    return bool(poll.poll(0))


def call(directory: Path, request: Request, *, wait_s: float = WAIT_S) -> dict[str, Any]:
    """Send a command to the gateway of a data directory; give its result.

    OperatorError: what the gateway says, or that none runs there, or that it does not answer; the
    text then says where a command may have been carried out all the same.
    """
    request.deadline_ns = time.monotonic_ns() + int(wait_s * 1_000_000_000)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(wait_s)
        try:
            with short_path(directory, SOCKET) as path:
                link.connect(path)
        except BlockingIOError:
            raise OperatorError("the gateway does not answer, and many wait for it") from None
        except OSError as error:
            raise OperatorError(f"no gateway runs on {directory}: {error.strerror}") from None
        try:
            link.sendall(msgspec.json.encode(request) + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                read = link.recv(LINE_BYTES_MAX)
                if not read:
                    raise ConnectionResetError
                line += read
        except TimeoutError:
            text = f"the gateway did not answer within {wait_s:g} s"
            raise OperatorError(text + _in_doubt(directory, request)) from None
        except ConnectionError:
            text = "the gateway closed the connection"
            raise OperatorError(text + _in_doubt(directory, request)) from None
    answer = msgspec.json.decode(line)
    if not answer["ok"]:
        raise (MovedOnError if answer.get("again") else OperatorError)(answer["error"])
    result: dict[str, Any] = answer["result"]
    return result


def _in_doubt(directory: Path, request: Request) -> str:
    """How to see whether a command that changes something was begun before its caller left."""
    if not request.why:
        return ""
    return (
        "; if it had begun this before, it may have been carried out: look at"
        f" portcullis journal dump --data {shlex.quote(str(directory))} --kind operator"
    )
