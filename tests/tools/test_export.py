"""The journal as Parquet: every sealed row once, and a question answered from it."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.startup import recover
from portcullis.journal import rows
from portcullis.journal.reader import dump
from portcullis.tools.gateway_process import CONFIG
from portcullis.tools.journal import command
from tests.engine.naive_matcher import Command
from tests.support.commands import append

pytest.importorskip("pyarrow")
EXAMPLE = Path(__file__).parents[2] / "examples" / "fill_ratio.py"
SMALL = """
[journal]
segment_rows = 32768
[limits]
orders = 2000
ids = 10000
levels = 1000
sessions = 10
"""


def test_without_its_libraries_an_export_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    line = ["export", "--data", str(tmp_path), "--parquet", str(tmp_path / "exported")]
    done = CliRunner().invoke(command, line)
    assert done.exit_code == 2 and "pip install 'portcullis[parquet]'" in done.output
    assert not (tmp_path / "exported").exists()


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fill_ratio", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_row_is_exported_and_the_fill_ratio_is_what_the_dump_says(
    tmp_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    loaded = Loaded(parse(CONFIG.format(port=0) + SMALL, "g.toml"), "g.toml", Path())
    gateway = recover(loaded, tmp_path / "data")
    table = gateway.journal.table
    for _ in range(40):
        for _ in range(draw.randint(1, 30)):
            session = draw.randint(1, 2)
            terms = {"side": draw.choice("12"), "qty": draw.randint(0, 9), "account": session}
            price, name = 1000 + draw.randint(-3, 3), b"%x" % draw.getrandbits(60)
            assert append(
                table,
                Command(rows.NEW_ORDER, session, name, price=price, **terms),  # type: ignore[arg-type]
            )
        gateway.engine.run()
        gateway.journal.seal()
    gateway.journal.close()

    exported = tmp_path / "exported"
    done = CliRunner().invoke(
        command, ["export", "--data", str(tmp_path / "data"), "--parquet", str(exported), "--json"]
    )
    assert done.exit_code == 0, done.output
    shown = list(dump(tmp_path / "data"))
    counted = Counter(one["kind"] for one in shown)
    assert json.loads(done.output) == counted

    # The same from the dump, order by order.
    last: dict[int, dict[str, int]] = {}
    for one in shown:
        if one["kind"] == "report" and one["exec_type"] != "8":
            last[one["order_id"]] = one
    names = {one["subject"]: one["items"]["name"] for one in shown if one["kind"] == "session"}
    expected = {}
    for session, name in names.items():
        mine = [one for one in last.values() if one["session"] == session]
        ordered = sum(one["order_qty"] for one in mine)
        expected[name] = sum(one["cum_qty"] for one in mine) / ordered
    assert example().fill_ratios(exported) == pytest.approx(expected)
