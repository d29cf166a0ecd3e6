"""The journal as Parquet files, for analysts: one file a kind of row, its fields as columns.

Owns the writing. Fields and their types are `journal.dtype`'s; symbols, accounts and sessions are
numbers there, whose names stand in instrument.parquet, account.parquet and session.parquet. numpy
and pyarrow come with `portcullis[parquet]`. Memory is bounded: rows go out by groups.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, cast

from portcullis.journal.dtype import KIND_NAMES, describe
from portcullis.journal.reader import JournalReader, row_fields
from portcullis.journal.rows import ROW_BYTES, TEXT

# Rows of a kind that are held before they are written: some MB.
GROUP_ROWS = 1 << 16
# Kinds whose items have a name, and are few.
_NAMED = frozenset(("instrument", "account", "session", "setting", "operator", "start"))
_SEAL = frozenset(("row_count", "segment", "chain", "first_row", "crc"))


class _KindFile:
    """One kind's rows on their way to its file."""

    def __init__(self, kind: int, folder: Path) -> None:
        import numpy as np

        self.name = KIND_NAMES[kind]
        self._dtype = np.dtype(cast(Any, describe(kind)))
        self._path = folder / f"{self.name}.parquet"
        self._octets = bytearray()
        self._numbers: list[int] = []
        self._items: list[dict[str, str]] = []
        self._writer: Any = None
        self.rows = 0

    def add(self, row: int, octets: memoryview) -> None:
        """Take a row; `octets` begins with it and has its TEXT rows."""
        self._octets += octets[:ROW_BYTES]
        self._numbers.append(row)
        if self.name in _NAMED:
            self._items.append(row_fields(octets, row).get("items", {}))
        if len(self._numbers) == GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._numbers:
            return
        found = np.frombuffer(bytes(self._octets), self._dtype)
        columns: dict[str, Any] = {"row": self._numbers}
        for name in self._dtype.names or ():
            if name not in _SEAL and self._dtype[name].kind != "V":
                values = found[name]
                columns[name] = (
                    np.char.decode(values, "latin-1") if values.dtype.kind == "S" else values
                )
        if self.name in _NAMED:
            for item in ("name", "value", "who", "why"):
                columns[f"item_{item}"] = [items.get(item, "") for items in self._items]
        table = pa.table(columns)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)
        self.rows += len(self._numbers)
        self._octets.clear()
        self._numbers.clear()
        self._items.clear()

    def close(self) -> None:
        self.flush()
        if self._writer is not None:
            self._writer.close()


def export(directory: Path, folder: Path) -> dict[str, int]:
    """Write the sealed rows of a journal; give how many of each kind.

    ImportError: numpy or pyarrow is missing; JournalError: there is no journal. Then no folder is
    made. DamageError behind the last good row.
    """
    for library in ("numpy", "pyarrow"):
        importlib.import_module(library)
    reader = JournalReader(directory)
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[int, _KindFile] = {}
    try:
        for batch in reader.batches():
            kinds = bytes(batch.octets[::ROW_BYTES])
            for index, kind in enumerate(kinds):
                if kind == TEXT or kind not in KIND_NAMES:
                    continue
                if kind not in files:
                    files[kind] = _KindFile(kind, folder)
                files[kind].add(batch.first_row + index, batch.octets[index * ROW_BYTES :])
    finally:
        for file in files.values():
            file.close()
    reader.check()
    return {file.name: file.rows for file in files.values()}
