"""Values of MsgType(35) that the gateway speaks of by name, and which of them are the session's.

All message types of FIX 4.4, named or detailed, stand in FIX44.xml; here are those that code
compares with. Spec: FIX 4.4 volume 2 (session messages), volume 4 (orders).
"""

from __future__ import annotations

from typing import Final

HEARTBEAT: Final = b"0"
TEST_REQUEST: Final = b"1"
RESEND_REQUEST: Final = b"2"
REJECT: Final = b"3"
SEQUENCE_RESET: Final = b"4"
LOGOUT: Final = b"5"
LOGON: Final = b"A"

EXECUTION_REPORT: Final = b"8"
ORDER_CANCEL_REJECT: Final = b"9"
EMAIL: Final = b"C"
NEW_ORDER_SINGLE: Final = b"D"
ORDER_CANCEL_REQUEST: Final = b"F"
ORDER_CANCEL_REPLACE_REQUEST: Final = b"G"
ORDER_STATUS_REQUEST: Final = b"H"
DONT_KNOW_TRADE: Final = b"Q"
SECURITY_DEFINITION: Final = b"d"
BUSINESS_MESSAGE_REJECT: Final = b"j"
ORDER_MASS_CANCEL_REQUEST: Final = b"q"
ORDER_MASS_CANCEL_REPORT: Final = b"r"
ORDER_MASS_STATUS_REQUEST: Final = b"AF"

# Handled by the session itself; every other type, BusinessMessageReject too, is an application's.
ADMIN_MSG_TYPES: Final = frozenset(
    {HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT, SEQUENCE_RESET, LOGOUT, LOGON}
)
