"""Packets of the session itself, against the test vectors of the specification."""

from __future__ import annotations

import pytest

from portcullis.codecs.soupbintcp import packets


def test_packets_are_those_of_the_specification() -> None:
    assert packets.SERVER_HEARTBEAT == bytes.fromhex("000148")
    assert packets.CLIENT_HEARTBEAT == bytes.fromhex("000152")
    assert packets.END_OF_SESSION == bytes.fromhex("00015a")
    assert packets.LOGOUT_REQUEST == bytes.fromhex("00014f")
    assert packets.NOT_AUTHORIZED == bytes.fromhex("00024a41")
    assert packets.NOT_AVAILABLE == bytes.fromhex("00024a53")
    assert packets.login_accepted(b"SESS01", 42) == bytes.fromhex(
        "001f41" + "20202020534553533031" + "20" * 18 + "3432"
    )
    assert packets.login_request("FMUSER", "secret", "", 1) == bytes.fromhex(
        "002f4c" + "464d55534552" + "73656372657420202020" + "20" * 10 + "20" * 19 + "31"
    )
    assert packets.debug("hällo") == b"\x00\x06+h?llo"


def test_a_login_request_comes_back_stripped() -> None:
    sent = packets.login_request("ME", "pw", "2026112101", 17)
    assert packets.parse_login_request(sent[3:]) == (b"ME", b"pw", b"2026112101", 17)


@pytest.mark.parametrize(
    ("field", "number"),
    [
        (b"7".ljust(20), 7),
        (b"0".rjust(20), 0),
        (b" " * 20, -1),
        (b"-1".rjust(20), -1),
        (b"1 2".rjust(20), -1),
        (b"9" * 20, -1),
        (b"\xb2".rjust(20), -1),
    ],
)
def test_a_sequence_that_is_no_number_is_minus_one(field: bytes, number: int) -> None:
    request = packets.parse_login_request(b"user  " + b"password  " + b" " * 10 + field)
    assert request is not None
    assert request.sequence == number


def test_a_login_request_of_4_10_is_understood() -> None:
    sent = packets.login_request("ME", "pw", "", 1)[3:] + b"15000"
    assert packets.parse_login_request(sent) == (b"ME", b"pw", b"", 1)


@pytest.mark.parametrize("size", [*range(46), *range(47, 51), 52])
def test_a_login_request_of_any_other_length_is_none(size: int) -> None:
    assert packets.parse_login_request(b"1" * size) is None


def test_a_login_accepted_comes_back() -> None:
    sent = packets.login_accepted(b"2026112101", 42)[3:]
    assert packets.parse_login_accepted(sent) == (b"2026112101", 42)
    assert packets.parse_login_accepted(sent[:-1]) is None
    assert packets.parse_login_accepted(sent[:10] + b"x" * 20) is None


def test_what_is_too_long_for_its_field_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="username has at most 6"):
        packets.login_request("SEVENTY", "pw", "", 1)
    with pytest.raises(ValueError, match="65534 bytes"):
        packets.packet("U", bytes(65535))
