"""The thread that forces the journal to disk, and nothing else.

Owns the thread. One `fdatasync` at a time, with the interpreter released while the disk works; who
asked is told on the loop. Must not know when a sync is due (`turn`) nor what waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from portcullis.journal.writer import Journal


class JournalSync:
    """Syncs of one journal. Make it on the loop that is to be told.

    fatal: ends the process; nobody knows what a failed sync has left out.
    """

    def __init__(self, journal: Journal, fatal: Callable[[BaseException], None]) -> None:
        self._journal = journal
        self._fatal = fatal
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-sync")

    def start(self, done: Callable[[], None]) -> None:
        """Begin a sync of what is sealed; `done` is called on the loop once it is on disk."""
        sync = self._loop.run_in_executor(self._thread, self._journal.sync)
        sync.add_done_callback(lambda sync: self._end(sync, done))

    def _end(self, sync: asyncio.Future[int], done: Callable[[], None]) -> None:
        if error := sync.exception():
            self._fatal(error)
        else:
            done()

    def close(self) -> None:
        """Wait for the sync under way, if any."""
        self._thread.shutdown(wait=True)
