"""Bytes and messages: FIX through simplefix, the binary protocols through own declarations.

Owns how a message of a scenario becomes bytes and how received bytes become messages, with what
is wrong with their frame. Bounded: what grows beyond MESSAGE_BYTES_MAX without an end is a fault.
Must not know sockets, sessions or what was expected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import construct
import simplefix
import simplefix.errors

from portcullis.tools.conform import binary_layouts as layouts
from portcullis.tools.conform.fix_names import HEADER, SECRETS, field_name, message_name
from portcullis.tools.conform.values import LENGTH_MARK, SOH, SUM_MARK, WRONG_SUM_MARK

MESSAGE_BYTES_MAX = 1 << 18
Fields = list[tuple[str, str]]


class WireError(Exception):
    """Received bytes are no message; the text says why."""


@dataclass(slots=True)
class Message:
    """One message. fields: (tag or name, value) as they came. faults: what its frame has wrong."""

    type: str
    fields: Fields
    octets: bytes = b""
    faults: list[str] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """The first value of a field, None where it is absent."""
        return next((value for key, value in self.fields if key == name), None)


def printable(text: str) -> str:
    """Text for a terminal: what is no plain ASCII as its code, so that none is obeyed there."""
    return "".join(char if " " <= char <= "~" else f"\\x{ord(char):02x}" for char in text)


class Wire(Protocol):
    """What the runner needs of a protocol."""

    def encode(self, msg_type: str, fields: Fields) -> bytes:
        """The bytes of a message; WireError where a field is none of its."""

    def shown(self, octets: bytes) -> str:
        """Bytes for people, without secrets."""

    def name(self, msg_type: str) -> str:
        """A message type for people."""


class StreamWire(Wire, Protocol):
    """What a stream of bytes needs besides."""

    def feed(self, octets: bytes) -> None:
        """Take what was received."""

    def next(self) -> Message | None:
        """The next whole message; WireError where the bytes are none."""


# --- FIX -----------------------------------------------------------------------------------------


def fix_length_and_sum(octets: bytes) -> bytes:
    """With the marks of a raw message replaced by the BodyLength and CheckSum it needs."""
    length_mark, sum_mark = LENGTH_MARK.encode(), SUM_MARK.encode()
    if length_mark in octets:
        head, _, tail = octets.partition(length_mark)
        body = tail.removeprefix(b"\x01")
        end = body.rfind(b"\x0110=")
        length = len(body) if end < 0 else end + 1
        octets = head + b"%d" % length + tail
    for mark, wrong_by in ((sum_mark, 0), (WRONG_SUM_MARK.encode(), 1)):
        if mark in octets:
            head, _, tail = octets.partition(mark)
            counted = head[: head.rfind(b"10=")]
            octets = head + b"%03d" % ((sum(counted) + wrong_by) % 256) + tail
    return octets


class FixWire:
    """FIX tag=value."""

    def __init__(self) -> None:
        self._parser = simplefix.FixParser(allow_empty_values=True)
        self._fed = 0

    def encode(self, msg_type: str, fields: Fields) -> bytes:
        """fields: header and body, in any order; 8, 9 and 10 only where they are to be wrong."""
        given = dict(fields)
        message = simplefix.FixMessage()
        message.append_pair(8, given.get("8", "FIX.4.4"))
        message.append_pair(35, given.get("35", msg_type))
        in_header = [pair for pair in fields if pair[0].isdigit() and int(pair[0]) in HEADER]
        in_body = [pair for pair in fields if pair not in in_header]
        for tag, value in in_header + in_body:
            if tag not in ("8", "9", "10", "35"):
                message.append_pair(tag, value.encode("latin-1"))
        octets: bytes = message.encode()
        if "9" in given:
            head, _, rest = octets.partition(b"\x019=")
            octets = head + b"\x019=" + given["9"].encode() + rest[rest.index(b"\x01") :]
            octets = octets[: octets.rindex(b"10=")] + b"10=" + SUM_MARK.encode() + b"\x01"
        if "10" in given:
            octets = octets[: octets.rindex(b"10=")] + b"10=" + given["10"].encode() + b"\x01"
        return fix_length_and_sum(octets)

    def feed(self, octets: bytes) -> None:
        self._fed += len(octets)
        self._parser.append_buffer(octets)

    def next(self) -> Message | None:
        try:
            found = self._parser.get_message()
        except simplefix.errors.ParsingError as error:
            raise WireError(f"received bytes are no FIX: {error!r}") from None
        if found is None:
            if self._fed > MESSAGE_BYTES_MAX:
                raise WireError(f"more than {MESSAGE_BYTES_MAX} bytes without a whole message")
            return None
        self._fed = len(self._parser.get_buffer())
        octets = b"".join(b"%s=%s\x01" % (tag, value) for tag, value in found.pairs)
        fields = [(tag.decode("latin-1"), value.decode("latin-1")) for tag, value in found.pairs]
        return Message(dict(fields).get("35", ""), fields, octets, _frame_faults(octets, fields))

    def shown(self, octets: bytes) -> str:
        pieces = octets.decode("latin-1").split(SOH)
        return printable("|".join(_redacted(piece) for piece in pieces))

    def name(self, msg_type: str) -> str:
        return message_name(msg_type)


def _redacted(piece: str) -> str:
    tag, equals, value = piece.partition("=")
    secret = tag.isdigit() and int(tag) in SECRETS
    return f"{tag}{equals}***" if secret and value else piece


def _frame_faults(octets: bytes, fields: Fields) -> list[str]:
    """What the frame of a received message has wrong, by the rules of FIX 4.4 vol 2."""
    faults = []
    if [tag for tag, _ in fields[:3]] != ["8", "9", "35"]:
        faults.append("the first three fields are not BeginString(8), BodyLength(9), MsgType(35)")
    values = dict(fields)
    start, end = octets.find(b"\x0135="), octets.rfind(b"\x0110=")
    if start >= 0 and end > start and values.get("9") != str(end - start):
        faults.append(f"BodyLength(9) is {values.get('9')}, the body has {end - start} bytes")
    check_sum = sum(octets[: end + 1]) % 256
    if values.get("10") != f"{check_sum:03d}":
        faults.append(f"CheckSum(10) is {values.get('10')}, the bytes sum to {check_sum:03d}")
    empty = [tag for tag, value in fields if not value]
    if empty:
        faults.append("empty values: " + ", ".join(field_name(tag) for tag in empty))
    return faults


# --- SoupBinTCP and OUCH -------------------------------------------------------------------------

_OUCH_NAMES = {code: name for name, (code, _) in layouts.OUCH_OUT.items()}
_SOUP_NAMES = {code: name for name, (code, _) in layouts.SOUP.items()}


class SoupWire:
    """SoupBinTCP with OUCH 4.2 inside, as a client reads it."""

    def __init__(self) -> None:
        self._buffer = b""

    def encode(self, msg_type: str, fields: Fields) -> bytes:
        """A packet: data messages go into the packet that carries them."""
        values = dict(fields)
        if msg_type in layouts.SOUP:
            code, layout = layouts.SOUP[msg_type]
            prefix = code.encode()
        else:
            inbound = msg_type in layouts.OUCH_IN
            code, layout = (layouts.OUCH_IN if inbound else layouts.OUCH_OUT)[msg_type]
            carrier = layouts.UNSEQUENCED if inbound else layouts.SEQUENCED
            prefix = carrier.encode() + code.encode()
        packet: bytes = prefix + _built(msg_type, layout, values)
        return len(packet).to_bytes(2, "big") + packet

    def feed(self, octets: bytes) -> None:
        self._buffer += octets

    def next(self) -> Message | None:
        if len(self._buffer) < 2:
            return None
        size = int.from_bytes(self._buffer[:2], "big")
        if size == 0:
            raise WireError("a packet of length 0")
        if len(self._buffer) < 2 + size:
            return None
        octets, self._buffer = self._buffer[: 2 + size], self._buffer[2 + size :]
        code, payload = chr(octets[2]), octets[3:]
        if code == layouts.SEQUENCED and payload:
            name = _OUCH_NAMES.get(chr(payload[0]))
            if name is None:
                raise WireError(f"a message of unknown type {chr(payload[0])!r}")
            return self._parsed(name, layouts.OUCH_OUT[name][1], payload[1:], octets)
        name = _SOUP_NAMES.get(code)
        if name is None:
            raise WireError(f"a packet of unknown type {code!r}")
        return self._parsed(name, layouts.SOUP[name][1], payload, octets)

    def _parsed(
        self, name: str, layout: construct.Struct, payload: bytes, octets: bytes
    ) -> Message:
        try:
            values = layout.parse(payload)
        except construct.ConstructError:
            raise WireError(f"{name} is too short: {len(payload) + 1} bytes") from None
        faults = []
        if name != "Debug" and len(payload) != layout.sizeof():
            faults.append(f"{name} has {len(payload) + 1} bytes, not {layout.sizeof() + 1}")
        fields = [(str(part.name), str(values[part.name])) for part in layout.subcons]
        return Message(name, fields, octets, faults)

    def shown(self, octets: bytes) -> str:
        text = printable(octets.decode("latin-1"))
        if len(octets) >= 19 and octets[2:3] == b"L":
            return text[: text.index("L") + 7] + "*" * 10 + "..."
        return text

    def name(self, msg_type: str) -> str:
        return msg_type


def _built(msg_type: str, layout: construct.Struct, values: dict[str, str]) -> bytes:
    """The bytes of a message's fields; WireError where one is none of its or does not fit."""
    known = [str(part.name) for part in layout.subcons]
    if unknown := [name for name in values if name not in known]:
        raise WireError(f"{msg_type} has no field {unknown[0]}: it has {', '.join(known)}")
    octets = b""
    for name, part in zip(known, layout.subcons, strict=True):
        try:
            octets += part.build(values.get(name, _blank(name)))
        except (construct.ConstructError, ValueError) as error:
            raise WireError(f"{msg_type} cannot be encoded: {name}: {error}") from None
    return octets


def _blank(name: str) -> str:
    """What a field holds that a scenario does not mention."""
    return "0" if name in _NUMERIC else ""


_NUMERIC = frozenset(
    "shares price tif min_qty timestamp decrement match reference prevented".split()
)


# --- MoldUDP64 -----------------------------------------------------------------------------------

MOLD_HEADER_BYTES = 20
_MOLD_TYPES = {layouts.MOLD_HEARTBEAT: "Heartbeat", layouts.MOLD_END: "EndOfSession"}


class MoldWire:
    """MoldUDP64: requests out, packets in. Messages inside are shown as hexadecimal digits."""

    def encode(self, msg_type: str, fields: Fields) -> bytes:
        if msg_type != "Request":
            raise WireError(f"a subscriber sends a Request, and no {msg_type}")
        return _built(msg_type, layouts.MOLD_REQUEST, dict(fields))

    def parse(self, octets: bytes, is_answer: bool) -> Message:
        """What a datagram holds; is_answer: it came to the socket that requests are sent from."""
        try:
            packet = layouts.MOLD_PACKET.parse(octets)
        except construct.ConstructError:
            fault = f"{len(octets)} bytes: a packet has at least {MOLD_HEADER_BYTES}"
            return Message("Answer" if is_answer else "Packet", [], octets, [fault])
        count, messages = packet.count, packet.messages
        fields = [(name, str(packet[name])) for name in ("session", "sequence", "count")]
        fields += [("message", message.hex()) for message in messages]
        faults = []
        if octets.startswith(b" "):
            faults.append("the session is not left-justified")
        if packet.rest:
            faults.append(f"{len(packet.rest)} bytes behind the last whole message")
        if len(messages) != (0 if count == layouts.MOLD_END else int(count)):
            faults.append(f"the count is {count}, and {len(messages)} messages follow")
        kind = "Answer" if is_answer else _MOLD_TYPES.get(count, "Packet")
        return Message(kind, fields, octets, faults)

    def shown(self, octets: bytes) -> str:
        return printable(octets.decode("latin-1"))

    def name(self, msg_type: str) -> str:
        return msg_type
