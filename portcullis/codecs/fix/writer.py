"""FIX tag=value out: final messages, back to back in one buffer.

Owns the bytes of a batch until `take`, the numbers in front (BodyLength) and behind (CheckSum),
and the canonical texts of integers, decimals and times. Knows no order of fields: the caller puts
them as they are to go out, header, body and groups alike, from behind MsgType on.

A put never fails: where room ends, the message is marked, `finish` gives 0 and it is gone, while
those before it stand. So only `finish` is to be asked; who cannot lose a message asks `reserve`
for its room before. Only `reserve` and `take` allocate.
The body is written where it will stand if BodyLength(9) has as many digits as that of the message
before, and moved where it has not; so the number is never padded.

Texts are put down in whole words (`texts`): some bytes behind a text may be written over, which is
why each put asks for FIXED_ROOM beyond its value.

Spec: FIX 4.4 volume 1 (data types), volume 2 (BodyLength, CheckSum).
"""

# mypy: disable-error-code="valid-type,no-any-return,misc"
from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy, memmove
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.fix.texts import *
    from cython.cimports.portcullis.codecs.octets import sum_octets
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.fix.texts import *
    from portcullis.codecs.octets import sum_octets

# Also in writer.pxd.
if not cython.compiled:
    SECONDS_KEPT = 4  # a power of two


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.final
@cython.cclass
class FixWriter:
    """Messages into a buffer of `capacity` bytes.

    For each: `begin`, puts, `finish`; then `take` gives the bytes of all of them. `length` counts
    the bytes of finished messages. No bounds checks: each put has checked the room beforehand.
    """

    def __init__(self, capacity: int, begin_string: bytes = b"FIX.4.4") -> None:
        if capacity < 256:
            raise ValueError(f"capacity was {capacity}, at least 256 expected")
        self._hold(memoryview(bytearray(capacity)))
        self.set_begin_string(begin_string)
        self._second_octets = memoryview(bytearray(SECONDS_KEPT * FIXED_ROOM))
        if cython.compiled:
            self._second_text = cython.address(self._second_octets[0])
        else:
            self._second_text = self._second_octets
        self._seconds = memoryview(array("q", [-1] * SECONDS_KEPT))
        self._number_digits = 3
        self.length = 0
        self._body = 0
        self.position = 0
        self._is_full = True

    def set_begin_string(self, begin_string: bytes) -> None:
        """Set the BeginString(8) of the messages to come."""
        if not 0 < len(begin_string) <= BEGIN_STRING_BYTES_MAX:
            raise ValueError(f"BeginString(8) was {begin_string!r}")
        head = b"8=" + begin_string + b"\x019="
        self._head_octets = memoryview(bytearray(head.ljust(FIXED_ROOM, b"\0")))
        self._head_length = len(head)
        if cython.compiled:
            self._head = cython.address(self._head_octets[0])
        else:
            self._head = self._head_octets

    def _hold(self, octets: memoryview) -> None:
        self.octets = octets
        self._capacity = len(octets)
        # Up to here `reserve` has nothing to do.
        self.length_max = len(octets) - 2 * FIXED_ROOM
        if cython.compiled:
            self.out = cython.address(self.octets[0])
        else:
            self.out = octets

    @cython.ccall
    @cython.exceptval(-1, check=True)
    def reserve(self, needed: cython.longlong) -> cython.int:
        """Make sure that a message of so many bytes fits behind those finished; none is begun."""
        needed += self.length
        if needed > self.length_max:
            grown = memoryview(bytearray(2 * (needed + 2 * FIXED_ROOM)))
            grown[: self.length] = self.octets[: self.length]
            self._hold(grown)
        return 0

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def begin(self, msg_type: cython.longlong) -> cython.void:
        """Begin a message of a MsgType(35) packed little-endian; one not finished is given up."""
        out: cython.p_uchar = self.out
        at: cython.longlong = self.length
        self._is_full = False
        self._body = at + self._head_length + self._number_digits + 1
        self.position = self._body
        if self._has_room(FIXED_ROOM):
            if cython.compiled:
                memcpy(out + at, self._head, FIXED_ROOM)
            else:
                out[at : at + FIXED_ROOM] = self._head[:FIXED_ROOM]
            at = put_tag(out, self._body, 35)
            while msg_type != 0:
                out[at] = msg_type & 0xFF
                at += 1
                msg_type = msg_type >> 8
            out[at] = SOH
            self.position = at + 1

    def begin_message(self, msg_type: bytes) -> None:
        """`begin` for a MsgType as text, of at most seven bytes."""
        self.begin(int.from_bytes(msg_type, "little"))

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def finish(self) -> cython.longlong:
        """Put BeginString, BodyLength and CheckSum around the body; give the message's length.

        0: there was no room, or nothing begun; no byte of it is kept.
        """
        out: cython.p_uchar = (
            self.out + self.length if cython.compiled else self.out[self.length :]
        )
        size: cython.longlong = self.position - self._body
        digits: cython.longlong = 1
        rest: cython.ulonglong = size
        body: cython.longlong
        begun: cython.longlong = self._body - self.length
        total: cython.uint
        at: cython.longlong
        if self._is_full or not self._has_room(FIXED_ROOM):
            self._is_full = True
            return 0
        while rest >= 10:
            rest = rest // 10
            digits += 1
        body = self._head_length + digits + 1
        if body != begun:
            self._number_digits = digits
            if cython.compiled:
                memmove(out + body, out + begun, size)
            else:
                out[body : body + size] = bytes(out[begun : begun + size])
        rest = size
        for at in range(body - 2, self._head_length - 1, -1):
            out[at] = 48 + rest % 10
            rest = rest // 10
        out[body - 1] = SOH
        at = body + size
        total = sum_octets(out, 0, at)
        at = put_tag(out, at, 10)
        out[at] = 48 + total // 100
        out[at + 1] = 48 + total // 10 % 10
        out[at + 2] = 48 + total % 10
        out[at + 3] = SOH
        self.length += at + 4
        self._is_full = True
        return at + 4

    def take(self) -> bytes:
        """The bytes of all finished messages, which the writer then forgets."""
        if cython.compiled:
            taken = self.out[: self.length]
        else:
            taken = bytes(self.octets[: self.length])
        self.length = 0
        self._is_full = True
        return taken

    # --- fields --------------------------------------------------------------------------------

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_int(self, tag: cython.longlong, value: cython.longlong) -> cython.void:
        """Put an integer, of 63 bits and sign."""
        if self._has_room(FIXED_ROOM):
            self.position = put_int(self.out, self.position, tag, value)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_char(self, tag: cython.longlong, value: cython.longlong) -> cython.void:
        """Put a single byte, given as its code."""
        if self._has_room(FIXED_ROOM):
            self.position = put_char(self.out, self.position, tag, value)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_octets(
        self,
        tag: cython.longlong,
        source: cython.p_uchar,
        start: cython.longlong,
        length: cython.longlong,
    ) -> cython.void:
        """Put so many bytes of `source` as a value; the caller keeps SOH out."""
        if self._has_room(FIXED_ROOM + length):
            at: cython.longlong = put_tag(self.out, self.position, tag)
            if cython.compiled:
                memcpy(self.out + at, source + start, length)
            else:
                self.out[at : at + length] = source[start : start + length]
            self.out[at + length] = SOH
            self.position = at + length + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def put_raw(
        self, source: cython.p_uchar, start: cython.longlong, length: cython.longlong
    ) -> cython.void:
        """Put whole fields "tag=value<SOH>" as they are: so many bytes of `source`."""
        if self._has_room(length):
            if cython.compiled:
                memcpy(self.out + self.position, source + start, length)
            else:
                self.out[self.position : self.position + length] = source[start : start + length]
            self.position += length

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_decimal(
        self, tag: cython.longlong, value: cython.longlong, decimals: cython.longlong
    ) -> cython.void:
        """Put value x 10^-decimals without trailing zeros; decimals of 0 to 18."""
        if self._has_room(FIXED_ROOM):
            self.position = put_decimal(self.out, self.position, tag, value, decimals)

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_timestamp(
        self, tag: cython.longlong, time_ns: cython.longlong, digits: cython.longlong
    ) -> cython.void:
        """Put nanoseconds since the epoch (0 or more) as UTCTimestamp with 0 to 9 digits.

        What is finer than the digits is cut off. The texts of some seconds are kept: a client's
        TransactTime and our SendingTime take turns.
        """
        out: cython.p_uchar = self.out
        time: cython.ulonglong = time_ns
        second: cython.longlong = time // 1_000_000_000
        kept: cython.longlong = second & (SECONDS_KEPT - 1)
        at: cython.longlong
        if not self._has_room(FIXED_ROOM):
            return
        if second != self._seconds[kept]:
            self._set_second(second, kept)
        at = put_tag(out, self.position, tag)
        if cython.compiled:
            memcpy(out + at, self._second_text + kept * FIXED_ROOM, 24)
        else:
            out[at : at + 17] = self._second_text[kept * FIXED_ROOM : kept * FIXED_ROOM + 17]
        at = put_fraction(out, at + 17, time - second * 1_000_000_000, digits)
        out[at] = SOH
        self.position = at + 1

    def put(self, tag: int, value: bytes) -> None:
        """Put a value given as bytes; for callers in Python."""
        self.put_octets(tag, value, 0, len(value))

    def put_fields(self, raw: bytes) -> None:
        """Put whole fields given as bytes, each with its SOH; for callers in Python."""
        self.put_raw(raw, 0, len(raw))

    # --- texts ---------------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _has_room(self, needed: cython.longlong) -> cython.bint:
        """Whether so many bytes fit, with the trailer behind them; if not, the message is lost."""
        if self.position + needed + FIXED_ROOM > self._capacity:
            self._is_full = True
        return not self._is_full

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _set_second(self, second: cython.longlong, kept: cython.longlong) -> cython.void:
        """Make and keep, in a place of its own, the text YYYYMMDD-HH:MM:SS of a second.

        The calendar counts days from 0000-03-01, so that the leap day is the last of its year.
        """
        text: cython.p_uchar = self._second_text
        base: cython.longlong = kept * FIXED_ROOM
        days: cython.longlong = second // 86400 + 719468
        clock: cython.longlong = second - second // 86400 * 86400
        era: cython.longlong = days // 146097
        day: cython.longlong = days - era * 146097
        year: cython.longlong = (day - day // 1460 + day // 36524 - day // 146096) // 365
        month: cython.longlong
        day = day - (365 * year + year // 4 - year // 100)
        month = (5 * day + 2) // 153
        day = day - (153 * month + 2) // 5 + 1
        month = month + 3 if month < 10 else month - 9
        year = year + era * 400 + (1 if month <= 2 else 0)
        put_eight(text, base, year * 10000 + month * 100 + day)
        # The hour, the minute and the second, with a digit between them for the colon.
        put_eight(
            text, base + 9, clock // 3600 * 1_000_000 + clock // 60 % 60 * 1_000 + clock % 60
        )
        text[base + 8] = 45
        text[base + 11] = text[base + 14] = 58
        self._seconds[kept] = second
