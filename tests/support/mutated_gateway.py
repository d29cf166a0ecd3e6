"""`portcullis` whose session layer breaks one rule for each of some clients, for tests.

What breaks is chosen by the client's CompID, so that one process serves all mutations at once. A
mutation replaces a function of the session layer, or changes messages on their way in or out.
The arguments are a command line as usual.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portcullis.gateway.connection import Connection
from portcullis.gateway.fix_peer import FixPeer
from portcullis.sessions import fix_admin as admin
from portcullis.sessions import fix_handshake, fix_link, fix_recovery, fix_session
from portcullis.tools.main import main

Pairs = list[tuple[bytes, bytes]]
SOH = b"\x01"


@dataclass(frozen=True)
class Mutation:
    """A broken rule. scenario: one of fix44-session that must fall because of it.

    outgoing: changes a message that goes out; None: it does not go out, bytes go as they are.
    incoming: changes bytes that come in, and not their number. code: (owner, attribute,
    replacement), the replacement called with the original before its arguments.
    """

    rule: str
    scenario: str
    outgoing: Callable[[Pairs], Pairs | bytes | None] | None = None
    incoming: Callable[[bytes], bytes] | None = None
    code: tuple[Any, str, Callable[..., Any]] | None = None


# --- what goes out -------------------------------------------------------------------------------


def changed(msg_type: bytes, **tags: bytes | None) -> Callable[[Pairs], Pairs]:
    """Messages of a type (empty: of all) with other values; None: without the field."""

    def change(pairs: Pairs) -> Pairs:
        if msg_type and dict(pairs)[b"35"] != msg_type:
            return pairs
        new = {name[1:].encode(): value for name, value in tags.items()}
        return [
            (tag, new[tag] if tag in new else value)
            for tag, value in pairs
            if new.get(tag, b"") is not None
        ]  # type: ignore[misc]

    return change


def raised(msg_type: bytes, tag: bytes) -> Callable[[Pairs], Pairs]:
    """Messages of a type with one more in a field."""

    def change(pairs: Pairs) -> Pairs:
        if dict(pairs)[b"35"] != msg_type:
            return pairs
        return [(t, b"%d" % (int(v) + 1) if t == tag else v) for t, v in pairs]

    return change


def unsent(msg_type: bytes, unless: bytes = b"") -> Callable[[Pairs], Pairs | None]:
    """Messages of a type do not go out, unless they have a field."""
    return lambda pairs: (
        None if dict(pairs)[b"35"] == msg_type and unless not in dict(pairs) else pairs
    )


def framed(pairs: Pairs) -> bytes:
    """Bytes of a message whose fields were changed."""
    values = dict(pairs)
    body = b"".join(b"%b=%b\x01" % pair for pair in pairs if pair[0] not in (b"8", b"9", b"10"))
    octets = b"8=%b\x019=%d\x01%b" % (values[b"8"], len(body), body)
    return octets + b"10=%03d\x01" % (sum(octets) % 256)


class MutatedWire:
    """A transport that changes what is written."""

    def __init__(self, wire: Any, change: Callable[[Pairs], Pairs | bytes | None]) -> None:
        self._wire = wire
        self._change = change

    def write(self, data: bytes) -> None:
        # The echo of these runs has no data fields: each SOH ends a field.
        pairs: Pairs = []
        out = b""
        for field in bytes(data).split(SOH)[:-1]:
            tag, _, value = field.partition(b"=")
            pairs.append((tag, value))
            if tag == b"10":
                new = self._change(pairs)
                out += new if isinstance(new, bytes) else framed(new) if new else b""
                pairs = []
        if out:
            self._wire.write(out)


# --- what comes in -------------------------------------------------------------------------------


def right_sums(octets: bytes) -> bytes:
    """Every CheckSum is right: the gateway cannot have tested it."""
    out, start = bytearray(octets), 0
    while (end := out.find(b"\x0110=", start)) >= 0 and len(out) >= end + 8:
        out[end + 4 : end + 7] = b"%03d" % (sum(out[start : end + 1]) % 256)
        start = end + 8
    return bytes(out)


# --- the session layer ---------------------------------------------------------------------------


def take_gap_fill_blindly(_: Any, link: Any, message: Any, now_ns: int) -> None:
    link.advance(message.get_int(36, 1), now_ns)


def ask_twice(ask: Any, link: Any, now_ns: int) -> None:
    next_in = link.lane.next_in
    is_due = link.gap.must_request(next_in)
    ask(link, now_ns)
    if is_due:
        link.send(admin.RESEND_REQUEST, admin.resend_request_body(next_in, 0), now_ns)


def serve_nothing_in_a_gap(serve: Any, link: Any, message: Any) -> bool:
    return not link.gap.is_open(link.lane.next_in) and bool(serve(link, message))


def keep_silent_at_logout(take: Any, link: Any, message: Any, now_ns: int) -> None:
    link.count(message, now_ns)


def forget_at_logon(accept: Any, link: Any, message: Any, now_ns: int) -> None:
    link.reset_numbers()
    accept(link, message, now_ns)


def reject_anything(reject: Any, link: Any, message: Any, *more: Any, **named: Any) -> None:
    body = admin.reject_body(message, more[0], more[1])
    link.send(admin.REJECT, body, more[2], in_seq=message.msg_seq_num)


def reject_without_counting(
    reject: Any, link: Any, message: Any, *more: Any, **named: Any
) -> None:
    reject(link, message, *more, **{**named, "counts": False})


def take_anything(take: Any, session: Any, message: Any, *more: Any) -> bool:
    message.reject_reason = -1
    return bool(take(session, message, *more))


def end_the_first(_: Any, session: Any, now_ns: int) -> None:
    session.logout("another one came", now_ns)


def reset_by_number(take: Any, link: Any, message: Any, now_ns: int) -> None:
    if message.msg_seq_num == link.lane.next_in:
        take(link, message, now_ns)


def nothing(*_: Any) -> None:
    """What a rule asks for is not done."""


def never(*_: Any) -> int:
    """No time-out ends."""
    return 1 << 62


def false(*_: Any) -> bool:
    """A fault is not seen."""
    return False


def true(*_: Any) -> bool:
    """All is well."""
    return True


MUTATIONS: dict[str, Mutation] = {
    "HEARTBTINT": Mutation(
        "HeartBtInt(108) of the Logon is repeated", "1S.a-valid-logon",
        outgoing=changed(b"A", t108=b"30"),
    ),
    "RESET-FLAG": Mutation(
        "ResetSeqNumFlag(141)=Y is answered by the same", "1S.a-reset",
        outgoing=changed(b"A", t141=None),
    ),
    "IDENTITY": Mutation(
        "a second connection does not end the first", "1S.b-duplicate-identity",
        code=(fix_session.FixSession, "challenge", end_the_first),
    ),
    "FORGETFUL": Mutation(
        "numbers outlive the connection", "8-after-reconnect",
        code=(fix_handshake, "accept_logon", forget_at_logon),
    ),
    "LOW": Mutation(
        "a number that is too low ends the session", "2.c-too-low",
        code=(fix_recovery, "take_behind", nothing),
    ),
    "NO-REQUEST": Mutation(
        "a gap is asked for", "2.b-too-high", outgoing=unsent(b"2"),
    ),
    "BEGIN-SEQ-NO": Mutation(
        "BeginSeqNo(7) is the first missing number", "2.b-too-high", outgoing=raised(b"2", b"7"),
    ),
    "IMPATIENT": Mutation(
        "an open gap is asked for once", "2.b-too-high",
        code=(fix_recovery, "request_missing", ask_twice),
    ),
    "BEGIN-STRING": Mutation(
        "another BeginString(8) ends the session", "2.i-wrong-begin-string",
        code=(fix_session.FixSession, "_ends_session", false),
    ),
    "COMP-ID": Mutation(
        "other CompIDs end the session", "2.k-wrong-sender",
        code=(fix_session, "wrong_comp_ids", false),
    ),
    "LATENCY": Mutation(
        "SendingTime(52) is within a window", "2.o-too-old",
        code=(fix_session, "outside_window", false),
    ),
    "ORIG-TIME": Mutation(
        "OrigSendingTime(122) is not later than 52", "2.f-orig-time-later",
        code=(fix_link.FixLink, "is_true_duplicate", true),
    ),
    "NO-ORIG-TIME": Mutation(
        "43=Y needs OrigSendingTime(122)", "2.g-no-orig-time",
        code=(fix_link.FixLink, "is_true_duplicate", true),
    ),
    "DUPLICATE": Mutation(
        "a duplicate that was processed is ignored", "2.e-already-received",
        incoming=lambda octets: right_sums(octets.replace(b"\x0143=Y", b"\x0143=N")),
    ),
    "UNSUPPORTED": Mutation(
        "a type that is not served is refused", "2.r-unsupported-type", outgoing=unsent(b"j"),
    ),
    "CHECKSUM": Mutation(
        "CheckSum(10) is tested", "3.b-wrong-sum", incoming=right_sums,
    ),
    "SUMS-WRONG": Mutation(
        "CheckSum(10) of what is sent is right", "3.a-valid",
        outgoing=lambda pairs: framed(pairs)[:-4] + b"256\x01",
    ),
    "NO-HEARTBEAT": Mutation(
        "a Heartbeat is sent in time", "4.a-heartbeat", outgoing=unsent(b"0", unless=b"112"),
    ),
    "TEST-REQ-ID": Mutation(
        "TestReqID(112) comes back", "4.b-test-request", outgoing=changed(b"0", t112=b"OTHER"),
    ),
    "NO-TEST-REQUEST": Mutation(
        "silence is answered by a TestRequest", "6-test-request-sent", outgoing=unsent(b"1"),
    ),
    "PATIENT": Mutation(
        "silence ends the connection", "6-silence-ends",
        code=(fix_link.FixLink, "_silence_limit_ns", never),
    ),
    "REJECT-REJECT": Mutation(
        "a Reject is never rejected", "7-reject-received",
        code=(fix_link.FixLink, "reject", reject_anything),
    ),
    "POSS-DUP": Mutation(
        "what is resent has PossDupFlag(43)=Y", "8-application-only",
        outgoing=changed(b"D", t43=None),
    ),
    "FIRST-TIME": Mutation(
        "what is resent has OrigSendingTime(122)", "8-application-only",
        outgoing=changed(b"D", t122=None),
    ),
    "NEW-SEQ-NO": Mutation(
        "a gap fill ends where the gap does", "8-admin-only", outgoing=raised(b"4", b"36"),
    ),
    "GAP-FILL-FLAG": Mutation(
        "a gap fill has GapFillFlag(123)=Y", "8-admin-only", outgoing=changed(b"4", t123=None),
    ),
    "NOT-SERVED": Mutation(
        "a ResendRequest is served", "8-mixed",
        code=(fix_recovery, "_serve_resend", false),
    ),
    "FILL-IGNORED": Mutation(
        "a gap fill moves the expected number", "10.b-fill",
        code=(fix_recovery, "take_gap_fill", nothing),
    ),
    "FILL-LOWERS": Mutation(
        "a gap fill does not lower the expected number", "10.e-fill-backwards",
        code=(fix_recovery, "take_gap_fill", take_gap_fill_blindly),
    ),
    "RESET-LOWERS": Mutation(
        "a SequenceReset does not lower the expected number", "11.c-reset-backwards",
        code=(fix_recovery, "take_reset", take_gap_fill_blindly),
    ),
    "RESET-NUMBER": Mutation(
        "a SequenceReset is taken whatever its own number", "11.a-reset",
        code=(fix_recovery, "take_reset", reset_by_number),
    ),
    "LOGOUT": Mutation(
        "a Logout is answered", "13.b-unsolicited-logout",
        code=(fix_handshake, "take_logout", keep_silent_at_logout),
    ),
    "NO-DICTIONARY": Mutation(
        "a message is validated", "14.b-required-missing",
        code=(fix_session.FixSession, "_in_turn", take_anything),
    ),
    "REASON": Mutation(
        "SessionRejectReason(373) is the right one", "14.d-empty",
        outgoing=changed(b"3", t373=b"99"),
    ),
    "REF-TAG": Mutation(
        "RefTagID(371) names the field", "14.e-enumeration", outgoing=changed(b"3", t371=None),
    ),
    "REF-SEQ-NUM": Mutation(
        "RefSeqNum(45) names the message", "14.f-format", outgoing=raised(b"3", b"45"),
    ),
    "REJECT-FREE": Mutation(
        "a rejected message uses its number", "14.h-twice",
        code=(fix_link.FixLink, "reject", reject_without_counting),
    ),
    "ROUTE": Mutation(
        "a Reject goes back the way the message came", "reverse-route",
        outgoing=changed(b"3", t128=None),
    ),
    "POSS-RESEND": Mutation(
        "a possible resend that was seen is not processed again", "19.a-resend-seen",
        incoming=lambda octets: right_sums(octets.replace(b"\x0197=Y", b"\x0197=N")),
    ),
    "SELFISH": Mutation(
        "a ResendRequest is served while one's own is open", "20-both-sides-miss",
        code=(fix_recovery, "_serve_resend", serve_nothing_in_a_gap),
    ),
}  # fmt: skip


# --- putting them in -----------------------------------------------------------------------------


def _client(first: Any) -> str:
    """CompID of whom a call is about: of a session, a link, or their configuration."""
    config = getattr(first, "config", first)
    return str(config.client.decode())


def _replace(owner: Any, attribute: str) -> None:
    original = getattr(owner, attribute)
    mine = {
        name: mutation.code[2]
        for name, mutation in MUTATIONS.items()
        if mutation.code is not None and mutation.code[:2] == (owner, attribute)
    }

    def call(first: Any, *arguments: Any, **named: Any) -> Any:
        replacement = mine.get(_client(first))
        if replacement is None:
            return original(first, *arguments, **named)
        return replacement(original, first, *arguments, **named)

    setattr(owner, attribute, call)


def break_rules() -> None:
    """Put all mutations in."""
    for owner, attribute in {m.code[:2] for m in MUTATIONS.values() if m.code is not None}:
        _replace(owner, attribute)

    let_in = FixPeer.let_in

    def let_in_mutated(self: FixPeer, link: Any, wire: Any, now_ns: int) -> None:
        mutation = MUTATIONS.get(_client(self.session))
        if mutation is not None and mutation.outgoing is not None:
            wire = MutatedWire(wire, mutation.outgoing)
        let_in(self, link, wire, now_ns)

    FixPeer.let_in = let_in_mutated  # type: ignore[method-assign]

    updated = Connection.buffer_updated

    def buffer_updated(self: Connection, nbytes: int) -> None:
        mutation = MUTATIONS.get(_client(self.peer.session)) if self.peer is not None else None
        if mutation is not None and mutation.incoming is not None:
            start = len(self._carried)
            view = self._hub.buffer[start : start + nbytes]
            view[:] = mutation.incoming(bytes(view))
        updated(self, nbytes)

    Connection.buffer_updated = buffer_updated  # type: ignore[method-assign]


if __name__ == "__main__":
    break_rules()
    main(sys.argv[1:])
