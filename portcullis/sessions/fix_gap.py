"""What is missing of a session's inbound numbers, and what waits behind it.

Owns the messages that came ahead of their turn, as bytes, and the one ResendRequest that may be
outstanding. Must not know messages nor the store: the session tells it numbers and asks.

Invariants: every held number is at or above the expected one; held messages and bytes stay within
their bounds (what does not fit is dropped, and asked for again because `highest` still tells of
it); at most one request is outstanding.

A request asks from the expected number to 0, that is to the last the peer has sent. What arrives
before the first message of the answer was sent before the peer served the request, so the answer
covers it: until then the range of the request grows with what is seen. With a chunk, a request
names its end; once that has passed, the next one is due.
"""

from __future__ import annotations

from sortedcontainers import SortedDict


class Gap:
    """The gap of one session. Times in nanoseconds."""

    def __init__(
        self,
        messages_max: int,
        bytes_max: int,
        request_timeout_ns: int,
        requests_max: int,
        chunk: int = 0,
    ) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._request_timeout_ns = request_timeout_ns
        self._requests_max = requests_max
        # Messages asked for at once; 0: all that is missing.
        self._chunk = chunk
        self.clear()

    def clear(self) -> None:
        """Forget everything: the connection is gone, or the numbers begin anew."""
        # Number to message; None: answered already, only its number is still to be counted.
        self._held: SortedDict = SortedDict()
        self._held_bytes = 0
        # The highest number seen ahead of its turn, whether held or dropped.
        self.highest = 0
        # The outstanding request: its first number (0: none), the last that its answer covers,
        # and whether that answer has begun.
        self._request_begin = 0
        self._request_end = 0
        self._answered = False
        self._deadline_ns = 0
        # Requests in a row with the same first number.
        self._like_begin = 0
        self._like_requests = 0

    @property
    def is_asked(self) -> bool:
        """Whether a ResendRequest is outstanding."""
        return self._request_begin != 0

    @property
    def deadline_ns(self) -> int:
        """When the outstanding request is given up; 0: there is none."""
        return self._deadline_ns if self._request_begin else 0

    def is_open(self, next_in: int) -> bool:
        """Whether a message beyond the expected number has been seen."""
        return self.highest >= next_in

    def holds(self, msg_seq_num: int) -> bool:
        """Whether this message is held."""
        return msg_seq_num in self._held

    def peek(self, msg_seq_num: int) -> bytes | None:
        """The held message of this number; None: answered already."""
        message: bytes | None = self._held[msg_seq_num]
        return message

    def hold(self, msg_seq_num: int, message: bytes | None) -> bool:
        """Keep a message for its turn; False: there is no room, and it was dropped."""
        self.highest = max(self.highest, msg_seq_num)
        if not self._answered and not self._chunk:
            self._request_end = self.highest
        if msg_seq_num in self._held:
            return True
        size = len(message) if message is not None else 0
        if len(self._held) >= self._messages_max or self._held_bytes + size > self._bytes_max:
            return False
        self._held[msg_seq_num] = message
        self._held_bytes += size
        return True

    def drop(self, msg_seq_num: int) -> None:
        """This held message is dealt with, though its number is still expected."""
        message = self._held.pop(msg_seq_num)
        self._held_bytes -= len(message) if message is not None else 0

    def moved(self, next_in: int, now_ns: int) -> None:
        """The expected number moved: forget what is below it, and a request it has passed."""
        while self._held and self._held.keys()[0] < next_in:
            _, message = self._held.popitem(0)
            self._held_bytes -= len(message) if message is not None else 0
        if not self.is_open(next_in) or next_in > self._request_end:
            self._request_begin = 0
        elif self._request_begin and next_in > self._request_begin:
            self._answered = True
            self._deadline_ns = now_ns + self._request_timeout_ns

    def must_request(self, next_in: int) -> bool:
        """Whether a ResendRequest from the expected number is due now."""
        return self._request_begin == 0 and self.is_open(next_in)

    def end_to_ask(self, next_in: int) -> int:
        """EndSeqNo(16) of a request from next_in: 0, all there is, or the end of a chunk."""
        if not self._chunk:
            return 0
        return min(next_in + self._chunk - 1, max(next_in, self.highest - 1))

    def requested(self, next_in: int, now_ns: int, end: int = 0) -> None:
        """A ResendRequest from next_in to end was sent, or the peer is known to resend unasked."""
        self._like_requests = self._like_requests + 1 if next_in == self._like_begin else 1
        self._like_begin = next_in
        self._request_begin = next_in
        self._request_end = end or self.highest
        self._answered = False
        self._deadline_ns = now_ns + self._request_timeout_ns

    def put_off(self, now_ns: int) -> None:
        """The peer may not have seen the request yet: its time begins now."""
        if self._request_begin:
            self._deadline_ns = now_ns + self._request_timeout_ns

    def expire(self, next_in: int, now_ns: int) -> bool:
        """Give up a request that was not answered in time; False: it was the last of its kind.

        After True `must_request` says whether to ask again.
        """
        if self._request_begin == 0 or now_ns < self._deadline_ns:
            return True
        self._request_begin = 0
        return next_in != self._like_begin or self._like_requests < self._requests_max
