"""Journals of tests stand in memory where the system has such a place: they sync all the time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="portcullis-", dir=memory if memory.is_dir() else None
    ) as directory:
        yield Path(directory)
