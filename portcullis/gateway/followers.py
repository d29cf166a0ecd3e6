"""What follows the journal in the back office, and how each is kept going.

Owns the list of followers (`make_followers`), their cursors and what is known of their health. A
follower reads at its own pace with a reader of its own; one that fails is tried again later from
its `next_row`, and the others go on. One that comes to damage stays as it is, before it, and
serves what it has read. Must not know what any of them does.

To add one: write a class with the attributes of `Follower`, and name it in `make_followers`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from portcullis.gateway.config import Loaded
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.message_logs import MessageLogs
from portcullis.journal.errors import DamageError
from portcullis.journal.retention import CURSOR_SUFFIX, FOLLOWERS, cursor_row, write_cursor
from portcullis.journal.segments import list_segments
from portcullis.journal.tail import JournalTail

RETRY_FIRST_S = 1.0
RETRY_MOST_S = 60.0
RELEASE_S = 1.0


class Follower(Protocol):
    """Something that reads the journal behind the gateway.

    name: for people, and of the file that keeps its cursor. next_row: the first row that it has
    not dealt with for good; rows from there on are kept, and where it begins after a restart.
    """

    name: str
    next_row: int

    def poll(self, reader: JournalTail) -> int:
        """Read on (`reader.batches`), for some milliseconds at most; give how many rows.

        0: there is nothing new. An exception is logged, and it is made anew later.
        """

    def release(self) -> None:
        """Let go of rows before `next_row` that were pruned. Called each second."""


Make = Callable[[int], Follower]


@dataclass(slots=True)
class Followed:
    """One follower at work. make: makes it at the row that its cursor says.

    keeps_place: whether it has a cursor; else it begins at the oldest row, holds none back, and
    tells damage from what was pruned by itself.
    """

    name: str
    make: Make
    directory: Path
    log: EventLog
    keeps_place: bool = True
    follower: Follower | None = None
    # What stopped it; "" while it works.
    trouble: str = ""
    # The last row that the gateway says is sealed. Set by whoever asks the gateway.
    sealed_row: int = 0
    # Where the journal is damaged, and it can't go on; 0: nowhere.
    damaged_row: int = 0
    _reader: JournalTail | None = None
    _retry_s: float = RETRY_FIRST_S
    _not_before: float = 0.0
    _release_at: float = 0.0
    _kept_row: int = field(default=0)

    def poll(self) -> int:
        """Let it read on; give how many rows. Never raises: what fails is tried again later."""
        now = time.monotonic()
        if self.trouble and now < self._not_before:
            return 0
        try:
            if self.follower is None or self._reader is None:
                # A new one, or one whose file is lost, can't have what was pruned.
                oldest = list_segments(self.directory, from_first=False)[0].first_row
                self.follower = self.make(max(self.kept_row(), oldest))
                self._reader = JournalTail(self.directory, self.follower.next_row)
            if now >= self._release_at:
                self._release_at = now + RELEASE_S
                self.follower.release()
            before = self._reader.next_row
            rows = self.follower.poll(self._reader)
            if self._reader.next_row > before:
                self.damaged_row = 0
            elif self.keeps_place and before <= self.sealed_row:
                self.damaged_row = before if self._reader.is_damaged() else 0
        except DamageError as error:
            self.damaged_row = error.row
            return 0
        except Exception as error:
            self.follower = self._reader = None
            self.trouble = f"{type(error).__name__}: {error}"
            self._not_before = time.monotonic() + self._retry_s
            self.log.emit(
                "follower_failed", follower=self.name, error=repr(error), retry_s=self._retry_s
            )
            self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)
            return 0
        if self.trouble and rows:
            self.log.emit("follower_recovered", follower=self.name)
            self.trouble, self._retry_s = "", RETRY_FIRST_S
        return rows

    @property
    def row(self) -> int:
        """The last row it has read."""
        return self._reader.next_row - 1 if self._reader else self.kept_row() - 1

    def kept_row(self) -> int:
        """Where it goes on after a restart: its file says, else at the first row."""
        if not self._kept_row:
            self._kept_row = cursor_row(self._path())
        return self._kept_row

    def keep(self) -> None:
        """Write its cursor down, where it has moved."""
        if not self.keeps_place or self.follower is None:
            return
        if self.follower.next_row == self._kept_row:
            return
        self._kept_row = self.follower.next_row
        path = self._path()
        path.parent.mkdir(exist_ok=True)
        write_cursor(path, self._kept_row)

    def _path(self) -> Path:
        return self.directory / FOLLOWERS / f"{self.name}{CURSOR_SUFFIX}"


def make_followers(loaded: Loaded, directory: Path, log: EventLog) -> list[Followed]:
    """All that the configuration asks for, beside those that the back office shows."""
    makes: dict[str, Make] = {}
    if loaded.config.capture.enabled:
        makes[MessageLogs.name] = lambda next_row: MessageLogs(loaded, directory, next_row)
    return [Followed(name, make, directory, log) for name, make in makes.items()]
