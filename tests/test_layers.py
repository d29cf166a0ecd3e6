"""What importing the lower layers brings in. Who imports whom is import-linter's (make lint)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "portcullis"
# An event loop, a socket or a thread has no business there, not even by way of a library.
BARRED = {"asyncio", "selectors", "socket", "ssl", "uvloop"}


@pytest.mark.parametrize("layer", ["dictionaries", "codecs", "sessions", "engine"])
def test_importing_a_layer_without_io_loads_no_event_loop_and_no_socket(layer: str) -> None:
    modules = sorted(
        path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
        for path in (PACKAGE / layer).glob("**/*.py")
        if path.name != "__init__.py"
    )
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(sorted({BARRED!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout == "[]\n"
