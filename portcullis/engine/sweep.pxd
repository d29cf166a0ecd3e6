from portcullis.engine.book cimport Book
from portcullis.engine.expiries cimport Expiries
from portcullis.engine.ids cimport IdTable
from portcullis.engine.reports cimport Reports
from portcullis.journal.table cimport RowTable


cdef class Sweep:
    cdef public long long mass_slot
    cdef public long long day_slot
    cdef readonly long long slot
    cdef readonly long long cause
    cdef readonly long long why
    cdef readonly Expiries expiries
    cdef RowTable _table
    cdef Book _book
    cdef long long[::1] _orders
    cdef long long[::1] _accounts
    cdef IdTable _ids
    cdef Reports _reports
    cdef long long[::1] _instruments
    cdef long long[::1] _restatements

    cdef long long status(self, long long slot) noexcept nogil
    cdef bint rests(self, long long terms) noexcept nogil
    cdef long long average(self, long long total, long long cum, long long scale) noexcept nogil
    cdef void _book_fill(
        self, long long order, long long scale, long long price, long long qty
    ) noexcept nogil
    cdef void close(self, long long slot, long long offset) noexcept nogil
    cdef long long cancel_unasked(
        self, long long slot, long long cause, long long why
    ) noexcept nogil
    cdef void withdraw(self, long long slot) noexcept nogil
    cdef void enter(self, long long slot, long long cause) noexcept nogil
    cdef long long _key_limit(self, long long slot) noexcept nogil
    cdef bint _fillable(self, long long slot) noexcept nogil
    cdef bint go_on(self) noexcept nogil
    cdef void _trade(self, long long slot, long long passive) noexcept nogil
    cdef void _prevent(self, long long slot, long long passive, long long mode) noexcept nogil
    cdef long long _decrement(self, long long slot, long long qty, long long cause) noexcept nogil
