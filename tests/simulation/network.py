"""A network between simulated clients and a gateway: connections that split, stall and break.

Owns the bytes on their way. As TCP does, a connection brings bytes in order, and none twice; it
brings them in any pieces, as late as it likes, and when it breaks, what was on its way is lost,
and each end learns it in its own time, or never.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tests.simulation.world import MILLISECOND_NS, World

# What the buffers of two machines hold of one direction.
_SOCKET_BYTES = 32 << 10
_LATENCY_NS = (30_000, 400_000)


@dataclass
class Weather:
    """How bad the network is: chances per delivery. All zero: it is well."""

    split: float = 0.0
    stall: float = 0.0
    stall_ns_max: int = 0


class Client(Protocol):
    """The other end of a connection, told what arrives."""

    name: str

    def received(self, link: Link, octets: bytes) -> None:
        """Bytes arrived."""

    def lost(self, link: Link) -> None:
        """The connection has ended."""


class Pipe:
    """One direction of a connection."""

    def __init__(
        self,
        world: World,
        weather: Weather,
        receive: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self.is_broken = False
        self.on_room: Callable[[], None] | None = None
        self._world = world
        self._weather = weather
        self._receive = receive
        self._ended = ended
        self._octets = bytearray()
        self._has_end = False
        self._is_due = False

    def __len__(self) -> int:
        return len(self._octets)

    def put(self, octets: bytes) -> None:
        """Bytes begin their way."""
        if not self._has_end and not self.is_broken:
            self._octets += octets
            self._arrange()

    def end(self) -> None:
        """The end, behind all bytes so far."""
        if not self._has_end:
            self._has_end = True
            self._arrange()

    def _arrange(self) -> None:
        if self._is_due:
            return
        self._is_due = True
        chance, weather = self._world.random, self._weather
        delay_ns = chance.randrange(*_LATENCY_NS)
        if weather.stall and chance.random() < weather.stall:
            delay_ns = chance.randrange(weather.stall_ns_max)
        self._world.after(delay_ns, self._deliver)

    def _deliver(self) -> None:
        self._is_due = False
        if self.is_broken:
            return
        if self._octets:
            size = len(self._octets)
            if self._weather.split and self._world.random.random() < self._weather.split:
                size = self._world.random.randint(1, size)
            part = bytes(self._octets[:size])
            del self._octets[:size]
            self._receive(part)
            if self.on_room is not None:
                self.on_room()
        if self.is_broken:
            return
        if self._octets:
            self._arrange()
        elif self._has_end:
            self.is_broken = True
            self._ended()


class Link:
    """A connection from its client's side. Broken or closed, it is of no use any more."""

    def __init__(self, world: World, weather: Weather, client: Client) -> None:
        self.client = client
        self.transport: Transport | None = None
        self._world = world
        self.up = Pipe(world, weather, self._reaches_server, self._server_sees_end)
        self.down = Pipe(world, weather, self._reaches_client, self._client_sees_end)
        self._client_has_it = True
        # Bytes that came when the client had closed its end: its machine acknowledges none.
        self.refused = 0
        # What came before the gateway has opened its end.
        self._early = bytearray()
        self._has_early_end = False

    def attach(self, transport: Transport) -> None:
        """The gateway has opened its end."""
        self.transport = transport
        self.down.on_room = transport.on_room
        if self.up.is_broken and not self._has_early_end:
            transport.lose(ConnectionResetError("the connection broke down"))
            return
        transport.feed(bytes(self._early))
        if self._has_early_end:
            transport.feed_end()

    def send(self, octets: bytes) -> None:
        """The client sends."""
        self.up.put(octets)

    def close(self) -> None:
        """The client closes its end, in order; what comes from now on is not for it."""
        self._client_has_it = False
        self.up.end()

    def break_down(self, *, server_learns: bool = True, delay_ns: int = 0) -> None:
        """All that is on its way is lost; the two ends learn it, the server perhaps never."""
        self.up.is_broken = self.down.is_broken = True
        chance = self._world.random
        most_ns = delay_ns or 20 * MILLISECOND_NS
        self._world.after(chance.randrange(most_ns), self._client_sees_end)
        if server_learns and self.transport is not None:
            reset = ConnectionResetError("the connection broke down")
            self._world.after(chance.randrange(most_ns), lambda: self._lose(reset))

    def _lose(self, error: Exception | None) -> None:
        if self.transport is not None:
            self.transport.lose(error)

    def _reaches_server(self, octets: bytes) -> None:
        if self.transport is None:
            self._early += octets
        else:
            self.transport.feed(octets)

    def _server_sees_end(self) -> None:
        if self.transport is None:
            self._has_early_end = True
        else:
            self.transport.feed_end()

    def _reaches_client(self, octets: bytes) -> None:
        if self._client_has_it:
            self._world.note(self.client.name, octets)
            self.client.received(self, octets)
        else:
            self.refused += len(octets)

    def _client_sees_end(self) -> None:
        if self._client_has_it:
            self._client_has_it = False
            self.client.lost(self)


class Transport(asyncio.Transport):
    """The gateway's end of a connection."""

    def __init__(self, loop: Any, protocol: Any, link: Link) -> None:
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._link = link
        self._high = 1 << 20
        self._came = bytearray()
        self._has_end = False
        self._is_reading = False
        self._is_closing = False
        self._is_lost = False
        self._is_stopped = False

    def start(self) -> None:
        """The protocol knows of the connection: bytes may come."""
        self._is_reading = True
        self._link.attach(self)

    # --- what comes ------------------------------------------------------------------------------

    def feed(self, octets: bytes) -> None:
        """Bytes from the client."""
        self._came += octets
        self._read()

    def feed_end(self) -> None:
        """The client has closed its end."""
        self._has_end = True
        self._read()

    def _read(self) -> None:
        while self._is_reading and self._came and not self._gone:
            buffer = self._protocol.get_buffer(-1)
            size = min(len(buffer), len(self._came))
            buffer[:size] = self._came[:size]
            del self._came[:size]
            self._protocol.buffer_updated(size)
        if self._is_reading and self._has_end and not self._came and not self._gone:
            self._has_end = False
            self._protocol.eof_received()
            self.close()

    @property
    def _gone(self) -> bool:
        return self._is_lost or self._is_closing or self._loop.is_dead

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        if self._came or self._has_end:
            self._loop.call_soon(self._read)

    # --- what goes -------------------------------------------------------------------------------

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self._high = high

    def get_write_buffer_size(self) -> int:
        return max(len(self._link.down) - _SOCKET_BYTES, 0)

    @property
    def unacknowledged(self) -> int:
        """Bytes written that have not reached the client."""
        return len(self._link.down) + self._link.refused

    def write(self, data: Any) -> None:
        if self._gone:
            return
        assert isinstance(data, bytes), "a buffer that may change was given to a transport"
        self._loop.moment()
        if self._gone:
            return
        self._link.down.put(data)
        if not self._is_stopped and self.get_write_buffer_size() > self._high:
            self._is_stopped = True
            self._protocol.pause_writing()

    def on_room(self) -> None:
        """Some of what was written has reached the client."""
        if self._is_closing:
            self._finish()
        elif self._is_stopped and self.get_write_buffer_size() <= self._high // 4:
            self._is_stopped = False
            if not self._gone:
                self._protocol.resume_writing()

    # --- the end ---------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        return self._is_closing or self._is_lost

    def close(self) -> None:
        if not self._is_closing and not self._is_lost:
            self._is_closing = True
            self._finish()

    def _finish(self) -> None:
        """Once all that waits is with the system, the connection is over for the process."""
        if not self.get_write_buffer_size():
            self._link.down.end()
            self.lose(None)

    def abort(self) -> None:
        if not self._is_lost and not self._loop.is_dead:
            self._link.break_down(server_learns=False)
            self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """The connection has ended: the protocol is told, once."""
        if not self._is_lost:
            self._is_lost = True
            self._loop.call_soon(self._protocol.connection_lost, error)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class ListeningSocket:
    """A bound socket of the gateway's, and who waits at it."""

    def __init__(self) -> None:
        self.is_open = False
        self._waiting: deque[Link] = deque()
        self._tell: Callable[[], object] | None = None

    def knock(self, link: Link) -> bool:
        """A client connects; False: nobody listens."""
        if not self.is_open:
            return False
        self._waiting.append(link)
        if self._tell is not None:
            self._tell()
        return True

    def when_somebody_comes(self, tell: Callable[[], object] | None) -> None:
        self._tell = tell

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def listen(self, backlog: int) -> None:
        self.is_open = True

    def accept(self) -> tuple[AcceptedSocket, tuple[str, int]]:
        if not self._waiting:
            raise BlockingIOError
        return AcceptedSocket(self._waiting.popleft()), ("127.0.0.1", 40_000)

    def close(self) -> None:
        self.is_open = False
        while self._waiting:
            self._waiting.popleft().break_down(server_learns=False)


class AcceptedSocket:
    """A connection that the gateway has accepted and not opened yet."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def setsockopt(self, *option: int) -> None:
        """Whatever."""

    def close(self) -> None:
        self.link.break_down(server_learns=False)
