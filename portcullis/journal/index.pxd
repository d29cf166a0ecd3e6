from portcullis.journal.table cimport RowTable

cdef enum:
    ANCHOR_STEP = 256


cdef class SessionIndex:
    cdef RowTable _table
    cdef long long _capacity
    cdef long long[::1] _head_row
    cdef long long[::1] _head_seq
    cdef long long[::1] _anchor_seq
    cdef unsigned char[::1] _is_touched
    cdef list _touched
    cdef list _anchors
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
    cdef long long _nearest(
        self, object anchors, long long head_row, long long head_seq, long long top
    )
    cdef void _begin_day(self, long long session, long long day)
    cdef long long _start(self, long long session, long long top)
    cdef void _begin_epoch(self, long long session, long long number)
    cdef void _add_anchor(self, long long session, long long number, long long row)
    cdef bint _has_new_epoch(self, long long session, long long reset_row)
