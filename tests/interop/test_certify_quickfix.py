"""QuickFIX as the client under test of `portcullis conform certify`, run as its developer would.

The developer is played by the test: it reads what the command prints and does what is said there.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from portcullis.tools.gateway_process import free_port
from tests.support.wire import fields

fix = pytest.importorskip("quickfix")
quickfix = pytest.importorskip("tests.support.quickfix_application")
pytestmark = pytest.mark.interop

# ResetOnLogout is what makes QuickFIX's first Logon say 141=Y, and one after a break not.
SETTINGS = (
    quickfix.INITIATOR
    + """
ResetOnLogout=Y
[SESSION]
SenderCompID=CLIENT9
"""
)


class Client(quickfix.QuietApplication):
    """What the developer of a trading client has behind QuickFIX's session."""

    def __init__(self) -> None:
        super().__init__()
        self.session_id: Any = None
        self.cancels = self.leaves = False
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def onCreate(self, session_id: Any) -> None:
        self.session_id = fix.SessionID("FIX.4.4", "CLIENT9", "PORTCULLIS")

    def onLogon(self, session_id: Any) -> None:
        if self.leaves:
            fix.Session.lookupSession(self.session_id).logout()

    def fromApp(self, message: Any, session_id: Any) -> None:
        report = fields(message.toString().encode("latin-1"))
        if self.cancels and report.get(150) == "0":
            self.send("F", {41: report[11]})

    def told(self, line: str) -> None:
        """Do what the line tells the developer to do."""
        if "DO " not in line:
            return
        self.cancels = "OrderCancelRequest" in line
        self.leaves = "then log out" in line
        if "NewOrderSingle" in line:
            self.send("D", {21: "1", 38: "10", 40: "2", 44: "100"})

    def send(self, msg_type: str, more: dict[int, str]) -> None:
        message = fix.Message()
        message.getHeader().setField(fix.StringField(35, msg_type))
        for tag, value in {11: f"O{next(self._ids)}", 54: "1", 55: "BTC-USD", **more}.items():
            message.setField(fix.StringField(tag, value))
        message.setField(fix.TransactTime())
        assert fix.Session.sendToTarget(message, self.session_id)


def test_quickfix_is_walked_through(tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "quickfix.cfg"
    path.write_text(SETTINGS.format(directory=tmp_path, port=port, dictionary=quickfix.DICTIONARY))
    settings = fix.SessionSettings(str(path))
    client = Client()
    initiator = fix.SocketInitiator(
        client, fix.FileStoreFactory(settings), settings, fix.FileLogFactory(settings)
    )
    command = [sys.executable, "-m", "portcullis.tools.main", "conform", "certify"]
    command += [f"--listen={port}", "--patience=10"]
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as venue:
        assert venue.stdout is not None
        said.append(venue.stdout.readline())
        initiator.start()
        try:
            for line in venue.stdout:
                said.append(line)
                client.told(line)
        finally:
            venue.kill()
            initiator.stop()
    assert venue.wait() == 0, "".join(said)
    assert "12 hold, 0 fall" in said[-1]
