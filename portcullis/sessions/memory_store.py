"""A sequence store in memory, for clients and tests: numbers, keeps and frames what is sent.

Owns the list of sent messages of one session's epoch and the bytes not yet taken by a transport.
The gateway does the same over rows; this one shows what is asked of it. Must not know the rules
of a session. Nothing survives the process: a client that must not lose its numbers gives them to
a new store.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from portcullis.dictionaries.fix_tags import (
    BEGIN_STRING,
    BODY_LENGTH,
    CHECK_SUM,
    GAP_FILL_FLAG,
    LAST_MSG_SEQ_NUM_PROCESSED,
    MSG_SEQ_NUM,
    MSG_TYPE,
    NEW_SEQ_NO,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    POSS_RESEND,
    SENDER_COMP_ID,
    SENDING_TIME,
    TARGET_COMP_ID,
)
from portcullis.sessions.fix_admin import ADMIN_TYPES, REJECT, SEQUENCE_RESET, field
from portcullis.sessions.fix_config import FixSessionConfig


class _Sent(NamedTuple):
    msg_type: bytes
    header: bytes
    body: bytes
    poss_resend: bool
    time_ns: int


class MemoryStore:
    """A `SequenceStore`. The owner sets `time_ns` before each call of the session.

    kept_max: messages beyond it are forgotten, oldest first; asked for, they are gap-filled.
    """

    def __init__(
        self,
        config: FixSessionConfig,
        *,
        next_out: int = 1,
        next_in: int = 1,
        kept_max: int = 100_000,
    ) -> None:
        self.time_ns = 0
        self.reset_asked_ns = 0
        self._config = config
        self._kept_max = kept_max
        self._next_in = next_in
        # Number of the first message in _sent.
        self._first = next_out
        self._sent: list[_Sent] = []
        self._attached = False
        self._last_sent_ns = 0
        self._output: list[bytes] = []
        self._not_again = ADMIN_TYPES - {REJECT} if config.resend_rejects else ADMIN_TYPES
        # Among the output there is some of a resend.
        self.is_resending = False

    @property
    def next_in(self) -> int:
        """The next inbound number expected."""
        return self._next_in

    @property
    def next_out(self) -> int:
        """The number that the next message will have."""
        return self._first + len(self._sent)

    @property
    def last_sent_ns(self) -> int:
        """When bytes last went out to the peer of this connection; 0: none did."""
        return self._last_sent_ns

    def take(self) -> bytes:
        """The bytes to write; they are the caller's from now on."""
        output, self._output = b"".join(self._output), []
        self.is_resending = False
        return output

    def attach(self) -> None:
        """Messages sent from now on go to the connection."""
        self._attached = True

    def detach(self) -> None:
        """The connection is gone; what was not taken is kept for a ResendRequest."""
        self._attached = self.is_resending = False
        self._last_sent_ns = 0
        self._output.clear()

    def send(
        self,
        msg_type: bytes,
        body: bytes,
        *,
        header: bytes = b"",
        in_seq: int = 0,
        poss_resend: bool = False,
    ) -> None:
        """Number a message, keep it, and send it if attached."""
        number = self.next_out
        self._sent.append(_Sent(msg_type, header, body, poss_resend, self.time_ns))
        if in_seq:
            self._next_in = in_seq + 1
        if self._attached:
            self._put(number, self._sent[-1], resent=False)
        if len(self._sent) > 2 * self._kept_max:
            surplus = len(self._sent) - self._kept_max
            del self._sent[:surplus]
            self._first += surplus

    def advance(self, next_in: int) -> None:
        """The expected inbound number is now next_in."""
        self._next_in = next_in

    def reset(self, next_out: int, next_in: int, *, asked: bool = False) -> None:
        """Begin a new epoch: nothing before it is sent again."""
        if asked:
            self.reset_asked_ns = self.time_ns
        self._first, self._next_in = next_out, next_in
        self._sent.clear()

    def resend(self, begin: int, end: int) -> None:
        """Send numbers begin to end again; 0: to the last."""
        self.is_resending = True
        last = self.next_out - 1
        end = last if end == 0 else min(end, last)
        fill_from = 0
        for number in range(begin, end + 1):
            sent = self._sent[number - self._first] if number >= self._first else None
            if sent is None or sent.msg_type in self._not_again:
                fill_from = fill_from or number
                continue
            if fill_from:
                self._fill(fill_from, number)
                fill_from = 0
            self._put(number, sent, resent=True)
        if fill_from:
            self._fill(fill_from, end + 1)

    def _fill(self, number: int, new_seq_no: int) -> None:
        """A SequenceReset-GapFill in place of the session messages from `number` on."""
        index = number - self._first
        time_ns = self._sent[index].time_ns if index >= 0 else self.time_ns
        body = field(NEW_SEQ_NO, new_seq_no) + field(GAP_FILL_FLAG, b"Y")
        self._put(number, _Sent(SEQUENCE_RESET, b"", body, False, time_ns), resent=True)

    def _put(self, number: int, sent: _Sent, *, resent: bool) -> None:
        self._last_sent_ns = self.time_ns
        digits = self._config.timestamp_digits
        fields = field(MSG_TYPE, sent.msg_type) + field(MSG_SEQ_NUM, number)
        if resent:
            fields += field(POSS_DUP_FLAG, b"Y")
        fields += field(SENDER_COMP_ID, self._config.comp_id)
        fields += field(SENDING_TIME, utc_timestamp(self.time_ns, digits))
        fields += field(TARGET_COMP_ID, self._config.client)
        if sent.poss_resend:
            fields += field(POSS_RESEND, b"Y")
        header = sent.header
        if resent:
            # A clock set back since must not make it later than this sending.
            first_ns = min(sent.time_ns, self.time_ns)
            header = _merged(header, field(ORIG_SENDING_TIME, utc_timestamp(first_ns, digits)))
        if self._config.last_processed:
            header = _merged(header, field(LAST_MSG_SEQ_NUM_PROCESSED, self._next_in - 1))
        fields += header + sent.body
        start = field(BEGIN_STRING, self._config.begin_string) + field(BODY_LENGTH, len(fields))
        total = (sum(start) + sum(fields)) & 0xFF
        self._output.append(start + fields + field(CHECK_SUM, b"%03d" % total))


def _merged(header: bytes, extra: bytes) -> bytes:
    """Header fields with one more, ascending."""
    fields = [*header.split(b"\x01")[:-1], extra[:-1]]
    fields.sort(key=lambda pair: int(pair.partition(b"=")[0]))
    return b"\x01".join(fields) + b"\x01"


def utc_timestamp(time_ns: int, digits: int = 3) -> bytes:
    """A UTCTimestamp with so many digits of fraction, 0 to 9."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    whole = moment.strftime("%Y%m%d-%H:%M:%S").encode()
    return whole + (b".%09d" % rest_ns)[: digits + 1] if digits else whole
