"""Who may log on over FIX: what the first message of a connection must show.

Owns the order of the questions: CompIDs name the session; then the session is enabled, the
address allowed, the certificate right, the Logon well-formed and recent, the password right. Only
then does the newcomer count: it takes the session's place, or, where that is taken, makes the old
connection show life. So a stranger who knows the CompIDs neither holds a place nor moves a number.
Everything wrong is answered by closing, and the log says why. Must not know bytes or sockets.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tags import PASSWORD
from portcullis.gateway.admission import Admission, Network, Place, is_allowed
from portcullis.gateway.auth import Crowded, PasswordChecker, PasswordHash
from portcullis.gateway.event_log import Throttled
from portcullis.gateway.fix_peer import FixPeer
from portcullis.gateway.turn import Turn
from portcullis.sessions.fix_admin import LOGON
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


@dataclass(frozen=True, slots=True)
class Entry:
    """A session and its guard."""

    peer: FixPeer
    guard: Guard


class FixGate:
    """Finds the session of a connection. entries: by BeginString, their CompID, ours."""

    def __init__(
        self,
        first_scanner: FixScanner,
        entries: dict[Identity, Entry],
        admission: Admission,
        passwords: PasswordChecker,
        turn: Turn,
        log: Throttled,
    ) -> None:
        # Reads the first message of a connection from the shared receive buffer.
        self.first_scanner = first_scanner
        self._entries = entries
        self._admission = admission
        self._passwords = passwords
        self._turn = turn
        self._log = log

    def find(
        self, caller: Caller, scanner: FixScanner, now_ns: int
    ) -> FixPeer | Coroutine[Any, Any, FixPeer | None] | None:
        """The peer that message 0 of the scanner names, if it is to be let in now.

        None: close without a word. Where that takes a while, what to await for the answer.
        """
        message = FixMessage(scanner, 0)
        identity = identity_of(scanner, 0) if message.msg_type == LOGON else None
        entry = self._entries.get(identity) if identity else None
        if entry is None:
            names = {"client": identity[1], "comp_id": identity[2]} if identity else {}
            shown = {key: _shown(value) for key, value in names.items()}
            reason = "no session has these CompIDs" if identity else "no Logon"
            self._log.emit("stranger", host=caller.place.host, **shown, reason=reason)
            return None
        peer, guard = entry.peer, entry.guard
        fault = self._fault(entry, caller) or silent_fault(peer.session.config, message, now_ns)
        if fault:
            return self._refuse(peer, caller, fault)
        if guard.password is None:
            return self._let_in(peer, caller, now_ns)
        if not self._admission.may_try(caller.place, now_ns):
            return self._refuse(peer, caller, "too many wrong passwords from this address")
        return self._check(peer, caller, guard.password, message.get(PASSWORD) or b"")

    def _fault(self, entry: Entry, caller: Caller) -> str:
        """What is wrong with a connection, whatever it says; "": nothing."""
        guard = entry.guard
        if not guard.is_enabled:
            return "disabled"
        if entry.peer.quarantined:
            return "quarantined"
        if not is_allowed(guard.networks, caller.place.host):
            return "address"
        names = caller.certificate_names
        if (guard.needs_tls or guard.certificate) and names is None:
            return "not over TLS"
        if guard.certificate and (names is None or guard.certificate not in names):
            return "certificate"
        return ""

    def _let_in(self, peer: FixPeer, caller: Caller, now_ns: int) -> FixPeer | None:
        """Give a newcomer whose credentials are right its place, if that is free."""
        if peer.session.is_connected:
            peer.challenge(now_ns)
            return self._refuse(peer, caller, "connected already")
        return peer

    def _refuse(self, peer: FixPeer, caller: Caller, reason: str) -> FixPeer | None:
        self._log.emit("refused", session=peer.key, host=caller.place.host, reason=reason)
        return None

    async def _check(
        self, peer: FixPeer, caller: Caller, known: PasswordHash, password: bytes
    ) -> FixPeer | None:
        fits = False
        try:
            fits = await self._passwords.check(known, password, caller.place.address)
        except Crowded:
            return self._refuse(peer, caller, "too many passwords wait to be checked")
        finally:
            now_ns = self._turn.begin()
            if not fits:  # who hangs up while it is checked has not shown that it is right
                self._admission.failed(caller.place, now_ns)
        if fits:
            return self._let_in(peer, caller, now_ns)
        self._refuse(peer, caller, "wrong password")
        if peer.session.config.logon_reject == "logout" and not peer.session.is_connected:
            peer.is_authentic = False  # it is told so, and closed
            return peer
        return None


def _shown(comp_id: bytes) -> str:
    """What a stranger calls itself, for the log: bounded, and nothing but printable ASCII."""
    return "".join(chr(octet) if 32 <= octet < 127 else "?" for octet in comp_id[:_NAME_SHOWN])
