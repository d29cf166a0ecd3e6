"""Packets that SoupBinTCP sessions exchange on their own account: logins, heartbeats, ends.

Owns their bytes, both ways, by the declarations. Runs per session event, and in clients per
message. Text is given back stripped on both sides, since clients pad either way; ours is padded as
declared.
"""

from __future__ import annotations

from typing import NamedTuple

from portcullis.dictionaries import soupbintcp
from portcullis.dictionaries.binary_layouts import Message

_MESSAGES = {message.name: message for message in soupbintcp.MESSAGES}
_LOGIN_REQUEST = _MESSAGES["Login Request"]
_LONG_LOGIN_REQUEST = _MESSAGES["Long Login Request"]
_LOGIN_ACCEPTED = _MESSAGES["Login Accepted"]
_LENGTH_BYTES = int(soupbintcp.HEADER.length.sizeof())
PAYLOAD_MAX = soupbintcp.LENGTH_MAX - 1
SEQUENCE_MAX = (1 << 63) - 1


class LoginRequest(NamedTuple):
    """What a client asks. session is empty for the current one; sequence -1: it was no number."""

    username: bytes
    password: bytes
    session: bytes
    sequence: int


class LoginAccepted(NamedTuple):
    """The session joined, and the number of its next Sequenced Data packet."""

    session: bytes
    sequence: int


def packet(letter: str, payload: bytes = b"") -> bytes:
    """A packet; ValueError where the payload is too long."""
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"a payload has at most {PAYLOAD_MAX} bytes, not {len(payload)}")
    return (1 + len(payload)).to_bytes(_LENGTH_BYTES, "big") + letter.encode() + payload


SERVER_HEARTBEAT = packet("H")
CLIENT_HEARTBEAT = packet("R")
END_OF_SESSION = packet("Z")
LOGOUT_REQUEST = packet("O")
NOT_AUTHORIZED = packet("J", b"A")
NOT_AVAILABLE = packet("J", b"S")


def debug(text: str) -> bytes:
    """A Debug packet: text for people, which no program obeys."""
    return packet("+", text.encode("ascii", "replace"))


def login_request(username: str, password: str, session: str, sequence: int) -> bytes:
    """ValueError where something is too long for its field."""
    return _build(
        _LOGIN_REQUEST,
        username=username.encode().ljust(6),
        password=password.encode().ljust(10),
        session=session.encode().rjust(10),
        sequence=b"%20d" % sequence,
    )


def login_accepted(session: bytes, sequence: int) -> bytes:
    return _build(_LOGIN_ACCEPTED, session=session.rjust(10), sequence=b"%20d" % sequence)


def parse_login_request(payload: bytes) -> LoginRequest | None:
    """A Login Request of SoupBinTCP 3.00, or of 4.10, whose time-out is passed over.

    None where its length is another.
    """
    size = 1 + len(payload)
    if size not in (_LOGIN_REQUEST.size, _LONG_LOGIN_REQUEST.size):
        return None
    found = _LOGIN_REQUEST.layout.parse(payload)
    return LoginRequest(
        found.username.strip(),
        found.password.strip(),
        found.session.strip(),
        _number(found.sequence),
    )


def parse_login_accepted(payload: bytes) -> LoginAccepted | None:
    """None where it is none."""
    if 1 + len(payload) != _LOGIN_ACCEPTED.size:
        return None
    found = _LOGIN_ACCEPTED.layout.parse(payload)
    sequence = _number(found.sequence)
    return LoginAccepted(found.session.strip(), sequence) if sequence > 0 else None


def _number(field: bytes) -> int:
    text = field.strip()
    number = int(text) if text.isdigit() else -1
    return number if number <= SEQUENCE_MAX else -1


def _build(message: Message, **values: bytes) -> bytes:
    for field in message.fields():
        if len(values[field.name]) != field.size:
            raise ValueError(f"{field.name} has at most {field.size} characters")
    return packet(message.letter, bytes(message.layout.build(values)))
