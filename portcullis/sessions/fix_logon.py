"""What a Logon must satisfy: silently before authentication, with a text after it.

Owns the checks of a peer's Logon and of the header of any first message. Pure questions: nothing
moves here, so a Logon that fails has changed nothing. Must not know states.
Specification: docs/rules-of-engagement.md, "Session"; FIX 4.4 vol 2, Logon.
"""

from __future__ import annotations

from dataclasses import dataclass

from portcullis.dictionaries.fix_tags import (
    ENCRYPT_METHOD,
    HEART_BT_INT,
    NEXT_EXPECTED_MSG_SEQ_NUM,
    RESET_SEQ_NUM_FLAG,
    SENDER_COMP_ID,
    SENDING_TIME,
    TARGET_COMP_ID,
)
from portcullis.sessions.fix_admin import LOGON, REJECT_TEXTS
from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_message import FixMessage

# Sequence numbers above this are refused: they would not fit the words of a row.
SEQ_NUM_MAX = 2**62


@dataclass(frozen=True, slots=True)
class LogonTerms:
    """What a valid Logon says. next_expected: NextExpectedMsgSeqNum(789), 0 where absent."""

    heart_bt_int: int
    reset: bool
    next_expected: int


def header_fault(message: FixMessage) -> int:
    """The first required header field that is missing or empty; 0: none.

    MsgSeqNum(34) is not asked here: its absence ends a session.
    """
    for tag in (SENDER_COMP_ID, TARGET_COMP_ID, SENDING_TIME):
        if not message.get(tag):
            return tag
    return 0


def wrong_comp_ids(config: FixSessionConfig, message: FixMessage) -> bool:
    """Whether a message is from or to someone else."""
    return (
        message.get(SENDER_COMP_ID) != config.client
        or message.get(TARGET_COMP_ID) != config.comp_id
    )


def outside_window(config: FixSessionConfig, message: FixMessage, now_ns: int) -> bool:
    """Whether SendingTime(52) is too far from our clock."""
    return abs(now_ns - message.sending_time_ns) > config.sending_time_window_ns


def silent_fault(config: FixSessionConfig, message: FixMessage, now_ns: int) -> str:
    """Why a first message is answered by closing and nothing else; "": it is a Logon to answer."""
    if message.is_garbled:
        return "first message is garbled"
    if message.is_too_long:
        return "first message is too long"
    if message.begin_string_differs:
        return "first message has another BeginString(8)"
    tag = header_fault(message)
    if tag:
        return f"first message has no value in header field {tag}"
    if message.msg_type != LOGON:
        return "first message is not a Logon"
    if message.sending_time_ns < 0 or outside_window(config, message, now_ns):
        return "SendingTime(52) of the Logon is not a time, or too far from ours"
    if wrong_comp_ids(config, message):
        return "CompIDs of the Logon are not this session's"
    if message.msg_seq_num < 1 or message.msg_seq_num > SEQ_NUM_MAX:
        return "MsgSeqNum(34) of the Logon is missing or not a number"
    return ""


def logon_fault(
    config: FixSessionConfig, message: FixMessage, next_in: int, next_out: int, may_reset: bool
) -> str:
    """Why an authenticated Logon is answered by a Logout with this text; "": it is valid.

    next_in, next_out: as they will be if it is accepted, so both 1 where it resets.
    """
    if message.reject_reason >= 0:
        text = REJECT_TEXTS.get(message.reject_reason, "Invalid Logon")
        return f"{text} ({message.reject_tag})"
    if message.get_int(ENCRYPT_METHOD, 0) != 0:
        return "Unsupported EncryptMethod"
    heart_bt_int = message.get_int(HEART_BT_INT, 0)
    if heart_bt_int < 0:
        return "HeartBtInt must not be negative"
    if heart_bt_int < config.heart_bt_int_min:
        return f"HeartBtInt must not be below {config.heart_bt_int_min}"
    if heart_bt_int > config.heart_bt_int_max:
        return f"HeartBtInt must not be above {config.heart_bt_int_max}"
    terms = logon_terms(config, message)
    if terms.reset:
        if not may_reset:
            return "ResetSeqNumFlag is not accepted"
        if message.msg_seq_num != 1:
            return "MsgSeqNum must be 1 with ResetSeqNumFlag"
    if message.msg_seq_num < next_in:
        return too_low_text(next_in, message.msg_seq_num)
    if terms.next_expected > next_out:
        return (
            f"NextExpectedMsgSeqNum too high, expecting at most {next_out} "
            f"but received {terms.next_expected}"
        )
    return ""


def asks_reset(message: FixMessage) -> bool:
    """Whether a Logon carries ResetSeqNumFlag(141)=Y."""
    return message.get(RESET_SEQ_NUM_FLAG) == b"Y"


def logon_terms(config: FixSessionConfig, message: FixMessage) -> LogonTerms:
    """What a valid Logon says; 789 counts only where it was agreed on."""
    return LogonTerms(
        heart_bt_int=message.get_int(HEART_BT_INT, 0),
        reset=asks_reset(message),
        next_expected=message.get_int(NEXT_EXPECTED_MSG_SEQ_NUM, 0) if config.next_expected else 0,
    )


def too_low_text(next_in: int, msg_seq_num: int) -> str:
    """The text of a Logout for a number that was used already."""
    return f"MsgSeqNum too low, expecting {next_in} but received {msg_seq_num}"
