"""Snapshot files: named buffers as of a row, each with its CRC, written whole or not at all.

Owns the file's form and its life: made under a temporary name, on disk before it has its own, the
newest few kept. Must not know what the buffers mean; `meta` is the writer's, for the reader.

A file begins with a line of JSON, padded with blanks to a multiple of PAGE_BYTES: what it is, its
meta, and where each buffer stands, on a page of its own. The line's own CRC stands before it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from crc32c import crc32c

from portcullis.journal.errors import JournalError
from portcullis.journal.segments import sync_directory

FOLDER = "snapshots"
SUFFIX = ".snapshot"
_MAKING = ".making"
KEPT = 2  # a damaged one must not cost the whole replay
PAGE_BYTES = 4096
MAGIC = b"PORTSNAP"
FORMAT_VERSION = 1
_HEAD_BYTES = 16  # magic, length of the line u4, its CRC-32C u4


class SnapshotError(JournalError):
    """A snapshot that can't be used; the text says why."""


class _Section(msgspec.Struct):
    name: str
    at: int
    size: int
    crc: int


class _Contents(msgspec.Struct):
    version: int
    meta: dict[str, Any]
    sections: list[_Section]


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
    octets = [(name, memoryview(buffer).cast("B")) for name, buffer in sections]
    described, at = [], 0
    for name, buffer in octets:
        described.append(_Section(name, at, len(buffer), crc32c(buffer)))
        at += len(buffer) + -len(buffer) % PAGE_BYTES
    line = msgspec.json.encode(_Contents(FORMAT_VERSION, meta, described))
    line += b" " * (-(len(line) + _HEAD_BYTES) % PAGE_BYTES)
    head = MAGIC + len(line).to_bytes(4, "little") + crc32c(line).to_bytes(4, "little")
    path = folder / f"{row:016d}{SUFFIX}"
    for left_over in folder.glob("*" + _MAKING):  # of one that was killed while it wrote
        left_over.unlink()
    temporary = path.with_suffix(_MAKING)
    try:
        with temporary.open("wb") as file:
            file.write(head + line)
            for _name, buffer in octets:
                file.write(buffer)
                file.write(bytes(-len(buffer) % PAGE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:  # a disk that is full has room again for the journal
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(folder)
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
    with path.open("rb") as file:
        return _contents(file.read(1 << 24), path)[0].meta


def read_snapshot(path: Path) -> Snapshot:
    """A snapshot, every CRC checked. SnapshotError: it is not whole."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise SnapshotError(f"{path}: empty")
        octets = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    contents, start = _contents(octets, path)
    sections = {}
    for section in contents.sections:
        buffer = octets[start + section.at : start + section.at + section.size]
        if len(buffer) != section.size or crc32c(buffer) != section.crc:
            raise SnapshotError(f"{path}: section {section.name} is damaged")
        sections[section.name] = buffer
    return Snapshot(path, contents.meta, sections)


def _contents(octets: bytes | memoryview, path: Path) -> tuple[_Contents, int]:
    """The line at the beginning, and where the buffers begin."""
    if bytes(octets[: len(MAGIC)]) != MAGIC:
        raise SnapshotError(f"{path}: not a snapshot")
    length = int.from_bytes(octets[8:12], "little")
    line = bytes(octets[_HEAD_BYTES : _HEAD_BYTES + length])
    if len(line) != length or crc32c(line) != int.from_bytes(octets[12:16], "little"):
        raise SnapshotError(f"{path}: its head is damaged")
    with suppress(msgspec.DecodeError):
        contents = msgspec.json.decode(line, type=_Contents)
        if contents.version == FORMAT_VERSION:
            return contents, _HEAD_BYTES + length
    raise SnapshotError(f"{path}: of another version than {FORMAT_VERSION}")
