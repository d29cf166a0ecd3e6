cdef class FixWriter:
    cdef readonly unsigned char[::1] octets
    cdef readonly long long length
    cdef long long _capacity
    cdef const unsigned char[::1] _prefix
    cdef long long _prefix_length
    cdef unsigned char[::1] _second_text
    cdef long long _second
    cdef long long _number_digits
    cdef long long _body
    cdef long long _position
    cdef bint _is_full

    cpdef void begin(self, long long msg_type) noexcept nogil
    cpdef long long finish(self) noexcept nogil
    cdef void _move_body(self, long long target, long long size) noexcept nogil
    cdef void _put_check_sum(self, long long start) noexcept nogil
    cpdef void put_int(self, long long tag, long long value) noexcept nogil
    cpdef void put_char(self, long long tag, long long value) noexcept nogil
    cpdef void put_bytes(
        self, long long tag, const unsigned char[::1] source, long long start, long long end
    ) noexcept nogil
    cpdef void put_raw(
        self, const unsigned char[::1] source, long long start, long long end
    ) noexcept nogil
    cpdef void put_decimal(self, long long tag, long long value, long long decimals) noexcept nogil
    cpdef void put_timestamp(
        self, long long tag, long long time_ns, long long digits
    ) noexcept nogil
    cdef bint _has_room(self, long long needed) noexcept nogil
    cdef void _put_soh(self) noexcept nogil
    cdef void _put_tag(self, long long tag) noexcept nogil
    cdef void _put_number(self, long long value) noexcept nogil
    cdef void _put_padded(self, long long start, long long value, long long digits) noexcept nogil
    cdef void _copy(
        self, const unsigned char[::1] source, long long start, long long size, long long target
    ) noexcept nogil
    cdef void _set_second(self, long long second) noexcept nogil
