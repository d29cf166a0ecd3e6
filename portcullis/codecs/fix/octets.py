"""Bytes of messages, read: what `octets.pxd` has as C for compiled modules.

Here the functions stand as what they mean. Compiled modules cimport those of the same names, which
take eight bytes and more at a time and which the compiler puts into their callers.
Spec: FIX 4.4 volume 2, CheckSum.
"""

from __future__ import annotations


def sum_octets(octets: memoryview, start: int, end: int) -> int:
    """Sum of the bytes modulo 256, as CheckSum(10) has it; eight more may be read behind."""
    return sum(octets[start:end]) & 255
