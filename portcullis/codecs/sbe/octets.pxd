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


cdef inline void put_big2(unsigned char* out, long long at, long long value) noexcept nogil:
    put_2(out, at, (value >> 8) & 0xFF | (value & 0xFF) << 8)


cdef inline void put_big8(unsigned char* out, long long at, long long value) noexcept nogil:
    # From one pointer on, for then a compiler makes one store of the eight.
    out += at
    out[0] = (value >> 56) & 0xFF
    out[1] = (value >> 48) & 0xFF
    out[2] = (value >> 40) & 0xFF
    out[3] = (value >> 32) & 0xFF
    out[4] = (value >> 24) & 0xFF
    out[5] = (value >> 16) & 0xFF
    out[6] = (value >> 8) & 0xFF
    out[7] = value & 0xFF


cdef inline void copy(
    unsigned char* out, long long at, unsigned char* source, long long start, long long length
) noexcept nogil:
    memmove(out + at, source + start, length)
