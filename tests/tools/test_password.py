"""`portcullis password`, from a pipe."""

from __future__ import annotations

from click.testing import CliRunner

from portcullis.gateway.auth import PasswordHash
from portcullis.tools.main import main


def test_a_password_comes_from_a_pipe() -> None:
    done = CliRunner().invoke(main, ["password"], input="portcull\nmore\n")
    assert done.exit_code == 0
    assert PasswordHash.parse(done.output).accepts(b"portcull")


def test_no_password_is_an_error() -> None:
    done = CliRunner().invoke(main, ["password"], input="")
    assert done.exit_code == 2
    assert "not empty" in done.output
