"""What QuickFIX's clients and acceptors of these tests have in common: needs `quickfix`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import quickfix as fix

# quickfix installs its dictionaries there.
DICTIONARY = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
# Of an initiator; {directory}, {port} and {dictionary} are the test's. Sessions follow.
INITIATOR = """
[DEFAULT]
ConnectionType=initiator
ReconnectInterval=1
FileStorePath={directory}/store
FileLogPath={directory}/log
StartTime=00:00:00
EndTime=00:00:00
HeartBtInt=30
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
BeginString=FIX.4.4
TargetCompID=PORTCULLIS
UseDataDictionary=Y
DataDictionary={dictionary}
"""


class QuietApplication(fix.Application):  # type: ignore[misc, name-defined]
    """Listens to nothing but what a test has it listen to."""

    def onCreate(self, session_id: Any) -> None:
        pass

    def onLogon(self, session_id: Any) -> None:
        pass

    def onLogout(self, session_id: Any) -> None:
        pass

    def toAdmin(self, message: Any, session_id: Any) -> None:
        pass

    def fromAdmin(self, message: Any, session_id: Any) -> None:
        pass

    def toApp(self, message: Any, session_id: Any) -> None:
        pass
