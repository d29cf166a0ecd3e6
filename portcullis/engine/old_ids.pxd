from portcullis.engine.ids cimport IdTable
from portcullis.journal.table cimport RowTable


cdef class OldIds:
    cdef public long long stage
    cdef public long long index
    cdef public long long day_row
    cdef public long long last_row
    cdef RowTable _table
    cdef long long[::1] _words
    cdef IdTable _ids

    cdef void begin(self, long long day_row, long long last_row) noexcept nogil
    cdef long long find(self) noexcept nogil
    cdef bint is_old(self, long long index) noexcept nogil
    cdef void _walk(self, long long count) noexcept nogil
