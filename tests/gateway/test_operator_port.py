"""The operator's socket: what is begun for whom, and what a caller is told that waited in vain."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from portcullis.gateway.operator_port import (
    SOCKET,
    OperatorError,
    OperatorPort,
    Request,
    call,
    short_path,
)
from portcullis.tools.gateway_process import CONFIG
from portcullis.tools.main import main
from tests.support.gateway_process import GatewayProcess


def begun(directory: Path, callers: Callable[[Path], Awaitable[None]]) -> list[str]:
    """What a port begins for some callers, and for one after them."""
    done: list[str] = []

    def handle(request: Request) -> dict[str, Any]:
        done.append(request.do)
        return {}

    async def run() -> None:
        port = OperatorPort(directory, handle)
        await port.start()
        await callers(directory)
        await asyncio.to_thread(call, directory, Request(do="last"))
        port.close()

    asyncio.run(run())
    return done


def connected(directory: Path, request: Request) -> socket.socket:
    """A caller that has sent its request; nobody has read it yet."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(directory, SOCKET) as path:
        link.connect(path)
    link.sendall(msgspec.json.encode(request) + b"\n")
    return link


def test_a_command_whose_caller_has_gone_is_not_begun(tmp_path: Path) -> None:
    async def leave(directory: Path) -> None:
        connected(directory, Request(do="left")).close()

    assert begun(tmp_path, leave) == ["last"]


def test_a_command_whose_caller_only_sends_no_more_is_carried_out(tmp_path: Path) -> None:
    async def half_close(directory: Path) -> None:
        with connected(directory, Request(do="waits")) as link:
            link.shutdown(socket.SHUT_WR)
            answer = await asyncio.to_thread(link.recv, 1000)
            assert json.loads(answer) == {"ok": True, "result": {}}

    assert begun(tmp_path, half_close) == ["waits", "last"]


def test_a_command_behind_its_deadline_is_refused_and_not_begun(tmp_path: Path) -> None:
    async def late(directory: Path) -> None:
        past_ns = time.monotonic_ns() - 1
        with connected(directory, Request(do="day end", deadline_ns=past_ns)) as link:
            answer = json.loads(await asyncio.to_thread(link.recv, 1000))
            assert answer == {"ok": False, "error": "day end came too late, and was not begun"}

    assert begun(tmp_path, late) == ["last"]


def test_a_day_that_a_stopped_gateway_was_to_end_goes_on_behind_the_time_out(
    tmp_path: Path,
) -> None:
    with GatewayProcess(tmp_path, CONFIG) as gateway:
        before = call(gateway.data, Request(do="state"))
        gateway.signal(signal.SIGSTOP)
        try:
            # Where nothing changes nothing is in doubt.
            with pytest.raises(OperatorError, match=r"did not answer within 0\.1 s$"):
                call(gateway.data, Request(do="state"), wait_s=0.1)
            with pytest.raises(OperatorError, match=r"journal dump --data .* --kind operator"):
                call(gateway.data, Request(do="day end", why="early close"), wait_s=0.1)
        finally:
            gateway.signal(signal.SIGCONT)
        # The retry is the first to end it.
        ended = call(gateway.data, Request(do="day end", why="early close"))
        assert ended["day"] == before["day"] + 1
        line = ["journal", "dump", "--data", str(gateway.data), "--kind", "operator", "--json"]
        assert len(CliRunner().invoke(main, line).output.splitlines()) == 1
