"""A FIX client of a scenario: sequence numbers both ways, headers, Logon and Logout.

Owns what FIX 4.4 says of every message, so that scenarios say only what they are about. It keeps
numbers as a peer does: a received message must have the next one, unless it is a possible
duplicate. Must not know what a scenario expects beyond that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from portcullis.tools.conform.fix_names import field_name
from portcullis.tools.conform.matching import FieldCheck, Verdict
from portcullis.tools.conform.party import StreamParty
from portcullis.tools.conform.scenario import ABSENT, Step, Verb
from portcullis.tools.conform.values import number_of, utc
from portcullis.tools.conform.wire import Fields, FixWire, Message, StreamWire

HEART_BT_INT_S = "30"
_TIME = re.compile(r"\d{8}-\d{2}:\d{2}:\d{2}(\.\d{1,12})?")


class FixParty(StreamParty):
    """One FIX session's side. next_out: our next number, next_in: theirs."""

    next_out = 1
    next_in = 1

    @property
    def us(self) -> str:
        """The CompID that we send."""
        return self.client.name

    @property
    def them(self) -> str:
        """The CompID that we are sent."""
        return self.target.comp_id

    def new_wire(self) -> StreamWire:
        self.wire = wire = FixWire()
        return wire

    def on_connect(self) -> None:
        if self.resets_by_itself or not self.is_known:
            self.next_out = self.next_in = 1

    def local(self) -> Mapping[str, str]:
        return {
            "us": self.us,
            "them": self.them,
            "next": str(self.next_out),
            "theirs": str(self.next_in),
            "password": self.client.password,
        }

    def logon(self, step: Step) -> tuple[Step, list[Step]]:
        given = dict(step.fields)
        fields = {"98": "0", "108": HEART_BT_INT_S}
        answer = {"98": "0", "108": given.get("108", HEART_BT_INT_S)}
        if not self.is_known and not self.resets_by_itself:
            fields["141"] = answer["141"] = "Y"
        if self.client.password:
            fields |= {"553": self.client.name, "554": self.client.password}
        fields |= given
        return (
            Step(step.line, step.text, Verb.SEND, step.client, "A", tuple(fields.items())),
            [Step(step.line, step.text, Verb.EXPECT, step.client, "A", tuple(answer.items()))],
        )

    def logout(self, step: Step) -> tuple[Step, Step | None]:
        return (
            Step(step.line, step.text, Verb.SEND, step.client, "5", step.fields),
            Step(step.line, step.text, Verb.EXPECT, step.client, "5"),
        )

    def encode(self, msg_type: str, fields: Fields, counts: bool) -> bytes:
        given = dict(fields)
        if msg_type == "A" and given.get("141") == "Y" and counts:
            self.next_out = self.next_in = 1
        header = {
            "34": str(self.next_out),
            "49": self.us,
            "52": utc(self.now_ns()),
            "56": self.them,
        }
        left_out = {tag for tag, value in fields if value == ABSENT}
        whole = [(tag, value) for tag, value in header.items() if tag not in given]
        whole += [(tag, value) for tag, value in fields if tag not in left_out]
        number = given.get("34", header["34"])
        if counts and (counted := number_of(number)) is not None:
            self.next_out = max(self.next_out, counted + 1)
        return self.wire.encode(msg_type, sorted(whole, key=_header_place))

    def sent(self, octets: bytes) -> None:
        if b"\x0135=D\x01" in octets and self.target.application == "orders":
            self.leaves_orders = True

    def header_checks(self, step: Step, message: Message) -> list[FieldCheck]:
        named = {tag for tag, _ in step.fields}
        duplicate = message.get("43") == "Y"
        checks = [
            FieldCheck("frame", "well formed", fault, Verdict.DIFFERS) for fault in message.faults
        ]
        expected = {"8": "FIX.4.4", "49": self.them, "56": self.us}
        if not duplicate:
            expected["34"] = str(self.next_in)
        for tag, value in expected.items():
            if tag in named:
                continue
            received = message.get(tag)
            verdict = Verdict.OK if received == value else Verdict.DIFFERS
            checks.append(FieldCheck(field_name(tag), value, received or "", verdict))
        sent = message.get("52") or ""
        if "52" not in named and not _TIME.fullmatch(sent):
            checks.append(FieldCheck(field_name("52"), "a UTC time", sent, Verdict.DIFFERS))
        if duplicate and "43" not in named:
            checks.append(FieldCheck(field_name("43"), "(absent)", "Y", Verdict.UNEXPECTED))
        return checks

    def took(self, message: Message) -> None:
        number = number_of(message.get("34"))
        if number is not None and message.get("43") != "Y":
            self.next_in = number + 1

    def is_passed_over(self, message: Message, expected: Sequence[Step]) -> bool:
        unasked = message.type == "0" and message.get("112") is None
        return unasked and not any(step.message == "0" or step.in_order for step in expected)

    def goodbye(self) -> list[bytes]:
        """Cancel what rests, and log out."""
        if not self.is_known:
            return []
        messages = []
        if self.leaves_orders:
            # What the scenario sent as raw bytes was not counted: go on well beyond it.
            far = str(self.next_out + 100)
            messages.append(self.encode("4", [("36", far)], False))
            body = [("34", far), ("11", f"END{far}"), ("530", "7"), ("60", utc(self.now_ns()))]
            messages.append(self.encode("q", body, True))
        messages.append(self.encode("5", [], True))
        return messages

    def is_goodbye(self, message: Message) -> bool:
        return message.type == "5"


def _header_place(pair: tuple[str, str]) -> int:
    """34, 49, 52, 56 before the rest of the header; the rest keeps its order."""
    places = ("34", "49", "52", "56")
    return places.index(pair[0]) if pair[0] in places else len(places)
