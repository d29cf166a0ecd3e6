"""QuickFIX's acceptor as a process: with the echo of its own acceptance tests, or as a venue.

Arguments: a settings file, "echo" or "venue". Runs until it is killed. In a process of its own,
because the C++ threads do not outlive a Python that ends with grace.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import quickfix as fix

from tests.support.quickfix_application import QuietApplication


class EchoApplication(QuietApplication):
    """What QuickFIX's own acceptance tests have behind the session."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, str]] = set()

    def onLogout(self, session_id: Any) -> None:
        self._seen = {one for one in self._seen if one[0] != session_id.toString()}

    def fromApp(self, message: Any, session_id: Any) -> None:
        header = message.getHeader()
        msg_type = header.getField(35)
        if msg_type not in ("D", "d", "C"):
            raise fix.UnsupportedMessageType()
        if msg_type == "D":
            one = (session_id.toString(), message.getField(11))
            resent = header.isSetField(97) and header.getField(97) == "Y"
            if resent and one in self._seen:
                return
            self._seen.add(one)
        echo = fix.Message(message)
        for tag in (43, 122):
            echo.getHeader().removeField(tag)
        fix.Session.sendToTarget(echo, session_id)


class VenueApplication(EchoApplication):
    """Every order is new, and stays so; no other message is worked on."""

    def fromApp(self, message: Any, session_id: Any) -> None:
        if message.getHeader().getField(35) != "D":
            raise fix.UnsupportedMessageType()
        self._seen.add((session_id.toString(), message.getField(11)))
        report = fix.Message()
        report.getHeader().setField(35, "8")
        for tag in (11, 38, 54, 55):
            report.setField(tag, message.getField(tag))
        number = str(len(self._seen))
        for tag, value in ((37, number), (17, number), (150, "0"), (39, "0"), (14, "0"), (6, "0")):
            report.setField(tag, value)
        report.setField(151, message.getField(38))
        fix.Session.sendToTarget(report, session_id)


if __name__ == "__main__":
    settings = fix.SessionSettings(sys.argv[1])
    application = {"echo": EchoApplication, "venue": VenueApplication}[sys.argv[2]]()
    store = fix.MemoryStoreFactory()
    acceptor = fix.SocketAcceptor(application, store, settings)
    acceptor.start()
    threading.Event().wait()
