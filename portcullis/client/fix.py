"""A FIX 4.4 client for asyncio: orders out, reports in, over any number of connections.

    async with FixClient("127.0.0.1", 9878, "CLIENT1", "PORTCULLIS") as client:
        await client.send(NewOrderSingle(cl_ord_id="1", symbol="BTC-USD", side=Side.BUY,
                                         order_qty="0.5", price="101"))
        async for report in client:
            ...

Owns the session of one CompID around `sessions.fix_initiator`, which has all rules: numbers,
heartbeats, resends. Messages are those of `fix_messages`. The numbers outlive connections, so that
what came while there was none follows after the next Logon, and what was sent into one that broke
is asked for again. They live in memory: for another process, hand over `next_out` and `next_in`.

Must not know journals, engines or rows. More in docs/clients.md.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from portcullis.client.errors import ClientError, ConnectionLost, LoginRefused, SessionEnded
from portcullis.client.fix_messages import (
    REPORTS,
    BusinessMessageReject,
    ExecType,
    ExecutionReport,
    NewOrderSingle,
    OrderCancelReject,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    OrderMassCancelReport,
    OrderMassCancelRequest,
    OrderMassStatusRequest,
    OrderStatusRequest,
    OrdStatus,
    OrdType,
    Reject,
    Report,
    Request,
    Side,
    TimeInForce,
    read_report,
    utc_timestamp,
)
from portcullis.client.session import LOGIN_TIMEOUT_S, QUEUE_MAX, ClientSession
from portcullis.codecs.fix.layout import M_FIELD_COUNT, M_FIRST_FIELD, M_MSG_SEQ_NUM, MSG_WORDS
from portcullis.dictionaries.fix_tables import FixTables, compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.sessions.fix_config import SECOND_NS, FixSessionConfig, Role
from portcullis.sessions.fix_events import Disconnect, LoggedOn, LoggedOut, Noted
from portcullis.sessions.fix_initiator import FixInitiator
from portcullis.sessions.fix_message import Scanner
from portcullis.sessions.memory_store import MemoryStore

__all__ = [
    "BusinessMessageReject",
    "ClientError",
    "ConnectionLost",
    "ExecType",
    "ExecutionReport",
    "FixClient",
    "LoginRefused",
    "NewOrderSingle",
    "OrdStatus",
    "OrdType",
    "OrderCancelReject",
    "OrderCancelReplaceRequest",
    "OrderCancelRequest",
    "OrderMassCancelReport",
    "OrderMassCancelRequest",
    "OrderMassStatusRequest",
    "OrderStatusRequest",
    "Reject",
    "Report",
    "Request",
    "SessionEnded",
    "Side",
    "TimeInForce",
    "utc_timestamp",
]

_LOG = logging.getLogger(__name__)


class FixClient(ClientSession[Report]):
    """One session. See the module on how it is used, `ClientSession` for what it can.

    comp_id: ours, SenderCompID(49) of what is sent; target: the gateway's. next_out, next_in: the
    numbers to begin with, as an earlier process left them. reset: begin both at 1, with 141=Y in
    the first Logon, and what the gateway had for us is lost; reset_on_logon: in each, where the
    gateway does so too. sent_max: so many messages are kept for the gateway to ask for.
    dictionary: any in QuickFIX's format.
    """

    def __init__(
        self,
        host: str,
        port: int,
        comp_id: str,
        target: str,
        *,
        username: str = "",
        password: str = "",
        heart_bt_int: int = 30,
        next_out: int = 1,
        next_in: int = 1,
        reset: bool = False,
        reset_on_logon: bool = False,
        sent_max: int = 100_000,
        dictionary: str = "FIX44.xml",
        tls: ssl.SSLContext | None = None,
        queue_max: int = QUEUE_MAX,
        login_timeout_s: float = LOGIN_TIMEOUT_S,
    ) -> None:
        super().__init__(host, port, queue_max=queue_max, login_timeout_s=login_timeout_s, tls=tls)
        self._tables = _tables(dictionary)
        self._resets_always = reset_on_logon
        self._config = FixSessionConfig(
            begin_string=self._tables.begin_string,
            comp_id=comp_id.encode(),
            client=target.encode(),
            role=Role.INITIATOR,
            application_types=frozenset(REPORTS),
            heart_bt_int=heart_bt_int,
            username=username.encode(),
            password=password.encode(),
            reset_on_logon=reset or reset_on_logon,
            # Ours comes first, and says so.
            logon_timeout_ns=round(2 * login_timeout_s * SECOND_NS),
        )
        self._store = MemoryStore(
            self._config, next_out=next_out, next_in=next_in, kept_max=sent_max
        )
        self._machine = self._new_machine()

    @property
    def next_out(self) -> int:
        """The number that the next message sent will have."""
        return self._store.next_out

    @property
    def next_in(self) -> int:
        """The number of the first message that `receive` has not given yet."""
        return self._queue[0].msg_seq_num if self._queue else self._store.next_in

    async def send(self, request: Request) -> int:
        """Send a message; give its MsgSeqNum(34).

        ConnectionLost: there is no connection, and nothing was numbered; or it broke while this
        waited for room, and the gateway asks for the message after the next Logon.
        """
        body = request.body()
        link = self._up_link()
        number = self._machine.send(request.msg_type, body, time.time_ns())
        link.flush()
        await link.drain()
        self._up_link()
        return number

    # --- what `ClientSession` asks for -----------------------------------------------------------

    def _now_ns(self) -> int:
        return time.time_ns()

    def _begin(self) -> FixInitiator:
        self._machine.disconnected(time.time_ns())
        self._machine = self._new_machine()
        return self._machine

    def _log_in(self) -> None:
        self._machine.connected(time.time_ns())

    def _begin_logout(self) -> None:
        self._machine.logout("", time.time_ns())

    def _unanswered(self, reason: str) -> ClientError:
        return LoginRefused(
            f"{reason} without answering the Logon, as it does where CompIDs, address or password "
            "are not what it has for a session"
        )

    def _carry_out(self) -> None:
        for event in self._machine.events():
            if isinstance(event, LoggedOn):
                self._config = replace(self._config, reset_on_logon=self._resets_always)
                self._logged_in()
            elif isinstance(event, LoggedOut):
                self._over(ConnectionLost(f"logged out: {event.text}"))
            elif isinstance(event, Disconnect):
                kind = ConnectionLost if self.is_up else LoginRefused
                self._end_link(kind(event.reason))
            elif isinstance(event, Noted):
                _LOG.info("%s: %s", self._config.comp_id.decode(), event.text)

    def _new_machine(self) -> FixInitiator:
        intake = _Intake(self._store, self._put)
        return FixInitiator(self._config, intake, self._tables, store=self._store)


class _Intake:
    """The application behind the session: takes all it is offered."""

    def __init__(self, store: MemoryStore, put: Callable[[Report], None]) -> None:
        self._store = store
        self._put = put

    def on_messages(self, scanner: Scanner, first: int, count: int) -> int:
        for index in range(first, first + count):
            words = scanner.message[index * MSG_WORDS : (index + 1) * MSG_WORDS]
            begin = words[M_FIRST_FIELD]
            pairs = tuple(
                (scanner.tag[place], _text(scanner, place))
                for place in range(begin, begin + words[M_FIELD_COUNT])
            )
            self._put(read_report(pairs))
            self._store.advance(words[M_MSG_SEQ_NUM] + 1)
        return count


def _text(scanner: Scanner, place: int) -> str:
    """The value of a scanned field."""
    start, end = scanner.value_start[place], scanner.value_end[place]
    return bytes(scanner.octets[start:end]).decode("latin-1")


@cache
def _tables(dictionary: str) -> FixTables:
    return compile_tables(load_dictionary(dictionary))
