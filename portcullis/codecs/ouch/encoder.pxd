cdef class OuchEncoder:
    cdef readonly unsigned char[::1] octets
    cdef unsigned char* _out
    cdef readonly long long length
    cdef long long _capacity

    cpdef int reserve(self, long long needed) except? -1
    cdef long long _open(self, long long message_type, long long size, long long timestamp) noexcept nogil
    cpdef void put_system_event(self, long long timestamp, long long event_code) noexcept nogil
    cpdef void put_accepted(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long side, long long shares, long long stock, long long price,
        long long time_in_force, long long firm, long long display, long long reference,
        long long capacity, long long sweep, long long minimum, long long state
    ) noexcept nogil
    cpdef void put_replaced(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long old_low, long long old_high, long long old_length,
        long long side, long long shares, long long stock, long long price,
        long long time_in_force, long long firm, long long display, long long reference,
        long long capacity, long long sweep, long long minimum, long long state
    ) noexcept nogil
    cpdef void put_canceled(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long decrement, long long reason
    ) noexcept nogil
    cpdef void put_aiq_canceled(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long decrement, long long prevented, long long price, long long liquidity
    ) noexcept nogil
    cpdef void put_executed(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long shares, long long price, long long liquidity, long long match_number
    ) noexcept nogil
    cpdef void put_broken_trade(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long match_number, long long reason
    ) noexcept nogil
    cpdef void put_rejected(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long reason
    ) noexcept nogil
    cpdef void put_cancel_pending(
        self, long long timestamp, long long low, long long high, long long token_length
    ) noexcept nogil
    cpdef void put_cancel_reject(
        self, long long timestamp, long long low, long long high, long long token_length
    ) noexcept nogil
    cpdef void put_order_priority_update(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long price, long long display, long long reference
    ) noexcept nogil
    cpdef void put_order_modified(
        self, long long timestamp, long long low, long long high, long long token_length,
        long long side, long long shares
    ) noexcept nogil
