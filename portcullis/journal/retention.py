"""Which segments may go, and how they go: the floor that snapshots, followers and resends need.

Owns the floor, with the files of the followers' cursors, and the two ways over it: archived
elsewhere, or removed. Segments go from the first on and one by one, each on disk elsewhere before
it goes, so that whatever stops it leaves a journal without holes. May be done beside a running
gateway, which lets go of what it has mapped once the file is gone, and so do followers. Rows that
a start finds lost go at the other end: cursors and snapshots follow them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from portcullis.journal.errors import JournalError
from portcullis.journal.index_files import drop_before
from portcullis.journal.rows import W_TIME
from portcullis.journal.segments import (
    HEADER_BYTES,
    SegmentHeader,
    list_segments,
    segment_path,
    sync_directory,
)
from portcullis.journal.snapshots import list_snapshots, read_meta, snapshot_row

FOLLOWERS = "followers"
CURSOR_SUFFIX = ".row"
# Of a snapshot that knows more than its journal.
LOST_SUFFIX = ".lost"
# What is never let go: the segment being written, and the one before it.
_LAST_KEPT = 2


@dataclass(frozen=True)
class Floor:
    """Rows from `row` on stay. why: what needs them."""

    row: int
    why: str


def find_floor(directory: Path, keep_after_ns: int) -> Floor:
    """The first row that something needs. keep_after_ns: rows from that time on are kept.

    JournalError: the directory holds no journal, or a snapshot can't be read.
    """
    segments = list_segments(directory, from_first=False)
    if not segments:
        raise JournalError(f"{directory}: there is no journal here")
    floors = [Floor(segments[-_LAST_KEPT:][0].first_row, "the last two segments always do")]
    snapshots = list_snapshots(directory)
    if not snapshots:
        floors.append(Floor(1, "there is no snapshot: a start needs every row"))
    for path in snapshots:
        meta = read_meta(path)
        row = min(meta["oldest_row"], meta["start"][0])
        floors.append(Floor(row, f"a start from {path.name} needs it, live orders included"))
        rewind_row = meta["rewind_row"]
        floors.append(Floor(rewind_row, "OUCH users may rewind to it ([day] sessions_kept)"))
    for path in _cursors(directory):
        floors.append(Floor(cursor_row(path), f"follower {path.stem} goes on there"))
    floors.append(Floor(_first_since(directory, segments, keep_after_ns), "resends (--keep)"))
    return min(floors, key=lambda floor: floor.row)


def cursor_row(path: Path) -> int:
    """The row that a follower's file says; 1 where it says none.

    It is not forced to disk: after a power loss it may be empty.
    """
    try:
        return max(int(path.read_text()), 1)
    except (FileNotFoundError, ValueError):
        return 1


def write_cursor(path: Path, row: int) -> None:
    """Have a follower's file say a row. Not forced to disk: rows may come again."""
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{row}\n")
    fresh.replace(path)


def _cursors(directory: Path) -> list[Path]:
    return sorted((directory / FOLLOWERS).glob("*" + CURSOR_SUFFIX))


def forget_behind(directory: Path, last_row: int) -> None:
    """Rows behind the last one are lost: let what knew of them know of them no more.

    Followers go back to it, else they would wait for ever where nothing will be written. Snapshots
    of later rows get another suffix: no start takes them, so nothing may be let go for their sake.
    Durable when it ends: a start after this one may find rows behind, and forget nothing.
    """
    for path in _cursors(directory):
        if cursor_row(path) > last_row + 1:
            write_cursor(path, last_row + 1)
            sync_directory(path.parent)
    for path in list_snapshots(directory):
        if snapshot_row(path) > last_row:
            path.rename(path.with_suffix(LOST_SUFFIX))
            sync_directory(path.parent)


def _first_since(directory: Path, segments: list[SegmentHeader], after_ns: int) -> int:
    """The first row of the first segment that has a row of that time or later."""
    for header, following in pairwise(segments):
        time_ns = _first_time(directory, following)
        if not time_ns or time_ns >= after_ns:
            return header.first_row
    return segments[-1].first_row


def _first_time(directory: Path, header: SegmentHeader) -> int:
    """Row time of a segment's first row; 0: it is not written yet."""
    with segment_path(directory, header.number).open("rb") as file:
        file.seek(HEADER_BYTES + W_TIME * 8)
        return int.from_bytes(file.read(8), "little")


def below(directory: Path, floor: Floor) -> list[SegmentHeader]:
    """The segments that end before the floor, oldest first."""
    segments = list_segments(directory, from_first=False)[:-_LAST_KEPT]
    return [header for header in segments if header.end_row <= floor.row]


def prune(directory: Path, headers: list[SegmentHeader]) -> Iterator[SegmentHeader]:
    """Remove segments, oldest first; each is given once it is gone."""
    for header in headers:
        segment_path(directory, header.number).unlink()
        sync_directory(directory)
        drop_before(directory, header.end_row)
        yield header


def archive(
    directory: Path, target: Path, headers: list[SegmentHeader]
) -> Iterator[SegmentHeader]:
    """Move segments to another folder, on any disk; each is given once it is there and gone here.

    JournalError: another file stands in its place there.
    """
    was_there = target.exists()
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not headers and not was_there:
        target.rmdir()
    for header in headers:
        source, copy = segment_path(directory, header.number), segment_path(target, header.number)
        temporary = copy.with_suffix(".copying")
        try:
            shutil.copyfile(source, temporary)
        except OSError:  # a disk that is full has its room again
            temporary.unlink(missing_ok=True)
            raise
        if copy.exists() and not _same(temporary, copy):
            raise JournalError(f"{copy}: exists, and is not {source}")
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(copy)
        sync_directory(target)
        source.unlink()
        sync_directory(directory)
        drop_before(directory, header.end_row)
        yield header


def _same(one: Path, other: Path) -> bool:
    step = 1 << 20
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            octets = left.read(step)
            if octets != right.read(step):
                return False
            if not octets:
                return True
