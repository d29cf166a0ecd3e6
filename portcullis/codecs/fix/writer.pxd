cdef enum:
    SECONDS_KEPT = 4


cdef class FixWriter:
    # Where the bytes lie, and where the next field goes; `octets` owns what `out` points to.
    cdef readonly unsigned char[::1] octets
    cdef unsigned char* out
    cdef long long position
    cdef readonly long long length
    cdef readonly long long length_max
    cdef long long _capacity
    cdef unsigned char[::1] _head_octets
    cdef unsigned char* _head
    cdef long long _head_length
    cdef unsigned char[::1] _second_octets
    cdef unsigned char* _second_text
    cdef long long[::1] _seconds
    cdef long long _number_digits
    cdef long long _body
    cdef bint _is_full

    cpdef int reserve(self, long long needed) except? -1
    cpdef void begin(self, long long msg_type) noexcept nogil
    cpdef long long finish(self) noexcept nogil
    cpdef void put_int(self, long long tag, long long value) noexcept nogil
    cpdef void put_char(self, long long tag, long long value) noexcept nogil
    cdef void put_octets(
        self, long long tag, unsigned char* source, long long start, long long length
    ) noexcept nogil
    cdef void put_raw(self, unsigned char* source, long long start, long long length) noexcept nogil
    cpdef void put_decimal(self, long long tag, long long value, long long decimals) noexcept nogil
    cpdef void put_timestamp(
        self, long long tag, long long time_ns, long long digits
    ) noexcept nogil
    cdef bint _has_room(self, long long needed) noexcept nogil
    cdef void _set_second(self, long long second, long long kept) noexcept nogil
