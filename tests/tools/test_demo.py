"""The demonstration runs to its end, which it only does if every answer is right."""

from __future__ import annotations

from click.testing import CliRunner

from portcullis.tools.main import main


def test_the_demo_trades_survives_a_kill_and_ends() -> None:
    done = CliRunner().invoke(main, ["demo"], catch_exceptions=False)
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "done"), done.output
