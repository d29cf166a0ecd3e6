"""What a benchmark gives back, and the machine it ran on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One line of a table. `budget` has the figure's unit; 0: none is set."""

    name: str
    value: float
    unit: str
    budget: float = 0.0
    note: str = ""


def percentile(ordered: Sequence[int], share: float) -> int:
    """The value that `share` of the ordered ones do not exceed (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine() -> str:
    """Processor, its count, kernel and Python, in a line."""
    processor = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    return (
        f"{os.cpu_count()} x {processor}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )
