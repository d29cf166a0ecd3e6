from portcullis.codecs.fix.scanner cimport FixScanner
from portcullis.gateway.fix_door cimport FixDoor
from portcullis.gateway.order_refusals cimport OrderRefusals


cdef class FixOrders(OrderRefusals):
    cdef readonly bint full
    cdef public bint disk_full
    cdef long long[::1] _words
    cdef unsigned char[::1] _octets
    cdef long long _instrument
    cdef long long _account
    cdef long long _qty
    cdef long long _price
    cdef long long _scope
    cdef long long _terms
    cdef long long _transact
    cdef long long _digits
    cdef unsigned char[::1] _second_text
    cdef long long _second_ns

    cdef long long _read(self, FixScanner scanner, long long at, FixDoor door) noexcept nogil
    cdef long long _read_order(self, FixScanner scanner, long long at, FixDoor door) noexcept nogil
    cdef void _read_numbers(self, FixScanner scanner, long long ord_type) noexcept nogil
    cdef void _fail_slot(self, long long why, long long tag, long long slot) noexcept nogil
    cdef long long _char(self, FixScanner scanner, long long slot) noexcept nogil
    cdef void _check_id(self, FixScanner scanner) noexcept nogil
    cdef void _find_instrument(self, FixScanner scanner, bint required) noexcept nogil
    cdef long long _find_security(self, FixScanner scanner, long long symbol, long long security, long long source, long long found) noexcept nogil
    cdef void _find_account(self, FixScanner scanner, FixDoor door) noexcept nogil
    cdef long long _read_request(self, FixScanner scanner, long long at, FixDoor door) noexcept nogil
    cdef long long _append(self, FixScanner scanner, long long at, FixDoor door) noexcept nogil
    cdef bint _reads_back(self, FixScanner scanner, long long field) noexcept nogil
    cdef long long _put_order_id(self, FixScanner scanner, FixDoor door) noexcept nogil
    cdef bint _is_last_second(self, long long start) noexcept nogil
    cdef void _copy(self, long long target, long long start, long long length) noexcept nogil
