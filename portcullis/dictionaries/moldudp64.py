"""MoldUDP64 1.00: the packets of a sequenced stream, downstream and requests for what is missing.

Owns the declaration and nothing else. Both packets begin alike and have no type byte: who sends
says which it is. In a Downstream Packet as many message blocks follow as it counts, each behind a
length of two bytes that counts the message alone.
Specification: NASDAQ, MoldUDP64 1.00 (2009).
"""

from __future__ import annotations

from construct import Bytes, Int16ub, Int64ub, Struct

from portcullis.dictionaries.binary_layouts import IN, OUT, Message

BLOCK = Struct("length" / Int16ub)
BLOCK_HEADER_BYTES: int = BLOCK.sizeof()
# Counts of a Downstream Packet that carry no message.
COUNT_HEARTBEAT = 0
COUNT_END_OF_SESSION = 0xFFFF
MESSAGES_MAX = COUNT_END_OF_SESSION - 1

_SESSION = "session" / Bytes(10) * "padded on the right"

MESSAGES = (
    Message(
        "Downstream",
        "",
        OUT,
        Struct(
            _SESSION,
            "sequence" / Int64ub * "of the first message; without messages: of the next",
            "count" / Int16ub * "messages; 0: heartbeat, 0xFFFF: end of session",
        ),
        open_ended=True,
    ),
    Message(
        "Request",
        "",
        IN,
        Struct(
            _SESSION,
            "sequence" / Int64ub * "of the first message wanted",
            "count" / Int16ub * "messages wanted",
        ),
    ),
)
