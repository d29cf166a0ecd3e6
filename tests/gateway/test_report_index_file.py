"""The refill index' file: a start counts on from it where it is right, else anew."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from portcullis.gateway import report_index
from portcullis.gateway.followed_rows import FollowedRows
from portcullis.gateway.report_index import ReportIndex
from portcullis.gateway.report_index_file import FORM, NAME
from portcullis.gateway.report_messages import ReportMessages
from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows as r
from portcullis.journal.index_files import FOLDER, drop_before
from portcullis.journal.sections import read_sections, write_sections
from portcullis.journal.segments import list_segments, segment_path
from portcullis.journal.tail import JournalTail
from portcullis.journal.writer import Journal
from tests.support.journals import EchoEngine, append_batch, open_journal, row_at
from tests.support.streams import put_stream

DAY = 2026112101
KEPT = {"stream1": 2, "stream2": 3}
# Between two writings; a segment has 96 rows.
SAVED_ROWS = 40


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_index, "ANCHOR_ROWS", 7)
    monkeypatch.setattr(report_index, "ROWS_A_POLL", 16)
    monkeypatch.setattr(report_index, "SAVED_ROWS", SAVED_ROWS)


class OrderEngine(EchoEngine):
    """Each report is of the row that it answers, as of an order."""

    def run(self) -> int:
        table = self._table
        first = table.tail
        super().run()
        words = memoryview(table.words)
        for row in range(first, table.tail):
            at = (row - table.origin_row) * r.ROW_WORDS
            words[at + r.W_ORDER] = words[at + r.W_TERMS_ROW] = words[at + r.W_CAUSE]
        return 0


class Day:
    """A journal of two streams, that is written on day by day."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.journal: Journal = open_journal(directory)
        self._engine = OrderEngine(self.journal.table)
        self._draw = random.Random(seed)
        self._days = 0

    def begin(self) -> None:
        for stream in (1, 2):
            content = (r.STREAM_REPORTS, r.STREAM_ACCOUNTS)[stream - 1]
            put_stream(self.journal.table, stream, content, DAY + self._days, (0, 1))
        self._days += 1

    def go_on(self, batches: int) -> None:
        for _ in range(batches):
            append_batch(self.journal, self._engine, self._draw.randint(1, 4))


@pytest.fixture
def day(tmp_path: Path, seed: int) -> Day:
    made = Day(tmp_path, seed)
    for _ in range(4):
        made.begin()
        made.go_on(45)
    return made


def path_of(directory: Path) -> Path:
    return directory / FOLDER / NAME


def read(directory: Path, next_row: int, kept: dict[str, int] | None = None) -> ReportIndex:
    index = ReportIndex(directory, KEPT if kept is None else kept, next_row)
    reader = JournalTail(directory, next_row)
    while index.poll(reader):
        pass
    return index


def walked(directory: Path) -> dict[str, dict[str, list[bytes]]]:
    """All messages by stream and session, in one walk from the first row kept: what is right."""
    tail = JournalTail(directory, list_segments(directory, from_first=False)[0].first_row)
    followed = FollowedRows(directory, tail)
    for batch in tail.batches(1 << 30):
        followed.take(batch, tail.segment)
    found = {}
    for number in (1, 2):
        logs: dict[str, list[bytes]] = {}
        stream = ReportStream(followed.table, number, b"")
        stream.load({**stream.save(), "next": (0, 1, followed.table.oldest_row)})
        messages = ReportMessages(followed.table, followed.registry.catalog)
        while stream.next_row < followed.table.tail:
            count = stream.select(followed.table.tail)
            some = messages.encode(stream.content, stream.rows, 0, count)
            logs.setdefault(str(stream.day), []).extend(some)
            stream.pass_to(stream.reached, count)
        found[f"stream{number}"] = logs
    return found


def check(index: ReportIndex, right: dict[str, dict[str, list[bytes]]]) -> None:
    """Each number of each session kept is found, and no other session is offered."""
    assert set(index.histories) == set(right)
    for name, history in index.histories.items():
        sessions = dict(history.sessions())
        logs = {one: right[name][one] for one in sorted(right[name])[-KEPT[name] :]}
        assert sessions == {one: 1 + len(log) for one, log in logs.items()}
        assert history.session == max(logs)
        for session, log in logs.items():
            for sequence in (*range(1, len(log), 7), len(log)):
                found = list(history.messages(session, sequence, 5, 1 << 20))
                assert found and found == log[sequence - 1 :][: len(found)]


def batches_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first rows of the batches that an index takes in from now on."""
    found: list[int] = []
    take = FollowedRows.take

    def note(self: FollowedRows, batch: object, header: object) -> None:
        found.append(batch.first_row)  # type: ignore[attr-defined]
        take(self, batch, header)  # type: ignore[arg-type]

    monkeypatch.setattr(FollowedRows, "take", note)
    return found


def test_a_start_counts_on_from_the_file_to_the_same_numbers_and_messages(
    day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(tmp_path, 1)
    check(before, walked(tmp_path))
    for _ in range(30):
        end = day.journal.sealed_row
        day.go_on(1)
        right = walked(tmp_path)
        with monkeypatch.context() as patch:
            taken = batches_read(patch)
            again = read(tmp_path, before.next_row)
        assert min(taken) > end - 2 * SAVED_ROWS
        check(again, right)
        assert again.next_row == before.next_row
    day.begin()
    day.go_on(30)
    check(read(tmp_path, before.next_row), walked(tmp_path))
    day.journal.abandon()


def test_all_is_there_while_a_segment_was_closed_and_nothing_stands_in_the_next(
    day: Day, tmp_path: Path
) -> None:
    number = len(list_segments(tmp_path))
    while len(list_segments(tmp_path)) == number:
        day.go_on(1)
    tail = JournalTail(tmp_path, day.journal.sealed_row)
    assert [batch.octets[0] for batch in tail.batches(9)] == [r.ROLL]
    index, right = read(tmp_path, 1), walked(tmp_path)
    check(index, right)
    check(read(tmp_path, index.next_row), right)
    day.journal.abandon()


def test_a_file_at_the_end_of_a_journal_is_all_that_a_start_needs(
    day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_index, "SAVED_ROWS", 1)
    before, right = read(tmp_path, 1), walked(tmp_path)
    taken = batches_read(monkeypatch)
    check(read(tmp_path, before.next_row), right)
    assert not taken
    day.journal.abandon()


def missing(path: Path, _draw: random.Random) -> None:
    path.unlink()


def torn(path: Path, draw: random.Random) -> None:
    octets = path.read_bytes()
    path.write_bytes(octets[: draw.choice((0, 4096, draw.randrange(len(octets))))])


def flipped(path: Path, draw: random.Random) -> None:
    octets = bytearray(path.read_bytes())
    octets[draw.randrange(len(octets))] ^= 1 << draw.randrange(8)
    path.write_bytes(octets)


def of_another_version(path: Path, _draw: random.Random) -> None:
    meta, sections = read_sections(path, FORM)
    write_sections(path, FORM._replace(version=9), meta, list(sections.items()), durable=False)


def of_another_journal(path: Path, draw: random.Random) -> None:
    directory = path.parents[1] / "another"
    other = Day(directory, draw.getrandbits(30))
    for _ in range(4):
        other.begin()
        other.go_on(45)
    other.journal.close()
    read(directory, 1)
    shutil.copy(path_of(directory), path)


def with_a_folder_in_its_place(path: Path, _draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        missing,
        torn,
        flipped,
        of_another_version,
        of_another_journal,
        with_a_folder_in_its_place,
    ],
)
def test_a_file_that_is_not_good_is_as_if_it_were_not_there(
    day: Day, tmp_path: Path, seed: int, spoil: Callable[[Path, random.Random], None]
) -> None:
    before, right = read(tmp_path, 1), walked(tmp_path)
    good, draw = path_of(tmp_path).read_bytes(), random.Random(seed)
    for _ in range(8 if spoil in (torn, flipped) else 1):
        path_of(tmp_path).write_bytes(good)
        spoil(path_of(tmp_path), draw)
        index = read(tmp_path, before.next_row)
        check(index, right)
        assert index.next_row == before.next_row
    day.journal.abandon()


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.update(crc=meta["crc"] ^ 1),
        lambda meta: meta.update(batch_row=meta["batch_row"] + 1),
        lambda meta: meta.update(batch_row=1 << 40),
        lambda meta: meta.update(streams=[]),
        lambda meta: meta["streams"]["stream1"]["counter"].pop("next"),
        lambda meta: meta["streams"]["stream1"]["counter"].update(next=[DAY, 1, 1]),
        lambda meta: meta["streams"]["stream1"].update(live="2026112109"),
        lambda meta: meta["streams"]["stream1"]["sessions"][str(DAY + 3)].update(at=1),
        lambda meta: meta["streams"]["stream1"]["sessions"][str(DAY + 3)].update(anchors=9999),
        lambda meta: meta["streams"]["stream1"]["sessions"][str(DAY + 3)].update(first_row=1),
        lambda meta: meta["streams"]["stream1"]["sessions"][str(DAY + 3)].update(contents=[]),
    ],
)
def test_a_file_that_fits_its_checksums_and_can_not_be_so_is_not_believed(
    day: Day, tmp_path: Path, change: Callable[[dict[str, object]], None]
) -> None:
    before, path = read(tmp_path, 1), path_of(tmp_path)
    meta, sections = read_sections(path, FORM)
    change(meta)
    write_sections(path, FORM, meta, list(sections.items()), durable=False)
    check(read(tmp_path, before.next_row), walked(tmp_path))
    day.journal.abandon()


def test_a_file_of_rows_that_were_cut_since_is_not_believed(day: Day, tmp_path: Path) -> None:
    before = read(tmp_path, 1)
    last_row = day.journal.sealed_row
    day.journal.abandon()
    number, at = row_at(last_row - SAVED_ROWS)
    for header in list_segments(tmp_path)[number - 1 :]:
        with segment_path(tmp_path, header.number).open("r+b") as file:
            file.seek(at if header.number == number else row_at(header.first_row)[1])
            file.write(bytes(header.file_bytes - file.tell()))
    day.journal = open_journal(tmp_path)
    assert day.journal.sealed_row < last_row - SAVED_ROWS
    day._engine = OrderEngine(day.journal.table)
    day.go_on(80)
    check(read(tmp_path, before.next_row), walked(tmp_path))
    day.journal.abandon()


@pytest.mark.parametrize(
    "kept", [{"stream1": 2}, {"stream1": 9, "stream2": 3}, {"stream1": 2, "stream9": 3}]
)
def test_other_streams_are_counted_anew(
    day: Day, tmp_path: Path, kept: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(tmp_path, 1)
    taken = batches_read(monkeypatch)
    index = read(tmp_path, 1, kept)
    assert taken[0] == 1
    assert set(index.histories) == set(kept) & set(KEPT)
    day.journal.abandon()


def test_a_start_after_rows_were_pruned_knows_the_same_with_the_file_as_without(
    day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = read(tmp_path, 1)
    for _ in range(3):
        headers = list_segments(tmp_path, from_first=False)
        assert headers[0].first_row < index.next_row
        for header in headers:
            if header.end_row <= index.next_row:
                segment_path(tmp_path, header.number).unlink()
                drop_before(tmp_path, header.end_row)
        right, end = walked(tmp_path), day.journal.sealed_row
        with monkeypatch.context() as patch:
            taken = batches_read(patch)
            check(read(tmp_path, index.next_row), right)
        assert min(taken, default=end) > end - 2 * SAVED_ROWS
        path_of(tmp_path).unlink()
        check(read(tmp_path, index.next_row), right)
        day.begin()
        day.go_on(45)
        index = read(tmp_path, index.next_row)
    day.journal.abandon()


def test_a_file_that_needs_rows_which_are_not_kept_any_more_is_not_believed(
    day: Day, tmp_path: Path
) -> None:
    read(tmp_path, 1)
    old = path_of(tmp_path).read_bytes()
    day.begin()
    day.go_on(45)
    index = read(tmp_path, 1)
    path_of(tmp_path).write_bytes(old)
    for header in list_segments(tmp_path):
        if header.end_row <= index.next_row:
            segment_path(tmp_path, header.number).unlink()
    again = read(tmp_path, index.next_row)
    check(again, walked(tmp_path))
    assert again.next_row == index.next_row
    day.journal.abandon()


def test_an_index_that_can_not_be_written_is_one_all_the_same(day: Day, tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    check(read(tmp_path, 1), walked(tmp_path))
    day.journal.abandon()
