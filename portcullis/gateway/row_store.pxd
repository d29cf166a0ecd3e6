from portcullis.gateway.fix_door cimport FixDoor
from portcullis.gateway.fix_reports cimport FixReports
from portcullis.gateway.turn cimport Turn
from portcullis.journal.index cimport SessionIndex
from portcullis.journal.table cimport RowTable


cdef class RowStore:
    cdef readonly long long session
    cdef readonly long long last_sent_ns
    cdef public object wire
    cdef public bint stopped
    cdef readonly bint attached
    cdef readonly long long sends
    cdef readonly long long next_unsent
    cdef Turn _turn
    cdef RowTable _table
    cdef SessionIndex _index
    cdef FixReports _reports
    cdef FixDoor _door
    cdef long long[::1] _rows
    cdef long long _budget_bytes
    cdef long long _again
    cdef long long _again_last
    cdef long long _opening
    cdef long long _closing
    cdef long long _reset_row
    cdef long long _unsynced_row
    cdef object _unsent
    cdef Py_ssize_t _unsent_at
    cdef readonly long long reset_asked_ns
    cdef long long _first_in_doubt
    cdef long long _in_doubt_max
    cdef long long _mark_seq

    cdef bytes _next_bytes(self, long long budget)
    cdef bytes _next_again(self, long long budget)
    cdef long long _sendable(self, long long count)
    cdef long long _number(self, long long row)
    cdef long long _reached(self)
    cdef bint _is_closed(self) noexcept
    cdef void _mark(self)
