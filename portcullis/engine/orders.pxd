from portcullis.engine.book cimport Book
from portcullis.engine.ids cimport IdTable
from portcullis.engine.reports cimport Reports
from portcullis.journal.table cimport RowTable


cdef class Orders:
    cdef public long long sweep_slot
    cdef public long long mass_slot
    cdef public long long ignored
    cdef readonly long long sweep_cause
    cdef readonly long long sweep_why
    cdef RowTable _table
    cdef long long[::1] _words
    cdef Book _book
    cdef long long[::1] _orders
    cdef long long[::1] _accounts
    cdef IdTable _ids
    cdef Reports _reports
    cdef long long[::1] _instruments
    cdef long long[::1] _ord_reasons
    cdef long long[::1] _cxl_reasons
    cdef long long[::1] _restatements
    cdef long long _target_slot
    cdef long long _target_final

    cdef void _hash_id(self, long long row, long long at, long long session) noexcept nogil
    cdef void _hash_original(self, long long row, long long at, long long session) noexcept nogil
    cdef void _hash_item(self, long long row, long long session, long long item) noexcept nogil
    cdef long long _number_item(self, long long row, long long item) noexcept nogil
    cdef long long _owner_session(
        self, long long row, long long flags, long long session
    ) noexcept nogil
    cdef long long _current(self, long long index) noexcept nogil
    cdef long long _live_status(self, long long slot) noexcept nogil
    cdef long long _text_flag(self, long long row) noexcept nogil
    cdef long long _average(self, long long total, long long cum, long long scale) noexcept nogil
    cdef void _book_fill(
        self, long long order, long long scale, long long price, long long qty
    ) noexcept nogil
    cdef void close(self, long long slot, long long offset) noexcept nogil
    cdef void cancel_unasked(self, long long slot, long long cause, long long why) noexcept nogil
    cdef void _withdraw(self, long long slot) noexcept nogil
    cdef void new_order(self, long long row) noexcept nogil
    cdef long long _check_new(self, long long at, long long flags) noexcept nogil
    cdef long long _check_terms(self, long long at, long long instrument) noexcept nogil
    cdef bint _rests(self, long long terms) noexcept nogil
    cdef void _refuse(
        self, long long row, long long at, long long session, long long flags, long long found, long long why
    ) noexcept nogil
    cdef void _answer_seen(
        self, long long row, long long session, long long flags, long long found
    ) noexcept nogil
    cdef void _enter(self, long long slot, long long cause) noexcept nogil
    cdef long long _key_limit(self, long long slot) noexcept nogil
    cdef bint _fillable(self, long long slot) noexcept nogil
    cdef bint sweep(self) noexcept nogil
    cdef void _trade(self, long long slot, long long passive) noexcept nogil
    cdef void _prevent(self, long long slot, long long passive, long long mode) noexcept nogil
    cdef void _decrement(self, long long slot, long long qty, long long cause) noexcept nogil
    cdef long long _find_target(
        self, long long row, long long at, long long session
    ) noexcept nogil
    cdef void _reject_change(
        self, long long row, long long session, long long flags, long long why
    ) noexcept nogil
    cdef long long _answer_change(
        self, long long row, long long session, long long slot, long long exec_type, long long ord_status
    ) noexcept nogil
    cdef void cancel(self, long long row) noexcept nogil
    cdef void replace(self, long long row) noexcept nogil
    cdef long long _check_replacement(self, long long at, long long slot) noexcept nogil
    cdef bint _keeps_place(self, long long at, long long slot) noexcept nogil
    cdef void _present(
        self, long long found, long long session, long long row, long long flags
    ) noexcept nogil
    cdef void status(self, long long row) noexcept nogil
    cdef long long _find_by_row(self, long long brought, long long session) noexcept nogil
    cdef long long _order_row(self, long long found) noexcept nogil
    cdef void amend_fill(self, long long row) noexcept nogil
    cdef long long _amended_sum(
        self, long long at, long long cum, long long total, long long new_qty, long long new_price
    ) noexcept nogil
    cdef long long _amend_live(
        self, long long row, long long at, long long slot, long long new_qty, long long new_price
    ) noexcept nogil
    cdef long long _amend_past(
        self, long long row, long long at, long long final_row, long long new_qty, long long new_price
    ) noexcept nogil
