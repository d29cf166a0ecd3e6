"""Kills itself at a point: a piece of work is run over and over, and ended elsewhere each time.

`python -m tests.support.killed_at SCENARIO FOLDER SEED LINES [STEP]` makes a journal. Then, for
each operation that changes a file (of STEP, one, which the seed says), a child does the scenario's
work on a copy and is killed (SIGKILL) as it is about to do that operation; and so at so many lines
of the modules at work, drawn from the seed, between which rows change in mapped memory. Each time
it starts from what is left and checks it. Prints how many operations there were. A process of its
own, since a test run has threads.
"""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from portcullis.gateway import report_index, report_index_file
from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import Replica
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal import (
    index_files,
    maker,
    recovery,
    retention,
    rows,
    sections,
    segments,
    snapshots,
    writer,
)
from portcullis.journal.rows import BATCH_ROWS
from portcullis.journal.segments import list_segments
from portcullis.journal.tail import JournalTail
from tests.engine.naive_matcher import Command
from tests.gateway.test_saved_state import LOADED, trade
from tests.support.commands import append
from tests.support.index_walks import check_walks

TRACED = {
    module.__file__
    for module in (
        writer, maker, recovery, retention, segments, snapshots, sections, index_files,
        report_index_file,
    )
}  # fmt: skip
# So that there are some of them to a segment.
BLOCK_ROWS = 1 << 14
# Between two writings of the refill index.
SAVED_ROWS = 1 << 14
# What changes a file or a folder, of `os` and of files open for writing.
CHANGES = frozenset(
    "pwrite write fsync fdatasync link unlink remove rename replace mkdir posix_fallocate "
    "ftruncate sendfile copy_file_range flush close".split()
)
# Batches that fill a segment of 32,768 rows and some of the next.
BATCHES = 420
FEW_BATCHES = 10
# More than a batch of theirs has.
ROLL_ROWS = 500
# Numbers between two walks that are looked at.
WALK_STEP = 101
# No row is so young that it is kept for its age.
FAR_NS = 1 << 62


def roll(directory: Path) -> None:
    """Write on, over the end of a segment."""
    gateway = recover(LOADED, directory)
    draw, end_row = random.Random(1), list_segments(directory)[0].end_row
    while gateway.journal.sealed_row < end_row:
        trade(gateway, draw, 1)
    gateway.journal.close()


def make(directory: Path) -> None:
    """Make the next segment, as the helper process does."""
    header = list_segments(directory)[-1].next()
    path = segments.segment_path(directory, header.number)
    maker.make_segment(path, segments.encode_header(header), header.file_bytes, zeros=True)


def snapshot(directory: Path) -> None:
    """Follow, and write a snapshot."""
    follow(directory, every=1)


def index(directory: Path) -> None:
    """Follow, and write the files of the indexes."""
    follow(directory)
    follow_streams(directory)
    names = {path.name for path in (directory / index_files.FOLDER).iterdir()}
    assert report_index_file.NAME in names and len(names) > 1


def archive(directory: Path) -> None:
    """Move the oldest segments, as far as they may go."""
    floor = retention.find_floor(directory, FAR_NS)
    headers = retention.below(directory, floor)
    assert headers or (directory / "away").exists(), floor
    list(retention.archive(directory, directory / "away", headers))


def prune(directory: Path) -> None:
    """Remove the oldest segments, as far as they may go."""
    list(
        retention.prune(
            directory, retention.below(directory, retention.find_floor(directory, FAR_NS))
        )
    )


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
    "make": make,
    "snapshot": snapshot,
    "index": index,
    "archive": archive,
    "prune": prune,
    "day": day,
}


def follow(directory: Path, every: int = 0) -> Replica:
    sizes = {key: getattr(LOADED.config.limits, key) for key in LIMITS}
    replica = Replica(directory, sizes, snapshot_every=every)
    reader = JournalTail(directory, replica.next_row)
    while replica.poll(reader):
        pass
    return replica


def follow_streams(directory: Path) -> dict[str, list[tuple[str, int, list[bytes]]]]:
    """What can be refilled: by stream each session, its end, and some of its last messages."""
    path = directory / retention.FOLLOWERS / "reports.row"
    kept = {one.name: one.sessions_kept for one in LOADED.config.stream}
    index = report_index.ReportIndex(directory, kept, retention.cursor_row(path))
    reader = JournalTail(directory, index.next_row)
    while index.poll(reader):
        pass
    path.parent.mkdir(exist_ok=True)
    retention.write_cursor(path, index.next_row)
    return {
        name: [
            (session, end, list(history.messages(session, max(end - 9, 1), 9, 1 << 20)))
            for session, end in history.sessions()
        ]
        for name, history in index.histories.items()
    }


class Killer:
    """Counts points; at `point` the process goes. 0: never."""

    def __init__(self, point: int) -> None:
        self.points = 0
        self._point = point

    def _pass(self) -> None:
        self.points += 1
        if self.points == self._point:
            os.kill(os.getpid(), signal.SIGKILL)

    def at_operations(self) -> None:
        sys.setprofile(self._profile)

    def at_lines(self) -> None:
        sys.settrace(self._trace)

    def _profile(self, _frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ in CHANGES:
            is_file = isinstance(called.__self__, io.BufferedWriter)
            if is_file or called.__self__ is sys.modules["posix"]:
                self._pass()

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "call":
            return self._trace if frame.f_code.co_filename in TRACED else None
        if event == "line":
            self._pass()
        return self._trace


def run(scenario: str, directory: Path, point: int, *, lines: bool) -> int:
    """Do the work in a child; give how many points it passed, 0: it was killed."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        killer = Killer(point)
        (killer.at_lines if lines else killer.at_operations)()
        SCENARIOS[scenario](directory)
        sys.settrace(None)
        sys.setprofile(None)
        os.write(tell, b"%d" % killer.points)
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
    for session in (1, 2):
        check_walks(again.index, again.journal.table, session, WALK_STEP)
    if scenario in ("make", "snapshot", "index", "archive", "prune"):
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
    if scenario == "index":
        found = follow_streams(directory)
        (directory / index_files.FOLDER / report_index_file.NAME).unlink()
        assert len(found) == len(LOADED.config.stream) and found == follow_streams(directory)
    assert follow(directory).engine.state_hash() == state


def prepare(scenario: str, base: Path, draw: random.Random) -> None:
    """The journal that the work is done on."""
    gateway = recover(LOADED, base)
    table = gateway.journal.table
    if scenario == "roll":
        while table.batch_first + BATCH_ROWS + ROLL_ROWS < list_segments(base)[0].end_row:
            trade(gateway, draw, 1)
    elif scenario in ("archive", "prune"):
        trade(gateway, draw, 2 * BATCHES)
        for session in (1, 2):
            command = Command(rows.MASS_CANCEL, session, b"all", account=session, scope="7")
            append(table, command)
        table.append_input(rows.DAY, words={rows.W_DAY: gateway.engine.day + 1})
        trade(gateway, draw, 2 * BATCHES)
        follow(base, every=1)
    elif scenario == "index":
        trade(gateway, draw, BATCHES)
    else:
        trade(gateway, draw, FEW_BATCHES)
    gateway.journal.close()
    unused = list_segments(base)[-1]
    if scenario in ("roll", "make") and unused.number > 1:  # made ahead
        segments.segment_path(base, unused.number).unlink()


def main() -> None:
    index_files.BLOCK_ROWS = BLOCK_ROWS
    report_index.ROWS_A_POLL = report_index.SAVED_ROWS = SAVED_ROWS
    scenario, folder, seed, lines = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    step = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    draw = random.Random(int(seed))
    base, work = folder / "base", folder / "work"
    prepare(scenario, base, draw)
    before = recover(LOADED, base)
    before.journal.close()

    def points(at_lines: bool) -> int:
        shutil.copytree(base, work, dirs_exist_ok=True)
        found = run(scenario, work, 0, lines=at_lines)
        shutil.rmtree(work)
        assert found, f"{scenario} ended early"
        return found

    operations = points(False)
    at = [(point, False) for point in range(1 + int(seed) % step, operations + 1, step)]
    if lines:
        all_lines = points(True)
        at += [(draw.randint(1, all_lines), True) for _ in range(lines)]
    for point, at_lines in at:
        shutil.copytree(base, work)
        try:
            run(scenario, work, point, lines=at_lines)
            check(scenario, work, before)
        except BaseException:
            what = "line" if at_lines else "operation"
            print(f"{scenario}: killed at {what} {point}", file=sys.stderr)
            raise
        shutil.rmtree(work)
    print(operations)


if __name__ == "__main__":
    main()
