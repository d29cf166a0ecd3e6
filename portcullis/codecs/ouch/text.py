"""OUCH sessions as people read them: a line a message, each field that is not blank by its name.

Owns the wording of message logs, and where passwords stand in what clients send. Names and places
of fields are those of the declarations. Runs behind the gateway, never on the way of an order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from portcullis.dictionaries import ouch, soupbintcp
from portcullis.dictionaries.binary_layouts import Message
from portcullis.dictionaries.soupbintcp_offsets import HEADER_BYTES

# Of two by one letter, as SoupBinTCP 3.00 has it: it stands first.
_PACKETS = {message.letter: message for message in reversed(soupbintcp.MESSAGES)}
_PASSWORD = next(one for one in _PACKETS["L"].fields() if one.name == "password")
_MASK = b"*"


class _Reader:
    """Reads one message: the same layout as the declaration, by `struct`."""

    def __init__(self, message: Message) -> None:
        fields = list(message.fields())
        self.name = message.name.encode()
        self.size = message.size
        self._names = [field.name.encode() for field in fields]
        self._struct = struct.Struct(">x" + "".join(field.code for field in fields))

    def text(self, octets: bytes) -> bytes:
        """Its name and fields, without what is blank or a password."""
        values = zip(self._names, map(_shown, self._struct.unpack(octets)), strict=True)
        return self.name + b"".join(
            b" %b=%b" % (name, value) for name, value in values if value and name != b"password"
        )


def _shown(value: bytes | int) -> bytes:
    """Without its padding; what is not printable, as an escape: a line stays a line."""
    if isinstance(value, int):
        return b"%d" % value
    return value.strip(b" ").decode("latin-1").encode("unicode_escape")


_IN = {ord(message.letter): _Reader(message) for message in ouch.INBOUND}
_OUT = {ord(message.letter): _Reader(message) for message in ouch.OUTBOUND}
# By length: of SoupBinTCP 3.00 and 4.10.
_LOGINS = {one.size: _Reader(one) for one in soupbintcp.MESSAGES if one.letter == "L"}
# What a line of a log begins with, each packet and message that has one.
NAMES = frozenset(one.name for one in (*ouch.MESSAGES, *soupbintcp.MESSAGES))


def _message(octets: bytes, readers: dict[int, _Reader]) -> bytes:
    reader = readers.get(octets[0]) if octets else None
    if reader is None or len(octets) != reader.size:
        return b"No message of OUCH: " + octets.hex().encode()
    return reader.text(octets)


def outbound(packet: bytes) -> bytes:
    """What a Sequenced Data packet of ours says."""
    return _message(packet[HEADER_BYTES:], _OUT)


def inbound(octets: bytes) -> Iterator[bytes]:
    """What each packet says that a client sent, but for its heartbeats."""
    for start, end in _places(octets):
        letter, payload = chr(octets[start + 2]), octets[start + HEADER_BYTES : end]
        if letter == "U":
            yield _message(payload, _IN)
        elif letter == "L" and 1 + len(payload) in _LOGINS:
            yield _LOGINS[1 + len(payload)].text(b"L" + payload)
        elif letter != "R":
            name = _PACKETS[letter].name if letter in _PACKETS else f"Packet {letter!r}"
            yield b"%b %b" % (name.encode(), _shown(payload)) if payload else name.encode()


def without_passwords(octets: bytes) -> bytes:
    """Packets of a client, what may be a password taken out; cut where they are no packets."""
    kept = bytearray(octets)
    done = 0
    for start, end in _places(octets):
        done = end
        if octets[start + 2] == ord("L"):
            begin = min(start + 2 + _PASSWORD.offset, end)
            stop = end
            if end - start - 2 == _PACKETS["L"].size:
                stop = begin + _PASSWORD.size
            kept[begin:stop] = _MASK * (stop - begin)
    return bytes(kept[:done])


def _places(octets: bytes) -> Iterator[tuple[int, int]]:
    """Where packets begin and end, up to what is none."""
    start = 0
    while start + HEADER_BYTES <= len(octets):
        end = start + 2 + (octets[start] << 8 | octets[start + 1])
        if not start + HEADER_BYTES <= end <= len(octets):
            return
        yield start, end
        start = end
