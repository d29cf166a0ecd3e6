from portcullis.journal.anchors cimport OpenBlock
from portcullis.journal.table cimport RowTable


cdef class SessionIndex:
    cdef RowTable _table
    cdef long long _capacity
    cdef long long[::1] _head_row
    cdef long long[::1] _head_seq
    cdef long long[::1] _first_row
    cdef unsigned char[::1] _is_touched
    cdef list _touched
    cdef object _files
    cdef long long _block_rows
    cdef OpenBlock _open
    cdef long long _block_end
    cdef dict _blocks
    cdef set _unsaved
    cdef dict _days
    cdef long long[::1] _low_row
    cdef dict _ended
    cdef long long _days_kept

    cpdef long long head_row(self, long long session) except? -1
    cpdef long long head_seq(self, long long session) except? -1
    cpdef long long walk(
        self, long long session, long long from_seq, long long[::1] out
    ) except? -1
    cdef long long _walk(self, long long row, long long from_seq, long long[::1] out) noexcept
    cdef void _begin_day(self, long long session, long long day)
    cdef long long _start(self, long long session, long long top)
    cdef bint _has_new_epoch(self, long long session, long long reset_row)
