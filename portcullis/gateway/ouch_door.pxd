cdef class OuchDoor:
    cdef readonly long long session
    cdef readonly long long account
    cdef readonly long long firm
