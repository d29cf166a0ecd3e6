"""The shipped corpora against our own gateway, as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.tools.conform import corpus
from tests.support.conformance import CONFIG, ECHO, ORDERS, OUCH, PATIENT, conform
from tests.support.fix_client import FixClient, utc_now
from tests.support.gateway_process import GatewayProcess

# Every case of the FIX Trading Community's session test cases that an acceptor is asked for; 1B is
# the initiator's, and is in `certify-fix44`.
SESSION_CASES = (
    "1S.a 1S.b 1S.c 1S.d 2S 2.a 2.b 2.c 2.d 2.e 2.f 2.g 2.h 2.i 2.j 2.k 2.l 2.m 2.n 2.o 2.p 2.q"
    " 2.r 2.s 2.t 3.a 3.b 3.c 3.d 3.e 4.a 4.b 5 6 7 8 9 10.a 10.b 10.c 10.d 10.e 11.a 11.b 11.c"
    " 12 13.a 13.b 14.a 14.b 14.c 14.d 14.e 14.f 14.g 14.h 14.i 14.j 14.k 14.l 14.m 14.n 15"
    " 16.a 16.b 17.a 17.b 18.a 18.b 19.a 19.b 20"
).split()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("gateway"), CONFIG) as gateway:
        yield gateway


@pytest.fixture(scope="module", autouse=True)
def binary_run(gateway: GatewayProcess) -> Iterator[subprocess.Popen[str]]:
    """OUCH beside the rest: a silent client's time-out alone takes 15 seconds."""
    command = [sys.executable, "-m", "portcullis.tools.main", "conform", "run"]
    command += [f"--target=127.0.0.1:{gateway.ouch_port}", "--corpus=soupbintcp"]
    command += ["--corpus=ouch42", *OUCH, *PATIENT]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process
        process.kill()


def test_the_session_corpus_has_every_numbered_case() -> None:
    covered = {case for one in corpus.load("fix44-session") for case in one.fix_cases}
    assert sorted(set(SESSION_CASES) - covered) == []


ORDER_CASES = (
    "A.1.a A.1.b B.1.a B.1.b B.1.c B.1.d B.1.e B.1.f C.1.a C.1.b C.1.c C.2.a C.3.a C.3.b C.3.c"
    " D.1.a D.1.b D.1.c D.2.a D.2.b D.2.c D.2.d E.1.a E.1.b E.1.c E.1.d E.1.e F.1.a F.1.b F.1.c"
    " G.1.a G.1.b G.1.c H.1.a I.1.a I.1.b J.1.a J.1.b K.1.a K.1.b L.1.a L.1.b"
).split()
# What our gateway answers to in a way of its own is asked for as well.
OURS = ["--offers=self-trade-prevention"]


def test_the_order_corpus_has_every_row_of_the_order_state_tables() -> None:
    covered = {case for one in corpus.load("fix44-orders") for case in one.fix_cases}
    assert sorted({f"D.{case}" for case in ORDER_CASES} - covered) == []


@pytest.mark.parametrize(
    ("names", "clients"),
    [
        (["fix44-session", "fix44-hostile"], ECHO),
        (["fix44-session", "fix44-orders"], ORDERS + OURS),
    ],
    ids=["echo", "orders"],
)
def test_the_corpora_hold(gateway: GatewayProcess, names: list[str], clients: list[str]) -> None:
    chosen = [f"--corpus={name}" for name in names]
    result = conform("run", f"--target=127.0.0.1:{gateway.port}", *chosen, *clients, *PATIENT)
    assert result.exit_code == 0, result.output


def test_the_binary_corpora_hold(binary_run: subprocess.Popen[str]) -> None:
    output, _ = binary_run.communicate(timeout=300)
    assert (binary_run.returncode, " 0 skipped," in output) == (0, True), output


def test_what_only_an_operator_can_do_holds(gateway: GatewayProcess, tmp_path: Path) -> None:
    ours = f"{sys.executable} -m portcullis.tools.main"
    more = f"--data {gateway.data} --why conformance"
    commands = {
        "bust": f"{ours} bust {{trade}} {more}",
        "correct": f"{ours} correct {{trade}} --price {{price-1}} {more}",
        "logout-by-target": f"{ours} sessions disconnect FIX.4.4:PORTCULLIS->{{us}} {more}",
        "day-end": f"{ours} day end {more}",
    }
    profile = tmp_path / "profile.toml"
    lines = [f'{name} = "{command}"' for name, command in commands.items()]
    profile.write_text("\n".join(["scenario_s = 600", "[operator]", *lines]))
    # The end of the day is for all: alone.
    for names in (["J.1.*", "12-logout-by-target"], ["H.1.a-*"]):
        result = conform(
            "run", f"--target=127.0.0.1:{gateway.port}", f"--profile={profile}", *ORDERS,
            "--corpus=fix44-session", "--corpus=fix44-orders", *PATIENT,
            *(f"--only={one}" for one in names),
        )  # fmt: skip
        assert (result.exit_code, "skipped," in result.output) == (0, True), result.output
        assert " 0 skipped," in result.output


def test_an_operator_who_fails_is_told(gateway: GatewayProcess, tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text('[operator]\nlogout-by-target = "ls /nowhere/{us}"\n')
    result = conform(
        "run", f"--target=127.0.0.1:{gateway.port}", f"--profile={profile}", *ORDERS,
        "--only=12-logout-by-target",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "the operator's command logout-by-target failed" in result.output


def test_reports_still_owed_to_a_client_are_no_refusal_and_no_failure(
    gateway: GatewayProcess,
) -> None:
    owed, other = (FixClient(name, gateway.port) for name in ("O15", "O16"))
    owed.log_on("141=Y")
    terms = ("38=10", "40=2", "44=50", "55=S8", f"60={utc_now()}")
    owed.send("D", "11=RESTS", "54=1", *terms)
    owed.expect("8", t150="0")
    owed.close()
    other.log_on("141=Y")
    other.send("D", "11=TRADES", "54=2", *terms)
    assert {other.receive()[150] for _ in range(2)} == {"0", "F"}
    other.log_out()
    result = conform(
        "run", f"--target=127.0.0.1:{gateway.port}", "--client=O15", "--client=O16",
        "--symbol=S8", "--only=1S.a-*", *PATIENT,
    )  # fmt: skip
    assert result.exit_code == 0, result.output


def test_a_client_that_has_logged_out_itself_leaves_no_order_behind(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    (tmp_path / "mine.scenario").write_text(
        "scenario left An order rests when its client goes\n"
        "  logon\n"
        "  send NewOrderSingle 11=LEFT|38=1|40=2|44=50|54=1|55={symbol}|60={now}\n"
        "  expect ExecutionReport 150=0|11=LEFT\n"
        "  send Logout\n"
        "  expect Logout\n"
    )
    result = conform(
        "run", f"--target=127.0.0.1:{gateway.port}", f"--corpus={tmp_path}", "--client=O15",
        "--symbol=S8", *PATIENT,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    client = FixClient("O15", gateway.port)
    client.log_on("141=Y")
    client.send("H", "11=LEFT", "54=1", "55=S8")
    assert client.expect("8", t150="I")[39] == "4"
    client.log_out()


def test_scenarios_in_the_language_of_quickfix_run_as_they_are(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    (tmp_path / "2b_TooHigh.def").write_text(
        "# The field's own language.\n"
        "iCONNECT\n"
        "I8=FIX.4.4|35=A|34=1|49=TW44|52=<TIME>|56=ISLD|98=0|108=30|\n"
        "E8=FIX.4.4|9=63|35=A|34=1|49=ISLD|52=00000000-00:00:00.000|56=TW44|98=0|108=30|10=0|\n"
        "I8=FIX.4.4|35=D|34=3|49=TW44|52=<TIME>|56=ISLD|11=B|21=3|40=1|54=1|55=X|60=<TIME-1>|\n"
        "E8=FIX.4.4|9=60|35=2|34=2|49=ISLD|52=00000000-00:00:00.000|56=TW44|7=2|16=0|10=0|\n"
        "I8=FIX.4.4|35=D|34=2|43=Y|49=TW44|52=<TIME>|56=ISLD|122=<TIME>"
        "|11=A|21=3|40=1|54=1|55=X|60=<TIME>|\n"
        "E8=FIX.4.4|9=97|35=D|34=3|49=ISLD|52=00000000-00:00:00.000|56=TW44"
        "|11=A|21=3|40=1|54=1|55=X|60=00000000-00:00:00|10=0|\n"
        "E8=FIX.4.4|9=97|35=D|34=4|49=ISLD|52=00000000-00:00:00.000|56=TW44"
        "|11=B|21=3|40=1|54=1|55=X|60=00000000-00:00:00|10=0|\n"
        "I8=FIX.4.4|9=999|35=1|34=4|49=TW44|52=<TIME>|56=ISLD|112=GARBLED|\n"
        "iDISCONNECT\n".replace("|", "\x01")
    )
    for grade in ("strict", "tolerant"):
        result = conform(
            "run", f"--target=127.0.0.1:{gateway.port}", f"--corpus={tmp_path}",
            f"--grade={grade}", *PATIENT,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
