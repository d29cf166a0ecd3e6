"""Kills itself at a line: a piece of work is run over and over, and ended elsewhere each time.

`python -m tests.support.killed_at SCENARIO FOLDER SEED POINTS` makes a journal, then for so many
points forks a child that does the scenario's work on a copy and is killed (SIGKILL) as it is
about to run one line more of the modules at work; then starts from what is left and checks it.
Prints how many lines there were. A process of its own, since a test run has threads.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import Replica
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal import maker, recovery, retention, rows, segments, snapshots, writer
from portcullis.journal.segments import list_segments
from portcullis.journal.tail import JournalTail
from tests.engine.naive_matcher import Command
from tests.gateway.test_saved_state import LOADED, trade
from tests.support.commands import append

TRACED = {module.__file__ for module in (writer, maker, recovery, retention, segments, snapshots)}
# Batches that fill a segment of 32,768 rows and some of the next.
BATCHES = 420
# No row is so young that it is kept for its age.
FAR_NS = 1 << 62


def roll(directory: Path) -> None:
    """Write on, over the end of a segment."""
    gateway = recover(LOADED, directory)
    trade(gateway, random.Random(1), BATCHES)
    gateway.journal.close()


def snapshot(directory: Path) -> None:
    """Follow, and write a snapshot."""
    follow(directory, every=1)


def archive(directory: Path) -> None:
    """Move the oldest segments, as far as they may go."""
    floor = retention.find_floor(directory, FAR_NS)
    headers = retention.below(directory, floor)
    assert headers or (directory / "away").exists(), floor
    list(retention.archive(directory, directory / "away", headers))


def day(directory: Path) -> None:
    """End the day, and the process."""
    gateway = recover(LOADED, directory)
    table = gateway.journal.table
    table.append_input(rows.DAY, words={rows.W_DAY: gateway.engine.day + 1})
    while gateway.engine.run():
        gateway.journal.seal()
    gateway.journal.seal()
    gateway.journal.force()
    gateway.journal.close()


SCENARIOS: dict[str, Callable[[Path], None]] = {
    "roll": roll,
    "snapshot": snapshot,
    "archive": archive,
    "day": day,
}


def follow(directory: Path, every: int = 0) -> Replica:
    sizes = {key: getattr(LOADED.config.limits, key) for key in LIMITS}
    replica = Replica(directory, sizes, snapshot_every=every)
    reader = JournalTail(directory, replica.next_row)
    while replica.poll(reader):
        pass
    return replica


class Killer:
    """Counts lines; at `point` the process goes. 0: never."""

    def __init__(self, point: int) -> None:
        self.lines = 0
        self._point = point

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "call":
            return self.trace if frame.f_code.co_filename in TRACED else None
        if event == "line":
            self.lines += 1
            if self.lines == self._point:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace


def run(scenario: str, directory: Path, point: int) -> int:
    """Do the work in a child; give how many lines it took, 0: it was killed."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        killer = Killer(point)
        sys.settrace(killer.trace)
        SCENARIOS[scenario](directory)
        sys.settrace(None)
        os.write(tell, b"%d" % killer.lines)
        os._exit(0)
    os.close(tell)
    os.waitpid(child, 0)
    with os.fdopen(told, "rb") as pipe:
        return int(pipe.read() or b"0")


def check(scenario: str, directory: Path, before: Recovered) -> None:
    """Start from what is left: nothing of before is lost, what was begun is done or not."""
    for half in (directory / "away").glob("*.copying"):
        half.unlink()
    again = recover(LOADED, directory)
    assert again.loss == ""
    assert again.journal.report.last_row >= before.journal.report.last_row
    if scenario in ("snapshot", "archive"):
        assert again.engine.state_hash() == before.engine.state_hash()
    if scenario == "day" and again.engine.day > before.engine.day:
        assert again.engine.day_roll.row == 0
    if scenario == "archive":
        here = list_segments(directory, from_first=False)
        away = list_segments(directory / "away") if (directory / "away").exists() else []
        numbers = {header.number for header in here + away}
        assert numbers == set(range(1, max(numbers) + 1))
    state = again.engine.state_hash()
    again.journal.close()
    assert follow(directory).engine.state_hash() == state


def main() -> None:
    scenario, folder, seed, points = sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    draw = random.Random(int(seed))
    base = folder / "base"
    gateway = recover(LOADED, base)
    trade(gateway, draw, BATCHES)
    if scenario == "archive":
        trade(gateway, draw, BATCHES)
        for session in (1, 2):
            command = Command(rows.MASS_CANCEL, session, b"all", account=session, scope="7")
            append(gateway.journal.table, command)
        words = {rows.W_DAY: gateway.engine.day + 1}
        gateway.journal.table.append_input(rows.DAY, words=words)
        trade(gateway, draw, 2 * BATCHES)
        follow(base, every=1)
    gateway.journal.close()
    before = recover(LOADED, base)
    before.journal.close()
    work = folder / "work"
    shutil.copytree(base, work)
    lines = run(scenario, work, 0)
    assert lines, f"{scenario} ended early"
    for point in sorted(draw.sample(range(1, lines + 1), min(int(points), lines))):
        shutil.rmtree(work)
        shutil.copytree(base, work)
        try:
            assert run(scenario, work, point) == 0
            check(scenario, work, before)
        except BaseException:
            print(f"{scenario}: killed at line {point} of {lines}", file=sys.stderr)
            raise
    print(lines)


if __name__ == "__main__":
    main()
