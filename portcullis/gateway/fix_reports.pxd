from portcullis.gateway.catalog cimport Catalog, NameTable
from portcullis.gateway.fix_door cimport FixDoor
from portcullis.journal.table cimport RowTable

cdef enum:
    NO_TAG = 1 << 30
    DAY_NS = 86400000000000
    SECOND_NS = 1000000000
    ID_MASK = 0x7FFFFFFF
    MESSAGE_BYTES = 2048


cdef class FixReports:
    cdef readonly long long[::1] rows
    cdef readonly long long size
    cdef readonly long long next_seq
    cdef RowTable _table
    cdef long long[::1] _words
    cdef Catalog _catalog
    cdef unsigned char* _source
    cdef unsigned char[::1] _buffer
    cdef unsigned char* _out
    cdef long long _capacity
    cdef unsigned char[::1] _carried_buffer
    cdef unsigned char* _carried
    cdef long long _carried_at
    cdef long long _carried_end
    cdef long long _carried_tag
    cdef long long _day
    cdef unsigned char[::1] _date_octets
    cdef unsigned char* _date
    cdef unsigned char[::1] _text_octets
    cdef unsigned char* _text
    cdef long long[::1] _text_start

    cdef long long _find(self, long long row) except? -1
    cdef long long _text_bytes(self, long long at) noexcept nogil
    cdef long long _text_rows(self, long long row) noexcept nogil
    cdef long long _content(self, long long at) noexcept nogil
    cdef bint _is_admin(self, long long at) noexcept nogil
    cdef long long _open(self, FixDoor door) noexcept nogil
    cdef long long _put_comp_ids(self, FixDoor door, long long at, long long seq, long long time_ns, bint poss_dup) noexcept nogil
    cdef void _close(self, FixDoor door, long long at) noexcept nogil
    cdef void _put_gap_fill(self, FixDoor door, long long seq, long long new_seq, long long now_ns, long long sent_ns) noexcept nogil
    cdef void _put_message(self, FixDoor door, long long at_row, long long seq, long long time_ns, long long now_ns) noexcept nogil
    cdef long long _put_report(self, long long at, long long row, long long cause) noexcept nogil
    cdef long long _put_cancel_reject(self, long long at, long long row, long long cause) noexcept nogil
    cdef long long _put_mass_cancel_report(self, long long at, long long row, long long cause) noexcept nogil
    cdef long long _tag(self, long long at, long long tag) noexcept nogil
    cdef long long _put_char(self, long long at, long long code) noexcept nogil
    cdef long long _put_msg_type(self, long long at, long long packed) noexcept nogil
    cdef long long _put_order_id(self, long long at, long long row) noexcept nogil
    cdef long long _put_name(self, long long at, long long tag, NameTable names, long long number) noexcept nogil
    cdef long long _put_account(self, long long at, long long row, long long terms) noexcept nogil
    cdef long long _put_side_and_symbol(self, long long at, long long terms_row, long long side, long long instrument) noexcept nogil
    cdef long long _put_id(self, long long at, long long offset, long long row, long long tag) noexcept nogil
    cdef long long _put_text(self, long long at, long long row) noexcept nogil
    cdef long long _put_transact_time(self, long long at, long long terms, long long terms_row) noexcept nogil
    cdef long long _put_timestamp(self, long long at, long long time_ns, long long digits) noexcept nogil
    cdef void _write_date(self, long long day) noexcept nogil
    cdef long long _put_item(self, long long at, long long row, long long code) noexcept nogil
    cdef void _load(self, long long row, long long code) noexcept nogil
    cdef void _read_carried_tag(self) noexcept nogil
    cdef long long _flush(self, long long at, long long tag) noexcept nogil
