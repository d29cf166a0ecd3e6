"""Whatever a peer sends, a session answers in whole messages and its numbers stay in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.sessions.fix_states import State
from tests.support.fix_bench import ORDER, Bench
from tests.support.wire import wire

SETTINGS = settings(max_examples=150, deadline=None)

TAGS = (0, -1, 5000, 7, 16, 34, 36, 43, 45, 49, 52, 56, 58, 97, 98, 108, 112, 115, 116, 122, 123)
TAGS += (128, 141, 144, 453, 448, 553, 554, 789)
VALUES = ("", "Y", "N", "0", "1", "2", "3", "-1", "+1", "1.5", "abc", "CLIENT1", "PORTCULLIS")
VALUES += ("99999999999999999999", "4611686018427387905", "20260102-12:00:00", "20260102")
FIELDS = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(VALUES)), max_size=6)
TYPES = st.sampled_from(["0", "1", "2", "3", "4", "5", "A", "D", "F", "b", "ZZ", ""])


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, int, list[tuple[int, str]], bool]:
    return draw(TYPES), draw(st.integers(-1, 3)), draw(FIELDS), draw(st.booleans())


def play(bench: Bench, stream: list[tuple[str, int, list[tuple[int, str]], bool]]) -> None:
    for msg_type, offset, extra, is_order in stream:
        before = bench.next_in
        text = "|".join(
            [f"35={msg_type}|34={bench.next_in + offset}"]
            + ([ORDER] if is_order else [])
            + [f"{tag}={value}" for tag, value in extra]
        )
        answers = bench.gives(text)
        is_reset = any("|141=Y" in answer for answer in answers)
        assert bench.next_in >= before or is_reset
        bench.wait(0.01)


@SETTINGS
@given(st.lists(messages(), max_size=12))
def test_a_session_that_is_up_withstands_anything(
    stream: list[tuple[str, int, list[tuple[int, str]], bool]],
) -> None:
    bench = Bench()
    bench.logs_on()
    play(bench, stream)
    numbers = bench.application.numbers
    assert len(numbers) == len(set(numbers)) or any(
        type(event).__name__ == "NumbersReset" for event in bench.seen
    )


@SETTINGS
@given(st.lists(messages(), min_size=1, max_size=3))
def test_before_the_logon_nothing_moves_but_by_a_logon(
    stream: list[tuple[str, int, list[tuple[int, str]], bool]],
) -> None:
    bench = Bench()
    bench.connect()
    play(bench, stream)
    if stream[0][0] != "A":
        assert bench.session.state is State.CLOSED
        assert (bench.next_in, bench.store.next_out) == (1, 1)


@SETTINGS
@given(st.binary(max_size=200), st.integers(0, 400))
def test_damaged_bytes_are_no_danger(damage: bytes, place: int) -> None:
    bench = Bench()
    bench.logs_on()
    octets = b"".join(bench.message(f"35=D|34={number}|{ORDER}") for number in (2, 3, 4))
    place = min(place, len(octets))
    bench.feed(octets[:place] + damage + octets[place + len(damage) :] + wire("35=0|34=9"))
    bench.sent()
    assert bench.application.numbers == sorted(set(bench.application.numbers))
