"""The event log: one JSON object a line, for people and for whatever collects logs.

Owns the queue of lines and the file descriptor they go to. Must never hold up the event loop, nor
let a reader that stands still cost memory: a line is written at once where the descriptor takes
it, else it waits in a bounded queue, else it is dropped and the next line written says how many
were. Nothing secret is written: values under a name that speaks of a password become `***`, and
raw messages are never logged.
"""

from __future__ import annotations

import datetime as dt
import os
import select
import stat
import time
from collections import Counter, deque
from pathlib import Path

import msgspec

SECRET = "***"
# A pipe or terminal that polls writable takes this much without blocking (POSIX: PIPE_BUF).
_WRITE_MAX = 4096
# Of one source, such as a session; what a hostile one causes beyond is counted.
LINES_PER_SECOND = 20
_encode = msgspec.json.Encoder(enc_hook=str).encode


class EventLog:
    """Writes events as lines to a descriptor it does not own, or to a file it opens."""

    def __init__(self, descriptor: int, *, queue_max: int = 4096) -> None:
        self._descriptor = descriptor
        # A regular file never blocks for long and cannot be polled.
        self._poll: select.poll | None = None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)
        self._waiting: deque[bytes] = deque()
        self._queue_max = queue_max
        self._dropped = 0
        self._owned = False

    @classmethod
    def to_file(cls, path: Path, *, queue_max: int = 4096) -> EventLog:
        """Append to a file, readable to its owner alone; OSError as `os.open` gives it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        log = cls(os.open(path, flags, 0o600), queue_max=queue_max)
        log._owned = True
        return log

    def emit(self, event: str, **fields: object) -> None:
        """Log one event. Never blocks, never raises for what the descriptor does."""
        if len(self._waiting) >= self._queue_max:
            self._dropped += 1
        else:
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._waiting.append(_line("lines_dropped", {"count": dropped}))
            self._waiting.append(_line(event, fields))
        self.drain()

    def drain(self) -> None:
        """Write what waits as far as the descriptor takes it; called each second too."""
        while self._waiting:
            if self._poll is not None and not self._writable(self._poll):
                return
            line = self._waiting[0]
            try:
                written = os.write(self._descriptor, line[:_WRITE_MAX])
            except BlockingIOError:
                return
            except OSError:  # the reader is gone, or the disk is full: logging ends, trading not
                self._dropped += len(self._waiting)
                self._waiting.clear()
                return
            if written == len(line):
                self._waiting.popleft()
            else:
                self._waiting[0] = line[written:]

    def close(self) -> None:
        """Write what can be written and close the file, if it is the log's own."""
        self.drain()
        if self._owned:
            os.close(self._descriptor)
            self._owned = False

    @staticmethod
    def _writable(poll: select.poll) -> bool:
        return any(events & select.POLLOUT for _, events in poll.poll(0))


class Throttled:
    """An event log for what peers can cause as often as they like.

    So many lines of an event are written a second, the rest are counted: a flood of one event
    hides no other. fields: stand on each line.
    """

    def __init__(
        self, log: EventLog, *, per_second: int = LINES_PER_SECOND, **fields: object
    ) -> None:
        self._log = log
        self._per_second = per_second
        self._fields = fields
        self._second = 0
        self._counts: Counter[str] = Counter()

    def emit(self, event: str, **fields: object) -> None:
        """Log one event, or count it."""
        second = int(time.monotonic())
        if second != self._second:
            held_back = sum(max(0, count - self._per_second) for count in self._counts.values())
            if held_back:
                self._log.emit("lines_held_back", **self._fields, count=held_back)
            self._second = second
            self._counts.clear()
        self._counts[event] += 1
        if self._counts[event] <= self._per_second:
            self._log.emit(event, **self._fields, **fields)


def _line(event: str, fields: dict[str, object]) -> bytes:
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    record: dict[str, object] = {"time": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "event": event}
    for name, value in fields.items():
        record[name] = SECRET if "password" in name else _plain(value)
    return _encode(record) + b"\n"


def _plain(value: object) -> object:
    """Bytes as the text they mostly are; all else as it is."""
    return value.decode("latin-1") if isinstance(value, bytes) else value
