from portcullis.engine.amendments cimport Amendments
from portcullis.engine.book cimport Book
from portcullis.engine.day cimport DayRoll
from portcullis.engine.ids cimport IdTable
from portcullis.engine.keys cimport OrderKeys
from portcullis.engine.mass cimport MassCommands
from portcullis.engine.old_ids cimport OldIds
from portcullis.engine.orders cimport Orders
from portcullis.engine.reports cimport Reports
from portcullis.engine.status cimport StatusAnswers
from portcullis.engine.sweep cimport Sweep
from portcullis.journal.table cimport RowTable


cdef class Engine:
    cdef readonly Book book
    cdef readonly IdTable ids
    cdef readonly OldIds old_ids
    cdef readonly Reports reports
    cdef readonly Sweep sweep
    cdef readonly Orders orders
    cdef StatusAnswers _status
    cdef readonly Amendments amendments
    cdef readonly MassCommands mass
    cdef readonly DayRoll day_roll
    cdef readonly long long[::1] instruments
    cdef readonly long long cursor
    cdef readonly long long rows_ignored
    cdef long long _expire_row
    cdef RowTable _table
    cdef OrderKeys _keys
    cdef long long[::1] _words
    cdef long long[::1] _sessions

    cdef long long _run(self) noexcept nogil
    cdef void _apply(self, long long row, long long head) noexcept nogil
    cdef void _session_row(self, long long at, long long kind, long long session) noexcept nogil
    cdef bint _configure(self, long long row, long long kind) noexcept nogil
    cdef bint _expire(self) noexcept nogil
    cdef bint _configure_instrument(self, long long at, long long instrument) noexcept nogil
    cdef unsigned long long _mix(self, unsigned long long state, long long value) noexcept nogil
    cdef unsigned long long _hash_order(
        self, unsigned long long state, long long slot
    ) noexcept nogil
    cdef unsigned long long _hash_state(self) noexcept nogil
    cdef unsigned long long _hash_side(
        self, unsigned long long state, long long side
    ) noexcept nogil
    cdef unsigned long long _hash_ids(self) noexcept nogil
