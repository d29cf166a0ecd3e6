"""Logon and Logout, both ways: what begins and ends a FIX session.

Owns what is done when a Logon or Logout arrives; what a Logon must satisfy is in `fix_logon`.
Functions over a `FixLink`. Must not know the other messages.
Specification: docs/rules-of-engagement.md, "Session"; FIX 4.4 vol 2.
"""

from __future__ import annotations

from portcullis.dictionaries.fix_tags import TEXT
from portcullis.sessions import fix_admin as admin
from portcullis.sessions.fix_config import SECOND_NS
from portcullis.sessions.fix_events import LoggedOn, LoggedOut, NumbersReset
from portcullis.sessions.fix_link import FixLink
from portcullis.sessions.fix_logon import asks_reset, logon_fault, logon_terms, silent_fault
from portcullis.sessions.fix_message import FixMessage
from portcullis.sessions.fix_states import State, Trigger

_DAY_NS = 86_400 * SECOND_NS


def send_logon(link: FixLink, now_ns: int) -> None:
    """Initiator: the first message of a connection."""
    config = link.config
    if config.reset_on_logon:
        link.reset_numbers()
    link.store.attach()
    body = admin.logon_body(
        config.heart_bt_int,
        reset=config.reset_on_logon,
        next_expected=link.lane.next_in if config.next_expected else None,
        username=config.username,
        password=config.password,
    )
    link.send(admin.LOGON, body, now_ns)


def refuse_logon(link: FixLink, text: str, now_ns: int) -> None:
    """Acceptor: a Logout with text in place of the answer; none of their numbers moves."""
    link.store.attach()
    link.send(admin.LOGOUT, admin.logout_body(text), now_ns)
    link.close(text)


def accept_logon(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """Acceptor: answer an authenticated Logon, or refuse it with a text."""
    reset = link.config.reset_on_logon or asks_reset(message)
    next_in = 1 if reset else link.lane.next_in
    next_out = 1 if reset else link.store.next_out
    fault = logon_fault(link.config, message, next_in, next_out, _may_reset(link))
    if fault:
        refuse_logon(link, fault, now_ns)
        return
    if reset:
        link.reset_numbers(asked=asks_reset(message))
    link.store.attach()
    _answer_logon(link, message, now_ns)
    _up(link, message, next_in, next_out, now_ns)


def take_logon_answer(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """Initiator: the first message that comes back."""
    if message.msg_type == admin.LOGOUT:
        link.count(message, now_ns)
        link.close(f"Logon was refused: {text_of(message)}")
        return
    next_in, next_out = link.lane.next_in, link.store.next_out
    fault = silent_fault(link.config, message, link.wall_ns)
    if not fault:
        fault = logon_fault(link.config, message, next_in, next_out, True)
    if fault:
        link.send(admin.LOGOUT, admin.logout_body(fault), now_ns)
        link.close(fault)
        return
    link.count(message, now_ns)
    _up(link, message, next_in, next_out, now_ns)


def take_reset_logon(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """A Logon with 141=Y while logged on: both sides begin at 1 again."""
    fault = logon_fault(link.config, message, 1, 1, _may_reset(link))
    if link.state is State.LOGOUT_SENT:
        fault = "Logon after our Logout"
    if fault:
        link.fault(fault, now_ns)
        return
    link.reset_numbers(asked=True)
    _answer_logon(link, message, now_ns)
    link.events.append(NumbersReset())


def take_logout(link: FixLink, message: FixMessage, now_ns: int) -> None:
    """A Logout, at any number: answered, or the answer to ours."""
    expected = message.msg_seq_num == link.lane.next_in
    if link.state is State.ACTIVE:
        in_seq = message.msg_seq_num if expected else 0
        link.send(admin.LOGOUT, b"", now_ns, in_seq=in_seq)
        link.events.append(LoggedOut(text_of(message) or "they logged out"))
        link.they_parted = True
        link.go(Trigger.LOGOUT_ARRIVED)
        link.gap.clear()
        link.limit(now_ns, link.config.close_timeout_ns)
        return
    link.they_answered = link.state is State.LOGOUT_SENT
    link.count(message, now_ns)
    link.close("logged out")


def text_of(message: FixMessage) -> str:
    """Text(58), for people."""
    return (message.get(TEXT) or b"").decode("ascii", "replace")


def _may_reset(link: FixLink) -> bool:
    if link.config.accept_reset == "once_per_day":
        asked_ns = link.store.reset_asked_ns
        return not asked_ns or link.wall_ns // _DAY_NS != asked_ns // _DAY_NS
    return link.config.accept_reset == "always"


def _answer_logon(link: FixLink, message: FixMessage, now_ns: int) -> None:
    terms = logon_terms(link.config, message)
    link.heart_bt_ns = terms.heart_bt_int * SECOND_NS
    next_in = link.lane.next_in
    in_sequence = message.msg_seq_num == next_in
    body = admin.logon_body(
        terms.heart_bt_int,
        reset=terms.reset,
        next_expected=next_in + int(in_sequence) if link.config.next_expected else None,
    )
    link.send(admin.LOGON, body, now_ns, in_seq=message.msg_seq_num if in_sequence else 0)


def _up(link: FixLink, message: FixMessage, next_in: int, next_out: int, now_ns: int) -> None:
    """Both Logons are exchanged: see what each side misses, theirs by 789 or by asking."""
    terms = logon_terms(link.config, message)
    link.heart_bt_ns = terms.heart_bt_int * SECOND_NS
    link.go(Trigger.LOGON_ACCEPTED)
    link.limit(now_ns, 0)
    link.heard(now_ns)
    link.events.append(LoggedOn(terms.reset or link.config.reset_on_logon))
    if message.msg_seq_num > next_in:
        link.gap.hold(message.msg_seq_num, None)
        if terms.next_expected:
            # They read from our 789 what to send again; if they do not, the request times out.
            link.gap.requested(next_in, now_ns)
    if 0 < terms.next_expected < next_out:
        link.store.resend(terms.next_expected, next_out - 1)
