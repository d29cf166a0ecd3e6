"""The event loop of a simulated gateway process: asyncio's interface over the world's events.

Owns what the process waits for. A pass over what is ready takes some microseconds, so that what
arrives meanwhile is read in the same turn. What asyncio would hand to a thread happens at once
after a while; no thread is ever started. When the process has died, nothing that it waited for
happens any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.network import ListeningSocket, Transport
from tests.simulation.world import SECOND_NS, World

_PASS_NS = 20_000


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The loop of one process.

    work_ns: how long a call takes that would run in a thread. moment: called before each use of
    the network, where the process may as well die.
    """

    def __init__(
        self, world: World, work_ns: Callable[[], int], moment: Callable[[], None]
    ) -> None:
        self.is_dead = False
        self.moment = moment
        # Exceptions that left a callback.
        self.stray: list[BaseException] = []
        self.signal_handlers: dict[int, Callable[[], None]] = {}
        self._world = world
        self._work_ns = work_ns
        self._ready: deque[asyncio.Handle] = deque()
        self._is_pass_due = False
        self._is_winding_up = False

    def die(self) -> None:
        """Nothing happens in this process any more."""
        self.is_dead = True
        self._ready.clear()

    # --- callbacks and time ----------------------------------------------------------------------

    def time(self) -> float:
        return self._world.now_ns / SECOND_NS

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._enqueue(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        delay_ns = max(round((when - self.time()) * SECOND_NS), 0)
        self._world.after(delay_ns, lambda: self._enqueue(handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def _enqueue(self, handle: asyncio.Handle) -> None:
        if handle.cancelled() or (self.is_dead and not self._is_winding_up):
            return
        self._ready.append(handle)
        if not self._is_pass_due and not self.is_dead:
            self._is_pass_due = True
            self._world.after(_PASS_NS, self._pass)

    def _pass(self) -> None:
        """Call what is ready now; what that makes ready is for the next pass."""
        self._is_pass_due = False
        for _ in range(len(self._ready)):
            if not self._ready:  # it died meanwhile
                return
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()
        if self._ready and not self._is_pass_due:
            self._is_pass_due = True
            self._world.after(_PASS_NS, self._pass)

    def wind_up(self) -> None:
        """Let Python objects of a dead process come to their end; nobody hears of it."""
        self._is_winding_up = True
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()

    # --- futures, tasks, threads -----------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()

        def work() -> None:
            if self.is_dead or future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._world.after(self._work_ns(), work)
        return future

    # --- network, signals ------------------------------------------------------------------------

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        assert isinstance(fd, ListeningSocket)
        fd.when_somebody_comes(lambda: self.call_soon(callback, *args))

    def remove_reader(self, fd: Any) -> bool:
        assert isinstance(fd, ListeningSocket)
        fd.when_somebody_comes(None)
        return True

    async def connect_accepted_socket(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], sock: Any, **_tls: Any
    ) -> tuple[Any, Any]:
        protocol = protocol_factory()
        transport = Transport(self, protocol, sock.link)
        protocol.connection_made(transport)
        transport.start()
        return transport, protocol

    async def create_unix_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], path: Any = None, *, sock: Any, **_options: Any
    ) -> Any:
        return sock  # nobody comes; it is closed in the end

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:
        self.signal_handlers[sig] = callback

    # --- what asyncio asks -----------------------------------------------------------------------

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.is_dead

    def is_closed(self) -> bool:
        return self.is_dead

    def set_exception_handler(self, handler: Any) -> None:
        """Whatever the process would do: here it is a fault, see `stray`."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.stray.append(context.get("exception") or RuntimeError(context.get("message")))
