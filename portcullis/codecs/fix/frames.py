"""Frames of FIX messages: where one begins and ends, and what is no message.

Owns the rule of framing and resynchronising. Knows no field beyond 8, 9 and 10, and no dictionary.

Frames. A message is 8=..|9=n|, n bytes, 10=ddd|. What is not is garbled, to be ignored:
- no `8=` at the start, BeginString above 32 bytes, no 9=digits second: skipped up to the next `8=`
  that does not end a longer tag (58=, 108=);
- no |10=ddd| where BodyLength(9) says: skipped up to the end of the next |10=..|, as engines do
  that look for it; so a length too long swallows the next message, and one too short its own;
- 35 not third, CheckSum(10) wrong, a tag that is no number, a data field longer than its message.
A BodyLength beyond `max_message_bytes` gives MSG_TOO_LONG at once, before any of its bytes came.

Spec: FIX 4.4 volume 2, garbled messages; session test cases 2.d, 2.m, 2.t, 3.b, 3.c.
"""

# mypy: disable-error-code="valid-type,no-any-return,misc"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.fix.values import FixValues
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.fix.values import FixValues


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.cclass
class FixFrames(FixValues):
    """Finds frames in a buffer; `frame` leaves what it found in its attributes.

    No bounds checks: every offset read is below `end`, which the scanner has checked.
    `needed` is the length of a partial message as far as it is known, 0 where it is not.
    """

    def __init__(self, buffer: object, max_message_bytes: int) -> None:
        FixValues.__init__(self, buffer)
        if max_message_bytes < 64:
            raise ValueError(f"max_message_bytes was {max_message_bytes}, at least 64 expected")
        self.max_message_bytes = max_message_bytes
        self.needed = 0
        self.frame_end = self.body_start = self.body_end = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def frame(self, start: cython.longlong, end: cython.longlong) -> cython.int:
        """Find the frame at `start`: its status, and in `frame_end` where the next begins."""
        position: cython.longlong = start + 2
        bound: cython.longlong
        length: cython.longlong = 0
        digit: cython.int
        if self.octets[start] != 56 or (start + 1 < end and self.octets[start + 1] != 61):  # 8=
            return self._skip(start + 1, end)
        bound = min(end, position + BEGIN_STRING_BYTES_MAX + 1)
        while position < bound and self.octets[position] != SOH:
            position += 1
        if position >= bound:
            if position < start + 2 + BEGIN_STRING_BYTES_MAX + 1:
                return MSG_PARTIAL
            return self._skip(start + 2, end)
        if position + 1 < end and self.octets[position + 1] != 57:  # 9
            return self._skip(start + 2, end)
        if position + 2 < end and self.octets[position + 2] != 61:  # =
            return self._skip(start + 2, end)
        position += 3
        bound = position
        while position < end:
            digit = self.octets[position] - 48
            if digit < 0 or digit > 9:
                break
            length = length * 10 + digit
            position += 1
            if length > self.max_message_bytes or position - bound > NUMBER_DIGITS_MAX:
                self._skip(position, end)
                return MSG_TOO_LONG
        if position >= end:
            return MSG_PARTIAL
        if self.octets[position] != SOH or position == bound:
            return self._skip(start + 2, end)
        self.body_start = position + 1
        self.body_end = position + 1 + length
        self.frame_end = self.body_end + 7
        if self.frame_end - start > self.max_message_bytes:
            self._skip(position, end)
            return MSG_TOO_LONG
        if self.frame_end > end:
            self.needed = self.frame_end - start
            return MSG_PARTIAL
        return self._check_trailer(start, end)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _check_trailer(self, start: cython.longlong, end: cython.longlong) -> cython.int:
        """Whether |10=ddd| is where BodyLength(9) says; else swallow up to the next |10=..|."""
        position: cython.longlong = self.body_end - 1
        if (
            self._is_check_sum(position)
            and self._digit_at(position + 4)
            and self._digit_at(position + 5)
            and self._digit_at(position + 6)
            and self.octets[position + 7] == SOH
        ):
            return MSG_OK
        while position + 4 < end:
            if self._is_check_sum(position):
                position += 4
                while position < end and self.octets[position] != SOH:
                    position += 1
                if position < end:
                    self.frame_end = position + 1
                    return MSG_GARBLED
                break
            position += 1
        if end - start > self.max_message_bytes:
            return self._skip(self.body_start, end)
        return MSG_PARTIAL

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_check_sum(self, position: cython.longlong) -> cython.bint:
        """Whether SOH and 10= stand here."""
        return (
            self.octets[position] == SOH
            and self.octets[position + 1] == 49
            and self.octets[position + 2] == 48
            and self.octets[position + 3] == 61
        )

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _digit_at(self, position: cython.longlong) -> cython.bint:
        return 48 <= self.octets[position] <= 57

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _skip(self, position: cython.longlong, end: cython.longlong) -> cython.int:
        """Set `frame_end` to the next `8=` from here on that ends no longer tag, or to the end.

        An 8 that is the last byte there is may begin one, and is kept.
        """
        while position < end:
            if self.octets[position] == 56 and not self._digit_at(position - 1):
                if position + 1 == end or self.octets[position + 1] == 61:
                    break
            position += 1
        self.frame_end = position
        return MSG_GARBLED
