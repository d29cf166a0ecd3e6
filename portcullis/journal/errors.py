"""What can be wrong with a journal; each error says what to do about it.

JournalError
  +- JournalLockedError     another process has the directory
  +- SegmentError           a segment is missing, renumbered, or not of this format
  +- DamageError            a bad seal that no torn write explains; names the row
  +- ReplayDifference       the engine made other rows than the journal holds
  +- NoMatchError           no such fill to bust or correct (`fills`)
  +- JournalFullError       no room for another batch, and no next segment can be made
"""

from __future__ import annotations


class JournalError(Exception):
    """Abstract: catch it to stop with one clear line. `serve` exits 3 on it."""


class JournalLockedError(JournalError):
    """The directory is in use by another process."""


class SegmentError(JournalError):
    """A segment file is missing, out of order, cut short, or has an unusable header."""


class DamageError(JournalError):
    """The batch at `row` is bad, though it was whole once: the journal goes on after it, say."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


class ReplayDifference(JournalError):
    """Replay made a row that differs from the recorded `row`."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


class JournalFullError(JournalError):
    """The open segment has no room for a batch, and a next one can't be made."""
