"""The OUCH client of `portcullis demo`: SoupBinTCP packets and OUCH messages, by `struct`.

Owns the few layouts that the demonstration needs, written down here from NASDAQ's tables: what
shows that the gateway's bytes are right must not be made of the gateway's own declarations.
Specification: NASDAQ SoupBinTCP 3.00 and OUCH 4.2.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

import click

_HEADER = struct.Struct(">Hc")
_LOGIN = struct.Struct("6s10s10s20s")
_ENTER = struct.Struct(">c14scI8sII4scccIcc")
_DAY = 99_999
# Fields behind the type, by type: name and format.
LAYOUTS = {
    "S": {"timestamp": "Q", "event code": "c"},
    "A": {
        "timestamp": "Q", "order token": "14s", "buy/sell": "c", "shares": "I", "stock": "8s",
        "price": "I", "time in force": "I", "firm": "4s", "display": "c",
        "order reference": "Q", "capacity": "c", "sweep": "c", "minimum": "I",
        "cross type": "c", "order state": "c", "BBO weight": "c",
    },
    "E": {
        "timestamp": "Q", "order token": "14s", "executed shares": "I",
        "execution price": "I", "liquidity flag": "c", "match number": "Q",
    },
}  # fmt: skip


@dataclass(frozen=True)
class OuchMessage:
    """A message as it came, and its fields by name: numbers as they are, texts without blanks."""

    octets: bytes
    fields: dict[str, int | str]

    @property
    def type(self) -> str:
        """Its first byte."""
        return chr(self.octets[0])


def read(octets: bytes) -> OuchMessage:
    """Take a message apart; KeyError, struct.error: it is none that is known here."""
    layout = LAYOUTS[chr(octets[0])]
    values = struct.unpack(">" + "".join(layout.values()), octets[1:])
    texts = [value.decode().rstrip() if isinstance(value, bytes) else value for value in values]
    return OuchMessage(octets, dict(zip(layout, texts, strict=True)))


class OuchClient:
    """One user. received: every message of the session, the first at 0."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.received: list[bytes] = []
        self._session = ""

    def log_in(self, port: int, timeout_s: float, *, sequence: int = 1) -> None:
        """Connect, and join the session from a message on; those from there are read anew."""
        self._link = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._packets = self._link.makefile("rb")
        login = (self.name.ljust(6), "".ljust(10), self._session.rjust(10), f"{sequence:20d}")
        self._send(b"L", _LOGIN.pack(*(text.encode() for text in login)))
        letter, payload = self._packet()
        given = payload[10:].decode().strip()
        if (letter, given) != (b"A", str(sequence)):
            raise click.ClickException(f"{self.name} was not let in: {letter!r} {payload!r}")
        self._session = payload[:10].decode().strip()
        del self.received[sequence - 1 :]

    def buy(self, token: str, shares: int, stock: str, price: int) -> None:
        """Send a limit order for the day; price in 10^-4."""
        order = (token.encode().ljust(14), b"B", shares, stock.encode().ljust(8), price, _DAY)
        self._send(b"U", _ENTER.pack(b"O", *order, b"    ", b"Y", b"P", b"N", 0, b"N", b" "))

    def expect(self, letter: str, **fields: int | str) -> OuchMessage:
        """The next message of the session, which must have these values."""
        kind, octets = self._packet()
        while kind == b"H":
            kind, octets = self._packet()
        if kind != b"S" or octets[:1] != letter.encode():
            raise click.ClickException(f"{self.name} expected {letter}: {kind!r} {octets!r}")
        self.received.append(octets)
        message = read(octets)
        for name, value in fields.items():
            if message.fields[name.replace("_", " ")] != value:
                raise click.ClickException(f"{self.name} expected {name} {value} in {message}")
        return message

    def log_out(self) -> None:
        """Leave in order; the session goes on."""
        self._send(b"O")
        self.close()

    def close(self) -> None:
        self._packets.close()
        self._link.close()

    def _send(self, letter: bytes, payload: bytes = b"") -> None:
        self._link.sendall(_HEADER.pack(1 + len(payload), letter) + payload)

    def _packet(self) -> tuple[bytes, bytes]:
        header = self._packets.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise click.ClickException(f"the gateway hung up on {self.name}")
        length, letter = _HEADER.unpack(header)
        return letter, self._packets.read(length - 1)
