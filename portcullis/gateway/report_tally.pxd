# What compiled code of report_tally sees.

from portcullis.journal.table cimport RowTable


cdef class ReportTally:
    cdef RowTable _table
    cdef long long[::1] _words
    cdef public long long lowest
    cdef long long _accounts
    cdef long long _instruments
    cdef long long[::1] _positions

    cdef void _add(self, long long[::1] rows, long long count) noexcept nogil
    cdef void _look_at(self, long long row) noexcept nogil
    cdef void _move(self, long long at, long long quantity) noexcept nogil
