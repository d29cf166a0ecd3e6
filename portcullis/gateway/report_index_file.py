"""What a refill index knows, in a file: a start counts on from there, not from the first row kept.

Owns `reports.index` in the folder `index` of a data directory, and when it may be believed. It is
a cache of what rows say, as of the end of one batch, and bears that batch's CRC, which is chained
to all batches before: whoever finds the journal's own batch to have it knows that the file is of
these rows. A file that is missing, damaged, of other streams, or that needs rows which are not
kept is as if it were not there. Replaced as a whole, never forced to disk. Must not know how
messages are counted, nor the journal.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from portcullis.journal.index_files import FOLDER
from portcullis.journal.sections import Form, SectionsError, read_sections, write_sections

NAME = "reports.index"
FORM = Form(b"PORTREFI", 1, "a refill index")


class StreamState(TypedDict):
    """`ReportStream.save`."""

    number: int
    name: str
    content: int
    accounts: list[int]
    next: tuple[int, int, int]
    ended: tuple[int, int, int]


class SavedSession(msgspec.Struct):
    """`report_index.KeptSession`: so many numbers from `at` on in the section, then their rows."""

    day: int
    first_row: int
    end: int
    lowest: int
    at: int
    anchors: int
    contents: list[tuple[int, StreamState]]


class SavedStream(msgspec.Struct):
    """`report_index.StreamHistory`: its sessions by name, oldest first; "" of `live`: none."""

    counter: StreamState
    live: str
    sessions: dict[str, SavedSession]


class Saved(msgspec.Struct):
    """All streams, as of the batch that begins at `batch_row`. asked: sessions kept, by name."""

    asked: dict[str, int]
    batch_row: int
    crc: int
    streams: dict[str, SavedStream]


def write_saved(directory: Path, saved: Saved, anchors: array[int], told: bytearray) -> None:
    """Replace the file. told: the registry's rows. OSError: it can't be written."""
    (directory / FOLDER).mkdir(mode=0o700, exist_ok=True)
    sections = [("anchors", memoryview(anchors)), ("registry", memoryview(told))]
    path = directory / FOLDER / NAME
    write_sections(path, FORM, msgspec.to_builtins(saved), sections, durable=False)


def read_saved(
    directory: Path, asked: dict[str, int], first_row: int
) -> tuple[Saved, array[int], memoryview] | None:
    """What `write_saved` was given, for those streams, if rows from `first_row` on are enough.

    None: there is no such file. Whether the journal has its batch is for the caller to see.
    """
    try:
        meta, sections = read_sections(directory / FOLDER / NAME, FORM)
        saved = msgspec.convert(meta, Saved)
        anchors = array("q", sections["anchors"].cast("q"))
        told = sections["registry"]
    except (OSError, SectionsError, msgspec.ValidationError, LookupError, TypeError):
        return None
    sound = all(_is_sound(stream, anchors, first_row) for stream in saved.streams.values())
    return (saved, anchors, told) if saved.asked == asked and sound else None


def _is_sound(stream: SavedStream, anchors: array[int], first_row: int) -> bool:
    """Whether its places are in order, and all rows that it needs are from `first_row` on."""
    for kept in stream.sessions.values():
        numbers = anchors[kept.at : kept.at + kept.anchors]
        rows = anchors[kept.at + kept.anchors : kept.at + 2 * kept.anchors]
        begins = kept.contents[0][0] if kept.contents else 0
        if not (
            0 < kept.anchors == len(rows)
            and numbers[0] == 1
            and numbers[-1] <= kept.end
            and first_row <= kept.first_row < begins <= rows[0]
            and rows[-1] <= stream.counter["next"][2]
            and (kept.lowest == 0 or kept.lowest >= first_row)
            and all(one < other for one, other in pairwise(numbers))
            and all(one < other for one, other in pairwise(rows))
        ):
            return False
    return not stream.live or stream.live in stream.sessions


def as_state(saved: dict[str, Any]) -> StreamState:
    """What `ReportStream.save` gave."""
    return msgspec.convert(saved, StreamState)
