# A hint to fetch a cache line before it is needed; uncompiled code does without it.
cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define portcullis_prefetch(address) __builtin_prefetch((address), 1)
    #else
    #define portcullis_prefetch(address) ((void)(address))
    #endif
    """
    void prefetch "portcullis_prefetch"(const void *address) noexcept nogil
