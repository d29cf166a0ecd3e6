cdef class SoupScanner:
    cdef readonly unsigned char[::1] octets
    cdef readonly long long[::1] packet_type
    cdef readonly long long[::1] payload_start
    cdef readonly long long[::1] payload_end
    cdef readonly long long consumed
    cdef readonly bint full
    cdef long long _most
    cdef long long _packets_max
