from portcullis.codecs.fix.values cimport FixValues

cdef class FixFrames(FixValues):
    cdef readonly long long max_message_bytes
    cdef readonly long long needed
    cdef long long frame_end
    cdef long long body_start
    cdef long long body_end

    cdef int frame(self, long long start, long long end) noexcept nogil
    cdef int _check_trailer(self, long long start, long long end) noexcept nogil
    cdef bint _is_check_sum(self, long long position) noexcept nogil
    cdef bint _digit_at(self, long long position) noexcept nogil
    cdef int _skip(self, long long position, long long end) noexcept nogil
