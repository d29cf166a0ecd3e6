"""A subscriber of a MoldUDP64 stream, who also asks for what it missed.

Owns which message of the stream is the next, and what the last answer held. `logon` is joining:
the first packet says session and number. The stream goes on whatever a scenario waits for: of it
is passed over what is in order and not waited for. Must not know what a scenario expects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portcullis.tools.conform.datagram_link import DatagramLink
from portcullis.tools.conform.link import Link
from portcullis.tools.conform.matching import FieldCheck, Verdict
from portcullis.tools.conform.party import Party
from portcullis.tools.conform.scenario import Step, Verb
from portcullis.tools.conform.target import parse_address
from portcullis.tools.conform.wire import Fields, Message, MoldWire

ANSWER, END = "Answer", "EndOfSession"


class MoldParty(Party):
    """One subscriber: client A listens to the first line of the stream, B to the second.

    session: the stream's; sequence: number of its next message; next: of the message behind the
    last answer. The end of a session may be said long after the next one has begun.
    """

    session = ""
    sequence = next = 1

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        # Sessions that have ended: the number behind the last message of each.
        self._ends: dict[str, str] = {}

    async def open(self) -> Link:
        self.wire = wire = MoldWire()
        target = self.target
        line = min(ord(self.letter) - ord("A"), len(target.groups) - 1)
        return DatagramLink(
            wire, parse_address(target.groups[line]), target.interface, (target.host, target.port)
        )

    def on_connect(self) -> None:
        """Nothing is known before the first packet."""
        self.forget()
        self._ends.clear()

    def local(self) -> Mapping[str, str]:
        return {
            "session": self.session, "sequence": str(self.sequence), "next": str(self.next)
        }  # fmt: skip

    def logon(self, step: Step) -> tuple[None, list[Step]]:
        return None, [
            Step(step.line, step.text, Verb.EXPECT, step.client, kind, step.fields)
            for kind in ("Heartbeat", "Packet")
        ]

    def logout(self, step: Step) -> tuple[None, None]:
        return None, None

    def encode(self, msg_type: str, fields: Fields, counts: bool) -> bytes:
        values = {"session": self.session, "sequence": str(self.sequence), "count": "1"}
        return self.wire.encode(msg_type, list((values | dict(fields)).items()))

    def sent(self, octets: bytes) -> None:
        """Nothing to note."""

    def header_checks(self, step: Step, message: Message) -> list[FieldCheck]:
        named = {name for name, _ in step.fields}
        checks = [
            FieldCheck("frame", "well formed", fault, Verdict.DIFFERS) for fault in message.faults
        ]
        for name, value in self._in_order(message).items():
            received = message.get(name) or ""
            if name not in named:
                verdict = Verdict.OK if received == value else Verdict.DIFFERS
                checks.append(FieldCheck(name, value, received, verdict))
        return checks

    def _in_order(self, message: Message) -> dict[str, str]:
        """What a message's header has to say."""
        if not self.is_known:
            return {}
        if message.type == ANSWER:
            return {"session": self.session}
        session = message.get("session") or ""
        if message.type == END and session in self._ends:
            return {"sequence": self._ends[session]}
        if message.type == END and session != self.session:
            return {}  # one that ended before we came
        if self.session in self._ends:
            return {}  # the next session begins
        return {"session": self.session, "sequence": str(self.sequence)}

    def took(self, message: Message) -> None:
        session, sequence = message.get("session") or "", message.get("sequence") or "0"
        behind = int(sequence) + sum(name == "message" for name, _ in message.fields)
        if message.type == ANSWER:
            self.next = behind
            return
        if message.type == END:
            self._ends.setdefault(session, sequence)
        if message.type != END or not self.is_known:
            self.session, self.sequence = session, behind
            self.is_known = True

    def is_passed_over(self, message: Message, expected: Sequence[Step]) -> bool:
        if message.type == ANSWER or any(step.message == message.type for step in expected):
            return False
        checks = self.header_checks(Step(0, "", Verb.EXPECT), message)
        return all(check.holds for check in checks)

    def goodbye(self) -> list[bytes]:
        """Nobody is told."""
        return []

    def is_goodbye(self, message: Message) -> bool:
        return False
