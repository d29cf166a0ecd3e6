"""What may be let go where something else lies about, or a disk takes no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from portcullis.journal.retention import CURSOR_SUFFIX, FOLLOWERS, archive, find_floor
from portcullis.journal.segments import list_segments
from portcullis.journal.snapshots import FOLDER, SUFFIX, list_snapshots
from portcullis.tools.journal import command
from tests.support.journals import open_journal


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A journal that nobody writes."""
    journal = open_journal(tmp_path)
    journal.close()
    return tmp_path


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"-5", b"row 9"])
def test_a_follower_whose_cursor_says_no_row_needs_every_row(data: Path, text: bytes) -> None:
    (data / FOLLOWERS).mkdir()
    (data / FOLLOWERS / f"logs{CURSOR_SUFFIX}").write_bytes(text)
    floor = find_floor(data, 0)
    assert floor.row == 1


def test_what_is_no_snapshot_by_its_name_is_none(data: Path) -> None:
    (data / FOLDER / f"9999999999999999{SUFFIX}").mkdir(parents=True)
    (data / FOLDER / f"mine{SUFFIX}").write_text("")
    assert list_snapshots(data) == []
    assert find_floor(data, 0).row == 1


def test_an_archive_that_a_full_disk_cut_short_leaves_nothing_there(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fill)
    away = data / "away"
    before = list_segments(data)
    with pytest.raises(OSError, match="No space"):
        list(archive(data, away, before))
    assert list(away.iterdir()) == []
    assert list_segments(data) == before


def test_json_says_what_stays_and_why_where_nothing_goes(data: Path) -> None:
    for line in (["prune"], ["archive", str(data / "away")]):
        result = CliRunner().invoke(command, [*line, "--json", "--data", str(data)])
        assert result.exit_code == 0
        said = {"segments": 0, "stays_from": 1, "why": "the last two segments always do"}
        assert json.loads(result.output) == said
    assert not (data / "away").exists()


def test_an_archive_that_can_not_be_made_is_named(data: Path) -> None:
    result = CliRunner().invoke(command, ["archive", "/dev/null/x", "--data", str(data)])
    assert result.exit_code == 3
    assert result.stderr == "portcullis: /dev/null/x: Not a directory\n"
