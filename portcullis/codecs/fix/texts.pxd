# The functions of texts.py as C, for the compiler to put into their callers; see there.
# A text is made in words of eight bytes, the first byte lowest, as on the machines compiled for.
# So up to 24 bytes behind a text may be written over.
from libc.string cimport memcpy
from portcullis.codecs.bits cimport POWERS, high_zeros, low_zeros, whole_of


cdef inline void put_word(unsigned char* out, long long at, unsigned long long word) noexcept nogil:
    memcpy(out + at, &word, 8)


cdef inline unsigned long long eight_digits(unsigned long long value) noexcept nogil:
    """The eight digits of a number below 10^8 as bytes 0 to 9, the first digit lowest.

    Halves, then quarters, then digits are divided side by side in one word, each by a
    multiplication whose error stays below one.
    """
    cdef unsigned long long high = value // 10000
    cdef unsigned long long parts = high | (value - 10000 * high) << 32
    high = (parts * 10486 >> 20) & 0x7F0000007FULL
    parts = high | (parts - 100 * high) << 16
    high = (parts * 103 >> 10) & 0x000F000F000F000FULL
    return high | (parts - 10 * high) << 8


cdef inline long long put_eight(
    unsigned char* out, long long at, unsigned long long value
) noexcept nogil:
    """All eight digits of a number below 10^8."""
    put_word(out, at, eight_digits(value) | 0x3030303030303030ULL)
    return at + 8


cdef inline long long put_up_to_eight(
    unsigned char* out, long long at, unsigned long long value
) noexcept nogil:
    """The digits of a number below 10^8 without leading zeros."""
    cdef unsigned long long word
    cdef int zeros
    if value < 10:
        out[at] = 48 + value
        return at + 1
    word = eight_digits(value)
    zeros = low_zeros(word) >> 3
    put_word(out, at, (word | 0x3030303030303030ULL) >> 8 * zeros)
    return at + 8 - zeros


cdef inline long long put_number(unsigned char* out, long long at, long long value) noexcept nogil:
    cdef unsigned long long rest = value
    cdef unsigned long long high
    if value < 0:
        out[at] = 45
        at += 1
        rest = -rest
    if rest < 100000000:
        return put_up_to_eight(out, at, rest)
    high = rest // 100000000
    rest -= 100000000 * high
    if high < 100000000:
        at = put_up_to_eight(out, at, high)
    else:
        at = put_up_to_eight(out, at, high // 100000000)
        at = put_eight(out, at, high % 100000000)
    return put_eight(out, at, rest)


cdef inline long long put_fraction(
    unsigned char* out, long long at, unsigned long long nanoseconds, long long digits
) noexcept nogil:
    if digits <= 0:
        return at
    out[at] = 46
    put_eight(out, at + 1, nanoseconds // 10)
    out[at + 9] = 48 + nanoseconds % 10
    return at + 1 + digits


cdef inline long long put_tag(unsigned char* out, long long at, unsigned int tag) noexcept nogil:
    """Of a constant tag the compiler makes one store."""
    cdef unsigned int word
    cdef int size
    if tag < 10:
        word = 48 + tag | 61 << 8
        size = 2
    elif tag < 100:
        word = 48 + tag // 10 | (48 + tag % 10) << 8 | 61 << 16
        size = 3
    elif tag < 1000:
        word = 48 + tag // 100 | (48 + tag // 10 % 10) << 8 | (48 + tag % 10) << 16 | 61 << 24
        size = 4
    else:
        at = put_number(out, at, tag)
        word = 61
        size = 1
    memcpy(out + at, &word, 4)
    return at + size


cdef inline long long put_char(
    unsigned char* out, long long at, unsigned int tag, long long value
) noexcept nogil:
    at = put_tag(out, at, tag)
    out[at] = value & 0xFF
    out[at + 1] = 1
    return at + 2


cdef inline long long put_int(
    unsigned char* out, long long at, unsigned int tag, long long value
) noexcept nogil:
    at = put_number(out, put_tag(out, at, tag), value)
    out[at] = 1
    return at + 1


cdef inline long long put_scaled(
    unsigned char* out, long long at, long long value, long long decimals
) noexcept nogil:
    cdef unsigned long long rest = value
    cdef unsigned long long whole
    cdef unsigned long long word
    if value < 0:
        out[at] = 45
        at += 1
        rest = -rest
    whole = whole_of(rest, decimals)
    rest -= whole * POWERS[decimals]
    at = put_number(out, at, whole)
    if rest == 0:
        return at
    out[at] = 46
    at += 1
    # Eight decimals at a time; below the last there are only zeros.
    while decimals > 8:
        decimals -= 8
        whole = whole_of(rest, decimals)
        rest -= whole * POWERS[decimals]
        at = put_eight(out, at, whole)
    if rest == 0:
        while out[at - 1] == 48:
            at -= 1
        return at
    word = eight_digits(rest * POWERS[8 - decimals])
    put_word(out, at, word | 0x3030303030303030ULL)
    return at + 8 - (high_zeros(word) >> 3)


cdef inline long long put_decimal(
    unsigned char* out, long long at, unsigned int tag, long long value, long long decimals
) noexcept nogil:
    at = put_scaled(out, put_tag(out, at, tag), value, decimals)
    out[at] = 1
    return at + 1


cdef inline long long put_short(
    unsigned char* out,
    long long at,
    unsigned int tag,
    const unsigned char* source,
    long long start,
    long long length,
) noexcept nogil:
    at = put_tag(out, at, tag)
    memcpy(out + at, source + start, 24)
    out[at + length] = 1
    return at + length + 1


cdef inline long long put_octets(
    unsigned char* out,
    long long at,
    unsigned int tag,
    const unsigned char* source,
    long long start,
    long long length,
) noexcept nogil:
    """A copy of fixed length is two moves, one of any length a call."""
    if length <= 24:
        return put_short(out, at, tag, source, start, length)
    at = put_tag(out, at, tag)
    memcpy(out + at, source + start, length)
    out[at + length] = 1
    return at + length + 1
