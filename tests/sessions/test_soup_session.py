"""The server's side of SoupBinTCP under a virtual clock: its table of states, line by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.codecs.soupbintcp import packets
from portcullis.codecs.soupbintcp.packets import packet
from portcullis.codecs.soupbintcp.scanner import SoupScanner
from portcullis.sessions.soup_session import (
    Authenticate,
    Disconnect,
    Joined,
    LoggedIn,
    LoggedOut,
    SoupEvent,
    SoupSession,
    SoupSettings,
    State,
)
from tests.support.clock import VirtualClock

LOGIN = packets.login_request("OUCH1", "portcull", "", 1)
ACCEPTED = packets.login_accepted(b"2026010201", 1)


class Shelf:
    """A store with one session; remembers what it was asked."""

    def __init__(self) -> None:
        self.last_sent_ns = 0
        self.asked: list[tuple[bytes, int]] = []

    def join(self, session: bytes, sequence: int) -> Joined | None:
        self.asked.append((session, sequence))
        return None if session not in (b"", b"2026010201") else Joined(b"2026010201", sequence)


class Collector:
    """Takes every U whose payload does not begin with `!`."""

    def __init__(self) -> None:
        self.problem = ""
        self.taken: list[bytes] = []

    def on_packets(self, scanner: SoupScanner, first: int, count: int) -> int:
        index = first
        while index < count and scanner.packet_type[index] == ord("U"):
            payload = scanner.payload(index)
            if payload[:1] == b"!":
                self.problem = "no message"
                break
            self.taken.append(payload)
            index += 1
        return index - first


class Bench:
    """A machine with its surroundings."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.store = Shelf()
        self.application = Collector()
        self.session = SoupSession(SoupSettings(), self.store, self.application, self.clock.now_ns)

    def receive(self, octets: bytes) -> list[SoupEvent]:
        scanner = SoupScanner(memoryview(bytearray(octets)), max_packet_bytes=1000)
        self.session.receive(scanner, 0, scanner.scan(0, len(octets)), self.clock.now_ns)
        return self.session.events()

    def log_in(self, login: bytes = LOGIN) -> list[SoupEvent]:
        self.receive(login)
        self.session.authenticated(True, self.clock.now_ns)
        return self.session.events()

    def tick(self, seconds: float) -> int:
        return self.session.tick(self.clock.advance(seconds))


def test_a_login_is_checked_before_anything_of_a_session_moves() -> None:
    bench = Bench()
    assert bench.receive(LOGIN) == [Authenticate(b"OUCH1", b"portcull")]
    assert bench.session.data_to_send() == b""
    assert bench.store.asked == []
    bench.session.authenticated(True, bench.clock.now_ns)
    assert bench.store.asked == [(b"", 1)]
    assert bench.session.events() == [LoggedIn(b"2026010201", 1)]
    assert bench.session.data_to_send() == ACCEPTED


def test_wrong_credentials_are_answered_with_j_a() -> None:
    bench = Bench()
    bench.receive(LOGIN)
    bench.session.authenticated(False, bench.clock.now_ns)
    assert bench.session.data_to_send() == b"\x00\x02JA"
    assert bench.session.events() == [Disconnect("not authorized")]
    assert bench.store.asked == []


@pytest.mark.parametrize(
    "login",
    [
        packets.login_request("OUCH1", "portcull", "2025123101", 1),
        LOGIN[:-20] + b"one".rjust(20),
    ],
    ids=["unknown session", "no number"],
)
def test_a_session_that_cannot_be_had_is_answered_with_j_s(login: bytes) -> None:
    bench = Bench()
    assert bench.log_in(login) == [Disconnect("session not available")]
    assert bench.session.data_to_send() == b"\x00\x02JS"


@pytest.mark.parametrize(
    "octets",
    [packet("U", b"x"), packet("R"), packet("O"), packet("+", b"hi"), b"\0\0"]
    + [packet("L", bytes(size)) for size in (0, 45, 47, 50, 52)],
)
def test_before_a_login_everything_else_is_closed_without_a_byte(octets: bytes) -> None:
    bench = Bench()
    events = bench.receive(octets)
    assert [type(event) for event in events] == [Disconnect]
    assert bench.session.state == State.CLOSED
    assert bench.session.data_to_send() == b""


def test_what_comes_while_a_login_is_checked_is_closed_but_for_heartbeats() -> None:
    bench = Bench()
    bench.receive(LOGIN)
    assert bench.receive(packet("R") + packet("+", b"hi")) == []
    assert bench.receive(packet("U", b"early")) == [
        Disconnect("packet 'U' before the login was answered")
    ]
    bench.session.authenticated(True, bench.clock.now_ns)
    assert (bench.session.data_to_send(), bench.store.asked) == (b"", [])
    assert bench.application.taken == []


def test_messages_go_to_the_application_around_heartbeats_and_debug_packets() -> None:
    bench = Bench()
    bench.log_in()
    bench.session.data_to_send()
    stream = packet("U", b"1") + packet("R") + packet("U", b"2") + packet("U", b"3")
    assert bench.receive(packet("+") + stream + packet("+", b"end")) == []
    assert bench.application.taken == [b"1", b"2", b"3"]
    assert bench.session.data_to_send() == b""


@pytest.mark.parametrize(
    "letter", [letter for letter in map(chr, range(128)) if letter not in "UR+O"]
)
def test_a_packet_that_is_not_for_clients_ends_the_link(letter: str) -> None:
    bench = Bench()
    bench.log_in()
    bench.session.data_to_send()
    events = bench.receive(packet("U", b"1") + packet(letter, b"x" * 46) + packet("U", b"2"))
    assert [type(event) for event in events] == [LoggedOut, Disconnect]
    assert bench.session.data_to_send()[2:3] == b"+"
    assert bench.application.taken == [b"1"]


@pytest.mark.parametrize("octets", [b"\0\0", (2000).to_bytes(2, "big")])
def test_a_length_out_of_range_ends_the_link(octets: bytes) -> None:
    bench = Bench()
    bench.log_in()
    assert bench.receive(octets)[-1] == Disconnect("a packet's length is out of range")


def test_a_payload_that_is_no_message_ends_the_link_and_what_follows_is_not_taken() -> None:
    bench = Bench()
    bench.log_in()
    events = bench.receive(packet("U", b"1") + packet("U", b"!") + packet("U", b"2"))
    assert events == [LoggedOut("no message"), Disconnect("no message")]
    assert bench.application.taken == [b"1"]


def test_a_logout_ends_the_link_without_an_answer() -> None:
    bench = Bench()
    bench.log_in()
    bench.session.data_to_send()
    assert bench.receive(packet("O")) == [LoggedOut("logged out"), Disconnect("logged out")]
    assert bench.session.data_to_send() == b""


def test_a_heartbeat_goes_out_after_a_second_in_which_nothing_did() -> None:
    bench = Bench()
    bench.log_in()
    bench.session.data_to_send()
    start = bench.clock.now_ns
    assert bench.tick(0.9) == start + 10**9
    assert bench.session.data_to_send() == b""
    bench.tick(0.1)
    assert bench.session.data_to_send() == packets.SERVER_HEARTBEAT
    bench.store.last_sent_ns = bench.clock.advance(0.5)
    bench.tick(0.6)
    assert bench.session.data_to_send() == b""
    bench.tick(0.4)
    assert bench.session.data_to_send() == packets.SERVER_HEARTBEAT


def test_a_client_that_is_silent_for_15_seconds_is_let_go() -> None:
    bench = Bench()
    bench.log_in()
    for _ in range(14):
        bench.tick(1)
    bench.receive(packet("R"))
    for _ in range(14):
        bench.tick(1)
    assert bench.session.events() == []
    assert bench.tick(1) == 0
    assert bench.session.events()[-1] == Disconnect("the client is silent")


def test_a_clock_set_back_holds_up_neither_heartbeats_nor_time_outs() -> None:
    bench = Bench()
    bench.log_in()
    bench.store.last_sent_ns = bench.clock.now_ns
    bench.session.data_to_send()
    for _ in range(7):
        bench.tick(1)
        assert bench.session.data_to_send() == packets.SERVER_HEARTBEAT
    bench.tick(-3600)
    for _ in range(7):
        assert bench.tick(1) > bench.clock.now_ns
        assert bench.session.data_to_send() == packets.SERVER_HEARTBEAT
    assert bench.session.silence_ns(bench.clock.now_ns) == 14 * 10**9
    assert bench.tick(1) == 0


def test_a_clock_set_forward_ends_nobody() -> None:
    bench = Bench()
    bench.log_in()
    bench.session.data_to_send()
    bench.tick(0.5)
    bench.session.pass_over(3600 * 10**9)
    bench.tick(3600)
    assert bench.session.events() == []
    assert bench.session.data_to_send() == b""
    assert bench.tick(0.5) == bench.clock.now_ns + 10**9
    assert bench.session.data_to_send() == packets.SERVER_HEARTBEAT


@pytest.mark.parametrize("octets", [b"", LOGIN], ids=["nothing said", "credentials checked"])
def test_a_login_has_30_seconds(octets: bytes) -> None:
    bench = Bench()
    bench.receive(octets)
    start = bench.clock.now_ns
    assert bench.tick(29) == start + 30 * 10**9
    bench.tick(1)
    assert bench.session.events()[-1] == Disconnect("no login in time")
    assert bench.session.data_to_send() == b""


def test_the_end_of_a_session_is_said_with_z() -> None:
    bench = Bench()
    bench.log_in()
    bench.session.data_to_send()
    bench.session.ended(bench.clock.now_ns)
    assert bench.session.data_to_send() == packets.END_OF_SESSION
    assert bench.session.events()[-1] == Disconnect("end of session")
    assert bench.tick(1) == 0


@given(st.binary(max_size=300))
def test_no_bytes_make_the_machine_raise(octets: bytes) -> None:
    bench = Bench()
    bench.log_in()
    bench.receive(octets)
    bench.tick(1)
