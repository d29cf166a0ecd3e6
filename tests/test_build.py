"""The two modes: what is compiled, what runs as plain Python, and that they agree on which."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from portcullis import _build

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "portcullis"
# Modules of constants whose .pxd is made from them.
DECLARING = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for path in sorted(PACKAGE.glob("**/*.py"))
    if re.search(r"^def declarations\(", path.read_text(), re.MULTILINE)
]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    unset = {"PORTCULLIS_PURE": "", "PORTCULLIS_REQUIRE_COMPILED": ""}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | unset | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("module", _build.HOT_MODULES)
def test_each_hot_module_runs_in_the_mode_that_the_header_names(module: str) -> None:
    loaded = importlib.import_module(module)
    assert loaded.__file__ is not None
    assert loaded.__file__.endswith(".py") is _build.is_pure()


def test_every_file_that_imports_cython_is_in_the_list() -> None:
    importing = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for path in PACKAGE.glob("**/*.py")
        if re.search(r"^ *import cython$", path.read_text(), re.MULTILINE)
    ]
    assert sorted(importing) == sorted(_build.HOT_MODULES)


def test_every_declaration_file_is_of_a_hot_module_or_made_from_constants_or_declares_c() -> None:
    stray = [
        str(path.relative_to(ROOT))
        for path in PACKAGE.glob("**/*.pxd")
        if path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        not in _build.HOT_MODULES
        and not path.read_text().startswith("# Made from ")
        and "cdef extern from *:" not in path.read_text()
        and not path.read_text().startswith(f"# The functions of {path.stem}.py as C")
    ]
    assert stray == []


@pytest.mark.parametrize("module", DECLARING)
def test_a_made_declaration_file_equals_its_source(module: str) -> None:
    declarations = importlib.import_module(module).declarations()
    assert _build.source_path(module).with_suffix(".pxd").read_text() == declarations


def test_pure_mode_never_loads_an_extension() -> None:
    code = (
        "import importlib, sys; from portcullis import _build\n"
        "for name in _build.HOT_MODULES: importlib.import_module(name)\n"
        "print([m.__file__ for n, m in sys.modules.items()"
        " if n.startswith('portcullis') and not m.__file__.endswith('.py')])"
    )
    done = python(code, PORTCULLIS_PURE="1")
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_package_runs_without_cython_installed() -> None:
    code = (
        "import sys; sys.modules['cython'] = None\n"
        "import importlib; from portcullis import _build\n"
        "for name in _build.HOT_MODULES: importlib.import_module(name)"
    )
    done = python(code, PORTCULLIS_PURE="1")
    assert done.stderr == ""


def test_requiring_the_compiled_and_the_pure_mode_at_once_is_an_error() -> None:
    done = python("import portcullis", PORTCULLIS_PURE="1", PORTCULLIS_REQUIRE_COMPILED="1")
    assert "exclude each other" in done.stderr


def test_an_extension_older_than_its_source_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "portcullis" / "hot.py"
    source.parent.mkdir()
    source.touch()
    extension = source.with_name("hot" + _build.importlib.machinery.EXTENSION_SUFFIXES[0])
    extension.touch()
    monkeypatch.setattr(_build, "_ROOT", tmp_path)
    monkeypatch.setattr(_build, "HOT_MODULES", ("portcullis.hot",))
    os.utime(source, (1000, 1000))
    os.utime(extension, (1000, 1000))
    assert _build.stale_report() == []
    os.utime(source, (1090, 1090))
    assert _build.stale_report() == [
        "portcullis.hot: its extension is 90 s older than its sources"
    ]


def test_a_declaration_newer_than_the_extensions_that_use_it_makes_them_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suffix = _build.importlib.machinery.EXTENSION_SUFFIXES[0]
    texts = {
        "low.pxd": "cdef enum:\n    ONE = 1\n",
        "middle.pxd": "from portcullis.low cimport ONE\n",
        "user.py": "if compiled:\n    from cython.cimports.portcullis.middle import X\n",
        "user" + suffix: "",
        "stranger.py": "",
        "stranger" + suffix: "",
    }
    folder = tmp_path / "portcullis"
    folder.mkdir()
    for file_name, text in texts.items():
        (folder / file_name).write_text(text)
        os.utime(folder / file_name, (1000, 1000))
    monkeypatch.setattr(_build, "_ROOT", tmp_path)
    monkeypatch.setattr(_build, "HOT_MODULES", ("portcullis.user", "portcullis.stranger"))
    assert _build.stale_modules() == []
    os.utime(folder / "low.pxd", (1001, 1001))
    assert _build.stale_modules() == ["portcullis.user"]
    monkeypatch.setattr(_build, "is_pure", lambda: False)
    assert _build.stale_warning().endswith("compiled (`make build`): portcullis.user")
    monkeypatch.setattr(_build, "is_pure", lambda: True)
    assert _build.stale_warning() == ""


def test_an_extension_whose_module_left_the_list_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suffix = _build.importlib.machinery.EXTENSION_SUFFIXES[0]
    extension = tmp_path / "portcullis" / ("cold" + suffix)
    extension.parent.mkdir()
    extension.touch()
    monkeypatch.setattr(_build, "_ROOT", tmp_path)
    monkeypatch.setattr(_build, "HOT_MODULES", ())
    assert len(_build.stale_report()) == 1
    assert extension.name in _build.stale_report()[0]
