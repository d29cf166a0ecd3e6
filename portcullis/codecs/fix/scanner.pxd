from portcullis.codecs.fix.frames cimport FixFrames
from portcullis.codecs.fix.shapes cimport FixShapes

cdef class FixScanner(FixFrames):
    cdef readonly int[::1] tag
    cdef readonly int[::1] value_start
    cdef readonly int[::1] value_end
    cdef readonly long long[::1] message
    cdef readonly long long count
    cdef readonly long long consumed
    cdef readonly bint full
    cdef readonly object tables
    cdef long long _field_capacity
    cdef long long _message_capacity
    cdef const long long[::1] _tag_info
    cdef long long _tag_count
    cdef long long _slot_count
    cdef const long long[::1] _length_pair
    cdef const long long[::1] _members
    cdef const long long[::1] _type_table
    cdef long long _type_places
    cdef const long long[::1] _enum_bits
    cdef const long long[::1] _enum_table
    cdef long long _enum_places
    cdef const unsigned char[::1] _enum_octets
    cdef const unsigned char[::1] _begin_string
    cdef long long _begin_string_length
    cdef const unsigned char[::1] _prefix
    cdef long long _prefix_length
    cdef long long _switches
    cdef long long[::1] _section_base
    cdef long long[::1] _section_seen
    cdef long long _begin_string_slot
    cdef long long _body_length_slot
    cdef long long _msg_type_slot
    cdef long long _check_sum_slot
    cdef long long _frame_seen
    cdef long long _trailer_seen
    cdef long long[::1] _stamps
    cdef long long _next_stamp
    cdef long long[::1] _levels
    cdef long long _reason
    cdef long long _reason_tag
    cdef long long _reason_field
    cdef long long _section
    cdef long long _level
    cdef long long _base
    cdef long long _seen
    cdef long long _stamp
    cdef long long _position
    cdef long long _group_count
    cdef long long _group_entries
    cdef long long _group_tag
    cdef long long _group_field
    cdef long long _data_length
    cdef long long _tag
    cdef unsigned long long _minute_first
    cdef unsigned long long _minute_last
    cdef long long _minute_ns
    cdef FixShapes _shapes
    cdef bint _is_common

    cpdef long long scan(self, long long start, long long end) except -1
    cdef long long _scan(self, long long start, long long end) noexcept nogil
    cdef bint _find_plain_frame(self, long long start, long long end) noexcept nogil
    cdef void _put_unread(
        self, long long count, int status, long long start, long long field
    ) noexcept nogil
    cdef int _read_message(
        self, long long count, long long start, long long first, bint is_plain
    ) noexcept nogil
    cdef long long _read_known(self, long long m, long long start, long long first) noexcept nogil
    cdef void _learn_shape(self, long long m, long long first, long long behind) noexcept nogil
    cdef long long _open_message(
        self, long long m, long long start, long long first, bint is_plain
    ) noexcept nogil
    cdef void _open_validation(
        self, long long m, long long type_field, long long type_length
    ) noexcept nogil
    cdef long long _find_type(self, long long packed, long long start) noexcept nogil
    cdef long long _split(
        self, long long m, long long position, long long end, long long first
    ) noexcept nogil
    cdef long long _read_odd_tag(self, long long start, long long field) noexcept nogil
    cdef long long _time_at(
        self, unsigned char* octets, long long start, long long end
    ) noexcept nogil
    cdef long long _end_of_data(
        self, long long field, long long tag, long long data_tag, long long end
    ) noexcept nogil
    cdef void _fault(self, long long reason, long long tag, long long field) noexcept nogil
    cdef long long _check(self, long long m, long long field, long long tag) noexcept nogil
    cdef long long _announced(self, long long slot, long long field) noexcept nogil
    cdef void _read_header(self, long long m, long long field, long long tag) noexcept nogil
    cdef void _check_unknown(self, long long tag, long long field) noexcept nogil
    cdef void _check_known(
        self, long long field, long long tag, long long slot, long long kind, long long section, long long enum
    ) noexcept nogil
    cdef void _check_data(self, long long field, long long tag, long long slot) noexcept nogil
    cdef bint _digit_at(self, long long position) noexcept nogil
    cdef bint _enter_section(
        self, long long section, long long tag, long long field
    ) noexcept nogil
    cdef long long _find_place(self, long long field, long long tag, long long slot) noexcept nogil
    cdef bint _check_member(
        self, long long field, long long tag, long long slot, long long word
    ) noexcept nogil
    cdef void _open_group(self, long long field, long long tag, long long group) noexcept nogil
    cdef bint _close_group(self) noexcept nogil
    cdef bint _check_required(self, long long base) noexcept nogil
    cdef void _close_message(self, long long m, long long field) noexcept nogil
    cdef bint _in_enumeration(
        self, long long enum, long long kind, long long start, long long end
    ) noexcept nogil
    cdef bint _is_enumerated(self, long long enum, long long start, long long end) noexcept nogil
