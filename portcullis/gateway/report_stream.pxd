from portcullis.journal.table cimport RowTable


cdef class ReportStream:
    cdef readonly long long number
    cdef readonly bytes name
    cdef readonly long long content
    cdef readonly tuple accounts
    cdef readonly long long day
    cdef readonly long long next_number
    cdef readonly long long next_row
    cdef readonly long long ended_day
    cdef readonly long long ended_number
    cdef readonly long long ended_ns
    cdef readonly long long reached
    cdef readonly long long[::1] rows
    cdef RowTable _table
    cdef long long[::1] _words
    cdef unsigned char[::1] _wanted
    cdef long long _wanted_end
    cdef long long _end

    cpdef long long select(self, long long end, long long count_max=*) except? -1
    cpdef int pass_to(self, long long row, long long count) except? -1
    cdef long long _select(self, long long end, long long count_max) noexcept nogil
    cdef bint _carries(self, long long at, long long kind) noexcept nogil
