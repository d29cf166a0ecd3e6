"""What clients sent, as it came: a ring of files, and its reader.

Owns the files `capture/*.in` of the data directory. Each read of a connection is one record: time,
session and the whole messages it brought. A turn only takes a copy; the timer writes what has come
since it last ran, 50 ms ago, and a turn does so, behind what it sent, where that is much: one
write a turn cost the turn of a lone order a fifth of its time. So a killed process loses what
clients sent within 50 ms, of the capture alone. The oldest file goes when there is one too many.
What it is given has no secrets in it any more. A full disk ends the capture for a while and is
said; it stops nobody. Must not know what a message means.

    record: time, nanoseconds since the epoch (i8) | session (u4) | length (u4) | octets
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from portcullis.gateway.event_log import EventLog
from portcullis.gateway.turn import Turn

FOLDER = "capture"
SUFFIX = ".in"
_HEAD = struct.Struct("<qII")
HEAD_BYTES = _HEAD.size
_WAITING_MAX = 256 << 10  # bytes that wait for the timer: one full read
_RETRY_NS = 10_000_000_000  # after a write that failed


class Record(NamedTuple):
    """One read of a session. number, offset: where it stands; for a reader that begins there."""

    time_ns: int
    session: int
    octets: bytes
    number: int
    offset: int


class Capture:
    """Writes. file_bytes: a file is ended once it has so many. files: so many are kept."""

    def __init__(
        self, directory: Path, turn: Turn, log: EventLog, *, file_bytes: int, files: int
    ) -> None:
        self._folder = directory / FOLDER
        self._turn = turn
        self._log = log
        self._file_bytes = file_bytes
        self._files = files
        self._parts: list[bytes] = []
        self._waiting = 0
        self._descriptor = -1
        self._number = 0
        self._size = 0
        self._not_before_ns = 0

    def add(self, session: int, now_ns: int, octets: bytes) -> None:
        """Have a read written, soon."""
        self._parts.append(_HEAD.pack(now_ns, session, len(octets)))
        self._parts.append(octets)
        was, self._waiting = self._waiting, self._waiting + len(octets)
        if was < _WAITING_MAX <= self._waiting:
            self._turn.after.append(self.write)

    def write(self) -> None:
        """Write what waits; called by the timer. Never raises for what the disk does."""
        content, self._parts, self._waiting = b"".join(self._parts), [], 0
        if not content or self._turn.now_ns < self._not_before_ns:
            return
        try:
            if self._descriptor < 0 or self._size >= self._file_bytes:
                self._begin_file()
            written = os.write(self._descriptor, content)
            self._size += written
            if written < len(content):  # a record that is cut ends its file
                raise OSError(f"only {written} of {len(content)} bytes were written")
        except OSError as error:
            self.close()
            self._not_before_ns = self._turn.now_ns + _RETRY_NS
            self._log.emit("capture_failed", error=str(error))

    def close(self) -> None:
        """Close the file; the next write begins another."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _begin_file(self) -> None:
        self.close()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        known = _numbers(self._folder)
        self._number = known[-1] + 1 if known else 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(_path(self._folder, self._number), flags, 0o600)
        self._size = 0
        for number in known[: len(known) + 1 - self._files]:
            _path(self._folder, number).unlink(missing_ok=True)


class CaptureReader:
    """Reads, from a place on; at the end it waits. number, offset: where it is; 0: the oldest.

    Where that file is gone, the ring has run over it: it goes on with the oldest there is.
    """

    def __init__(self, directory: Path, number: int = 0, offset: int = 0) -> None:
        self.number = number
        self.offset = offset
        self._folder = directory / FOLDER

    def records(self, bytes_max: int) -> Iterator[Record]:
        """Those there are now, until about so many bytes have been read."""
        taken = 0
        while taken < bytes_max:
            known = _numbers(self._folder)
            if not known:
                return
            if self.number not in known:
                newer = [number for number in known if number > self.number]
                if not newer:
                    return
                self.number, self.offset = newer[0], 0
            before = taken
            for record in self._read(bytes_max - taken):
                taken += len(record.octets) + _HEAD.size
                yield record
                if taken >= bytes_max:
                    return
            if taken == before:
                if self.number == known[-1]:
                    return
                # What is behind the last whole record of an ended file was never finished.
                self.number, self.offset = next(n for n in known if n > self.number), 0

    def _read(self, bytes_max: int) -> Iterator[Record]:
        try:
            with _path(self._folder, self.number).open("rb") as file:
                file.seek(self.offset)
                content = file.read(max(bytes_max, 1 << 20))
        except FileNotFoundError:
            return
        at = 0
        while at + _HEAD.size <= len(content):
            time_ns, session, length = _HEAD.unpack_from(content, at)
            end = at + _HEAD.size + length
            if end > len(content):
                return
            record = Record(
                time_ns, session, content[at + _HEAD.size : end], self.number, self.offset
            )
            self.offset += end - at
            at = end
            yield record


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:010}{SUFFIX}"


def _numbers(folder: Path) -> list[int]:
    """Numbers of the files there are, ascending."""
    return sorted(int(path.stem) for path in folder.glob("*" + SUFFIX) if path.stem.isdigit())
