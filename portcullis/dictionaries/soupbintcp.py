"""SoupBinTCP 3.00: the packets, each behind a length of two bytes that counts type and payload.

Owns the declaration and nothing else. Names and passwords are padded with blanks on the right,
the session and the numbers, which are ASCII digits, on the left. A Login Request of SoupBinTCP
4.10 has five bytes more, a heartbeat time-out in milliseconds.
Specification: NASDAQ, SoupBinTCP 3.00 (2017) and 4.10.
"""

from __future__ import annotations

from construct import Bytes, Int16ub, Struct

from portcullis.dictionaries.binary_layouts import BOTH, IN, OUT, Message

HEADER = Struct("length" / Int16ub, "packet_type" / Bytes(1))
HEADER_BYTES: int = HEADER.sizeof()
LENGTH_MAX = 0xFFFF

_LOGIN = (
    "username" / Bytes(6) * "padded on the right, any case",
    "password" / Bytes(10) * "padded on the right, any case",
    "session" / Bytes(10) * "padded on the left; blank: the current one",
    "sequence" / Bytes(20) * "next number wanted, padded on the left; 0: the newest there is",
)

MESSAGES = (
    Message("Debug", "+", BOTH, Struct(), open_ended=True),
    Message(
        "Login Accepted",
        "A",
        OUT,
        Struct(
            "session" / Bytes(10) * "padded on the left",
            "sequence" / Bytes(20) * "of the next Sequenced Data, padded on the left",
        ),
    ),
    Message(
        "Login Rejected",
        "J",
        OUT,
        Struct("reason" / Bytes(1) * "A: not authorized, S: session not available"),
    ),
    Message("Sequenced Data", "S", OUT, Struct(), open_ended=True),
    Message("Server Heartbeat", "H", OUT, Struct()),
    Message("End Of Session", "Z", OUT, Struct()),
    Message("Login Request", "L", IN, Struct(*_LOGIN)),
    Message(
        "Long Login Request",
        "L",
        IN,
        Struct(*_LOGIN, "heartbeat_timeout" / Bytes(5) * "milliseconds, padded on the left"),
    ),
    Message("Unsequenced Data", "U", IN, Struct(), open_ended=True),
    Message("Client Heartbeat", "R", IN, Struct()),
    Message("Logout Request", "O", IN, Struct()),
)
