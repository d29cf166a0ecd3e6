"""One received FIX message as the state machine reads it, and the scanner it comes from.

Owns the view `FixMessage` that the slow path makes of one scanned message, so that of the state
machine's files only this one knows the scanner's tables (the fast path, `fix_lane`, reads them
itself). Must not know the rules of a session.
"""

from __future__ import annotations

from typing import Any, Protocol

from portcullis.codecs.fix.layout import (
    FLAG_BEGIN_STRING_DIFFERS,
    FLAG_POSS_DUP,
    FLAG_POSS_RESEND,
    M_END,
    M_FIELD_COUNT,
    M_FIRST_FIELD,
    M_FLAGS,
    M_MSG_SEQ_NUM,
    M_ORIG_SENDING_TIME,
    M_REJECT_REASON,
    M_REJECT_TAG,
    M_SENDING_TIME,
    M_START,
    M_STATUS,
    MSG_GARBLED,
    MSG_OK,
    MSG_WORDS,
)
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tables import FixTables
from portcullis.dictionaries.fix_tags import (
    BEGIN_STRING,
    MSG_TYPE,
    SENDER_COMP_ID,
    TARGET_COMP_ID,
)


class Scanner(Protocol):
    """What sessions and applications use of `codecs.fix.scanner.FixScanner`."""

    @property
    def octets(self) -> Any:
        """The buffer, bytes as a memoryview."""

    @property
    def tag(self) -> Any:
        """Tags of the fields scanned, with value_start and value_end beside them."""

    @property
    def value_start(self) -> Any:
        """Offset of each value in the buffer."""

    @property
    def value_end(self) -> Any:
        """Offset behind each value."""

    @property
    def message(self) -> Any:
        """The message table, MSG_WORDS words a message."""

    def scan(self, start: int, end: int) -> int:
        """Scan octets[start:end]; give the number of messages found."""


class FixMessage:
    """A copy of one scanned message: it outlives the scanner's buffer.

    Where is_garbled or is_too_long says so, there are no fields and nothing else is meaningful.
    """

    def __init__(self, scanner: Scanner, index: int) -> None:
        words = scanner.message[index * MSG_WORDS : (index + 1) * MSG_WORDS]
        status = words[M_STATUS]
        self.is_garbled = status == MSG_GARBLED
        self.is_too_long = status not in (MSG_OK, MSG_GARBLED)
        self.octets = bytes(scanner.octets[words[M_START] : words[M_END]])
        flags = words[M_FLAGS]
        self.begin_string_differs = bool(flags & FLAG_BEGIN_STRING_DIFFERS)
        self.poss_dup = bool(flags & FLAG_POSS_DUP)
        self.poss_resend = bool(flags & FLAG_POSS_RESEND)
        # -1: missing, or not a number.
        self.msg_seq_num: int = words[M_MSG_SEQ_NUM]
        # Nanoseconds since the epoch; -1: missing, or not a time.
        self.sending_time_ns: int = words[M_SENDING_TIME]
        self.orig_sending_time_ns: int = words[M_ORIG_SENDING_TIME]
        # SessionRejectReason(373) of the first fault, -1: valid; and its RefTagID(371).
        self.reject_reason: int = words[M_REJECT_REASON]
        self.reject_tag: int = words[M_REJECT_TAG]
        first = words[M_FIRST_FIELD]
        # The first value of each tag; of session messages none may stand twice outside groups.
        self._values: dict[int, bytes] = {}
        for field in range(first, first + words[M_FIELD_COUNT]):
            start, end = scanner.value_start[field], scanner.value_end[field]
            self._values.setdefault(scanner.tag[field], bytes(scanner.octets[start:end]))
        self.msg_type = self._values.get(MSG_TYPE, b"")

    def get(self, tag: int) -> bytes | None:
        """The value of a field, None where it is absent."""
        return self._values.get(tag)

    def get_int(self, tag: int, absent: int) -> int:
        """The value of an integer field; `absent` where there is none, or it is no integer.

        The dictionary has said so before, where its checks are not switched off.
        """
        value = self._values.get(tag)
        try:
            return absent if value is None else int(value)
        except ValueError:
            return absent


class Scratch:
    """A scanner over a buffer of its own, where kept messages are scanned when they are needed."""

    def __init__(self, tables: FixTables, max_message_bytes: int = 65536) -> None:
        self._buffer = bytearray(max_message_bytes)
        self._scanner = FixScanner(
            tables, self._buffer, max_message_bytes=max_message_bytes, messages_max=1
        )

    def scan(self, octets: bytes) -> tuple[FixMessage, Scanner, int]:
        """The message, the scanner that holds it until the next call, and its index there.

        octets: one message as a scanner with the same tables and bounds framed it.
        """
        self._buffer[: len(octets)] = octets
        self._scanner.scan(0, len(octets))
        return FixMessage(self._scanner, 0), self._scanner, 0


def identity_of(scanner: Scanner, index: int) -> tuple[bytes, bytes, bytes] | None:
    """BeginString(8), SenderCompID(49), TargetCompID(56) as a peer sent them, or None.

    What finds the session that a new connection's first message belongs to. None: it names none.
    """
    message = FixMessage(scanner, index)
    begin_string = message.get(BEGIN_STRING)
    sender, target = message.get(SENDER_COMP_ID), message.get(TARGET_COMP_ID)
    if not begin_string or not sender or not target:
        return None
    return begin_string, sender, target
