"""MoldUDP64 packets, both ways: downstream packets and requests.

Owns their bytes and nothing of what a number means to whom. The gateway fills its own packets in
`gateway.report_packets`; here is what a listener reads, asks and is answered. Runs per packet.
Specification: NASDAQ, MoldUDP64 1.00; offsets are the declaration's, which a test holds to these.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from portcullis.dictionaries.moldudp64_offsets import (
    BLOCK_HEADER_BYTES,
    COUNT_END_OF_SESSION,
    COUNT_HEARTBEAT,
    DOWNSTREAM_BYTES,
    MESSAGES_MAX,
    REQUEST_BYTES,
)

SESSION_BYTES = 10
Octets = bytes | bytearray | memoryview

_HEADER = struct.Struct(">10sQH")
_LENGTH = struct.Struct(">H")


class Downstream(NamedTuple):
    """A downstream packet: `messages` are numbered from `sequence` on.

    Without messages, `sequence` is the number that comes next: a heartbeat, or the session's end.
    """

    session: bytes
    sequence: int
    messages: tuple[bytes, ...] = ()
    ends: bool = False

    @property
    def next_sequence(self) -> int:
        """The number behind the last message."""
        return self.sequence + len(self.messages)


class Request(NamedTuple):
    """What a listener asks for: so many messages from a number on."""

    session: bytes
    sequence: int
    wanted: int


def downstream(session: bytes, sequence: int, messages: Sequence[Octets]) -> bytes:
    """A packet of messages. ValueError: there are more than a packet can count."""
    if len(messages) > MESSAGES_MAX:
        raise ValueError(f"a packet has at most {MESSAGES_MAX} messages, not {len(messages)}")
    parts: list[Octets] = [_header(session, sequence, len(messages))]
    for message in messages:
        parts += (_LENGTH.pack(memoryview(message).nbytes), message)
    return b"".join(parts)


def heartbeat(session: bytes, next_sequence: int) -> bytes:
    return _header(session, next_sequence, COUNT_HEARTBEAT)


def end_of_session(session: bytes, next_sequence: int) -> bytes:
    return _header(session, next_sequence, COUNT_END_OF_SESSION)


def request(session: bytes, sequence: int, count: int) -> bytes:
    """Ask for `count` messages, at most MESSAGES_MAX."""
    return _header(session, sequence, min(count, MESSAGES_MAX))


def parse_downstream(datagram: Octets) -> Downstream | None:
    """Read a packet; None: it is none, or holds less or more than it announces.

    session comes as it stands, its padding counted, for it is compared and asked for so.
    """
    octets = bytes(datagram)
    if len(octets) < DOWNSTREAM_BYTES:
        return None
    session, sequence, count = _HEADER.unpack_from(octets)
    if count == COUNT_END_OF_SESSION:
        if len(octets) != DOWNSTREAM_BYTES:
            return None
        return Downstream(session, sequence, ends=True)
    messages = []
    at = DOWNSTREAM_BYTES
    for _ in range(count):
        begin = at + BLOCK_HEADER_BYTES
        if begin > len(octets):
            return None
        at = begin + _LENGTH.unpack_from(octets, at)[0]
        messages.append(octets[begin:at])
    if at != len(octets):
        return None
    return Downstream(session, sequence, tuple(messages))


def parse_request(datagram: Octets) -> Request | None:
    """Read a request; None: its length is another's."""
    octets = memoryview(datagram)
    if len(octets) != REQUEST_BYTES:
        return None
    return Request(*_HEADER.unpack(octets))


def _header(session: bytes, sequence: int, count: int) -> bytes:
    if len(session) > SESSION_BYTES:
        raise ValueError(f"a session has at most {SESSION_BYTES} characters, not {session!r}")
    return _HEADER.pack(session.ljust(SESSION_BYTES), sequence, count)
