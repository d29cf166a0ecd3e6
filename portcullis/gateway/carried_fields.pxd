from portcullis.codecs.fix.writer cimport FixWriter
from portcullis.journal.table cimport RowTable

cdef enum:
    NO_TAG = 1 << 30


cdef class CarriedFields:
    cdef RowTable _table
    cdef unsigned char* _rows
    cdef unsigned char[::1] _carried_octets
    cdef unsigned char* _carried
    cdef unsigned char[::1] _own_octets
    cdef unsigned char* _own

    cdef bint put_value(self, FixWriter writer, long long tag, long long row, long long code) noexcept nogil
    cdef void put(self, FixWriter writer, long long row, long long code) noexcept nogil
    cdef void merge(self, FixWriter writer, long long start, long long row, long long code) noexcept nogil
    cdef long long _load(self, long long row, long long code) noexcept nogil
