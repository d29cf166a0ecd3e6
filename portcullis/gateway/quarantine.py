"""Sessions that brought the gateway down: kept out until a person lets them in again.

Owns the folder `quarantine` of the data directory: one file per session, JSON, written as the
last act of a process that ends with a fatal fault. While the file is there, the session cannot
log on and the others trade; removing it releases the session.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import traceback
from pathlib import Path
from urllib.parse import quote, unquote

from portcullis.journal.segments import sync_directory

FOLDER = "quarantine"
_SUFFIX = ".json"
# A fault that no session's message caused.
NOBODY = "nobody"


class Quarantine:
    """The folder of one data directory."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    def keys(self) -> set[str]:
        """Keys of the sessions that are kept out."""
        found = {unquote(path.stem) for path in self._folder.glob(f"*{_SUFFIX}")}
        return found - {NOBODY}

    def unexplained(self) -> Path | None:
        """The file of a fault that no session's message caused, until somebody removes it."""
        path = self._folder / f"{NOBODY}{_SUFFIX}"
        return path if path.exists() else None

    def release(self, key: str) -> Path:
        """Let a session in again, durably; give the file, kept under another name."""
        path = self._folder / f"{quote(key, safe='')}{_SUFFIX}"
        kept = path.rename(path.with_suffix(".released"))
        sync_directory(self._folder)
        return kept

    def put(self, key: str, batch_row: int, error: BaseException, number: int = 0) -> Path:
        """Remember what happened, durably; give the file. key: "" where it is nobody's.

        batch_row: first row of the batch that was open, none of which was sealed. number: of the
        session's last message that had a row in it, 0: none had; it caused the fault, or the one
        behind it did.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # Each time: whoever made the folder may have been killed before this.
        sync_directory(self._folder.parent)
        path = self._folder / f"{quote(key or NOBODY, safe='')}{_SUFFIX}"
        report = {
            "session": key,
            "msg_seq_num": number,
            "time": dt.datetime.now(dt.UTC).isoformat(),
            "batch_row": batch_row,
            "error": repr(error),
            "traceback": traceback.format_exception(error),
            "release": "portcullis sessions release, or remove this file and restart the gateway",
        }
        with path.open("w") as file:
            json.dump(report, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self._folder)
        return path
