"""Snapshot files: named buffers as of a row, and their life.

Owns where they stand and that the newest few are kept; their form is `sections`'. Must not know
what the buffers mean; `meta` is the writer's, for the reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portcullis.journal import sections as form
from portcullis.journal.sections import MAKING, Form, SectionsError, read_sections, write_sections
from portcullis.journal.segments import sync_directory

FOLDER = "snapshots"
SUFFIX = ".snapshot"
KEPT = 2  # a damaged one must not cost the whole replay
FORM = Form(b"PORTSNAP", 2, "a snapshot")
SnapshotError = SectionsError


@dataclass(frozen=True)
class Snapshot:
    """A file that has been read: its buffers stay valid as long as it is held."""

    path: Path
    meta: dict[str, Any]
    sections: dict[str, memoryview]


def write_snapshot(
    directory: Path, row: int, meta: dict[str, Any], sections: Iterable[tuple[str, memoryview]]
) -> Path:
    """Write the snapshot of a data directory as of `row`, durable, and drop the oldest ones."""
    folder = directory / FOLDER
    folder.mkdir(exist_ok=True)
    # Each time: whoever made the folder may have been killed before this.
    sync_directory(directory)
    for left_over in folder.glob("*" + MAKING):  # of one that was killed while it wrote
        left_over.unlink()
    path = folder / f"{row:016d}{SUFFIX}"
    write_sections(path, FORM, meta, sections, durable=True)
    for old in list_snapshots(directory)[:-KEPT]:
        old.unlink()
    return path


def list_snapshots(directory: Path) -> list[Path]:
    """The snapshot files of a data directory, oldest first."""
    found = (directory / FOLDER).glob("*" + SUFFIX)
    return sorted(path for path in found if path.stem.isdecimal() and path.is_file())


def snapshot_row(path: Path) -> int:
    """The row that a snapshot file is of, by its name."""
    return int(path.stem)


def read_meta(path: Path) -> dict[str, Any]:
    """The meta of a snapshot file. SnapshotError: it is not whole."""
    return form.read_meta(path, FORM)


def read_snapshot(path: Path) -> Snapshot:
    """A snapshot, every CRC checked. SnapshotError: it is not whole."""
    return Snapshot(path, *read_sections(path, FORM))
