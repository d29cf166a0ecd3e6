"""Message and event logs of each session, in QuickFIX's line format.

Owns the follower that renders them: what we sent comes from the journal, written from its rows
once more; what came in, from the capture; both in the order of time. Runs in the back office, or
wherever somebody has a data directory: it needs a journal reader and a capture reader, and writes
nothing but its logs. Must not be waited for by the gateway.

A log is `logs/<BeginString>-<ours>-<theirs>.messages.current.log` of the data directory, of OUCH
`logs/OUCH-<username>`, and `.event.current.log` beside it; one that has grown to its bound
becomes `.backup.<n>.log`. A line is `YYYYMMDD-HH:MM:SS.mmm : ` and a message, its delimiters as
they are; one of OUCH by names, behind `in` or `out` and its number. Messages of ours stand at the
time at which they were numbered, also where the client was away; what is sent again does not
stand there again. After a crash of this process some lines may come twice, none is missing.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from portcullis.codecs.ouch.text import inbound, outbound
from portcullis.gateway.capture import HEAD_BYTES, CaptureReader
from portcullis.gateway.config import Loaded
from portcullis.gateway.fix_door import FixDoor
from portcullis.gateway.fix_reports import FixReports
from portcullis.gateway.followed_rows import FollowedRows
from portcullis.gateway.ouch_reports import OuchReports
from portcullis.gateway.redaction import redact
from portcullis.gateway.registry import session_key
from portcullis.journal import rows
from portcullis.journal.reader import ReadBatch
from portcullis.journal.segments import SegmentHeader
from portcullis.journal.tail import JournalTail

FOLDER = "logs"
ROWS_A_POLL = 8192
CAPTURE_BYTES_A_POLL = 1 << 20
# What came in is written some time behind the turn that brought it: young entries wait.
HOLD_NS = 250_000_000
_CURSOR = "capture.json"
_TIMESTAMP_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_KEY = re.compile(r"(?P<version>[^:]+):(?P<ours>.+)->(?P<theirs>.+)")
_MESSAGE = re.compile(rb"8=FIX.*?\x0110=\d\d\d\x01(?=8=FIX|\Z)|.+", re.DOTALL)
_EVENTS = {
    rows.EVENT_LOGGED_ON: "Logged on",
    rows.EVENT_LOGGED_OUT: "Logged out",
    rows.EVENT_DISCONNECTED: "Disconnected",
    rows.EVENT_ORDERS_CANCELLED: "Orders cancelled on disconnect",
}


class Entry(NamedTuple):
    """A line to be, or those of a read. place: row of its batch's beginning, or file and offset
    of its record."""

    time_ns: int
    came_in: bool
    is_event: bool
    session: int
    octets: bytes
    place: tuple[int, int]


class MessageLogs:
    """A follower (`followers.Follower`)."""

    name = "message-logs"

    def __init__(self, loaded: Loaded, directory: Path, next_row: int) -> None:
        self.next_row = next_row
        self._loaded = loaded
        self._directory = directory
        self._folder = directory / FOLDER
        kept = loaded.config.capture
        self._files = LogFiles(self._folder, kept.log_bytes, kept.log_files)
        self._capture = CaptureReader(directory, *self._kept_place())
        self._rows: FollowedRows | None = None
        self._doors: dict[int, FixDoor] = {}
        self._ouch: set[int] = set()
        # By id: names of sessions, as their files have them.
        self._names: dict[int, str] = {}
        self._waiting: list[Entry] = []
        # Of the journal and of the capture: time of what was read last, and whether there is more.
        self._journal_ns = self._capture_ns = 0
        self._journal_more = self._capture_more = False

    def poll(self, reader: JournalTail, now_ns: int = 0) -> int:
        """Render what is new; give how many rows were read."""
        if self._rows is None:
            self._open(reader)
        # What is behind is read first, else what is ahead of it would pile up here.
        taken = read = 0
        if not self._capture_more or self._journal_ns <= self._capture_ns:
            taken = self._read_journal(reader)
        if not self._journal_more or self._capture_ns <= self._journal_ns:
            read = self._read_capture()
        horizon = (now_ns or time.time_ns()) - HOLD_NS
        if self._journal_more:
            horizon = min(horizon, self._journal_ns)
        if self._capture_more:
            horizon = min(horizon, self._capture_ns)
        self._write(horizon)
        own = [entry.place[0] for entry in self._waiting if not entry.came_in]
        self.next_row = min(own, default=reader.next_row)
        return taken or read

    def release(self) -> None:
        """See `followers.Follower`."""
        if self._rows is not None:
            self._rows.release(self.next_row)

    def _read_journal(self, reader: JournalTail) -> int:
        taken = 0
        for batch in reader.batches(ROWS_A_POLL):
            self._journal_ns = self._take(batch, reader.segment)
            taken += batch.row_count
        self._journal_more = taken >= ROWS_A_POLL
        return taken

    def _read_capture(self) -> int:
        read = 0
        for record in self._capture.records(CAPTURE_BYTES_A_POLL):
            read += len(record.octets) + HEAD_BYTES
            self._capture_ns = record.time_ns
            place = (record.number, record.offset)
            entry = Entry(record.time_ns, True, False, record.session, record.octets, place)
            self._waiting.append(entry)
        self._capture_more = read >= CAPTURE_BYTES_A_POLL
        return read

    # --- the journal -----------------------------------------------------------------------------

    def _open(self, reader: JournalTail) -> None:
        self._rows = FollowedRows(self._directory, reader)
        self._table, self._registry = self._rows.table, self._rows.registry
        self._reports = FixReports(self._table, self._registry.catalog, row_capacity=1)
        self._ouch_reports = OuchReports(self._table, self._registry.catalog, row_capacity=1)
        self._learn()

    def _take(self, batch: ReadBatch, header: SegmentHeader) -> int:
        """Take in a batch; give its time."""
        assert self._rows is not None
        table, first = self._table, batch.first_row
        known = len(self._registry.sessions())
        self._rows.take(batch, header)
        if len(self._registry.sessions()) != known:
            self._learn()
        kinds = bytes(batch.octets[:: rows.ROW_BYTES])
        time_ns = 0
        for row, kind in enumerate(kinds, first):
            if kind == rows.TEXT:
                continue
            words = table.row_words(row)
            time_ns = words[rows.W_TIME]
            session = words[rows.W_HEAD] >> 32
            if session in self._names:
                is_event = kind < rows.FIRST_OUTPUT or not self._is_whole(words)
                text = self._text(row, kind, words)
                if text is not None:
                    entry = Entry(time_ns, False, is_event, session, text, (first, 0))
                    self._waiting.append(entry)
        return time_ns

    def _text(self, row: int, kind: int, words: list[int]) -> bytes | None:
        """A message of ours, or what an event says; None: the row says nothing here."""
        if kind >= rows.FIRST_OUTPUT:
            if not words[rows.W_OUT_SEQ]:
                return None
            if not self._is_whole(words):
                return b"The message of row %d is not shown: rows that it needs are gone" % row
            if words[rows.W_HEAD] >> 32 in self._ouch:
                self._ouch_reports.rows[0] = row
                self._ouch_reports.encode(0, 1, 1)
                text = outbound(self._ouch_reports.take())
                return b"out %d %b" % (words[rows.W_OUT_SEQ], text)
            self._reports.rows[0] = row
            self._reports.encode(self._doors[words[rows.W_HEAD] >> 32], 0, 1, 1)
            octets: bytes = self._reports.take()
            return octets
        if kind == rows.SESSION_EVENT:
            return _EVENTS.get(words[rows.W_EVENT], "").encode() or None
        if kind == rows.RESET:
            return b"Numbers reset: next out %d, next in %d" % (
                words[rows.W_NEXT_OUT],
                words[rows.W_NEXT_IN],
            )
        if kind == rows.CANCEL_ALL:
            return b"Cancelling all orders: " + (self._table.item(row, rows.ITEM_VALUE) or b"")
        return None

    def _is_whole(self, words: list[int]) -> bool:
        """Whether all rows are there that an output row's message is written from.

        Those of an order that has ended may have been pruned, where we are far behind.
        """
        table = self._table
        cause, terms = words[rows.W_CAUSE], words[rows.W_TERMS_ROW]
        if cause < table.oldest_row:
            return False
        if words[rows.W_HEAD] & 0xFF != rows.SENT:
            return not terms or bool(terms >= table.oldest_row)
        again: int = table.word(cause, rows.W_REISSUE)
        return not again or (again >= table.oldest_row and self._is_whole(table.row_words(again)))

    def _learn(self) -> None:
        """Know each session that the journal has named."""
        config = self._loaded.config
        settings = {session_key(config, one): one for one in config.fix_sessions()}
        for session, octets in self._registry.sessions():
            key = octets.decode()
            if key.startswith("OUCH:"):
                self._names[session] = key.replace(":", "-")
                self._ouch.add(session)
                continue
            match = _KEY.fullmatch(key)
            if match is None or session in self._doors:
                continue
            one = settings.get(key)
            self._names[session] = "-".join(
                re.sub(r"[^A-Za-z0-9._-]", "_", part) for part in match.groups()
            )
            self._doors[session] = FixDoor(
                session,
                comp_id=match["ours"].encode(),
                client=match["theirs"].encode(),
                begin_string=match["version"].encode(),
                timestamp_digits=_TIMESTAMP_DIGITS[one.timestamp] if one else 3,
            )

    # --- the logs --------------------------------------------------------------------------------

    def _write(self, horizon_ns: int) -> None:
        """Write what is older than that, in order of time; what came in before what went out."""
        ready = [entry for entry in self._waiting if entry.time_ns < horizon_ns]
        if not ready:
            return
        self._waiting = [entry for entry in self._waiting if entry.time_ns >= horizon_ns]
        ready.sort(key=lambda entry: (entry.time_ns, not entry.came_in))
        for entry in ready:
            name = self._names.get(entry.session)
            if name is not None:
                log = f"{name}.{'event' if entry.is_event else 'messages'}"
                time_text = line_time(entry.time_ns)
                for text in self._texts(entry):
                    self._files.append(log, b"%b : %b\n" % (time_text, text))
        self._files.flush()
        came = [entry.place for entry in self._waiting if entry.came_in]
        number, offset = min(came, default=(self._capture.number, self._capture.offset))
        fresh = self._folder / (_CURSOR + ".new")
        fresh.write_text(json.dumps({"number": number, "offset": offset}))
        fresh.replace(self._folder / _CURSOR)

    def _texts(self, entry: Entry) -> Iterable[bytes]:
        """A line each. What came in was redacted before it was kept; OUCH's has no secrets."""
        is_ouch = entry.session in self._ouch
        if entry.came_in:
            if is_ouch:
                return (b"in " + text for text in inbound(entry.octets))
            found: list[bytes] = _MESSAGE.findall(entry.octets)
            return found
        return (entry.octets if is_ouch else redact(entry.octets),)

    def _kept_place(self) -> tuple[int, int]:
        try:
            kept = json.loads((self._folder / _CURSOR).read_text())
            return int(kept["number"]), int(kept["offset"])
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            # Not forced to disk: after a power loss it may be empty. Lines come twice then.
            return 0, 0


class LogFiles:
    """Files by name, each within its bound. Lines are written at `flush`."""

    def __init__(self, folder: Path, bytes_max: int, files_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._lines: dict[str, list[bytes]] = {}
        folder.mkdir(mode=0o700, exist_ok=True)

    def append(self, name: str, line: bytes) -> None:
        self._lines.setdefault(name, []).append(line)

    def flush(self) -> None:
        for name, lines in self._lines.items():
            path = self._folder / f"{name}.current.log"
            with open(path, "ab", opener=_open_private) as file:
                file.write(b"".join(lines))
                is_full = file.tell() >= self._bytes_max
            if is_full:
                self._put_aside(name, path)
        self._lines.clear()

    def _put_aside(self, name: str, path: Path) -> None:
        kept = sorted(self._backups(name))
        path.rename(self._backup(name, kept[-1] + 1 if kept else 1))
        for number in kept[: len(kept) + 1 - self._files_max]:
            self._backup(name, number).unlink()

    def _backup(self, name: str, number: int) -> Path:
        return self._folder / f"{name}.backup.{number}.log"

    def _backups(self, name: str) -> Iterator[int]:
        for path in self._folder.glob(f"{name}.backup.*.log"):
            number = path.name.removeprefix(f"{name}.backup.").removesuffix(".log")
            if number.isdigit():
                yield int(number)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def line_time(time_ns: int) -> bytes:
    """A time as QuickFIX's logs have it, in UTC."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    text = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(seconds))
    return b"%b.%03d" % (text.encode(), rest_ns // 1_000_000)
