"""The bodies of session messages, and the texts they carry.

Owns what a Logon, Reject, Logout ... of ours looks like behind its header: raw fields in ascending
order. Header, numbers, times and trailer are the store's. Must not know states.
Specification: docs/rules-of-engagement.md, "Session"; FIX 4.4 vol 2.
"""

from __future__ import annotations

from portcullis.dictionaries.fix_tags import (
    BEGIN_SEQ_NO,
    BUSINESS_REJECT_REASON,
    BUSINESS_REJECT_REF_ID,
    CL_ORD_ID,
    DELIVER_TO_COMP_ID,
    DELIVER_TO_LOCATION_ID,
    DELIVER_TO_SUB_ID,
    ENCRYPT_METHOD,
    END_SEQ_NO,
    HEART_BT_INT,
    NEXT_EXPECTED_MSG_SEQ_NUM,
    ON_BEHALF_OF_COMP_ID,
    ON_BEHALF_OF_LOCATION_ID,
    ON_BEHALF_OF_SUB_ID,
    PASSWORD,
    REF_MSG_TYPE,
    REF_SEQ_NUM,
    REF_TAG_ID,
    RESET_SEQ_NUM_FLAG,
    SESSION_REJECT_REASON,
    TEST_REQ_ID,
    TEXT,
    USERNAME,
)
from portcullis.sessions.fix_message import FixMessage

HEARTBEAT = b"0"
TEST_REQUEST = b"1"
RESEND_REQUEST = b"2"
REJECT = b"3"
SEQUENCE_RESET = b"4"
LOGOUT = b"5"
LOGON = b"A"
BUSINESS_MESSAGE_REJECT = b"j"
# Not sent again: each run of them is filled by one SequenceReset. Reject may be, by agreement.
ADMIN_TYPES = frozenset(
    (HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT, SEQUENCE_RESET, LOGOUT, LOGON)
)

# SessionRejectReason(373).
REQUIRED_TAG_MISSING = 1
TAG_WITHOUT_VALUE = 4
VALUE_INCORRECT = 5
INCORRECT_FORMAT = 6
COMP_ID_PROBLEM = 9
SENDING_TIME_PROBLEM = 10
INVALID_MSG_TYPE = 11
# These are about no single tag: 371 stays out.
_WITHOUT_TAG = frozenset((COMP_ID_PROBLEM, SENDING_TIME_PROBLEM, INVALID_MSG_TYPE))

REJECT_TEXTS = {
    0: "Invalid tag number",
    1: "Required tag missing",
    2: "Tag not defined for this message type",
    3: "Undefined Tag",
    4: "Tag specified without a value",
    5: "Value is incorrect (out of range) for this tag",
    6: "Incorrect data format for value",
    9: "CompID problem",
    10: "SendingTime accuracy problem",
    11: "Invalid MsgType",
    13: "Tag appears more than once",
    14: "Tag specified out of required order",
    15: "Repeating group fields out of order",
    16: "Incorrect NumInGroup count for repeating group",
    17: "Non-data value includes field delimiter",
}

# BusinessRejectReason(380).
OTHER = 0
UNSUPPORTED_MESSAGE_TYPE = 3

# Where a field of the routing header goes in an answer, ascending by the tag that goes out.
_ROUTE_TURNED = (
    (ON_BEHALF_OF_COMP_ID, DELIVER_TO_COMP_ID),
    (ON_BEHALF_OF_SUB_ID, DELIVER_TO_SUB_ID),
    (DELIVER_TO_COMP_ID, ON_BEHALF_OF_COMP_ID),
    (DELIVER_TO_SUB_ID, ON_BEHALF_OF_SUB_ID),
    (ON_BEHALF_OF_LOCATION_ID, DELIVER_TO_LOCATION_ID),
    (DELIVER_TO_LOCATION_ID, ON_BEHALF_OF_LOCATION_ID),
)


def field(tag: int, value: int | bytes) -> bytes:
    """One field with its delimiter."""
    return b"%d=%b\x01" % (tag, value if isinstance(value, bytes) else b"%d" % value)


def turned_route(message: FixMessage) -> bytes:
    """The routing header of an answer: who it was on behalf of is who it is delivered to."""
    route = b""
    for sent, received in _ROUTE_TURNED:
        value = message.get(received)
        if value:
            route += field(sent, value)
    return route


def logon_body(
    heart_bt_int: int,
    *,
    reset: bool,
    next_expected: int | None,
    username: bytes = b"",
    password: bytes = b"",
) -> bytes:
    """A Logon without encryption; next_expected None: no 789."""
    body = field(ENCRYPT_METHOD, 0) + field(HEART_BT_INT, heart_bt_int)
    if reset:
        body += field(RESET_SEQ_NUM_FLAG, b"Y")
    if username:
        body += field(USERNAME, username)
    if password:
        body += field(PASSWORD, password)
    if next_expected is not None:
        body += field(NEXT_EXPECTED_MSG_SEQ_NUM, next_expected)
    return body


def heartbeat_body(test_req_id: bytes) -> bytes:
    """A Heartbeat; test_req_id empty: nobody asked for it."""
    return field(TEST_REQ_ID, test_req_id) if test_req_id else b""


def test_request_body(test_req_id: bytes) -> bytes:
    """A TestRequest."""
    return field(TEST_REQ_ID, test_req_id)


def resend_request_body(begin: int, end: int) -> bytes:
    """A ResendRequest from begin to end; 0: to whatever the peer sent last."""
    return field(BEGIN_SEQ_NO, begin) + field(END_SEQ_NO, end)


def logout_body(text: str) -> bytes:
    """A Logout; text empty: no Text(58)."""
    return field(TEXT, text.encode("ascii", "replace")) if text else b""


def reject_body(message: FixMessage, reason: int, tag: int | None) -> bytes:
    """A Reject of a message; tag None, or a reason that is about no tag: no RefTagID(371)."""
    body = field(REF_SEQ_NUM, message.msg_seq_num)
    text = REJECT_TEXTS.get(reason)
    if text is not None:
        body += field(TEXT, text.encode())
    if tag is not None and reason not in _WITHOUT_TAG:
        body += field(REF_TAG_ID, tag)
    if message.msg_type:
        body += field(REF_MSG_TYPE, message.msg_type)
    return body + field(SESSION_REJECT_REASON, reason)


def unsupported_type_body(message: FixMessage) -> bytes:
    """A BusinessMessageReject(j) of a type that we do not handle."""
    return _business_reject(message, b"Unsupported Message Type", UNSUPPORTED_MESSAGE_TYPE, b"")


def refusal_body(message: FixMessage, text: str) -> bytes:
    """A BusinessMessageReject(j) of a message that we do not take now; 379 names its order."""
    return _business_reject(message, text.encode("ascii"), OTHER, message.get(CL_ORD_ID) or b"")


def _business_reject(message: FixMessage, text: bytes, reason: int, ref_id: bytes) -> bytes:
    return (
        field(REF_SEQ_NUM, message.msg_seq_num)
        + field(TEXT, text)
        + field(REF_MSG_TYPE, message.msg_type)
        + (field(BUSINESS_REJECT_REF_ID, ref_id) if ref_id else b"")
        + field(BUSINESS_REJECT_REASON, reason)
    )
