"""Messages as people read them, and passwords out of what is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.ouch.text import inbound, outbound, without_passwords
from portcullis.codecs.soupbintcp import packets
from portcullis.dictionaries.ouch import INBOUND, OUTBOUND

LOGIN = packets.login_request("OUCH1", "hushhush", "2026112101", 7)


def test_every_message_is_named_with_every_field() -> None:
    for message in INBOUND:
        octets = message.letter.encode() + bytes(message.size - 1)
        (text,) = inbound(packets.packet("U", octets))
        assert text.startswith(message.name.encode() + b" ")
        assert all(f" {field.name}=".encode() in text for field in message.fields())
    for message in OUTBOUND:
        octets = message.letter.encode() + b"\xff" * (message.size - 1)
        assert outbound(packets.packet("S", octets)).startswith(message.name.encode() + b" ")


def test_what_is_no_message_is_shown_as_it_came_and_heartbeats_are_not() -> None:
    octets = packets.packet("U", b"O1") + packets.packet("U") + packets.CLIENT_HEARTBEAT
    octets += packets.packet("Q", b"x\n") + packets.LOGOUT_REQUEST + b"\0"
    assert list(inbound(octets)) == [
        b"No message of OUCH: 4f31",
        b"No message of OUCH: ",
        b"Packet 'Q' x\\n",
        b"Logout Request",
    ]


def test_a_login_is_shown_by_its_fields_without_what_is_blank_and_without_its_password() -> None:
    first = packets.login_request("OUCH1", "hushhush", "", 1)
    long = packets.packet("L", LOGIN[3:] + b" 1000")
    assert list(inbound(first + LOGIN + long)) == [
        b"Login Request username=OUCH1 sequence=1",
        b"Login Request username=OUCH1 session=2026112101 sequence=7",
        b"Long Login Request username=OUCH1 session=2026112101 sequence=7 heartbeat_timeout=1000",
    ]


def test_a_password_goes_and_all_else_stays() -> None:
    kept = without_passwords(packets.CLIENT_HEARTBEAT + LOGIN + packets.LOGOUT_REQUEST)
    masked = LOGIN.replace(b"hushhush  ", b"**********")
    assert kept == packets.CLIENT_HEARTBEAT + masked + packets.LOGOUT_REQUEST
    # A login of another length: all behind the username may be one.
    assert without_passwords(packets.packet("L", b"OUCH1 hush")) == b"\0\x0bLOUCH1 ****"
    # What is no packet may be anything.
    assert without_passwords(packets.LOGOUT_REQUEST + b"\0\0" + LOGIN) == packets.LOGOUT_REQUEST


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_no_bytes_break_a_line_or_show_a_password(before: bytes, behind: bytes) -> None:
    for octets in (before, packets.packet("U", before), before + LOGIN + behind):
        kept = without_passwords(octets)
        assert all(b"\n" not in text for text in inbound(kept))
    kept = without_passwords(packets.packet("U", before) + LOGIN + packets.packet("+", behind))
    assert b"hushhush" not in kept
