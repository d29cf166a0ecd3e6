"""All that a gateway knows from its journal, saved as of a row, and taken up again from there.

Owns what belongs to it: the engine, the index of sessions, what is configured, what is still owed.
So a start need not replay the journal from its first row, and its first rows may go. Must not know
when a snapshot is due (`replica`), nor the form of the file (`journal.snapshots`).

A snapshot is used only if its own CRCs hold, the journal has the batch that it is of, and the
state hash comes out as saved; else the one before it is tried, then the first row. One of another
engine version is used only where that has written nothing behind it, which could not be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portcullis import __version__
from portcullis.engine import state
from portcullis.engine.matcher import Engine
from portcullis.gateway.registry import LIMITS, Registry
from portcullis.gateway.streams import Streams
from portcullis.gateway.unsent import UnsentRows
from portcullis.journal.index import SessionIndex
from portcullis.journal.recovery import Batch, Start
from portcullis.journal.rows import ROLL, ROW_BYTES
from portcullis.journal.segments import HEADER_BYTES, list_segments, segment_path
from portcullis.journal.snapshots import (
    Snapshot,
    SnapshotError,
    list_snapshots,
    read_snapshot,
    write_snapshot,
)
from portcullis.journal.tail import JournalTail

ENGINE_VERSION = 1


@dataclass(slots=True)
class Known:
    """The parts that hold what is known."""

    engine: Engine
    index: SessionIndex
    registry: Registry
    unsent: UnsentRows
    streams: Streams

    def observe(self, batch: Batch) -> None:
        """Follow a batch that the engine has run on, and that the registry was fed with."""
        self.index.observe(batch.first_row, batch.last_row)
        self.streams.observe(batch.first_row, batch.last_row)
        self.unsent.observe(batch.first_row, batch.input_rows)


def make_engine(table: Any, sizes: dict[str, int]) -> Engine:
    """An engine with tables of these sizes, by their keys of `[limits]`."""
    return Engine(
        table,
        order_capacity=sizes["orders"],
        id_capacity=sizes["ids"],
        level_capacity=sizes["levels"],
        session_capacity=sizes["sessions"],
        instrument_capacity=sizes["instruments"],
        account_capacity=sizes["accounts"],
    )


def outgrown(sizes: dict[str, int], registry: Registry) -> bool:
    """Whether a capacity was in force that these sizes do not have; they are to have it then."""
    short = {
        key: registry.largest[code]
        for key, code in LIMITS.items()
        if registry.largest.get(code, 0) > sizes[key]
    }
    sizes.update(short)
    return bool(short)


def save(directory: Path, known: Known, sizes: dict[str, int], start: Start) -> Path:
    """Write a snapshot as of `start`, whose rows are on disk; `registry` remembers its rows."""
    told = known.registry.told
    assert told is not None
    meta = {
        "version": __version__,
        "engine_version": ENGINE_VERSION,
        "start": list(start),
        "sizes": sizes,
        "state_hash": known.engine.state_hash(),
        "oldest_row": state.oldest_row(known.engine) or start.next_row,
        "rewind_row": known.index.oldest_row() or start.next_row,
        "engine": state.numbers(known.engine),
        "unsent": known.unsent.save(),
        "streams": known.streams.save(),
    }
    sections = [
        *state.buffers(known.engine),
        *known.index.save(),
        ("registry", memoryview(told)),
    ]
    return write_snapshot(directory, start.last_row, meta, sections)


def load(snapshot: Snapshot, known: Known) -> None:
    """Give new parts what a snapshot holds. SnapshotError: it does not come out as saved."""
    try:
        state.load(known.engine, snapshot.meta["engine"], snapshot.sections)
    except state.StateError as error:
        raise SnapshotError(f"{snapshot.path}: {error}") from None
    known.index.load(snapshot.sections["index_heads"], snapshot.sections["index_days"])
    known.registry.load(snapshot.sections["registry"])
    known.unsent.load(snapshot.meta["unsent"])
    known.streams.load(snapshot.meta["streams"])
    if known.engine.state_hash() != snapshot.meta["state_hash"]:
        raise SnapshotError(f"{snapshot.path}: its state hash does not come out as saved")


def start_of(snapshot: Snapshot) -> Start:
    """Where the journal goes on behind a snapshot."""
    return Start(*snapshot.meta["start"])


def usable(path: Path, directory: Path, sizes: dict[str, int]) -> Snapshot:
    """A snapshot to start from; `sizes` grow to what its tables need. SnapshotError: why not."""
    snapshot = read_snapshot(path)
    start, saved = start_of(snapshot), snapshot.meta["sizes"]
    if not _has_batch(directory, start):
        raise SnapshotError(f"{path}: the journal does not have its row {start.last_row}")
    version = snapshot.meta["engine_version"]
    if version != ENGINE_VERSION and not _ends_at(directory, start.next_row):
        raise SnapshotError(
            f"{path}: engine version {version} has written rows behind it, which version "
            f"{ENGINE_VERSION} does not replay"
        )
    if _table_bits(sizes["ids"]) > _table_bits(saved["ids"]):
        raise SnapshotError(
            f"{path}: its id table is for {saved['ids']} ids, [limits] asks for {sizes['ids']}"
        )
    for key in LIMITS:
        sizes[key] = max(sizes[key], saved[key])
    return snapshot


def _table_bits(ids: int) -> int:
    """How many bits an index into the id table has."""
    return (2 * ids - 1).bit_length()


def latest(directory: Path, sizes: dict[str, int], refused: list[str]) -> Snapshot | None:
    """The newest snapshot that can be used; why others can't be goes to `refused`."""
    for path in reversed(list_snapshots(directory)):
        try:
            return usable(path, directory, sizes)
        except (SnapshotError, OSError) as error:
            refused.append(str(error))
    return None


def _ends_at(directory: Path, row: int) -> bool:
    """Whether a journal, or what one engine version wrote of it, ends before a row: nothing is
    there, or the row that closes the segment."""
    return all(batch.octets[0] == ROLL for batch in JournalTail(directory, row).batches(1))


def _has_batch(directory: Path, start: Start) -> bool:
    """Whether the journal has the batch that ends with the row before: its seal bears its CRC."""
    for header in list_segments(directory, from_first=False):
        if header.first_row <= start.last_row < header.end_row:
            end = HEADER_BYTES + (start.last_row + 1 - header.first_row) * ROW_BYTES
            with segment_path(directory, header.number).open("rb") as file:
                file.seek(end - 4)
                return int.from_bytes(file.read(4), "little") == start.crc
    return False
