"""The event log, with readers that read, stand still, and go away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from portcullis.gateway.event_log import EventLog, Throttled


def lines(octets: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in octets.splitlines()]


def test_an_event_is_one_line_of_json(tmp_path: Path) -> None:
    log = EventLog.to_file(tmp_path / "events")
    log.emit("logged_on", session="FIX.4.4:A->B", text="two\nlines", raw=b"\x01\xff")
    log.close()
    (line,) = lines((tmp_path / "events").read_bytes())
    assert line.pop("time")
    assert line == {
        "event": "logged_on",
        "session": "FIX.4.4:A->B",
        "text": "two\nlines",
        "raw": "\x01ÿ",
    }


def test_a_password_is_never_written(tmp_path: Path) -> None:
    log = EventLog.to_file(tmp_path / "events")
    log.emit("checked", password="portcull", new_password=b"secret")
    log.close()
    written = (tmp_path / "events").read_bytes()
    assert b"portcull" not in written and b"secret" not in written


def test_the_file_is_readable_to_its_owner_alone(tmp_path: Path) -> None:
    EventLog.to_file(tmp_path / "events").close()
    assert (tmp_path / "events").stat().st_mode & 0o077 == 0


def test_a_reader_that_stands_still_costs_lines_and_not_memory_or_time() -> None:
    reader, writer = os.pipe()
    log = EventLog(writer, queue_max=10)
    for number in range(10_000):
        log.emit("event", number=number, filling="x" * 100)
    first = os.read(reader, 1 << 20)
    log.drain()
    second = os.read(reader, 1 << 20)
    log.emit("last")
    third = os.read(reader, 1 << 20)
    os.close(reader)
    os.close(writer)
    written = lines(first + second + third)
    numbers = [line["number"] for line in written if line["event"] == "event"]
    assert numbers == list(range(len(numbers)))
    (dropped,) = [line["count"] for line in written if line["event"] == "lines_dropped"]
    assert dropped == 10_000 - len(numbers)
    assert written[-1]["event"] == "last"


def test_a_reader_that_is_gone_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    log = EventLog(writer)
    log.emit("nobody hears")
    log.emit("nobody hears")
    os.close(writer)


def test_what_peers_cause_without_end_is_counted_and_hides_no_other_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog.to_file(tmp_path / "events")
    throttled = Throttled(log, per_second=3, session="A")
    now_s = 100.0
    monkeypatch.setattr("portcullis.gateway.event_log.time.monotonic", lambda: now_s)
    for number in range(10):
        throttled.emit("noted", number=number)
    throttled.emit("refused", number=0)
    now_s = 101.0
    throttled.emit("noted", number=10)
    log.close()
    found = lines((tmp_path / "events").read_bytes())
    assert [(line["event"], line.get("number", line.get("count"))) for line in found] == [
        ("noted", 0), ("noted", 1), ("noted", 2), ("refused", 0), ("lines_held_back", 7),
        ("noted", 10),
    ]  # fmt: skip
    assert {line["session"] for line in found} == {"A"}
