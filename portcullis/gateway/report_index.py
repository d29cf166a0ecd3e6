"""Where each message of the streams stands in the journal, for whoever asks for it again.

Owns the follower that counts as the gateway counted (`report_stream`), and of each session kept an
anchor, a number and the row behind which it is given, every ANCHOR_ROWS rows: from there any
number is found by counting on, and encoded from its rows once more. Nothing that was sent is
stored. The first rows that these messages need are kept (`next_row`), so a restart can count anew
what was kept; what it knew some rows ago it finds in a file (`report_index_file`), and counts on
from there. Must not know who asks.

A session is known from the row that begins it on. One that began before the first row read cannot
be numbered, and is not offered.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portcullis.gateway.catalog import Catalog
from portcullis.gateway.followed_rows import FollowedRows
from portcullis.gateway.report_index_file import (
    Saved,
    SavedSession,
    SavedStream,
    as_state,
    read_saved,
    write_saved,
)
from portcullis.gateway.report_messages import ANY_BYTES, ReportMessages
from portcullis.gateway.report_stream import ReportStream
from portcullis.gateway.report_tally import ReportTally
from portcullis.journal import rows
from portcullis.journal.table import RowTable
from portcullis.journal.tail import JournalTail

ROWS_A_POLL = 65_536
ANCHOR_ROWS = 4096
# Between two writings of what is known: to count them takes some 0.1 s.
SAVED_ROWS = 1 << 18
# Looked at for one answer: it may hold less than was asked for.
_ROWS_AN_ANSWER = 16 * ANCHOR_ROWS
_LENGTH_BYTES = 3  # in front of a message, MoldUDP64's two or SoupBinTCP's three


@dataclass(slots=True)
class KeptSession:
    """A day's numbers: `numbers[i]` is the next to be given behind the row before `rows[i]`."""

    day: int
    first_row: int
    # Behind the last number.
    end: int = 1
    # The lowest row that its messages are encoded from.
    lowest: int = 0
    numbers: array[int] = field(default_factory=lambda: array("q"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    # From which row on the stream carries what: `ReportStream.save`.
    contents: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def mark(self, number: int, row: int) -> None:
        """An anchor, behind all others."""
        if self.numbers and self.numbers[-1] == number:
            self.rows[-1] = row  # nothing between them
        else:
            self.numbers.append(number)
            self.rows.append(row)

    @property
    def floor(self) -> int:
        """The first row that has to stay."""
        return min(self.lowest or self.first_row, self.first_row)


class StreamHistory:
    """The sessions kept of one stream. Implements `retransmission.Source`.

    number: its own, as STREAM rows have it. row: the first to be looked at.
    """

    def __init__(
        self, table: RowTable, catalog: Catalog, number: int, row: int, sessions_kept: int
    ) -> None:
        self.session = ""
        self._table = table
        self._sessions_kept = sessions_kept
        # By name, oldest first; and the one that is numbered now, if it is known.
        self._sessions: dict[str, KeptSession] = {}
        self._live: KeptSession | None = None
        self._counter = ReportStream(table, number, b"")
        self._walker = ReportStream(table, number, b"")
        self._counter.load(_state(self._counter.save(), 0, 1, row))
        self._messages = ReportMessages(table, catalog)
        # For its lowest row.
        self._looked_at = ReportTally(table)
        # Positions, as of the row that was asked for last; None: they never were.
        self._tallied: ReportStream | None = None
        self._tally = ReportTally(table)
        self._catalog = catalog
        self._number = number

    # --- counting --------------------------------------------------------------------------------

    def count(self) -> None:
        """Take in the rows that the table has by now."""
        counter = self._counter
        end = self._table.tail
        while counter.next_row < end:
            found = counter.select(min(end, counter.next_row + ANCHOR_ROWS))
            row = counter.reached
            self._looked_at.add(counter.rows, found)
            if self._live is not None:
                self._live.end += found
                self._live.lowest = self._looked_at.lowest
            counter.pass_to(row, found)
            if counter.next_row > row:
                self._obeyed(row)
            elif self._live is not None:
                self._live.mark(counter.next_number, counter.next_row)

    def _obeyed(self, row: int) -> None:
        """A STREAM row: the stream carries something else, or a session begins."""
        counter = self._counter
        if self._begins(row):
            self._live = KeptSession(counter.day, row)
            self.session = session_name(counter.day)
            self._sessions[self.session] = self._live
            self._looked_at.clear()
            while len(self._sessions) > self._sessions_kept:
                del self._sessions[next(iter(self._sessions))]
        if self._live is not None:
            self._live.contents.append((counter.next_row, counter.save()))
            self._live.mark(counter.next_number, counter.next_row)

    def _begins(self, row: int) -> bool:
        """Whether a STREAM row begins a session."""
        flags: int = self._table.word(row, rows.W_HEAD) >> 8
        return flags & rows.F_BEGINS != 0

    def floor(self) -> int:
        """The first row that has to stay; 0: none is needed."""
        return min((kept.floor for kept in self._sessions.values()), default=0)

    def sessions(self) -> Iterator[tuple[str, int]]:
        """Each session kept, and the number behind its last."""
        return ((name, kept.end) for name, kept in self._sessions.items())

    def tally(self, row: int) -> tuple[ReportStream, ReportTally] | None:
        """The stream and its session's positions, as of the row before `row`.

        None: that row has not been read yet, or lies in no session kept. The first time in a
        session takes a walk along its rows, some 10 ns each.
        """
        stream, tally = self._tallied, self._tally
        if row > self._counter.next_row:
            return None
        if stream is None or stream.next_row > row:
            begins = [kept.first_row for kept in self._sessions.values() if kept.first_row < row]
            if not begins:
                return None
            stream = self._tallied = ReportStream(self._table, self._number, b"")
            stream.load(_state(stream.save(), 0, 1, begins[-1]))
            tally.clear()
        tally.make_room(self._catalog.accounts.count, self._catalog.symbols.count)
        while stream.next_row < row:
            found = stream.select(row)
            reached = stream.reached
            tally.add(stream.rows, found)
            stream.pass_to(reached, found)
            if stream.next_row > reached and self._begins(reached):
                tally.clear()
        return stream, tally

    # --- for a restart ---------------------------------------------------------------------------

    def save(self, anchors: array[int]) -> SavedStream:
        """What it knows, for `load`; numbers and rows go behind `anchors`."""
        sessions = {}
        for name, kept in self._sessions.items():
            sessions[name] = SavedSession(
                kept.day,
                kept.first_row,
                kept.end,
                kept.lowest,
                len(anchors),
                len(kept.numbers),
                [(row, as_state(content)) for row, content in kept.contents],
            )
            anchors.extend(kept.numbers + kept.rows)
        live = self.session if self._live is not None else ""
        return SavedStream(as_state(self._counter.save()), live, sessions)

    def load(self, saved: SavedStream, anchors: array[int]) -> None:
        """Take what `save` gave of another over rows of the same journal."""
        self._counter.load(dict(saved.counter))
        for name, one in saved.sessions.items():
            behind = one.at + one.anchors
            self._sessions[name] = KeptSession(
                one.day,
                one.first_row,
                one.end,
                one.lowest,
                anchors[one.at : behind],
                anchors[behind : behind + one.anchors],
                [(row, dict(content)) for row, content in one.contents],
            )
        self.session = saved.live
        self._live = self._sessions.get(saved.live)
        self._looked_at.lowest = self._live.lowest if self._live is not None else 0

    # --- what is asked for -----------------------------------------------------------------------

    def next_sequence(self, session: str) -> int:
        """See `retransmission.Source`."""
        kept = self._sessions.get(session)
        return kept.end if kept is not None else 0

    def messages(self, session: str, sequence: int, count: int, bytes_max: int) -> Sequence[bytes]:
        """See `retransmission.Source`."""
        kept = self._sessions.get(session)
        if kept is None or not 1 <= sequence < kept.end:
            return ()
        walker, stop = self._walker, self._counter.next_row
        place = bisect_right(kept.numbers, sequence) - 1
        row = kept.rows[place]
        state = kept.contents[bisect_right(kept.contents, row, key=_row_of) - 1][1]
        walker.load(_state(state, kept.day, kept.numbers[place], row))
        found: list[bytes] = []
        while walker.next_row < stop and walker.day == kept.day and len(found) < count:
            if found and walker.next_row > row + _ROWS_AN_ANSWER:
                break
            selected = walker.select(min(stop, walker.next_row + ANCHOR_ROWS))
            first = max(sequence - walker.next_number, 0)
            wanted = min(selected - first, count - len(found))
            if wanted > 0:
                some = self._encode(walker, first, wanted, bytes_max)
                if not some and not found:
                    some = self._encode(walker, first, 1, ANY_BYTES)
                found += some
                bytes_max -= sum(_LENGTH_BYTES + len(one) for one in some)
                if len(some) < wanted:
                    break
            walker.pass_to(walker.reached, selected)
        return found

    def _encode(
        self, walker: ReportStream, first: int, count: int, bytes_max: int
    ) -> Sequence[bytes]:
        """Messages within so many bytes; none where rows that they need are gone."""
        try:
            found: list[bytes] = self._messages.encode(
                walker.content, walker.rows, first, count, bytes_max, _LENGTH_BYTES
            )
        except IndexError:
            return ()
        return found


class ReportIndex:
    """A follower (`followers.Follower`). streams: sessions kept, by the stream's name."""

    name = "reports"

    def __init__(self, directory: Path, streams: dict[str, int], next_row: int) -> None:
        self.next_row = next_row
        self.histories: dict[str, StreamHistory] = {}
        self._directory = directory
        self._streams = streams
        self._followed: FollowedRows | None = None
        # The first row of the batch read last, and up to where the file knows.
        self._batch_row = 0
        self._saved_row = 0

    def poll(self, reader: JournalTail) -> int:
        """Count what is new; give how many rows were read."""
        if self._followed is None:
            self._followed = self._begin(reader)
        taken = 0
        for batch in reader.batches(ROWS_A_POLL):
            self._followed.take(batch, reader.segment)
            self._batch_row = batch.first_row
            kinds = bytes(batch.octets[:: rows.ROW_BYTES])
            place = kinds.find(rows.STREAM)
            while place >= 0:
                self._know(self._followed, batch.first_row + place)
                place = kinds.find(rows.STREAM, place + 1)
            taken += batch.row_count
        if taken:
            # Behind a row that closes a segment the next one begins.
            self._followed.table.tail = reader.next_row
            for history in self.histories.values():
                history.count()
            last_row = reader.next_row - 1
            floors = [history.floor() or last_row for history in self.histories.values()]
            floor = self._followed.segment_start(min(floors, default=last_row))
            # The file never needs rows that we no longer keep.
            if floor != self.next_row or reader.next_row - self._saved_row >= SAVED_ROWS:
                self._save(self._followed, reader)
            self.next_row = floor
        return taken

    def release(self) -> None:
        """See `followers.Follower`."""
        if self._followed is not None:
            self._followed.release(self.next_row)

    def _begin(self, reader: JournalTail) -> FollowedRows:
        """Take up what the file knows, and have the reader go on there; else begin where it is."""
        found = read_saved(self._directory, self._streams, self.next_row)
        if found is None or not reader.skip_to(found[0].batch_row, found[0].crc):
            return FollowedRows(self._directory, reader)
        saved, anchors, told = found
        followed = FollowedRows(self._directory, reader, told)
        for name, stream in saved.streams.items():
            history = self._add(followed, name, stream.counter["number"], reader.next_row)
            history.load(stream, anchors)
        self._saved_row = reader.next_row
        return followed

    def _save(self, followed: FollowedRows, reader: JournalTail) -> None:
        anchors = array("q")
        streams = {name: history.save(anchors) for name, history in self.histories.items()}
        assert reader.crc is not None
        saved = Saved(self._streams, self._batch_row, reader.crc, streams)
        with suppress(OSError):  # a restart counts more
            write_saved(self._directory, saved, anchors, followed.told)
        self._saved_row = reader.next_row

    def _know(self, followed: FollowedRows, row: int) -> None:
        """A STREAM row: a stream to be counted from there on, unless it is already."""
        table = followed.table
        name = (table.item(row, rows.ITEM_NAME) or b"").decode()
        if name in self._streams and name not in self.histories:
            self._add(followed, name, table.word(row, rows.W_SUBJECT), row)

    def _add(self, followed: FollowedRows, name: str, number: int, row: int) -> StreamHistory:
        catalog, kept = followed.registry.catalog, self._streams[name]
        history = StreamHistory(followed.table, catalog, number, row, kept)
        self.histories[name] = history
        return history


def session_name(day: int) -> str:
    """What SoupBinTCP and MoldUDP64 call the session of a day."""
    return f"{day:010d}"


def _row_of(content: tuple[int, dict[str, Any]]) -> int:
    return content[0]


def _state(content: dict[str, Any], day: int, number: int, row: int) -> dict[str, Any]:
    """`ReportStream.load` takes it: what is carried, and where to count on."""
    return {**content, "next": (day, number, row)}
