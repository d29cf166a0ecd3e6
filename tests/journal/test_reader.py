"""verify, dump and stats, as functions and as commands."""

from __future__ import annotations

import json
import mmap
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from portcullis.journal import reader
from portcullis.journal.errors import DamageError, SegmentError
from portcullis.journal.reader import JournalReader, dump, loss, statistics, verify
from portcullis.journal.rows import (
    F_POSS_RESEND,
    GENESIS,
    ITEM_CARRIED,
    NEW_ORDER,
    ROW_BYTES,
    W_ID,
    W_KEY,
    W_PRICE,
    W_QTY,
    W_REF,
    W_TERMS,
)
from portcullis.journal.segments import list_segments, segment_path, write_header
from portcullis.tools.journal import command
from tests.support.journals import (
    SEGMENT_ROWS,
    EchoEngine,
    append_batch,
    fill,
    open_journal,
    recorded,
    row_at,
    turn_a_bit,
)


def flip(directory: Path, row: int, at: int) -> None:
    number, start = row_at(row)
    turn_a_bit(segment_path(directory, number), start + at)


def test_verify_agrees_with_recovery(tmp_path: Path) -> None:
    fill(tmp_path, 42).close()
    batches = recorded(tmp_path)
    found = verify(tmp_path)
    assert (found.ending, found.text) == ("clean", "")
    assert found.batches == len(batches)
    assert found.last_row == batches[-1].last_row
    assert found.rows == sum(batch.last_row + 1 - batch.first_row for batch in batches)
    assert found.segments == 3


def test_verify_tells_a_torn_tail_from_damage(tmp_path: Path) -> None:
    fill(tmp_path, 42).abandon()
    batches = recorded(tmp_path)
    headers = list_segments(tmp_path)
    for index, batch in enumerate(batches):
        for at in (0, 77, ROW_BYTES * (batch.last_row + 1 - batch.first_row) - 1):
            flip(tmp_path, batch.first_row, at)
            found = verify(tmp_path)
            assert found.row == batch.first_row
            assert found.ending == "damage"
            for header in headers:  # and after a stop of the machine
                write_header(tmp_path, replace(header, boot_id=b"another boot id!"))
            found = verify(tmp_path)
            assert found.ending == ("unsealed" if index == len(batches) - 1 else "damage")
            assert not found.same_boot
            for header in headers:
                write_header(tmp_path, header)
            flip(tmp_path, batch.first_row, at)
    assert verify(tmp_path).ending == "clean"


def test_a_missing_last_segment_is_damage(tmp_path: Path) -> None:
    fill(tmp_path, 42).close()
    segment_path(tmp_path, 3).unlink()
    found = verify(tmp_path)
    assert (found.ending, found.text) == (
        "damage",
        f"row {found.last_row + 1}: segment 3 is missing",
    )


def test_a_live_journal_is_read_beside_its_writer(tmp_path: Path) -> None:
    journal = fill(tmp_path, 5)
    sealed = journal.sealed_row
    reader = JournalReader(tmp_path)
    walk = reader.batches()
    seen = [next(walk).first_row]
    engine = EchoEngine(journal.table)
    while journal.table.tail <= 2 * SEGMENT_ROWS:  # segments that the reader has not listed
        last = append_batch(journal, engine, 2)
    journal.table.append_input(NEW_ORDER, 1)
    seen += [batch.first_row for batch in walk]
    assert reader.found.last_row in (last, last + 1)
    assert seen[-1] > sealed
    assert (reader.found.ending, reader.found.row) == ("unsealed", journal.table.tail - 1)
    assert next(iter(dump(tmp_path, from_row=last)))["row"] == last
    journal.abandon()


def test_what_is_sealed_while_a_walk_looks_behind_its_end_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = fill(tmp_path, 5)
    engine = EchoEngine(journal.table)
    is_zero = reader._is_zero
    batches = iter((2, 2, SEGMENT_ROWS, 2))

    def looks_while_it_grows(rows: mmap.mmap, start: int) -> bool:
        for _ in range(next(batches)):
            append_batch(journal, engine, 2)
        return is_zero(rows, start)

    monkeypatch.setattr(reader, "_is_zero", looks_while_it_grows)
    for _ in range(2):
        found = verify(tmp_path)
        assert (found.ending, found.text) == ("unsealed", "")
        assert found.last_row < journal.sealed_row
        assert loss(tmp_path)[1].rows == 0
    journal.abandon()


@pytest.fixture
def described(tmp_path: Path) -> Path:
    journal = open_journal(tmp_path)
    table = journal.table
    engine = EchoEngine(table)
    table.time_ns = 1_700_000_000_000_000_001
    table.append_input(GENESIS, words={W_KEY: 0x1234567, W_KEY + 1: 2})
    journal.seal()
    table.append_input(
        NEW_ORDER,
        7,
        flags=F_POSS_RESEND,
        words={
            W_ID: int.from_bytes(b"order-1", "little"),
            W_QTY: 250,
            W_PRICE: -1,
            W_REF: 3 | 9 << 32,
            W_TERMS: int.from_bytes(b"12\0001\x07\0\3\5", "little"),
        },
        items={ITEM_CARRIED: b"9001=" + b"y" * 200 + b"\x01"},
    )
    engine.run()
    journal.seal(1_700_000_000_000_000_007)
    for _ in range(30):
        append_batch(journal, engine, 4)
    journal.close()
    return tmp_path


def test_dump_names_the_fields_of_a_row(described: Path) -> None:
    order = next(iter(dump(described, session=7, kinds=frozenset({"new_order"}))))
    assert order == {
        "row": 2,
        "kind": "new_order",
        "session": 7,
        "time_ns": 1_700_000_000_000_000_001,
        "sealed_ns": 1_700_000_000_000_000_007,
        "flags": 2,
        "in_seq": 0,
        "cl_ord_id": "order-1",
        "order_qty": 250,
        "price": -1,
        "instrument": 3,
        "account": 9,
        "side": "1",
        "ord_type": "2",
        "time_in_force": "",
        "handl_inst": "1",
        "id_length": 7,
        "orig_length": 0,
        "transact_digits": 3,
        "why": 5,
        "transact_time_ns": 0,
        "firm": "",
        "capacity": "",
        "customer_type": "",
        "items": {"carried": "9001=" + "y" * 200 + "\x01"},
    }


def test_dump_keeps_the_secret_key_to_itself(described: Path) -> None:
    genesis = next(iter(dump(described)))
    assert genesis["kind"] == "genesis"
    assert str(0x1234567) not in str(genesis)
    assert genesis["key"] == "hidden"


def test_dump_filters_by_row_session_and_kind(described: Path) -> None:
    every = list(dump(described))
    # TEXT rows are shown with their owner: three of them hold the carried field.
    assert {shown["kind"] for shown in every} == {"genesis", "new_order", "report", "roll"}
    some = list(dump(described, session=2, kinds=frozenset({"report"}), from_row=90, to_row=200))
    assert some == [
        shown
        for shown in every
        if shown["session"] == 2 and shown["kind"] == "report" and 90 <= shown["row"] <= 200
    ]
    assert len(some) > 10


def test_statistics_count_every_row(described: Path) -> None:
    counted = statistics(described)
    assert counted.rows == verify(described).rows == sum(counted.kinds.values())
    assert counted.kinds["new_order"] == counted.kinds["report"] == counted.outputs == 121
    assert counted.kinds["text"] == 3
    assert counted.kinds["roll"] == counted.segments - 1
    assert counted.batch_rows_max == 8
    assert counted.last_time_ns - counted.first_time_ns == 30_000


def test_the_commands_print_for_people_and_for_programs(described: Path) -> None:
    run = CliRunner().invoke
    result = run(command, ["verify", "--data", str(described)])
    assert result.exit_code == 0 and "are good" in result.output
    found = verify(described)
    unused = found.last_row - found.rows
    assert f"({unused} numbers before it are empty ends of segments)" in result.output
    assert json.loads(run(command, ["verify", "--json", "--data", str(described)]).output) == (
        verify(described).as_json()
    )
    lines = run(command, ["dump", "--to-row", "5", "--data", str(described)]).output.splitlines()
    assert lines[1].split()[:4] == ["2", "20231114-22:13:20.000000001", "new_order", "7"]
    assert "cl_ord_id=order-1" in lines[1] and "time_in_force" not in lines[1]
    dumped = run(command, ["dump", "--json", "--kind", "roll", "--data", str(described)]).output
    assert [json.loads(line)["next_row"] for line in dumped.splitlines()] == [97, 193, 289]
    assert "report" in run(command, ["stats", "--data", str(described)]).output
    assert (
        json.loads(run(command, ["stats", "--json", "--data", str(described)]).output)["batches"]
        > 30
    )


def test_the_commands_exit_3_on_damage_and_on_unusable_files(described: Path) -> None:
    flip(described, 2, 5)
    run = CliRunner().invoke
    result = run(command, ["verify", "--data", str(described)])
    assert result.exit_code == 3
    assert result.output.startswith(
        "damage at row 2: no good batch here, but the journal goes on at row"
    )
    assert " batches are good" in result.output  # the segment of the damage is not
    for name in ("stats", "dump"):
        result = run(command, [name, "--data", str(described)])
        assert result.exit_code == 3
        assert result.stderr.startswith("portcullis: damage at row 2: no good batch here")
    segment_path(described, 1).unlink()
    result = run(command, ["stats", "--data", str(described)])
    assert result.exit_code == 3
    assert "segment 1 is missing" in result.stderr


def test_a_directory_without_a_journal_says_so(tmp_path: Path) -> None:
    with pytest.raises(SegmentError, match="there is no journal here"):
        verify(tmp_path)


def test_what_a_cut_would_lose_is_counted(tmp_path: Path) -> None:
    fill(tmp_path, 30).close()
    whole = recorded(tmp_path)
    found, lost = loss(tmp_path)
    assert (found.ending, lost.rows) == ("clean", 0)
    bad = whole[10]
    segment, at = row_at(bad.first_row)
    with (tmp_path / f"{segment:010d}.journal").open("rb+") as file:
        file.seek(at + 20)
        file.write(b"\xff")
    found, lost = loss(tmp_path)
    assert (found.ending, found.row) == ("damage", bad.first_row)
    behind = whole[11:]
    assert lost.batches == len(behind)
    assert lost.segments == len({row_at(one.first_row)[0] for one in behind})
    assert lost.rows == sum(one.last_row + 1 - one.first_row for one in behind)
    result = CliRunner().invoke(command, ["repair", "--data", str(tmp_path)])
    assert result.exit_code == 3
    assert f"row {bad.first_row}" in result.output
    assert f"portcullis serve --data {tmp_path} --accept-loss" in result.output
    assert f"session {'-':<12}" in result.output  # by name, as `stats` has it


def test_repair_and_a_start_say_the_same_of_a_last_batch(tmp_path: Path) -> None:
    """Closed in order, killed, or of another run of the machine."""
    run = CliRunner().invoke
    for number, (is_closed, boots) in enumerate([(True, 0), (True, 1), (False, 0), (False, 1)]):
        directory = tmp_path / str(number)
        journal = fill(directory, 9)
        (journal.close if is_closed else journal.abandon)()
        *_before, last = JournalReader(directory).batches()
        first = last.first_row
        flip(directory, first, 20)
        for header in list_segments(directory) if boots else ():
            write_header(directory, replace(header, boot_id=b"another boot id!"))
        result = run(command, ["repair", "--data", str(directory)])
        if boots and not is_closed:
            assert result.exit_code == 0
            assert "a start cuts it by itself and, unless" in result.output
            journal = open_journal(directory)
            assert journal.report.cut_row == first
            journal.abandon()
            continue
        assert result.exit_code == 3
        assert "A cut would lose the damaged batch; nothing good stands behind it" in result.output
        with pytest.raises(DamageError, match="--accept-loss") as caught:
            open_journal(directory)
        assert caught.value.row == first
        assert f"damage at row {first}: " in result.output
