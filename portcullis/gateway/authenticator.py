"""Authenticators: a function of the operator's own that says who may log on.

Owns the process in which it runs, one for each entry point, so that it holds up neither the event
loop nor anybody's orders, and may take its time or fall over. Requests and answers are lines of
JSON over its pipes, one at a time. What it prints goes to our standard error.

    from portcullis.gateway.authenticator import LogonAnswer, LogonRequest

    def authenticate(request: LogonRequest) -> LogonAnswer | None: ...

An answer lets the client in, None does not. docs/sessions.md says how it is configured.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from portcullis.gateway.auth import FairQueue

_LINE_BYTES_MAX = 1 << 16
_START_S = 30.0
_END_S = 1.0
_AccountName = Annotated[str, Meta(pattern=r"^[!-~]{1,24}$")]


class LogonRequest(msgspec.Struct, frozen=True):
    """A Logon by somebody not in the configuration. Its text does not show the password."""

    # SenderCompID(49) and TargetCompID(56).
    client: str
    comp_id: str
    # Username(553) and Password(554), empty where absent.
    username: str
    password: str
    # Where it comes from, and the names of the certificate it showed.
    address: str
    certificate_names: list[str]

    def __repr__(self) -> str:
        return f"LogonRequest(client={self.client!r}, address={self.address!r})"


class LogonAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """It may log on. account: of its orders, for ever; default: that of the template."""

    account: _AccountName | None = None


class Reply(msgspec.Struct, frozen=True):
    """What comes back from the process: an answer, or what went wrong, or neither: no."""

    answer: LogonAnswer | None = None
    error: str = ""


class AuthenticatorError(Exception):
    """It could not be asked; the text says why, and nothing of the request."""


class Authenticator:
    """One entry point, "module:function". folder: where modules are looked for first."""

    def __init__(
        self, entry_point: str, folder: Path, *, timeout_s: float, queue: FairQueue
    ) -> None:
        self.entry_point = entry_point
        self._folder = folder
        self._timeout_s = timeout_s
        self._queue = queue
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def ask(
        self, request: LogonRequest, address: str, may_try: Callable[[], bool]
    ) -> LogonAnswer | None:
        """Its answer; None: no. AuthenticatorError where it fails, and as `FairQueue.turn`."""
        async with self._queue.turn(address, may_try):
            # Whoever asked may go meanwhile: the answer is read all the same, for the next one.
            reply = await asyncio.shield(asyncio.ensure_future(self._exchange(request)))
        if reply.error:
            raise AuthenticatorError(f"authenticator: {reply.error}")
        return reply.answer

    async def start(self) -> None:
        """Begin the process, if there is none; AuthenticatorError where it can't be had."""
        async with self._lock:
            error = await self._start()
        if error:
            raise AuthenticatorError(error)

    async def close(self) -> None:
        """End the process; the next request begins another."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            if process.returncode is None:
                # With all that it has begun: a child of its own holds its pipes open.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.stdin.close()
            await process.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.stdout.read(), _END_S)

    async def _start(self) -> str:
        """ "": it is there; else what is wrong."""
        if self._process is not None and self._process.returncode is None:
            return ""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "portcullis.gateway.authenticator_process",
            self.entry_point,
            str(self._folder.resolve()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES_MAX,
            start_new_session=True,
        )
        return (await self._read(_START_S)).error

    async def _exchange(self, request: LogonRequest) -> Reply:
        async with self._lock:
            error = await self._start()
            if error:
                return Reply(error=error)
            assert self._process is not None and self._process.stdin is not None
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            return await self._read(self._timeout_s)

    async def _read(self, timeout_s: float) -> Reply:
        """The next line of the process; where none comes, the process ends."""
        assert self._process is not None and self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), timeout_s)
            reply = msgspec.json.decode(line, type=Reply)
        except TimeoutError:
            reply = Reply(error="no answer in time")
        except (ValueError, msgspec.DecodeError):
            reply = Reply(error="it ended, or gave no answer")
        if reply.error:
            await self.close()
        return reply
