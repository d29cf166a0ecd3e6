"""What is held for a gap stays within its bounds, and one request at a time asks for the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portcullis.sessions.fix_gap import Gap


def test_a_gap_is_open_as_long_as_something_beyond_the_expected_number_was_seen() -> None:
    gap = Gap(10, 1000, 5, 3)
    assert not gap.is_open(7)
    gap.hold(9, b"x")
    assert gap.is_open(7) and gap.is_open(9) and not gap.is_open(10)


def test_what_has_no_room_is_dropped_but_not_forgotten() -> None:
    gap = Gap(1, 1000, 5, 3)
    assert gap.hold(5, b"x") and not gap.hold(6, b"y")
    assert not gap.holds(6) and gap.is_open(6)
    small = Gap(10, 3, 5, 3)
    assert small.hold(5, b"xy") and not small.hold(6, b"zz") and small.hold(7, b"z")


def test_room_comes_back_as_numbers_pass() -> None:
    gap = Gap(2, 4, 5, 3)
    gap.hold(5, b"xx")
    gap.hold(6, b"yy")
    gap.moved(6, 0)
    assert gap.peek(6) == b"yy"
    assert gap.hold(7, b"zz")


def test_one_request_is_outstanding_until_its_range_has_passed() -> None:
    gap = Gap(1, 1000, 5, 3)
    gap.hold(4, b"x")
    assert gap.must_request(2)
    gap.requested(2, 0)
    gap.hold(6, b"y")
    assert not gap.must_request(2)
    # The answer has begun: what comes now may have been sent after it.
    gap.moved(3, 0)
    gap.hold(8, b"z")
    assert not gap.must_request(3)
    gap.moved(7, 0)
    assert gap.must_request(7)
    gap.moved(9, 0)
    assert not gap.must_request(9)


def test_a_request_that_makes_progress_is_given_more_time() -> None:
    gap = Gap(10, 1000, 5, 3)
    gap.hold(9, b"x")
    gap.requested(2, 0)
    assert gap.deadline_ns == 5
    gap.moved(3, 4)
    assert gap.deadline_ns == 9
    assert gap.expire(3, 5) and not gap.must_request(3)
    assert gap.expire(3, 9) and gap.must_request(3)


def test_like_requests_without_progress_are_counted() -> None:
    gap = Gap(10, 1000, 5, 2)
    gap.hold(9, b"x")
    gap.requested(2, 0)
    assert gap.expire(2, 5)
    gap.requested(2, 5)
    assert not gap.expire(2, 10)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.binary(max_size=9)), max_size=60),
    st.integers(1, 8),
    st.integers(0, 40),
)
def test_held_messages_come_back_as_they_were_and_within_the_bounds(
    arrivals: list[tuple[int, bytes]], messages_max: int, bytes_max: int
) -> None:
    gap = Gap(messages_max, bytes_max, 5, 3)
    held: dict[int, bytes] = {}
    next_in = 1
    for number, octets in arrivals:
        if number > next_in:
            if gap.hold(number, octets):
                held.setdefault(number, octets)
        elif number == next_in:
            next_in += 1
            gap.moved(next_in, 0)
        held = {known: octets for known, octets in held.items() if known >= next_in}
        assert len(held) <= messages_max and sum(map(len, held.values())) <= bytes_max
        assert {known for known in range(1, 31) if gap.holds(known)} == set(held)
        assert all(gap.peek(known) == octets for known, octets in held.items())


def test_a_chunk_names_its_end_and_the_next_is_due_when_it_has_passed() -> None:
    gap = Gap(10, 1000, 5, 3, 4)
    gap.hold(12, b"x")
    assert gap.end_to_ask(2) == 5
    gap.requested(2, 0, 5)
    gap.hold(13, b"y")
    gap.moved(5, 1)
    assert not gap.must_request(5)
    gap.moved(6, 2)
    assert gap.must_request(6) and gap.end_to_ask(6) == 9
    # Of the last chunk what has been seen is not asked for again.
    assert gap.end_to_ask(10) == 12
    assert gap.end_to_ask(13) == 13
