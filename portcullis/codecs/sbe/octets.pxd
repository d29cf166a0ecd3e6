# The functions of octets.py as C, for the compiler to put into their callers; see there.
# Words have the first byte lowest, as on the machines compiled for.
from libc.string cimport memcpy, memmove


cdef inline void put_2(unsigned char* out, long long at, long long value) noexcept nogil:
    cdef unsigned short word = <unsigned short>value
    memcpy(out + at, &word, 2)


cdef inline void put_4(unsigned char* out, long long at, long long value) noexcept nogil:
    cdef unsigned int word = <unsigned int>value
    memcpy(out + at, &word, 4)


cdef inline void put_8(unsigned char* out, long long at, long long value) noexcept nogil:
    memcpy(out + at, &value, 8)


cdef inline void copy_words(
    unsigned char* out, long long at, long long* words, long long place, long long count
) noexcept nogil:
    # Of a constant count the compiler makes stores of 16 bytes.
    memcpy(out + at, words + place, 8 * count)


cdef inline void copy(
    unsigned char* out, long long at, unsigned char* source, long long start, long long length
) noexcept nogil:
    memmove(out + at, source + start, length)
