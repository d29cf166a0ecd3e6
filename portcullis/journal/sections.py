"""Files of named buffers, each with its CRC, written whole or not at all.

Owns their form: made under a temporary name that is then replaced by their own. Must not know what
the buffers mean; `meta` is the writer's, for the reader.

A file begins with a line of JSON, padded with blanks to a multiple of PAGE_BYTES: what it is, its
meta, and where each buffer stands, on a page of its own. The line's own CRC stands before it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from crc32c import crc32c

from portcullis.journal.errors import JournalError
from portcullis.journal.segments import sync_directory

MAKING = ".making"
PAGE_BYTES = 4096
_HEAD_BYTES = 16  # magic, length of the line u4, its CRC-32C u4


class SectionsError(JournalError):
    """A file that can't be used; the text says why."""


class Form(NamedTuple):
    """What kind of file it is. name: for people."""

    magic: bytes  # eight bytes
    version: int
    name: str


class _Section(msgspec.Struct):
    name: str
    at: int
    size: int
    crc: int


class _Contents(msgspec.Struct):
    version: int
    meta: dict[str, Any]
    sections: list[_Section]


def write_sections(
    path: Path,
    form: Form,
    meta: dict[str, Any],
    sections: Iterable[tuple[str, memoryview]],
    *,
    durable: bool,
) -> None:
    """Write a file, or replace it. durable: it is on disk, with its name, when this ends."""
    octets = [(name, memoryview(buffer).cast("B")) for name, buffer in sections]
    described, at = [], 0
    for name, buffer in octets:
        described.append(_Section(name, at, len(buffer), crc32c(buffer)))
        at += len(buffer) + -len(buffer) % PAGE_BYTES
    line = msgspec.json.encode(_Contents(form.version, meta, described))
    line += b" " * (-(len(line) + _HEAD_BYTES) % PAGE_BYTES)
    head = form.magic + len(line).to_bytes(4, "little") + crc32c(line).to_bytes(4, "little")
    temporary = path.with_suffix(MAKING)
    try:
        with temporary.open("wb") as file:
            file.write(head + line)
            for _name, buffer in octets:
                file.write(buffer)
                file.write(bytes(-len(buffer) % PAGE_BYTES))
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.rename(path)
    except OSError:  # a disk that is full has room again for the journal
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def read_meta(path: Path, form: Form) -> dict[str, Any]:
    """The meta of a file. SectionsError: it is not whole."""
    with path.open("rb") as file:
        return _contents(file.read(1 << 24), path, form)[0].meta


def read_sections(path: Path, form: Form) -> tuple[dict[str, Any], dict[str, memoryview]]:
    """Meta and buffers, mapped, every CRC checked. SectionsError: it is not whole."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise SectionsError(f"{path}: empty")
        octets = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    contents, start = _contents(octets, path, form)
    sections = {}
    for section in contents.sections:
        buffer = octets[start + section.at : start + section.at + section.size]
        if len(buffer) != section.size or crc32c(buffer) != section.crc:
            raise SectionsError(f"{path}: section {section.name} is damaged")
        sections[section.name] = buffer
    return contents.meta, sections


def _contents(octets: bytes | memoryview, path: Path, form: Form) -> tuple[_Contents, int]:
    """The line at the beginning, and where the buffers begin."""
    if bytes(octets[: len(form.magic)]) != form.magic:
        raise SectionsError(f"{path}: not {form.name}")
    length = int.from_bytes(octets[8:12], "little")
    line = bytes(octets[_HEAD_BYTES : _HEAD_BYTES + length])
    if len(line) != length or crc32c(line) != int.from_bytes(octets[12:16], "little"):
        raise SectionsError(f"{path}: its head is damaged")
    try:
        contents = msgspec.json.decode(line, type=_Contents)
    except msgspec.DecodeError as error:
        raise SectionsError(f"{path}: {form.name} of a form that is not known: {error}") from None
    if contents.version != form.version:
        raise SectionsError(
            f"{path}: {form.name} of form {contents.version}, expected {form.version}"
        )
    return contents, _HEAD_BYTES + length
