"""Logs as people read them: ours and QuickFIX's, by name, by order, as they come, no secrets."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portcullis.tools.log import command
from portcullis.tools.message_log import CAME_IN, EVENT, WENT_OUT, LineReader

NAME = "FIX.4.4-PORTCULLIS-CLIENT1.messages.current.log"
ORDER = "8=FIX.4.4|9=5|35=D|34=2|49=CLIENT1|56=PORTCULLIS|11=o1|54=1|10=001|"
REPORT = "8=FIX.4.4|9=5|35=8|34=2|49=PORTCULLIS|56=CLIENT1|11=o1|39=8|10=001|"
LOGON = "8=FIX.4.4|9=5|35=A|34=1|49=CLIENT1|56=PORTCULLIS|95=4|96=hush|554=hush|10=001|"
WAIT_S = 120.0


def octets(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).replace("|", "\x01").encode()


def at(second: int, text: str) -> str:
    return f"20260102-12:00:{second:02}.000 : {text}"


def show(folder: Path, *arguments: str, color: bool = False) -> Result:
    return CliRunner().invoke(command, [*arguments, str(folder)], color=color)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / NAME).write_bytes(octets(at(1, LOGON), at(3, ORDER), at(4, REPORT)))
    event = tmp_path / NAME.replace("messages", "event")
    event.write_bytes(octets(at(2, "Logged on"), at(5, "Disconnected")))
    return tmp_path


def test_fields_and_values_have_names_and_both_logs_are_in_order_of_time(folder: Path) -> None:
    lines = show(folder).output.splitlines()
    assert [line.split()[1] for line in lines] == ["<", "*", "<", ">", "*"]
    assert lines[2] == (
        "20260102-12:00:03.000 < NewOrderSingle(D) MsgSeqNum(34)=2 SenderCompID(49)=CLIENT1"
        " TargetCompID(56)=PORTCULLIS ClOrdID(11)=o1 Side(54)=1 Buy"
    )


def test_what_came_in_stands_before_what_went_out_in_the_same_millisecond(tmp_path: Path) -> None:
    """The fill of the one who waited before the order that caused it would be told backwards."""
    first, second = NAME, NAME.replace("CLIENT1", "CLIENT2")
    other = ORDER.replace("49=CLIENT1", "49=CLIENT2")
    (tmp_path / first).write_bytes(octets(at(1, ORDER), at(4, REPORT), at(4, ORDER)))
    (tmp_path / second).write_bytes(octets(at(4, other)))
    marks = [
        (line.split()[0][-6:], line.split()[1]) for line in show(tmp_path).output.splitlines()
    ]
    assert marks == [("01.000", "<"), ("04.000", "<"), ("04.000", ">"), ("04.000", "<")]
    assert "CLIENT2" in show(tmp_path).output.splitlines()[1]


def test_programs_have_an_object_a_line_without_secrets(folder: Path) -> None:
    found = [json.loads(line) for line in show(folder, "--json").output.splitlines()]
    assert [one["way"] for one in found] == ["in", "event", "in", "out", "event"]
    assert found[1] == {
        "time": "20260102-12:00:02.000",
        "way": "event",
        "log": "FIX.4.4-PORTCULLIS-CLIENT1",
        "text": "Logged on",
    }
    assert (found[2]["type"], found[2]["name"]) == ("D", "NewOrderSingle")
    assert {"tag": 11, "name": "ClOrdID", "value": "o1"} in found[2]["fields"]
    assert "hush" not in str(found)


def test_that_nothing_fits_is_said(folder: Path) -> None:
    result = show(folder, "--cl-ord-id", "nope")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no entry of these logs is one that was asked for\n"


def test_no_secret_is_shown_though_the_log_has_it(folder: Path) -> None:
    found = show(folder).output
    assert "hush" not in found
    assert "Password(554)=***" in found
    assert "RawData(96)=***" in found


@pytest.mark.parametrize(
    ("arguments", "marks"),
    [
        (("--cl-ord-id", "o1"), ["<", ">"]),
        (("--cl-ord-id", "o2"), []),
        (("--type", "ExecutionReport"), [">"]),
        (("--type", "A", "--type", "D"), ["<", "<"]),
        (("--type", "D", "--cl-ord-id", "o1"), ["<"]),
    ],
)
def test_messages_are_chosen_by_order_and_type(
    folder: Path, arguments: tuple[str, ...], marks: list[str]
) -> None:
    found = show(folder, *arguments).stdout.splitlines()
    assert [line.split()[1] for line in found] == marks


def test_who_follows_what_is_not_there_yet_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    result = CliRunner().invoke(command, ["CLIENT1", "--data", str(tmp_path), "--follow"])
    assert (result.exit_code, result.stderr) == (0, "no log CLIENT1 yet: waiting for one\n")


def test_a_type_that_nobody_knows_is_told_with_the_one_that_is_meant(folder: Path) -> None:
    result = show(folder, "--type", "NewOrderSingel")
    assert result.exit_code == 2
    assert "no message is called 'NewOrderSingel'" in result.output
    assert "did you mean 'NewOrderSingle'?" in result.output
    assert "did you mean 'Enter Order'?" in show(folder, "--type", "Entr Order").output
    assert show(folder, "--type", "Nope").exit_code == 2
    assert show(folder, "--type", "U1").exit_code == 0


def test_a_terminal_has_colours_and_refusals_are_red(folder: Path) -> None:
    found = show(folder, color=True).output.splitlines()
    assert "\x1b[31m" in found[3]  # the report says 39=8
    assert "\x1b[36m" in found[2]
    assert "\x1b" not in show(folder).output


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (f"20260102-12:00:00.123 : {ORDER}", "20260102-12:00:00.123"),
        (f"20260102-12:00:00: {ORDER}", "20260102-12:00:00"),
        (f"2026/01/02 12:00:00.123456 {ORDER}", "2026/01/02 12:00:00.123456"),
        (ORDER, ""),
    ],
)
def test_lines_of_every_quickfix_are_read(line: str, time: str) -> None:
    (found,) = LineReader("FIX.4.4-PORTCULLIS-CLIENT1.messages.log").feed(octets(line))
    assert (found.time, found.way, found.get(11)) == (time, CAME_IN, b"o1")


def test_bytes_may_come_in_any_pieces() -> None:
    reader, found = LineReader(NAME), []
    for place in range(len(whole := octets(at(1, LOGON), at(2, "Logged on"), at(3, REPORT)))):
        found += reader.feed(whole[place : place + 1])
    assert [line.way for line in found] == [CAME_IN, EVENT, WENT_OUT]


def test_a_value_with_a_line_end_stays_in_its_message() -> None:
    text = at(1, ORDER.replace("54=1", "58=one\ntwo"))
    found = list(LineReader(NAME).feed(octets(text, at(2, REPORT))))
    assert [line.get(58) for line in found] == [b"one\ntwo", b""]


def test_what_a_client_sends_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(octets(at(1, ORDER.replace("o1", "\x1b[2J\x07"))))
    found = show(path).output
    assert "\x1b" not in found
    assert r"ClOrdID(11)=\x1b[2J\x07" in found


def test_a_client_s_logs_are_found_in_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for client in ("CLIENT1", "CLIENT12"):
        path = tmp_path / "logs" / NAME.replace("CLIENT1", client)
        path.write_bytes(octets(at(1, client)))
    found = CliRunner().invoke(command, ["CLIENT1", "--data", str(tmp_path)])
    assert found.output == "20260102-12:00:01.000 * CLIENT1\n"
    missing = CliRunner().invoke(command, ["NOBODY", "--data", str(tmp_path)])
    assert (missing.exit_code, missing.output) == (1, "Error: no log NOBODY\n")


def test_of_several_sessions_each_line_says_whose_it_is(tmp_path: Path) -> None:
    for user, token in (("OUCH1", "t 1"), ("OUCH2", "t 12")):
        said = f"in Enter Order order_token={token} buy_sell=B"
        (tmp_path / f"OUCH-{user}.messages.current.log").write_bytes(octets(at(1, said)))
        (tmp_path / f"OUCH-{user}.event.current.log").write_bytes(octets(at(2, "Logged out")))
    lines = show(tmp_path).output.splitlines()
    assert [line.split(" ", 1)[1].split(" order_token")[0] for line in lines] == [
        "< OUCH-OUCH1: Enter Order",
        "< OUCH-OUCH2: Enter Order",
        "* OUCH-OUCH1: Logged out",
        "* OUCH-OUCH2: Logged out",
    ]
    lines = show(tmp_path, "--cl-ord-id", "t 1").output.splitlines()
    assert lines == ["20260102-12:00:01.000 < OUCH-OUCH1: Enter Order order_token=t 1 buy_sell=B"]


def test_messages_of_ouch_are_chosen_by_their_names(tmp_path: Path) -> None:
    said = ("in Login Request username=OUCH1 sequence=1", "out 1 System Event timestamp=1")
    said += ("in Enter Order order_token=t buy_sell=B", "out 2 Accepted timestamp=1 order_token=t")
    log = octets(
        *(at(second, text) for second, text in enumerate(said)), at(9, "in Logout Request")
    )
    (tmp_path / "OUCH-OUCH1.messages.current.log").write_bytes(log)
    (tmp_path / NAME).write_bytes(octets(at(1, LOGON)))
    for kinds, count in (("Accepted", 1), ("enterorder", 1), ("Logout Request", 1), ("A", 1)):
        assert len(show(tmp_path, "--type", kinds).output.splitlines()) == count, kinds
    both = show(tmp_path, "--type", "Enter Order", "--type", "Logon").output.splitlines()
    assert len(both) == 2


def test_it_goes_on_with_what_comes_and_with_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(octets(at(1, "one")))
    program = [sys.executable, "-m", "portcullis.tools.main", "log", "--follow", str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None

        def line() -> str:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], WAIT_S)[0], "nothing came"
            return process.stdout.readline().decode().split()[-1]

        assert line() == "one"
        with path.open("ab") as log:
            log.write(octets(at(2, "two")))
        assert line() == "two"
        path.rename(path.with_suffix(".1"))
        path.write_bytes(octets(at(3, "three")))
        assert line() == "three"
        process.terminate()


def test_a_message_that_never_ends_costs_its_bytes_once_and_shows_no_more_than_its_beginning() -> (
    None
):
    reader = LineReader("FIX.4.4-A-B.messages")
    broken = b"20260102-12:00:00.123 : 8=FIX.4.4\x019=9\x0135=A\x0196=x\n" + b"secret\n" * 300_000
    whole = b"20260102-12:00:01.123 : 8=FIX.4.4\x019=5\x0135=0\x0110=000\x01\n"
    shown = [*reader.feed(broken), *reader.feed(whole), *reader.end()]
    assert [line.time for line in shown] == ["20260102-12:00:00.123", "20260102-12:00:01.123"]
    assert all("secret" not in line.text for line in shown)


def test_a_message_that_was_never_finished_does_not_swallow_the_next() -> None:
    reader = LineReader("FIX.4.4-A-B.messages")
    torn = b"20260102-12:00:00.123 : 8=FIX.4.4\x019=9\x0135=D\x0158=to\n"
    whole = b"20260102-12:00:01.123 : 8=FIX.4.4\x019=5\x0135=0\x0110=000\x01\n"
    shown = [*reader.feed(torn + whole), *reader.end()]
    assert [line.get(35) for line in shown] == [b"D", b"0"]


def test_a_value_with_line_ends_stays_in_its_message() -> None:
    reader = LineReader("FIX.4.4-A-B.messages")
    message = (
        b"20260102-12:00:00.123 : 8=FIX.4.4\x0135=D\x0158=one\ntwo\r\nthree\x0110=000\x01\r\n"
    )
    (shown,) = [*reader.feed(message), *reader.end()]
    assert shown.get(58) == b"one\ntwo\r\nthree"
