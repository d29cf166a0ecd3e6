"""Which output rows a session is told, by the protocol that it speaks.

Owns that table and nothing of how a message looks. A row with a message takes the session's next
number; one without has number 0, stands in the journal all the same, and what it says goes to the
event log. Must not know more of FIX and OUCH than the names of their messages.
"""

from __future__ import annotations

from typing import NamedTuple

from portcullis.engine import layout as x
from portcullis.journal import rows as r


class Said(NamedTuple):
    """What a row becomes. exec_type 0: whatever it is. Empty: no message."""

    kind: int
    exec_type: int
    fix: str
    ouch: str


SAID = (
    Said(r.REPORT, x.EXEC_NEW, "8", "A"),
    Said(r.REPORT, x.EXEC_TRADE, "8", "E"),
    Said(r.REPORT, x.EXEC_CANCELED, "8", "C D"),  # D: the account would have met itself
    Said(r.REPORT, x.EXEC_EXPIRED, "8", "C"),
    Said(r.REPORT, x.EXEC_REPLACED, "8", "U"),
    Said(r.REPORT, x.EXEC_RESTATED, "8", "C D M"),  # as its cause is a cancel, an order, a modify
    Said(r.REPORT, x.EXEC_REJECTED, "8", "J"),
    Said(r.REPORT, x.EXEC_BUST, "8", "B"),
    Said(r.REPORT, x.EXEC_CORRECT, "8", ""),  # OUCH 4.2 has no message for it
    Said(r.STATUS_REPORT, 0, "8", ""),
    Said(r.CANCEL_REJECT, 0, "9", ""),  # OUCH passes over what cannot be done
    Said(r.MASS_CANCEL_REPORT, 0, "r", ""),
    Said(r.SENT, 0, "any", ""),
    Said(r.REFUSED_DUPLICATE, 0, "8", ""),
    Said(r.SYSTEM_EVENT, 0, "", "S"),
)


def silent_in_ouch() -> bytearray:
    """By kind << 8 | exec_type: 1 where a session of OUCH is not told."""
    silent = bytearray(1 << 16)
    for kind in range(r.FIRST_OUTPUT, 256):
        silent[kind << 8 : (kind + 1) << 8] = b"\1" * 256
    for said in SAID:
        if said.ouch:
            first = said.kind << 8 | said.exec_type
            for place in range(first, first + 1 if said.exec_type else (said.kind + 1) << 8):
                silent[place] = 0
    return silent
