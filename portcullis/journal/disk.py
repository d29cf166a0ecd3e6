"""What a journal asks of the machine: that bytes and names are on disk, and which run this is.

Owns no file. Everything that a journal makes durable goes through here, so that something else
can stand for the disk: one that takes its time, loses what was not synced, or is full.
"""

from __future__ import annotations

import os
from pathlib import Path

from portcullis.journal.maker import SegmentMaker, make_segment
from portcullis.journal.segments import boot_id, sync_directory

_sync_data = getattr(os, "fdatasync", os.fsync)


class Disk:
    """The machine's own disk. OSError of `sync` is fatal to whoever has sealed batches."""

    def sync(self, descriptor: int) -> None:
        """Wait until the bytes of a file are on disk. May run in a thread of its own."""
        _sync_data(descriptor)

    def sync_directory(self, directory: Path) -> None:
        """Wait until names in a directory are on disk."""
        sync_directory(directory)

    def boot_id(self) -> bytes:
        """Which run of the machine this is, 16 bytes; zeros where it doesn't say."""
        return boot_id()

    def make_segment(self, target: Path, header: bytes, size: int, *, zeros: bool) -> None:
        """See `maker.make_segment`: a file with its name and bytes on disk, or OSError."""
        make_segment(target, header, size, zeros=zeros)

    def segment_maker(self, directory: Path) -> SegmentMaker:
        """What makes segments ahead of need."""
        return SegmentMaker(directory)
