"""Which modules are compiled, and whether they are.

Owns the list of hot modules: ordinary .py files that Cython compiles at install and that run
uncompiled all the same. `setup.py` reads the list from here, so this file imports nothing of the
package. An extension module wins over its .py silently, so an edited .py with an old extension
beside it would be tested by mistake: `stale_modules` finds that, the test suite and
`portcullis --version` ask it.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

HOT_MODULES: tuple[str, ...] = ("portcullis.journal.table",)

_ROOT = Path(__file__).resolve().parent.parent


class _SourceFinder(MetaPathFinder):
    """Finds the .py of each hot module, never its extension: all of them or none."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in HOT_MODULES:
            return None
        return importlib.util.spec_from_file_location(name, source_path(name))


def source_path(module: str) -> Path:
    """The .py file of a hot module."""
    return _ROOT / (module.replace(".", "/") + ".py")


def extension_path(module: str) -> Path | None:
    """The extension module that an import would prefer, or None where there is none."""
    source = source_path(module)
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        candidate = source.with_name(source.stem + suffix)
        if candidate.exists():
            return candidate
    return None


def choose_mode() -> None:
    """Obey PORTCULLIS_PURE and PORTCULLIS_REQUIRE_COMPILED. Called once, by the package itself."""
    pure = os.environ.get("PORTCULLIS_PURE") == "1"
    require = os.environ.get("PORTCULLIS_REQUIRE_COMPILED") == "1"
    if pure and require:
        raise RuntimeError(
            "PORTCULLIS_PURE=1 and PORTCULLIS_REQUIRE_COMPILED=1 exclude each other"
        )
    if pure:
        if not any(isinstance(finder, _SourceFinder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _SourceFinder())
    elif require:
        missing = uncompiled_modules()
        if missing:
            raise RuntimeError(
                "PORTCULLIS_REQUIRE_COMPILED=1, but not compiled: " + ", ".join(missing)
            )


def uncompiled_modules() -> list[str]:
    """The hot modules that run as plain Python in this process."""
    if os.environ.get("PORTCULLIS_PURE") == "1":
        return list(HOT_MODULES)
    return [name for name in HOT_MODULES if extension_path(name) is None]


def stale_modules() -> list[str]:
    """Hot modules whose extension is older than their source or any declaration (.pxd)."""
    newest_pxd = max(
        (path.stat().st_mtime for path in (_ROOT / "portcullis").glob("**/*.pxd")), default=0.0
    )
    stale = []
    for name in HOT_MODULES:
        extension = extension_path(name)
        if extension is None:
            continue
        built = extension.stat().st_mtime
        if built < max(source_path(name).stat().st_mtime, newest_pxd):
            stale.append(name)
    return stale


def mode() -> str:
    """One word or short phrase for people: compiled, pure, or which part is not compiled."""
    missing = uncompiled_modules()
    if not missing:
        return "compiled"
    if len(missing) == len(HOT_MODULES):
        return "pure"
    return "partly compiled (plain Python: " + ", ".join(missing) + ")"
