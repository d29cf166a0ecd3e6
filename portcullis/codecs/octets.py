"""Bytes of messages, read: what `octets.pxd` has as C for compiled modules.

Here the functions stand as what they mean. Compiled modules cimport those of the same names, which
take eight bytes and more at a time and which the compiler puts into their callers.
Spec: FIX 4.4 volume 1 (data types), volume 2 (CheckSum).
"""

from __future__ import annotations


def word_at(octets: memoryview, at: int) -> int:
    """The eight bytes from here on, the first in the lowest bits."""
    return int.from_bytes(octets[at : at + 8], "little")


def find_soh(octets: memoryview, at: int) -> int:
    """Where the next SOH is, which has to be there, with seven more bytes behind it."""
    while octets[at] != 1:
        at += 1
    return at


def sum_octets(octets: memoryview, start: int, end: int) -> int:
    """Sum of the bytes modulo 256, as CheckSum(10) has it; eight more may be read behind."""
    return sum(octets[start:end]) & 255


def same_octets(one: memoryview, start: int, other: memoryview, at: int, size: int) -> bool:
    """Whether so many bytes are the same in both; seven more may be read behind each."""
    return bytes(one[start : start + size]) == bytes(other[at : at + size])


def short_decimal(octets: memoryview, start: int, size: int, decimals: int) -> int:
    """A decimal of up to eight bytes as a count of 10^-decimals; eight are read from `start` on.

    -1: it has a sign or more decimals, or is none, or more than eight decimals are asked for.
    """
    whole, _, part = bytes(octets[start : start + size]).partition(b".")
    digits = whole + part
    if not digits.isdigit() or len(part) > decimals or decimals > 8:
        return -1
    scale: int = 10 ** (decimals - len(part))
    return int(digits) * scale


def is_plain_decimal(octets: memoryview, start: int, end: int) -> bool:
    """Whether digits stand here, with one point among or around them or none, and no sign."""
    text = bytes(octets[start:end])
    return len(text) - text.count(b".") > 0 and text.replace(b".", b"", 1).isdigit()


def plain_number(octets: memoryview, start: int, end: int) -> int:
    """The number of up to 18 digits that stands here, or -1 where anything else does."""
    text = bytes(octets[start:end])
    return int(text) if text.isdigit() and len(text) <= 18 else -1
