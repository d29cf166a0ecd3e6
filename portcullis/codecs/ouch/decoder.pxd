cdef class OuchDecoder:
    cdef readonly unsigned char[::1] octets
    cdef unsigned char* _in
    cdef readonly long long message_type
    cdef readonly long long token_at
    cdef readonly long long replacement_at
    cdef readonly long long side
    cdef readonly long long shares
    cdef readonly long long stock_at
    cdef readonly long long price
    cdef readonly long long time_in_force
    cdef readonly long long firm
    cdef readonly long long display
    cdef readonly long long capacity
    cdef readonly long long intermarket_sweep
    cdef readonly long long minimum_quantity
    cdef readonly long long cross_type
    cdef readonly long long customer_type

    cpdef long long decode(self, long long start, long long end) noexcept nogil
    cdef long long _u4(self, long long at) noexcept nogil
