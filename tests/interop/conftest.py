"""OUCH 4.2 as nasdaq-protocols has it: what its own generator makes of `ouch42.xml`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEFINITION = Path(__file__).with_name("ouch42.xml")
APP = "portcullis42"


@pytest.fixture(scope="session")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The generated module. Once for all: the library knows a message class by its name."""
    pytest.importorskip("nasdaq_protocols")
    folder = tmp_path_factory.mktemp("generated")
    generator = Path(sys.executable).with_name("nasdaq-ouch-codegen")
    arguments = ["--spec-file", DEFINITION, "--app-name", APP, "--op-dir", folder]
    subprocess.run([generator, *arguments, "--no-init-file"], check=True, timeout=300)
    path = folder / f"ouch_{APP}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
