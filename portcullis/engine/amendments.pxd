from portcullis.engine.ids cimport IdTable
from portcullis.engine.keys cimport OrderKeys
from portcullis.engine.reports cimport Reports
from portcullis.engine.sweep cimport Sweep
from portcullis.journal.table cimport RowTable


cdef class Amendments:
    cdef readonly long long ignored
    cdef RowTable _table
    cdef long long[::1] _words
    cdef long long[::1] _orders
    cdef OrderKeys _keys
    cdef Sweep _sweep
    cdef IdTable _ids
    cdef Reports _reports
    cdef long long[::1] _instruments

    cdef void apply(self, long long row) noexcept nogil
    cpdef long long standing(
        self, long long fill_row, long long total, long long new_qty, long long new_price
    ) noexcept nogil
    cpdef long long qty_most(self, long long fill_row) noexcept nogil
    cdef long long _reference(self, long long fill_row) noexcept nogil
    cdef long long _amended_sum(
        self, long long qty, long long price, long long cum, long long total, long long new_qty,
        long long new_price
    ) noexcept nogil
    cdef long long _live_sum(
        self, long long slot, long long qty, long long price, long long new_qty, long long
        new_price
    ) noexcept nogil
    cdef long long _past_sum(
        self, long long final_row, long long qty, long long price, long long total, long long
        new_qty, long long new_price
    ) noexcept nogil
    cdef long long _past_instrument(self, long long final) noexcept nogil
    cdef long long _amend_live(
        self, long long row, long long at, long long slot, long long new_qty, long long
        new_price
    ) noexcept nogil
    cdef long long _amend_past(
        self, long long row, long long at, long long final_row, long long new_qty, long long
        new_price
    ) noexcept nogil
