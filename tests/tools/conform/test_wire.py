"""Bytes of the conformance tool: FIX frames by hand, binary layouts by the published tables."""

from __future__ import annotations

import pytest

from portcullis.tools.conform import binary_layouts as layouts
from portcullis.tools.conform.values import Values, utc
from portcullis.tools.conform.wire import (
    FixWire,
    MoldWire,
    SoupWire,
    WireError,
    fix_length_and_sum,
)


def fix(text: str) -> bytes:
    return text.replace("|", "\x01").encode()


def test_a_message_gets_length_and_sum() -> None:
    octets = FixWire().encode("0", [("34", "2"), ("49", "A"), ("56", "B"), ("112", "X")])
    # 35=0| 34=2| 49=A| 56=B| 112=X| are 5 * 4 + 6 bytes.
    assert octets.startswith(fix("8=FIX.4.4|9=26|35=0|34=2|49=A|56=B|112=X|10="))
    assert int(octets[-4:-1]) == sum(octets[:-7]) % 256


def test_a_length_and_a_sum_may_be_wrong_on_purpose() -> None:
    octets = FixWire().encode("0", [("9", "7"), ("10", "256"), ("112", "X")])
    assert octets == fix("8=FIX.4.4|9=7|35=0|112=X|10=256|")


def test_marks_of_a_raw_message_are_computed() -> None:
    values = Values({}, lambda: "ID", lambda: 0)
    raw = values.render("8=FIX.4.4|9={length}|35=0|10={sum}|", {})
    assert fix_length_and_sum(fix(raw)) == fix("8=FIX.4.4|9=5|35=0|10=163|")


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        ("8=FIX.4.4|9=6|35=0|10=163|", "BodyLength(9) is 6, the body has 5 bytes"),
        ("8=FIX.4.4|9=5|35=0|10=164|", "CheckSum(10) is 164, the bytes sum to 163"),
        ("8=FIX.4.4|9=9|35=0|58=|10=000|", "empty values: Text(58)"),
    ],
)
def test_what_a_received_frame_has_wrong_is_said(octets: str, fault: str) -> None:
    wire = FixWire()
    wire.feed(fix(octets))
    message = wire.next()
    assert message is not None
    assert fault in message.faults


def test_passwords_are_never_shown() -> None:
    assert FixWire().shown(fix("553=me|554=secret|")) == "553=me|554=***|"
    wire = SoupWire()
    login = wire.encode("LoginRequest", [("username", "ME"), ("password", "secret")])
    assert "secret" not in wire.shown(login)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{now}", "20231114-22:13:20.123"),
        ("{now-20s s}", "20231114-22:13:00"),
        ("{now+1m ns}", "20231114-22:14:20.123456789"),
        ("{now date}", "20231114"),
        ("{price+0.5}/{price*3}/{price-100}", "100.5/300/0"),
        ("{new a}-{a}", "ID-ID"),
        ("{fill 3 Q}", "QQQ"),
    ],
)
def test_templates(template: str, expected: str) -> None:
    values = Values({"price": "100"}, lambda: "ID", lambda: 1_700_000_000_123_456_789)
    assert values.render(template, {}) == expected


def test_quickfix_times_have_seconds() -> None:
    values = Values({}, lambda: "ID", lambda: 1_700_000_000_900_000_000)
    assert values.render_quickfix("52=<TIME>;<TIME-20>") == (
        "52=20231114-22:13:20;20231114-22:13:00"
    )
    assert utc(1_700_000_000_900_000_000, "us") == "20231114-22:13:20.900000"


# --- SoupBinTCP and OUCH: lengths of the specifications' tables, type byte included ------------

OUCH_LENGTHS = {
    "EnterOrder": 49, "ReplaceOrder": 47, "CancelOrder": 19, "ModifyOrder": 20,
    "SystemEvent": 10, "Accepted": 66, "Replaced": 80, "Canceled": 28, "AiqCanceled": 37,
    "Executed": 40, "BrokenTrade": 32, "Rejected": 24, "CancelPending": 23, "CancelReject": 23,
    "PriorityUpdate": 36, "Modified": 28,
}  # fmt: skip


@pytest.mark.parametrize(("name", "length"), OUCH_LENGTHS.items())
def test_ouch_messages_have_the_published_lengths(name: str, length: int) -> None:
    _, layout = (layouts.OUCH_IN | layouts.OUCH_OUT)[name]
    assert layout.sizeof() + 1 == length


def test_the_published_vectors_of_soupbintcp() -> None:
    wire = SoupWire()
    assert wire.encode("ClientHeartbeat", []) == bytes.fromhex("000152")
    assert wire.encode("LogoutRequest", []) == bytes.fromhex("00014F")
    login = [("username", "FMUSER"), ("password", "secret"), ("sequence", "1")]
    assert wire.encode("LoginRequest", login) == (
        bytes.fromhex("002F4C") + b"FMUSER" + b"secret    " + b" " * 10 + b" " * 19 + b"1"
    )
    for octets in (
        "000148", "00015A", "00024A41",
        "001F4120202020534553533031" + "20" * 18 + "3432",
    ):  # fmt: skip
        wire.feed(bytes.fromhex(octets))
    names = []
    while (message := wire.next()) is not None:
        names.append(message.type)
    assert names == ["ServerHeartbeat", "EndOfSession", "LoginRejected", "LoginAccepted"]


def test_an_order_lies_where_the_table_of_ouch_says() -> None:
    terms = [
        ("token", "T1"), ("side", "B"), ("shares", "100"), ("stock", "BTCUSD"),
        ("price", "101.25"), ("tif", "99999"), ("display", "Y"), ("capacity", "P"),
        ("sweep", "N"), ("cross", "N"),
    ]  # fmt: skip
    octets = SoupWire().encode("EnterOrder", terms)
    assert octets[:4] == b"\x00\x32UO"
    body = octets[3:]
    assert body[1:15] == b"T1".ljust(14)
    assert (body[15:16], body[16:20], body[20:28]) == (b"B", b"\x00\x00\x00\x64", b"BTCUSD  ")
    assert body[28:32] == (1012500).to_bytes(4, "big")
    assert body[40:43] == b"YPN" and body[47:48] == b"N"


def test_bytes_that_are_no_packet_are_told() -> None:
    wire = SoupWire()
    wire.feed(b"\x00\x00")
    with pytest.raises(WireError, match="length 0"):
        wire.next()


# --- MoldUDP64: the vectors of its description -----------------------------------------------

SESSION = b"SESSION   "


@pytest.mark.parametrize(
    ("tail", "kind", "fields"),
    [
        (
            "0000000000000005 0002 0003616263 0000", "Packet",
            [("sequence", "5"), ("count", "2"), ("message", "616263"), ("message", "")],
        ),
        ("0000000000000007 0000", "Heartbeat", [("sequence", "7"), ("count", "0")]),
        ("0000000000000007 FFFF", "EndOfSession", [("sequence", "7"), ("count", "65535")]),
    ],
)  # fmt: skip
def test_the_published_vectors_of_moldudp64(
    tail: str, kind: str, fields: list[tuple[str, str]]
) -> None:
    octets = SESSION + bytes.fromhex(tail)
    message = MoldWire().parse(octets, is_answer=False)
    assert (message.type, message.faults) == (kind, [])
    assert message.fields == [("session", "SESSION"), *fields]
    assert MoldWire().parse(octets, is_answer=True).type == "Answer"


def test_a_request_is_the_published_one() -> None:
    fields = [("session", "SESSION"), ("sequence", "3"), ("count", "4")]
    assert MoldWire().encode("Request", fields) == SESSION + bytes.fromhex("0000000000000003 0004")
    with pytest.raises(WireError, match="has no field stock: it has session, sequence, count"):
        MoldWire().encode("Request", [("stock", "X")])
    with pytest.raises(WireError, match="a subscriber sends a Request, and no Packet"):
        MoldWire().encode("Packet", fields)


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (SESSION[:9], "9 bytes: a packet has at least 20"),
        (b" SESSION  " + bytes(10), "the session is not left-justified"),
        (SESSION + bytes(8) + b"\0\1", "the count is 1, and 0 messages follow"),
        (SESSION + bytes(8) + b"\0\1\0\3ab", "4 bytes behind the last whole message"),
        (SESSION + bytes(8) + b"\xff\xff\0\0", "the count is 65535, and 1 messages follow"),
    ],
)
def test_what_a_packet_has_wrong_is_said(octets: bytes, fault: str) -> None:
    assert fault in MoldWire().parse(octets, is_answer=False).faults
