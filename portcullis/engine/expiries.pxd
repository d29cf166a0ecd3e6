cdef class Expiries:
    cdef readonly long long count
    cdef long long[::1] _times
    cdef long long[::1] _slots
    cdef long long[::1] _places

    cdef void put(self, long long slot, long long time_ns) noexcept nogil
    cdef void drop(self, long long slot) noexcept nogil
    cdef long long due(self, long long time_ns) noexcept nogil
    cdef long long time_of(self, long long slot) noexcept nogil
    cdef void _rise(self, long long place) noexcept nogil
    cdef void _sink(self, long long place) noexcept nogil
    cdef bint _is_before(self, long long one, long long other) noexcept nogil
    cdef void _swap(self, long long one, long long other) noexcept nogil
    cdef void _set(self, long long place, long long time_ns, long long slot) noexcept nogil
