cdef class FixValues:
    cdef readonly const unsigned char[::1] octets
    cdef readonly long long number
    cdef readonly long long digits
    cdef long long _date_text
    cdef long long _date_ns

    cdef bint _is_digit(self, long long position) noexcept nogil
    cdef bint has_format(self, long long kind, long long start, long long end) noexcept nogil
    cdef bint is_float(self, long long start, long long end) noexcept nogil
    cdef int parse_int(self, long long start, long long end) noexcept nogil
    cdef int parse_decimal(self, long long start, long long end, long long decimals) noexcept nogil
    cdef int parse_utc_timestamp(self, long long start, long long end) noexcept nogil
    cdef bint parse_date(self, long long start) noexcept nogil
    cdef bint parse_time(self, long long start, long long end) noexcept nogil
    cdef long long _two_digits(self, long long position) noexcept nogil
    cdef bint is_month_year(self, long long start, long long end) noexcept nogil
