"""Report streams over rows in memory."""

from __future__ import annotations

from array import array

from portcullis.journal import rows as r
from portcullis.journal.table import RowTable

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
