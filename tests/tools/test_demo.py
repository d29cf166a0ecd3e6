"""The demonstration runs to its end, which it only does if every answer is right."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from portcullis.tools.main import main


def test_the_demo_trades_across_doors_survives_a_kill_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    done = CliRunner().invoke(main, ["demo"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[-2].startswith("Nothing was lost.")
    assert "\x1b" not in done.output  # a pipe: no colour
    assert max(map(len, lines)) <= 80
    # Both sides of the one trade, each in its own words, and what is left after the restart.
    for said in (
        "sell-1   partially filled  0.5 @ 100.5     1.5",
        "buy-1  accepted    5000 @ 101  order ",
        "buy-1  executed  5000 @ 100.5  match ",
        "sell-1   cancelled                           0",
        "150=F ExecType: trade",
        "20 20 20 00 00 13 88 00 0f 55 c8 52 ",
        "gets all 3 messages again",
    ):
        assert said in done.output
