from portcullis.journal.table cimport RowTable

cdef enum:
    INSTRUMENT_WORDS = 8
    I_PRICE_DECIMALS = 0
    I_QTY_DECIMALS = 1
    I_AVG_DECIMALS = 2
    I_TICK = 3
    I_LOT = 4
    I_PRICE_MAX = 5
    I_QTY_MAX = 6
    I_FLAGS = 7
    SCALE_WORDS = 4
    S_STOCK = 0
    S_UP = 1
    S_DOWN = 2
    NAME_WORDS = 3


cdef class NameTable:
    cdef readonly list names
    cdef readonly long long count
    cdef long long[::1] start
    cdef unsigned char* octets
    cdef unsigned char[::1] _octets
    cdef long long[::1] words
    cdef long long[::1] _slots
    cdef long long _mask

    cdef long long _hash(self, unsigned char* source, long long start, long long end) noexcept nogil
    cdef long long find(self, unsigned char* source, long long start, long long end) noexcept nogil


cdef class Catalog:
    cdef readonly NameTable symbols
    cdef readonly NameTable accounts
    cdef readonly long long[::1] instruments
    cdef readonly NameTable stocks
    cdef readonly long long[::1] scales
    cdef readonly long long[::1] clients
