"""Which modules are compiled, and whether they are.

Owns the list of hot modules: ordinary .py files that Cython compiles at install and that run
uncompiled all the same. `setup.py` reads the list from here, so this file imports nothing of the
package. An extension module wins over its .py silently, so an edited .py with an old extension
beside it would be tested by mistake: `stale_modules` finds that, and the test suite asks it.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

HOT_MODULES: tuple[str, ...] = (
    "portcullis.codecs.fix.scanner",
    "portcullis.codecs.fix.shapes",
    "portcullis.codecs.fix.frames",
    "portcullis.codecs.fix.values",
    "portcullis.codecs.fix.writer",
    "portcullis.codecs.ouch.decoder",
    "portcullis.codecs.ouch.encoder",
    "portcullis.codecs.soupbintcp.scanner",
    "portcullis.gateway.carried_fields",
    "portcullis.gateway.catalog",
    "portcullis.gateway.fix_door",
    "portcullis.gateway.fix_orders",
    "portcullis.gateway.fix_reports",
    "portcullis.gateway.order_fields",
    "portcullis.gateway.order_refusals",
    "portcullis.gateway.ouch_door",
    "portcullis.gateway.ouch_orders",
    "portcullis.gateway.ouch_reports",
    "portcullis.gateway.read_records",
    "portcullis.gateway.report_bodies",
    "portcullis.gateway.report_messages",
    "portcullis.gateway.report_packets",
    "portcullis.gateway.report_stream",
    "portcullis.gateway.report_tally",
    "portcullis.gateway.row_store",
    "portcullis.gateway.unsent",
    "portcullis.gateway.turn",
    "portcullis.journal.table",
    "portcullis.journal.anchors",
    "portcullis.journal.index",
    "portcullis.engine.ids",
    "portcullis.engine.old_ids",
    "portcullis.engine.book",
    "portcullis.engine.expiries",
    "portcullis.engine.reports",
    "portcullis.engine.sweep",
    "portcullis.engine.keys",
    "portcullis.engine.status",
    "portcullis.engine.orders",
    "portcullis.engine.amendments",
    "portcullis.engine.mass",
    "portcullis.engine.day",
    "portcullis.engine.matcher",
    "portcullis.engine.state",
    "portcullis.sessions.fix_lane",
)

# What Cython makes once for all of them: the C code of memoryviews.
SHARED_MODULE = "portcullis._cython_shared"

_ROOT = Path(__file__).resolve().parent.parent
_CIMPORT = re.compile(r"^ *from (?:cython\.cimports\.)?(portcullis[\w.]*) c?import ", re.MULTILINE)


class _SourceFinder(MetaPathFinder):
    """Finds the .py of each hot module, never its extension."""

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
    """Obey PORTCULLIS_PURE and PORTCULLIS_REQUIRE_COMPILED. Called once, by the package itself.

    All hot modules run compiled or none: a compiled one calls C functions of its neighbours,
    which an uncompiled neighbour doesn't have.
    """
    require = os.environ.get("PORTCULLIS_REQUIRE_COMPILED") == "1"
    if _is_pure_wanted() and require:
        raise RuntimeError(
            "PORTCULLIS_PURE=1 and PORTCULLIS_REQUIRE_COMPILED=1 exclude each other"
        )
    missing = missing_extensions()
    if require and missing:
        raise RuntimeError(
            "PORTCULLIS_REQUIRE_COMPILED=1, but not compiled: " + ", ".join(missing)
        )
    if is_pure() and not any(isinstance(finder, _SourceFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _SourceFinder())


def _is_pure_wanted() -> bool:
    return os.environ.get("PORTCULLIS_PURE") == "1"


def missing_extensions() -> list[str]:
    """The hot modules that have no extension module, and the one they share."""
    return [name for name in (*HOT_MODULES, SHARED_MODULE) if extension_path(name) is None]


def is_pure() -> bool:
    """Whether the hot modules run as plain Python in this process."""
    return _is_pure_wanted() or bool(missing_extensions())


def declarations_of(module: str) -> set[Path]:
    """Every .pxd whose change changes the C of a hot module: its own and those it cimports."""
    own = source_path(module).with_suffix(".pxd")
    waiting = [source_path(module), own] if own.exists() else [source_path(module)]
    found = {own} & set(waiting)
    while waiting:
        for name in _cimported(path := waiting.pop(), path.stat().st_mtime_ns):
            declaration = source_path(name).with_suffix(".pxd")
            if declaration.exists() and declaration not in found:
                found.add(declaration)
                waiting.append(declaration)
    return found


@functools.lru_cache(maxsize=256)
def _cimported(path: Path, _mtime_ns: int) -> list[str]:
    """Modules of ours that a file cimports from, as it was then."""
    found: list[str] = _CIMPORT.findall(path.read_text())
    return found


def stale_modules() -> list[str]:
    """Hot modules whose extension is older than their source or a declaration they use."""
    return [name for name in HOT_MODULES if _lateness_s(name) > 0]


def _lateness_s(module: str) -> float:
    """By how much a module's extension is older than what it is made from; 0 where it isn't."""
    extension = extension_path(module)
    if extension is None:
        return 0.0
    sources = {source_path(module)} | declarations_of(module)
    newest = max(path.stat().st_mtime for path in sources)
    return max(0.0, newest - extension.stat().st_mtime)


def stale_warning() -> str:
    """What to do where some are, for people; "": none is. Takes 50 ms."""
    stale = [] if is_pure() else stale_modules()
    if not stale:
        return ""
    return "the source changed after it was compiled (`make build`): " + ", ".join(stale)


def stale_report() -> list[str]:
    """A line for each extension that is older than its sources, or has none in the list."""
    listed = {extension_path(name) for name in (*HOT_MODULES, SHARED_MODULE)}
    return [
        f"{path.relative_to(_ROOT)}: left over, its module is not in the list; delete it"
        for path in (_ROOT / "portcullis").glob("**/*" + importlib.machinery.EXTENSION_SUFFIXES[0])
        if path not in listed
    ] + [
        f"{name}: its extension is {_lateness_s(name):.0f} s older than its sources"
        for name in stale_modules()
    ]


def mode() -> str:
    """One word or short phrase for people: compiled, or pure and why."""
    missing = missing_extensions()
    if not is_pure():
        return "compiled"
    if _is_pure_wanted() or len(missing) > len(HOT_MODULES):
        return "pure"
    return "pure (without an extension: " + ", ".join(missing) + ")"


def report() -> str:
    """The mode and, where it is the slow one, what to do; for `make build`."""
    if not is_pure():
        return f"portcullis: compiled, {len(HOT_MODULES)} modules"
    return (
        f"portcullis: {mode()}, nothing runs compiled. All works, 20 to 60 times slower. "
        "With a C compiler at hand (gcc, clang), `make build` compiles."
    )
