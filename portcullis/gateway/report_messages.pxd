from portcullis.codecs.fix.writer cimport FixWriter
from portcullis.gateway.catalog cimport Catalog
from portcullis.gateway.report_bodies cimport ReportBodies
from portcullis.journal.table cimport RowTable

cdef enum:
    ID_WORDS_BYTES = 24
    ID_BYTES = 36
    MESSAGE_BYTES_MAX = 1 << 16


cdef class ReportMessages:
    cdef RowTable _table
    cdef long long[::1] _row_words
    cdef long long* _words
    cdef Catalog _catalog
    cdef FixWriter _rest
    cdef ReportBodies _bodies
    cdef long long _batch_first
    cdef long long _batch_last
    cdef long long _batch_sealed_ns
    cdef object _view
    cdef unsigned char[::1] _octets
    cdef unsigned char* _out

    cdef long long put(
        self, unsigned char* out, long long at, long long content, long long row
    ) noexcept nogil
    cdef long long _put_report(
        self, unsigned char* out, long long at, long long report_row
    ) noexcept nogil
    cdef long long _put_trade(
        self, unsigned char* out, long long at, long long report_row
    ) noexcept nogil
    cdef long long _put_data(
        self, unsigned char* out, long long at, long long row, long long cause
    ) noexcept nogil
    cdef long long _rest_end(self, long long place) noexcept nogil
    cdef void _put_head(
        self, unsigned char* out, long long at, long long block_length, long long template_id
    ) noexcept nogil
    cdef void _put_id(
        self,
        unsigned char* out,
        long long at,
        long long* words,
        long long place,
        long long length,
    ) noexcept nogil
    cdef void _put_long_id(
        self, unsigned char* out, long long at, long long row, long long code
    ) noexcept nogil
    cdef long long _at(self, long long row) noexcept nogil
    cdef long long* _row(self, long long row) noexcept nogil
    cdef bint _has_row(self, long long row) noexcept nogil
    cdef long long _sealed_ns(self, long long row) noexcept nogil
    cdef void _find_batch(self, long long row) noexcept nogil
    cdef void _put_name(
        self,
        unsigned char* out,
        long long at,
        long long[::1] words,
        long long number,
        long long count,
    ) noexcept nogil
    cdef long long _limit(self, long long* terms, long long instrument, bint in_shares) noexcept nogil
