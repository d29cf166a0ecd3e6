"""What a FIX session tells its owner, and what it asks of the application behind it.

Owns the events that `FixSession.events()` gives, in the order in which they happened, and the
protocol of the application that takes the messages. Must not know who listens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from portcullis.sessions.fix_message import Scanner


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Check these credentials off the loop, then call `FixSession.authenticated`."""

    username: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoggedOn:
    """The session is up. reset: both numbers began at 1 with this Logon."""

    reset: bool


@dataclass(frozen=True, slots=True)
class NumbersReset:
    """Both numbers began at 1 again within the session, by a Logon with 141=Y."""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The session is no longer up; a Disconnect follows, or the connection was lost."""

    text: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection once what the store has to send is written; then `disconnected`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something for the event log: what was ignored, rejected, or asked for again."""

    text: str


FixEvent = Authenticate | LoggedOn | NumbersReset | LoggedOut | Disconnect | Noted


class Application(Protocol):
    """What stands behind a session and takes its application messages."""

    def on_messages(self, scanner: Scanner, first: int, count: int) -> int:
        """Take messages first .. first + count - 1 of the scanner; give how many were taken.

        They are in sequence, valid, and of the types the session was configured with; the same
        call serves the fast path and messages that were held for a gap. Each message taken moves
        the store's inbound number: by a row or an answer that carries it, or by `advance`.
        Fewer than count taken: there was no room; the session offers the rest again when its
        owner calls `receive` or `resume`. The views of the scanner are valid during the call.
        """
