from portcullis.engine.book cimport Book
from portcullis.engine.reports cimport Reports
from portcullis.engine.sweep cimport Sweep
from portcullis.journal.table cimport RowTable


cdef class MassCommands:
    cdef readonly long long row
    cdef public long long slice_left
    cdef readonly long long sent
    cdef readonly long long total
    cdef readonly long long waits
    cdef readonly long long[::1] waiting
    cdef RowTable _table
    cdef long long[::1] _words
    cdef Book _book
    cdef Sweep _sweep
    cdef Reports _reports
    cdef long long[::1] _slots
    cdef long long[::1] _sessions

    cdef void take(self, long long row) noexcept nogil
    cdef bint _is_busy(self, long long head) noexcept nogil
    cdef bint _is_status_of(self, long long head, long long session) noexcept nogil
    cdef long long _next_waiting(self) noexcept nogil
    cdef long long _account(self, long long at) noexcept nogil
    cdef void _refuse(self, long long row, long long head, long long why) noexcept nogil
    cdef bint _matches(self, long long slot, long long at) noexcept nogil
    cdef void _skip(self, long long at) noexcept nogil
    cdef void _begin(self, long long row) noexcept nogil
    cdef void _close_status(self, long long session) noexcept nogil
    cdef bint work(self) noexcept nogil
    cdef void _present(self, long long slot, long long at) noexcept nogil
    cdef bint settle(self) noexcept nogil
