from portcullis.journal.table cimport RowTable


cdef class Turn:
    cdef readonly object journal
    cdef readonly RowTable table
    cdef public object engine
    cdef public object index
    cdef readonly long long now_ns
    cdef readonly long long sendable_row
    cdef readonly long long resend_bytes
    cdef long long _resend_bytes_max
    cdef public dict outputs
    cdef public object publish
    cdef readonly list after
    cdef readonly list after_sending
    cdef bint _syncs_batches
    cdef bint _syncing
    cdef bint _scheduled
    cdef bint _sliced
    cdef object _call_soon
    cdef object _start_sync
    cdef object _fatal
    cdef object _fault
    cdef set _behind
    cdef dict _unsynced
    cdef list _parting
    cdef dict _wanted
    cdef long long _clock_offset_ns

    cpdef long long begin(self) except? -1
    cpdef int settle(self) except? -1
    cpdef int wake(self, long long session) except? -1
