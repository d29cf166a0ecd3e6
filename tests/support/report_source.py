"""A stream's messages in lists: what the servers of refills are tested against."""

from __future__ import annotations

from collections.abc import Sequence


class ListSource:
    """Implements `gateway.retransmission.Source`. logs: messages by session, the live one last."""

    def __init__(self, **logs: list[bytes]) -> None:
        self.logs = {name.removeprefix("s"): log for name, log in logs.items()}
        # What the journal has beyond them.
        self.arriving: list[bytes] = []

    @property
    def session(self) -> str:
        return next(reversed(self.logs), "")

    def catch_up(self) -> None:
        self.logs[self.session] += self.arriving
        self.arriving = []

    def next_sequence(self, session: str) -> int:
        return len(self.logs[session]) + 1 if session in self.logs else 0

    def messages(self, session: str, sequence: int, count: int, bytes_max: int) -> Sequence[bytes]:
        found: list[bytes] = []
        for one in self.logs.get(session, [])[sequence - 1 :][:count]:
            bytes_max -= len(one) + 2
            if found and bytes_max < 0:
                break
            found.append(one)
        return found
