from portcullis.gateway.report_messages cimport ReportMessages

cdef enum:
    RUN_PACKETS_MAX = 64
    RUN_BYTES_MAX = 65507
    RUN_WORDS = 3
    PACKED = -1
    NO_ROOM = -2


cdef class ReportPackets:
    cdef ReportMessages _messages
    cdef object _view
    cdef unsigned char[::1] _octets
    cdef unsigned char* _out
    cdef long long _capacity
    cdef long long[::1] _runs
    cdef long long _run_count
    cdef long long _day
    cdef long long _content
    cdef long long _usual_bytes
    cdef long long _packet_bytes
    cdef long long _session_low
    cdef long long _session_high

    cdef long long _pack(self, long long[::1] rows, long long end, long long number) noexcept nogil
    cdef long long _open_packet(self, long long at, long long number) noexcept nogil
    cdef void _close_packet(self, long long start, long long end, long long count) noexcept nogil
