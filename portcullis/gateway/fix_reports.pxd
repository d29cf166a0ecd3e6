from portcullis.codecs.fix.writer cimport FixWriter
from portcullis.gateway.carried_fields cimport CarriedFields
from portcullis.gateway.fix_door cimport FixDoor
from portcullis.gateway.report_bodies cimport ReportBodies
from portcullis.journal.table cimport RowTable

cdef enum:
    MESSAGE_BYTES = 4096
    TAIL_BYTES = 640


cdef class FixReports:
    cdef readonly long long[::1] rows
    cdef readonly long long next_seq
    cdef RowTable _table
    cdef long long[::1] _words
    cdef FixWriter _writer
    cdef CarriedFields _carried
    cdef ReportBodies _bodies
    cdef bytes _begin_string
    # 49, 52 and 56 of the last message, and the time they tell; -1: none yet.
    cdef unsigned char[::1] _tail_octets
    cdef unsigned char* _tail
    cdef long long _tail_size
    cdef long long _tail_time_ns

    cpdef bytes take(self)
    cpdef long long encode(
        self, FixDoor door, long long first, long long count, long long byte_budget
    ) except? -1
    cdef long long _find(self, long long row) except? -1
    cdef long long _at(self, long long row) noexcept nogil
    cdef bint _has_row(self, long long row) noexcept nogil
    cdef long long _text_bytes(self, long long at) noexcept nogil
    cdef long long _text_rows(self, long long row) noexcept nogil
    cdef long long _content(self, long long at) noexcept nogil
    cdef bint _is_filled(self, FixDoor door, long long at) noexcept nogil
    cdef void _put_comp_ids_and_time(self, FixWriter writer, FixDoor door, long long time_ns) noexcept nogil
    cdef void _put_gap_fill(self, FixWriter writer, FixDoor door, long long seq, long long new_seq, long long now_ns, long long sent_ns) noexcept nogil
    cdef void _put_message(self, FixWriter writer, FixDoor door, long long at_row, long long seq, long long time_ns, long long now_ns) noexcept nogil
