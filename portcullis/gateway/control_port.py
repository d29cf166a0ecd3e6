"""The control port: HTTP for machines that watch the gateway, and for the operator's commands.

Owns the routes and the server; what is answered comes from the back office it runs in, so asking
costs the gateway nothing. Served on the address of `[listen] control`, and on a socket in the data
directory for `portcullis sessions`, `orders`, `book`. Reads only: what changes something goes over
the operator's socket, where the system says who asks.

    GET /health   200 while the gateway answers, else 503: what is amiss, how far each follower is
    GET /ready    200 while orders are taken, else 503
    GET /streams  streams with refills: their sessions, and what was asked
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from portcullis.gateway.operator_port import short_path

SOCKET = "control.sock"
# Connections at once, over TCP and over the local socket each; one more, and the oldest goes: so
# whoever holds some open, silent or dripping, keeps nobody else from asking.
CONNECTIONS_MAX = 64
# In all: a request takes milliseconds.
CONNECTION_S = 30.0
KEEP_ALIVE_S = 5


class Office(Protocol):
    """What the port shows."""

    gateway_trouble: str

    def health(self) -> dict[str, Any]:
        """What is, and what is amiss."""

    def is_ready(self) -> bool:
        """Whether orders are taken."""


class _Bounded(H11Protocol):
    """A connection that lasts so long at most, among so many."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._family = transport.get_extra_info("socket").family
        self._began = self.loop.time()
        self._end = self.loop.call_later(CONNECTION_S, transport.abort)
        alike = [one for one in self._others() if one._family == self._family]
        if len(alike) >= CONNECTIONS_MAX:
            oldest = min(alike, key=lambda one: one._began)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)

    def _others(self) -> Iterator[_Bounded]:
        return (one for one in self.connections if isinstance(one, _Bounded) and one is not self)


def answer(content: object, status: int = 200) -> Response:
    """JSON."""
    return Response(msgspec.json.encode(content) + b"\n", status, media_type="application/json")


def make_app(office: Office, routes: list[Route]) -> Starlette:
    """The application: health and readiness, and what else is to be shown."""

    async def health(_request: Request) -> Response:
        return answer(office.health(), 503 if office.gateway_trouble else 200)

    async def ready(_request: Request) -> Response:
        is_ready = office.is_ready()
        return answer({"ready": is_ready}, 200 if is_ready else 503)

    return Starlette(routes=[Route("/health", health), Route("/ready", ready), *routes])


async def serve_control(app: Starlette, directory: Path, control: socket.socket | None) -> None:
    """Serve on the control address, if there is one, and on the directory's socket. For ever."""
    (directory / SOCKET).unlink(missing_ok=True)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(directory, SOCKET) as path:
        local.bind(path)
    os.chmod(directory / SOCKET, 0o600)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="error",  # what callers do wrong is answered, and not told
            access_log=False,
            lifespan="off",
            ws="none",
            http=_Bounded,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
        )
    )
    await server.serve(sockets=[local] if control is None else [local, control])
