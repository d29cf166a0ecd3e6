"""QuickFIX, the C++ engine most of the field runs, as a client of ours through its Python face.

Its validation is on, with its own dictionary, and it keeps its numbers in files: what we send has
to please an engine that this project did not write, over a restart of either side.
"""

from __future__ import annotations

import itertools
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess
from tests.support.wire import fields

fix = pytest.importorskip("quickfix")
quickfix = pytest.importorskip("tests.support.quickfix_application")
pytestmark = pytest.mark.interop

WAIT_S = 120.0
SETTINGS = (
    quickfix.INITIATOR
    + """
ValidateFieldsOutOfOrder=Y
ValidateFieldsHaveValues=Y
ValidateUserDefinedFields=Y
[SESSION]
SenderCompID=CLIENT1
[SESSION]
SenderCompID=CLIENT2
"""
)


class Trader(fix.Application):  # type: ignore[misc, name-defined]
    """Queues what QuickFIX tells, per session: "logon", "logout", or a message's fields."""

    def __init__(self) -> None:
        super().__init__()
        self.session_ids: dict[str, Any] = {}
        self.heard: dict[str, queue.Queue[Any]] = {
            name: queue.Queue() for name in ("CLIENT1", "CLIENT2")
        }
        self.admin: list[dict[int, str]] = []

    def _tell(self, session_id: Any, what: Any) -> None:
        self.heard[session_id.getSenderCompID().getValue()].put(what)

    def onCreate(self, session_id: Any) -> None:
        name = session_id.getSenderCompID().getValue()
        self.session_ids[name] = fix.SessionID("FIX.4.4", name, "PORTCULLIS")

    def onLogon(self, session_id: Any) -> None:
        self._tell(session_id, "logon")

    def onLogout(self, session_id: Any) -> None:
        self._tell(session_id, "logout")

    def toAdmin(self, message: Any, session_id: Any) -> None:
        self.admin.append(fields(message.toString().encode("latin-1")))

    def fromAdmin(self, message: Any, session_id: Any) -> None:
        self.admin.append(fields(message.toString().encode("latin-1")))

    def toApp(self, message: Any, session_id: Any) -> None:
        pass

    def fromApp(self, message: Any, session_id: Any) -> None:
        self._tell(session_id, fields(message.toString().encode("latin-1")))

    # --- what the tests do -------------------------------------------------------------------

    def hear(self, client: str) -> Any:
        """The next thing told of that client's session."""
        return self.heard[client].get(timeout=WAIT_S)

    def hear_return(self, client: str) -> None:
        """Wait for its next Logon. QuickFIX tells each vain attempt to connect as a logout."""
        while (told := self.hear(client)) == "logout":
            pass
        assert told == "logon"

    def hear_report(self, client: str, **expected: str) -> dict[int, str]:
        """The next thing, which must be a report with these tags: hear_report(c, t150="F")."""
        report: dict[int, str] = self.hear(client)
        assert isinstance(report, dict), report
        assert {tag: report.get(int(tag[1:])) for tag in expected} == expected, report
        return report

    def send(self, client: str, msg_type: str, body: dict[int, str]) -> None:
        message = fix.Message()
        message.getHeader().setField(fix.StringField(35, msg_type))
        for tag, value in body.items():
            message.setField(fix.StringField(tag, value))
        message.setField(fix.TransactTime())
        assert fix.Session.sendToTarget(message, self.session_ids[client])

    def order(self, client: str, cl_ord_id: str, side: str, qty: str, price: str) -> None:
        body = {11: cl_ord_id, 21: "1", 55: "BTC-USD", 54: side, 38: qty, 40: "2", 44: price}
        self.send(client, "D", body)

    def last_number(self, msg_type: str, sender: str, target: str) -> int:
        """MsgSeqNum of the last admin message of that type from the one to the other."""
        wanted = {35: msg_type, 49: sender, 56: target}
        found = [m for m in self.admin if wanted.items() <= m.items()]
        return int(found[-1][34])


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path) as gateway:
        yield gateway


@pytest.fixture
def trader(tmp_path: Path, gateway: GatewayProcess) -> Iterator[Trader]:
    path = tmp_path / "quickfix.cfg"
    path.write_text(
        SETTINGS.format(directory=tmp_path, port=gateway.port, dictionary=quickfix.DICTIONARY)
    )
    settings = fix.SessionSettings(str(path))
    trader = Trader()
    initiator = fix.SocketInitiator(
        trader, fix.FileStoreFactory(settings), settings, fix.FileLogFactory(settings)
    )
    initiator.start()
    try:
        assert (trader.hear("CLIENT1"), trader.hear("CLIENT2")) == ("logon", "logon")
        yield trader
    finally:
        initiator.stop()


def rejects(trader: Trader) -> list[dict[int, str]]:
    """Complaints of either side: Reject(3), ResendRequest(2)."""
    return [m for m in trader.admin if m[35] in ("2", "3")]


def test_quickfix_trades_both_sides(trader: Trader) -> None:
    trader.order("CLIENT1", "s1", "2", "2", "100.5")
    resting = trader.hear_report("CLIENT1", t35="8", t150="0", t39="0", t11="s1", t151="2")
    trader.order("CLIENT2", "b1", "1", "0.5", "101")
    trader.hear_report("CLIENT2", t150="0", t39="0", t11="b1", t14="0")
    bought = trader.hear_report("CLIENT2", t150="F", t39="2", t31="100.5", t32="0.5", t151="0")
    sold = trader.hear_report("CLIENT1", t150="F", t39="1", t31="100.5", t32="0.5", t151="1.5")
    assert sold[37] == resting[37]
    assert bought[17] != sold[17]
    assert rejects(trader) == []


def test_quickfix_replaces_and_cancels(trader: Trader) -> None:
    trader.order("CLIENT1", "o1", "1", "3", "50")
    trader.hear_report("CLIENT1", t150="0", t11="o1")
    both = {55: "BTC-USD", 54: "1", 41: "o1", 11: "o2"}
    trader.send("CLIENT1", "G", both | {21: "1", 38: "2", 40: "2", 44: "49.99"})
    trader.hear_report("CLIENT1", t150="5", t11="o2", t41="o1", t44="49.99", t151="2")
    trader.send("CLIENT1", "F", {55: "BTC-USD", 54: "1", 41: "o2", 11: "o3", 38: "2"})
    trader.hear_report("CLIENT1", t150="4", t39="4", t11="o3", t41="o2", t151="0")
    trader.send("CLIENT1", "F", {55: "BTC-USD", 54: "1", 41: "nobody", 11: "o4", 38: "2"})
    trader.hear_report("CLIENT1", t35="9", t102="1", t434="1", t11="o4")
    assert rejects(trader) == []


def test_quickfix_is_logged_out_and_comes_back_with_its_numbers(
    gateway: GatewayProcess, trader: Trader
) -> None:
    trader.order("CLIENT1", "o1", "1", "3", "50")
    before = trader.hear_report("CLIENT1", t150="0", t11="o1")
    assert gateway.stop() == 0
    assert (trader.hear("CLIENT1"), trader.hear("CLIENT2")) == ("logout", "logout")

    gateway.start()
    for client in ("CLIENT1", "CLIENT2"):
        trader.hear_return(client)
    for client in ("CLIENT1", "CLIENT2"):
        # Ours goes on where it was. QuickFIX spends numbers on Logons that reach nobody, and is
        # rightly asked for them.
        logout = trader.last_number("5", "PORTCULLIS", client)
        assert trader.last_number("A", "PORTCULLIS", client) == logout + 1
    assert [m for m in rejects(trader) if (m[35], m[49]) != ("2", "PORTCULLIS")] == []
    trader.order("CLIENT2", "s1", "2", "3", "50")
    trader.hear_report("CLIENT2", t150="0")
    trader.hear_report("CLIENT2", t150="F", t32="3", t31="50")
    after = trader.hear_report("CLIENT1", t150="F", t39="2", t11="o1")
    assert after[37] == before[37]


def test_quickfix_gets_what_it_missed_while_the_gateway_was_dead(
    gateway: GatewayProcess, trader: Trader
) -> None:
    for number in range(20):
        trader.order("CLIENT1", f"o{number}", "1", "1", "50")
    for number in range(20):
        trader.hear_report("CLIENT1", t150="0", t11=f"o{number}")
    gateway.kill()
    told = [trader.hear("CLIENT1"), trader.hear("CLIENT2")]
    assert told == ["logout", "logout"]
    gateway.start()
    for client in ("CLIENT1", "CLIENT2"):
        trader.hear_return(client)
    exec_ids = set()
    trader.order("CLIENT2", "s1", "2", "20", "50")
    for message in itertools.islice(iter(lambda: trader.hear("CLIENT2"), None), 21):
        assert message[150] in ("0", "F")
        exec_ids.add(message[17])
    for number in range(20):
        report = trader.hear_report("CLIENT1", t150="F", t39="2", t11=f"o{number}")
        exec_ids.add(report[17])
    assert len(exec_ids) == 41
