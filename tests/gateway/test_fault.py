"""A fault between a batch's first row and its seal: nothing of it leaves, and one session pays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from portcullis.gateway.operator_port import Request, call
from portcullis.gateway.quarantine import FOLDER
from portcullis.tools.gateway_process import CONFIG, OUCH_CONFIG
from portcullis.tools.main import main
from tests.support import faulty_gateway
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess
from tests.support.ouch_client import OuchClient, enter

EXIT_FATAL = 70
SMALL = "[journal]\nsegment_rows = 32768\n[limits]\norders = 1000\nids = 4000\n"
KEY = "FIX.4.4:PORTCULLIS->CLIENT1"


def everything_said(client: FixClient) -> list[dict[int, str]]:
    """What comes until the gateway hangs up."""
    came = []
    while True:
        try:
            came.append(client.receive())
        except (EOFError, ConnectionError):
            return came


@pytest.mark.parametrize("place", ["translation", "engine"])
def test_the_process_ends_the_session_is_kept_out_and_the_others_trade(
    tmp_path: Path, place: str
) -> None:
    gateway = GatewayProcess(tmp_path, CONFIG + SMALL, program=[faulty_gateway.__file__, place])
    with gateway:
        poisoned, other = FixClient("CLIENT1", gateway.port), FixClient("CLIENT2", gateway.port)
        for client in (poisoned, other):
            client.log_on()
        poisoned.link.sendall(poisoned.order("before", "2", "1", "100"))
        poisoned.expect("8", t150="0", t11="before")
        # One read, one batch: what was good in it does not leave either.
        good = poisoned.order("good", "2", "1", "90")
        poisoned.link.sendall(good + poisoned.order("POISON", "2", "1", "90"))
        assert gateway.wait() == EXIT_FATAL
        assert everything_said(poisoned) == []
        assert everything_said(other) == []

        (path,) = (gateway.data / FOLDER).iterdir()
        report = json.loads(path.read_text())
        assert report["session"] == KEY
        assert report["batch_row"] > 1
        assert report["msg_seq_num"] == 4  # Logon, before, good, POISON
        assert report["error"] == f"RuntimeError('a fault of the {place}')"
        assert str(path) in gateway.log.read_text()

        gateway.start()
        assert '"quarantined"' in gateway.log.read_text()
        poisoned.connect().send("A", "98=0", "108=30")
        assert poisoned.is_closed_by_peer()
        other.log_on()
        other.link.sendall(other.order("b1", "1", "2", "100"))
        other.expect("8", t150="0")
        other.expect("8", t150="F", t31="100", t151="1")  # of what the batch before brought
        assert other.barrier() == []

        (trouble,) = call(gateway.data, Request(do="state"))["troubles"]
        assert trouble["code"] == "quarantined" and KEY in trouble["text"]
        assert "sessions release" in trouble["text"]
        released = release(gateway, "CLIENT1")
        assert released["session"] == KEY and Path(released["report"]).exists()
        assert call(gateway.data, Request(do="state"))["troubles"] == []
        poisoned.next_out = 3  # the batch never was: its numbers are free
        poisoned.next_in += 1  # the fill that it has missed
        poisoned.log_on()
        assert poisoned.barrier() == []
        for client in (poisoned, other):
            client.log_out()
        assert gateway.stop() == 0
        gateway.start()  # and it stays released
        poisoned.log_on()
        poisoned.close()


def test_an_ouch_user_is_kept_out_and_released_alike(tmp_path: Path) -> None:
    program = [faulty_gateway.__file__, "translation"]
    with GatewayProcess(tmp_path, OUCH_CONFIG + SMALL, program=program) as gateway:
        first = OuchClient(gateway.ouch_port)
        first.log_in()
        first.send(enter("POISON", "B", 1, 1_000_000))
        assert gateway.wait() == EXIT_FATAL
        gateway.start()
        refused = OuchClient(gateway.ouch_port)
        assert refused.log_in()[0] == "J"
        assert release(gateway, "ouch1")["session"] == "OUCH:OUCH1"
        again = OuchClient(gateway.ouch_port)
        assert again.log_in()[0] == "A"
        again.expect("S")
        again.send(enter("FINE", "B", 1, 1_000_000))
        again.expect("A", order_token="FINE")
        OuchClient.close_all()


def release(gateway: GatewayProcess, session: str) -> Any:
    """As an operator does it."""
    line = ["sessions", "release", session, "--why", "mended", "--data", str(gateway.data)]
    done = CliRunner().invoke(main, [*line, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)
