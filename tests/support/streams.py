"""Report streams over rows."""

from __future__ import annotations

from array import array
from collections import defaultdict
from pathlib import Path

from portcullis.gateway.followed_rows import FollowedRows
from portcullis.gateway.report_messages import ReportMessages
from portcullis.gateway.streams import Streams
from portcullis.journal import rows as r
from portcullis.journal.table import RowTable
from portcullis.journal.tail import JournalTail

# For configurations: streams of all reports, of an account's, of trades.
STREAMS = """
[[stream]]
name = "all"
groups = ["239.1.1.1:9"]
[[stream]]
name = "some"
groups = ["239.1.1.2:9"]
accounts = ["CLIENT2"]
[[stream]]
name = "trades"
groups = ["239.1.1.3:9"]
content = "trades"
"""


def put_stream(
    table: RowTable,
    number: int,
    content: int,
    day: int,
    accounts: tuple[int, ...] = (),
    flags: int = r.F_BEGINS,
) -> int:
    """A STREAM row; give its number."""
    words = {r.W_SUBJECT: number, r.W_CONTENT: content, r.W_STREAM_DAY: day}
    items = {r.ITEM_NAME: b"stream%d" % number, r.ITEM_VALUE: array("I", accounts).tobytes()}
    return table.append_input(r.STREAM, flags=flags, words=words, items=items)


def stream_messages(directory: Path) -> dict[str, dict[int, list[bytes]]]:
    """By stream and session: messages as the journal's rows give them, read from its files."""
    tail = JournalTail(directory)
    followed = FollowedRows(directory, tail)
    streams = Streams(followed.table)
    messages = ReportMessages(followed.table, followed.registry.catalog)
    found: dict[str, dict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for batch in tail.batches(1 << 30):
        followed.take(batch, tail.segment)
        end = followed.table.tail
        for stream in streams.known.values():
            told = found[stream.name.decode()]
            while stream.next_row < end:
                count = stream.select(end)
                told[stream.day] += messages.encode(stream.content, stream.rows, 0, count)
                stream.pass_to(stream.reached, count)
                assert stream.next_number == len(told[stream.day]) + 1
        streams.observe(batch.first_row, end - 1)
    return found
