cdef class Book:
    cdef readonly long long[::1] orders
    cdef readonly long long[::1] levels
    cdef readonly long long[::1] sides
    cdef readonly long long[::1] ladders
    cdef readonly long long[::1] accounts
    cdef readonly long long order_capacity
    cdef readonly long long level_capacity
    cdef readonly long long instrument_capacity
    cdef readonly long long account_capacity
    cdef readonly long long orders_live
    cdef readonly long long levels_live
    cdef long long _orders_max
    cdef long long _levels_max
    cdef long long _instruments_max
    cdef long long _arena_size
    cdef long long _arena_used
    cdef long long[::1] _free_blocks
    cdef long long _free_slot
    cdef long long _slots_used
    cdef long long _free_level
    cdef long long _levels_used

    cdef bint limit(self, long long what, long long capacity) noexcept nogil
    cdef long long take_slot(self) noexcept nogil
    cdef void free_slot(self, long long slot) noexcept nogil
    cdef void enlist(self, long long slot) noexcept nogil
    cdef void delist(self, long long slot) noexcept nogil
    cdef long long _search(self, long long side, long long key) noexcept nogil
    cdef long long _level_at(self, long long side, long long key) noexcept nogil
    cdef void _give_block(self, long long base, long long room) noexcept nogil
    cdef bint _grow(self, long long side) noexcept nogil
    cdef bint has_room(self, long long side, long long price) noexcept nogil
    cdef long long _open_level(self, long long side, long long entry, long long key) noexcept nogil
    cdef void _close_level(self, long long side, long long key, long long level) noexcept nogil
    cdef long long side_of(self, long long slot) noexcept nogil
    cdef void add(self, long long slot) noexcept nogil
    cdef long long lift(self, long long slot) noexcept nogil
    cdef void remove(self, long long slot) noexcept nogil
    cdef void reduce(self, long long slot, long long qty) noexcept nogil
    cdef long long best(self, long long side) noexcept nogil
    cdef bint available(
        self, long long side, long long key_min, long long wanted, long long account, bint skip_own
    ) noexcept nogil
