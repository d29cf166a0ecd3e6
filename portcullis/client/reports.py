"""The report stream for asyncio: every execution report once, in order, whatever the network does.

    stream = ReportStream(["239.255.13.1:9881"], retransmit="127.0.0.1:9882",
                          replay="127.0.0.1:9883")
    async with stream:
        async for event in stream:
            if isinstance(event, Report):
                print(event.sequence, event.name, event.values["clOrdId"])

Owns the sockets around `sessions.mold_subscriber`, which has all rules: the multicast lines, the
requests for what is missing, the replay over TCP where asking doesn't get on. What is iterated
over are its events, messages as `Report`. A reader that is slow stops the reading of sockets, not
the memory: what the kernel drops then is recovered like any other loss.

Who comes late and wants no history takes a snapshot (`replay.take_snapshot`) and goes on with its
session and number.

Must not know journals, engines or rows. More in docs/subscribing.md.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from portcullis.client.errors import ClientError, LoginRefused, SessionEnded
from portcullis.client.replay import ReplayClient
from portcullis.codecs.sbe.messages import Value, report_stream
from portcullis.sessions.mold_subscriber import (
    Began,
    Counts,
    Ended,
    Lost,
    Message,
    Missing,
    MoldSubscriber,
    State,
    SubscriberSettings,
    Way,
)

__all__ = [
    "Began",
    "ClientError",
    "Ended",
    "Lost",
    "Missing",
    "ReplayRefused",
    "Report",
    "ReportStream",
    "State",
    "StreamEvent",
    "SubscriberSettings",
    "Way",
]

# Events that wait for who iterates; then nothing is read.
QUEUE_MAX = 65_536
# Asked of the kernel for each line: a burst while this process doesn't run. It may grant less.
RECEIVE_BUFFER_BYTES = 8 << 20
_DATAGRAMS_A_TURN = 64
_DATAGRAM_BYTES = 65_535
_LOOK_S = 0.25  # whether a replay is still wanted
_RETRY_FIRST_S = 0.1
_RETRY_MOST_S = 2.0


class Report(NamedTuple):
    """A message of the stream. session and sequence name it for ever."""

    session: str
    sequence: int
    octets: bytes
    way: Way

    @property
    def name(self) -> str:
        """ExecutionReport, or Trade of a stream of trades."""
        return report_stream().decode(self.octets).name

    @property
    def values(self) -> dict[str, Value]:
        """Its fields, as the schema names them. SbeError: no message of this schema."""
        return report_stream().decode(self.octets).values


class ReplayRefused(NamedTuple):
    """The replay lets nobody in as asked. It is asked again; the same reason is said once."""

    reason: str


StreamEvent = Report | Began | Missing | Lost | Ended | ReplayRefused


class ReportStream:
    """A subscriber. groups: of lines A and B, "address:port"; interface: an address of it.

    source: take packets of this sender only. retransmit, replay: addresses of the servers, empty
    where there are none. session, sequence: where to go on; by default at the first message of the
    session that is; sequence 0: at what comes next.
    """

    def __init__(
        self,
        groups: Sequence[str],
        *,
        interface: str = "127.0.0.1",
        source: str = "",
        retransmit: str = "",
        replay: str = "",
        session: str = "",
        sequence: int = 1,
        password: str = "",
        settings: SubscriberSettings | None = None,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        if not 1 <= len(groups) <= 2:
            raise ValueError(f"a stream has one line or two, not {len(groups)}")
        self._groups = [_address(group) for group in groups]
        self._interface = interface
        self._source = source
        self._retransmit = _address(retransmit) if retransmit else None
        self._replay = _address(replay) if replay else None
        self._password = password
        wanted = settings or SubscriberSettings(
            has_requests=bool(retransmit), has_replay=bool(replay)
        )
        self._subscriber = MoldSubscriber(wanted, _now_ns(), session=session, sequence=sequence)
        self._queue_max = queue_max
        self._session = session
        self._events: deque[StreamEvent] = deque()
        self._ready = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._sockets: dict[socket.socket, Way] = {}
        self._requests: socket.socket | None = None
        self._replaying: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- for who uses it -------------------------------------------------------------------------

    @property
    def counts(self) -> Counts:
        """Received over the lines, recovered, lost and so on, so far."""
        return self._subscriber.counts

    @property
    def state(self) -> State:
        """Where the subscriber stands."""
        return self._subscriber.state

    @property
    def is_silent(self) -> bool:
        """Whether no line has said anything for some seconds."""
        return self._subscriber.is_silent

    async def __aenter__(self) -> ReportStream:
        """Join the lines. OSError: the interface or the address can't be had."""
        try:
            for way, group in zip((Way.LINE_A, Way.LINE_B), self._groups, strict=False):
                self._sockets[_join(group, self._interface, self._source)] = way
            if self._retransmit is not None:
                self._requests = socket.socket(_family(self._retransmit[0]), socket.SOCK_DGRAM)
                self._sockets[self._requests] = Way.ANSWER
                self._requests.setblocking(False)
                self._requests.connect(self._retransmit)
        except OSError:
            await self.__aexit__()
            raise
        self._read_sockets(True)
        self._settle()
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._replaying is not None:
            self._replaying.cancel()
            with suppress(asyncio.CancelledError):
                await self._replaying
        self._read_sockets(False)
        for one in self._sockets:
            one.close()
        self._sockets.clear()
        self._requests = None

    def __aiter__(self) -> ReportStream:
        return self

    async def __anext__(self) -> StreamEvent:
        while not self._events:
            self._ready.clear()
            await self._ready.wait()
        event = self._events.popleft()
        if not self._has_room.is_set() and len(self._events) <= self._queue_max // 2:
            self._has_room.set()
            self._read_sockets(True)
        return event

    # --- sockets ---------------------------------------------------------------------------------

    def _read_sockets(self, reads: bool) -> None:
        loop = asyncio.get_running_loop()
        for one, way in self._sockets.items():
            if reads:
                loop.add_reader(one, self._read, one, way)
            else:
                loop.remove_reader(one)

    def _read(self, one: socket.socket, way: Way) -> None:
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                datagram = one.recv(_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # the retransmission server is not there
                break
            self._subscriber.receive(datagram, way, _now_ns())
        self._settle()

    def _settle(self) -> None:
        """Do what is due, hand out what has come, and see to the next time."""
        loop = asyncio.get_running_loop()
        now_ns = _now_ns()
        deadline_ns = self._subscriber.tick(now_ns)
        for request in self._subscriber.requests():
            if self._requests is not None:
                with suppress(OSError):  # lost, as any datagram may be
                    self._requests.send(request)
        for event in self._subscriber.events():
            if isinstance(event, Message):
                self._events.append(Report(self._session, *event))
            else:
                if isinstance(event, Began):
                    self._session = event.session
                self._events.append(event)
        if self._events:
            self._ready.set()
        if len(self._events) >= self._queue_max and self._has_room.is_set():
            self._has_room.clear()
            self._read_sockets(False)
        is_replaying = self._replaying is not None and not self._replaying.done()
        if self._replay is not None and self._subscriber.wants_replay and not is_replaying:
            self._replaying = loop.create_task(self._run_replay(self._replay))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later((deadline_ns - now_ns) / 1e9, self._settle)

    # --- the replay ------------------------------------------------------------------------------

    async def _run_replay(self, address: tuple[str, int]) -> None:
        """Replay as long as one is wanted; where that fails, try again after a wait."""
        wait_s = _RETRY_FIRST_S
        told = ""
        while self._subscriber.wants_replay:
            before = self._subscriber.next_sequence
            try:
                await self._replay_once(*address)
            except LoginRefused as error:
                if str(error) != told:
                    told = str(error)
                    self._events.append(ReplayRefused(told))
                    self._ready.set()
            except ClientError:
                pass  # nobody is there; the lines may say more meanwhile
            if self._subscriber.next_sequence > before:
                wait_s = _RETRY_FIRST_S
            if self._subscriber.wants_replay:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _RETRY_MOST_S)

    async def _replay_once(self, host: str, port: int) -> None:
        subscriber = self._subscriber
        if not subscriber.session and not subscriber.next_sequence:
            session, following = await self._following(host, port)
            subscriber.replayed(session, following, (), _now_ns())
            self._settle()
        replay = ReplayClient(
            host,
            port,
            password=self._password,
            session=subscriber.session,
            sequence=subscriber.next_sequence,
        )
        async with replay:
            while subscriber.wants_replay and subscriber.session in ("", replay.session):
                await self._has_room.wait()
                try:
                    async with asyncio.timeout(_LOOK_S):
                        sequence, messages = await replay.receive_some()
                except TimeoutError:  # nothing new there, and perhaps on the lines
                    continue
                except SessionEnded:
                    subscriber.replay_ended(replay.session, replay.next_sequence, _now_ns())
                    self._settle()
                    return
                subscriber.replayed(replay.session, sequence, messages, _now_ns())
                self._settle()

    async def _following(self, host: str, port: int) -> tuple[str, int]:
        """The live session and its next number. A login with 0 is given the newest message, or 1
        where there is none: which of the two, a login at the number behind it tells."""
        async with ReplayClient(host, port, password=self._password, sequence=0) as replay:
            session, newest = replay.session, replay.next_sequence
        behind = ReplayClient(
            host, port, password=self._password, session=session, sequence=newest + 1
        )
        try:
            async with behind:
                return session, newest + 1
        except LoginRefused:
            return session, newest


def _join(group: tuple[str, int], interface: str, source: str) -> socket.socket:
    """A socket that hears a group; from one sender only, where that is named."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        one.bind(group)
        here, there = socket.inet_aton(interface), socket.inet_aton(group[0])
        if source:
            # struct ip_mreq_source of Linux: group, interface, source.
            wanted = struct.pack("4s4s4s", there, here, socket.inet_aton(source))
            one.setsockopt(socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, wanted)
        else:
            one.setsockopt(
                socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", there, here)
            )
    except OSError as error:
        one.close()
        where = f"{group[0]}:{group[1]} on {interface}"
        raise OSError(f"cannot listen to {where}: {error.strerror or error}") from None
    return one


# Not among Python 3.11's names; Linux's value.
_IP_ADD_SOURCE_MEMBERSHIP = 39


def _address(text: str) -> tuple[str, int]:
    """ "127.0.0.1:9883" as socket calls take it. ValueError: it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise ValueError(f'expected an address such as "127.0.0.1:9883", got {text!r}')
    return host.strip("[]"), int(port)


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _now_ns() -> int:
    return time.monotonic_ns()
