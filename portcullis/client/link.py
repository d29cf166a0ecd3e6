"""One TCP connection between a gateway and a machine of `portcullis.sessions`.

Owns the socket's bytes both ways and the clock's ticks; the machine owns all rules. Must not know
which protocol is spoken. Reading can be held up, writing is waited for: neither side's bytes pile
up here. Whoever makes one calls `abort` or `finish` in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

# SoupBinTCP wants a heartbeat within a second of silence; no rule of either door is finer.
TICK_S = 0.1


class Machine(Protocol):
    """What `FixInitiator` and `SoupClient` have in common. Times in nanoseconds."""

    def feed(self, octets: bytes, now_ns: int) -> None:
        """Bytes arrived."""

    def tick(self, now_ns: int) -> int:
        """Do what is due."""

    def data_to_send(self) -> bytes:
        """The bytes to write."""


class Link(asyncio.Protocol):
    """A connection, from `connection_made` to `connection_lost`.

    log_in is called when it is made; carry_out after all that may have brought events, before what
    the machine has to send is written; on_lost when it is gone, with the error if there was one.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        now_ns: Callable[[], int],
        log_in: Callable[[], None],
        carry_out: Callable[[], None],
        on_lost: Callable[[Link, Exception | None], None],
    ) -> None:
        self.is_held = False
        self._machine = machine
        self._now_ns = now_ns
        self._log_in = log_in
        self._carry_out = carry_out
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        # To be closed once all is written.
        self._ends = False
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()
        self._gone.set()

    # --- what asyncio calls ------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Begin to tick, and to write what the machine has to send."""
        self._transport = transport
        self._gone.clear()
        self._log_in()
        self._tick()

    def data_received(self, octets: bytes) -> None:
        """Bytes arrived."""
        self._machine.feed(octets, self._now_ns())
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        """Either side has closed."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._gone.set()
        self._writable.set()
        self._on_lost(self, error)

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The socket has room again."""
        self._writable.set()

    # --- what a client calls -----------------------------------------------------------------

    def flush(self) -> None:
        """Carry out the machine's events and write what it has to send."""
        self._carry_out()
        octets = self._machine.data_to_send()
        if self._transport is not None:
            if octets:
                self._transport.write(octets)
            if self._ends:
                self._transport.close()

    async def drain(self) -> None:
        """Wait until the socket takes more."""
        await self._writable.wait()

    def hold(self, held: bool) -> None:
        """Read no more from the socket, or go on."""
        if self._transport is not None and held is not self.is_held:
            self.is_held = held
            if held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def close(self) -> None:
        """Close, at the next `flush`, once all is written."""
        self._ends = True

    def abort(self) -> None:
        """Close without writing what waits."""
        if self._transport is not None:
            self._transport.abort()

    async def finish(self, limit_s: float) -> None:
        """Wait until the connection is gone, at most so long, then end it."""
        try:
            async with asyncio.timeout(limit_s):
                await self._gone.wait()
        except TimeoutError:
            self.abort()
            await self._gone.wait()

    def _tick(self) -> None:
        self._machine.tick(self._now_ns())
        self.flush()
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)
