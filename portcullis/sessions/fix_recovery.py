"""Gaps and resends, both ways: ResendRequest, SequenceReset, messages out of their turn.

Owns what is done when a number is not the expected one, and with the messages that mend it.
Functions over a `FixLink`; what is missing and held is in `fix_gap`. Must not know Logons.
Specification: docs/rules-of-engagement.md, "Session"; FIX 4.4 vol 2, message recovery.
"""

from __future__ import annotations

from portcullis.dictionaries.fix_tags import BEGIN_SEQ_NO, END_SEQ_NO, NEW_SEQ_NO
from portcullis.sessions import fix_admin as admin
from portcullis.sessions.fix_link import FixLink
from portcullis.sessions.fix_logon import SEQ_NUM_MAX, too_low_text
from portcullis.sessions.fix_message import FixMessage
from portcullis.sessions.fix_states import State


def take_ahead(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """A message beyond the expected one: held for its turn."""
    if message.msg_seq_num > SEQ_NUM_MAX:
        link.fault("MsgSeqNum is out of range", now_ns)
        return
    # A ResendRequest is served at once, so that two sides that wait for each other both go on;
    # then only its number waits.
    served = (
        message.msg_type == admin.RESEND_REQUEST
        and message.reject_reason < 0
        and _serve_resend(link, message)
    )
    if not link.gap.hold(message.msg_seq_num, None if served else message.octets):
        link.note(f"no room for message {message.msg_seq_num}, ahead of {link.lane.next_in}")


def take_behind(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """A message below the expected one: seen before if it says so, else the end."""
    if not message.poss_dup:
        link.fault(too_low_text(link.lane.next_in, message.msg_seq_num), now_ns)
    elif message.msg_type != admin.SEQUENCE_RESET:
        link.is_true_duplicate(message, now_ns)


def request_missing(link: FixLink, now_ns: int) -> None:
    """Ask for what is missing, unless an answer is under way."""
    next_in = link.lane.next_in
    if link.state is State.ACTIVE and link.gap.must_request(next_in):
        end = link.gap.end_to_ask(next_in)
        link.note(f"asked for messages {next_in} to {end}" if end else f"asked from {next_in} on")
        link.send(admin.RESEND_REQUEST, admin.resend_request_body(next_in, end), now_ns)
        link.gap.requested(next_in, now_ns, end)


def take_resend_request(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """A ResendRequest in its turn."""
    bad_tag = _resend_fault(message)
    if bad_tag:
        link.reject(message, admin.VALUE_INCORRECT, bad_tag, now_ns)
        return
    link.count(message, now_ns)
    _serve_resend(link, message)


def take_gap_fill(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """A SequenceReset with 123=Y in its turn."""
    new_seq_no = message.get_int(NEW_SEQ_NO, 0)
    if message.msg_seq_num < new_seq_no <= SEQ_NUM_MAX:
        link.advance(new_seq_no, now_ns)
    else:
        link.reject(message, admin.VALUE_INCORRECT, None, now_ns, counts=False)


def take_reset(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """A SequenceReset without 123=Y, at any number."""
    if message.reject_reason >= 0:
        link.reject(message, message.reject_reason, message.reject_tag, now_ns, counts=False)
        return
    new_seq_no = message.get_int(NEW_SEQ_NO, 0)
    next_in = link.lane.next_in
    if not next_in <= new_seq_no <= SEQ_NUM_MAX:
        link.reject(message, admin.VALUE_INCORRECT, None, now_ns, counts=False)
        return
    link.note(f"they set their next number to {new_seq_no}, it was {next_in}")
    if new_seq_no > next_in:
        link.advance(new_seq_no, now_ns)


def _resend_fault(message: FixMessage) -> int:
    """The field of a ResendRequest that makes its range none; 0: it is one."""
    begin, end = message.get_int(BEGIN_SEQ_NO, 0), message.get_int(END_SEQ_NO, 0)
    if not 1 <= begin <= SEQ_NUM_MAX:
        return BEGIN_SEQ_NO
    return 0 if end == 0 or begin <= end <= SEQ_NUM_MAX else END_SEQ_NO


def _serve_resend(link: FixLink, message: FixMessage) -> bool:
    if _resend_fault(message):
        return False
    link.store.resend(message.get_int(BEGIN_SEQ_NO, 0), message.get_int(END_SEQ_NO, 0))
    return True
