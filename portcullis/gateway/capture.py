"""What clients sent, as it came: a ring of files, and its reader.

Owns the files `capture/*.in` of the data directory. Each read of a connection is one record: time,
session and the whole messages it brought. A turn only takes a copy (`read_records`); the timer
writes what has come since it last ran, 50 ms ago, and a turn does so, behind what it sent, where
that is much, or at once, where there is no room for more: one write a turn cost the turn of a lone
order a fifth of its time. So a killed process loses what clients sent within 50 ms, of the capture
alone. The oldest file goes when there is one too many. What is written has no secrets in it. A
full disk ends the capture for a while and is said; it stops nobody. Must not know what a message
means.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from portcullis.gateway.event_log import EventLog
from portcullis.gateway.read_records import HEAD, ReadRecords
from portcullis.gateway.turn import Turn

FOLDER = "capture"
SUFFIX = ".in"
HEAD_BYTES = HEAD.size
_WAITING_MAX = 256 << 10  # bytes that wait for the timer: one full read
_ROOM_BYTES = 1 << 20  # for those, and for what a turn brings beyond them
_RETRY_NS = 10_000_000_000  # after a write that failed


class Record(NamedTuple):
    """One read of a session. number, offset: where it stands; for a reader that begins there."""

    time_ns: int
    session: int
    octets: bytes
    number: int
    offset: int


class Capture:
    """Writes. received: the buffer that connections read into. file_bytes: a file is ended once it
    has so many. files: so many are kept."""

    def __init__(
        self,
        directory: Path,
        turn: Turn,
        log: EventLog,
        received: memoryview,
        *,
        file_bytes: int,
        files: int,
    ) -> None:
        self._folder = directory / FOLDER
        self._turn = turn
        self._log = log
        self._file_bytes = file_bytes
        self._files = files
        # Room for any read.
        self._records = ReadRecords(received, _ROOM_BYTES + HEAD_BYTES + len(received))
        self._descriptor = -1
        self._number = 0
        self._size = 0
        self._not_before_ns = 0

    def add(self, session: int, now_ns: int, start: int, stop: int) -> None:
        """Have received[start:stop], a read of a session, written soon."""
        was = self._records.size
        if not self._records.add(session, now_ns, start, stop):
            self.write()
            self._records.add(session, now_ns, start, stop)
        # Much is written behind what this turn sends.
        if was < _WAITING_MAX <= self._records.size:
            self._turn.after.append(self.write)

    def add_octets(self, session: int, now_ns: int, octets: bytes) -> None:
        """Have octets that stand elsewhere written soon, as a read of a session."""
        was = self._records.size
        if not self._records.add_octets(session, now_ns, octets):
            self.write()
            self._write(HEAD.pack(now_ns, session, len(octets)) + octets)
        if was < _WAITING_MAX <= self._records.size:
            self._turn.after.append(self.write)

    def write(self) -> None:
        """Write what waits; called by the timer."""
        if self._records.size:
            self._write(self._records.waiting())
            self._records.forget()

    def _write(self, content: bytes | memoryview) -> None:
        """Write records. Never raises for what the disk does."""
        if time.monotonic_ns() < self._not_before_ns:
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
            self._not_before_ns = time.monotonic_ns() + _RETRY_NS
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
                taken += len(record.octets) + HEAD_BYTES
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
        while at + HEAD_BYTES <= len(content):
            time_ns, session, length = HEAD.unpack_from(content, at)
            end = at + HEAD_BYTES + length
            if end > len(content):
                return
            record = Record(
                time_ns, session, content[at + HEAD_BYTES : end], self.number, self.offset
            )
            self.offset += end - at
            at = end
            yield record


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:010}{SUFFIX}"


def _numbers(folder: Path) -> list[int]:
    """Numbers of the files there are, ascending."""
    return sorted(int(path.stem) for path in folder.glob("*" + SUFFIX) if path.stem.isdecimal())
