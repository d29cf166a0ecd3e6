"""Who may log in over OUCH, and what the first packet of a connection must show.

Owns the users, made from the configuration, the order of the questions (the name, whether it is
enabled, the address, the password), and what the log says of that which OUCH has no words for.
What is no Login Request is answered by closing, what is not authorized by a Login Rejected, and no
sooner than a wrong password: no time tells whether a username exists. Must not know sockets.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, Protocol

from portcullis.codecs.soupbintcp import packets
from portcullis.codecs.soupbintcp.scanner import SoupScanner
from portcullis.engine.why import WHYS
from portcullis.gateway.admission import Admission, Place, is_allowed, parse_networks
from portcullis.gateway.auth import Abandoned, Crowded, PasswordChecker, PasswordHash
from portcullis.gateway.cancel_on_disconnect import DisconnectCancels
from portcullis.gateway.config import Loaded
from portcullis.gateway.config_sessions import OuchClient
from portcullis.gateway.event_log import Throttled
from portcullis.gateway.fix_peer import Surroundings
from portcullis.gateway.ouch_door import OuchDoor
from portcullis.gateway.ouch_orders import OuchOrders
from portcullis.gateway.ouch_peer import OuchOrderEntry, OuchPeer, OuchUser
from portcullis.gateway.ouch_reports import OuchReports
from portcullis.gateway.ouch_store import OuchStore
from portcullis.gateway.registry import session_key
from portcullis.gateway.startup import Recovered
from portcullis.journal import rows
from portcullis.sessions.soup_session import SoupSettings


class Caller(Protocol):
    """The connection that asks."""

    place: Place

    def refuse(self, octets: bytes) -> None:
        """Write this and close."""


class OuchGate:
    """The users, by name in capitals. buffer: the shared receive buffer."""

    def __init__(
        self,
        shared: Surroundings,
        loaded: Loaded,
        recovered: Recovered,
        quarantined: set[str],
        buffer: memoryview,
        admission: Admission,
        passwords: PasswordChecker,
        cancels: DisconnectCancels,
        log: Throttled,
    ) -> None:
        self._shared = shared
        self._admission = admission
        self._passwords = passwords
        self._cancels = cancels
        self._log = log
        limits = loaded.config.limits
        self._recovered = recovered
        self._table = recovered.journal.table
        catalog = recovered.registry.catalog
        self._orders = OuchOrders(self._table, catalog, buffer)
        self._reports = OuchReports(self._table, catalog)
        self._settings = SoupSettings(login_timeout_ns=limits.logon_timeout)
        self.first_scanner = SoupScanner(buffer, max_packet_bytes=limits.message_bytes)
        self._users: dict[bytes, OuchUser] = {}
        # What is said of each session's rows, by the session's id in them.
        self._notes: dict[int, Throttled] = {}
        for one in loaded.config.ouch_sessions():
            user = self._make(one, loaded, quarantined)
            self._users[one.username.upper().encode()] = user
        # What takes the time of a wrong password where none is to be checked; None: none has one.
        passwords_set = (user.password for user in self._users.values())
        self._decoy = next((one for one in passwords_set if one is not None), None)

    def __iter__(self) -> Iterator[OuchUser]:
        return iter(self._users.values())

    def find(
        self, caller: Caller, scanner: SoupScanner, now_ns: int
    ) -> OuchPeer | Coroutine[Any, Any, OuchPeer | None] | None:
        """A peer for the connection whose packet 0 the scanner has, if it may log in.

        None: it has been refused, or has to be closed. Where that takes a while, what to await.
        """
        request = None
        if chr(scanner.packet_type[0]) == "L":
            request = packets.parse_login_request(scanner.payload(0))
        if request is None:
            self._log.emit("stranger", host=caller.place.host, reason="no Login Request")
            return None
        user = self._users.get(request.username.upper())
        if user is None:
            self._log.emit("stranger", host=caller.place.host, reason="no such user")
        fault = _fault(user, caller) if user is not None else "unknown"
        if user is not None and not fault and user.password is None:
            return OuchPeer(user, self.first_scanner, self._settings, now_ns)
        known = self._decoy if user is None or fault else user.password
        if known is not None and not self._admission.may_try(caller.place, now_ns):
            fault = fault or "too many wrong passwords from this address"
            known = None
        if known is None:
            return self._refuse(user, caller, fault)
        # Passwords are compared without regard to capitals, as SoupBinTCP has it.
        return self._check(user, caller, known, request.password.upper(), fault)

    def _refuse(self, user: OuchUser | None, caller: Caller, reason: str) -> OuchPeer | None:
        if user is not None:
            self._log.emit("refused", session=user.key, host=caller.place.host, reason=reason)
        caller.refuse(packets.NOT_AUTHORIZED)
        return None

    async def _check(
        self,
        user: OuchUser | None,
        caller: Caller,
        known: PasswordHash,
        password: bytes,
        fault: str,
    ) -> OuchPeer | None:
        """Whom the password lets in. fault: nobody, and why."""
        place, begin = caller.place, self._shared.turn.begin
        try:
            fits = await self._passwords.check(
                known, password, place.address, lambda: self._admission.may_try(place, begin())
            )
        except Crowded as error:
            return self._refuse(user, caller, fault or str(error))
        except Abandoned:  # it hung up, and has not shown that it is right
            self._admission.failed(place, begin())
            raise
        now_ns = begin()
        if fault or not fits:
            self._admission.failed(place, now_ns)
        if user is None or fault or not fits:
            return self._refuse(user, caller, fault or "wrong password")
        return OuchPeer(user, self.first_scanner, self._settings, now_ns)

    def close(self, reason: str, now_ns: int) -> None:
        """End all connections, and no session."""
        for user in self._users.values():
            if user.live is not None:
                user.live.close(reason, now_ns)

    def cut_slow(self, max_lag: int) -> None:
        """Close the connections whose clients do not read and are further behind than that."""
        for user in self._users.values():
            if user.live is not None and user.store.stopped and user.store.lag > max_lag:
                user.live.cut()

    def pass_over(self, step_ns: int) -> None:
        """Somebody set the clock by so much: time-outs run on as if nobody had."""
        for user in self._users.values():
            if user.live is not None:
                user.live.session.pass_over(step_ns)

    def tell_unsaid(self) -> None:
        """Log what rows say and OUCH does not, within bounds. On the timer."""
        engine = self._recovered.engine
        if not engine.reports.unsaid_count:
            return
        found, missed = engine.take_unsaid()
        for row in found:
            self._tell(row)
        if missed:
            self._shared.log.emit("notes_held_back", count=missed)

    def _tell(self, row: int) -> None:
        words = self._table.row_words(row)
        why = words[rows.W_STATE] >> 24 & 0xFF
        notes = self._notes.get(words[rows.W_HEAD] >> 32)
        if notes is None:  # its user is no longer configured
            return
        cause = self._table.row_words(words[rows.W_CAUSE])
        terms = self._table.row_words(words[rows.W_TERMS_ROW] or words[rows.W_CAUSE])
        length = terms[rows.W_TERMS] >> 32 & 0xFF
        token = b"".join(
            (word & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
            for word in terms[rows.W_ID : rows.W_ID + 3]
        )
        if not length and cause[rows.W_HEAD] & 0xFF in (rows.CANCEL, rows.MODIFY):
            length = cause[rows.W_TERMS] >> 40 & 0xFF
            token = b"".join(
                word.to_bytes(8, "little") for word in cause[rows.W_ORIG : rows.W_ORIG + 2]
            )
        notes.emit(
            "unsaid",
            row=row,
            sequence=words[rows.W_OUT_SEQ],
            token=token[:length],
            text=WHYS[why].text if why in WHYS else "",
        )

    def _make(self, one: OuchClient, loaded: Loaded, quarantined: set[str]) -> OuchUser:
        config, registry = loaded.config, self._recovered.registry
        key = session_key(config, one)
        session = registry.session(key.encode())
        account = registry.catalog.accounts.number(one.account.encode())
        door = OuchDoor(session, account=account, firm=one.firm.encode())
        turn = self._shared.turn
        presence = None
        if one.cancel_on_disconnect:
            presence = self._cancels.watch(session, key, [account], one.cancel_grace)
        notes = self._notes[session] = Throttled(self._shared.log, session=key)
        store = OuchStore(turn, self._reports, session, budget_bytes=config.limits.write_bytes)
        return OuchUser(
            self._shared,
            key,
            store,
            OuchOrderEntry(turn, self._orders, door, store, notes),
            password=loaded.files.password(one),
            networks=parse_networks(one.addresses),
            enabled=one.enabled,
            quarantined=key in quarantined,
            presence=presence,
            messages_per_second=one.messages_per_second,
            rejects_over_rate=one.over_rate == "reject",
        )


def _fault(user: OuchUser, caller: Caller) -> str:
    """Why a user is not let in whatever its password; "": no reason."""
    if not user.enabled:
        return "disabled"
    if user.quarantined:
        return "quarantined"
    if not is_allowed(user.networks, caller.place.host):
        return "address"
    return ""
