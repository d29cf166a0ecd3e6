"""A group that lists its commands with the first sentence of each in full."""

from __future__ import annotations

import click

_SENTENCE_MAX = 500


class HelpGroup(click.Group):
    """Click cuts what does not fit one line, and what a command is for is often at its end."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, one.get_short_help_str(_SENTENCE_MAX)) for name, one in found if one]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
