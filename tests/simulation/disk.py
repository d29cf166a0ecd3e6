"""A disk that keeps what was synced, and of the rest what chance leaves.

Owns the difference between what a process has written and what outlives the machine. A file's
bytes are safe once they were synced, its name once its folder was, and a folder's as well. When
the power fails, what was written since may be there or not, each page for itself, in any order. It
can be full, and bits can turn. Making and syncing files costs no real time: the files stand in a
folder of the test's.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

from portcullis.journal.disk import Disk
from portcullis.journal.maker import SegmentMaker
from portcullis.journal.segments import HEADER_BYTES
from tests.simulation.world import Violation, World

PAGE_BYTES = 4096
_CHUNK_BYTES = 1 << 16
_ZEROS, _CHUNK_ZEROS = bytes(PAGE_BYTES), bytes(_CHUNK_BYTES)
# A batch that is open at a sync, and sealed after it: so far back may rows still change.
_OPEN_PAGES = 8192 * 128 // PAGE_BYTES
# Syncs that look at a whole file: a start may cut its end, and nothing else does.
_WHOLE_FIRST = 8
_WHOLE_EVERY = 64


class _Kept:
    """A file as it is on disk: its bytes up to the last that is not zero, its size, and how
    often it was synced."""

    def __init__(self, path: Path) -> None:
        self.octets = bytearray()
        self.size = 0
        self.syncs = 0
        # Open, so that no other file gets its number when it is gone.
        self.file = path.open("rb", buffering=0)
        self.sync()

    def sync(self) -> None:
        """Take over what was written.

        Journals grow at their end, and their header changes: so a sync mostly looks from the end
        of the last one on, until nothing is written any more; now and then at all of it.
        """
        file = self.file
        file.seek(0)
        size = os.fstat(file.fileno()).st_size
        often = self.syncs < _WHOLE_FIRST or self.syncs % _WHOLE_EVERY == 0
        if size != self.size or often:
            octets = bytearray(file.read())
            del octets[_written(octets) :]
            both = min(len(self.octets), len(octets))
            sealed = max(both - _OPEN_PAGES * PAGE_BYTES, HEADER_BYTES)
            if self.octets[HEADER_BYTES:sealed] != octets[HEADER_BYTES:sealed]:
                raise Violation(f"{file.name}: rows that were synced have changed since")
            self.octets, self.size = octets, size
        else:
            self.octets[:HEADER_BYTES] = file.read(HEADER_BYTES)
            at = max(len(self.octets) // PAGE_BYTES - _OPEN_PAGES, 1) * PAGE_BYTES
            file.seek(at)
            while part := file.read(_CHUNK_BYTES):
                self.octets[at : at + len(part)] = part
                at += len(part)
                if part.endswith(_ZEROS):
                    break
            del self.octets[_written(self.octets) :]
        self.syncs += 1


class SimulatedDisk(Disk):
    """The disk under one folder. moment: called before each use, where the power may fail;
    before_sync: before each sync of a file.

    make_ns: how long a segment takes that is made ahead of need.
    """

    def __init__(
        self,
        world: World,
        folder: Path,
        *,
        boot: bytes,
        moment: Callable[[], None],
        make_ns: Callable[[], int],
        before_sync: Callable[[], None] = lambda: None,
    ) -> None:
        self.is_full = False
        # It says of segments that they are synced, and keeps nothing; whether it has done so.
        self.lies = self.has_lied = False
        self._world = world
        self._folder = folder
        self._boot = boot
        self._moment = moment
        self._make_ns = make_ns
        self._before_sync = before_sync
        self._kept: dict[int, _Kept] = {}
        # Of files and folders, as paths in the folder.
        self._names = self._living()
        for name in self._names:
            self.keep(folder / name)

    # --- what the journal asks -------------------------------------------------------------------

    def sync(self, descriptor: int) -> None:
        self._moment()
        self._before_sync()
        self.keep(Path(os.readlink(f"/proc/self/fd/{descriptor}")))

    def sync_directory(self, directory: Path) -> None:
        self._moment()
        inside, living = directory.relative_to(self._folder), self._living()
        names = {name: one for name, one in self._names.items() if name.parent != inside}
        names |= {name: one for name, one in living.items() if name.parent == inside}
        self._names = names
        for number in self._kept.keys() - set(names.values()) - set(living.values()):
            self._kept.pop(number).file.close()

    def fsync(self, descriptor: int) -> None:
        """What os.fsync does, of a file or a folder."""
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_dir():
            self.sync_directory(path)
        elif self.lies and path.parent == self._folder:
            self.has_lied = True
        else:
            self.sync(descriptor)

    def boot_id(self) -> bytes:
        return self._boot

    def make_segment(self, target: Path, header: bytes, size: int, *, zeros: bool) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        if not target.exists():
            with target.open("xb") as file:
                file.truncate(size)
                file.write(header)
            self.keep(target)
        self.sync_directory(target.parent)

    def segment_maker(self, directory: Path) -> SegmentMaker:
        return SimulatedMaker(self._world, self, self._make_ns)

    def keep(self, path: Path) -> None:
        """All bytes of a file are on disk from now on."""
        number = path.stat().st_ino
        if path.parent != self._folder and number in self._kept:
            self._kept.pop(number).file.close()  # nothing is said of how such a file may change
        if number in self._kept:
            self._kept[number].sync()
        elif path.is_file():
            self._kept[number] = _Kept(path)

    def _living(self) -> dict[Path, int]:
        """Files and folders that there are, a folder before what is in it."""
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file() or path.is_dir())
        return {path.relative_to(self._folder): path.stat().st_ino for path in paths}

    def close(self) -> None:
        """Let go of its files."""
        for kept in self._kept.values():
            kept.file.close()

    # --- what becomes of it ----------------------------------------------------------------------

    def fail(self, target: Path, chance: random.Random, *, lucky: bool = True) -> None:
        """The power fails: put what the next boot finds into another folder.

        lucky: of what was not synced, all or some pages may be there, too; not where it has lied.
        """
        target.mkdir()
        luck = chance.choice((0.0, 0.3, 0.7, 1.0)) if lucky else 0.0
        luck = 0.0 if self.has_lied else luck
        living, names = self._living(), dict(self._names)
        for name, number in living.items():
            if name not in names and chance.random() < luck:
                names[name] = number
        by_number = {number: self._folder / name for name, number in living.items()}
        for name, number in sorted(names.items()):
            path = by_number.get(number)
            if not (target / name).parent.exists():
                continue  # its folder's name is lost
            if path is not None and path.is_dir():
                (target / name).mkdir()
                continue
            octets, size = self._left_of(number, path, luck, chance)
            with (target / name).open("xb") as file:
                file.write(octets)
                file.truncate(size)

    def _left_of(
        self, number: int, path: Path | None, luck: float, chance: random.Random
    ) -> tuple[bytes | bytearray, int]:
        """What is there of a file: its bytes, but zeros at its end, and its size."""
        kept = self._kept.get(number)
        living = path.read_bytes() if path is not None else b""
        if kept is None:
            octets = living if chance.random() < luck else b""
            return octets, len(octets)
        octets, size = kept.octets, kept.size
        if size == len(living):
            first = max(len(octets) // PAGE_BYTES - _OPEN_PAGES, 1)
            pages = (max(_written(living), len(octets)) + PAGE_BYTES - 1) // PAGE_BYTES
            octets += bytes(min(pages * PAGE_BYTES, size) - len(octets))
            for page in (0, *range(first, pages)):
                place = slice(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
                if octets[place] != living[place] and chance.random() < luck:
                    octets[place] = living[place]
        return octets, size


def _written(octets: bytes | bytearray) -> int:
    """How many bytes there are to the last that is not zero."""
    end = len(octets)
    for zeros in (_CHUNK_ZEROS, _ZEROS):
        while octets.endswith(zeros, 0, end):
            end -= len(zeros)
    begin = max(end - PAGE_BYTES, 0)
    return begin + len(octets[begin:end].rstrip(b"\0"))


class SimulatedMaker(SegmentMaker):
    """Makes segments after a while, without a process."""

    def __init__(self, world: World, disk: SimulatedDisk, make_ns: Callable[[], int]) -> None:
        self.deaths = 0
        self._world = world
        self._disk = disk
        self._make_ns = make_ns
        self._wanted: tuple[Path, bytes, int] | None = None
        self._ready_ns = 0

    @property
    def process_id(self) -> int:
        return 0

    def ask(self, target: Path, header: bytes, size: int) -> None:
        self._wanted = (target, header, size)
        self._ready_ns = self._world.now_ns + self._make_ns()

    def poll(self) -> str | None:
        assert self._wanted is not None
        if self._world.now_ns < self._ready_ns:
            return None
        try:
            self._disk.make_segment(*self._wanted, zeros=True)
        except OSError as error:
            return str(error)
        return ""

    def close(self) -> None:
        """It is gone with its gateway."""
