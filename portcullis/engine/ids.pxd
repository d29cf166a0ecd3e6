from portcullis.journal.table cimport RowTable


cdef class IdTable:
    cdef readonly long long capacity
    cdef readonly long long used
    cdef readonly unsigned long long first
    cdef readonly unsigned long long second
    cdef long long _mask
    cdef unsigned long long _key_low
    cdef unsigned long long _key_high
    cdef unsigned long long[::1] _entries
    cdef unsigned long long[::1] _blocks

    cdef bint limit(self, long long capacity) noexcept nogil
    cdef void set_key(self, long long low, long long high) noexcept nogil
    cdef void hash_short(
        self, long long session, long long a, long long b, long long c, long long length
    ) noexcept nogil
    cdef void hash_text(
        self, long long session, RowTable table, long long owner, long long position,
        long long length
    ) noexcept nogil
    cdef void _hash_blocks(self, long long count) noexcept nogil
    cdef void recall(self, unsigned long long first, unsigned long long second) noexcept nogil
    cdef void fetch(self) noexcept nogil
    cdef long long find(self) noexcept nogil
    cdef long long put(self, long long missing, long long reference) noexcept nogil
    cdef long long reference(self, long long index) noexcept nogil
    cdef void refer(self, long long index, long long reference) noexcept nogil
    cdef long long current(self, long long index) noexcept nogil
    cdef void bury(self, long long index) noexcept nogil
    cdef void clear(self, long long last, long long count) noexcept nogil
    cdef long long size(self) noexcept nogil
    cdef unsigned long long key_word(self, long long index) noexcept nogil
