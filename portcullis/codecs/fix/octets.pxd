# The functions of octets.py as C, for the compiler to put into their callers; see there.
# Words of eight bytes have the first byte lowest, as on the machines compiled for.
cdef extern from *:
    pass

from libc.string cimport memcpy


cdef inline unsigned long long word_at(const unsigned char* octets, long long at) noexcept nogil:
    cdef unsigned long long word
    memcpy(&word, octets + at, 8)
    return word


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
