"""Makes the next segment ahead of need: a process of its own, low in priority.

Owns writing a segment file full of zeros, which costs the gateway a hundredth of what fresh pages
do when it comes to use them. Knows nothing of rows: it is given a header's bytes and a size.

The gateway holds a `SegmentMaker`, which talks with the process over pipes and never waits for
it. The process ends when its input does, so it never outlives the gateway by more than a chunk. A
segment is written under a temporary name and linked to its own name once it is on disk; a link
never replaces a file, so a maker left over from a killed gateway can't harm a segment in use.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

# A process that hangs is given up after so long without an answer or a byte more of the segment.
# What shows nothing for longest is the sync at its end: 128 MiB on a disk of 5 MB/s.
STALL_S = 30.0
CLOSE_S = 5.0  # for its end, when it is told to end: a chunk's writing and a sync
_CHUNK_BYTES = 1 << 20
_NICE = 10
TEMPORARY_SUFFIX = ".making"
_sync_data = getattr(os, "fdatasync", os.fsync)


class Abandoned(Exception):
    """Nobody wants the segment any more."""


def make_segment(target: Path, header: bytes, size: int, *, zeros: bool, wanted: int = -1) -> None:
    """Create the segment file `target` of `size` bytes, durable, or raise OSError.

    zeros: write every byte (slow, and quick to use), or only reserve the room on disk. An existing
    target is left as it is. wanted: a pipe whose closing makes it give up (Abandoned).
    """
    temporary = _temporary(target, os.getpid())
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        if zeros:
            chunk = bytes(_CHUNK_BYTES)
            at = 0
            while at < size:
                if wanted >= 0 and _is_closed(wanted):
                    raise Abandoned
                # A disk about to be full takes a part; the next write says that it is full.
                at += os.pwrite(descriptor, chunk[: size - at], at)
        else:
            os.posix_fallocate(descriptor, 0, size)
        os.pwrite(descriptor, header, 0)
        _sync_data(descriptor)
        with suppress(FileExistsError):
            os.link(temporary, target)
    finally:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _is_closed(pipe: int) -> bool:
    poll = select.poll()
    poll.register(pipe, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def _temporary(target: Path, process: int) -> Path:
    """Where a process makes a segment."""
    return target.with_name(f"{target.name}.{process}{TEMPORARY_SUFFIX}")


class SegmentMaker:
    """The gateway's side: ask for a segment, then `poll` until that one is answered."""

    def __init__(self, directory: Path) -> None:
        self.deaths = 0  # how often the process was found dead, or given up
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        # Killed and not waited for: one that waits for a disk ends when that answers.
        self._given_up: list[subprocess.Popen[bytes]] = []
        self._target = ""  # of the last request; an answer to an earlier one comes too late
        self._answer = b""
        # Bytes of the segment when last looked at, and until when there have to be more.
        self._made_bytes = -1
        self._stalls_s = 0.0
        self._start()

    @property
    def process_id(self) -> int:
        """The process, for tests and people; 0: none runs."""
        return self._process.pid if self._process else 0

    def ask(self, target: Path, header: bytes, size: int) -> None:
        """Have the segment made. A dead process is replaced first."""
        self._target = str(target)
        request = {"target": self._target, "header": header.hex(), "size": size}
        self._made_bytes, self._stalls_s = -1, time.monotonic() + STALL_S
        for _ in range(2):
            if self._process is None:
                self._start()
            assert self._process is not None and self._process.stdin is not None
            try:
                # A request is far below the room of an empty pipe, so this never waits.
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
                return
            except OSError:
                self._bury()

    def poll(self) -> str | None:
        """What became of the request: "" made, other text says why not, None: not done yet."""
        if self._process is None or self._process.stdout is None:
            return "the process that makes segments is not running"
        try:
            read = os.read(self._process.stdout.fileno(), 4096)
        except BlockingIOError:
            if time.monotonic() < self._stalls_s or self._goes_on():
                return None
            self._bury()
            return f"the process that makes segments has done nothing for {STALL_S:g} s"
        if not read:
            self._bury()
            return "the process that makes segments has died"
        self._answer += read
        *lines, self._answer = self._answer.split(b"\n")
        for target, trouble in map(json.loads, lines):
            if target == self._target:
                return str(trouble)
        return None

    def close(self) -> None:
        """End the process, within CLOSE_S."""
        if self._process is not None:
            self._release(self._process)
            try:
                self._process.wait(CLOSE_S)
            except subprocess.TimeoutExpired:
                self._kill(self._process)
            self._process = None
        for process in self._given_up:
            with suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_S)

    def _start(self) -> None:
        self._answer = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "portcullis.journal.maker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is the gateway's to handle
        )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def _bury(self) -> None:
        self.deaths += 1
        assert self._process is not None
        self._release(self._process)
        self._kill(self._process)
        self._process = None

    def _goes_on(self) -> bool:
        """Whether more of the segment is there than when last looked at."""
        assert self._process is not None
        before = self._made_bytes
        try:
            temporary = _temporary(Path(self._target), self._process.pid)
            self._made_bytes = temporary.stat().st_size
        except FileNotFoundError:
            return False
        self._stalls_s = time.monotonic() + STALL_S
        return self._made_bytes > before

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """Without waiting."""
        process.kill()
        self._given_up = [one for one in (*self._given_up, process) if one.poll() is None]

    @staticmethod
    def _release(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        process.stdout.close()


def main() -> None:
    """Serve requests, a line of JSON each, until standard input ends."""
    os.nice(_NICE)
    for line in sys.stdin:
        request = json.loads(line)
        if _is_closed(sys.stdin.fileno()):
            return  # another gateway may be at work there by now
        target = Path(request["target"])
        for left_over in target.parent.glob(f"{target.name}.*{TEMPORARY_SUFFIX}"):
            # Of a process that was given up; but what has our gateway's number, it makes now.
            if left_over != _temporary(target, os.getppid()):
                left_over.unlink(missing_ok=True)
        try:
            make_segment(
                target,
                bytes.fromhex(request["header"]),
                request["size"],
                zeros=True,
                wanted=sys.stdin.fileno(),
            )
            trouble = ""
        except Abandoned:
            return
        except OSError as error:
            trouble = error.strerror or str(error)
        try:
            print(json.dumps([request["target"], trouble]), flush=True)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
