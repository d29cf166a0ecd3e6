"""Secrets out of FIX text, before it is written anywhere.

Owns which fields are secret, and how their values go, also where they hold the delimiter. Must
not know where the text comes from: it may be garbled, and is cut in doubt.
"""

from __future__ import annotations

import re

# Data fields, by their tags: tags of their lengths.
_LENGTHS = {b"96": b"95", b"1402": b"1401", b"1404": b"1403"}
# Password(554), NewPassword(925), RawData(96) of a Logon, EncryptedPassword and its kin.
SECRET_TAGS = frozenset((96, 554, 925, 1400, 1401, 1402, 1403, 1404))
MASK = b"***"
_SECRET = re.compile(rb"(?<![0-9])0*(554|925|96|140[0-4])=")


def redact(octets: bytes) -> bytes:
    """The text with MASK for each secret value; the same object where there is none.

    A value of a data field ends where its length says, if that is a delimiter. Else all up to the
    checksum goes: better too much than a part of a secret.
    """
    found = _SECRET.search(octets)
    if found is None:
        return octets
    pieces = []
    done = 0
    while found is not None:
        pieces.append(octets[done : found.end()])
        pieces.append(MASK)
        done = _value_end(octets, found)
        found = _SECRET.search(octets, done)
    pieces.append(octets[done:])
    return b"".join(pieces)


def _value_end(octets: bytes, field: re.Match[bytes]) -> int:
    start = field.end()
    if octets.startswith(MASK + b"\x01", start):
        return start + len(MASK)  # done before: its length is that of what stood there
    length_tag = _LENGTHS.get(field[1])
    if length_tag is not None:
        before = octets.rfind(b"\x01", 0, max(field.start() - 1, 0)) + 1
        tag, _, length = octets[before : field.start()].rstrip(b"\x01").partition(b"=")
        if tag == length_tag and length.isdigit() and len(length) < 10:
            end = start + int(length)
            if octets[end : end + 1] == b"\x01":
                return end
        end = octets.find(b"\x0110=", start)
    else:
        end = octets.find(b"\x01", start)
    return len(octets) if end < 0 else end
