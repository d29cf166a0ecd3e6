"""Snapshots: a start from one is a start from the first row, and a bad one is never used."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from portcullis import _build
from portcullis.gateway import saved_state, startup
from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.followers import Followed
from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import Replica, snapshot_at_end
from portcullis.gateway.report_index import ReportIndex
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal import rows
from portcullis.journal.errors import DamageError, JournalError, JournalLockedError, SegmentError
from portcullis.journal.reader import JournalReader
from portcullis.journal.retention import below, find_floor, prune
from portcullis.journal.segments import HEADER_BYTES, list_segments, segment_path
from portcullis.journal.snapshots import FOLDER, KEPT, list_snapshots, snapshot_row
from portcullis.journal.tail import JournalTail
from portcullis.journal.writer import lock_directory
from portcullis.tools.gateway_process import CONFIG
from portcullis.tools.journal import command as journal_command
from tests.engine.naive_matcher import Command
from tests.support.commands import append
from tests.support.journals import turn_a_bit
from tests.support.streams import STREAMS

SMALL = f"""
[journal]
segment_rows = 32768
[limits]
orders = 20000
ids = {4000 if _build.is_pure() else 100000}
levels = 1000
sessions = 10
accounts = 10
instruments = 10
"""
fills_segments = pytest.mark.skipif(_build.is_pure(), reason="fills segments, for minutes")
LOADED = Loaded(parse(CONFIG.format(port=0) + SMALL + STREAMS, "g.toml"), "g.toml", Path())


def sizes() -> dict[str, int]:
    return {key: getattr(LOADED.config.limits, key) for key in LIMITS}


def trade(gateway: Recovered, draw: random.Random, batches: int) -> None:
    """Orders of all kinds around a price, changes of them, resets, and a mass cancel at times."""
    table = gateway.journal.table
    names: list[tuple[int, bytes]] = []
    for _ in range(batches):
        table.time_ns += 1_000_000
        for _ in range(draw.randint(1, 60)):
            session = draw.randint(1, 2)
            terms = {
                "side": draw.choice("12"),
                "qty": draw.randint(1, 9),
                "price": 1000 + draw.randint(-9, 9),
                "account": session,
                "time_in_force": draw.choice("001113"),
            }
            name = b"%x" % draw.getrandbits(draw.choice((40, 200)))
            command = Command(rows.NEW_ORDER, session, name, **terms)  # type: ignore[arg-type]
            if names and draw.random() < 0.3:
                session, orig = draw.choice(names[-50:])
                kind = draw.choice((rows.CANCEL, rows.REPLACE))
                terms |= {"account": session}
                command = Command(kind, session, name, orig, **terms)  # type: ignore[arg-type]
            if command.kind != rows.CANCEL:
                names.append((session, name))
            assert append(table, command)
        if draw.random() < 0.05:
            append(table, Command(rows.MASS_CANCEL, 1, b"m", account=1, scope="7"))
        if draw.random() < 0.05:
            words = {rows.W_NEXT_OUT: 1, rows.W_NEXT_IN: 1, rows.W_UNSENT: 1}
            words[rows.W_UNSENT_ROW] = gateway.index.head_row(2)
            table.append_input(rows.RESET, 2, words=words)
        first = table.batch_first
        gateway.engine.run()
        last = gateway.journal.seal()
        gateway.index.observe(first, last)
        gateway.streams.observe(first, last)


def facts(gateway: Recovered) -> list[object]:
    """All that a start knows."""
    known: list[object] = [gateway.engine.state_hash(), gateway.unsent.save()]
    known.append(gateway.streams.save())
    known.append([bytes(buffer) for _, buffer in gateway.index.save()])
    registry = gateway.registry
    known += [registry.sessions(), registry.settings, registry.largest, registry.day]
    known += [registry.scheduled_ns, registry.day_began_ns, list(registry.catalog.instruments)]
    return known


def follow(directory: Path, every: int) -> Replica:
    """A replica that has read all there is."""
    replica = Replica(directory, sizes(), snapshot_every=every)
    reader = JournalTail(directory, replica.next_row)
    while replica.poll(reader):
        pass
    return replica


@fills_segments
def test_a_start_from_a_snapshot_knows_what_a_start_from_the_first_row_knows(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    running = tmp_path / "running"
    gateway = recover(LOADED, running)
    for number in range(6):
        trade(gateway, draw, 120)
        replica = follow(running, every=1)
        assert replica.engine.state_hash() == gateway.engine.state_hash()
        assert len(list_snapshots(running)) == min(number + 1, KEPT)
        trade(gateway, draw, 20)
    gateway.journal.close()
    assert len(list_segments(running)) > 1
    bare = tmp_path / "bare"
    shutil.copytree(running, bare, ignore=shutil.ignore_patterns(FOLDER, "*.making"))
    from_first, from_snapshot = recover(LOADED, bare), recover(LOADED, running)
    assert from_snapshot.snapshot_row and not from_first.snapshot_row
    assert from_snapshot.journal.report.rows < from_first.journal.report.rows
    assert facts(from_snapshot) == facts(from_first)
    for one in (from_first, from_snapshot):
        trade(one, random.Random(seed), 20)
    assert facts(from_snapshot) == facts(from_first)
    for one in (from_first, from_snapshot):
        one.journal.abandon()


@fills_segments
def test_the_first_segments_may_go_once_a_snapshot_stands_for_them(
    tmp_path: Path, seed: int
) -> None:
    gateway = recover(LOADED, tmp_path)
    trade(gateway, random.Random(seed), 700)
    follow(tmp_path, every=1)
    gateway.journal.close()
    state = gateway.engine.state_hash()
    segment_path(tmp_path, 1).unlink()
    again = recover(LOADED, tmp_path)
    assert again.engine.state_hash() == state
    trade(again, random.Random(seed + 1), 20)
    assert follow(tmp_path, every=0).engine.state_hash() == again.engine.state_hash()
    again.journal.abandon()
    for path in list_snapshots(tmp_path):
        path.unlink()
    with pytest.raises(JournalError, match="segment 1 is missing"):
        recover(LOADED, tmp_path)


def test_a_damaged_snapshot_is_refused_by_name_and_the_one_before_serves(tmp_path: Path) -> None:
    gateway = recover(LOADED, tmp_path)
    for _ in range(2):
        trade(gateway, random.Random(1), 20)
        follow(tmp_path, every=1)
    gateway.journal.abandon()
    older, newest = list_snapshots(tmp_path)
    octets = newest.read_bytes()
    draw = random.Random(7)
    for _ in range(2 if _build.is_pure() else 20):
        at = draw.randrange(len(octets.rstrip(b"\0")))
        damaged = bytearray(octets)
        damaged[at] ^= 1 << draw.randrange(8)
        newest.write_bytes(damaged)
        again = recover(LOADED, tmp_path)
        again.journal.abandon()
        assert again.engine.state_hash() == gateway.engine.state_hash()
        if again.refused_snapshots:  # else it was padding that nobody reads
            assert str(newest) in again.refused_snapshots[0]
            assert again.snapshot_row == int(older.stem)
        for path in list_snapshots(tmp_path):
            assert path in (older, newest)


def test_a_snapshot_ahead_of_its_journal_is_refused(tmp_path: Path) -> None:
    """The machine stopped: the snapshot was on disk, the rows it is of were not."""
    gateway = recover(LOADED, tmp_path)
    trade(gateway, random.Random(1), 5)
    gateway.journal.sync()
    early = segment_path(tmp_path, 1).read_bytes()
    trade(gateway, random.Random(2), 5)
    follow(tmp_path, every=1)
    gateway.journal.abandon()
    segment_path(tmp_path, 1).write_bytes(early)
    again = recover(LOADED, tmp_path)
    assert again.snapshot_row == 0
    assert "does not have its row" in again.refused_snapshots[0]
    again.journal.abandon()


@fills_segments
def test_what_nothing_needs_is_pruned_or_archived_and_a_start_knows_the_same(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    running, away = tmp_path / "running", tmp_path / "away"
    gateway = recover(LOADED, running)
    trade(gateway, draw, 400)
    asked = ["prune", "--data", str(running), "--keep", "0s"]
    said = json.loads(CliRunner().invoke(journal_command, [*asked, "--json"]).output)
    assert (said["segments"], said["stays_from"]) == (0, 1) and said["why"]
    assert segment_path(running, 1).exists()  # there is no snapshot yet
    table = gateway.journal.table
    table.append_input(rows.DAY, words={rows.W_DAY: gateway.engine.day + 1})
    trade(gateway, draw, 2000)
    for _ in range(KEPT):
        trade(gateway, draw, 1)
        follow(running, every=1)
    count = len(list_segments(running))
    gateway.journal.close()
    # Orders that lasted hold their rows; let them go.
    again = recover(LOADED, running)
    for session in (1, 2):
        append(
            again.journal.table,
            Command(rows.MASS_CANCEL, session, b"all", account=session, scope="7"),
        )
    again.journal.table.append_input(rows.DAY, words={rows.W_DAY: again.engine.day + 1})
    trade(again, draw, 300)
    for _ in range(KEPT):
        trade(again, draw, 1)
        follow(running, every=1)
    again.journal.close()
    with pytest.raises(SystemExit):
        journal_command(["archive", str(away), "--data", str(running), "--keep", "0s"])
    left = list_segments(running, from_first=False)
    moved = list_segments(away)
    assert moved and moved[-1].end_row == left[0].first_row
    stats = CliRunner().invoke(journal_command, ["stats", "--data", str(running)])
    assert stats.exit_code == 0, stats.output
    assert len(moved) + len(left) >= count
    state = again.engine.state_hash()
    once_more = recover(LOADED, running)
    assert once_more.engine.state_hash() == state
    trade(once_more, draw, 30)
    assert follow(running, every=0).engine.state_hash() == once_more.engine.state_hash()
    once_more.journal.abandon()


@fills_segments
def test_a_gateway_and_its_followers_let_go_of_what_was_pruned_and_go_on(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    gateway = recover(LOADED, tmp_path)
    table = gateway.journal.table
    reports = ReportIndex(tmp_path, {}, 1)
    reader = JournalTail(tmp_path)
    trade(gateway, draw, 700)
    for session in (1, 2):
        append(table, Command(rows.MASS_CANCEL, session, b"all", account=session, scope="7"))
    trade(gateway, draw, 300)
    for _ in range(2):  # nothing of before lives, no id of it is taken
        table.append_input(rows.DAY, words={rows.W_DAY: gateway.engine.day + 1})
        trade(gateway, draw, 300)
    for _ in range(KEPT):
        trade(gateway, draw, 1)
        replica = follow(tmp_path, every=1)
    while reports.poll(reader):
        pass
    gone = list(prune(tmp_path, below(tmp_path, find_floor(tmp_path, 1 << 62))))
    assert gone and _mapped_though_gone(tmp_path)
    gateway.journal.release(gateway.journal.take_pruned())
    replica.release()
    reports.release()
    assert not _mapped_though_gone(tmp_path)
    assert table.oldest_row == replica.table.oldest_row == gone[-1].end_row
    assert bytes(table.octets[:4096]) == bytes(4096)

    trade(gateway, draw, 300)
    tail = JournalTail(tmp_path, replica.last_row + 1)
    while replica.poll(tail):
        pass
    assert replica.last_row == gateway.journal.sealed_row
    assert replica.engine.state_hash() == gateway.engine.state_hash()
    # One whose file is lost begins with what is there.
    new = Followed(
        "new", lambda row: ReportIndex(tmp_path, {}, row), tmp_path, EventLog(sys.stderr.fileno())
    )
    while new.poll():
        pass
    assert (new.trouble, new.row) == ("", gateway.journal.sealed_row)
    gateway.journal.abandon()
    again = recover(LOADED, tmp_path)
    assert again.engine.state_hash() == gateway.engine.state_hash()
    again.journal.abandon()


def _mapped_though_gone(directory: Path) -> list[str]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in lines if str(directory) in line and line.endswith("(deleted)")]


def test_another_engine_version_begins_at_a_snapshot_of_the_end_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(3)
    gateway = recover(LOADED, tmp_path)
    trade(gateway, draw, 5)
    with pytest.raises(JournalLockedError):
        snapshot_now(tmp_path)
    gateway.journal.close()
    follow(tmp_path, every=1)
    gateway = recover(LOADED, tmp_path)
    trade(gateway, draw, 2)
    state = gateway.engine.state_hash()
    gateway.journal.close()

    monkeypatch.setattr(startup, "ENGINE_VERSION", 2)
    monkeypatch.setattr(saved_state, "ENGINE_VERSION", 2)
    with pytest.raises(SegmentError, match="begins at a snapshot of its end alone"):
        recover(LOADED, tmp_path)
    with monkeypatch.context() as before:
        before.setattr(saved_state, "ENGINE_VERSION", 1)
        snapshot_now(tmp_path)
    newer = recover(LOADED, tmp_path)
    assert newer.snapshot_row and newer.journal.report.rows == 0
    assert newer.engine.state_hash() == state
    assert [one.engine_version for one in list_segments(tmp_path)[:2]] == [1, 2]
    assert newer.journal.table.batch_first > list_segments(tmp_path)[0].end_row
    trade(newer, draw, 2)
    state = newer.engine.state_hash()
    newer.journal.abandon()
    # Killed: the snapshot of the older version serves, as what follows is all of the newer.
    again = recover(LOADED, tmp_path)
    assert again.engine.state_hash() == state
    again.journal.close()
    assert follow(tmp_path, every=0).engine.state_hash() == state
    monkeypatch.setattr(startup, "ENGINE_VERSION", 1)
    monkeypatch.setattr(saved_state, "ENGINE_VERSION", 1)
    with pytest.raises(SegmentError, match="written by engine version 2"):
        recover(LOADED, tmp_path)


def test_a_damaged_journal_gives_no_snapshot_of_what_stands_before(tmp_path: Path) -> None:
    gateway = recover(LOADED, tmp_path)
    trade(gateway, random.Random(1), 10)
    gateway.journal.close()
    batches = list(JournalReader(tmp_path).batches())
    bad, following = (one.first_row for one in batches[-4:-2])
    turn_a_bit(segment_path(tmp_path, 1), HEADER_BYTES + (bad - 1) * rows.ROW_BYTES + 20)
    result = CliRunner().invoke(journal_command, ["snapshot", "--data", str(tmp_path)])
    assert result.exit_code == 3
    assert f"damage at row {bad}: " in result.stderr
    assert f"goes on at row {following}" in result.stderr
    assert list_snapshots(tmp_path) == []


def test_repair_says_that_a_start_begins_at_a_snapshot_behind_the_damage(tmp_path: Path) -> None:
    gateway = recover(LOADED, tmp_path)
    trade(gateway, random.Random(1), 10)
    gateway.journal.close()
    snapshot_now(tmp_path)
    (row,) = (snapshot_row(path) for path in list_snapshots(tmp_path))
    gateway = recover(LOADED, tmp_path)
    trade(gateway, random.Random(2), 10)
    gateway.journal.close()
    batches = [one.first_row for one in JournalReader(tmp_path).batches()]
    before, behind = batches[1], batches[-3]
    assert before < row < behind
    run = CliRunner().invoke

    def spoil(first: int) -> None:
        turn_a_bit(segment_path(tmp_path, 1), HEADER_BYTES + (first - 1) * rows.ROW_BYTES + 20)

    spoil(before)
    result = run(journal_command, ["repair", "--data", str(tmp_path)])
    assert result.exit_code == 3
    assert f"damage at row {before}: " in result.output
    assert f"begins behind the damage, at the snapshot of row {row:,}," in result.output
    assert "To cut" not in result.output and "From the snapshot" not in result.output
    again = recover(LOADED, tmp_path, accept_loss=True)
    assert (again.snapshot_row, again.journal.report.cut_row, again.loss) == (row, 0, "")
    again.journal.abandon()
    spoil(behind)
    result = run(journal_command, ["repair", "--data", str(tmp_path)])
    assert f"From the snapshot on: damage at row {behind}: " in result.output
    assert "To cut" in result.output
    shown = json.loads(run(journal_command, ["repair", "--json", "--data", str(tmp_path)]).output)
    assert shown["journal"]["row"] == before and shown["snapshot_row"] == row
    with pytest.raises(DamageError) as caught:
        recover(LOADED, tmp_path)
    assert caught.value.row == behind


def snapshot_now(directory: Path) -> None:
    """As a person does it; the exception, if it fails."""
    lock = lock_directory(directory)
    try:
        snapshot_at_end(directory)
    finally:
        os.close(lock)
