"""What translation and encoders need to know about one FIX session.

Owns a session's settings in the shape that compiled code reads: which accounts it may name, how
strict it is with old and incomplete orders, and the constant parts of the header of what we send
it. Built by the gateway from configuration, once per session. Must not know sequence numbers,
sockets or rows.
"""

# mypy: disable-error-code="valid-type"
from __future__ import annotations

from array import array
from collections.abc import Sequence

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

STALE_AFTER_NS = 5_000_000_000  # an order this old, sent again on a reconnect, must not trade


@cython.final
@cython.cclass
class FixDoor:
    """One FIX session as orders pass in and reports pass out.

    session: its number in rows. comp_id: ours, client: theirs. default_account and accounts are
    numbers of the catalogue; the default needs no mention in `accounts`; 0: none.
    timestamp_digits: fraction digits of the times we send, 0 to 9. stale_after_ns: how old a
    PossDup order may be.
    missing_conditional: "8" refuses an incomplete order by ExecutionReport, "j" by
    BusinessMessageReject. manages_account: may cancel and replace by OrderID(37) what other
    sessions of its accounts have ordered. says_processed: each message has
    LastMsgSeqNumProcessed(369), from `last_processed`. resends_rejects: our Rejects are sent again
    when asked for. ValueError names what is wrong.
    """

    def __init__(
        self,
        session: int,
        *,
        comp_id: bytes,
        client: bytes,
        begin_string: bytes = b"FIX.4.4",
        default_account: int = 0,
        accounts: Sequence[int] = (),
        timestamp_digits: int = 3,
        stale_after_ns: int = STALE_AFTER_NS,
        missing_conditional: str = "8",
        manages_account: bool = False,
        says_processed: bool = False,
        resends_rejects: bool = False,
    ) -> None:
        if session < 1:
            raise ValueError(f"a session's number is from 1, not {session}")
        if not 0 <= timestamp_digits <= 9:
            raise ValueError(f"timestamp digits are from 0 to 9, not {timestamp_digits}")
        if missing_conditional not in ("8", "j"):
            raise ValueError(f"missing_conditional is 8 or j, not {missing_conditional!r}")
        for name, value in (("comp_id", comp_id), ("client", client), ("begin", begin_string)):
            if not value or b"\x01" in value:
                raise ValueError(f"{name} is one or more bytes without SOH, not {value!r}")
        self.session = session
        self.default_account = default_account
        allowed = sorted({*accounts, default_account} - {0})
        self.accounts = memoryview(array("q", [*allowed, 0]))
        self.account_count = len(allowed)
        self.timestamp_digits = timestamp_digits
        self.stale_after_ns = stale_after_ns
        self.missing_by_reject = missing_conditional == "j"
        self.manages_account = manages_account
        # Whoever sends keeps it up to date; -1: it does not go out.
        self.last_processed = 0 if says_processed else -1
        self.resends_rejects = resends_rejects
        sender = b"49=" + comp_id + b"\x01"
        target = b"56=" + client + b"\x01"
        self.begin_string = begin_string
        self.sender_size = len(sender)
        self.target_size = len(target)
        self._octets = memoryview(bytearray(sender + target))
        if cython.compiled:
            self.octets = cython.address(self._octets[0])
        else:
            self.octets = self._octets

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def allows(self, account: cython.longlong) -> cython.bint:
        """Whether the session may name this account. O(accounts)."""
        index: cython.longlong
        for index in range(self.account_count):
            if self.accounts[index] == account:
                return True
        return False
