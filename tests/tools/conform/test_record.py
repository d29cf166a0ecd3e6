"""`portcullis conform record`: what was said becomes a scenario that holds against the same."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from portcullis.tools.conform import scenario_reader
from portcullis.tools.gateway_process import free_port
from tests.support.conformance import conform
from tests.support.fix_client import TIMEOUT_S, FixClient
from tests.support.gateway_process import GatewayProcess

LOG = """20261121-04:00:00.000 : 8=FIX.4.4|9=1|35=A|34=1|49=ME|52=20261121-04:00:00|56=V|98=0|108=10|554=secret|10=000|
20261121-04:00:00.001 : 8=FIX.4.4|9=1|35=A|34=1|49=V|52=20261121-04:00:00|56=ME|98=0|108=10|10=000|
20261121-04:00:00.002 : 8=FIX.4.4|9=1|35=D|34=2|49=ME|52=20261121-04:00:00|56=V|11=abc|38=1|54=1|60=20261121-04:00:00|10=000|
20261121-04:00:00.003 : 8=FIX.4.4|9=1|35=8|34=2|49=V|52=20261121-04:00:00|56=ME|11=abc|17=E1|37=O1|39=0|60=20261121-04:00:00|10=000|
20261121-04:00:01.000 : 8=FIX.4.4|9=1|35=0|34=3|49=V|52=20261121-04:00:00|56=ME|10=000|
20261121-04:00:02.000 : 8=FIX.4.4|9=1|35=F|34=3|49=ME|52=20261121-04:00:00|56=V|11=xyz|41=abc|54=1|60=20261121-04:00:00|10=000|
20261121-04:00:02.001 : 8=FIX.4.4|9=1|35=8|34=4|49=V|52=20261121-04:00:00|56=ME|11=xyz|17=E2|37=O1|39=4|41=abc|58=a^b|10=000|
"""  # noqa: E501

SCENARIO = """
scenario recorded From session.log
  rule Recorded from a session: the answers are as they were.
  logon 108=10
  send NewOrderSingle 11={new order1}|38=1|54=1|60={now}
  expect ExecutionReport 11={order1}|17={get exec1}|37={get venue_order1}|39=0|60=*
  send OrderCancelRequest 11={new order2}|41={order1}|54=1|60={now}
  expect ExecutionReport 11={order2}|17={get exec2}|37={venue_order1}|39=4|41={order1}|58=a^b
  disconnect
"""

AGAIN = """20261121-04:00:03.000 : 8=FIX.4.4|9=1|35=5|34=4|49=ME|52=20261121-04:00:00|56=V|10=000|
20261121-04:00:03.001 : 8=FIX.4.4|9=1|35=5|34=5|49=V|52=20261121-04:00:00|56=ME|10=000|
20261121-04:00:04.000 : 8=FIX.4.4|9=1|35=8|34=6|49=V|52=20261121-04:00:00|56=ME|11=xyz|17=E3|37=O1|39=4|10=000|
20261121-04:00:05.000 : 8=FIX.4.4|9=1|35=A|34=5|49=ME|52=20261121-04:00:00|56=V|98=0|108=30|10=000|
20261121-04:00:05.001 : 8=FIX.4.4|9=1|35=A|34=7|49=V|52=20261121-04:00:00|56=ME|98=0|108=30|10=000|
20261121-04:00:06.000 : 8=FIX.4.4|9=1|35=A|34=1|49=ME|52=20261121-04:00:00|56=V|98=0|108=30|141=Y|10=000|
20261121-04:00:06.001 : 8=FIX.4.4|9=1|35=A|34=1|49=V|52=20261121-04:00:00|56=ME|98=0|108=30|141=Y|10=000|
20261121-04:00:07.000 : 8=FIX.4.4|9=1|35=1|34=2|49=ME|52=20261121-04:00:00|56=V|112=T|10=000|
"""  # noqa: E501

AGAIN_SCENARIO = """
  send Logout
  expect Logout
  disconnect
  connect
  send Logon 98=0|108=30
  expect Logon 98=0|108=30
  disconnect
  connect
  send Logon 34=1|98=0|108=30|141=Y
  expect Logon 98=0|108=30|141=Y
  send TestRequest 112={new test1}
  disconnect
"""


@pytest.mark.parametrize("delimiter", ["|", "\x01"])
def test_a_log_becomes_a_scenario_without_its_times_and_ids(
    tmp_path: Path, delimiter: str
) -> None:
    log = tmp_path / "session.log"
    log.write_text(LOG.replace("|", delimiter))
    result = conform("record", f"--log={log}")
    assert result.exit_code == 0, result.output
    assert result.output.endswith(SCENARIO)
    path = tmp_path / "recorded.scenario"
    path.write_text(result.output)
    assert len(scenario_reader.read(path, "mine")[0].steps) == 6


def test_another_connection_is_made_and_what_came_while_there_was_none_is_left_out(
    tmp_path: Path,
) -> None:
    log = tmp_path / "session.log"
    log.write_text(LOG + AGAIN)
    result = conform("record", f"--log={log}")
    assert result.exit_code == 0, result.output
    assert result.output.endswith(AGAIN_SCENARIO)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing here", "no Logon in it"),
        (LOG + LOG.replace("49=ME", "49=YOU").replace("56=ME", "56=YOU"), "more than one session"),
    ],
)
def test_a_log_of_no_use_is_told(tmp_path: Path, text: str, said: str) -> None:
    log = tmp_path / "session.log"
    log.write_text(text)
    result = conform("record", f"--log={log}")
    assert (result.exit_code, said in result.output) == (2, True), result.output


def test_where_to_record_from_has_to_be_said() -> None:
    result = conform("record")
    assert (result.exit_code, "expected --log, or" in result.output) == (2, True)


def connected(port: int, recording: threading.Thread) -> socket.socket:
    """A connection to who records, as soon as it listens."""
    limit_s = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        except ConnectionRefusedError:
            assert time.monotonic() < limit_s
            recording.join(0.05)


def record_once(target: int, said_by_client: bytes) -> Result:
    """`conform record` in a thread, while a client says something and hangs up."""
    port = free_port()
    results: list[Result] = []
    arguments = ("record", f"--listen={port}", f"--target=127.0.0.1:{target}")
    thread = threading.Thread(target=lambda: results.append(conform(*arguments)))
    thread.start()
    with connected(port, thread) as client:
        client.sendall(said_by_client)
        with contextlib.suppress(ConnectionError):
            client.recv(1)
    thread.join(TIMEOUT_S)
    return results[0]


def test_a_target_that_is_not_there_and_a_client_of_another_protocol_are_told() -> None:
    nobody = free_port()
    result = record_once(nobody, b"")
    assert (result.exit_code, f"cannot connect to 127.0.0.1:{nobody}" in result.output) == (
        2,
        True,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        result = record_once(listener.getsockname()[1], b"GET / HTTP/1.1\x01=\x01")
    assert (result.exit_code, "what the client says is no FIX" in result.output) == (2, True)


def test_a_second_client_is_refused_in_one_line_while_the_first_is_recorded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    results: list[Result] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        target = f"--target=127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(
            target=lambda: results.append(conform("record", f"--listen={port}", target))
        )
        thread.start()
        with connected(port, thread), listener.accept()[0]:
            with connected(port, thread) as second:
                with contextlib.suppress(ConnectionError):
                    assert second.recv(1) == b""
        thread.join(TIMEOUT_S)
    assert results[0].output.count("refused another connection: one session is recorded") == 1
    assert len(results[0].output.splitlines()) == 3, results[0].output
    assert caplog.records == []  # as of a task that was cut off


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "gateway") as gateway:
        yield gateway


def test_a_live_session_is_recorded_and_holds_when_it_is_played_again(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    port, file = free_port(), tmp_path / "live.scenario"
    results: list[Result] = []

    def listen() -> None:
        results.append(
            conform("record", f"--listen={port}", f"--target=127.0.0.1:{gateway.port}", "-o", file)
        )

    thread = threading.Thread(target=listen)
    thread.start()
    client = FixClient("CLIENT1", port)
    client._socket = connected(port, thread)
    client.send("A", "98=0", "108=30")
    client.expect("A")
    client.link.sendall(client.order("first", "1", "2", "100"))
    client.expect("8", t150="0")
    client.link.sendall(client.order("first", "1", "2", "100"))
    client.expect("8", t150="8", t103="6")
    client.send("D", "11=second")
    client.expect("3", t45="4")
    client.send("2", "7=2", "16=0")
    client.expect("8", t43="Y", t34="2")
    client.expect("8", t43="Y", t34="3")
    client.expect("4", t43="Y", t34="4", t36="5")
    client.barrier()
    client.log_out()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    assert results[0].exit_code == 0, results[0].output
    text = file.read_text()
    assert "11={new order1}" in text
    # Wherever the numbers of the run begin.
    assert "expect Reject 45={next-1}|" in text
    assert "send ResendRequest 7={theirs-3}|16=0\n" in text
    assert "expect SequenceReset 34={theirs-1}|43=Y|" in text
    played = conform("run", f"--target=127.0.0.1:{gateway.port}", f"--corpus={file}")
    assert played.exit_code == 0, played.output + file.read_text()
