from portcullis.engine.book cimport Book
from portcullis.journal.table cimport RowTable


cdef class Reports:
    cdef readonly long long[::1] sessions
    cdef readonly long long session_capacity
    cdef public bint is_closing
    cdef readonly long long[::1] unsaid
    cdef public long long unsaid_count
    cdef readonly unsigned char[::1] said_whole
    cdef unsigned char[::1] _silent_in_ouch
    cdef RowTable _table
    cdef long long[::1] _words
    cdef long long[::1] _orders

    cdef long long open(
        self, long long kind, long long flags, long long session, long long cause,
        long long exec_type, long long why
    ) noexcept nogil
    cdef bint is_ouch(self, long long session) noexcept nogil
    cdef bint has_day(self, long long session) noexcept nogil
    cdef void begin_day(self, long long session, long long cause, long long day) noexcept nogil
    cdef void end_day(self, long long session, long long cause) noexcept nogil
    cdef void _day_event(self, long long session, long long cause, long long event) noexcept nogil
    cdef long long live(
        self, long long kind, long long flags, long long session, long long cause, long long slot,
        long long exec_type, long long ord_status, long long reason, long long why
    ) noexcept nogil
    cdef long long past(
        self, long long kind, long long flags, long long session, long long cause,
        long long final_row, long long exec_type, long long reason, long long why
    ) noexcept nogil
    cdef long long none(
        self, long long kind, long long flags, long long session, long long cause,
        long long exec_type, long long ord_status, long long reason, long long why
    ) noexcept nogil
    cdef void put_last(self, long long offset, long long price, long long qty) noexcept nogil
    cdef long long text_flag(self, long long row) noexcept nogil
    cdef long long row_at(self, long long offset) noexcept nogil
