from portcullis.codecs.ouch.decoder cimport OuchDecoder
from portcullis.codecs.soupbintcp.scanner cimport SoupScanner
from portcullis.gateway.catalog cimport Catalog
from portcullis.gateway.ouch_door cimport OuchDoor
from portcullis.journal.table cimport RowTable

cdef enum:
    BLANKS = 0x20202020
    NO_TIME = 255


cdef class OuchOrders:
    cdef public bint disk_full
    cdef public bint over_rate
    cdef readonly bint full
    cdef readonly str problem
    cdef RowTable _table
    cdef Catalog _catalog
    cdef OuchDecoder _in
    cdef long long[::1] _words
    cdef long long _low
    cdef long long _high
    cdef long long _length
    cdef long long _no_time
    cdef unsigned long long _stock
    cdef long long _stock_number

    cdef long long _append(self, long long message_type, OuchDoor door) noexcept nogil
    cdef bint _token(self, long long at) noexcept nogil
    cdef long long _instrument(self) noexcept nogil
    cdef long long _side(self) noexcept nogil
    cdef long long _terms_why(self) noexcept nogil
    cdef long long _time_in_force(self) noexcept nogil
    cdef long long _packed(self) noexcept nogil
    cdef long long _quantity(self, long long shares, long long of) noexcept nogil
    cdef long long _capacity(self) noexcept nogil
    cdef long long _enter(self, OuchDoor door) noexcept nogil
    cdef long long _replace(self, OuchDoor door) noexcept nogil
    cdef long long _change(self, long long kind, OuchDoor door) noexcept nogil
