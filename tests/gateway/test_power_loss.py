"""The machine stops: what was not on disk is gone, and its numbers are never given out again."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from portcullis import _build
from portcullis.gateway.config import ConfigError, Loaded, parse
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal import rows
from portcullis.journal.disk import Disk
from portcullis.journal.maker import make_segment
from portcullis.journal.retention import CURSOR_SUFFIX, FOLLOWERS, LOST_SUFFIX, cursor_row
from portcullis.journal.segments import encode_header, list_segments, segment_path, write_header
from portcullis.journal.snapshots import FOLDER, SUFFIX, list_snapshots
from portcullis.journal.tail import JournalTail
from portcullis.tools.gateway_process import CONFIG, OUCH_CONFIG
from tests.engine.naive_matcher import Command
from tests.support.commands import append
from tests.support.journals import copy_running, lose_power
from tests.support.streams import STREAMS

SEGMENT_ROWS = 32_768
SMALL = f"""
[journal]
segment_rows = {SEGMENT_ROWS}
[limits]
orders = 20000
ids = {20000 if _build.is_pure() else 200000}
levels = 1000
sessions = 10
accounts = 10
instruments = 10
"""
ROUNDS = 2 if _build.is_pure() else 12
# Enough rows between two syncs that some runs roll to another segment.
BATCHES_A_ROUND = 2 if _build.is_pure() else 12
ORDERS_A_BATCH = 30 if _build.is_pure() else 300


def config(sync: str = "interval", tick: str = "0.01") -> Loaded:
    text = CONFIG.format(port=0).replace('tick = "0.01"', f'tick = "{tick}"')
    text += SMALL.replace("[limits]", f'sync = "{sync}"\n[limits]')
    text += STREAMS
    return Loaded(parse(text, "g.toml"), "g.toml", Path())


@dataclass
class Seen:
    """All that left the gateway: what may never stand for something else."""

    rows: int = 0
    numbers: dict[int, int] = field(default_factory=dict)
    day: int = 0

    def look(self, gateway: Recovered) -> None:
        self.rows = max(self.rows, gateway.journal.sealed_row)
        self.day = max(self.day, gateway.engine.day)
        for session, _ in gateway.registry.sessions():
            last = gateway.engine.next_out(session) - 1
            self.numbers[session] = max(self.numbers.get(session, 0), last)


def trade(gateway: Recovered, draw: random.Random, count: int) -> None:
    """One batch of orders around a price."""
    table = gateway.journal.table
    table.time_ns += 1_000_000
    for _ in range(count):
        session = draw.randint(1, 2)
        command = Command(
            rows.NEW_ORDER,
            session,
            b"%x" % draw.getrandbits(60),
            side=draw.choice("12"),
            qty=draw.randint(1, 9),
            price=1000 + draw.randint(-5, 5),
            account=session,
            time_in_force=draw.choice("013"),
        )
        assert append(table, command)
    gateway.engine.run()
    gateway.index.observe(table.batch_first, table.tail - 1)
    first, last = table.batch_first, gateway.journal.seal()
    gateway.streams.observe(first, last)


def test_no_number_stands_for_two_contents_at_any_sync(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    running = tmp_path / "running"
    gateway = recover(config(), running)
    losses = []
    for number in range(ROUNDS):
        disk, seen = tmp_path / f"disk-{number}", Seen()
        gateway.journal.sync()
        copy_running(running, disk)
        for _ in range(draw.randint(1, BATCHES_A_ROUND)):
            trade(gateway, draw, draw.randint(1, ORDERS_A_BATCH))
        seen.look(gateway)
        target = tmp_path / f"lost-{number}"
        lose_power(running, disk, target)
        losses.append((target, seen))
        shutil.rmtree(disk)
    assert _build.is_pure() or len(list_segments(running)) > 1
    gateway.journal.abandon()
    for target, seen in losses:
        again = recover(config(), target)
        assert again.loss and again.passed_over > 0
        assert again.engine.rows_ignored == 0
        assert again.journal.table.batch_first > seen.rows
        assert again.engine.day > seen.day
        for session, last in seen.numbers.items():
            assert again.engine.next_out(session) > last
        for stream in again.streams.known.values():
            assert stream.day > seen.day
            assert (stream.next_number, stream.ended_day) == (1, 0)
        streams = again.streams.save()
        state, row = again.engine.state_hash(), again.journal.sealed_row
        again.journal.abandon()
        # And that start replays like any other.
        once_more = recover(config(), target)
        assert not once_more.loss
        assert once_more.journal.report.last_row == row
        assert once_more.engine.state_hash() == state
        assert [one.pop("next")[:2] for one in once_more.streams.save()] == [
            one["next"][:2] for one in streams
        ]
        once_more.journal.abandon()
        shutil.rmtree(target)


@pytest.mark.parametrize("sync", ["batch", "interval"])
def test_only_a_machine_that_stopped_with_rows_in_flight_passes_numbers_over(
    tmp_path: Path, sync: str
) -> None:
    """A killed process loses nothing, a clean stop neither, nor one that waits for the disk."""
    gateway = recover(config(sync), tmp_path)
    trade(gateway, random.Random(1), 10)
    numbers = [gateway.engine.next_out(session) for session in (1, 2)]
    gateway.journal.sync()
    gateway.journal.abandon()
    killed = recover(config(sync), tmp_path)
    assert not killed.loss
    assert [killed.engine.next_out(session) for session in (1, 2)] == numbers
    killed.journal.close()
    for header in list_segments(tmp_path):
        write_header(tmp_path, replace(header, boot_id=b"another boot id!"))
    stopped = recover(config(sync), tmp_path)
    assert not stopped.loss
    stopped.journal.abandon()
    for header in list_segments(tmp_path):
        write_header(tmp_path, replace(header, boot_id=b"another boot id!"))
    lost = recover(config(sync), tmp_path)
    assert bool(lost.loss) == (sync == "interval")
    lost.journal.abandon()


def test_a_journal_cut_as_asked_passes_over_what_was_cut(tmp_path: Path) -> None:
    gateway = recover(config(), tmp_path)
    draw = random.Random(2)
    for _ in range(3):
        trade(gateway, draw, 50)
    seen = Seen()
    seen.look(gateway)
    bad = gateway.journal.table.batch_first - 300
    gateway.journal.close()
    with segment_path(tmp_path, 1).open("rb+") as file:
        file.seek(4096 + (bad - 1) * rows.ROW_BYTES + 20)
        file.write(b"\xff\xff")
    # What knew of more: a follower, and a snapshot.
    follower = tmp_path / FOLLOWERS / f"any{CURSOR_SUFFIX}"
    later = tmp_path / FOLDER / f"{seen.rows:016d}{SUFFIX}"
    for path, text in ((follower, f"{seen.rows}\n"), (later, "")):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.journal")}
    with pytest.raises(ConfigError, match="key tick: expected at most 2 decimals"):
        recover(config(tick="0.001"), tmp_path, accept_loss=True)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.journal")} == before
    assert not list(tmp_path.glob("*.cut"))
    again = recover(config(), tmp_path, accept_loss=True)
    assert again.journal.report.cut_row and "cut" in again.loss
    assert list_snapshots(tmp_path) == [] and later.with_suffix(LOST_SUFFIX).exists()
    tail = JournalTail(tmp_path, cursor_row(follower))
    assert tail.next_row <= bad
    assert sum(batch.row_count for batch in tail.batches(1 << 20)) and tail.next_row > seen.rows
    assert again.journal.table.batch_first > seen.rows
    for session, last in seen.numbers.items():
        assert again.engine.next_out(session) > last
    again.journal.abandon()


class KilledError(BaseException):
    """The process is no more."""


class DeadlyDisk(Disk):
    """Kills the process at its n-th use."""

    def __init__(self, uses: int) -> None:
        self.left = uses

    def sync(self, descriptor: int) -> None:
        self._use()

    def sync_directory(self, directory: Path) -> None:
        self._use()

    def _use(self) -> None:
        self.left -= 1
        if not self.left:
            raise KilledError


@pytest.mark.parametrize("damaged", [False, True])
def test_a_start_that_is_killed_leaves_the_loss_it_found_to_the_next(
    tmp_path: Path, damaged: bool
) -> None:
    """Both of the same run of the machine; a loss by its stop, or a journal cut as asked."""
    gateway = recover(config(), tmp_path / "running")
    gateway.journal.sync()
    copy_running(tmp_path / "running", tmp_path / "disk")
    seen = Seen()
    for _ in range(2):
        trade(gateway, random.Random(3), 30)
    seen.look(gateway)
    if damaged:
        bad = gateway.journal.table.batch_first - 60
        gateway.journal.close()
        with segment_path(tmp_path / "running", 1).open("rb+") as file:
            file.seek(4096 + (bad - 1) * rows.ROW_BYTES + 20)
            file.write(b"\xff\xff")
    else:
        gateway.journal.abandon()
    # Uncompiled, where a start takes a second, every third of its uses of the disk.
    for uses in range(1, 100, 3 if _build.is_pure() else 1):
        target = tmp_path / f"lost-{uses}"
        if damaged:
            shutil.copytree(tmp_path / "running", target)
        else:
            lose_power(tmp_path / "running", tmp_path / "disk", target)
        disk = DeadlyDisk(uses)
        with contextlib.suppress(KilledError):
            recover(config(), target, accept_loss=damaged, disk=disk).journal.abandon()
        again = recover(config(), target, accept_loss=damaged)
        assert again.journal.table.batch_first > seen.rows
        assert again.engine.day > seen.day
        for session, last in seen.numbers.items():
            assert again.engine.next_out(session) > last
        again.journal.abandon()
        shutil.rmtree(target)
        if disk.left > 0:
            break
    assert 5 < uses < 99


def test_each_segment_that_is_passed_over_is_on_disk_under_any_policy(tmp_path: Path) -> None:
    """Else the power that fails again leaves a hole before the last, and that would be damage."""

    class RecordingDisk(Disk):
        def __init__(self) -> None:
            self.synced: set[str] = set()

        def sync(self, descriptor: int) -> None:
            self.synced.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    recover(config("none"), tmp_path / "running").journal.abandon()
    following = list_segments(tmp_path / "running")[0].next()
    path = segment_path(tmp_path / "running", 2)
    make_segment(path, encode_header(following), following.file_bytes, zeros=False)
    lose_power(tmp_path / "running", tmp_path / "running", tmp_path / "lost")
    disk = RecordingDisk()
    again = recover(config("none"), tmp_path / "lost", disk=disk)
    assert again.loss
    last = again.journal.table.batch_first // SEGMENT_ROWS + 1
    assert last == 3
    assert disk.synced >= {segment_path(tmp_path, number).name for number in range(1, last + 1)}
    again.journal.abandon()


def test_nothing_is_numbered_behind_what_was_lost_when_the_day_ended_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the day is told in a session of its own, as the lost numbers may be known."""
    text = OUCH_CONFIG.format(port=0, ouch_port=0) + SMALL
    loaded = Loaded(parse(text, "g.toml"), "g.toml", Path())
    gateway = recover(loaded, tmp_path / "running")
    session = gateway.registry.session(b"OUCH:OUCH1")
    table, day = gateway.journal.table, gateway.engine.day
    for token in (b"kept", b"lost"):
        account = gateway.registry.catalog.accounts.number(b"OUCH1")
        assert append(table, Command(
            rows.NEW_ORDER, session, token, side="1", qty=1, price=1000, account=account,
            time_in_force="0",
        ))  # fmt: skip
        gateway.engine.run()
        gateway.index.observe(table.batch_first, table.tail - 1)
        gateway.journal.seal()
        if token == b"kept":
            gateway.journal.sync()
            copy_running(tmp_path / "running", tmp_path / "disk")
    told = gateway.index.head_seq(session)
    lose_power(tmp_path / "running", tmp_path / "disk", tmp_path / "lost")
    gateway.journal.abandon()
    tomorrow = time.time_ns() + 86_400_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: tomorrow)
    again = recover(loaded, tmp_path / "lost")
    assert again.loss and again.engine.day // 100 > day // 100
    assert again.index.ended_seq(session, day) < told
    again.journal.abandon()
