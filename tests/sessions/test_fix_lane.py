"""The fast path takes nothing that has a rule of its own, and answers as the slow path does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.sessions.fix_lane import FixLane
from tests.support.fix_bench import ORDER, Bench

SETTINGS = settings(max_examples=120, deadline=None)

# (type, extra header, body) of a message; OFFSETS: how far its number is from the expected one.
KINDS = st.sampled_from(
    [
        ("D", "", ORDER),
        ("D", "", ORDER),
        ("D", "", ORDER),
        ("F", "", "11=B1|41=A1|54=1|55=BTC-USD|60=20260102-12:00:00"),
        ("D", "97=Y|", ORDER),
        ("D", "43=Y|122=20260102-11:59:00|", ORDER),
        ("D", "43=Y|", ORDER),
        ("D", "115=DESK|", ORDER),
        ("D", "50=SUB|57=X|369=1|", ORDER),
        ("D", "43=N|97=N|", ORDER),
        ("D", "122=20260102-11:59:00|", ORDER),
        ("j", "", "45=1|372=8|380=3"),
        ("A", "", "98=0|108=30"),
        ("D", "", ORDER.replace("54=1", "54=x")),
        ("D", "", ORDER.replace("44=10", "44=1e1")),
        ("D", "49=OTHER|", ORDER),
        ("D", "52=20260102-11:00:00|", ORDER),
        ("b", "", "117=Q|297=0"),
        ("ZZ", "", "58=x"),
        ("0", "", ""),
        ("1", "", "112=HELLO"),
        ("2", "", "7=1|16=0"),
        ("4", "", "36=20|123=Y"),
        ("3", "", "45=2"),
        ("5", "", ""),
    ]
)
OFFSETS = st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1, 2, -1])
STREAMS = st.lists(st.tuples(KINDS, OFFSETS, st.booleans()), max_size=25)


def slowed(bench: Bench) -> Bench:
    """The same session, its fast path never taken."""
    lane = SimpleNamespace(next_in=bench.session.next_in, accept=lambda *_: 0)
    bench.session._lane = bench.session._link.lane = lane
    return bench


def feed_with_little_room(bench: Bench, octets: bytes) -> None:
    """Feed a session whose application takes one message at a time, as its owner would."""
    now_ns = bench.clock.now_ns
    bench.application.room = 1
    taken, count = bench.feed(octets), bench.scanner.count
    for _ in range(200):
        bench.application.room = 1
        if bench.session.is_stalled:
            bench.session.resume(now_ns)
        elif taken < count:
            taken += bench.session.receive(bench.scanner, taken, count - taken, now_ns)
        else:
            break
    bench.seen.extend(bench.session.events())


@SETTINGS
@given(STREAMS)
def test_an_application_with_little_room_changes_no_answer(
    stream: list[tuple[tuple[str, str, str], int, bool]],
) -> None:
    wide, tight = Bench(), Bench()
    number, octets = 2, b""
    for bench in (wide, tight):
        bench.logs_on()
    for (msg_type, header, body), offset, _ in stream:
        text = f"35={msg_type}|34={max(1, number + offset)}|{header}{body}"
        octets += wide.message(text.rstrip("|"))
        number += offset == 0
    wide.feed(octets)
    feed_with_little_room(tight, octets)
    assert tight.sent() == wide.sent()
    assert tight.application.taken == wide.application.taken
    assert tight.next_in == wide.next_in
    assert tight.seen == wide.seen


@SETTINGS
@given(STREAMS, st.integers(1, 25))
def test_both_paths_give_the_same_answers(
    stream: list[tuple[tuple[str, str, str], int, bool]], batch: int
) -> None:
    fast, slow = Bench(), slowed(Bench())
    for bench in (fast, slow):
        bench.logs_on()
    octets, number = [], 2
    for (msg_type, header, body), offset, is_garbled in stream:
        text = f"35={msg_type}|34={max(1, number + offset)}|{header}{body}"
        message = fast.message(text.rstrip("|"))
        if is_garbled and offset == 1:
            message = message[:-4] + b"999\x01"
        else:
            number += offset == 0
        octets.append(message)
    for start in range(0, len(octets), batch):
        part = b"".join(octets[start : start + batch])
        assert fast.feed(part) == slow.feed(part)
        assert fast.sent() == slow.sent()
    assert fast.application.taken == slow.application.taken
    assert fast.next_in == slow.next_in
    assert fast.seen == slow.seen
    assert fast.session.state == slow.session.state


@pytest.mark.parametrize(
    ("header", "body", "is_fast"),
    [
        ("", ORDER, True),
        ("115=DESK|", ORDER, True),
        ("43=N|97=N|", ORDER, True),
        ("43=Y|", ORDER, False),
        ("97=Y|", ORDER, False),
        ("122=20260102-12:00:00|", ORDER, False),
        ("49=CLIENT11|", ORDER, False),
        ("49=CLIENT2|", ORDER, False),
        ("56=portcullis|", ORDER, False),
        ("52=20260102-11:57:59|", ORDER, False),
        ("", ORDER.replace("54=1", "54=x"), False),
    ],
)
def test_the_lane_takes_what_has_no_rule_of_its_own(header: str, body: str, is_fast: bool) -> None:
    bench = Bench()
    lane = FixLane(b"CLIENT1", b"PORTCULLIS", frozenset((b"D",)), 120 * 10**9)
    lane.next_in = 7
    octets = bench.message(f"35=D|34=7|{header}{body}")
    bench.buffer[: len(octets)] = octets
    bench.scanner.scan(0, len(octets))
    assert lane.accept(bench.scanner, 0, 1, bench.clock.now_ns) == int(is_fast)
    assert lane.next_in == 7


@pytest.mark.parametrize(("numbers", "accepted"), [((7, 8, 9), 3), ((7, 9), 1), ((6, 7), 0)])
def test_the_lane_stops_where_the_sequence_does(numbers: tuple[int, ...], accepted: int) -> None:
    bench = Bench()
    lane = FixLane(b"CLIENT1", b"PORTCULLIS", frozenset((b"F", b"D")), 120 * 10**9)
    lane.next_in = 7
    octets = b"".join(bench.message(f"35=D|34={number}|{ORDER}") for number in numbers)
    bench.buffer[: len(octets)] = octets
    count = bench.scanner.scan(0, len(octets))
    assert lane.accept(bench.scanner, 0, count, bench.clock.now_ns) == accepted


def test_a_type_that_the_application_does_not_take_is_not_fast() -> None:
    bench = Bench()
    lane = FixLane(b"CLIENT1", b"PORTCULLIS", frozenset(), 120 * 10**9)
    octets = bench.message(f"35=D|34=1|{ORDER}")
    bench.buffer[: len(octets)] = octets
    bench.scanner.scan(0, len(octets))
    assert lane.accept(bench.scanner, 0, 1, bench.clock.now_ns) == 0
