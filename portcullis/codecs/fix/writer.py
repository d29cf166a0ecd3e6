"""FIX tag=value out: final messages, back to back in one buffer of fixed capacity.

Owns the bytes of a batch until `take`, the numbers in front (BodyLength) and behind (CheckSum),
and the canonical texts of integers, decimals and times. Knows no order of fields: the caller puts
them as they are to go out, header, body and groups alike, from behind MsgType on.

A put never fails: where room ends, the message is marked, `finish` gives 0 and it is gone, while
those before it stand. So only `finish` is to be asked. Nothing is allocated but by `take`.
The body is written where it will stand if BodyLength(9) has as many digits as that of the message
before, and moved where it has not; so the number is never padded.

Spec: FIX 4.4 volume 1 (data types), volume 2 (BodyLength, CheckSum).
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy, memmove
    from cython.cimports.portcullis.codecs.fix.layout import FIXED_ROOM, SOH
else:
    from portcullis.codecs.fix.layout import FIXED_ROOM, SOH


@cython.final
@cython.cclass
class FixWriter:
    """Messages of one BeginString into `capacity` bytes.

    For each: `begin`, puts, `finish`; then `take` gives the bytes of all of them. `length` counts
    the bytes of finished messages.
    """

    def __init__(self, capacity: int, begin_string: bytes = b"FIX.4.4") -> None:
        if capacity < 256:
            raise ValueError(f"capacity was {capacity}, at least 256 expected")
        self.octets = memoryview(bytearray(capacity))
        self._capacity = capacity
        self._prefix = memoryview(b"8=" + begin_string + b"\x019=")
        self._prefix_length = len(begin_string) + 5
        self._second_text = memoryview(bytearray(17))
        self._second = -1
        self._number_digits = 3
        self.length = 0
        self._body = 0
        self._position = 0
        self._is_full = True

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def begin(self, msg_type: cython.longlong) -> cython.void:
        """Begin a message of a MsgType(35) packed little-endian; one not finished is given up."""
        self._is_full = False
        self._body = self.length + self._prefix_length + self._number_digits + 1
        self._position = self._body
        if not self._has_room(0):
            return
        self._put_tag(35)
        while msg_type != 0:
            self.octets[self._position] = msg_type & 0xFF
            self._position += 1
            msg_type = msg_type >> 8
        self._put_soh()

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
        start: cython.longlong = self.length
        body_length: cython.longlong = self._position - self._body
        digits: cython.longlong = 1
        bound: cython.longlong = 10
        body: cython.longlong
        if self._is_full or not self._has_room(FIXED_ROOM):
            self._is_full = True
            return 0
        while body_length >= bound:
            bound *= 10
            digits += 1
        body = start + self._prefix_length + digits + 1
        if body != self._body:
            self._move_body(body, body_length)
            self._number_digits = digits
        self._copy(self._prefix, 0, self._prefix_length, start)
        self._position = start + self._prefix_length
        self._put_number(body_length)
        self._put_soh()
        self._position = body + body_length
        self._put_check_sum(start)
        self.length = self._position
        self._is_full = True
        return self.length - start

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _move_body(self, target: cython.longlong, size: cython.longlong) -> cython.void:
        """Move the body to where BodyLength(9), as it turned out, lets it begin."""
        if cython.compiled:
            memmove(
                cython.address(self.octets[target]), cython.address(self.octets[self._body]), size
            )
        else:
            self.octets[target : target + size] = bytes(
                self.octets[self._body : self._body + size]
            )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    def _put_check_sum(self, start: cython.longlong) -> cython.void:
        # Within the buffer: start <= index < _position, and finish has checked the room.
        total: cython.uchar = 0
        index: cython.longlong
        if cython.compiled:
            octets: cython.p_uchar = cython.address(self.octets[start])
            for index in range(self._position - start):
                total += octets[index]
        else:
            total = sum(self.octets[start : self._position]) & 0xFF
        self._put_tag(10)
        self.octets[self._position] = 48 + total // 100
        self.octets[self._position + 1] = 48 + total // 10 % 10
        self.octets[self._position + 2] = 48 + total % 10
        self._position += 3
        self._put_soh()

    def take(self) -> bytes:
        """The bytes of all finished messages, which the writer then forgets."""
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
            self._put_tag(tag)
            self._put_number(value)
            self._put_soh()

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_char(self, tag: cython.longlong, value: cython.longlong) -> cython.void:
        """Put a single byte, given as its code."""
        if self._has_room(FIXED_ROOM):
            self._put_tag(tag)
            self.octets[self._position] = value & 0xFF
            self._position += 1
            self._put_soh()

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_bytes(
        self,
        tag: cython.longlong,
        source: cython.const[cython.uchar][::1],
        start: cython.longlong,
        end: cython.longlong,
    ) -> cython.void:
        """Put source[start:end] as a value; the caller has checked the range and keeps SOH out."""
        if self._has_room(FIXED_ROOM + end - start):
            self._put_tag(tag)
            self._copy(source, start, end - start, self._position)
            self._position += end - start
            self._put_soh()

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_raw(
        self,
        source: cython.const[cython.uchar][::1],
        start: cython.longlong,
        end: cython.longlong,
    ) -> cython.void:
        """Put source[start:end], whole fields "tag=value<SOH>", as they are."""
        if self._has_room(end - start):
            self._copy(source, start, end - start, self._position)
            self._position += end - start

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_decimal(
        self, tag: cython.longlong, value: cython.longlong, decimals: cython.longlong
    ) -> cython.void:
        """Put value x 10^-decimals without trailing zeros; decimals of 0 to 18."""
        whole: cython.longlong
        scale: cython.longlong = 1
        index: cython.longlong
        if not self._has_room(FIXED_ROOM):
            return
        self._put_tag(tag)
        if value < 0:
            self.octets[self._position] = 45
            self._position += 1
            value = -value
        while decimals > 0 and value % 10 == 0:
            value //= 10
            decimals -= 1
        whole = value
        index = decimals
        while index > 0:
            whole //= 10
            scale *= 10
            index -= 1
        self._put_number(whole)
        if decimals > 0:
            self.octets[self._position] = 46
            self._put_padded(self._position + 1, value - whole * scale, decimals)
            self._position += 1 + decimals
        self._put_soh()

    @cython.ccall
    @cython.nogil
    @cython.exceptval(check=False)
    def put_timestamp(
        self, tag: cython.longlong, time_ns: cython.longlong, digits: cython.longlong
    ) -> cython.void:
        """Put nanoseconds since the epoch (0 or more) as UTCTimestamp with 0 to 9 digits.

        What is finer than the digits is cut off. The text of the last second is kept.
        """
        second: cython.longlong = time_ns // 1_000_000_000
        fraction: cython.longlong = time_ns - second * 1_000_000_000
        rest: cython.longlong = digits
        if not self._has_room(FIXED_ROOM):
            return
        if second != self._second:
            self._set_second(second)
        self._put_tag(tag)
        self._copy(self._second_text, 0, 17, self._position)
        self._position += 17
        if digits > 0:
            while rest < 9:
                fraction //= 10
                rest += 1
            self.octets[self._position] = 46
            self._put_padded(self._position + 1, fraction, digits)
            self._position += 1 + digits
        self._put_soh()

    def put(self, tag: int, value: bytes) -> None:
        """Put a value given as bytes; for callers in Python."""
        self.put_bytes(tag, value, 0, len(value))

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
        if self._position + needed + FIXED_ROOM > self._capacity:
            self._is_full = True
        return not self._is_full

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_soh(self) -> cython.void:
        self.octets[self._position] = SOH
        self._position += 1

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_tag(self, tag: cython.longlong) -> cython.void:
        self._put_number(tag)
        self.octets[self._position] = 61
        self._position += 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _put_number(self, value: cython.longlong) -> cython.void:
        """Digits of a number, sign before them."""
        digits: cython.longlong = 1
        bound: cython.longlong = 10
        if value < 0:
            self.octets[self._position] = 45
            self._position += 1
            value = -value
        while digits < 19 and value >= bound:
            digits += 1
            # The last bound is 10^18: above it a number of 63 bits has 19 digits.
            if digits < 19:
                bound *= 10
        self._put_padded(self._position, value, digits)
        self._position += digits

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    @cython.wraparound(False)
    @cython.cdivision(True)
    def _put_padded(
        self, start: cython.longlong, value: cython.longlong, digits: cython.longlong
    ) -> cython.void:
        """So many last digits of a number that is not negative, from `start` on.

        Within the buffer: every caller has checked for FIXED_ROOM. Divisors are constants.
        """
        position: cython.longlong = start + digits - 1
        while position >= start:
            self.octets[position] = 48 + value % 10
            value //= 10
            position -= 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _copy(
        self,
        source: cython.const[cython.uchar][::1],
        start: cython.longlong,
        size: cython.longlong,
        target: cython.longlong,
    ) -> cython.void:
        """Copy bytes; the caller has checked both ranges."""
        if size <= 0:
            return
        if cython.compiled:
            memcpy(cython.address(self.octets[target]), cython.address(source[start]), size)
        else:
            self.octets[target : target + size] = source[start : start + size]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _set_second(self, second: cython.longlong) -> cython.void:
        """Make and keep the text YYYYMMDD-HH:MM:SS of a second.

        The calendar counts days from 0000-03-01, so that the leap day is the last of its year.
        """
        at: cython.longlong = self._position
        days: cython.longlong = second // 86400 + 719468
        clock: cython.longlong = second - second // 86400 * 86400
        era: cython.longlong = days // 146097
        day: cython.longlong = days - era * 146097
        year: cython.longlong = (day - day // 1460 + day // 36524 - day // 146096) // 365
        month: cython.longlong
        index: cython.longlong
        day = day - (365 * year + year // 4 - year // 100)
        month = (5 * day + 2) // 153
        day = day - (153 * month + 2) // 5 + 1
        month = month + 3 if month < 10 else month - 9
        year = year + era * 400 + (1 if month <= 2 else 0)
        self._put_padded(at, year * 10000 + month * 100 + day, 8)
        self.octets[at + 8] = 45
        self._put_padded(at + 9, clock // 3600, 2)
        self.octets[at + 11] = 58
        self._put_padded(at + 12, clock // 60 % 60, 2)
        self.octets[at + 14] = 58
        self._put_padded(at + 15, clock % 60, 2)
        for index in range(17):
            self._second_text[index] = self.octets[at + index]
        self._second = second
