"""The acceptor, case by case: FIX session layer test cases (1S to 19) and our own choices.

Those about gaps and resends are in test_fix_recovery.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import portcullis.sessions
from portcullis.dictionaries.fix_tables import compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.sessions.fix_events import (
    Authenticate,
    Disconnect,
    LoggedOn,
    LoggedOut,
    Noted,
    NumbersReset,
)
from portcullis.sessions.fix_states import TRANSITIONS, State
from tests.support.clock import SECOND_NS
from tests.support.fix_bench import FIX44, LOGON, ORDER, Bench
from tests.support.wire import readable, wire


@pytest.fixture
def bench() -> Bench:
    """A session that is logged on; both sides are at number 2."""
    made = Bench()
    made.logs_on()
    return made


# --- 1S, 2S: before the session is up ---------------------------------------------------------


def test_1s_a_logon_is_answered_byte_for_byte() -> None:
    bench = Bench()
    bench.connect()
    bench.feed(bench.message(f"35=A|34=1|{LOGON}"))
    assert readable(bench.store.take()) == (
        "8=FIX.4.4|9=72|35=A|34=1|49=PORTCULLIS|52=20260102-12:00:00.000|56=CLIENT1|"
        "98=0|108=30|10=224|"
    )
    assert bench.seen == [Authenticate(b"", b""), LoggedOn(reset=False)]
    assert bench.next_in == 2


def test_1s_a_logon_too_high_is_answered_then_asks_for_the_gap() -> None:
    bench = Bench()
    bench.connect()
    assert bench.gives(f"35=A|34=5|{LOGON}") == [f"35=A|34=1|{LOGON}", "35=2|34=2|7=1|16=0"]
    assert bench.next_in == 1
    # The Logon itself is not asked for a second time: it was answered.
    assert bench.gives("35=4|34=1|43=Y|122=20260102-11:00:00|36=5|123=Y") == []
    assert bench.next_in == 6


def test_1s_a_nothing_moves_before_the_logon_is_authenticated() -> None:
    bench = Bench()
    bench.authenticates = False
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|141=Y|553=user|554=wrong") == []
    assert bench.seen[0] == Authenticate(b"user", b"wrong")
    assert bench.is_disconnected
    assert (bench.next_in, bench.store.next_out) == (1, 1)


def test_a_refused_logon_may_be_told_by_one_fixed_text() -> None:
    bench = Bench(logon_reject="logout")
    bench.authenticates = False
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|141=Y") == ["35=5|34=1|58=Logon refused"]
    assert bench.is_disconnected
    assert (bench.next_in, bench.store.next_out) == (1, 2)


@pytest.mark.parametrize(
    "first",
    [
        "35=A|34=1|49=NOBODY|98=0|108=30",
        "35=A|34=1|56=NOBODY|98=0|108=30",
        "35=A|34=1|52=20260102-11:57:59|98=0|108=30",
        "35=A|34=1|52=20260102|98=0|108=30",
        "35=A|98=0|108=30",
        "35=0|34=1",
        f"35=D|34=1|{ORDER}",
    ],
)
def test_1s_c_2s_before_the_logon_everything_wrong_is_closed_silently(first: str) -> None:
    bench = Bench()
    bench.connect()
    assert bench.gives(first) == []
    assert bench.is_disconnected
    assert (bench.next_in, bench.store.next_out) == (1, 1)


@pytest.mark.parametrize(
    ("old", "new"), [("8=FIX.4.4", "8=FIX.4.3"), ("|9=72", "|9=12"), ("|10=", "|10=9")]
)
def test_1s_d_a_logon_that_is_garbled_or_of_another_version_is_closed_silently(
    old: str, new: str
) -> None:
    bench = Bench()
    bench.connect()
    text = readable(bench.message(f"35=A|34=1|{LOGON}")).replace(old, new, 1)
    bench.feed(text.replace("|", "\x01").encode() + bench.message("35=0|34=2"))
    assert bench.sent() == []
    assert bench.is_disconnected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("98=0|108=-1", "HeartBtInt must not be negative"),
        ("98=1|108=30", "Unsupported EncryptMethod"),
        ("98=0|108=86401", "HeartBtInt must not be above 86400"),
        ("98=0", "Required tag missing (108)"),
    ],
)
def test_1s_d_an_authenticated_logon_that_is_invalid_gets_a_logout_with_text(
    body: str, text: str
) -> None:
    bench = Bench()
    bench.connect()
    assert bench.gives(f"35=A|34=1|{body}") == [f"35=5|34=1|58={text}"]
    assert bench.is_disconnected
    assert bench.next_in == 1


def test_a_logon_too_low_gets_a_logout_with_text(bench: Bench) -> None:
    bench.gives("35=0|34=2")
    bench.loses_connection()
    bench.connect()
    assert bench.gives(f"35=A|34=2|{LOGON}") == [
        "35=5|34=2|58=MsgSeqNum too low, expecting 3 but received 2"
    ]
    assert bench.is_disconnected
    assert bench.next_in == 3


def test_numbers_survive_a_reconnect(bench: Bench) -> None:
    bench.gives("35=0|34=2")
    bench.loses_connection()
    bench.connect()
    assert bench.gives(f"35=A|34=3|{LOGON}") == [f"35=A|34=2|{LOGON}"]


def test_messages_behind_an_unanswered_logon_wait_for_the_answer() -> None:
    bench = Bench()
    bench.connect()
    texts = (f"35=A|34=1|{LOGON}", "35=1|34=2|112=X", f"35=D|34=3|{ORDER}")
    octets = b"".join(bench.message(text) for text in texts)
    bench.buffer[: len(octets)] = octets
    count = bench.scanner.scan(0, len(octets))
    now_ns = bench.clock.now_ns
    assert bench.session.receive(bench.scanner, 0, count, now_ns) == 3
    assert bench.sent() == [] and bench.session.events() == [Authenticate(b"", b"")]
    bench.session.authenticated(True, now_ns)
    assert bench.sent() == [f"35=A|34=1|{LOGON}", "35=0|34=2|112=X"]
    assert bench.application.taken == [(3, "D")]


def test_a_logout_behind_an_unanswered_logon_is_answered_behind_its_answer() -> None:
    bench = Bench()
    bench.connect()
    octets = bench.message(f"35=A|34=1|{LOGON}") + bench.message("35=5|34=2")
    bench.buffer[: len(octets)] = octets
    count = bench.scanner.scan(0, len(octets))
    bench.session.receive(bench.scanner, 0, count, bench.clock.now_ns)
    assert bench.sent() == []
    bench.session.authenticated(True, bench.clock.now_ns)
    assert bench.sent() == [f"35=A|34=1|{LOGON}", "35=5|34=2"]
    assert bench.next_in == 3


def test_an_answer_about_credentials_that_comes_too_late_does_nothing() -> None:
    bench = Bench()
    for ends in (lambda: bench.wait(10), bench.loses_connection):
        bench.connect()
        octets = bench.message(f"35=A|34=1|{LOGON}")
        bench.buffer[: len(octets)] = octets
        bench.scanner.scan(0, len(octets))
        bench.session.receive(bench.scanner, 0, 1, bench.clock.now_ns)
        ends()
        state = bench.session.state
        bench.session.authenticated(True, bench.clock.now_ns)
        assert bench.sent() == [] and bench.session.state is state
        bench.session.disconnected(bench.clock.now_ns)


def test_what_waits_behind_an_unanswered_logon_is_bounded() -> None:
    bench = Bench(held_messages_max=2)
    bench.connect()
    texts = (f"35=A|34=1|{LOGON}", "35=0|34=2", "35=0|34=3", "35=0|34=4")
    octets = b"".join(bench.message(text) for text in texts)
    bench.buffer[: len(octets)] = octets
    count = bench.scanner.scan(0, len(octets))
    bench.session.receive(bench.scanner, 0, count, bench.clock.now_ns)
    assert any(isinstance(event, Disconnect) for event in bench.session.events())
    bench.session.authenticated(True, bench.clock.now_ns)
    assert bench.sent() == []


def test_a_connection_that_does_not_log_on_is_closed_in_bounded_time() -> None:
    bench = Bench()
    bench.connect()
    assert bench.session.tick(bench.clock.now_ns) == bench.clock.now_ns + 10 * SECOND_NS
    assert bench.wait(9.9) == [] and not bench.is_disconnected
    assert bench.wait(0.1) == [] and bench.is_disconnected


def test_1s_b_a_second_connection_makes_the_first_show_life(bench: Bench) -> None:
    for _ in range(2):
        bench.session.challenge(bench.clock.now_ns)
    assert bench.sent() == ["35=1|34=2|112=TEST"]
    bench.wait(1)
    bench.gives("35=0|34=2|112=TEST")
    bench.wait(1.5)
    assert not bench.is_disconnected
    # Who keeps knocking gets one TestRequest in ten seconds out of us.
    bench.session.challenge(bench.clock.now_ns)
    assert bench.sent() == []
    bench.wait(7.5)
    bench.session.challenge(bench.clock.now_ns)
    assert bench.sent() == ["35=1|34=3|112=TEST"]
    bench.wait(2)
    assert bench.is_disconnected


@pytest.mark.parametrize(
    "early",
    ["35=A|98=0|108=30", "35=0", "35=1|112=X", "35=2|7=1|16=0", "35=3|45=1", "35=5", "35=4|36=1",
     "35=4|36=9|123=Y", "35=4|36=1|123=Y", "35=A|98=0|108=30|141=Y"],
)  # fmt: skip
def test_any_session_message_may_be_held_until_its_turn_comes(bench: Bench, early: str) -> None:
    msg_type, *rest = early.split("|")
    bench.gives("|".join([msg_type, "34=3", *rest]))
    if not bench.is_disconnected and bench.next_in == 2:
        bench.gives("35=4|34=2|43=Y|122=20260102-11:00:00|36=3|123=Y")
    bench.wait(3)


def test_a_held_logon_ends_the_session_when_its_turn_comes(bench: Bench) -> None:
    bench.gives(f"35=A|34=3|{LOGON}")
    answer = bench.gives("35=4|34=2|43=Y|122=20260102-11:00:00|36=3|123=Y")
    assert answer == ["35=5|34=3|58=Logon while logged on"]


def test_a_second_logon_in_a_live_session_ends_it(bench: Bench) -> None:
    assert bench.gives(f"35=A|34=2|{LOGON}") == ["35=5|34=2|58=Logon while logged on"]


# --- 2: messages of a session that is up ------------------------------------------------------


def test_2_a_a_message_in_sequence_is_taken(bench: Bench) -> None:
    assert bench.gives(f"35=D|34=2|{ORDER}", f"35=D|34=3|{ORDER}") == []
    assert bench.application.taken == [(2, "D"), (3, "D")]
    assert bench.next_in == 4


def test_2_c_a_number_too_low_ends_the_session(bench: Bench) -> None:
    bench.gives("35=0|34=2", "35=0|34=3", "35=0|34=4")
    assert bench.gives("35=0|34=2") == [
        "35=5|34=2|58=MsgSeqNum too low, expecting 5 but received 2"
    ]
    assert not bench.is_disconnected
    assert bench.wait(2) == [] and bench.is_disconnected
    assert bench.next_in == 5


def test_after_a_fault_only_their_logout_is_taken(bench: Bench) -> None:
    bench.gives("35=0|34=1")
    bench.gives(f"35=D|34=2|{ORDER}", "35=1|34=3|112=X")
    assert bench.application.taken == [] and not bench.is_disconnected
    assert bench.gives("35=5|34=4") == []
    assert bench.is_disconnected


def test_2_d_3_c_garbled_messages_are_ignored(bench: Bench) -> None:
    good = readable(bench.message("35=0|34=2"))
    for bad in (
        good.replace("|10=", "|10=2"),
        good.replace("35=0|34=2", "34=2|35=0"),
        good.replace("9=", "9=1"),
        "8=FIX.4.4|garbage|",
    ):
        bench.feed(bad.replace("|", "\x01").encode())
    assert bench.sent() == []
    assert bench.next_in == 2
    assert bench.gives("35=0|34=3") == ["35=2|34=2|7=2|16=0"]


def test_2_e_a_possible_duplicate_counts_where_it_is_new(bench: Bench) -> None:
    old = "43=Y|122=20260102-11:59:00"
    assert bench.gives(f"35=D|34=2|{old}|{ORDER}", f"35=D|34=2|{old}|{ORDER}") == []
    assert bench.application.numbers == [2]


@pytest.mark.parametrize(("number", "next_in"), [(2, 3), (1, 2)])
def test_2_f_a_duplicate_sent_before_it_was_first_sent_ends_the_session(
    bench: Bench, number: int, next_in: int
) -> None:
    late = bench.at(1)
    assert bench.gives(f"35=D|34={number}|43=Y|122={late}|{ORDER}") == [
        f"35=3|34=2|45={number}|58=SendingTime accuracy problem|372=D|373=10",
        "35=5|34=3",
    ]
    assert bench.next_in == next_in
    assert bench.application.taken == []


@pytest.mark.parametrize(("number", "next_in"), [(2, 3), (1, 2)])
def test_2_g_a_duplicate_without_its_first_time_is_rejected(
    bench: Bench, number: int, next_in: int
) -> None:
    assert bench.gives(f"35=D|34={number}|43=Y|{ORDER}") == [
        f"35=3|34=2|45={number}|58=Required tag missing|371=122|372=D|373=1"
    ]
    assert bench.next_in == next_in


def test_2_i_another_begin_string_ends_the_session(bench: Bench) -> None:
    text = readable(bench.message("35=0|34=2"))
    body = text.partition("|9=")[2].partition("|")[2].rpartition("10=")[0]
    start = f"8=FIX.4.2|9={len(body)}|"
    octets = (start + body).replace("|", "\x01").encode()
    bench.feed(octets + b"10=%03d\x01" % (sum(octets) % 256))
    assert bench.sent() == ["35=5|34=2|58=Incorrect BeginString"]
    bench.wait(2)
    assert bench.is_disconnected


@pytest.mark.parametrize("wrong", ["49=OTHER", "56=OTHER"])
def test_2_k_wrong_comp_ids_are_rejected_and_end_the_session(bench: Bench, wrong: str) -> None:
    assert bench.gives(f"35=D|34=2|{wrong}|{ORDER}") == [
        "35=3|34=2|45=2|58=CompID problem|372=D|373=9",
        "35=5|34=3",
    ]
    assert bench.next_in == 3
    assert bench.gives("35=5|34=3") == [] and bench.is_disconnected


@pytest.mark.parametrize("seconds", [-121, 121])
def test_2_o_a_sending_time_out_of_the_window_ends_the_session(
    bench: Bench, seconds: float
) -> None:
    assert bench.gives(f"35=0|34=2|52={bench.at(seconds)}") == [
        "35=3|34=2|45=2|58=SendingTime accuracy problem|372=0|373=10",
        "35=5|34=3",
    ]
    assert bench.next_in == 3


@pytest.mark.parametrize("seconds", [-120, 120])
def test_2_n_a_sending_time_in_the_window_is_taken(bench: Bench, seconds: float) -> None:
    assert bench.gives(f"35=D|34=2|52={bench.at(seconds)}|{ORDER}") == []
    assert bench.application.numbers == [2]


def test_a_sending_time_that_is_none_is_rejected(bench: Bench) -> None:
    assert bench.gives("35=0|34=2|52=20260102") == [
        "35=3|34=2|45=2|58=Incorrect data format for value|371=52|372=0|373=6"
    ]
    assert bench.next_in == 3


@pytest.mark.parametrize("digits", range(13))
def test_2_n_times_are_taken_with_up_to_twelve_digits_of_fraction(
    bench: Bench, digits: int
) -> None:
    time = "20260102-12:00:00" + ("." + "123456789012"[:digits] if digits else "")
    old = f"43=Y|122={time}"
    assert bench.gives(f"35=D|34=2|52={time}|{old}|{ORDER}", f"35=D|34=3|52={time}|{ORDER}") == []
    assert bench.application.numbers == [2, 3]


def test_a_message_above_the_limit_ends_the_session_with_a_text(bench: Bench) -> None:
    """It is not waited for: the length that it announces is enough."""
    bench.feed(b"8=FIX.4.4\x019=99999999\x0135=D\x01")
    assert bench.sent() == ["35=5|34=2|58=Message is too long"]
    bench.wait(2)
    assert bench.is_disconnected and bench.next_in == 2


def test_2_q_an_unknown_type_is_rejected(bench: Bench) -> None:
    assert bench.gives("35=ZZ|34=2") == ["35=3|34=2|45=2|58=Invalid MsgType|372=ZZ|373=11"]
    assert bench.next_in == 3


def test_2_r_a_type_that_we_do_not_handle_gets_a_business_reject(bench: Bench) -> None:
    assert bench.gives("35=b|34=2|117=Q|297=0") == [
        "35=j|34=2|45=2|58=Unsupported Message Type|372=b|380=3"
    ]
    assert bench.next_in == 3


def test_a_message_without_a_number_ends_the_session(bench: Bench) -> None:
    octets = bench.message("35=0|112=X")
    bench.feed(octets)
    assert bench.sent() == ["35=5|34=2|58=Received message without MsgSeqNum"]


# --- 4, 6, 7 ------------------------------------------------------------------------------------


def test_4_a_a_heartbeat_goes_out_when_nothing_was_sent(bench: Bench) -> None:
    assert bench.session.tick(bench.clock.now_ns) == bench.clock.now_ns + 30 * SECOND_NS
    assert bench.wait(29.9) == []
    assert bench.wait(0.1) == ["35=0|34=2"]
    bench.gives("35=0|34=2")
    assert bench.wait(29.9) == []
    assert bench.wait(0.1) == ["35=0|34=3"]


def test_4_b_a_test_request_is_answered_with_its_id(bench: Bench) -> None:
    assert bench.gives("35=1|34=2|112=HELLO") == ["35=0|34=2|112=HELLO"]
    assert bench.next_in == 3


def test_6_silence_brings_a_test_request_then_the_end(bench: Bench) -> None:
    assert bench.wait(30) == ["35=0|34=2"]
    assert bench.wait(5.9) == []
    assert bench.wait(0.1) == ["35=1|34=3|112=TEST"]
    assert bench.wait(30) == ["35=0|34=4"]
    assert bench.wait(5.9) == [] and not bench.is_disconnected
    assert bench.wait(0.1) == [] and bench.is_disconnected


def test_6_any_message_ends_the_silence(bench: Bench) -> None:
    assert bench.wait(36) == ["35=1|34=2|112=TEST"]
    bench.gives("35=0|34=2|112=TEST")
    assert bench.wait(35.9) == ["35=0|34=3"]
    assert bench.wait(0.1) == ["35=1|34=4|112=TEST"]


def test_a_heartbeat_interval_of_zero_means_none() -> None:
    bench = Bench()
    bench.logs_on(heart_bt_int=0)
    assert bench.session.tick(bench.clock.now_ns) == 0
    assert bench.wait(100_000) == [] and not bench.is_disconnected


def test_7_a_reject_is_counted(bench: Bench) -> None:
    assert bench.gives("35=3|34=2|45=1|58=no") == []
    assert bench.next_in == 3
    # Not even an invalid one is rejected.
    assert bench.gives("35=3|34=3") == []
    assert bench.next_in == 4


# --- 12, 13: Logout ----------------------------------------------------------------------------


def test_12_our_logout_waits_for_theirs(bench: Bench) -> None:
    bench.session.logout("Going down", bench.clock.now_ns)
    assert bench.sent() == ["35=5|34=2|58=Going down"]
    assert bench.gives("35=2|34=2|7=1|16=0") == [f"35=4|34=1|43=Y|122={bench.at(0)}|36=3|123=Y"]
    assert not bench.is_disconnected
    assert bench.gives("35=5|34=3") == []
    assert bench.is_disconnected
    assert bench.next_in == 4


def test_12_our_logout_does_not_wait_for_ever(bench: Bench) -> None:
    bench.session.logout("", bench.clock.now_ns)
    assert bench.sent() == ["35=5|34=2"]
    assert bench.wait(2) == [] and bench.is_disconnected


@pytest.mark.parametrize(("number", "next_in"), [(2, 3), (7, 2), (1, 2)])
def test_13_b_their_logout_is_answered_at_any_number(
    bench: Bench, number: int, next_in: int
) -> None:
    assert bench.gives(f"35=5|34={number}|58=bye") == ["35=5|34=2"]
    assert bench.seen == [LoggedOut("bye")]
    assert bench.next_in == next_in
    assert bench.wait(10) == [] and bench.is_disconnected


# --- 14, 15, 19 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "tag", "reason", "text"),
    [
        (ORDER + "|999=x", 999, 0, "Invalid tag number"),
        (ORDER + "|5000=x", 5000, 0, "Invalid tag number"),
        (ORDER + "|0=x", 0, 0, "Invalid tag number"),
        (ORDER + "|-1=x", -1, 0, "Invalid tag number"),
        (ORDER.replace("54=1|", ""), 54, 1, "Required tag missing"),
        (ORDER + "|41=x", 41, 2, "Tag not defined for this message type"),
        (ORDER.replace("54=1", "54="), 54, 4, "Tag specified without a value"),
        (
            ORDER.replace("54=1", "54=x"),
            54,
            5,
            "Value is incorrect (out of range) for this tag",
        ),
        (ORDER.replace("44=10", "44=+10"), 44, 6, "Incorrect data format for value"),
        (ORDER + "|57=SUB", 57, 14, "Tag specified out of required order"),
        (ORDER + "|40=2", 40, 13, "Tag appears more than once"),
        (
            ORDER + "|453=2|448=A|447=D|452=1",
            453,
            16,
            "Incorrect NumInGroup count for repeating group",
        ),
    ],
)
def test_14_a_fault_in_the_body_is_rejected_and_counted(
    bench: Bench, body: str, tag: int, reason: int, text: str
) -> None:
    assert bench.gives(f"35=D|34=2|{body}", f"35=D|34=3|{ORDER}") == [
        f"35=3|34=2|45=2|58={text}|371={tag}|372=D|373={reason}"
    ]
    assert bench.application.numbers == [3]


@pytest.mark.parametrize(("value", "reason"), [("", 4), (None, 1)])
def test_14_a_header_field_that_is_missing_is_rejected(
    bench: Bench, value: str | None, reason: int
) -> None:
    octets = bench.message("35=0|34=2|49=")
    if value is None:
        text = readable(bench.message("35=0|34=2|49=CLIENT1")).replace("49=CLIENT1|", "")
        body = text.partition("|9=")[2].partition("|")[2].rpartition("10=")[0]
        octets = f"8=FIX.4.4|9={len(body)}|{body}".replace("|", "\x01").encode()
        octets += b"10=%03d\x01" % (sum(octets) % 256)
    bench.feed(octets)
    text = {1: "Required tag missing", 4: "Tag specified without a value"}[reason]
    assert bench.sent() == [f"35=3|34=2|45=2|58={text}|371=49|372=0|373={reason}"]
    assert bench.next_in == 3


def test_15_fields_may_stand_in_any_order(bench: Bench) -> None:
    turned = "|".join(reversed(ORDER.split("|")))
    assert bench.gives(f"35=D|34=2|{turned}") == []
    assert bench.application.numbers == [2]


def test_19_a_possible_resend_is_left_to_the_application(bench: Bench) -> None:
    assert bench.gives(f"35=D|34=2|97=Y|{ORDER}") == []
    assert bench.application.numbers == [2]


def test_a_reject_turns_the_route_round_and_leaves_empty_parts_out(bench: Bench) -> None:
    bad = ORDER.replace("54=1", "54=x")
    route = "115=JCD|116=CS|128=MG|129=CB|144=BB|145=LL"
    text = "Value is incorrect (out of range) for this tag"
    answer = f"45=2|58={text}|371=54|372=D|373=5"
    assert bench.gives(f"35=D|34=2|{route}|{bad}") == [
        f"35=3|34=2|115=MG|116=CB|128=JCD|129=CS|144=LL|145=BB|{answer}"
    ]
    assert bench.gives("35=b|34=3|115=JCD|117=Q|297=0") == [
        "35=j|34=3|128=JCD|45=3|58=Unsupported Message Type|372=b|380=3"
    ]


# --- ResetSeqNumFlag, NextExpectedMsgSeqNum ----------------------------------------------------


def test_a_logon_with_reset_begins_both_numbers_at_1(bench: Bench) -> None:
    bench.gives("35=0|34=2", "35=1|34=3|112=X")
    bench.loses_connection()
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|141=Y") == [f"35=A|34=1|{LOGON}|141=Y"]
    assert bench.seen[-1] == LoggedOn(reset=True)
    assert bench.next_in == 2


def test_a_logon_with_reset_in_a_live_session_begins_both_numbers_at_1(bench: Bench) -> None:
    bench.gives("35=0|34=2", f"35=D|34=9|{ORDER}")
    assert bench.gives(f"35=A|34=1|{LOGON}|141=Y") == [f"35=A|34=1|{LOGON}|141=Y"]
    assert bench.seen[-1] == NumbersReset()
    assert bench.gives("35=1|34=2|112=X") == ["35=0|34=2|112=X"]
    assert bench.application.taken == []


@pytest.mark.parametrize(
    ("settings", "logon", "text"),
    [
        ({"accept_reset": "never"}, "34=1", "ResetSeqNumFlag is not accepted"),
        ({}, "34=2", "MsgSeqNum must be 1 with ResetSeqNumFlag"),
    ],
)
def test_a_reset_that_is_not_accepted_moves_nothing(
    settings: dict[str, Any], logon: str, text: str
) -> None:
    bench = Bench(**settings)
    bench.logs_on()
    bench.gives("35=0|34=2")
    bench.loses_connection()
    bench.connect()
    assert bench.gives(f"35=A|{logon}|{LOGON}|141=Y") == [f"35=5|34=2|58={text}"]
    assert (bench.next_in, bench.store.next_out) == (3, 3)


def test_one_reset_a_day_may_be_all() -> None:
    bench = Bench(accept_reset="once_per_day")
    bench.connect()
    assert len(bench.gives(f"35=A|34=1|{LOGON}|141=Y")) == 1 and bench.session.is_logged_on
    bench.loses_connection()
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|141=Y") == [
        "35=5|34=2|58=ResetSeqNumFlag is not accepted"
    ]
    bench.loses_connection()
    bench.clock.advance(86_400)
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|141=Y") == [f"35=A|34=1|{LOGON}|141=Y"]


def test_a_session_may_begin_anew_at_each_logon() -> None:
    bench = Bench(reset_on_logon=True)
    bench.logs_on()
    bench.gives("35=0|34=2")
    bench.loses_connection()
    bench.connect()
    assert bench.gives(f"35=A|34=5|{LOGON}") == [f"35=A|34=1|{LOGON}", "35=2|34=2|7=1|16=0"]


def test_789_lower_than_ours_brings_a_resend_without_request() -> None:
    bench = Bench(next_expected=True)
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|789=1") == [f"35=A|34=1|{LOGON}|789=2"]
    bench.store.send(b"8", b"37=1\x01")
    first = bench.at(0)
    bench.sent()
    bench.loses_connection()
    bench.connect()
    assert bench.gives(f"35=A|34=2|{LOGON}|789=2") == [
        f"35=A|34=3|{LOGON}|789=3",
        f"35=8|34=2|43=Y|122={first}|37=1",
    ]


def test_789_in_the_answer_to_a_logon_too_high_names_the_first_missing() -> None:
    bench = Bench(next_expected=True)
    bench.connect()
    # No ResendRequest: they read from 789 what is missing. If they do not, it is asked for.
    assert bench.gives(f"35=A|34=4|{LOGON}|789=1") == [f"35=A|34=1|{LOGON}|789=1"]
    assert bench.wait(10) == ["35=2|34=2|7=1|16=0"]


def test_789_after_a_reset_is_2() -> None:
    bench = Bench(next_expected=True)
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|141=Y|789=1") == [f"35=A|34=1|{LOGON}|141=Y|789=2"]


def test_789_too_high_gets_a_logout_with_text() -> None:
    bench = Bench(next_expected=True)
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}|789=5") == [
        "35=5|34=1|58=NextExpectedMsgSeqNum too high, expecting at most 1 but received 5"
    ]
    assert bench.is_disconnected


# --- the application has no room -----------------------------------------------------------------


def test_messages_without_room_are_left_to_the_caller(bench: Bench) -> None:
    bench.application.room = 1
    texts = [f"35=D|34={number}|{ORDER}" for number in (2, 3, 4)]
    assert bench.feed(b"".join(bench.message(text) for text in texts)) == 1
    assert bench.next_in == 3
    bench.application.room = 9
    assert bench.session.receive(bench.scanner, 1, 2, bench.clock.now_ns) == 2
    assert bench.application.numbers == [2, 3, 4]


def test_held_messages_without_room_wait_in_the_session(bench: Bench) -> None:
    bench.gives(*(f"35=D|34={number}|{ORDER}" for number in (3, 4, 5)))
    bench.application.room = 2
    assert bench.feed(bench.message("35=4|34=2|36=3|123=Y")) == 1
    assert bench.feed(bench.message("35=1|34=6|112=X")) == 0
    assert bench.sent() == [] and bench.next_in == 5
    assert bench.session.is_stalled
    bench.application.room = 9
    bench.session.resume(bench.clock.now_ns)
    assert not bench.session.is_stalled
    assert bench.application.numbers == [3, 4, 5]


# --- agreed for a session ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(9, "HeartBtInt must not be below 10"), (61, "HeartBtInt must not be above 60")],
)
def test_a_heartbeat_interval_has_the_bounds_that_were_agreed_on(seconds: int, text: str) -> None:
    bench = Bench(heart_bt_int_min=10, heart_bt_int_max=60)
    bench.connect()
    assert bench.gives(f"35=A|34=1|98=0|108={seconds}") == [f"35=5|34=1|58={text}"]
    assert bench.is_disconnected and bench.next_in == 1
    bench = Bench(heart_bt_int_min=10, heart_bt_int_max=60)
    bench.logs_on(heart_bt_int=10)
    bench = Bench(heart_bt_int_min=10, heart_bt_int_max=60)
    bench.logs_on(heart_bt_int=60)


def test_how_far_we_are_is_told_where_it_is_agreed_on() -> None:
    bench = Bench(last_processed=True)
    bench.connect()
    assert bench.gives(f"35=A|34=1|{LOGON}") == [f"35=A|34=1|369=1|{LOGON}"]
    assert bench.gives(f"35=D|34=2|{ORDER}", "35=1|34=3|112=X") == ["35=0|34=2|369=3|112=X"]
    assert bench.gives("35=0|34=9") == ["35=2|34=3|369=3|7=4|16=0"]


@pytest.mark.parametrize("digits", [0, 3, 6, 9])
def test_sending_time_has_the_digits_that_were_agreed_on(digits: int) -> None:
    bench = Bench(timestamp_digits=digits)
    bench.clock.now_ns += 123_456_789
    bench.connect()
    bench.feed(bench.message(f"35=A|34=1|{LOGON}"))
    fraction = "." + "123456789"[:digits] if digits else ""
    assert f"|52=20260102-12:00:00{fraction}|" in readable(bench.store.take())


def test_a_business_reject_is_counted_and_never_answered(bench: Bench) -> None:
    assert bench.gives("35=j|34=2|45=1|58=no|372=8|380=3") == []
    assert bench.next_in == 3
    assert bench.seen == [Noted("they rejected a message: no")]


# --- the version is data -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("root", "begin_string"),
    [
        ('type="FIX" major="4" minor="2"', "FIX.4.2"),
        ('type="FIXT" major="1" minor="1"', "FIXT.1.1"),
    ],
)
def test_another_version_is_spoken_when_its_dictionary_is_given(
    tmp_path: Path, root: str, begin_string: str
) -> None:
    path = tmp_path / "other.xml"
    text = FIX44.read_text()
    assert text.count('type="FIX" major="4" minor="4"') == 1
    path.write_text(text.replace('type="FIX" major="4" minor="4"', root))
    other = compile_tables(load_dictionary(path))
    bench = Bench(dictionary=other, begin_string=begin_string.encode())
    bench.logs_on()
    assert bench.gives(f"35=D|34=2|{ORDER}", "35=1|34=3|112=X") == ["35=0|34=2|112=X"]
    assert bench.application.numbers == [2]
    bench.feed(wire("35=0|34=4|49=CLIENT1|52=20260102-12:00:00|56=PORTCULLIS"))
    assert bench.sent() == ["35=5|34=3|58=Incorrect BeginString"]


def test_no_version_is_written_in_the_session_machine() -> None:
    for path in Path(portcullis.sessions.__file__).parent.glob("*.py"):
        assert '"FIX' not in path.read_text(), path


# --- the clock is set ----------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, -48])
def test_a_clock_that_is_set_back_puts_no_heartbeat_off(bench: Bench, hours: int) -> None:
    bench.wait(10)
    bench.clock.advance(hours * 3600)
    assert bench.session.tick(bench.clock.now_ns) == bench.clock.now_ns + 20 * SECOND_NS
    assert bench.wait(20) == ["35=0|34=2"]
    assert bench.wait(6) == ["35=1|34=3|112=TEST"]
    assert bench.wait(36) == [] and bench.is_disconnected


def test_a_clock_that_is_set_forward_ends_nothing(bench: Bench) -> None:
    bench.wait(10)
    bench.clock.advance(3600)
    bench.session.pass_over(3600 * SECOND_NS)
    assert bench.wait(0) == []
    assert bench.session.tick(bench.clock.now_ns) == bench.clock.now_ns + 20 * SECOND_NS
    assert bench.wait(20) == ["35=0|34=2"]


def test_a_clock_that_is_set_back_is_held_against_the_time_of_messages(bench: Bench) -> None:
    sent = bench.at(0)
    bench.clock.advance(-3600)
    assert bench.gives(f"35=0|34=2|52={sent}")[0].endswith("|373=10")


# --- the table ---------------------------------------------------------------------------------


def test_every_state_has_its_row_and_every_state_can_be_reached() -> None:
    assert set(TRANSITIONS) == set(State)
    reached = {state for row in TRANSITIONS.values() for state in row.values()}
    assert reached == set(State)


def test_connecting_twice_is_a_mistake_of_the_caller(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="CONNECTED cannot happen to a session ACTIVE"):
        bench.session.connected(bench.clock.now_ns)
