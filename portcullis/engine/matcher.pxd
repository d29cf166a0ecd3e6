from portcullis.engine.book cimport Book
from portcullis.engine.ids cimport IdTable
from portcullis.engine.orders cimport Orders
from portcullis.engine.reports cimport Reports
from portcullis.journal.table cimport RowTable


cdef class Engine:
    cdef readonly Book book
    cdef readonly IdTable ids
    cdef readonly Reports reports
    cdef readonly Orders orders
    cdef readonly long long[::1] instruments
    cdef readonly long long cursor
    cdef RowTable _table
    cdef long long[::1] _words
    cdef long long[::1] _slots
    cdef long long[::1] _sessions
    cdef long long _mass_row
    cdef long long _mass_sent
    cdef long long _mass_total
    cdef long long[::1] _mass_waiting
    cdef long long _mass_waits
    cdef long long _slice_left

    cdef long long _run(self) noexcept nogil
    cdef void _apply(self, long long row, long long head) noexcept nogil
    cdef void _send(self, long long row, long long head, long long session) noexcept nogil
    cdef void _session_row(self, long long at, long long kind, long long session) noexcept nogil
    cdef bint _configure(self, long long at, long long kind) noexcept nogil
    cdef bint _configure_instrument(self, long long at, long long instrument) noexcept nogil
    cdef void _mass_take(self, long long row) noexcept nogil
    cdef long long _mass_account(self, long long at) noexcept nogil
    cdef void _mass_refuse(self, long long row, long long head, long long why) noexcept nogil
    cdef bint _mass_matches(self, long long slot, long long at) noexcept nogil
    cdef void _mass_skip(self, long long at) noexcept nogil
    cdef void _mass_begin(self, long long row) noexcept nogil
    cdef void _mass_close_status(self, long long session) noexcept nogil
    cdef bint _mass_work(self) noexcept nogil
    cdef void _mass_present(self, long long slot, long long at) noexcept nogil
    cdef bint _mass_settle(self) noexcept nogil
    cdef unsigned long long _mix(self, unsigned long long state, long long value) noexcept nogil
    cdef unsigned long long _hash_order(
        self, unsigned long long state, long long slot
    ) noexcept nogil
    cdef unsigned long long _hash_state(self) noexcept nogil
    cdef unsigned long long _hash_side(
        self, unsigned long long state, long long side
    ) noexcept nogil
    cdef unsigned long long _hash_ids(self) noexcept nogil
