"""The session corpus against QuickFIX's acceptor: what it does otherwise is written down.

The list below is the finding of docs/conformance.md. A scenario that newly falls or newly holds
fails the test: either we or QuickFIX have changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.conformance import conform
from tests.support.servers import quickfix_acceptor

pytest.importorskip("quickfix")
pytestmark = pytest.mark.interop

ROOT = Path(__file__).parent.parent.parent
CLIENTS = [f"Q{number}" for number in range(1, 17)]
# Scenario: what QuickFIX 1.16 does otherwise.
DIFFERENCES: dict[str, str] = {
    "1S.d-encryption": "answers the Logon, whatever EncryptMethod(98) says",
    "1S.d-negative-interval": "answers the Logon with the negative HeartBtInt(108)",
    "17.a-encryption-unsupported": "answers the Logon, whatever EncryptMethod(98) says",
    "2-no-number": "ignores a message without MsgSeqNum(34)",
    "2.f-orig-time-later": "looks at OrigSendingTime(122) of old numbers only",
    "2.g-no-orig-time": "looks at OrigSendingTime(122) of old numbers only",
    "7-reject-received": "rejects a Reject whose RefSeqNum(45) is no number",
    "8-too-high": "serves a ResendRequest ahead of its number and does not ask for the gap",
}
AREAS = ("1 Logon", "2 *", "3 *", "7-11 *", "12-13 *", "14 *", "16-20 *")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with quickfix_acceptor(tmp_path, CLIENTS, "echo") as port:
        yield port


def fallen(port: int, report: Path, clients: list[str], areas: tuple[str, ...]) -> list[str]:
    result = conform(
        "run", f"--target=127.0.0.1:{port}", "--application=echo", f"--json={report}",
        "--grade=tolerant", "--patience=3", *(f"--client={name}" for name in clients),
        *(f"--only={area}" for area in areas),
    )  # fmt: skip
    assert report.exists(), result.output
    print(result.output)
    scenarios = json.loads(report.read_text())["scenarios"]
    assert len(scenarios) > 5
    return [one["name"] for one in scenarios if one["outcome"] == "failed"]


def test_quickfix_differs_where_it_is_known_to(port: int, tmp_path: Path) -> None:
    assert sorted(fallen(port, tmp_path / "r.json", CLIENTS, AREAS)) == sorted(DIFFERENCES)


def test_quickfix_keeps_its_heartbeats_where_it_serves_one_session(
    port: int, tmp_path: Path
) -> None:
    """Alone, for it looks at its timers only when nobody has said anything for a second."""
    assert fallen(port, tmp_path / "r.json", CLIENTS[:1], ("4-6 *",)) == []


def test_the_document_lists_every_difference() -> None:
    text = (ROOT / "docs" / "conformance.md").read_text()
    rows = [f"| `{name}` | {what} |" for name, what in DIFFERENCES.items()]
    assert [row for row in rows if row not in text] == []
