"""One connection of a scenario: bytes out, messages in with the time each came.

Owns what waits to be looked at and its bound; every wait has an end. Of the two kinds the stream,
TCP, stands here, datagrams in `datagram_link`. A task reads as bytes come, so that times are
those of arrival. Must not know scenarios.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass

from portcullis.tools.conform.wire import Message, StreamWire, WireError

# Small, because what takes messages out of it copies the rest for each.
READ_BYTES = 1 << 13
HANG_UP_S = 0.5
# The end of a connection as it should be; any other text says what was wrong with the bytes.
CLOSED = "closed"
# How often a link notes that its process runs: what is read behind a longer pause may have come
# at any time of it.
PULSE_S = 0.02
# Turns of the loop from a socket with bytes to a message.
READING_TURNS = 5
# Bytes of messages that wait to be looked at; more, and reading stops until some are taken.
WAITING_BYTES_MAX = 4 << 20


class TargetError(Exception):
    """The target cannot be talked to at all; the text says why."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came, and when (of the loop's clock): a message, or the end: None and why.

    earliest_s: when it may have come, where this process was not run before it was read.
    """

    at_s: float
    earliest_s: float
    message: Message | None
    end: str = ""


class Link(ABC):
    """An open connection. `last_sent_s`, `last_received_s`: times of the loop's clock;
    `last_earliest_s`: when what was received last may have come; `pauses_s`: how long this process
    was not run since."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ran_s = self.last_sent_s = self._loop.time()
        self.last_received_s = self.last_earliest_s = self._ran_s
        # The last pause of this process, from when to when, and all of them.
        self._paused_s = (0.0, 0.0)
        self.pauses_s = 0.0
        self._pulse = self._loop.call_later(PULSE_S, self._beat)
        self._arrivals: deque[Arrival] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Condition()

    @abstractmethod
    async def send(self, octets: bytes, timeout_s: float) -> None:
        """Write; a target that has closed is no error here, what it said is read later."""

    @abstractmethod
    async def close(self) -> None:
        """Hang up."""

    async def receive(self, timeout_s: float) -> Arrival | None:
        """The next message or the end, None where nothing comes in time.

        The end comes again each time it is asked for.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: len(self._arrivals) > 0)
        for _ in range(READING_TURNS):  # of a late turn, the end of the wait comes first
            if self._arrivals:
                break
            await asyncio.sleep(0)
        else:
            return None
        arrival = self._arrivals[0]
        if arrival.message is not None:
            self._arrivals.popleft()
            self._waiting_bytes -= len(arrival.message.octets)
            self.last_received_s = arrival.at_s
            self.last_earliest_s = arrival.earliest_s
            async with self._changed:
                self._changed.notify_all()
        return arrival

    def put_back(self, arrival: Arrival) -> None:
        """A message that was looked at and is not the one meant."""
        if arrival.message is not None:
            self._arrivals.appendleft(arrival)
            self._waiting_bytes += len(arrival.message.octets)

    def _beat(self) -> None:
        now_s = self._loop.time()
        if now_s - self._ran_s > 2 * PULSE_S:
            self._paused_s = (self._ran_s, now_s)
            self.pauses_s += now_s - self._ran_s
        self._ran_s = now_s
        self._pulse = self._loop.call_later(PULSE_S, self._beat)

    def _times(self) -> tuple[float, float]:
        """Of what is read now: `at_s` and `earliest_s`."""
        now_s = self._loop.time()
        if now_s - self._ran_s > 2 * PULSE_S:  # the beat of this turn comes behind it
            return now_s, self._ran_s
        begun_s, ended_s = self._paused_s
        return now_s, begun_s if now_s - ended_s < PULSE_S else now_s

    async def _put(self, arrival: Arrival) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting_bytes < WAITING_BYTES_MAX)
            self._arrivals.append(arrival)
            if arrival.message is not None:
                self._waiting_bytes += len(arrival.message.octets)
            self._changed.notify_all()


class StreamLink(Link):
    """A TCP connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wire: StreamWire
    ) -> None:
        super().__init__()
        self._wire = wire
        self._reader = reader
        self._writer = writer
        self._task = self._loop.create_task(self._read())

    @classmethod
    async def connect(cls, host: str, port: int, wire: StreamWire, timeout_s: float) -> StreamLink:
        """Connect; TargetError where that fails or takes longer than timeout_s."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(host, port)
        except TimeoutError:
            raise TargetError(f"{host}:{port} does not answer within {timeout_s:g} s") from None
        except OSError as error:
            raise TargetError(f"cannot connect to {host}:{port}: {reason(error)}") from None
        return cls(reader, writer, wire)

    async def send(self, octets: bytes, timeout_s: float) -> None:
        self._writer.write(octets)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
        self.last_sent_s = self._loop.time()

    async def close(self) -> None:
        """Hang up, and give the target a moment to notice, so that it finds the session free."""
        self._pulse.cancel()
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_S):
                await asyncio.shield(self._task)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.transport.abort()

    async def _read(self) -> None:
        end = CLOSED
        try:
            while octets := await self._reader.read(READ_BYTES):
                times = self._times()
                # A target that never rests is let go of nevertheless.
                await asyncio.sleep(0)
                self._wire.feed(octets)
                while (message := self._wire.next()) is not None:
                    await self._put(Arrival(*times, message))
        except WireError as error:
            end = str(error)
        except OSError:
            end = CLOSED
        await self._put(Arrival(*self._times(), None, end))


def reason(error: OSError) -> str:
    """What the system says; name resolution has errors without a number of the system's."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error)
