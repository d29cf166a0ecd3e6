cdef enum:
    HEAD_BYTES = 16


cdef class ReadRecords:
    cdef readonly long long size
    cdef const unsigned char[::1] _received
    cdef unsigned char[::1] _octets
    cdef long long _capacity

    cdef bint _put(
        self,
        long long session,
        long long now_ns,
        const unsigned char[::1] source,
        long long start,
        long long stop,
    ) noexcept
