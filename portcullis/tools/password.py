"""`portcullis password`: makes the hash that a session's password_hash or password_file holds."""

from __future__ import annotations

import click

from portcullis.gateway.auth import PasswordHash


@click.command(name="password")
@click.password_option(help="Asked for where it is not given; given here, others may see it.")
def command(password: str) -> None:
    """Print the scrypt hash of a password."""
    click.echo(str(PasswordHash.make(password.encode())))
