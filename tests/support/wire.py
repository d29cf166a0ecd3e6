"""FIX messages as people write them: '|' for SOH, without the fields that count and sum.

The framing comes from simplefix, so that what checks our codec is not our codec.
"""

from __future__ import annotations

import simplefix


def wire(text: str, begin_string: str = "FIX.4.4") -> bytes:
    """The bytes of "35=D|49=CLIENT1|...": BeginString, BodyLength and CheckSum are added."""
    message = simplefix.FixMessage()
    message.append_pair(8, begin_string)
    for field in text.strip("|").split("|"):
        tag, _, value = field.partition("=")
        message.append_pair(tag, value)
    return message.encode()


def readable(octets: bytes) -> str:
    """The bytes with '|' for SOH, for assertions and failure texts."""
    return octets.replace(b"\x01", b"|").decode("latin-1")


def fields(octets: bytes) -> dict[int, str]:
    """The fields of one message by tag; of a repeated tag, the last."""
    pairs = (field.partition("=") for field in readable(octets).strip("|").split("|"))
    return {int(tag): value for tag, _, value in pairs}


def split(octets: bytes) -> list[bytes]:
    """The messages of a byte stream that holds whole ones only."""
    parser = simplefix.FixParser()
    parser.append_buffer(octets)
    messages = []
    while (message := parser.get_message()) is not None:
        messages.append(message.encode())
    assert b"".join(messages) == octets, "not whole messages, or not framed as they say"
    return messages
