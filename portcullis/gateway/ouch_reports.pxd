from portcullis.codecs.ouch.encoder cimport OuchEncoder
from portcullis.gateway.catalog cimport Catalog
from portcullis.journal.table cimport RowTable


cdef class OuchReports:
    cdef readonly long long[::1] rows
    cdef RowTable _table
    cdef Catalog _catalog
    cdef OuchEncoder _out
    cdef long long[::1] _words
    cdef long long[::1] _reject_reasons
    cdef long long[::1] _cancel_reasons

    cdef long long _at(self, long long row) noexcept nogil
    cdef bint _has_order(self, long long row) noexcept nogil
    cdef void _put(self, long long row) noexcept nogil
    cdef void _put_opened(
        self, long long at, long long terms, long long order, long long time_ns, bint replaced
    ) noexcept nogil
    cdef void _put_loss(
        self, long long at, long long terms, long long order, long long time_ns
    ) noexcept nogil
    cdef long long _price(self, long long price, long long order) noexcept nogil
    cdef long long _shares(self, long long qty, long long order) noexcept nogil
    cdef long long _side(self, long long at) noexcept nogil
