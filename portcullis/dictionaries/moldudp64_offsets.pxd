# Made from moldudp64.py by `python -m portcullis.dictionaries.binary_offsets_writer`.

cdef enum:
    BLOCK_HEADER_BYTES = 2
    COUNT_HEARTBEAT = 0
    COUNT_END_OF_SESSION = 65535
    MESSAGES_MAX = 65534
    DOWNSTREAM_BYTES = 20
    DOWNSTREAM_SESSION = 0
    DOWNSTREAM_SEQUENCE = 10
    DOWNSTREAM_COUNT = 18
    REQUEST_BYTES = 20
    REQUEST_SESSION = 0
    REQUEST_SEQUENCE = 10
    REQUEST_COUNT = 18
