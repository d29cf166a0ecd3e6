"""What is agreed with one FIX counterparty: identity, time limits, bounds.

Owns the settings of a session and their defaults; each bound says why it has its size. Knows no
file: the gateway reads them from TOML. Specification: docs/rules-of-engagement.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

SECOND_NS = 1_000_000_000


class Role(IntEnum):
    """Which side of the session we are."""

    ACCEPTOR = 0
    INITIATOR = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FixSessionConfig:
    """Settings of one session. Times in nanoseconds, HeartBtInt in seconds as FIX has it."""

    # BeginString(8): the version, as the dictionary has it that the scanner was made from.
    begin_string: bytes
    # SenderCompID(49) of what we send, and of what they send.
    comp_id: bytes
    client: bytes
    role: Role = Role.ACCEPTOR
    # Application types that `Application.on_messages` takes; others named in the dictionary get j.
    application_types: frozenset[bytes] = frozenset((b"D", b"F", b"G", b"H", b"q", b"AF"))
    # Initiator: asked for in our Logon. An acceptor echoes what it is given.
    heart_bt_int: int = 30
    # What we take of theirs: from none at all to a day; more would mean none.
    heart_bt_int_min: int = 0
    heart_bt_int_max: int = 86_400
    username: bytes = b""
    password: bytes = field(default=b"", repr=False)
    # Both numbers to 1 at each Logon, whoever asks (QuickFIX: ResetOnLogon). Initiator: 141=Y.
    reset_on_logon: bool = False
    # "always", "once_per_day" (a day of UTC) or "never": whether their 141=Y is honoured.
    accept_reset: str = "always"
    # "silent" or "logout": how a Logon that fails authentication is answered.
    logon_reject: str = "silent"
    # NextExpectedMsgSeqNum(789) in our Logons, and theirs obeyed.
    next_expected: bool = False
    # LastMsgSeqNumProcessed(369) in all that we send: what has been taken when it goes out.
    last_processed: bool = False
    # Fraction digits of the times that we send, 0 to 9.
    timestamp_digits: int = 3
    # SendingTime(52) may differ so much from our clock; QuickFIX's default.
    sending_time_window_ns: int = 120 * SECOND_NS
    # A peer that says nothing is not worth a socket: time for the Logon and its answer.
    logon_timeout_ns: int = 10 * SECOND_NS
    # After our Logout: time for theirs. After our answer to theirs: time for them to close.
    logout_timeout_ns: int = 2 * SECOND_NS
    close_timeout_ns: int = 2 * SECOND_NS
    # A second connection came: the old one must show life within this time.
    probe_timeout_ns: int = 2 * SECOND_NS
    # From one such TestRequest to the next: who keeps knocking spends few of our numbers.
    probe_interval_ns: int = 10 * SECOND_NS
    # Our ResendRequest is asked again when the gap stands for so long; at most this often in vain.
    resend_timeout_ns: int = 10 * SECOND_NS
    resend_requests_max: int = 3
    # So many messages are asked for at once, then the next so many; 0: all that is missing.
    resend_chunk: int = 0
    # Whether our Rejects are sent again when asked for, the one session message that may be.
    resend_rejects: bool = False
    # Messages ahead of a gap, and those that came while a Logon is being authenticated. Enough
    # for a second of a busy client; what does not fit is dropped and asked for again.
    held_messages_max: int = 4096
    held_bytes_max: int = 2_097_152
