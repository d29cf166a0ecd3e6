cdef class RowTable:
    cdef readonly long long[::1] words
    cdef readonly unsigned char[::1] octets
    cdef public long long origin_row
    cdef public long long oldest_row
    cdef public long long tail
    cdef public long long batch_first
    cdef public long long input_limit
    cdef public long long batch_limit
    cdef public long long time_ns
    cdef object _memory
    cdef long long _text_row
    cdef long long _text_used
    cdef long long _text_owner

    cdef long long at(self, long long row) noexcept nogil
    cdef bint has_row(self, long long row) noexcept nogil
    cpdef long long word(self, long long row, long long index) except? -1
    cdef long long open_input(
        self, long long kind, long long flags, long long session, long long rows_needed
    ) noexcept nogil
    cdef long long open_output(self, long long kind, long long flags, long long session) noexcept nogil
    cdef void _text_octet_put(self, unsigned char value) noexcept nogil
    cdef void text_open(self, long long owner) noexcept nogil
    cdef void text_put(
        self, long long code, const unsigned char[::1] source, long long start, long long end
    ) noexcept nogil
    cdef long long text_find(self, long long owner, long long code) noexcept nogil
    cdef unsigned char text_octet(self, long long owner, long long position) noexcept nogil
