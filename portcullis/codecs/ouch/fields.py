"""Fields of OUCH messages, read and written in place: what `fields.pxd` has as C.

Here the functions stand as what they mean. Compiled modules cimport those of the same names, which
take whole words and which the compiler puts into their callers. A word has its bytes as they lie
in memory, the first in the lowest bits. Specification: NASDAQ OUCH 4.2, "Data types".
"""

from __future__ import annotations

# Also in fields.pxd.
TOKEN_BYTES = 14


def put_u2(out: memoryview, at: int, value: int) -> None:
    """An integer of two bytes, big-endian, cut to them."""
    out[at : at + 2] = (value & 0xFFFF).to_bytes(2, "big")


def put_u4(out: memoryview, at: int, value: int) -> None:
    """An integer of four bytes, big-endian, cut to them."""
    out[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")


def put_u8(out: memoryview, at: int, value: int) -> None:
    """An integer of eight bytes, big-endian."""
    out[at : at + 8] = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


def put_padded(out: memoryview, at: int, word: int, size: int) -> None:
    """The first bytes of a word, where zeros become blanks."""
    octets = (word & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
    out[at : at + size] = octets[:size].replace(b"\0", b" ")


def put_token(out: memoryview, at: int, low: int, high: int, length: int) -> None:
    """A token of `length` bytes in two words, padded with blanks to 14."""
    octets = b"".join((word & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little") for word in (low, high))
    out[at : at + TOKEN_BYTES] = octets[:length].ljust(TOKEN_BYTES)


def token_length(octets: memoryview, at: int) -> int:
    """How long the token of 14 bytes here is without its trailing blanks.

    0: it is none, for it is blank, or has a byte outside of 0x20 to 0x7E.
    """
    token = bytes(octets[at : at + TOKEN_BYTES])
    return len(token.rstrip(b" ")) if all(0x20 <= octet <= 0x7E for octet in token) else 0


def token_low(octets: memoryview, at: int, length: int) -> int:
    """The first eight bytes of a token, zeros behind it."""
    token = bytes(octets[at : at + min(length, 8)])
    return int.from_bytes(token.ljust(8, b"\0"), "little", signed=True)


def token_high(octets: memoryview, at: int, length: int) -> int:
    """The bytes of a token from the ninth on, zeros behind it."""
    return int.from_bytes(bytes(octets[at + 8 : at + max(length, 8)]), "little")
