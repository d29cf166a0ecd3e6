"""What translation and encoders need to know about one OUCH session.

Owns a session's settings in the shape that compiled code reads. Must not know numbers, sockets or
rows.
"""

# mypy: disable-error-code="valid-type"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython


@cython.final
@cython.cclass
class OuchDoor:
    """session: its number in rows. account: of all its orders. firm: what it may name itself
    beside blanks, up to four characters; none: nothing."""

    def __init__(self, session: int, *, account: int, firm: bytes = b"") -> None:
        if session < 1 or account < 1 or len(firm) > 4:
            raise ValueError(f"session {session}, account {account} and firm {firm!r} can't be")
        self.session = session
        self.account = account
        self.firm = int.from_bytes(firm.ljust(4), "little")
