"""An OUCH client that blocks, for tests from outside; construct reads and writes its messages."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

from portcullis.codecs.soupbintcp import packets
from portcullis.dictionaries.ouch import INBOUND, OUTBOUND
from portcullis.dictionaries.soupbintcp import HEADER
from tests.support.fix_client import TIMEOUT_S

_IN = {message.letter: message for message in INBOUND}
_OUT = {message.letter: message for message in OUTBOUND}


def message(letter: str, **fields: Any) -> bytes:
    """An inbound message; texts are padded with blanks."""
    layout = _IN[letter]
    values = {
        field.name: fields[field.name].encode().ljust(field.size)
        if field.kind == "alpha" and isinstance(fields[field.name], str)
        else fields[field.name]
        for field in layout.fields()
    }
    return letter.encode() + bytes(layout.layout.build(values))


def enter(
    token: str,
    side: str,
    shares: int,
    price: int,
    *,
    stock: str = "BTCUSD",
    time_in_force: int = 99999,
    **other: Any,
) -> bytes:
    """An Enter Order; price in 10^-4."""
    fields = {
        "firm": "",
        "display": "Y",
        "capacity": "P",
        "intermarket_sweep": "N",
        "minimum_quantity": 0,
        "cross_type": "N",
        "customer_type": " ",
        **other,
    }
    return message(
        "O",
        order_token=token,
        buy_sell=side,
        shares=shares,
        stock=stock,
        price=price,
        time_in_force=time_in_force,
        **fields,
    )


def replace(old: str, new: str, shares: int, price: int, **other: Any) -> bytes:
    fields = {
        "time_in_force": 99999,
        "display": "Y",
        "intermarket_sweep": "N",
        "minimum_quantity": 0,
        **other,
    }
    return message(
        "U",
        existing_order_token=old,
        replacement_order_token=new,
        shares=shares,
        price=price,
        **fields,
    )


def cancel(token: str, shares: int = 0) -> bytes:
    return message("X", order_token=token, shares=shares)


def modify(token: str, side: str, shares: int) -> bytes:
    return message("M", order_token=token, buy_sell=side, shares=shares)


def decode(octets: bytes) -> dict[str, Any]:
    """An outbound message; its letter as `type`, texts without their padding."""
    layout = _OUT[chr(octets[0])]
    assert len(octets) == layout.size
    found = layout.layout.parse(octets[1:])
    return {"type": layout.letter} | {
        field.name: found[field.name].decode("latin-1").rstrip()
        if field.kind == "alpha"
        else found[field.name]
        for field in layout.fields()
    }


class OuchClient:
    """One connection. Keeps every sequenced message, as bytes, with its number."""

    opened: ClassVar[list[OuchClient]] = []

    @classmethod
    def close_all(cls) -> None:
        """Close every connection ever opened."""
        while cls.opened:
            cls.opened.pop().close()

    def __init__(self, port: int, username: str = "OUCH1", *, receive_bytes: int = 0) -> None:
        self.opened.append(self)
        self.username = username
        self.session = ""
        self.next_sequence = 0
        self.received: dict[int, bytes] = {}
        # Whether the end of its session has come.
        self.ended = False
        self.link = socket.socket()
        if receive_bytes:  # what the kernel keeps for who does not read
            self.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.link.settimeout(TIMEOUT_S)
        self.link.connect(("127.0.0.1", port))
        self._buffer = b""

    def packet(self) -> tuple[str, bytes]:
        """The next packet; an empty letter: the peer has closed."""
        while len(self._buffer) < 3 or len(self._buffer) < 2 + int.from_bytes(
            self._buffer[:2], "big"
        ):
            octets = self._receive()
            if not octets:
                return "", b""
            self._buffer += octets
        header = HEADER.parse(self._buffer)
        end = 2 + header.length
        payload, self._buffer = self._buffer[3:end], self._buffer[end:]
        letter: str = header.packet_type.decode("latin-1")
        return letter, payload

    def is_closed_by_peer(self) -> bool:
        """Wait for the end; false where more than a heartbeat comes before it."""
        letter = "H"
        while letter == "H":
            letter, _ = self.packet()
        return not letter

    def _receive(self) -> bytes:
        try:
            return self.link.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def log_in(
        self, password: str = "", session: str = "", sequence: int = 1
    ) -> tuple[str, bytes]:
        """Send a Login Request; give the answer."""
        self.link.sendall(packets.login_request(self.username, password, session, sequence))
        letter, payload = self.packet()
        if letter == "A":
            self.session = payload[:10].decode().strip()
            self.next_sequence = int(payload[10:])
        return letter, payload

    def send(self, *messages: bytes) -> None:
        self.link.sendall(b"".join(packets.packet("U", one) for one in messages))

    def next(self) -> dict[str, Any]:
        """The next sequenced message; {} where the session or the connection has ended."""
        while True:
            letter, payload = self.packet()
            if letter == "S":
                self.received[self.next_sequence] = payload
                self.next_sequence += 1
                return decode(payload)
            if letter in ("", "Z"):
                self.ended = letter == "Z"
                return {}
            assert letter in "H+", letter

    def count_to(self, end: bytes) -> int:
        """How many whole messages come, up to one with `end` or the end of the connection."""
        octets = bytearray(self._buffer)
        while end not in octets[-200:] and (more := self._receive()):
            octets += more
        count = at = 0
        while at + 3 <= len(octets):
            size = 2 + int.from_bytes(octets[at : at + 2], "big")
            count += octets[at + 2 : at + 3] == b"S" and at + size <= len(octets)
            at += size
        return count

    def expect(self, letter: str, **fields: Any) -> dict[str, Any]:
        """The next message, which must be of a type and have these values."""
        found = self.next()
        wanted = {"type": letter, **fields}
        assert {name: found.get(name) for name in wanted} == wanted, found
        return found

    def close(self) -> None:
        self.link.close()
