cdef class FixDoor:
    cdef readonly long long session
    cdef readonly long long default_account
    cdef readonly long long[::1] accounts
    cdef readonly long long account_count
    cdef readonly long long timestamp_digits
    cdef readonly long long stale_after_ns
    cdef readonly bint missing_by_reject
    cdef readonly bint manages_account
    cdef public long long last_processed
    cdef readonly bint resends_rejects
    cdef readonly bytes begin_string
    # The fields 49 and 56 as they go out.
    cdef unsigned char* octets
    cdef long long sender_size
    cdef long long target_size
    cdef unsigned char[::1] _octets

    cdef bint allows(self, long long account) noexcept nogil
