"""Journals of tests stand in memory where the system has such a place: they sync all the time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    memory = Path("/dev/shm")
    # A maker whose gateway was killed may write a moment longer: that is no failure of a test.
    with tempfile.TemporaryDirectory(
        prefix="portcullis-", dir=memory if memory.is_dir() else None, ignore_cleanup_errors=True
    ) as directory:
        yield Path(directory)
