"""Values of FIX fields: their formats, and numbers and times read from the bytes of a buffer.

Owns no bytes: a `FixValues` is bound to a buffer and leaves what it read in `number` and `digits`,
so that a caller gets a code and a value without an allocation. The scanner is one, over the buffer
that it scans. Knows no tag.

Offsets are the caller's to check: 0 <= start < end <= length of the buffer, unless said.
Spec: FIX 4.4 volume 1, data types; docs/rules-of-engagement.md, formats taken.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.codecs.fix.layout import *
    from cython.cimports.portcullis.codecs.octets import short_decimal
    from cython.cimports.portcullis.dictionaries.fix_tables import *
else:
    from portcullis.codecs.fix.layout import *
    from portcullis.codecs.octets import short_decimal
    from portcullis.dictionaries.fix_tables import *


@cython.boundscheck(False)
@cython.wraparound(False)
@cython.initializedcheck(False)
@cython.cclass
class FixValues:
    """Reads values of one buffer, bytes-like and contiguous, which stays where it is.

    No bounds checks: every function reads between the offsets it is given only, which the scanner
    has found in the buffer, and `_check_range` has checked for callers in Python.
    """

    def __init__(self, buffer: object) -> None:
        self.octets = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        self.number = self.digits = 0
        self._date_text = -1
        self._date_ns = 0

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_digit(self, position: cython.longlong) -> cython.bint:
        return 48 <= self.octets[position] <= 57

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def has_format(
        self, kind: cython.longlong, start: cython.longlong, end: cython.longlong
    ) -> cython.bint:
        """Whether the value, which is not empty, is of its type's format."""
        if kind == TYPE_FLOAT:
            return self.is_float(start, end)
        if kind == TYPE_CHAR:
            return end == start + 1
        if kind == TYPE_UTC_TIMESTAMP:
            return self.parse_utc_timestamp(start, end) != VALUE_FORMAT
        if kind == TYPE_INT:
            return self.parse_int(start, end) != VALUE_FORMAT
        if kind == TYPE_UNSIGNED or kind == TYPE_LENGTH or kind == TYPE_GROUP_COUNT:
            return self.octets[start] != 45 and self.parse_int(start, end) != VALUE_FORMAT
        if kind == TYPE_BOOLEAN:
            return end == start + 1 and (self.octets[start] == 89 or self.octets[start] == 78)
        if kind == TYPE_UTC_DATE or kind == TYPE_LOCAL_DATE:
            return end == start + 8 and self.parse_date(start)
        if kind == TYPE_UTC_TIME:
            return self.parse_time(start, end)
        if kind == TYPE_MONTH_YEAR:
            return self.is_month_year(start, end)
        if kind == TYPE_DAY_OF_MONTH:
            return self.parse_int(start, end) == VALUE_OK and 1 <= self.number <= 31
        return True

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def is_float(self, start: cython.longlong, end: cython.longlong) -> cython.bint:
        """Sign '-' or none, digits, at most one point, at least one digit."""
        position: cython.longlong = start
        points: cython.int = 0
        digits: cython.int = 0
        if self.octets[start] == 45:
            position += 1
        while position < end:
            if self._is_digit(position):
                digits = 1
            elif self.octets[position] == 46 and points == 0:
                points = 1
            else:
                return False
            position += 1
        return digits == 1

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def parse_int(self, start: cython.longlong, end: cython.longlong) -> cython.int:
        """Read digits, '-' before them or not, into `number`; give a VALUE_ code. O(length)."""
        position: cython.longlong = start
        value: cython.longlong = 0
        tenth: cython.longlong = 461168601842738790  # 2^62 // 10: its tenfold and a digit fit
        negative: cython.bint = False
        if position < end and self.octets[position] == 45:
            negative = True
            position += 1
        if position >= end:
            return VALUE_FORMAT
        code: cython.int = VALUE_OK
        while position < end:
            if not self._is_digit(position):
                return VALUE_FORMAT
            if value >= tenth:
                code = VALUE_RANGE
            else:
                value = value * 10 + self.octets[position] - 48
            position += 1
        self.number = -value if negative else value
        return code

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def parse_decimal(
        self, start: cython.longlong, end: cython.longlong, decimals: cython.longlong
    ) -> cython.int:
        """Read a decimal into `number` as a count of 10^-decimals; give a VALUE_ code.

        Exact: VALUE_DECIMALS where the value has more decimals than are counted and they are not
        zeros, VALUE_RANGE from 2^62 up. Wrong format goes before both. O(length + decimals).
        Most decimals are short: read by words, two of an order take 160 instructions, not 200.
        """
        position: cython.longlong = start
        value: cython.longlong = 0
        tenth: cython.longlong = 461168601842738790
        left: cython.longlong = decimals
        code: cython.int = VALUE_OK
        negative: cython.bint = False
        point: cython.bint = False
        any_digit: cython.bint = False
        octet: cython.int
        if end - start <= 8 and start + 8 <= len(self.octets):
            if cython.compiled:
                value = short_decimal(cython.address(self.octets[0]), start, end - start, decimals)
            else:
                value = short_decimal(self.octets, start, end - start, decimals)
            if value >= 0:
                self.number = value
                return VALUE_OK
            value = 0
        if position < end and self.octets[position] == 45:
            negative = True
            position += 1
        while position < end:
            octet = self.octets[position]
            position += 1
            if octet == 46 and not point:
                point = True
                continue
            if octet < 48 or octet > 57:
                return VALUE_FORMAT
            any_digit = True
            if point:
                if left == 0:
                    if octet != 48 and code == VALUE_OK:
                        code = VALUE_DECIMALS
                    continue
                left -= 1
            if value >= tenth:
                code = VALUE_RANGE
            else:
                value = value * 10 + octet - 48
        if not any_digit:
            return VALUE_FORMAT
        while left > 0 and value != 0:
            if value >= tenth:
                return VALUE_RANGE
            value *= 10
            left -= 1
        self.number = -value if negative else value
        return code

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def parse_utc_timestamp(self, start: cython.longlong, end: cython.longlong) -> cython.int:
        """Read YYYYMMDD-HH:MM:SS[.f], f of 1 to 12 digits, second 60 allowed; give a VALUE_ code.

        `number` gets nanoseconds since the epoch, what is finer cut off; `digits` those of f.
        VALUE_RANGE: a date, but outside of 1970 to 2261.
        """
        if end < start + 17 or self.octets[start + 8] != 45 or not self.parse_date(start):
            return VALUE_FORMAT
        if not self.parse_time(start + 9, end):
            return VALUE_FORMAT
        if not 19700101 <= self._date_text < 22620101:
            return VALUE_RANGE
        self.number += self._date_ns
        return VALUE_OK

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def parse_date(self, start: cython.longlong) -> cython.bint:
        """Whether YYYYMMDD of the calendar stands here; `_date_ns` gets its midnight.

        It is computed anew only where it is not the date read before, which it nearly always is.
        """
        text: cython.longlong = 0
        position: cython.longlong
        year: cython.longlong
        month: cython.longlong
        day: cython.longlong
        for position in range(start, start + 8):
            if not self._is_digit(position):
                return False
            text = text * 10 + self.octets[position] - 48
        if text == self._date_text:
            return True
        year = text // 10000
        month = text // 100 % 100
        day = text % 100
        if month < 1 or month > 12 or day < 1 or day > days_in_month(year, month):
            return False
        self._date_text = text
        self._date_ns = 0
        if 1970 <= year < 2262:
            self._date_ns = days_from_epoch(year, month, day) * 86_400 * 1_000_000_000
        return True

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def parse_time(self, start: cython.longlong, end: cython.longlong) -> cython.bint:
        """Whether HH:MM:SS[.f] stands here; `number` gets nanoseconds, `digits` those of f."""
        hour: cython.longlong
        minute: cython.longlong
        second: cython.longlong
        fraction: cython.longlong = 0
        position: cython.longlong
        if end < start + 8 or self.octets[start + 2] != 58 or self.octets[start + 5] != 58:
            return False
        hour = self._two_digits(start)
        minute = self._two_digits(start + 3)
        second = self._two_digits(start + 6)
        if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 60:
            return False
        self.digits = 0
        if end > start + 8:
            if self.octets[start + 8] != 46 or end == start + 9 or end > start + 21:
                return False
            for position in range(start + 9, end):
                if not self._is_digit(position):
                    return False
                if position < start + 18:
                    fraction = fraction * 10 + self.octets[position] - 48
            self.digits = end - start - 9
            position = end
            while position < start + 18:
                fraction *= 10
                position += 1
        self.number = ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction
        return True

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def _two_digits(self, position: cython.longlong) -> cython.longlong:
        if not (self._is_digit(position) and self._is_digit(position + 1)):
            return -1
        return self.octets[position] * 10 + self.octets[position + 1] - 528

    @cython.cfunc
    @cython.final
    @cython.nogil
    @cython.exceptval(check=False)
    def is_month_year(self, start: cython.longlong, end: cython.longlong) -> cython.bint:
        """Whether YYYYMM, YYYYMMDD or YYYYMMwN (week 1 to 5) stands here."""
        month: cython.longlong
        if end == start + 8:
            if self.octets[start + 6] == 119:  # w
                if self.octets[start + 7] < 49 or self.octets[start + 7] > 53:
                    return False
            else:
                return self.parse_date(start)
        elif end != start + 6:
            return False
        if self._two_digits(start) < 0 or self._two_digits(start + 2) < 0:
            return False
        month = self._two_digits(start + 4)
        return 1 <= month <= 12

    # --- for callers in Python -----------------------------------------------------------------

    def read_int(self, start: int, end: int) -> int:
        """`parse_int` for callers in Python: a VALUE_ code, the value in `number`."""
        self._check_range(start, end)
        return self.parse_int(start, end)

    def read_decimal(self, start: int, end: int, decimals: int) -> int:
        """`parse_decimal` for callers in Python: a VALUE_ code, the value in `number`."""
        self._check_range(start, end)
        return self.parse_decimal(start, end, decimals)

    def read_utc_timestamp(self, start: int, end: int) -> int:
        """`parse_utc_timestamp` for callers in Python: a VALUE_ code, the rest in attributes."""
        self._check_range(start, end)
        return self.parse_utc_timestamp(start, end)

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= len(self.octets):
            raise IndexError(f"no bytes {start} to {end} in a buffer of {len(self.octets)}")


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def days_in_month(year: cython.longlong, month: cython.longlong) -> cython.longlong:
    """Days of a month of the Gregorian calendar."""
    if month == 2:
        if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
            return 29
        return 28
    if month == 4 or month == 6 or month == 9 or month == 11:
        return 30
    return 31


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def days_from_epoch(
    year: cython.longlong, month: cython.longlong, day: cython.longlong
) -> cython.longlong:
    """Days from 1970-01-01 to a date of the Gregorian calendar, of year 0 and later.

    Counts years from March, so that the leap day is the last of its year.
    """
    from_march: cython.longlong = (month + 9) % 12
    march_year: cython.longlong = year if month > 2 else year - 1
    return (
        march_year * 365
        + march_year // 4
        - march_year // 100
        + march_year // 400
        + (153 * from_march + 2) // 5
        + day
        - 719469
    )
