"""Another process slowed down: let run for a moment, then stopped a thousand times as long.

For tests and benchmarks of what goes on beside it. The signals come from a process of their own,
so that whoever measures meanwhile spends no time on them; how long a moment was is measured, and
what follows is as much longer. In the end the other runs again.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_FACTOR = 1000
_RUN_S = 0.0002  # at least: on a machine that has much to do a moment is longer


@dataclass
class Slowed:
    """For how long the process was let run, of how long; once it is over."""

    run_s: float = 0.0
    of_s: float = 0.0


@contextmanager
def slowed(process: int) -> Iterator[Slowed]:
    """Slow a process down. It is stopped at first, and let run once at least."""
    told = Slowed()
    command = [sys.executable, __file__, str(process)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as signals:
        assert signals.stdin is not None and signals.stdout is not None
        signals.stdout.readline()
        try:
            yield told
        finally:
            signals.stdin.close()
            told.run_s, told.of_s = map(float, signals.stdout.readline().split())


def main(process: int) -> None:
    """Send signals until the input ends; say so once it is stopped, and both times at the end."""
    ran, pause, began = 0.0, _RUN_S * _FACTOR, time.monotonic()
    os.kill(process, signal.SIGSTOP)
    print("stopped", flush=True)
    try:
        while not select.select([sys.stdin], [], [], pause)[0] or not ran:
            released = time.monotonic()
            os.kill(process, signal.SIGCONT)
            time.sleep(_RUN_S)
            os.kill(process, signal.SIGSTOP)
            moment = time.monotonic() - released
            ran += moment
            pause = moment * _FACTOR
    finally:
        os.kill(process, signal.SIGCONT)
        print(ran, time.monotonic() - began, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
