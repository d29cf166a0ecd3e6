"""Sessions kept out after a fault, until their file is removed."""

from __future__ import annotations

import json
from pathlib import Path

from portcullis.gateway.quarantine import Quarantine

KEY = "FIX.4.4:PORTCULLIS->A/B"


def test_a_session_is_kept_out_until_its_file_is_removed(tmp_path: Path) -> None:
    assert Quarantine(tmp_path).keys() == set()
    path = Quarantine(tmp_path).put(KEY, 17, RuntimeError("what happened"))
    assert Quarantine(tmp_path).keys() == {KEY}
    report = json.loads(path.read_text())
    assert (report["session"], report["batch_row"]) == (KEY, 17)
    assert "what happened" in report["error"]
    path.unlink()
    assert Quarantine(tmp_path).keys() == set()


def test_a_fault_of_nobody_keeps_nobody_out(tmp_path: Path) -> None:
    assert Quarantine(tmp_path).unexplained() is None
    path = Quarantine(tmp_path).put("", 17, RuntimeError("ours"))
    assert Quarantine(tmp_path).keys() == set()
    assert Quarantine(tmp_path).unexplained() == path
