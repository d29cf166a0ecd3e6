"""Streams of reports by UDP multicast: MoldUDP64 packets of what has been sealed and may be sent.

Owns the sockets, one for each line, and how far each stream has been sent: a cursor along rows
(`report_stream`), so nothing waits but in the journal. A turn's messages leave behind its clients'
bytes, many packets with one call where the system cuts them (UDP_SEGMENT). A packet that could not
be sent is counted and left out: receivers have it from the other line, or ask for it. A restart
goes on behind the last sealed row: what was sealed and never sent is such a gap, too. Must not
know what a message says.

Invariant: a number belongs to one message for ever, since it follows from sealed rows alone.
Specification: MoldUDP64 1.00; docs/multicast.md.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portcullis.codecs.moldudp64.packets import end_of_session, heartbeat
from portcullis.gateway.config import ConfigError, Loaded
from portcullis.gateway.config_schema import Stream
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.report_messages import ReportMessages
from portcullis.gateway.report_packets import ReportPackets, Run, run_messages
from portcullis.gateway.report_stream import ReportStream
from portcullis.gateway.startup import Recovered
from portcullis.gateway.trading_day import TradingDay
from portcullis.gateway.turn import Turn
from portcullis.journal import rows

_UDP_SEGMENT = 103  # linux/udp.h; Python's socket module does not name it
_NOT_SEGMENTED = (errno.EINVAL, errno.EIO, errno.EMSGSIZE)  # the device can't, or its MTU is less
_SECOND_NS = 1_000_000_000


class Line:
    """A group that a stream's packets are sent to. OSError: it can't be had."""

    def __init__(self, settings: Stream, group: str) -> None:
        host, _, port = group.rpartition(":")
        self.group = str(group)
        self.packets = 0
        # Packets that were not sent, and why the last of them was not.
        self.lost = 0
        self.error = ""
        # Since when its socket is full; 0: it is not.
        self.stalled_ns = 0
        # How many runs of the present chunk have left, and how much of the next.
        self._done = 0
        self._sent = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._set(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, settings.ttl)
            self._set(socket.SOL_SOCKET, socket.SO_SNDBUF, min(settings.send_buffer, 1 << 30))
            interface = socket.inet_aton(settings.interface)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
            self._socket.bind((settings.interface, 0))
            self._socket.connect((host, int(port)))
        except OSError:
            self._socket.close()
            raise
        # Whether the system cuts a run into its packets.
        self.is_segmented = True
        try:
            self._set(socket.IPPROTO_UDP, _UDP_SEGMENT, 0)  # off, but with a size
        except OSError:
            self.is_segmented = False

    def _set(self, level: int, option: int, value: int) -> None:
        self._socket.setsockopt(level, option, value)

    def send(self, chunk: Sequence[Run]) -> bool:
        """Send packets; False: the line is stalled.

        Stalled, the same is to be sent again later, or `drop`ped; what has left does not again.
        """
        for run in chunk[self._done :]:
            if not self._send(run):
                return False
            self._done += 1
            self._sent = 0
        self._done = self.stalled_ns = 0
        return True

    def _send(self, run: Run) -> bool:
        size = len(run.octets)
        while self._sent < size:
            step = size if self.is_segmented else run.packet_bytes
            part = run.octets[self._sent :][:step] if self._sent or step < size else run.octets
            is_cut = len(part) > run.packet_bytes
            try:
                if is_cut:
                    each = struct.pack("=H", run.packet_bytes)
                    self._socket.sendmsg([part], [(socket.IPPROTO_UDP, _UDP_SEGMENT, each)])
                else:
                    self._socket.send(part)
            except BlockingIOError:
                return False
            except OSError as error:
                if is_cut and error.errno in _NOT_SEGMENTED:
                    self.is_segmented = False
                    continue
                self._lose(run, len(part), error.strerror or str(error))
            else:
                self.packets += -(-len(part) // run.packet_bytes)
            self._sent += len(part)
        return True

    def drop(self, chunk: Sequence[Run]) -> None:
        """Let go of what has not left of a chunk. It stays stalled until it takes something."""
        for run in chunk[self._done :]:
            self._lose(run, len(run.octets) - self._sent, "socket full")
            self._sent = 0
        self._done = 0

    def _lose(self, run: Run, octets: int, error: str) -> None:
        self.lost += -(-octets // run.packet_bytes)
        self.error = error

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Outlet:
    """A configured stream and its lines."""

    settings: Stream
    lines: list[Line]


def open_outlets(loaded: Loaded) -> list[Outlet]:
    """The sockets of every stream. ConfigError names the stream whose interface can't be had."""
    found = []
    for number, settings in enumerate(loaded.config.stream, 1):
        try:
            lines = [Line(settings, group) for group in settings.groups]
        except OSError as error:
            raise ConfigError(
                f"{loaded.source}: [[stream]] {number} key interface: expected one to send "
                f"multicast from, got {settings.interface!r}: {error.strerror}"
            ) from None
        found.append(Outlet(settings, lines))
    return found


class Sender:
    """One stream on its way out."""

    def __init__(self, outlet: Outlet, stream: ReportStream, messages: ReportMessages) -> None:
        self.stream = stream
        self.settings = outlet.settings
        self.lines = outlet.lines
        self._packets = ReportPackets(messages, outlet.settings.packet_bytes)
        # Messages packed at once.
        self._per_chunk = run_messages(stream.content, outlet.settings.packet_bytes)
        # Packets, and the lines that have not taken all of them yet.
        self._chunk: Sequence[Run] = ()
        self._waiting: list[Line] = []
        # Whether a packet has left since the last look; when the next heartbeat is due.
        self._spoke = False
        self._beat_ns = 0

    @property
    def session(self) -> bytes:
        return b"%d" % self.stream.day

    def publish(self, end: int) -> None:
        """Send the messages of rows before `end`, as far as the lines take them."""
        stream = self.stream
        if self._waiting and not self._push():
            return
        while stream.next_row < end:
            count = stream.select(end, self._per_chunk)
            if count:
                self._chunk = self._packets.pack(stream, count)
                self._waiting = self.lines
                self._spoke = True
                self._push()
            ended_day = stream.ended_day
            stream.pass_to(stream.reached, count)
            if self._waiting:
                return
            if stream.ended_day != ended_day:
                self._say_end(stream.ended_ns)

    def _push(self) -> bool:
        """Send what waits; True: nothing waits any more."""
        stalled = [line for line in self._waiting if not line.send(self._chunk)]
        if stalled:
            now_ns = time.monotonic_ns()
            for line in list(stalled):
                line.stalled_ns = line.stalled_ns or now_ns
                if now_ns - line.stalled_ns >= self.settings.stall_max:
                    line.drop(self._chunk)
                    stalled.remove(line)
        self._waiting = stalled
        return not stalled

    def tick(self, now_ns: int) -> None:
        """Say what comes next where nothing has been said for a while. now_ns: row time."""
        clock_ns = time.monotonic_ns()
        if self._waiting:
            return
        if self._spoke:
            self._spoke = False
            self._beat_ns = clock_ns + self.settings.heartbeat
        if clock_ns < self._beat_ns:
            return
        self._beat_ns = clock_ns + self.settings.heartbeat
        self._say_end(now_ns)
        self._say(heartbeat(self.session, self.stream.next_number))

    def _say_end(self, now_ns: int) -> None:
        stream = self.stream
        if stream.ended_day and now_ns - stream.ended_ns < self.settings.end_of_session:
            self._say(end_of_session(b"%d" % stream.ended_day, stream.ended_number))

    def _say(self, packet: bytes) -> None:
        chunk = (Run(packet, len(packet)),)
        for line in self.lines:
            if not line.send(chunk):
                line.drop(chunk)

    def state(self) -> dict[str, Any]:
        return {
            "name": self.settings.name,
            "session": self.stream.day,
            "next_number": self.stream.next_number,
            "lines": [
                {
                    "group": line.group,
                    "packets": line.packets,
                    "lost": line.lost,
                    "segmented": line.is_segmented,
                }
                for line in self.lines
            ],
        }


class Multicast:
    """All streams of a running gateway. Turns publish by it from its making on."""

    def __init__(
        self,
        loaded: Loaded,
        recovered: Recovered,
        turn: Turn,
        day: TradingDay,
        outlets: Sequence[Outlet],
        log: EventLog,
    ) -> None:
        self._streams = recovered.streams
        self._catalog = recovered.registry.catalog
        self._configured = loaded.config.stream
        self._turn = turn
        self._log = log
        self._senders = [
            Sender(
                outlet,
                self._streams.named(outlet.settings.name),
                ReportMessages(turn.table, self._catalog),
            )
            for outlet in outlets
        ]
        # A day has begun that the streams have not: orders of the one before still expire.
        self._is_day_due = False
        # By line: packets lost when it was looked at last, and since when it has lost none.
        self._failing: dict[Line, tuple[int, int]] = {}
        day.on_roll.append(self._roll)
        turn.publish = self.publish

    def publish(self) -> None:
        """Send what this turn has sealed and may be sent. Called by the turn, behind clients."""
        self._send()
        if self._is_day_due and not self._turn.engine.is_ending_day:
            self._begin_day()

    def _send(self) -> None:
        end = min(self._turn.journal.sealed_row, self._turn.sendable_row) + 1
        for sender in self._senders:
            try:
                sender.publish(end)
            except Exception as error:
                # A fault of ours holds nobody up; what it leaves out can be asked for.
                self._log.emit("fault", stream=sender.settings.name, error=repr(error))
                sender.stream.follow(end)

    def _roll(self, _day: int) -> None:
        self._is_day_due = True

    def _begin_day(self) -> None:
        """Number from 1 from here on: all that belongs to the day before is sealed."""
        self._is_day_due = False
        self._turn.begin()
        accounts, day = self._catalog.accounts, self._turn.engine.day
        for row in self._streams.changes(self._configured, accounts, day):
            self._turn.append(rows.STREAM, flags=row.flags, words=row.words, items=row.items)

    def tick(self, now_ns: int) -> None:
        """Heartbeats, and the log told of lines that fail. On the timer; now_ns: row time."""
        for sender in self._senders:
            sender.tick(now_ns)
            for line in sender.lines:
                self._watch(sender, line)

    def _watch(self, sender: Sender, line: Line) -> None:
        known, since_ns = self._failing.get(line, (0, 0))
        if line.lost > known:
            if not since_ns:
                name = sender.settings.name
                self._log.emit("multicast_fails", stream=name, group=line.group, error=line.error)
            self._failing[line] = line.lost, time.monotonic_ns()
        elif since_ns and time.monotonic_ns() - since_ns > _SECOND_NS:
            name = sender.settings.name
            self._log.emit("multicast_works", stream=name, group=line.group, lost=line.lost)
            self._failing[line] = line.lost, 0

    def state(self) -> list[dict[str, Any]]:
        """Of each stream, what it has sent; for `state` of the operator's port."""
        return [sender.state() for sender in self._senders]

    def close(self) -> None:
        """Send the last of it. No session ends by that: the next start goes on."""
        self._send()
        for sender in self._senders:
            for line in sender.lines:
                line.close()
