from portcullis.engine.ids cimport IdTable
from portcullis.engine.old_ids cimport OldIds
from portcullis.journal.table cimport RowTable


cdef class OrderKeys:
    cdef RowTable _table
    cdef long long[::1] _words
    cdef IdTable _ids
    cdef OldIds _old_ids
    cdef long long _session_capacity
    cdef unsigned long long[::1] _ahead

    cdef long long look_ahead(self, long long row, long long end) noexcept nogil
    cdef void _remember(self, long long row, long long offset) noexcept nogil
    cdef bint _recalls(self, long long row, long long offset) noexcept nogil
    cdef void hash_id(self, long long row, long long at, long long session) noexcept nogil
    cdef void hash_original(self, long long row, long long at, long long session) noexcept nogil
    cdef void _hash_item(self, long long row, long long session, long long item) noexcept nogil
    cdef long long number_item(self, long long row, long long item) noexcept nogil
    cdef long long owner_session(
        self, long long row, long long flags, long long session
    ) noexcept nogil
    cdef long long find(self) noexcept nogil
