from portcullis.engine.book cimport Book
from portcullis.engine.ids cimport IdTable
from portcullis.engine.keys cimport OrderKeys
from portcullis.engine.reports cimport Reports
from portcullis.engine.status cimport StatusAnswers
from portcullis.engine.sweep cimport Sweep
from portcullis.journal.table cimport RowTable


cdef class Orders:
    cdef RowTable _table
    cdef long long[::1] _words
    cdef Book _book
    cdef long long[::1] _orders
    cdef OrderKeys _keys
    cdef Sweep _sweep
    cdef IdTable _ids
    cdef Reports _reports
    cdef long long[::1] _instruments
    cdef StatusAnswers _status
    cdef long long[::1] _ord_reasons
    cdef long long _managed_restatement
    cdef long long[::1] _cxl_reasons
    cdef long long _target_slot
    cdef long long _target_final

    cdef void new_order(self, long long row) noexcept nogil
    cdef long long _check_new(self, long long at, long long flags) noexcept nogil
    cdef long long _check_terms(
        self, long long terms, long long qty, long long price, long long instrument
    ) noexcept nogil
    cdef void _set_expiry(self, long long slot, long long at) noexcept nogil
    cdef long long _size(self, long long at, long long slot) noexcept nogil
    cdef void _shrink(
        self, long long row, long long at, long long session, long long slot
    ) noexcept nogil
    cdef void modify(self, long long row) noexcept nogil
    cdef long long _check_side(self, long long slot, long long side) noexcept nogil
    cdef void _replace_shares(self, long long row) noexcept nogil
    cdef void _refuse(
        self, long long row, long long at, long long session, long long flags, long long found,
        long long why
    ) noexcept nogil
    cdef void _answer_seen(
        self, long long row, long long session, long long flags, long long found
    ) noexcept nogil
    cdef long long _find_target(
        self, long long row, long long at, long long session
    ) noexcept nogil
    cdef void _reject_change(
        self, long long row, long long session, long long flags, long long why
    ) noexcept nogil
    cdef long long _answer_change(
        self, long long row, long long session, long long slot, long long exec_type, long long
        ord_status
    ) noexcept nogil
    cdef void cancel(self, long long row) noexcept nogil
    cdef void replace(self, long long row) noexcept nogil
    cdef long long _check_replacement(self, long long at, long long slot) noexcept nogil
    cdef bint _keeps_place(self, long long at, long long slot) noexcept nogil
