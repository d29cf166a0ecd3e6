# What compiled code of anchors sees.

from portcullis.journal.table cimport RowTable

cdef enum:
    ANCHOR_STEP = 256
    WORDS = 3
    OPEN_WORDS = 4


cdef class OpenBlock:
    cdef long long[::1] _due
    cdef long long[::1] _last
    cdef long long[::1] _entries
    cdef long long _count

    cdef void add(self, long long session, long long number, long long row, bint is_first)
    cdef void _grow(self)
    cdef long long _upto(self, long long session, long long last_row) noexcept


cdef long long _seek(const long long[::1] block, long long session, long long row) noexcept
