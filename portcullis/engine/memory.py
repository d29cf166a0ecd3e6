"""Memory for the engine's tables: zeroed words from a page's start, in huge pages where there are.

Owns how memory is asked for, and nothing in it. A table of a million entries spans thousands of
ordinary pages, more than a processor keeps addresses of, so nearly each order would wait for a
page walk beside its cache miss; in pages of 2 MiB the walk goes. Where the system has none,
ordinary pages serve.

The first use of a huge page takes the kernel 0.4 ms or more, so the first part of a table is used
here, at start. What lies beyond stays untouched until an order needs it: a large capacity costs an
idle engine no memory. Does no I/O: no file stands behind it.
"""

from __future__ import annotations

import contextlib
import mmap

# Below this, huge pages would waste more than they save.
_HUGE_FROM_BYTES = 1 << 20
_HUGE_PAGE_BYTES = 1 << 21
# So much of each table is used at start: all of it with the default capacities.
_READY_BYTES = 1 << 26


def zeroed(count: int, typecode: str = "q") -> memoryview[int]:
    """So many 64-bit words of zero, `q` or `Q`, on an address that is a multiple of a page."""
    size = max(8 * count, 8)
    if size >= _HUGE_FROM_BYTES:
        size += -size % _HUGE_PAGE_BYTES
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return _words(mmap.mmap(-1, size), count, typecode)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size >= _HUGE_FROM_BYTES and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel built without them
            memory.madvise(mmap.MADV_HUGEPAGE)
        for place in range(0, min(size, _READY_BYTES), mmap.PAGESIZE):
            memory[place] = 0
    return _words(memory, count, typecode)


def _words(memory: mmap.mmap, count: int, typecode: str) -> memoryview[int]:
    return memoryview(memory)[: 8 * count].cast(typecode)  # type: ignore[call-overload, no-any-return]
