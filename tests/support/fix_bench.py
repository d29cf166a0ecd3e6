"""A FIX session on the bench: its machine, a memory store, a scanner, a clock that tests move.

Messages are written short: "35=0|34=2" stands for one whose header is complete and right, and so
do answers: SenderCompID, TargetCompID and a SendingTime of now are checked and left out.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import portcullis.dictionaries
from portcullis.codecs.fix.layout import M_END, M_MSG_SEQ_NUM, M_MSG_TYPE, M_START, MSG_WORDS
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tables import FixTables, compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_events import Authenticate, Disconnect, FixEvent
from portcullis.sessions.fix_message import Scratch
from portcullis.sessions.fix_session import FixSession
from portcullis.sessions.memory_store import MemoryStore, utc_timestamp
from tests.support.clock import SECOND_NS, VirtualClock
from tests.support.wire import readable, split, wire

ORDER = "11=A1|21=1|38=5|40=2|44=10|54=1|55=BTC-USD|60=20260102-12:00:00"
LOGON = "98=0|108=30"
FIX44 = Path(portcullis.dictionaries.__file__).with_name("FIX44.xml")
BUFFER_BYTES = 1 << 20


@cache
def tables() -> FixTables:
    """The FIX 4.4 dictionary, compiled once."""
    return compile_tables(load_dictionary(FIX44))


class Recorder:
    """An application that keeps what it is given, as long as it has room."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.room = 1_000_000
        self.taken: list[tuple[int, str]] = []

    def on_messages(self, scanner: Any, first: int, count: int) -> int:
        taken = min(count, self.room)
        for index in range(first, first + taken):
            words = scanner.message[index * MSG_WORDS : (index + 1) * MSG_WORDS]
            msg_type = words[M_MSG_TYPE].to_bytes(8, "little").rstrip(b"\0").decode()
            assert bytes(scanner.octets[words[M_START] : words[M_END]]).startswith(b"8=FIX")
            self.taken.append((words[M_MSG_SEQ_NUM], msg_type))
            self.store.advance(words[M_MSG_SEQ_NUM] + 1)
        self.room -= taken
        return taken

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.taken]


class Bench:
    """One session and what surrounds it."""

    def __init__(
        self,
        *,
        clock: VirtualClock | None = None,
        dictionary: FixTables | None = None,
        **settings: Any,
    ) -> None:
        named = {"begin_string": b"FIX.4.4", "comp_id": b"PORTCULLIS", "client": b"CLIENT1"}
        named |= settings
        self.config = FixSessionConfig(**named)
        self.clock = clock or VirtualClock()
        self.store = MemoryStore(self.config)
        self.application = Recorder(self.store)
        self.buffer = bytearray(BUFFER_BYTES)
        known = dictionary or tables()
        self.scanner = FixScanner(known, self.buffer)
        self.session = FixSession(self.config, self.store, self.application, Scratch(known))
        self.seen: list[FixEvent] = []
        self.authenticates = True

    def at(self, seconds: float) -> str:
        """A SendingTime so far from now."""
        return utc_timestamp(self.clock.now_ns + round(seconds * SECOND_NS)).decode()

    # --- what the peer does ------------------------------------------------------------------

    def message(self, text: str) -> bytes:
        """A message from the peer, its header completed."""
        given = {field.partition("=")[0] for field in text.split("|")}
        header = {
            "49": self.config.client.decode(),
            "52": utc_timestamp(self.clock.now_ns).decode(),
            "56": self.config.comp_id.decode(),
        }
        msg_type, _, rest = text.partition("|")
        number, _, body = rest.partition("|")
        missing = [f"{tag}={value}" for tag, value in header.items() if tag not in given]
        whole = "|".join(part for part in (msg_type, number, *missing, body) if part)
        return wire(whole, self.config.begin_string.decode())

    def connect(self) -> None:
        self.store.time_ns = self.clock.now_ns
        self.session.connected(self.clock.now_ns)

    def feed(self, octets: bytes) -> int:
        """Bytes from the peer; give how many messages were taken."""
        self.store.time_ns = now_ns = self.clock.now_ns
        self.buffer[: len(octets)] = octets
        count = self.scanner.scan(0, len(octets))
        taken = self.session.receive(self.scanner, 0, count, now_ns)
        for event in self.session.events():
            self.seen.append(event)
            if isinstance(event, Authenticate):
                self.session.authenticated(self.authenticates, now_ns)
        self.seen.extend(self.session.events())
        return taken

    def gives(self, *texts: str) -> list[str]:
        """Messages from the peer, written short; give what goes back."""
        self.feed(b"".join(self.message(text) for text in texts))
        return self.sent()

    def logs_on(self, heart_bt_int: int = 30) -> None:
        """Connect and log on with number 1."""
        self.connect()
        body = f"98=0|108={heart_bt_int}"
        assert self.gives(f"35=A|34=1|{body}") == [f"35=A|34=1|{body}"]
        self.seen.clear()

    def loses_connection(self) -> None:
        self.session.disconnected(self.clock.now_ns)
        self.seen.extend(self.session.events())

    # --- what comes out ----------------------------------------------------------------------

    def wait(self, seconds: float) -> list[str]:
        """Let time pass in one step; give what goes out."""
        assert self.store.take() == b"", "something was sent before and not looked at"
        self.store.time_ns = self.clock.advance(seconds)
        self.session.tick(self.clock.now_ns)
        self.seen.extend(self.session.events())
        return self.sent()

    def sent(self) -> list[str]:
        return [self.short(octets) for octets in split(self.store.take())]

    def short(self, octets: bytes) -> str:
        text = readable(octets)
        start, _, rest = text.partition("|35=")
        assert start.startswith(f"8={self.config.begin_string.decode()}|9=")
        sender, target = self.config.comp_id.decode(), self.config.client.decode()
        now = utc_timestamp(self.clock.now_ns).decode()
        header = f"49={sender}|52={now}|56={target}|"
        assert rest.count(header) == 1, text
        return "35=" + rest.replace(header, "").rpartition("10=")[0].rstrip("|")

    @property
    def is_disconnected(self) -> bool:
        return any(isinstance(event, Disconnect) for event in self.seen)

    @property
    def next_in(self) -> int:
        assert self.session.next_in == self.store.next_in, "live and durable number differ"
        return self.session.next_in
