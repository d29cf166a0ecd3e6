"""The seam between a session and what numbers, keeps and sends its messages.

Owns the protocol `SequenceStore`: a session says what to send and which inbound number it expects
next; the store numbers, stamps, frames, keeps and transmits. In the gateway the store is the
journal (rows, then a cursor over them); for clients and tests it is `memory_store.MemoryStore`.
Must not know the rules of a session.

Who owns the inbound number: `FixLane.next_in` of the session is the one live value; lane and state
machine both work on it. The store keeps the durable one: `next_in` below, read once, when the
`FixSession` is made; a FixSession lives as long as its process and outlives its connections.
It moves in three ways, never backwards but by `reset`:
    send(..., in_seq=n)   the answer to inbound message n: expected is then n + 1
    application rows      the application writes n into its own rows (gateway), or calls advance
    advance(next_in)      the number moved and nothing else says so (a Heartbeat, a gap fill)
`advance` may be called many times a turn; a store may write it down once at the end of the turn,
with the newest number, and not at all where a later row of the session already says as much.
"""

from __future__ import annotations

from typing import Protocol


class SequenceStore(Protocol):
    """What a session needs of the place where its numbers and messages are kept."""

    @property
    def next_in(self) -> int:
        """The next inbound number expected, as far as it is written down."""

    @property
    def next_out(self) -> int:
        """The number after the last one a peer can have seen, what is queued included."""

    @property
    def last_sent_ns(self) -> int:
        """When bytes last went out to the peer of this connection; 0: none did."""

    @property
    def is_resending(self) -> bool:
        """Whether messages asked for by `resend` have yet to go out."""

    def attach(self) -> None:
        """Messages sent from now on go to the connection: called just before the first of them.

        What was numbered before is not sent by itself; the peer asks for it.
        """

    def detach(self) -> None:
        """The connection is gone: sending and resending stop, numbering does not."""

    def send(
        self,
        msg_type: bytes,
        body: bytes,
        *,
        header: bytes = b"",
        in_seq: int = 0,
        poss_resend: bool = False,
    ) -> None:
        """Number a message, keep it, and send it if attached.

        body: raw fields "tag=value<SOH>" in output order. header: raw header fields above 97 in
        ascending order (routing). in_seq: number of the inbound message this one answers; the
        expected number becomes in_seq + 1; 0 moves nothing. poss_resend: send 97=Y.
        """

    def advance(self, next_in: int) -> None:
        """The expected inbound number is now next_in."""

    @property
    def reset_asked_ns(self) -> int:
        """When a reset was last asked for, nanoseconds since the epoch; 0: never."""

    def reset(self, next_out: int, next_in: int, *, asked: bool = False) -> None:
        """Begin a new epoch: nothing before it is sent again by its number.

        asked: their Logon asked for it.
        """

    def resend(self, begin: int, end: int) -> None:
        """Send numbers begin to end again (both included; 0: to the last), then go on as before.

        Application messages go out with 43=Y and 122, each run of session messages as one
        SequenceReset-GapFill. end beyond the last number stops there. Called while an earlier
        request is being served, it widens that one.
        """
