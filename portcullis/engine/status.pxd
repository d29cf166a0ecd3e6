from portcullis.engine.ids cimport IdTable
from portcullis.engine.keys cimport OrderKeys
from portcullis.engine.reports cimport Reports
from portcullis.engine.sweep cimport Sweep
from portcullis.journal.table cimport RowTable


cdef class StatusAnswers:
    cdef RowTable _table
    cdef long long[::1] _words
    cdef long long[::1] _orders
    cdef OrderKeys _keys
    cdef Sweep _sweep
    cdef IdTable _ids
    cdef Reports _reports
    cdef long long _unknown_reason

    cdef void present(
        self, long long found, long long session, long long row, long long flags
    ) noexcept nogil
    cdef void answer(self, long long row) noexcept nogil
    cdef long long _find_by_row(self, long long brought, long long session) noexcept nogil
    cdef long long _order_row(self, long long found) noexcept nogil
