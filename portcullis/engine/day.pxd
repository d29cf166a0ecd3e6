from portcullis.engine.book cimport Book
from portcullis.engine.old_ids cimport OldIds
from portcullis.engine.reports cimport Reports
from portcullis.engine.sweep cimport Sweep
from portcullis.journal.table cimport RowTable


cdef class DayRoll:
    cdef readonly long long day
    cdef readonly long long row
    cdef readonly long long account
    cdef readonly long long session
    cdef readonly long long session_row
    cdef public long long slice_left
    cdef RowTable _table
    cdef long long[::1] _words
    cdef Book _book
    cdef OldIds _old_ids
    cdef Sweep _sweep
    cdef Reports _reports
    cdef long long[::1] _slots
    cdef long long _restatement

    cdef bint take(self, long long row) noexcept nogil
    cdef void _skip(self) noexcept nogil
    cdef bint _expires(self, long long order) noexcept nogil
    cdef bint _is_restated(self, long long order) noexcept nogil
    cdef void _restate(self, long long slot) noexcept nogil
    cdef bint work(self) noexcept nogil
    cdef bint _roll_sessions(self) noexcept nogil
    cdef bint is_busy(self) noexcept nogil
    cdef void settle(self) noexcept nogil
