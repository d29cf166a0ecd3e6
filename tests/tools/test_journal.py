"""What a person reads of a journal: names for numbers, decimals for units."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from portcullis.tools.gateway_process import CONFIG
from portcullis.tools.journal_names import JournalNames
from portcullis.tools.main import main
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

# Small, as each command reads all of it.
SMALL = CONFIG + "[journal]\nsegment_rows = 32768\n"
STREAM = """
[[stream]]
name = "some"
groups = ["239.1.1.1:9"]
accounts = ["CLIENT1", "CLIENT2"]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a session that traded with another."""
    with GatewayProcess(tmp_path_factory.mktemp("journal"), SMALL + STREAM) as gateway:
        seller, buyer = (FixClient(name, gateway.port) for name in ("CLIENT1", "CLIENT2"))
        for client in (seller, buyer):
            client.log_on()
        seller.link.sendall(seller.order("s1", "2", "2", "100.5"))
        seller.expect("8", t150="0")
        buyer.link.sendall(buyer.order("b1", "1", "0.5", "101"))
        buyer.expect("8", t150="0")
        buyer.expect("8", t150="F")
        filled = seller.expect("8", t150="F")
        bust = ["bust", filled[17], "--why", "x", "--data", str(gateway.data)]
        said = CliRunner().invoke(main, bust).output
        assert re.fullmatch(
            r"match \d+ \(0\.5 BTC-USD at 100\.5 between FIX\.4\.4:PORTCULLIS->CLIENT2"
            r" and FIX\.4\.4:PORTCULLIS->CLIENT1\) is busted\n",
            said,
        )
        for client in (seller, buyer):
            client.expect("8", t150="H")
        seller.send("F", "11=c", "41=none", "54=2", "55=BTC-USD", "60=20260102-12:00:00")
        seller.expect("9", t102="1")
        for client in (seller, buyer):
            client.log_out()
        return gateway.data


def lines(*arguments: str) -> list[str]:
    done = CliRunner().invoke(main, ["journal", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_prices_and_quantities_are_decimals_and_numbers_have_names(data: Path) -> None:
    (sell, _) = lines("dump", "--kind", "new_order", "--data", str(data))
    for said in (
        "FIX.4.4:PORTCULLIS->CLIENT1", "order_qty=2 ", "price=100.5 ", "instrument=BTC-USD",
        "account=CLIENT1", "transact_time=20",
    ):  # fmt: skip
        assert said in sell
    fill = lines("dump", "--kind", "report", "--data", str(data))[3]
    assert "last_px=100.5 last_qty=0.5 leaves_qty=1.5 cum_qty=0.5 avg_px=100.5 order_qty=2" in fill
    assert (
        "why='Unknown order'" in lines("dump", "--kind", "cancel_reject", "--data", str(data))[0]
    )
    assert "event=logged_on" in lines("dump", "--kind", "session_event", "--data", str(data))[0]
    assert (
        "fill_qty=0.5 fill_price=100.5" in lines("dump", "--kind", "bust", "--data", str(data))[0]
    )
    assert "tick=0.01 lot=0.0001" in lines("dump", "--kind", "instrument", "--data", str(data))[0]


def test_an_operator_s_quantities_and_prices_are_decimals(data: Path) -> None:
    (bust,) = lines("dump", "--kind", "operator", "--data", str(data))
    assert '"sum": "50.25", "other_sum": "50.25"' in bust
    (row,) = map(json.loads, lines("dump", "--kind", "operator", "--json", "--data", str(data)))
    arguments = {**json.loads(row["items"]["value"]), "qty": 2500, "price": 10050}
    row["items"]["value"] = json.dumps(arguments)
    told = json.loads(JournalNames(data).readable(row)["items"]["value"])
    assert (told["qty"], told["price"]) == ("0.25", "100.5")
    assert told["match"] == arguments["match"]


@pytest.mark.parametrize("name", ["FIX.4.4:PORTCULLIS->CLIENT2", "CLIENT2", "2"])
def test_a_session_is_chosen_by_key_name_or_number(data: Path, name: str) -> None:
    (order,) = lines("dump", "--session", name, "--kind", "NEW_ORDER", "--data", str(data))
    assert " new_order " in order and "PORTCULLIS->CLIENT2" in order


def test_a_session_that_nobody_knows_is_said(data: Path) -> None:
    asked = ["journal", "dump", "--session", "CLIENT", "--data", str(data)]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 1
    assert result.output.startswith("portcullis: session: 'CLIENT' may be any of FIX.4.4:")
    asked[3] = "nope"
    said = "session: there is none called 'nope'; `portcullis sessions` lists them"
    assert CliRunner().invoke(main, asked).output == f"portcullis: {said}\n"


def test_a_stream_names_its_accounts(data: Path) -> None:
    (stream,) = lines("dump", "--kind", "stream", "--data", str(data))
    assert "value='CLIENT1,CLIENT2'" in stream


def test_json_has_rows_as_they_stand(data: Path) -> None:
    shown = json.loads(lines("dump", "--json", "--kind", "new_order", "--data", str(data))[0])
    assert (shown["price"], shown["order_qty"], shown["session"]) == (10050, 20000, 1)


def test_who_reads_no_further_is_told_nothing_of_it(data: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    asked = ["-m", "portcullis.tools.main", "journal", "dump", "--json", "--data", str(data)]
    try:
        done = subprocess.run(
            [sys.executable, *asked], stdout=writes, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (1, b"")


def test_that_there_are_no_such_rows_is_said(data: Path) -> None:
    asked = ["journal", "dump", "--from-row", "99999", "--data", str(data)]
    result = CliRunner().invoke(main, asked)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no sealed row of this journal is one that was asked for\n"


def test_counts_are_by_the_names_of_sessions(data: Path) -> None:
    assert any(
        "session FIX.4.4:PORTCULLIS->CLIENT2" in line
        for line in lines("stats", "--data", str(data))
    )
