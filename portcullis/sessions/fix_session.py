"""A FIX 4.4 session, acceptor or initiator: the state machine, without I/O and without a clock."""

from __future__ import annotations

from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_events import Application, FixEvent
from portcullis.sessions.fix_message import Scanner
from portcullis.sessions.store import SequenceStore


class FixSession:
    """One session over its connections, one at a time.

    scratch: a scanner of the session's dictionary over a buffer of its own, which may be shared by
    all sessions of a process: messages that were held are scanned there when their turn comes.
    Time is `now_ns`, nanoseconds since the Unix epoch, UTC.
    """

    def __init__(
        self,
        config: FixSessionConfig,
        store: SequenceStore,
        application: Application,
        scratch: Scanner,
    ) -> None:
        raise NotImplementedError

    @property
    def is_connected(self) -> bool:
        """Whether a connection is attached: another one is not let in, see `challenge`."""
        raise NotImplementedError

    @property
    def is_logged_on(self) -> bool:
        """Whether application messages may be sent."""
        raise NotImplementedError

    def connected(self, now_ns: int) -> None:
        """A connection was made. Acceptor: its first message is yet to be given to `receive`."""
        raise NotImplementedError

    def challenge(self, now_ns: int) -> None:
        """A second connection named this session. Drop that one; this one must show life."""
        raise NotImplementedError

    def receive(self, scanner: Scanner, first: int, count: int, now_ns: int) -> int:
        """Take scanned messages; give how many were taken.

        Fewer than count: the application had no room (run the engine, seal, call again with the
        rest) or a Disconnect event says that the rest is of no interest (`is_connected` false).
        """
        raise NotImplementedError

    def resume(self, now_ns: int) -> None:
        """The application has room again: offer it what waits in the session."""
        raise NotImplementedError

    def authenticated(self, ok: bool, now_ns: int) -> None:
        """The answer to an Authenticate event; ignored if its connection has gone meanwhile."""
        raise NotImplementedError

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the time of the next deadline, 0 where there is none."""
        raise NotImplementedError

    def logout(self, text: str, now_ns: int) -> None:
        """Begin to log out: Logout with text, wait for theirs within bounds, Disconnect."""
        raise NotImplementedError

    def disconnected(self, now_ns: int) -> None:
        """The connection is gone, whoever closed it. Numbers stay."""
        raise NotImplementedError

    def events(self) -> list[FixEvent]:
        """What happened since the last call, in order."""
        raise NotImplementedError
