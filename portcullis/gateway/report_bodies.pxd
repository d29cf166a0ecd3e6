from portcullis.codecs.fix.writer cimport FixWriter
from portcullis.gateway.carried_fields cimport CarriedFields
from portcullis.gateway.catalog cimport Catalog, NameTable
from portcullis.journal.table cimport RowTable

cdef enum:
    ID_MASK = 0x7FFFFFFF


cdef class ReportBodies:
    cdef RowTable _table
    cdef long long[::1] _words
    cdef Catalog _catalog
    cdef CarriedFields _carried
    cdef unsigned char* _source
    cdef unsigned char[::1] _text_octets
    cdef unsigned char* _text
    cdef long long[::1] _text_start
    cdef unsigned char[::1] _none_octets
    cdef unsigned char* _none

    cdef long long _at(self, long long row) noexcept nogil
    cdef void put_report(self, FixWriter writer, long long row, long long cause) noexcept nogil
    cdef void put_rest(self, FixWriter writer, long long row, long long cause) noexcept nogil
    cdef long long _terms_row(self, long long row, long long cause) noexcept nogil
    cdef bint _echoes(self, long long row, long long cause) noexcept nogil
    cdef void put_cancel_reject(self, FixWriter writer, long long row, long long cause) noexcept nogil
    cdef void put_mass_cancel_report(self, FixWriter writer, long long row, long long cause) noexcept nogil
    cdef long long _put_order_id(self, unsigned char* out, long long at, long long row) noexcept nogil
    cdef long long _put_name(
        self, unsigned char* out, long long at, unsigned int tag, NameTable names, long long number
    ) noexcept nogil
    cdef long long _put_account(
        self, unsigned char* out, long long at, long long row, long long terms
    ) noexcept nogil
    cdef long long _put_side_and_symbol(
        self,
        unsigned char* out,
        long long at,
        long long terms_row,
        long long side,
        long long instrument,
    ) noexcept nogil
    cdef long long _put_id(
        self, FixWriter writer, long long at, long long offset, long long row, unsigned int tag
    ) noexcept nogil
    cdef long long _put_text(self, FixWriter writer, long long at, long long row) noexcept nogil
    cdef long long _put_transact_time(
        self, FixWriter writer, long long at, long long terms, long long terms_row
    ) noexcept nogil
