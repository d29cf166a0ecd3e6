from portcullis.gateway.catalog cimport Catalog
from portcullis.journal.table cimport RowTable

cdef enum:
    ID_WORDS_BYTES = 24
    ID_BYTES = 36


cdef class ReportMessages:
    cdef readonly unsigned char[::1] octets
    cdef readonly long long length
    cdef object _view
    cdef RowTable _table
    cdef long long[::1] _words
    cdef Catalog _catalog
    cdef unsigned char* _out
    cdef long long _capacity
    cdef bint _is_trades
    cdef long long _message_bytes
    cdef long long _frame
    cdef long long _frame_bytes
    cdef long long _session_low
    cdef long long _session_high

    cdef long long _pack(
        self, long long[::1] rows, long long begin, long long end, long long number,
        long long messages
    ) noexcept nogil
    cdef long long _encode(self, long long[::1] rows, long long begin, long long end) noexcept nogil
    cdef bint _put_report(self, long long to, long long report_row) noexcept nogil
    cdef bint _put_trade(self, long long to, long long report_row) noexcept nogil
    cdef long long _at(self, long long row) noexcept nogil
    cdef bint _has_row(self, long long row) noexcept nogil
    cdef long long _match(self, long long row, long long flags) noexcept nogil
    cdef long long _liquidity(self, long long flags) noexcept nogil
    cdef long long _limit(self, long long terms, long long instrument, bint in_shares) noexcept nogil
    cdef long long _head(self, long long to, long long block_length, long long template_id) noexcept nogil
    cdef void _u1(self, long long to, long long value) noexcept nogil
    cdef void _u4(self, long long to, long long value) noexcept nogil
    cdef void _u8(self, long long to, long long value) noexcept nogil
    cdef void _u8_big(self, long long to, long long value) noexcept nogil
    cdef void _name(self, long long to, long long[::1] words, long long number) noexcept nogil
    cdef void _symbol(self, long long to, long long instrument) noexcept nogil
    cdef void _id(self, long long to, long long at, long long row, long long word) noexcept nogil
