"""`portcullis password`: makes the hash that a session's password_hash or password_file holds."""

from __future__ import annotations

import sys

import click

from portcullis.gateway.auth import PasswordHash

OUCH_PASSWORD_MAX = 10


@click.command(name="password")
@click.option("--password", help="Given here, others on this machine may see it.")
@click.option("--ouch", is_flag=True, help="For an OUCH user: in capitals or not, it is the same.")
def command(password: str | None, ouch: bool) -> None:
    """Print the scrypt hash of a password.

    It is asked for, or read from a pipe: its first line.
    """
    if password is None:
        if sys.stdin.isatty():
            password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        else:
            password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise click.UsageError("expected a password that is not empty")
    if ouch and len(password) > OUCH_PASSWORD_MAX:
        raise click.UsageError(f"a SoupBinTCP password has at most {OUCH_PASSWORD_MAX} characters")
    click.echo(str(PasswordHash.make((password.upper() if ouch else password).encode())))
