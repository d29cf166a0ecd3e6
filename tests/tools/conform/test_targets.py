"""Targets that are not there, say nothing, say nonsense or never stop: told, in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portcullis.gateway.config import load
from portcullis.tools.conform.link import StreamLink
from portcullis.tools.conform.target import Target
from portcullis.tools.conform.values import TemplateError, Values
from portcullis.tools.conform.wire import FixWire
from portcullis.tools.gateway_process import free_port
from tests.support.conformance import PATIENT, conform
from tests.support.fix_client import TIMEOUT_S

LOGON_ANSWER = "8=FIX.4.4|9={}|35=A|34=1|49=PORTCULLIS|52=20261121-00:00:00|56=CLIENT1|"
BODY = "98=0|108=30|141=Y|"
Talk = Callable[[socket.socket], None]


class Peer:
    """A listener whose every connection is given to `talk` in a thread."""

    def __init__(self, talk: Talk) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._talk = talk
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            with link:
                link.settimeout(TIMEOUT_S)
                try:
                    self._talk(link)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(TIMEOUT_S)


@pytest.fixture
def peer() -> Iterator[Callable[[Talk], Peer]]:
    peers: list[Peer] = []

    def make(talk: Talk) -> Peer:
        peers.append(Peer(talk))
        return peers[-1]

    yield make
    for one in peers:
        one.close()


def say_nothing(link: socket.socket) -> None:
    while link.recv(1 << 16):
        pass


def close_at_once(link: socket.socket) -> None:
    link.recv(1 << 16)


def never_stop(link: socket.socket) -> None:
    link.recv(1 << 16)
    while True:
        link.sendall(b"8=FIX.4.4\x019=5\x0135=0\x0158=" + b"A" * 65536)


def say_nonsense(link: socket.socket) -> None:
    link.recv(1 << 16)
    link.sendall(b"HTTP/1.1 400 Bad Request\x01=\x01")
    say_nothing(link)


@pytest.mark.parametrize(
    ("talk", "patience", "said"),
    [
        (say_nothing, "0.5", "nothing came within 0.5 s; expected Logon(A)"),
        (close_at_once, "60", "the target closed the connection; expected Logon(A)"),
        (never_stop, "60", "more than 262144 bytes without a whole message"),
        (say_nonsense, "60", "received bytes are no FIX"),
    ],
)
def test_a_target_of_no_use_is_told_at_once_and_is_no_failure_of_a_scenario(
    peer: Callable[[Talk], Peer], talk: Talk, patience: str, said: str
) -> None:
    result = conform("run", f"--target=127.0.0.1:{peer(talk).port}", f"--patience={patience}")
    assert result.exit_code == 2
    assert said in result.output
    assert "CLIENT1 cannot log on to PORTCULLIS" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target=127.0.0.1"], "'127.0.0.1' is no HOST:PORT"),
        (["--target=127.0.0.1:²"], "'127.0.0.1:²' is no HOST:PORT"),
        (["--target=127.0.0.1:" + "9" * 5000], "is no HOST:PORT"),
        (["--target=127.0.0.1:1", "--corpus=nowhere"], "no corpus, folder or file 'nowhere'"),
        (["--target=127.0.0.1:1", "--only=nothing"], "no scenario fits nothing"),
        (["--target=127.0.0.1:1", "--profile=nowhere.toml"], "nowhere.toml: No such file"),
        (["--target=127.0.0.1:1", "--client=A"], "2 clients are needed at once, and 1 are named"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line_with_exit_code_2(
    arguments: list[str], said: str
) -> None:
    result = conform("run", *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert len(result.output.splitlines()) == 1


def test_an_unreachable_target_is_exit_code_2_and_leaves_reports_as_they_were(
    tmp_path: Path,
) -> None:
    older, none = tmp_path / "older.html", tmp_path / "none.json"
    older.write_text("older")
    files = [f"--html={older}", f"--json={none}"]
    result = conform("run", f"--target=127.0.0.1:{free_port()}", *files)
    assert result.exit_code == 2
    assert "Connection refused" in result.output
    assert older.read_text() == "older" and not none.exists()


def test_a_profile_with_a_wrong_key_names_it(tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text('comp = "X"\n')
    result = conform("run", "--target=127.0.0.1:1", f"--profile={profile}")
    assert result.exit_code == 2
    assert "unknown field `comp`" in result.output


def log_on(link: socket.socket) -> None:
    """Answer a Logon, whoever it is of."""
    request = link.recv(1 << 16)
    client = request.partition(b"\x0149=")[2].partition(b"\x01")[0].decode()
    link.sendall(framed(LOGON_ANSWER.replace("CLIENT1", client), BODY))


def log_on_and_say_nothing(link: socket.socket) -> None:
    log_on(link)
    say_nothing(link)


def log_on_and_never_rest(link: socket.socket) -> None:
    log_on(link)
    number = 2
    while True:
        head = f"8=FIX.4.4|9={{}}|35=0|34={number}|49=PORTCULLIS|52=20261121-00:00:00|56=CLIENT1|"
        link.sendall(framed(head, "") * 100)
        number += 1


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (log_on_and_say_nothing, "nothing came within 0.5 s; expected Heartbeat(0)"),
        (log_on_and_never_rest, "TestReqID(112): expected A, received (absent)"),
    ],
)
def test_a_target_that_hangs_or_never_rests_makes_a_scenario_fall_in_time(
    peer: Callable[[Talk], Peer], tmp_path: Path, talk: Talk, said: str
) -> None:
    (tmp_path / "own.scenario").write_text(
        "scenario a Asked\n rule r\n logon\n send TestRequest 112=A\n"
        " expect Heartbeat 112=A ; within 0.5s\n"
        "scenario b Quiet\n rule r\n logon\n expect TestRequest ; within 0.5s\n"
    )
    result = conform(
        "run", f"--target=127.0.0.1:{peer(talk).port}", f"--corpus={tmp_path}", "--patience=60"
    )
    assert (result.exit_code, said in result.output) == (1, True), result.output
    assert "0 hold, 2 fall" in result.output
    assert len(result.output) < 4000


def answer_with_the_next(link: socket.socket) -> None:
    """Answer the first TestRequest together with the second."""
    log_on(link)
    asked = 0
    while octets := link.recv(1 << 16):
        asked += octets.count(b"\x0135=1\x01")
        for number in range(2, 4) if asked == 2 else ():
            head = f"8=FIX.4.4|9={{}}|35=0|34={number}|49=PORTCULLIS|52=20261121-00:00:00|"
            link.sendall(framed(head + "56=CLIENT1|", f"112={'AB'[number - 2]}|"))


def test_what_might_come_may_come_late(peer: Callable[[Talk], Peer], tmp_path: Path) -> None:
    (tmp_path / "own.scenario").write_text(
        "scenario a Asked twice\n rule r\n logon\n send TestRequest 112=A\n"
        " maybe Heartbeat 112=A ; within 50ms\n send TestRequest 112=B\n"
        " expect Heartbeat 112=B\n silent 50ms\n"
    )
    port = peer(answer_with_the_next).port
    result = conform("run", f"--target=127.0.0.1:{port}", f"--corpus={tmp_path}", *PATIENT)
    assert result.exit_code == 0, result.output


def answer_in_a_while(link: socket.socket) -> None:
    log_on(link)
    link.recv(1 << 16)
    with contextlib.suppress(TimeoutError):
        link.settimeout(0.3)
        link.recv(1)
    head = "8=FIX.4.4|9={}|35=0|34=2|49=PORTCULLIS|52=20261121-00:00:00|56=CLIENT1|"
    link.sendall(framed(head, "112=A|"))
    link.settimeout(TIMEOUT_S)
    say_nothing(link)


@pytest.mark.parametrize(("leeway", "code"), [("0", 1), ("60", 0)])
def test_leeway_lets_what_is_expected_come_late(
    peer: Callable[[Talk], Peer], tmp_path: Path, leeway: str, code: int
) -> None:
    (tmp_path / "own.scenario").write_text(
        "scenario a Asked\n rule r\n logon\n send TestRequest 112=A\n"
        " expect Heartbeat 112=A ; within 50ms\n"
    )
    port = peer(answer_in_a_while).port
    result = conform(
        "run", f"--target=127.0.0.1:{port}", f"--corpus={tmp_path}", f"--leeway={leeway}",
        "--patience=60",
    )  # fmt: skip
    assert result.exit_code == code, result.output


def test_what_is_read_behind_a_pause_of_ours_may_have_come_at_any_time_of_it() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            place = listener.getsockname()
            link = await StreamLink.connect(*place, FixWire(), TIMEOUT_S)
            link._ran_s -= 5  # as if its turns had not come meanwhile
            for _ in range(2):
                at_s, earliest_s = link._times()
                assert at_s - earliest_s > 4.9
                link._beat()
            await link.close()

    asyncio.run(run())


def say_what_terminals_obey(link: socket.socket) -> None:
    log_on(link)
    link.recv(1 << 16)
    head = "8=FIX.4.4|9={}|35=0|34=2|49=PORTCULLIS|52=20261121-00:00:00|56=CLIENT1|"
    link.sendall(framed(head, "112=\x1b[2J" + "A" * 9000 + "|"))
    say_nothing(link)


def test_what_a_target_says_does_not_reach_a_terminal_as_it_is(
    peer: Callable[[Talk], Peer], tmp_path: Path
) -> None:
    (tmp_path / "own.scenario").write_text(
        "scenario a Asked\n rule r\n logon\n send TestRequest 112=A\n expect Heartbeat 112=A\n"
    )
    port = peer(say_what_terminals_obey).port
    result = conform("run", f"--target=127.0.0.1:{port}", f"--corpus={tmp_path}")
    assert r"TestReqID(112): expected A, received \x1b[2JAAA" in result.output
    assert len(result.output) < 4000 and "\x1b" not in result.output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bust 'it", "operator.end: No closing quotation: bust 'it"),
        ("", "operator.end: expected a command"),
    ],
)
def test_a_command_of_the_operator_that_is_none_is_exit_code_2(
    tmp_path: Path, command: str, said: str
) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text(f'[operator]\nend = "{command}"\n')
    result = conform("run", "--target=127.0.0.1:1", f"--profile={profile}")
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_a_command_of_the_operator_that_is_not_there_makes_the_scenario_fall(
    peer: Callable[[Talk], Peer], tmp_path: Path
) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text('[operator]\nend = "/nowhere/end"\n')
    (tmp_path / "own.scenario").write_text("scenario a A\n rule r\n connect\n operate end It.\n")
    result = conform(
        "run", f"--target=127.0.0.1:{peer(log_on_and_say_nothing).port}",
        f"--corpus={tmp_path / 'own.scenario'}", f"--profile={profile}",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "the operator's command end failed: [Errno 2] No such file" in result.output


def test_a_report_that_cannot_be_written_is_told_before_anything_is_run(tmp_path: Path) -> None:
    result = conform("run", "--target=127.0.0.1:1", f"--html={tmp_path / 'no' / 'r.html'}")
    assert (result.exit_code, "No such file or directory" in result.output) == (2, True)


def test_a_login_answer_without_a_number_ends_no_run_by_a_traceback(
    peer: Callable[[Talk], Peer],
) -> None:
    def accept(link: socket.socket) -> None:
        link.recv(1 << 16)
        link.sendall(b"\x00\x1fA" + b"S1".rjust(10) + b"MANY".rjust(20))
        say_nothing(link)

    result = conform(
        "run", f"--target=127.0.0.1:{peer(accept).port}", "--corpus=soupbintcp", "--patience=60",
        "--client=A:B", "--client=C:D", "--only=login",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "sequence: expected 1, received MANY" in result.output


# --- what a failure looks like -------------------------------------------------------------------


def answer_logons_wrongly(link: socket.socket) -> None:
    """A Logon that is right, then a Heartbeat with a wrong TestReqID and number."""
    link.recv(1 << 16)
    link.sendall(framed(LOGON_ANSWER, BODY))
    request = link.recv(1 << 16)
    if b"\x0135=1\x01" in request:
        head = "8=FIX.4.4|9={}|35=0|34=7|49=PORTCULLIS|52=20261121-00:00:00|56=CLIENT1|"
        link.sendall(framed(head, "112=<OTHER>|"))
    elif b"\x0135=5\x01" in request:
        head = "8=FIX.4.4|9={}|35=5|34=2|49=PORTCULLIS|52=20261121-00:00:00|56=CLIENT1|"
        link.sendall(framed(head, ""))
    say_nothing(link)


def owe_a_report(link: socket.socket) -> None:
    link.recv(1 << 16)
    link.sendall(framed(LOGON_ANSWER.replace("35=A", "35=8"), "150=F|"))
    say_nothing(link)


def test_a_report_in_front_of_the_answer_to_a_logon_is_no_refusal(
    peer: Callable[[Talk], Peer],
) -> None:
    result = conform(
        "run", f"--target=127.0.0.1:{peer(owe_a_report).port}", "--client=CLIENT1",
        "--only=1S.a-*", "--patience=60",
    )  # fmt: skip
    assert "cannot log on" not in result.output
    assert "expected Logon(A), received ExecutionReport(8)" in result.output
    assert result.exit_code == 1


def framed(head: str, body: str) -> bytes:
    text = (head + body).replace("|", "\x01")
    counted = text[text.index("35=") :]
    octets = text.format(len(counted)).encode()
    return octets + b"10=%03d\x01" % (sum(octets) % 256)


@pytest.fixture
def reports(peer: Callable[[Talk], Peer], tmp_path: Path) -> Path:
    """Reports of a run in which one scenario falls and one is skipped."""
    (tmp_path / "own.scenario").write_text(
        "area Own\nscenario wrong A Heartbeat that answers\n fix 4.b\n rule Same 112 <back>.\n"
        " logon\n send TestRequest 112=MINE\n expect Heartbeat 112=MINE\n"
        "scenario not-here Needs more\n needs moon\n connect\n"
    )
    result = conform(
        "run",
        f"--target=127.0.0.1:{peer(answer_logons_wrongly).port}",
        f"--corpus={tmp_path / 'own.scenario'}",
        f"--junit={tmp_path / 'r.xml'}",
        f"--json={tmp_path / 'r.json'}",
        f"--html={tmp_path / 'r.html'}",
        "--patience=60",
    )
    assert result.exit_code == 1, result.output
    assert "TestReqID(112): expected MINE, received <OTHER>" in result.output
    assert "own.scenario:7: expect Heartbeat 112=MINE" in result.output
    return tmp_path


def test_reports_say_line_fields_and_rule(reports: Path) -> None:
    cases = ET.parse(reports / "r.xml").getroot().findall("./testsuite/testcase")
    failure = cases[0].find("failure")
    assert failure is not None and failure.text is not None
    assert "MsgSeqNum(34): expected 2, received 7" in failure.text
    assert "Rule: Same 112 <back>." in failure.text
    assert cases[1].find("skipped") is not None

    document = json.loads((reports / "r.json").read_text())
    assert (document["failed"], document["skipped"]) == (1, 1)
    assert document["scenarios"][0]["failure"]["line"] == 7
    assert document["scenarios"][1]["reason"] == "needs moon, which the profile does not offer"

    page = (reports / "r.html").read_text()
    assert "&lt;OTHER&gt;" in page and "<OTHER>" not in page
    assert "http" not in page.replace("127.0.0.1", "")


def test_an_offset_that_no_clock_has_is_a_fault_of_the_scenario() -> None:
    values = Values({}, lambda: "", lambda: 1_000_000_000)
    assert values.render_quickfix("52=<TIME+59>") == "52=19700101-00:01:00"
    with pytest.raises(TemplateError, match=r"<TIME-9{9}\.\.\.>: expected at most 6 digits"):
        values.render_quickfix(f"52=<TIME-{'9' * 5000}>")


def test_who_logs_on_by_ouch_unless_told_is_who_the_embedded_default_knows() -> None:
    clients, symbols = Target().meant_for("ouch")
    default = load(None).config
    assert [one.name for one in clients] == [one.username for one in default.ouch_sessions()]
    assert symbols == [default.instrument[0].ouch]
    assert Target(symbols=["X"]).meant_for("fix")[1] == ["X"]


def test_protocols_are_run_each_alone() -> None:
    said = conform("run", "--target=127.0.0.1:1", "--corpus=ouch42", "--corpus=fix44-orders")
    assert said.exit_code == 2
    assert (
        said.output == "portcullis: fix and ouch: a target speaks one protocol, run each alone\n"
    )
