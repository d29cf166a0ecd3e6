"""`portcullis sessions --schedule`, as a person sees it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from portcullis.tools.main import main

CONFIG = """
[[schedule]]
name = "us"
timezone = "America/New_York"
windows = ["mon-fri 08:00-17:00"]
resets = ["mon-fri 07:55"]
[[schedule]]
name = "weekly"
resets = ["sun 00:00"]
[[session]]
protocol = "fix"
client = "ALPHA"
account = "ALPHA"
schedule = "us"
[[session]]
protocol = "fix"
client = "BETA"
account = "BETA"
"""


def run(tmp_path: Path, *arguments: str, config: str = CONFIG) -> tuple[int, list[str]]:
    path = tmp_path / "gateway.toml"
    path.write_text(config)
    command = ["sessions", "--config", str(path), *arguments]
    result = CliRunner().invoke(main, command, env={"COLUMNS": "80"})
    return result.exit_code, result.output.splitlines()


def test_the_next_ten_windows_are_printed_in_their_zone(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "--schedule", "--from", "20260306-14:00:00")
    assert code == 0
    assert lines[0] == "us (America/New_York): ALPHA"
    assert len(lines[2:12]) == 10
    assert lines[2].split() == [
        "Fri", "2026-03-06", "08:00", "-0500", "Fri", "2026-03-06", "17:00", "-0500",
        "9:00:00,", "open",
    ]  # fmt: skip
    # The clocks went forward on the Sunday between.
    assert lines[3].split()[:4] == ["Mon", "2026-03-09", "08:00", "-0400"]
    assert lines[11].split()[:2] == ["Thu", "2026-03-19"]
    assert lines[12] == "  next reset: Mon 2026-03-09 07:55 -0400"


def test_a_schedule_without_windows_is_always_open(tmp_path: Path) -> None:
    _, lines = run(tmp_path, "--schedule", "--from", "2026-03-06T14:00:00")
    start = lines.index("weekly (UTC): no session")
    assert lines[start + 1 : start + 3] == [
        "  always open",
        "  next reset: Sun 2026-03-08 00:00 +0000",
    ]
    start = lines.index("No schedule: BETA")
    assert lines[start + 1] == "  always open, numbers are never reset"


def test_json_has_the_same_schedules_in_one_object(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "--schedule", "--json", "--from", "20260306-14:00:00")
    found = json.loads("".join(lines))
    us, weekly = found["schedules"]
    assert code == 0 and found["without_schedule"] == ["BETA"]
    assert us["clients"] == ["ALPHA"] and us["timezone"] == "America/New_York"
    assert len(us["windows"]) == 10
    assert us["windows"][:2] == [
        {"opens": "2026-03-06T08:00:00-05:00", "closes": "2026-03-06T17:00:00-05:00"},
        {"opens": "2026-03-09T08:00:00-04:00", "closes": "2026-03-09T17:00:00-04:00"},
    ]
    assert us["next_reset"] == "2026-03-09T07:55:00-04:00"
    assert weekly == {
        "name": "weekly",
        "timezone": "UTC",
        "clients": [],
        "always_open": True,
        "windows": [],
        "next_reset": "2026-03-08T00:00:00+00:00",
    }


def test_a_schedule_is_no_option_of_a_command(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "--schedule", "show")
    assert code == 2
    assert lines[-1] == "portcullis: --schedule goes without a command"


def test_what_is_wrong_in_the_file_is_said(tmp_path: Path) -> None:
    code, lines = run(tmp_path, "--schedule", config=CONFIG.replace("07:55", "7:55"))
    assert code == 2
    assert "[[schedule]] 1 key resets: expected a time" in lines[0]


def test_options_of_a_schedule_need_one(tmp_path: Path) -> None:
    code, lines = run(tmp_path)
    assert code == 2
    assert lines[-1] == "portcullis: --config and --from go with --schedule"


def test_without_a_command_sessions_are_looked_for_where_one_says(tmp_path: Path) -> None:
    for arguments in (["--data", str(tmp_path)], ["--data", str(tmp_path), "show"]):
        result = CliRunner().invoke(main, ["sessions", *arguments])
        assert result.exit_code == 1
        assert result.output.startswith("portcullis: no back office answers for data directory ")
