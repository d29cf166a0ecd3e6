"""What goes wrong for a client: the exceptions of both doors.

ClientError
  LoginRefused      the gateway does not let this session in, and why
  ConnectionLost    no connection, or none any more: connect again and go on
  SessionEnded      it ended in good order: an OUCH day is over, or `close` was called
"""

from __future__ import annotations


class ClientError(Exception):
    """What a client raises beside ValueError for what it cannot send. Its text is the reason."""


class LoginRefused(ClientError):
    """The gateway answered the login, and not by letting us in."""


class ConnectionLost(ClientError):
    """The connection could not be made, was closed, fell silent, or broke its protocol's rules."""


class SessionEnded(ClientError):
    """No message will follow. `async for` ends here by itself."""
