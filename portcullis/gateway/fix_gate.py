"""Who may log on over FIX: what the first message of a connection must show.

Owns the order of the questions: CompIDs name the session; then the session is enabled, the
address allowed, the certificate right, the Logon well-formed and recent, the password right. Of
somebody not known in advance, a template fits and its authenticator says yes. Only then does the
newcomer count: it takes the session's place, or, where that is taken, makes the old connection
show life. So a stranger who knows the CompIDs neither holds a place nor moves a number. Everything
wrong is answered by closing, and the log says why. Where sessions have passwords, each refusal
takes as long as a wrong one: no time tells whether CompIDs exist. Must not know bytes or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tags import PASSWORD, USERNAME
from portcullis.gateway.admission import Admission, Network, Place, is_allowed
from portcullis.gateway.auth import Abandoned, Crowded, PasswordChecker, PasswordHash
from portcullis.gateway.authenticator import (
    Authenticator,
    AuthenticatorError,
    LogonRequest,
)
from portcullis.gateway.config_sessions import FixClient
from portcullis.gateway.event_log import Throttled
from portcullis.gateway.fix_peer import FixPeer
from portcullis.gateway.turn import Turn
from portcullis.sessions.fix_admin import LOGON
from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_logon import silent_fault
from portcullis.sessions.fix_message import FixMessage, identity_of

_NAME_SHOWN = 64  # as long as a CompID may be here

Identity = tuple[bytes, bytes, bytes]


class Caller(Protocol):
    """The connection that asks."""

    place: Place
    # Names of the certificate it showed; None: it did not come over TLS.
    certificate_names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Guard:
    """What a connection must show for a session. networks: none: from anywhere."""

    is_enabled: bool = True
    networks: tuple[Network, ...] = ()
    password: PasswordHash | None = None
    # Over TLS only; with a client certificate of this name, "": with any or none.
    needs_tls: bool = False
    certificate: str = ""
    # Of a template and the sessions made from it; then there is no password.
    authenticator: Authenticator | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A session and its guard. account: of its orders that name none."""

    peer: FixPeer
    guard: Guard
    account: str

    @property
    def key(self) -> str:
        """The session's name."""
        return self.peer.key

    @property
    def config(self) -> FixSessionConfig:
        """What is agreed with the client."""
        return self.peer.session.config


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody that a template fits, without a session yet. settings: those it would have."""

    template: str
    settings: FixClient
    key: str
    config: FixSessionConfig
    guard: Guard


class Sessions(Protocol):
    """The sessions there are, and those that may become some."""

    entries: dict[Identity, Entry]

    def applicant(self, identity: Identity) -> Applicant | None:
        """Who has no session, but a template fits; None: none does."""

    def add(self, applicant: Applicant, account: str | None) -> Entry:
        """Its session, from now on. ValueError says why it can have none."""


class FixGate:
    """Finds the session of a connection, or makes it.

    first_scanner: reads the first messages of connections from the shared receive buffer.
    """

    def __init__(
        self,
        first_scanner: FixScanner,
        sessions: Sessions,
        admission: Admission,
        passwords: PasswordChecker,
        turn: Turn,
        log: Throttled,
    ) -> None:
        self.first_scanner = first_scanner
        self._sessions = sessions
        self._admission = admission
        self._passwords = passwords
        self._turn = turn
        self._log = log
        # What takes the time of a wrong password where none is to be checked; None: none has one.
        passwords_set = (entry.guard.password for entry in sessions.entries.values())
        self._decoy = next((one for one in passwords_set if one is not None), None)

    def find(
        self, caller: Caller, scanner: FixScanner, now_ns: int
    ) -> FixPeer | Coroutine[Any, Any, FixPeer | None] | None:
        """The peer that message 0 of the scanner names, if it is to be let in now.

        None: close without a word. Where that takes a while, what to await for the answer.
        """
        message = FixMessage(scanner, 0)
        identity = identity_of(scanner, 0) if message.msg_type == LOGON else None
        found: Entry | Applicant | None = None
        if identity is not None:
            found = self._sessions.entries.get(identity) or self._sessions.applicant(identity)
        if identity is None or found is None:
            names = {"client": identity[1], "comp_id": identity[2]} if identity else {}
            shown = {key: _shown(value) for key, value in names.items()}
            reason = "no session has these CompIDs" if identity else "no Logon"
            self._log.emit("stranger", host=caller.place.host, **shown, reason=reason)
            return self._turn_away(caller, message, now_ns) if identity else None
        guard = found.guard
        fault = _fault(guard, caller) or silent_fault(found.config, message, now_ns)
        if fault:
            self._refuse(found.key, caller, fault)
            return self._turn_away(caller, message, now_ns)
        if isinstance(found, Entry) and guard.password is None and guard.authenticator is None:
            return self._let_in(found.peer, caller, now_ns)
        if not self._admission.may_try(caller.place, now_ns):
            return self._refuse(found.key, caller, "too many failed Logons from this address")
        if isinstance(found, Entry) and guard.password is not None:
            return self._check(found.peer, caller, guard.password, message.get(PASSWORD) or b"")
        return self._ask(identity, found, caller, message)

    def _let_in(self, peer: FixPeer, caller: Caller, now_ns: int) -> FixPeer | None:
        """Give a newcomer whose credentials are right its place, if that is free."""
        if peer.quarantined:
            return self._refuse(peer.key, caller, "quarantined")
        if peer.session.is_connected:
            peer.challenge(now_ns)
            return self._refuse(peer.key, caller, "connected already")
        return peer

    def _refuse(self, key: str, caller: Caller, reason: str) -> FixPeer | None:
        self._log.emit("refused", session=key, host=caller.place.host, reason=reason)
        return None

    def _turn_away(
        self, caller: Caller, message: FixMessage, now_ns: int
    ) -> Coroutine[Any, Any, FixPeer | None] | None:
        """Close what has been refused, within the budget for wrong passwords as late as those."""
        if self._decoy is None or not self._admission.may_try(caller.place, now_ns):
            return None
        return self._check(None, caller, self._decoy, message.get(PASSWORD) or b"")

    def _may_try(self, caller: Caller) -> Callable[[], bool]:
        """Asks whether credentials from there are still looked at."""
        return lambda: self._admission.may_try(caller.place, self._turn.begin())

    async def _check(
        self, peer: FixPeer | None, caller: Caller, known: PasswordHash, password: bytes
    ) -> FixPeer | None:
        """Whom the password lets in. peer: None: nobody, it has been refused already."""
        try:
            fits = await self._passwords.check(
                known, password, caller.place.address, self._may_try(caller)
            )
        except Crowded as error:
            if peer is not None:
                self._refuse(peer.key, caller, str(error))
            return None
        except Abandoned:  # it hung up, and has not shown that it is right
            self._admission.failed(caller.place, self._turn.now_ns)
            raise
        now_ns = self._turn.begin()
        if fits and peer is not None:
            return self._let_in(peer, caller, now_ns)
        self._admission.failed(caller.place, now_ns)
        if peer is None:
            return None
        self._refuse(peer.key, caller, "wrong password")
        if peer.session.config.logon_reject == "logout" and not peer.session.is_connected:
            peer.is_authentic = False  # it is told so, and closed
            return peer
        return None

    async def _ask(
        self, identity: Identity, found: Entry | Applicant, caller: Caller, message: FixMessage
    ) -> FixPeer | None:
        assert found.guard.authenticator is not None
        request = LogonRequest(
            client=identity[1].decode("latin-1"),
            comp_id=identity[2].decode("latin-1"),
            username=(message.get(USERNAME) or b"").decode("latin-1"),
            password=(message.get(PASSWORD) or b"").decode("latin-1"),
            address=caller.place.host,
            certificate_names=sorted(caller.certificate_names or ()),
        )
        try:
            answer = await found.guard.authenticator.ask(
                request, caller.place.address, self._may_try(caller)
            )
        except (Crowded, AuthenticatorError) as error:
            return self._refuse(found.key, caller, str(error))
        except Abandoned:
            self._admission.failed(caller.place, self._turn.now_ns)
            raise
        now_ns = self._turn.begin()
        if answer is None:
            self._admission.failed(caller.place, now_ns)
            return self._refuse(found.key, caller, "the authenticator said no")
        entry = self._sessions.entries.get(identity)
        if entry is None:
            assert isinstance(found, Applicant)
            try:
                entry = self._sessions.add(found, answer.account)
            except ValueError as error:
                return self._refuse(found.key, caller, str(error))
            self._log.emit("session_new", session=entry.key, host=caller.place.host)
        elif answer.account not in (None, entry.account):
            return self._refuse(found.key, caller, f"its account is {entry.account} for ever")
        return self._let_in(entry.peer, caller, now_ns)


def _fault(guard: Guard, caller: Caller) -> str:
    """What is wrong with a connection, whatever it says; "": nothing."""
    if not guard.is_enabled:
        return "disabled"
    if not is_allowed(guard.networks, caller.place.host):
        return "address"
    names = caller.certificate_names
    if (guard.needs_tls or guard.certificate) and names is None:
        return "not over TLS"
    if guard.certificate and (names is None or guard.certificate not in names):
        return "certificate"
    return ""


def _shown(comp_id: bytes) -> str:
    """What a stranger calls itself, for the log: bounded, and nothing but printable ASCII."""
    return "".join(chr(octet) if 32 <= octet < 127 else "?" for octet in comp_id[:_NAME_SHOWN])
