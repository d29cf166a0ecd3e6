"""A FIX client without I/O: the session machine as initiator, its store, and a receive buffer.

Owns the bytes on their way in and out of one session, for clients, tools and tests; a transport
around it moves them. The rules are `FixSession`'s, the same as the gateway's. Must not know
sockets nor what the messages mean.

Each call takes `now_ns`, nanoseconds since the Unix epoch, UTC; after each, write what
`data_to_send` gives and look at `events`.
"""

from __future__ import annotations

from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tables import FixTables
from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_events import Application, FixEvent
from portcullis.sessions.fix_message import Scratch
from portcullis.sessions.fix_session import FixSession
from portcullis.sessions.memory_store import MemoryStore

_BUFFER_BYTES = 1 << 18


class FixInitiator:
    """One client session over its connections.

    application must take every message it is offered. store: numbers to go on with; a new one
    begins at 1. max_message_bytes bounds one received message.
    """

    def __init__(
        self,
        config: FixSessionConfig,
        application: Application,
        tables: FixTables,
        *,
        store: MemoryStore | None = None,
        max_message_bytes: int = 65536,
    ) -> None:
        self.store = store or MemoryStore(config)
        self.session = FixSession(
            config, self.store, application, Scratch(tables, max_message_bytes)
        )
        self._buffer = bytearray(max(_BUFFER_BYTES, 2 * max_message_bytes))
        self._scanner = FixScanner(tables, self._buffer, max_message_bytes=max_message_bytes)
        # Bytes of a message that is not complete yet, at the start of the buffer.
        self._kept = 0

    def connected(self, now_ns: int) -> None:
        """A connection was made: the Logon is among the data to send."""
        self.store.time_ns = now_ns
        self.session.connected(now_ns)

    def disconnected(self, now_ns: int) -> None:
        """The connection is gone."""
        self._kept = 0
        self.session.disconnected(now_ns)

    def feed(self, octets: bytes, now_ns: int) -> None:
        """Bytes arrived. RuntimeError where the application does not take what it is offered."""
        self.store.time_ns = now_ns
        position = 0
        while position < len(octets):
            room = len(self._buffer) - self._kept
            part = octets[position : position + room]
            position += len(part)
            end = self._kept + len(part)
            self._buffer[self._kept : end] = part
            self._kept = self._scan(end, now_ns)

    def _scan(self, end: int, now_ns: int) -> int:
        """Take what stands in the buffer; give the bytes that are left, moved to its start."""
        start = 0
        while start < end:
            count = self._scanner.scan(start, end)
            if self.session.receive(self._scanner, 0, count, now_ns) < count:
                raise RuntimeError("the application did not take a message that it was offered")
            start = self._scanner.consumed
            if not self._scanner.full:
                break
        if self.session.is_closed:
            return 0
        self._buffer[: end - start] = self._buffer[start:end]
        return end - start

    def send(self, msg_type: bytes, body: bytes, now_ns: int, *, poss_resend: bool = False) -> int:
        """Send an application message; give its number. body: raw fields, ascending.

        While not connected it is numbered and kept; the peer asks for it after the next Logon.
        """
        self.store.time_ns = now_ns
        number = self.store.next_out
        self.store.send(msg_type, body, poss_resend=poss_resend)
        return number

    def logout(self, text: str, now_ns: int) -> None:
        """Begin to log out."""
        self.store.time_ns = now_ns
        self.session.logout(text, now_ns)

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the time of the next deadline, 0 where there is none."""
        self.store.time_ns = now_ns
        return self.session.tick(now_ns)

    def data_to_send(self) -> bytes:
        """The bytes to write; they are the caller's from now on."""
        return self.store.take()

    def events(self) -> list[FixEvent]:
        """What happened since the last call, in order."""
        return self.session.events()
