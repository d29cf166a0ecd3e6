"""Rules of the house that no linter holds: sizes, names, and documents that tell the truth."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from portcullis import _build
from portcullis.tools.main import main

ROOT = Path(__file__).parent.parent
LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
)
FILES = [ROOT / name for name in LISTED.stdout.split() if (ROOT / name).is_file()]
SOURCES = [path for path in FILES if path.suffix == ".py"]
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
# Names that say nothing of what a file owns.
EMPTY_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "managers",
    "base",
}
LINES_MAX = 900
# A hot chain stands in one file: Cython inlines only within a file.
HOT_LINES_MAX = 1500
HOT = {_build.source_path(module) for module in _build.HOT_MODULES}

pytestmark = pytest.mark.skipif(not SOURCES, reason="not a git checkout")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCES}
    assert {
        name(path): lines
        for path, lines in lengths.items()
        if lines > (HOT_LINES_MAX if path in HOT else LINES_MAX)
    } == {}


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [name(path) for path in SOURCES if path.stem in EMPTY_NAMES] == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        name(path)
        for path in SOURCES
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert [name(path) for path in SOURCES if marks.search(path.read_text())] == []


def commands(document: Path) -> list[tuple[str, str]]:
    """(program, first argument) of each make and portcullis line in the fenced blocks."""
    blocks = re.findall(r"^```(?:sh|console|text)?\n(.*?)^```", document.read_text(), re.M | re.S)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    pattern = re.compile(r"(?:\.venv/bin/)?(make|portcullis) ([a-z][a-z-]*)")
    return [match.groups() for line in lines if (match := pattern.match(line))]  # type: ignore[misc]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_command_in_a_document_exists(document: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    known = {"make": set(targets), "portcullis": set(main.list_commands(None))}  # type: ignore[arg-type]
    assert [
        f"{program} {argument}"
        for program, argument in commands(document)
        if argument not in known[program]
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_relative_link_of_a_document_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_test_that_a_document_names_exists(document: Path) -> None:
    for path, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", document.read_text()):
        assert f"\ndef {test}(" in (ROOT / path).read_text(), f"{path}::{test}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(r"`((?:portcullis|tests|docs)/[\w./]+)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []
