"""Texts of fields, put straight into a buffer: what `texts.pxd` has as C for compiled modules.

Owns how a tag, an integer and a decimal are spelt. Each function writes from place `at` on and
gives the place behind; the caller has seen to room, for what is written and 24 bytes more. Here
they stand as what they mean. Compiled modules cimport the functions of the same names, which the
compiler puts into their callers; a call into another module would cost as much as the text. The
tests of `writer` and of reports hold both to the same bytes.
Spec: FIX 4.4 volume 1, data types int and float.
"""

from __future__ import annotations


def put_bytes(out: memoryview, at: int, text: bytes) -> int:
    """Bytes as they are."""
    out[at : at + len(text)] = text
    return at + len(text)


def put_tag(out: memoryview, at: int, tag: int) -> int:
    """`tag=`, where a value follows."""
    return put_bytes(out, at, b"%d=" % tag)


def put_char(out: memoryview, at: int, tag: int, value: int) -> int:
    """A field of one character, given as its code."""
    return put_bytes(out, at, b"%d=%c\x01" % (tag, value & 0xFF))


def put_number(out: memoryview, at: int, value: int) -> int:
    """An integer of 63 bits and sign."""
    return put_bytes(out, at, b"%d" % value)


def put_eight(out: memoryview, at: int, value: int) -> int:
    """All eight digits of a number below 10^8."""
    return put_bytes(out, at, b"%08d" % value)


def put_fraction(out: memoryview, at: int, nanoseconds: int, digits: int) -> int:
    """A point and the first digits, up to nine, of nanoseconds; nothing for no digits."""
    text = b".%09d" % nanoseconds
    return put_bytes(out, at, text[: digits + 1] if digits else b"")


def put_int(out: memoryview, at: int, tag: int, value: int) -> int:
    """A field of an integer."""
    return put_bytes(out, at, b"%d=%d\x01" % (tag, value))


def put_scaled(out: memoryview, at: int, value: int, decimals: int) -> int:
    """value x 10^-decimals without trailing zeros; decimals of 0 to 18."""
    whole, part = divmod(abs(value), 10**decimals)
    sign, point = "-" * (value < 0), "." * (part > 0)
    fraction = f"{part:0{decimals}d}".rstrip("0") if part else ""
    return put_bytes(out, at, f"{sign}{whole}{point}{fraction}".encode())


def put_decimal(out: memoryview, at: int, tag: int, value: int, decimals: int) -> int:
    """A field of value x 10^-decimals."""
    at = put_scaled(out, put_tag(out, at, tag), value, decimals)
    return put_bytes(out, at, b"\x01")


def put_octets(
    out: memoryview, at: int, tag: int, source: memoryview, start: int, length: int
) -> int:
    """A field of so many bytes of `source`, which has 24 to be read from `start` on."""
    at = put_bytes(out, put_tag(out, at, tag), bytes(source[start : start + length]))
    return put_bytes(out, at, b"\x01")


def put_short(
    out: memoryview, at: int, tag: int, source: memoryview, start: int, length: int
) -> int:
    """`put_octets` of up to 24 bytes."""
    return put_octets(out, at, tag, source, start, length)
