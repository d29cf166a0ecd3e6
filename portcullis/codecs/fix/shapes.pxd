cdef enum:
    SHAPES = 32
    FIELDS_MAX = 31
    FIELD_WORDS = 8
    SHAPE_WORDS = 256
    SH_TYPE = 0
    SH_COUNT = 1
    SH_BODY = 2
    SH_INDEX = 3
    F_TEXT = 0
    F_MASK = 1
    F_INFO = 2
    F_ENUM = 3
    F_FIRST = 4
    F_LAST = 5
    F_MINUTE_NS = 6
    F_LENGTH = 7


cdef class FixShapes:
    cdef const long long[::1] _enum_bits
    cdef unsigned long long[::1] _shapes
    cdef long long _at

    cdef long long read(
        self,
        unsigned char* octets,
        long long position,
        long long end,
        long long first,
        long long* row,
        int* tags,
        int* starts,
        int* ends,
    ) noexcept nogil
    cdef void begin(self, long long letter, long long body, long long index) noexcept nogil
    cdef void add(
        self,
        unsigned char* octets,
        long long text,
        long long start,
        long long end,
        long long tag,
        long long info,
        long long time_ns,
    ) noexcept nogil
