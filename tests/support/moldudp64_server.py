"""A MoldUDP64 stream with retransmission that breaks a rule when told to, for tests.

Written with `struct` from the protocol's tables alone, so that what it holds to is not what the
conformance tool or the gateway thinks. Its sockets are on ports of their own; a command is a
datagram to the port for commands: `publish`, or `day-end`.
"""

from __future__ import annotations

import itertools
import select
import socket
import struct
import threading
import time

GROUPS = ("239.255.13.7", "239.255.13.8")
HEARTBEAT_S = 0.1
# How long the end of a session is said.
END_S = 0.5
HEADER = struct.Struct(">10sQH")
END_OF_SESSION = 0xFFFF
Address = tuple[str, int]

# What a gateway may have wrong, and the scenario that cannot hold then.
BROKEN: dict[str, str] = {
    "a Heartbeat has the number of the next message": "heartbeat-behind",
    "Heartbeats come at intervals": "heartbeat",
    "the session is left-justified": "session-name",
    "the count is that of the messages": "messages",
    "a packet begins where the one before has ended": "in-order",
    "both lines carry the same": "two-lines",
    "the end of a session is said again and again": "end-of-session",
    "a message is had again byte for byte": "one-message",
    "an answer holds no more than was asked for": "one-message",
    "a repeated request is answered again": "again",
    "a request brings one datagram": "one-datagram",
    "the first message of a session can be had": "from-the-first",
    "an answer goes to the one who asked": "own-socket",
    "what is not yet said is not answered": "not-yet",
    "there is no message 0": "number-0",
    "another session's messages are not had": "other-session",
    "who asks for nothing gets nothing": "count-0",
    "a datagram that is too short is ignored": "short",
    "bytes that are no request are ignored": "garbage",
}


class Stream:
    """One stream on two lines, and the store that requests are answered from, in a thread.

    As a context manager it ends with the context. groups: HOST:PORT of both lines. says_old_end:
    the end of the day before is still said beside this one's Heartbeats.
    """

    def __init__(self, broken: str, *, says_old_end: bool = False) -> None:
        self._broken = broken
        self._says_old_end = says_old_end
        self._out = self._socket(0)
        self._out.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1")
        )
        self._out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        self._requests, self._commands = self._socket(0), self._socket(0)
        self.port, self.command_port = _port(self._requests), _port(self._commands)
        # Who holds the port for requests holds it for the groups as well.
        self._lines = [(group, self.port) for group in GROUPS]
        self.groups = [f"{group}:{port}" for group, port in self._lines]
        self._names = (f"20261121{number:02d}".encode() for number in itertools.count(1))
        self._first_asker: Address | None = None
        self._answered: set[int] = set()
        self._is_running = True
        self._begin()
        self._thread = threading.Thread(target=self._run)

    def _socket(self, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", port))
        return made

    def __enter__(self) -> Stream:
        self._publish(3)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_running = False
        self._thread.join(10)
        for one in (self._out, self._requests, self._commands):
            one.close()

    def _begin(self) -> None:
        self._session = next(self._names)
        if self._is_broken("left-justified"):
            self._session = b" " + self._session[1:]
        self._messages: list[bytes] = []
        self._end_s = 0.0

    def _is_broken(self, words: str) -> bool:
        return words in self._broken

    def _run(self) -> None:
        quiet_s = HEARTBEAT_S / 20 if self._is_broken("at intervals") else HEARTBEAT_S
        while self._is_running:
            ready, _, _ = select.select([self._requests, self._commands], [], [], quiet_s)
            if self._commands in ready:
                if self._commands.recv(64) == b"day-end":
                    self._end_s = time.monotonic() + END_S
                else:
                    self._publish(2)
            elif self._requests in ready:
                self._answer(*self._requests.recvfrom(65536))
            else:
                self._quiet()

    def _quiet(self) -> None:
        """A Heartbeat, or the end of the session."""
        behind = len(self._messages) + 1
        if self._end_s and time.monotonic() > self._end_s:
            self._begin()
            behind = 1
        if self._end_s:
            self._say(HEADER.pack(self._session, behind, END_OF_SESSION))
            if self._is_broken("again and again"):
                self._begin()
        else:
            number = 1 if self._is_broken("number of the next") else behind
            self._say(HEADER.pack(self._session, number, 0))
            if self._says_old_end:
                self._say(HEADER.pack(b"2026112099", 25, END_OF_SESSION))

    def _publish(self, packets: int) -> None:
        """Packets of one message, then of two."""
        for packet in range(packets):
            first = len(self._messages) + 1
            new = [b"message %d" % (first + more) for more in range(1 + packet % 2)]
            self._messages += new
            if self._is_broken("where the one before") and packet:
                first += 1
            self._say(self._packet(first, new))

    def _packet(self, first: int, messages: list[bytes]) -> bytes:
        count = len(messages) + self._is_broken("count is that of")
        blocks = b"".join(struct.pack(">H", len(one)) + one for one in messages)
        return HEADER.pack(self._session, first, count) + blocks

    def _say(self, octets: bytes) -> None:
        self._out.sendto(octets, self._lines[0])
        if self._is_broken("both lines"):
            octets = octets.replace(b"message", b"massage")
        self._out.sendto(octets, self._lines[1])

    def _answer(self, request: bytes, asker: Address) -> None:
        if len(request) < HEADER.size:
            if not self._is_broken("too short"):
                return
            request = request.ljust(HEADER.size, b"\0")
        session, first, count = HEADER.unpack_from(request)
        if session != self._session and not self._is_broken("another session"):
            if self._is_broken("no request are ignored"):
                self._is_running = False
            return
        if self._is_broken("another session"):
            session = self._session
        stored = self._messages
        if first > len(stored) and self._is_broken("not yet said"):
            first = len(stored)
        if first == 0 and self._is_broken("no message 0"):
            first = 1
        if self._is_broken("first message of a session"):
            first = 0 if first < 2 else first
        if count == 0 and self._is_broken("asks for nothing"):
            count = 1
        if self._is_broken("no more than"):
            count += 1
        if not 0 < first <= len(stored) or count == 0:
            return
        if first in self._answered and self._is_broken("repeated request"):
            return
        self._answered.add(first)
        chosen = stored[first - 1 : first - 1 + min(count, 50)]
        if self._is_broken("byte for byte"):
            chosen = [one.upper() for one in chosen]
        self._first_asker = self._first_asker or asker
        if self._is_broken("who asked"):
            asker = self._first_asker
        for _ in range(1 + self._is_broken("one datagram")):
            self._requests.sendto(self._packet(first, chosen), asker)


def _port(one: socket.socket) -> int:
    port: int = one.getsockname()[1]
    return port
