"""Integers of binary messages, written in place: what `octets.pxd` has as C for compiled modules.

Here the functions stand as what they mean. Compiled modules cimport those of the same names, which
the compiler puts into their callers. Each takes what fits of a value. Specification: FIX Simple
Binary Encoding 1.0, little-endian; big-endian ones are `codecs.ouch.fields`'.
"""

from __future__ import annotations


def put_2(out: memoryview, at: int, value: int) -> None:
    """An integer of two bytes."""
    out[at : at + 2] = (value & 0xFFFF).to_bytes(2, "little")


def put_4(out: memoryview, at: int, value: int) -> None:
    """An integer of four bytes."""
    out[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")


def put_8(out: memoryview, at: int, value: int) -> None:
    """An integer of eight bytes."""
    out[at : at + 8] = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")


def copy_words(out: memoryview, at: int, words: memoryview, place: int, count: int) -> None:
    """So many words of eight bytes, as they lie."""
    for index in range(count):
        put_8(out, at + 8 * index, words[place + index])


def copy(out: memoryview, at: int, source: memoryview, start: int, length: int) -> None:
    """Bytes as they are; both places may lie in one buffer, and overlap."""
    out[at : at + length] = bytes(source[start : start + length])
