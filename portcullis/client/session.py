"""What all clients are: a session that outlives its connections, and its messages.

Owns connecting, the bounded queue of what was received, and how an end is told. What a door's
protocol says is in `fix` and `ouch`. Must not know bytes.

    async with client:                  # connect and log in, from where it stopped before
        await client.send(order)
        async for message in client:    # raises ConnectionLost where the connection is lost
            ...
    # logged out; `async with client` again goes on with the same session

Messages that came before an end are given before the end is told. A queue that is full stops the
reading from the socket, not the heartbeats; the gateway then keeps what is to come. One task
reads, any number may send.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, NoReturn, Self, TypeVar

from portcullis.client.errors import ClientError, ConnectionLost, SessionEnded
from portcullis.client.link import Link, Machine

# Enough for a second of a busy session; one read from the socket, 256 KiB, may come on top.
QUEUE_MAX = 10_000
# The gateway waits as long for a Logon.
LOGIN_TIMEOUT_S = 10.0
# For the answer to a logout, and for what is still to be written.
LOGOUT_TIMEOUT_S = 3.0

Received = TypeVar("Received")


class ClientSession(ABC, Generic[Received]):
    """The part of a client that knows no protocol. See the module on how it is used."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        queue_max: int = QUEUE_MAX,
        login_timeout_s: float = LOGIN_TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if queue_max < 1:
            raise ValueError(f"queue_max was {queue_max}, at least 1 expected")
        self.host = host
        self.port = port
        self._queue_max = queue_max
        self._login_timeout_s = login_timeout_s
        self._tls = tls
        self._queue: deque[Received] = deque()
        # Set when there is something new: a message, a login, an end.
        self._news = asyncio.Event()
        self._link: Link | None = None
        self._is_up = False
        self._is_closing = False
        # What the gateway said for people, as it may before it closes.
        self._said = ""
        # Why nothing follows on this connection.
        self._end: ClientError | None = SessionEnded("never connected")

    # --- what a door's client says ---------------------------------------------------------------

    @abstractmethod
    def _begin(self) -> Machine:
        """A machine for a new connection."""

    @abstractmethod
    def _log_in(self) -> None:
        """The connection is made: tell the machine to log in."""

    @abstractmethod
    def _carry_out(self) -> None:
        """Look at the machine's events: call `_put`, `_logged_in` and `_over` as they say."""

    @abstractmethod
    def _begin_logout(self) -> None:
        """Tell the machine to log out; what comes of it closes the connection."""

    @abstractmethod
    def _unanswered(self, reason: str) -> ClientError:
        """What it means that the connection is lost before the login was answered."""

    @abstractmethod
    def _now_ns(self) -> int:
        """The machine's clock."""

    # --- connecting ------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether it is logged in: what is sent goes out."""
        return self._is_up

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect and log in, going on where the session stopped.

        LoginRefused, with the reason; ConnectionLost where there is no gateway or no answer.
        """
        if self._link is not None:
            raise RuntimeError("connected already: close first")
        link = Link(
            self._begin(),
            now_ns=self._now_ns,
            log_in=self._log_in,
            carry_out=self._carry_out,
            on_lost=self._on_lost,
        )
        self._link, self._end, self._is_closing, self._said = link, None, False, ""
        try:
            async with asyncio.timeout(self._login_timeout_s):
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: link, self.host, self.port, ssl=self._tls)
                await self._until(lambda: self._is_up or self._end is not None)
        except (OSError, TimeoutError) as error:
            why = _reason(error) or f"no answer in {self._login_timeout_s:g} s"
            self._over(ConnectionLost(f"{self.host}:{self.port}: {why}"))
        except BaseException:
            self._over(SessionEnded("given up"))
            self._forget(link)
            raise
        if not self._is_up:
            link.close()
            link.flush()
            await self._finish(link)
            self._raise_end()

    async def close(self) -> None:
        """Log out and close the connection; nothing where there is none. Numbers stay."""
        link = self._link
        if link is None:
            return
        if self._is_up and self._end is None:
            self._is_closing = True
            self._begin_logout()
        else:
            link.close()
        link.flush()
        await self._finish(link)

    def abort(self) -> None:
        """Close at once and without a logout, as a crash would. Numbers stay."""
        if self._link is not None:
            self._over(SessionEnded("aborted"))
            self._link.abort()

    # --- messages --------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        try:
            return await self.receive()
        except SessionEnded:
            raise StopAsyncIteration from None

    async def receive(self) -> Received:
        """The next message. ConnectionLost, SessionEnded: there is none, and why.

        May be cancelled, as by `asyncio.timeout`, and loses nothing by it.
        """
        await self._until(lambda: bool(self._queue) or self._end is not None)
        if not self._queue:
            self._raise_end()
        message = self._queue.popleft()
        if self._link is not None and len(self._queue) <= self._queue_max // 2:
            self._link.hold(False)
        return message

    def _up_link(self) -> Link:
        """The connection; raises why there is none."""
        if self._link is None or not self._is_up or self._is_closing or self._end is not None:
            raise ConnectionLost(str(self._end or "not connected"))
        return self._link

    # --- for the door's client -------------------------------------------------------------------

    def _end_link(self, end: ClientError) -> None:
        """The machine wants the connection to be closed, and why."""
        self._over(end)
        if self._link is not None:
            self._link.close()

    def _put(self, message: Received) -> None:
        self._queue.append(message)
        self._news.set()
        if self._link is not None and len(self._queue) >= self._queue_max:
            self._link.hold(True)

    def _logged_in(self) -> None:
        self._is_up = True
        self._news.set()

    def _over(self, end: ClientError) -> None:
        """Nothing more will come; the first reason holds."""
        if self._end is None:
            self._end = SessionEnded("logged out") if self._is_closing else end
            self._news.set()

    def _on_lost(self, link: Link, error: Exception | None) -> None:
        if link is self._link:
            reason = self._said or str(error or "the gateway closed the connection")
            self._over(ConnectionLost(reason) if self._is_up else self._unanswered(reason))
            self._is_up = False

    async def _finish(self, link: Link) -> None:
        """Wait for the end of a connection that is being closed, within bounds."""
        try:
            await link.finish(LOGOUT_TIMEOUT_S)
        finally:
            self._forget(link)

    def _forget(self, link: Link) -> None:
        link.abort()
        self._link = None
        self._is_up = False

    def _raise_end(self) -> NoReturn:
        assert self._end is not None
        raise type(self._end)(*self._end.args)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._news.clear()
            await self._news.wait()


def _reason(error: OSError) -> str:
    """What the system says; those of TLS and of name resolution have numbers of their own."""
    number = error.errno or 0
    if number > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(number)
    return str(error)
