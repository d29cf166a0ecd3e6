"""The gateway's side of the back office: starts its process, and starts it again when it dies.

Owns the child and the wait between two tries. Never waits for it, so that a back office that is
killed, stopped or slow costs the gateway nothing but a look once a second. The child ends when
its standard input does, so none outlives its gateway. Who comes to one of its ports while it
starts waits for it; while none runs, the ports stay taken and refuse.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from portcullis.gateway.config import Loaded
from portcullis.gateway.event_log import EventLog

RETRY_FIRST_S = 1.0
RETRY_MOST_S = 60.0
# One that lived so long has begun well: the wait after it is the first again.
LIVED_S = 60.0
STOP_S = 2.0


class Orders(msgspec.Struct):
    """What a back office is told at its start.

    control: the descriptor to listen on; -1: none. refills: by stream, those of its retransmission
    and of its replay.
    """

    text: str
    source: str
    folder: str
    directory: str
    control: int = -1
    refills: dict[str, tuple[int, int]] = {}


# By stream: the sockets of its retransmission and of its replay, where it has them.
RefillSockets = dict[str, tuple[socket.socket | None, socket.socket | None]]


class BackOfficeWatch:
    """Keeps one back office running.

    Sockets are bound: that of the control port, if any, and those of the streams.
    """

    def __init__(
        self,
        loaded: Loaded,
        directory: Path,
        control: socket.socket | None,
        refills: RefillSockets,
        log: EventLog,
    ) -> None:
        self.starts = 0
        self._orders = Orders(
            loaded.text,
            loaded.source,
            str(loaded.folder.absolute()),
            str(directory.absolute()),
            _descriptor(control),
            {name: (_descriptor(a), _descriptor(b)) for name, (a, b) in refills.items()},
        )
        sockets = [control, *(one for pair in refills.values() for one in pair)]
        self._sockets = [one for one in sockets if one is not None]
        # Those that listen as long as it runs.
        self._ports = [one for one in self._sockets if one.type == socket.SOCK_STREAM]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._retry_s = RETRY_FIRST_S
        self._not_before = 0.0
        # What we could run on at our start, and what we were bound to when last looked at.
        self._processors = os.sched_getaffinity(0)
        self._bound_to: set[int] = set()

    @property
    def process_id(self) -> int:
        """The process; 0: none runs now."""
        return self._process.pid if self._process else 0

    def tick(self) -> None:
        """Look after it; called once a second."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._not_before:
                self._start(now)
            return
        code = self._process.poll()
        if code is None:
            self._keep_off(self._process.pid)
            return
        if now - self._began >= LIVED_S:
            self._retry_s = RETRY_FIRST_S
        self._log.emit("back_office_died", code=code, again_in_s=self._retry_s)
        self._not_before = now + self._retry_s
        self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)
        self._release()

    def close(self) -> None:
        """End it, within STOP_S."""
        process = self._process
        if process is None:
            return
        with suppress(OSError):
            self._lifeline().close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def state(self) -> dict[str, object]:
        """For `state` of the operator's port."""
        return {"process": self.process_id, "starts": self.starts}

    def _start(self, now: float) -> None:
        # Handed over in memory: a configuration may be longer than a pipe takes at once, and it
        # may hold password hashes.
        orders = os.memfd_create("orders")
        try:
            os.write(orders, msgspec.json.encode(self._orders))
            os.lseek(orders, 0, os.SEEK_SET)
            passed = [orders, *(one.fileno() for one in self._sockets)]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "portcullis.gateway.back_office", str(orders)],
                stdin=subprocess.PIPE,
                pass_fds=passed,
                start_new_session=True,  # a Ctrl-C at the terminal is the gateway's to handle
            )
        except OSError as error:
            self._log.emit("back_office_failed", error=str(error), again_in_s=self._retry_s)
            self._not_before = now + self._retry_s
            self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)
            return
        finally:
            os.close(orders)
        for port in self._ports:
            port.listen()
        self._bound_to = set()
        self._keep_off(self._process.pid)
        self.starts += 1
        self._began = now
        self._log.emit("back_office_started", process=self._process.pid, start=self.starts)

    def _keep_off(self, process: int) -> None:
        """Keep it off the processors that somebody has bound this one to, where there are others:
        a scheduler that finds it there lets us wait for its slice, some milliseconds."""
        bound_to = os.sched_getaffinity(0)
        if bound_to != self._bound_to:
            self._bound_to = bound_to
            with suppress(OSError):  # it has just died
                os.sched_setaffinity(process, self._processors - bound_to or self._processors)

    def _release(self) -> None:
        with suppress(OSError):
            self._lifeline().close()
        self._process = None
        for port in self._ports:
            port.shutdown(socket.SHUT_RDWR)

    def _lifeline(self) -> IO[bytes]:
        assert self._process is not None and self._process.stdin is not None
        return self._process.stdin


def _descriptor(one: socket.socket | None) -> int:
    return -1 if one is None else one.fileno()
