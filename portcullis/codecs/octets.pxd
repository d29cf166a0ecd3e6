# The functions of octets.py as C, for the compiler to put into their callers; see there.
# Words of eight bytes have the first byte lowest, as on the machines compiled for.
from libc.string cimport memcpy
from portcullis.codecs.bits cimport POWERS, low_zeros


cdef inline unsigned long long word_at(const unsigned char* octets, long long at) noexcept nogil:
    cdef unsigned long long word
    memcpy(&word, octets + at, 8)
    return word


cdef inline long long find_soh(const unsigned char* octets, long long at) noexcept nogil:
    """A byte that was SOH is zero once it is XORed; of the zeros of a word, the usual subtraction
    marks the lowest exactly."""
    cdef unsigned long long ones = 0x0101010101010101ULL
    cdef unsigned long long word = word_at(octets, at) ^ ones
    cdef unsigned long long mark = (word - ones) & ~word & (ones << 7)
    while mark == 0:
        at += 8
        word = word_at(octets, at) ^ ones
        mark = (word - ones) & ~word & (ones << 7)
    return at + (low_zeros(mark) >> 3)


cdef inline bint same_octets(
    const unsigned char* one,
    long long start,
    const unsigned char* other,
    long long at,
    long long size,
) noexcept nogil:
    one += start
    other += at
    while size >= 8:
        if word_at(one, 0) != word_at(other, 0):
            return False
        one += 8
        other += 8
        size -= 8
    # What stands behind the last byte is shifted out.
    return size == 0 or (word_at(one, 0) ^ word_at(other, 0)) << 8 * (8 - size) == 0


cdef inline unsigned long long number_of(
    unsigned long long word, unsigned long long size
) noexcept nogil:
    """The number whose digits are the highest `size` bytes of a word, 1 to 8, those below zero;
    with its highest bit set where a byte is no digit."""
    cdef unsigned long long ones = 0x0101010101010101ULL
    word -= 0x3030303030303030ULL << 8 * (8 - size)
    # A byte above 9 is no digit.
    if (word | (word + ones * 118)) & (ones << 7):
        return 1ULL << 63
    word = word * 10 + (word >> 8)
    return (
        (word & 0x000000FF000000FFULL) * 0x000F424000000064ULL
        + (word >> 16 & 0x000000FF000000FFULL) * 0x0000271000000001ULL
    ) >> 32


cdef inline long long short_decimal(
    const unsigned char* octets, long long start, long long size, long long decimals
) noexcept nogil:
    """The point is taken out of the word; then pairs of digits become numbers, pairs of these and
    pairs of those, each by one multiplication."""
    cdef unsigned long long ones = 0x0101010101010101ULL
    cdef unsigned long long word
    cdef unsigned long long mark
    cdef int before
    if size == 0 or decimals > 8:
        return -1
    word = word_at(octets, start) << 8 * (8 - size)
    mark = word ^ ones * 46
    mark = (mark - ones) & ~mark & (ones << 7)
    if mark != 0:
        # The digits before the point move up to those behind it.
        before = low_zeros(mark) - 7
        decimals -= 7 - (before >> 3)
        word = (word & ~((0xFFULL << before) | ((1ULL << before) - 1))) | (
            (word & ((1ULL << before) - 1)) << 8
        )
        size -= 1
    if size == 0 or decimals < 0:
        return -1
    word = number_of(word, size)
    return -1 if word >> 63 else word * POWERS[decimals]


cdef inline bint is_plain_decimal(
    const unsigned char* octets, long long start, long long end
) noexcept nogil:
    """Up to eight bytes in one word: one byte of them at most is no digit, and is the point.
    Longer ones end at the latest at the byte behind, which is no digit."""
    cdef unsigned long long ones = 0x0101010101010101ULL
    cdef unsigned long long word
    cdef unsigned long long odd
    cdef long long at = start
    if 0 < end - start <= 8:
        word = word_at(octets, start) ^ ones * 48
        odd = (((word & ones * 127) + ones * 118) | word) & (ones << 7)
        odd = odd << 8 * (8 - (end - start))
        if odd == 0:
            return True
        return (
            odd & (odd - 1) == 0
            and end > start + 1
            and octets[end - 8 + (low_zeros(odd) >> 3)] == 46
        )
    while 48 <= octets[at] <= 57:
        at += 1
    if at == end:
        return end > start
    if octets[at] != 46 or end == start + 1:
        return False
    at += 1
    while 48 <= octets[at] <= 57:
        at += 1
    return at == end


cdef inline long long plain_number(
    const unsigned char* octets, long long start, long long end
) noexcept nogil:
    cdef unsigned long long word
    cdef long long value = 0
    cdef long long at
    if end == start or end > start + 18:
        return -1
    if end <= start + 8:
        word = number_of(word_at(octets, start) << 8 * (8 - (end - start)), end - start)
        return -1 if word >> 63 else word
    for at in range(start, end):
        if not 48 <= octets[at] <= 57:
            return -1
        value = value * 10 + octets[at] - 48
    return value


cdef inline int sum_octets(
    const unsigned char* octets, long long start, long long end
) noexcept nogil:
    """Whole blocks of sixteen bytes, which the compiler adds side by side, then two words."""
    cdef unsigned long long pairs = 0x00FF00FF00FF00FFULL
    cdef unsigned long long word
    cdef unsigned char total = 0
    cdef long long blocks = (end - start) >> 4
    cdef long long at
    octets += start
    for at in range(blocks << 4):
        total += octets[at]
    end -= start
    at = blocks << 4
    while at < end:
        word = word_at(octets, at)
        if end - at < 8:
            word &= (1ULL << 8 * (end - at)) - 1
        word = (word & pairs) + (word >> 8 & pairs)
        total += <unsigned char>(word * 0x0001000100010001ULL >> 48)
        at += 8
    return total
