# The functions of fields.py as C, for the compiler to put into their callers; see there.
# Words of eight bytes have the first byte lowest, as on the machines compiled for.
from libc.string cimport memcpy
from portcullis.codecs.bits cimport high_zeros
from portcullis.codecs.octets cimport word_at

cdef enum:
    TOKEN_BYTES = 14


cdef inline void put_u2(unsigned char* out, long long at, long long value) noexcept nogil:
    out += at
    out[0] = (value >> 8) & 0xFF
    out[1] = value & 0xFF


cdef inline void put_u4(unsigned char* out, long long at, long long value) noexcept nogil:
    # From one pointer on, for then a compiler makes one store of the four.
    out += at
    out[0] = (value >> 24) & 0xFF
    out[1] = (value >> 16) & 0xFF
    out[2] = (value >> 8) & 0xFF
    out[3] = value & 0xFF


cdef inline void put_u8(unsigned char* out, long long at, long long value) noexcept nogil:
    put_u4(out, at, value >> 32)
    put_u4(out, at + 4, value)


cdef inline void put_padded(
    unsigned char* out, long long at, long long word, long long size
) noexcept nogil:
    """The highest bit of a byte is set where the byte was zero, and becomes a blank's."""
    cdef unsigned long long octets = <unsigned long long>word
    cdef unsigned long long most = 0x7F7F7F7F7F7F7F7FULL
    octets |= (~(((octets & most) + most) | octets) & ~most) >> 2
    memcpy(out + at, &octets, size)


cdef inline void put_token(
    unsigned char* out, long long at, long long low, long long high, long long length
) noexcept nogil:
    cdef unsigned long long blanks = 0x2020202020202020ULL
    cdef unsigned long long first = <unsigned long long>low
    cdef unsigned long long second = blanks
    if length < 8:
        first |= blanks << 8 * length
    else:
        second = <unsigned long long>high | blanks << 8 * (length - 8)
    memcpy(out + at, &first, 8)
    memcpy(out + at + 8, &second, 6)


cdef inline bint is_printable(unsigned long long word) noexcept nogil:
    """Whether all bytes are of 0x20 to 0x7E: no sum carries where none is above 0x7F."""
    cdef unsigned long long ones = 0x0101010101010101ULL
    return (((word + 0x60 * ones) & ~(word + ones) & ~word) & 0x80 * ones) == 0x80 * ones


cdef inline long long token_length(const unsigned char* octets, long long at) noexcept nogil:
    """Its last eight bytes, which share two with the first eight, then those before."""
    cdef unsigned long long blanks = 0x2020202020202020ULL
    cdef unsigned long long first = word_at(octets, at)
    cdef unsigned long long last = word_at(octets, at + 6)
    if not is_printable(first) or not is_printable(last):
        return 0
    last ^= blanks
    if last:
        return 14 - (high_zeros(last) >> 3)
    first = (first ^ blanks) << 16
    return 6 - (high_zeros(first) >> 3) if first else 0


cdef inline long long token_low(
    const unsigned char* octets, long long at, long long length
) noexcept nogil:
    cdef unsigned long long word = word_at(octets, at)
    if length < 8:
        word &= (<unsigned long long>1 << 8 * length) - 1
    return <long long>word


cdef inline long long token_high(
    const unsigned char* octets, long long at, long long length
) noexcept nogil:
    if length <= 8:
        return 0
    return <long long>(word_at(octets, at + 6) >> 16 & (<unsigned long long>1 << 8 * (length - 8)) - 1)
