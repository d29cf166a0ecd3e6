"""A subscriber behind links that lose, double and reorder: every message once, in order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.codecs.moldudp64 import packets
from portcullis.sessions.mold_gaps import GapSettings
from portcullis.sessions.mold_subscriber import (
    SECOND_NS,
    Began,
    Ended,
    Event,
    Lost,
    Message,
    Missing,
    MoldSubscriber,
    State,
    SubscriberSettings,
    Way,
)
from tests.support.mold_world import Link, World

SESSION = "2026010201"
NEXT = "2026010301"
PATIENCE_NS = GapSettings().patience_ns


def packet(sequence: int, *messages: bytes, session: str = SESSION) -> bytes:
    return packets.downstream(session.encode(), sequence, list(messages))


def delivered(events: list[Event]) -> list[tuple[int, bytes]]:
    return [(one.sequence, one.octets) for one in events if isinstance(one, Message)]


def make(sequence: int = 1, session: str = "", **changed: object) -> MoldSubscriber:
    return MoldSubscriber(
        SubscriberSettings(**changed),  # type: ignore[arg-type]
        0,
        session=session,
        sequence=sequence,
    )


# --- one packet after the other -----------------------------------------------------------------


def test_messages_in_step_are_delivered_as_they_come() -> None:
    subscriber = make()
    subscriber.receive(packet(1, b"a", b""), Way.LINE_A, 1)
    subscriber.receive(packet(3, b"c"), Way.LINE_A, 2)
    events = subscriber.events()
    assert events[0] == Began(SESSION, 1)
    assert delivered(events) == [(1, b"a"), (2, b""), (3, b"c")]
    assert (subscriber.state, subscriber.requests()) == (State.IN_STEP, [])


def test_the_copy_of_the_other_line_is_passed_over_and_counted() -> None:
    subscriber = make()
    for way in (Way.LINE_A, Way.LINE_B):
        subscriber.receive(packet(1, b"a", b"b"), way, 1)
    assert delivered(subscriber.events()) == [(1, b"a"), (2, b"b")]
    assert (subscriber.counts.received, subscriber.counts.duplicated) == (2, 2)


def test_a_packet_that_overlaps_brings_what_is_new_of_it() -> None:
    subscriber = make()
    subscriber.receive(packet(1, b"a", b"b"), Way.LINE_A, 1)
    subscriber.receive(packet(2, b"b", b"c"), Way.LINE_B, 1)
    assert delivered(subscriber.events()) == [(1, b"a"), (2, b"b"), (3, b"c")]


def test_a_gap_waits_for_the_other_line_before_it_is_asked_for() -> None:
    subscriber = make()
    subscriber.receive(packet(1, b"a"), Way.LINE_A, 1)
    subscriber.receive(packet(3, b"c"), Way.LINE_A, 1)
    assert (subscriber.state, subscriber.requests()) == (State.ASKING, [])
    subscriber.receive(packet(2, b"b"), Way.LINE_B, PATIENCE_NS)
    subscriber.tick(PATIENCE_NS + 1)
    assert subscriber.requests() == []
    assert delivered(subscriber.events()) == [(1, b"a"), (2, b"b"), (3, b"c")]


def test_a_heartbeat_shows_that_the_tail_was_lost() -> None:
    subscriber = make()
    subscriber.receive(packet(1, b"a"), Way.LINE_A, 1)
    subscriber.receive(packet(5), Way.LINE_A, 1)
    deadline = subscriber.tick(1)
    assert deadline == 1 + PATIENCE_NS
    subscriber.tick(deadline)
    assert subscriber.requests() == [packets.request(SESSION.encode(), 2, 3)]
    assert Missing(2, 5) in subscriber.events()


def test_an_answer_that_holds_less_than_was_asked_for_brings_the_next_request_at_once() -> None:
    subscriber = make()
    subscriber.receive(packet(10), Way.LINE_A, 1)
    subscriber.tick(PATIENCE_NS + 1)
    subscriber.requests()
    subscriber.receive(packet(1, b"a", b"b"), Way.ANSWER, PATIENCE_NS + 2)
    assert subscriber.requests() == [packets.request(SESSION.encode(), 3, 7)]


def test_requests_without_an_answer_are_sent_again_after_a_wait_that_doubles() -> None:
    subscriber = make(has_replay=False)
    subscriber.receive(packet(2), Way.LINE_A, 0)
    sent, now_ns = [], 0
    while len(sent) < 9:
        now_ns = subscriber.tick(now_ns)
        subscriber.receive(packet(2), Way.LINE_A, now_ns)
        if subscriber.requests():
            sent.append(now_ns)
    waits = [later - earlier for earlier, later in pairwise(sent)]
    gaps = GapSettings()
    assert sent[0] == gaps.patience_ns
    assert waits == [min(gaps.retry_ns << n, gaps.retry_most_ns) for n in range(8)]


def test_requests_under_way_are_bounded_whatever_is_missing() -> None:
    subscriber = make(has_replay=False)
    subscriber.receive(packet(1 << 62), Way.LINE_A, 0)
    for now_ns in range(PATIENCE_NS, 40 * PATIENCE_NS, PATIENCE_NS):
        subscriber.tick(now_ns)
    gaps = GapSettings()
    asked = [packets.parse_request(one) for one in subscriber.requests()]
    assert len({one.sequence for one in asked if one}) == gaps.window
    assert all(one and one.wanted == gaps.piece for one in asked)


def test_much_that_is_missing_is_replayed_and_not_asked_for_piece_by_piece() -> None:
    subscriber = make(replay_above=100)
    subscriber.receive(packet(102), Way.LINE_A, 0)
    assert (subscriber.wants_replay, subscriber.state) == (True, State.REPLAYING)
    subscriber.replayed(SESSION, 1, [b"m"] * 101, 1)
    assert (subscriber.wants_replay, subscriber.state) == (False, State.IN_STEP)
    assert subscriber.counts.recovered == 101


def test_silent_lines_are_replaced_by_the_replay_until_they_speak() -> None:
    subscriber = make(session=SESSION)
    now_ns = subscriber.tick(0)
    assert now_ns == 3 * SECOND_NS
    subscriber.tick(now_ns)
    assert subscriber.is_silent and subscriber.wants_replay
    subscriber.replayed(SESSION, 1, [b"a"], now_ns)
    assert subscriber.wants_replay
    subscriber.receive(packet(2, b"b"), Way.LINE_B, now_ns + 1)
    assert not subscriber.is_silent and not subscriber.wants_replay
    assert delivered(subscriber.events()) == [(1, b"a"), (2, b"b")]


def test_what_nobody_supplies_is_lost_and_said_and_the_rest_goes_on() -> None:
    subscriber = make(give_up_ns=2 * SECOND_NS, has_replay=False)
    subscriber.receive(packet(3, b"c"), Way.LINE_A, 0)
    ticks = [0]
    while subscriber.missing:
        ticks.append(subscriber.tick(ticks[-1]))
    assert ticks[-2] == 2 * SECOND_NS
    assert subscriber.events()[-2:] == [Lost(1, 3), Message(3, b"c", Way.LINE_A)]
    assert subscriber.counts.lost == 2


def test_with_nobody_to_ask_a_gap_is_lost_once_no_packet_can_have_been_overtaken() -> None:
    subscriber = make(has_requests=False, has_replay=False)
    subscriber.receive(packet(3, b"c"), Way.LINE_A, 0)
    assert subscriber.tick(0) == PATIENCE_NS
    subscriber.tick(PATIENCE_NS)
    assert subscriber.events()[1:] == [
        Missing(1, 3),
        Lost(1, 3),
        Message(3, b"c", Way.LINE_A),
    ]
    assert (subscriber.counts.lost, subscriber.state) == (2, State.IN_STEP)


def test_what_does_not_fit_into_the_buffer_is_dropped_and_asked_for_again() -> None:
    subscriber = make(held_max=2)
    subscriber.receive(packet(2, b"b", b"c", b"d"), Way.LINE_A, 0)
    subscriber.receive(packet(1, b"a"), Way.LINE_A, 1)
    assert delivered(subscriber.events()) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert (subscriber.counts.dropped, subscriber.missing) == (1, 1)
    subscriber.tick(PATIENCE_NS)
    assert subscriber.requests() == [packets.request(SESSION.encode(), 4, 1)]


def test_who_begins_with_the_first_packet_seen_misses_nothing_before_it() -> None:
    subscriber = make(sequence=0)
    subscriber.receive(packet(77, b"x"), Way.LINE_A, 0)
    assert subscriber.events() == [Began(SESSION, 77), Message(77, b"x", Way.LINE_A)]


@pytest.mark.parametrize("size", range(len(packet(1, b"abc", b"de"))))
def test_a_truncated_packet_is_counted_and_changes_nothing(size: int) -> None:
    subscriber = make()
    subscriber.receive(packet(1, b"abc", b"de")[:size], Way.LINE_A, 0)
    assert subscriber.counts.unreadable == 1
    assert (subscriber.state, subscriber.events()) == (State.WAITING, [])


# --- sessions -----------------------------------------------------------------------------------


def test_the_next_session_begins_once_this_one_is_complete() -> None:
    subscriber = make()
    subscriber.receive(packet(1, b"a"), Way.LINE_A, 0)
    subscriber.receive(packets.end_of_session(SESSION.encode(), 2), Way.LINE_A, 1)
    assert subscriber.state == State.ENDED
    subscriber.receive(packet(1, b"n", session=NEXT), Way.LINE_A, 2)
    subscriber.receive(packet(1, b"n", session=NEXT), Way.LINE_A, 3)
    events = subscriber.events()
    assert events[2:] == [
        Ended(SESSION, 2, True),
        Began(NEXT, 1),
        Message(1, b"n", Way.LINE_A),
    ]


def test_late_packets_of_a_session_that_is_over_bring_nothing_back() -> None:
    subscriber = make(session=SESSION)
    subscriber.receive(packets.end_of_session(SESSION.encode(), 1), Way.LINE_A, 0)
    subscriber.receive(packet(1, session=NEXT), Way.LINE_A, 1)
    subscriber.receive(packets.end_of_session(SESSION.encode(), 1), Way.LINE_A, 2)
    subscriber.receive(packet(1, b"n", session=NEXT), Way.LINE_A, 3)
    assert (subscriber.session, subscriber.state) == (NEXT, State.IN_STEP)


def test_who_comes_while_the_last_session_is_told_to_be_over_begins_with_the_live_one() -> None:
    subscriber = make()
    subscriber.receive(packets.end_of_session(SESSION.encode(), 9), Way.LINE_A, 0)
    subscriber.receive(packet(1, b"n", session=NEXT), Way.LINE_A, 1)
    assert subscriber.events() == [Began(NEXT, 1), Message(1, b"n", Way.LINE_A)]


def test_a_session_whose_end_was_missed_is_asked_for_its_tail_before_it_is_left() -> None:
    subscriber = make()
    subscriber.receive(packet(1, b"a"), Way.LINE_A, 0)
    subscriber.receive(packet(4, b"n", session=NEXT), Way.LINE_A, 1)
    assert subscriber.requests() == [packets.request(SESSION.encode(), 2, 1)]
    subscriber.receive(packet(2, b"b"), Way.ANSWER, 2)
    subscriber.tick(SECOND_NS)
    assert subscriber.requests() == [packets.request(SESSION.encode(), 3, 1)]
    subscriber.receive(packets.end_of_session(SESSION.encode(), 3), Way.ANSWER, SECOND_NS)
    events = subscriber.events()
    assert events[-2:] == [Ended(SESSION, 3, True), Began(NEXT, 1)]
    assert delivered(events) == [(1, b"a"), (2, b"b")]


def test_a_session_whose_end_nobody_tells_is_left_and_said_to_be_incomplete() -> None:
    subscriber = make(has_replay=False, give_up_ns=SECOND_NS)
    subscriber.receive(packet(1, b"a"), Way.LINE_A, 0)
    subscriber.receive(packet(1, b"n", session=NEXT), Way.LINE_A, 0)
    ticks = [0]
    while subscriber.session == SESSION:
        ticks.append(subscriber.tick(ticks[-1]))
    assert ticks[-2] == SECOND_NS
    assert subscriber.events()[-2:] == [Ended(SESSION, 2, False), Began(NEXT, 1)]


def test_an_end_that_lies_before_what_was_seen_loses_what_is_still_missing() -> None:
    subscriber = make()
    subscriber.receive(packet(3, b"c"), Way.LINE_A, 0)
    subscriber.receive(packet(1, b"a"), Way.LINE_A, 0)
    subscriber.receive(packets.end_of_session(SESSION.encode(), 2), Way.ANSWER, 1)
    subscriber.receive(packet(1, session=NEXT), Way.LINE_A, 2)
    assert subscriber.events()[2:] == [
        Message(1, b"a", Way.LINE_A),
        Ended(SESSION, 2, True),
        Lost(2, 3),
        Message(3, b"c", Way.LINE_A),
        Began(NEXT, 1),
    ]


# --- a world of links ---------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    lost=st.sampled_from((0.0, 0.01, 0.1, 0.5)),
    doubled=st.sampled_from((0.0, 0.3)),
    delay_ms=st.sampled_from((0, 3, 30)),
    lines=st.sampled_from((1, 2)),
    has_replay=st.booleans(),
    held_max=st.sampled_from((3, 65_536)),
)
def test_every_message_is_delivered_once_and_in_order_over_any_link(
    seed: int,
    lost: float,
    doubled: float,
    delay_ms: int,
    lines: int,
    has_replay: bool,
    held_max: int,
) -> None:
    world = World(
        seed,
        Link(lost, doubled, delay_ms),
        SubscriberSettings(has_replay=has_replay, held_max=held_max),
        lines=lines,
        has_replay=has_replay,
    )
    for session in (SESSION, NEXT):
        for _ in range(120):
            count = world.dice.randint(1, 6)
            world.publish([world.dice.randbytes(world.dice.randint(0, 9)) for _ in range(count)])
            world.run(world.dice.randint(0, 3))
        if session == SESSION:
            world.end_session(NEXT)
    for _ in range(1000):
        if world.subscriber.session == NEXT and (
            world.subscriber.next_sequence > len(world.sessions[NEXT])
        ):
            break
        world.run(1000)
    got: dict[str, list[tuple[int, bytes]]] = {}
    for event in world.events:
        if isinstance(event, Began):
            taken = got.setdefault(event.session, [])
        elif isinstance(event, Message):
            taken.append((event.sequence, event.octets))
    assert got == {name: list(enumerate(log, 1)) for name, log in world.sessions.items()}
    counts = world.subscriber.counts
    assert counts.lost == 0
    assert counts.received + counts.recovered == sum(map(len, world.sessions.values()))


def test_a_gap_that_only_the_replay_can_fill_is_filled_by_it() -> None:
    world = World(1, Link())
    world.is_answering = False
    world.subscriber.receive(packet(1, b"seen"), Way.LINE_A, 0)
    world.sessions[SESSION] = [b"seen", b"missed", b"missed"]
    world.publish([b"live"])
    world.run(4000)
    assert delivered(world.events) == list(enumerate(world.sessions[SESSION], 1))
    assert world.subscriber.counts.replays == 1
