"""The fast path of a FIX session: how many leading messages need no thought.

Owns the live expected inbound number of one session (`next_in`; see `store` for how it becomes
durable) and what a message must look like to be taken without the state machine: in sequence,
valid, of a type the application takes, from and to the right CompIDs, recent, and with nothing
in its header that has rules of its own. All else goes to `FixSession`, which gives such messages
the same answer; a test feeds the same bytes through both. Must not know states: the session asks
only while it is logged on and no gap is open.
"""

# mypy: disable-error-code="valid-type,no-any-return,name-defined"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.fix.scanner import FixScanner
    from cython.cimports.portcullis.codecs.octets import same_octets
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.fix.scanner import FixScanner
    from portcullis.codecs.octets import same_octets


def packed_type(msg_type: bytes) -> int:
    """A MsgType(35) as the scanner's message table has it: its bytes, little-endian."""
    return int.from_bytes(msg_type, "little")


@cython.final
@cython.cclass
class FixLane:
    """The fast path of one session.

    sender, target: SenderCompID(49) and TargetCompID(56) as the peer must send them.
    types: the MsgTypes that the application takes. sending_time_window_ns: how far
    SendingTime(52) may be from our clock, either way.
    """

    next_in = cython.declare(cython.longlong, visibility="public")
    _window_ns: cython.longlong
    _type_count: cython.longlong
    _types: cython.longlong[::1]
    _sender_length: cython.longlong
    _names_length: cython.longlong
    _names: cython.const[cython.uchar][::1]

    def __init__(
        self, sender: bytes, target: bytes, types: frozenset[bytes], sending_time_window_ns: int
    ) -> None:
        self.next_in = 1
        self._window_ns = sending_time_window_ns
        self._type_count = len(types)
        # One spare word, so that the view is never empty.
        self._types = memoryview(array("q", [packed_type(name) for name in sorted(types)] + [0]))
        self._sender_length = len(sender)
        self._names_length = len(sender) + len(target)
        # As many bytes behind them as `same_octets` reads.
        self._names = memoryview(sender + target + bytes(8))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _is_fast_type(self, msg_type: cython.longlong) -> cython.bint:
        index: cython.longlong
        # In range: _types holds _type_count words and one more.
        for index in range(self._type_count):
            if self._types[index] == msg_type:
                return True
        return False

    def accept(self, scanner: FixScanner, first: int, count: int, now_ns: int) -> int:
        """How many of the messages from `first` on may be taken as they are.

        Moves no number: `next_in` moves when the application has taken them. No allocation.
        O(messages accepted). IndexError where the scanner holds no such messages.
        """
        if first < 0 or count < 0 or first + count > scanner.count:
            raise IndexError(f"no messages {first} to {first + count} of {scanner.count}")
        return self._accept(scanner, first, count, now_ns)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _accept(
        self,
        scanner: FixScanner,
        first: cython.longlong,
        count: cython.longlong,
        now_ns: cython.longlong,
    ) -> cython.longlong:
        unwanted: cython.longlong = (
            FLAG_POSS_DUP | FLAG_POSS_RESEND | FLAG_ORIG_SENDING_TIME | FLAG_BEGIN_STRING_DIFFERS
        )
        accepted: cython.longlong = 0
        at: cython.longlong
        off_ns: cython.longlong
        while accepted < count:
            # In range: first + count was held against the scanner's count.
            at = (first + accepted) * MSG_WORDS
            off_ns = scanner.message[at + M_SENDING_TIME] - now_ns
            if (
                scanner.message[at + M_STATUS] != MSG_OK
                or scanner.message[at + M_MSG_SEQ_NUM] != self.next_in + accepted
                or scanner.message[at + M_REJECT_REASON] != -1
                or scanner.message[at + M_FLAGS] & unwanted
                or off_ns < -self._window_ns
                or off_ns > self._window_ns
                or not self._is_fast_type(scanner.message[at + M_MSG_TYPE])
                or not self._is_name(
                    scanner,
                    scanner.message[at + M_SENDER_COMP_ID_FIELD],
                    0,
                    self._sender_length,
                )
                or not self._is_name(
                    scanner,
                    scanner.message[at + M_TARGET_COMP_ID_FIELD],
                    self._sender_length,
                    self._names_length,
                )
            ):
                break
            accepted += 1
        return accepted

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.initializedcheck(False)
    @cython.wraparound(False)
    def _is_name(
        self,
        scanner: FixScanner,
        field: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
    ) -> cython.bint:
        """Whether the value of a field is _names[start:end]."""
        if field < 0:
            return False
        # In range: the scanner's own field, whose value lies in its octets, before CheckSum(10).
        begin: cython.longlong = scanner.value_start[field]
        if scanner.value_end[field] - begin != end - start:
            return False
        if cython.compiled:
            return same_octets(
                cython.address(scanner.octets[0]),
                begin,
                cython.address(self._names[0]),
                start,
                end - start,
            )
        else:
            return same_octets(scanner.octets, begin, self._names, start, end - start)
