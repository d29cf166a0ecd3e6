"""Gaps and resends, both ways: what is asked for, held, served, filled, and what is left of it
when the connection goes. FIX session layer test cases 2.b, 8, 10, 11, 20, and our own choices.
"""

from __future__ import annotations

import pytest

from portcullis.sessions.fix_events import Noted
from portcullis.sessions.fix_states import Recovery
from tests.support.clock import SECOND_NS
from tests.support.fix_bench import LOGON, ORDER, Bench


@pytest.fixture
def bench() -> Bench:
    """A session that is logged on; both sides are at number 2."""
    made = Bench()
    made.logs_on()
    return made


def test_2_b_a_gap_is_asked_for_once_and_filled_in_order(bench: Bench) -> None:
    assert bench.gives(f"35=D|34=5|{ORDER}", "35=0|34=6") == ["35=2|34=2|7=2|16=0"]
    assert bench.gives(f"35=D|34=7|{ORDER}") == []
    old = "43=Y|122=20260102-11:59:00"
    assert bench.gives(f"35=D|34=2|{old}|{ORDER}", f"35=4|34=3|{old}|36=5|123=Y") == []
    assert bench.application.numbers == [2, 5, 7]
    assert bench.next_in == 8
    # What the peer sends again of the held ones was seen.
    assert bench.gives(f"35=D|34=5|{old}|{ORDER}", "35=0|34=8") == []
    assert bench.application.numbers == [2, 5, 7]


def test_8_session_messages_are_filled_and_application_messages_sent_again(
    bench: Bench,
) -> None:
    bench.store.send(b"8", b"37=1\x0117=2\x01")
    bench.store.send(b"8", b"37=1\x0117=3\x01", poss_resend=True)
    first = bench.at(0)
    bench.sent()
    bench.store.time_ns = bench.clock.advance(5)
    bench.gives("35=1|34=2|112=A", "35=1|34=3|112=B")
    assert bench.gives("35=2|34=4|7=1|16=0") == [
        f"35=4|34=1|43=Y|122={first}|36=2|123=Y",
        f"35=8|34=2|43=Y|122={first}|37=1|17=2",
        f"35=8|34=3|43=Y|97=Y|122={first}|37=1|17=3",
        f"35=4|34=4|43=Y|122={bench.at(0)}|36=6|123=Y",
    ]
    assert bench.gives("35=2|34=5|7=3|16=3") == [f"35=8|34=3|43=Y|97=Y|122={first}|37=1|17=3"]
    assert bench.gives("35=2|34=6|7=3|16=4") == [
        f"35=8|34=3|43=Y|97=Y|122={first}|37=1|17=3",
        f"35=4|34=4|43=Y|122={bench.at(0)}|36=5|123=Y",
    ]
    assert bench.gives("35=2|34=7|7=9|16=0") == []
    assert bench.next_in == 8


@pytest.mark.parametrize(("span", "tag"), [("7=0|16=0", 7), ("7=3|16=2", 16)])
def test_a_resend_request_for_no_range_is_rejected(bench: Bench, span: str, tag: int) -> None:
    text = "Value is incorrect (out of range) for this tag"
    assert bench.gives(f"35=2|34=2|{span}") == [f"35=3|34=2|45=2|58={text}|371={tag}|372=2|373=5"]
    assert bench.next_in == 3


def test_10_a_a_gap_fill_too_high_waits_for_its_turn(bench: Bench) -> None:
    assert bench.gives("35=4|34=4|36=9|123=Y") == ["35=2|34=2|7=2|16=0"]
    assert bench.gives("35=0|34=2", "35=0|34=3") == []
    assert bench.next_in == 9


def test_10_b_a_gap_fill_in_its_turn_moves_the_number(bench: Bench) -> None:
    assert bench.gives("35=4|34=2|36=20|123=Y") == []
    assert bench.next_in == 20


def test_10_c_a_gap_fill_seen_before_is_ignored(bench: Bench) -> None:
    bench.gives("35=0|34=2")
    assert bench.gives("35=4|34=2|43=Y|36=20|123=Y") == []
    assert bench.next_in == 3


def test_10_d_a_gap_fill_too_low_ends_the_session(bench: Bench) -> None:
    assert bench.gives("35=4|34=1|36=20|123=Y") == [
        "35=5|34=2|58=MsgSeqNum too low, expecting 2 but received 1"
    ]


def test_10_e_a_gap_fill_backwards_is_rejected_and_moves_nothing(bench: Bench) -> None:
    text = "Value is incorrect (out of range) for this tag"
    assert bench.gives("35=4|34=2|36=2|123=Y") == [f"35=3|34=2|45=2|58={text}|372=4|373=5"]
    assert bench.next_in == 2


@pytest.mark.parametrize("flag", ["", "|123=N"])
def test_11_a_b_a_reset_moves_the_number_forward_whatever_its_own(bench: Bench, flag: str) -> None:
    assert bench.gives(f"35=4|34=0|36=9{flag}") == []
    assert bench.next_in == 9
    assert bench.gives(f"35=4|34=77|36=9{flag}") == []
    assert bench.next_in == 9


def test_11_c_a_reset_backwards_is_rejected_and_moves_nothing(bench: Bench) -> None:
    text = "Value is incorrect (out of range) for this tag"
    assert bench.gives("35=4|34=0|36=1") == [f"35=3|34=2|45=0|58={text}|372=4|373=5"]
    assert bench.next_in == 2


def test_11_a_reset_ends_a_gap_and_frees_what_it_passed(bench: Bench) -> None:
    bench.gives(f"35=D|34=5|{ORDER}", f"35=D|34=9|{ORDER}")
    assert bench.gives("35=4|34=0|36=9") == []
    assert bench.application.numbers == [9]
    assert bench.next_in == 10


def test_20_a_resend_request_ahead_of_its_turn_is_served_at_once(bench: Bench) -> None:
    bench.gives(f"35=D|34=4|{ORDER}")
    bench.store.send(b"8", b"37=1\x01")
    bench.sent()
    first = bench.at(0)
    assert bench.gives("35=2|34=5|7=3|16=0") == [f"35=8|34=3|43=Y|122={first}|37=1"]
    old = "43=Y|122=20260102-11:59:00"
    # Its own number counts when its turn comes; it is not served a second time.
    assert bench.gives(f"35=4|34=2|{old}|36=4|123=Y") == []
    assert bench.next_in == 6


def test_20_a_resend_request_too_low_ends_the_session(bench: Bench) -> None:
    assert bench.gives("35=2|34=1|7=1|16=0") == [
        "35=5|34=2|58=MsgSeqNum too low, expecting 2 but received 1"
    ]


def test_a_gap_that_is_not_filled_is_asked_for_three_times_then_given_up(bench: Bench) -> None:
    assert bench.gives(f"35=D|34=4|{ORDER}") == ["35=2|34=2|7=2|16=0"]
    assert bench.wait(9.9) == []
    assert bench.wait(0.1) == ["35=2|34=3|7=2|16=0"]
    assert bench.wait(10) == ["35=2|34=4|7=2|16=0"]
    assert bench.wait(10) == ["35=5|34=5|58=ResendRequest was not answered"]


def test_progress_makes_a_new_count_of_like_requests(bench: Bench) -> None:
    bench.gives(f"35=D|34=5|{ORDER}")
    bench.wait(10)
    bench.gives("35=0|34=2|43=Y|122=20260102-11:59:00")
    assert bench.wait(10) == ["35=2|34=4|7=3|16=0"]
    assert bench.wait(10) == ["35=2|34=5|7=3|16=0"]


def test_what_does_not_fit_the_held_messages_is_asked_for_again() -> None:
    bench = Bench(held_messages_max=2)
    bench.logs_on()
    orders = [f"35=D|34={number}|{ORDER}" for number in (3, 4, 5)]
    assert bench.gives(*orders) == ["35=2|34=2|7=2|16=0"]
    old = "43=Y|122=20260102-11:59:00"
    # The answer covers all that was sent before it began: 5 comes with it.
    assert bench.gives(*(f"35=D|34={number}|{old}|{ORDER}" for number in (2, 3, 4, 5))) == []
    assert bench.application.numbers == [2, 3, 4, 5]


def test_a_message_dropped_during_the_answer_is_asked_for_when_its_range_has_passed() -> None:
    bench = Bench(held_messages_max=1)
    bench.logs_on()
    old = "43=Y|122=20260102-11:59:00"
    bench.gives(f"35=D|34=4|{ORDER}")
    bench.gives(f"35=D|34=2|{old}|{ORDER}", f"35=D|34=5|{ORDER}")
    assert bench.gives(f"35=D|34=3|{old}|{ORDER}") == ["35=2|34=3|7=5|16=0"]
    assert bench.application.numbers == [2, 3, 4]


def test_an_invalid_message_ahead_of_its_turn_is_rejected_in_its_turn(bench: Bench) -> None:
    bad = ORDER.replace("54=1", "54=x")
    assert bench.gives(f"35=D|34=3|{bad}") == ["35=2|34=2|7=2|16=0"]
    text = "Value is incorrect (out of range) for this tag"
    assert bench.gives(f"35=D|34=2|43=Y|122={bench.at(0)}|{ORDER}") == [
        f"35=3|34=3|45=3|58={text}|371=54|372=D|373=5"
    ]
    assert bench.next_in == 4


def test_20_both_sides_ask_at_once_and_neither_asks_twice(bench: Bench) -> None:
    bench.store.send(b"8", b"37=1\x01")
    bench.sent()
    assert bench.session.recovery is Recovery.IN_STEP
    assert bench.gives(f"35=D|34=4|{ORDER}") == ["35=2|34=3|7=2|16=0"]
    assert bench.session.recovery is Recovery.ASKING
    bench.feed(bench.message("35=2|34=5|7=2|16=0"))
    assert bench.session.recovery is Recovery.CROSSED
    first = bench.at(0)
    assert bench.sent() == [
        f"35=8|34=2|43=Y|122={first}|37=1",
        f"35=4|34=3|43=Y|122={first}|36=4|123=Y",
    ]
    assert bench.session.recovery is Recovery.ASKING
    old = "43=Y|122=20260102-11:59:00"
    assert bench.gives(f"35=D|34=2|{old}|{ORDER}", f"35=4|34=3|{old}|36=4|123=Y") == []
    assert bench.session.recovery is Recovery.IN_STEP
    assert bench.application.numbers == [2, 4] and bench.next_in == 6


def test_20_our_request_does_not_time_out_behind_what_they_asked_for() -> None:
    bench = Bench(resend_timeout_ns=2 * SECOND_NS)
    bench.logs_on()
    bench.gives(f"35=D|34=4|{ORDER}")
    bench.feed(bench.message("35=2|34=5|7=1|16=0"))
    for _ in range(7):
        bench.store.time_ns = bench.clock.advance(1)
        bench.session.tick(bench.clock.now_ns)
    assert bench.session.recovery is Recovery.CROSSED
    assert b"\x0135=2\x01" not in bench.store.take()
    assert bench.wait(1.9) == []
    assert bench.wait(0.1) == ["35=2|34=3|7=2|16=0"]


def test_a_connection_lost_in_a_resend_leaves_nothing_but_numbers(bench: Bench) -> None:
    bench.gives(f"35=D|34=4|{ORDER}")
    bench.feed(bench.message("35=2|34=5|7=1|16=0"))
    assert bench.session.recovery is Recovery.CROSSED
    bench.loses_connection()
    assert Noted("lost the connection while crossed") in bench.seen
    assert bench.session.recovery is Recovery.IN_STEP
    bench.connect()
    # Both gaps show in the Logons, and are asked for anew: what was held is not counted on.
    assert bench.gives(f"35=A|34=6|{LOGON}") == [f"35=A|34=3|{LOGON}", "35=2|34=4|7=2|16=0"]
    assert bench.session.recovery is Recovery.ASKING
    old = "43=Y|122=20260102-11:59:00"
    orders = [f"35=D|34={number}|{old}|{ORDER}" for number in (2, 3, 4)]
    assert bench.gives(*orders, f"35=4|34=5|{old}|36=7|123=Y") == []
    assert bench.application.numbers == [2, 3, 4] and bench.next_in == 7


def test_a_gap_fill_frees_the_messages_that_it_passes() -> None:
    bench = Bench(held_messages_max=3)
    bench.logs_on()
    bench.gives(*(f"35=D|34={number}|{ORDER}" for number in (3, 4, 5)))
    bench.gives("35=4|34=2|43=Y|122=20260102-11:00:00|36=9|123=Y")
    assert bench.application.taken == [] and bench.next_in == 9
    # There is room for as many again, and nothing old among them.
    assert bench.gives(*(f"35=D|34={number}|{ORDER}" for number in (10, 11, 12))) == [
        "35=2|34=3|7=9|16=0"
    ]
    bench.gives("35=4|34=9|43=Y|122=20260102-11:00:00|36=10|123=Y")
    assert bench.application.numbers == [10, 11, 12]


def test_a_gap_may_be_asked_for_in_chunks() -> None:
    bench = Bench(resend_chunk=2)
    bench.logs_on()
    assert bench.gives(f"35=D|34=7|{ORDER}") == ["35=2|34=2|7=2|16=3"]
    old = "43=Y|122=20260102-11:59:00"
    assert bench.gives(f"35=D|34=2|{old}|{ORDER}") == []
    assert bench.gives(f"35=D|34=3|{old}|{ORDER}") == ["35=2|34=3|7=4|16=5"]
    assert bench.gives(f"35=4|34=4|{old}|36=6|123=Y") == ["35=2|34=4|7=6|16=6"]
    assert bench.gives(f"35=D|34=6|{old}|{ORDER}") == []
    assert bench.application.numbers == [2, 3, 6, 7] and bench.next_in == 8
