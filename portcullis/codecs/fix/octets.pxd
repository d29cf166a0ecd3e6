# The functions of octets.py as C, for the compiler to put into their callers; see there.
# Words of eight bytes have the first byte lowest, as on the machines compiled for.
from libc.string cimport memcpy

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define portcullis_low_zeros(word) __builtin_ctzll(word)
    #define portcullis_high_zeros(word) __builtin_clzll(word)
    #else
    static int portcullis_low_zeros(unsigned long long word) {
        int zeros = 0;
        while (!(word >> zeros & 1)) zeros++;
        return zeros;
    }
    static int portcullis_high_zeros(unsigned long long word) {
        int zeros = 0;
        while (!(word << zeros >> 63)) zeros++;
        return zeros;
    }
    #endif
    """
    # Zero bits below the lowest, and above the highest, bit that is set; the word is not zero.
    int low_zeros "portcullis_low_zeros"(unsigned long long word) noexcept nogil
    int high_zeros "portcullis_high_zeros"(unsigned long long word) noexcept nogil


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


cdef inline bint is_plain_decimal(
    const unsigned char* octets, long long start, long long end
) noexcept nogil:
    """Ends at the latest at the byte behind, which is no digit."""
    cdef long long at = start
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
    cdef long long value = 0
    cdef long long at
    if end == start or end > start + 18:
        return -1
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
