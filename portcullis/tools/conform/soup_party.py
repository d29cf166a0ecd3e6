"""A SoupBinTCP client of a scenario, with OUCH inside.

Owns login and what counts as a Heartbeat. Sequence numbers are implicit: the login answer says
the first, each sequenced message is the next. Must not know what a scenario expects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portcullis.tools.conform.binary_layouts import OUCH_OUT
from portcullis.tools.conform.matching import FieldCheck, Verdict
from portcullis.tools.conform.party import StreamParty
from portcullis.tools.conform.scenario import Step, Verb
from portcullis.tools.conform.values import number_of
from portcullis.tools.conform.wire import Fields, Message, SoupWire, StreamWire


class SoupParty(StreamParty):
    """One user's side. sequence: number of the next sequenced message; session: its name."""

    past_s = 0.5
    sequence = 1
    session = ""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._tokens: list[str] = []

    def new_wire(self) -> StreamWire:
        self.wire = wire = SoupWire()
        return wire

    def on_connect(self) -> None:
        """Nothing: the numbers are the session's."""

    def local(self) -> Mapping[str, str]:
        return {
            "user": self.client.name,
            "password": self.client.password,
            "session": self.session,
            "sequence": str(self.sequence),
        }

    def logon(self, step: Step) -> tuple[Step, list[Step]]:
        fields = {
            "username": self.client.name,
            "password": self.client.password,
            "session": self.session,
            # What is behind is of no interest to a scenario that begins.
            "sequence": str(self.sequence) if self.is_known else "0",
        }
        fields |= dict(step.fields)
        return (
            Step(
                step.line, step.text, Verb.SEND, step.client, "LoginRequest", tuple(fields.items())
            ),
            [Step(step.line, step.text, Verb.EXPECT, step.client, "LoginAccepted")],
        )

    def logout(self, step: Step) -> tuple[Step, Step | None]:
        return Step(step.line, step.text, Verb.SEND, step.client, "LogoutRequest"), None

    def encode(self, msg_type: str, fields: Fields, counts: bool) -> bytes:
        if msg_type in ("EnterOrder", "ReplaceOrder"):
            given = dict(fields)
            self._tokens.append(given.get("replacement", given.get("token", "")))
            self.leaves_orders = True
        return self.wire.encode(msg_type, fields)

    def sent(self, octets: bytes) -> None:
        """Nothing to note."""

    def header_checks(self, step: Step, message: Message) -> list[FieldCheck]:
        return [
            FieldCheck("frame", "well formed", fault, Verdict.DIFFERS) for fault in message.faults
        ]

    def took(self, message: Message) -> None:
        if message.type == "LoginAccepted":
            self.session = message.get("session") or ""
            self.sequence = number_of(message.get("sequence")) or 1
            self.is_known = True
        elif message.type in OUCH_OUT:
            self.sequence += 1

    def is_passed_over(self, message: Message, expected: Sequence[Step]) -> bool:
        unasked = ("ServerHeartbeat", "Debug")
        return message.type in unasked and not any(step.message in unasked for step in expected)

    def goodbye(self) -> list[bytes]:
        """Cancel what rests, and log out."""
        cancels = [
            self.wire.encode("CancelOrder", [("token", token), ("shares", "0")])
            for token in self._tokens
        ]
        self._tokens.clear()
        self.leaves_orders = False
        return [*cancels, self.encode("LogoutRequest", [], False)]

    def is_goodbye(self, message: Message) -> bool:
        return message.type == "EndOfSession"
