"""A place in a session of SoupBinTCP: what the OUCH client and a stream's replay have in common.

Owns session and number of the message that `receive` gives next, around `sessions.soup_client`.
Each connection goes on from there, whatever had come and not been read, so that no message is
missed and none comes twice. Must not know what a message says. Specification: NASDAQ SoupBinTCP
3.00.
"""

from __future__ import annotations

import time
from abc import abstractmethod

from portcullis.client.errors import ClientError, ConnectionLost, LoginRefused, SessionEnded
from portcullis.client.session import LOGIN_TIMEOUT_S, QUEUE_MAX, ClientSession, Received
from portcullis.codecs.soupbintcp import packets
from portcullis.sessions import soup_client as soup

_NO_SESSION = "session not available"


class SoupClientSession(ClientSession[Received]):
    """One user's place. session, sequence: where to begin; without a session, in the current one.

    sequence 0 is the newest message. ValueError where something is too long for SoupBinTCP.
    """

    # What may be behind a refusal with S.
    _NOT_AVAILABLE = "it is not kept, has no such number yet, or is connected already"

    def __init__(
        self,
        host: str,
        port: int,
        username: str,
        password: str = "",
        *,
        session: str = "",
        sequence: int = 1,
        queue_max: int = QUEUE_MAX,
        login_timeout_s: float = LOGIN_TIMEOUT_S,
    ) -> None:
        super().__init__(host, port, queue_max=queue_max, login_timeout_s=login_timeout_s)
        packets.login_request(username, password, session, sequence)  # can it be said?
        self.session = session
        # The number of the message that `receive` gives next.
        self.next_sequence = sequence
        self._username = username
        self._password = password
        self._machine = soup.SoupClient()
        # The session has ended, and that has been told: the next connection joins the current one.
        self._has_ended = self._is_past = False

    @abstractmethod
    def _read(self, octets: bytes, sequence: int) -> Received:
        """What a message of the session is. ValueError: none."""

    def rewind(self, sequence: int, session: str | None = None) -> None:
        """The next connection begins at this message, of this session, or the one it was in."""
        self._is_past = False
        self.next_sequence = sequence
        if session is not None:
            self.session = session

    async def receive(self) -> Received:
        """The next message. ConnectionLost, SessionEnded: there is none, and why."""
        try:
            message = await super().receive()
        except SessionEnded:
            self._is_past = self._has_ended
            raise
        self.next_sequence += 1
        return message

    # --- what `ClientSession` asks for -----------------------------------------------------------

    def _now_ns(self) -> int:
        return time.monotonic_ns()

    def _begin(self) -> soup.SoupClient:
        if self._is_past:
            self.rewind(1, "")
        self._queue.clear()  # asked for again, from the first that was not given
        self._has_ended = False
        self._machine = soup.SoupClient()
        return self._machine

    def _log_in(self) -> None:
        self._machine.login(
            self._username,
            self._password,
            time.monotonic_ns(),
            session=self.session,
            sequence=self.next_sequence,
        )

    def _begin_logout(self) -> None:
        self._machine.logout(time.monotonic_ns())

    def _unanswered(self, reason: str) -> ClientError:
        return ConnectionLost(f"{reason} before it answered the login")

    def _carry_out(self) -> None:
        for event in self._machine.events():
            if isinstance(event, soup.Sequenced):
                self._put(self._read(event.octets, event.sequence))
            elif isinstance(event, soup.Accepted):
                self._accepted(event)
            elif isinstance(event, soup.Ended):
                self._has_ended = True
                self._end_link(SessionEnded(f"session {self.session} has ended"))
            elif isinstance(event, soup.Refused):
                why = f": {self._NOT_AVAILABLE}" if event.reason == _NO_SESSION else ""
                self._end_link(LoginRefused(event.reason + why))
            elif isinstance(event, soup.Failed):
                self._end_link(ConnectionLost(event.reason))
            elif isinstance(event, soup.Debugged):
                self._said = event.text

    def _accepted(self, event: soup.Accepted) -> None:
        asked, given = (self.session, self.next_sequence), (event.session, event.sequence)
        if asked[0] not in ("", given[0]) or asked[1] not in (0, given[1]):
            self._end_link(LoginRefused(f"asked for {asked}, the gateway would give {given}"))
            return
        self.session, self.next_sequence = given
        self._logged_in()
