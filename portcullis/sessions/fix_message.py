"""One received FIX message as the state machine reads it, and the scanner it comes from.

Owns the view `FixMessage` that the slow path makes of one scanned message, so that only this file
knows the scanner's tables. The fast path (`fix_lane`) reads them itself. Must not know the rules
of a session.
"""

from __future__ import annotations

from typing import Any, Protocol


class Scanner(Protocol):
    """What sessions and applications use of `codecs.fix.scanner.FixScanner`."""

    octets: Any
    tag: Any
    value_start: Any
    value_end: Any
    message: Any

    def scan(self, start: int, end: int) -> int:
        """Scan octets[start:end]; give the number of messages found."""
