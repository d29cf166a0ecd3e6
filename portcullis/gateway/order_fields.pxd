from portcullis.codecs.fix.scanner cimport FixScanner

cdef enum:
    CL_ORD_ID_MAX = 36
    ID_KEPT_MAX = 255
    CARRIED_MAX = 4096
    RAW_MAX = 16384
    NO_TRANSACT = 255

    SLOTS = 16
    PASS = 0
    ACCOUNT_SLOT = 1
    ID_SLOT = 2
    HANDL_INST_SLOT = 3
    ID_SOURCE_SLOT = 4
    ORDER_ID_SLOT = 5
    QTY_SLOT = 6
    ORD_TYPE_SLOT = 7
    ORIG_SLOT = 8
    PRICE_SLOT = 9
    SECURITY_ID_SLOT = 10
    SIDE_SLOT = 11
    SYMBOL_SLOT = 12
    TIME_IN_FORCE_SLOT = 13
    TRANSACT_SLOT = 14
    SCOPE_SLOT = 15
    CARRY = 64
    CARRY_GROUP = 65
    KEEP = 66
    REFUSE = 67

    TAGS = 1024
    PIECE_WORDS = 4
    PIECES = 64
    ITEMS = 8

    DONE = 0
    FULL = 1
    UNKNOWN = 2
    REFUSED = 3


cdef class OrderFields:
    cdef unsigned char* _source
    cdef unsigned char[::1] _actions
    cdef long long[::1] _values
    cdef unsigned char[::1] _group
    cdef long long[::1] _slots
    cdef long long[::1] _pieces
    cdef unsigned char[::1] _raw
    cdef long long[::1] _items
    cdef long long _why
    cdef long long _why_tag
    cdef long long _why_field
    cdef long long _term_why
    cdef long long _term_tag
    cdef long long _term_field
    cdef long long _piece_count
    cdef long long _item_count
    cdef long long _item_bytes
    cdef long long _raw_used

    cdef void _forget(self) noexcept nogil
    cdef void _collect(self, FixScanner scanner, long long at, long long table) noexcept nogil
    cdef void _fail(self, long long why, long long tag, long long field) noexcept nogil
    cdef void _note_term(self, long long why, long long tag, long long field) noexcept nogil
    cdef long long _packed(self, FixScanner scanner, long long field) noexcept nogil
    cdef void _add_piece(self, FixScanner scanner, long long tag, long long first, long long last, bint kept) noexcept nogil
    cdef bint _put_raw(self, long long start, long long end) noexcept nogil
    cdef void _put_item(self, long long code, long long start) noexcept nogil
    cdef bint _put_pieces(self, long long code, long long kept) noexcept nogil
    cdef void _put_field(self, long long code, long long start, long long length) noexcept nogil
    cdef void _put_number(self, long long code, long long value) noexcept nogil
