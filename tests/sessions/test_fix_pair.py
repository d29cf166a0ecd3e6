"""Whatever happens between two machines, both tell the same story of it afterwards.

Hypothesis chooses what goes wrong. Then clocks are right and connections hold, and what was sent
has been delivered once, in order, or is known not to be: filled by its sender, or rejected.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.support.fix_pair import Pair, Side

SETTINGS = settings(max_examples=60, deadline=None)
SIDES = st.integers(0, 1)
# Clocks may differ by two minutes, the window for SendingTime(52), and no more.
SMALL_JUMPS = st.sampled_from([-55, -5, 5, 55])
LARGE_JUMPS = st.sampled_from([-7200, -300, 300, 7200])

# What TCP and people do: bytes come in pieces, connections end for one side or both, in any order,
# processes start anew, time passes, clocks are corrected.
USUAL = [
    st.tuples(st.just("send"), SIDES),
    st.tuples(st.just("deliver"), SIDES, st.integers(1, 400)),
    st.tuples(st.just("all")),
    st.tuples(st.just("cut")),
    st.tuples(st.just("close"), SIDES),
    st.tuples(st.just("connect")),
    st.tuples(st.just("restart"), SIDES),
    st.tuples(st.just("time"), st.sampled_from([0.5, 3, 11, 31, 75])),
    st.tuples(st.just("jump"), SIDES, SMALL_JUMPS),
]
# What a broken proxy does: messages vanish, come twice, or are damaged.
BROKEN = [
    st.tuples(st.just("lose"), SIDES),
    st.tuples(st.just("repeat"), SIDES),
    st.tuples(st.just("damage"), SIDES, st.integers(0, 2000), st.integers(1, 255)),
]
WRONG_CLOCKS = [st.tuples(st.just("jump"), SIDES, LARGE_JUMPS)]


def steps(*kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    # Traffic comes more often than trouble.
    traffic = [USUAL[0], USUAL[1], USUAL[2], USUAL[5]]
    return st.lists(st.one_of(*traffic, *USUAL, *kinds), max_size=60)


def damage(receiver: Side, place: int, change: int) -> None:
    """Change one byte on the way, so that its message is garbled and perhaps others with it."""
    connection = receiver.connection
    if connection is not None and connection.to[receiver]:
        octets = bytearray(connection.to[receiver])
        octets[place % len(octets)] ^= change
        connection.to[receiver] = bytes(octets)


def lose(receiver: Side) -> None:
    if receiver.connection is not None:
        receiver.connection.to[receiver] = b""


def play(pair: Pair, story: list[tuple[Any, ...]]) -> None:
    for step in story:
        match step:
            case ("all",):
                pair.deliver_all()
            case ("cut",):
                pair.cut()
            case ("connect",):
                pair.connect()
            case ("time", seconds):
                pair.pass_time(seconds)
            case ("send", side):
                pair.sides[side].send(pair.now_ns(pair.sides[side]))
                pair.settle()
            case ("deliver", side, length):
                pair.deliver(pair.sides[side], length)
            case ("close", side):
                pair.close(pair.sides[side])
            case ("restart", side):
                pair.restart(pair.sides[side])
            case ("jump", side, seconds):
                pair.jump(pair.sides[side], seconds)
            case ("repeat", side):
                pair.put(pair.sides[side], pair.sides[side].last_output)
            case ("lose", side):
                lose(pair.sides[side])
            case ("damage", side, place, change):
                damage(pair.sides[side], place, change)


def assert_same_story(pair: Pair, *, may_fill: bool = False, may_reject: bool = False) -> None:
    """Both agree on the numbers, and each message is accounted for."""
    assert pair.is_connected
    for side in pair.sides:
        other = pair.other(side)
        assert side.store.next_out == other.machine.session.next_in == other.store.next_in
        known = set(other.application.ids)
        delivered = [identity for identity in side.sent if identity in known]
        assert other.application.ids == delivered  # once, and in order
        missing = {side.number[identity] for identity in side.sent if identity not in known}
        note(f"{side.config.comp_id!r} misses {missing}")
        if may_reject:
            missing -= other.rejected
        if may_fill:
            missing -= side.filled
        assert not missing


@pytest.mark.parametrize("next_expected", [False, True])
@pytest.mark.parametrize("held_messages_max", [2, 4096])
@SETTINGS
@given(story=steps())
def test_nothing_is_lost_and_nothing_comes_twice(
    next_expected: bool, held_messages_max: int, story: list[tuple[Any, ...]]
) -> None:
    pair = Pair(next_expected=next_expected, held_messages_max=held_messages_max)
    play(pair, story)
    pair.heal()
    assert_same_story(pair)


@SETTINGS
@given(story=steps(*BROKEN))
def test_nothing_is_lost_where_messages_vanish_come_twice_or_are_damaged(
    story: list[tuple[Any, ...]],
) -> None:
    pair = Pair(held_messages_max=8)
    play(pair, story)
    pair.heal()
    assert_same_story(pair)


@SETTINGS
@given(story=steps(*BROKEN))
def test_resends_in_chunks_bring_the_same(story: list[tuple[Any, ...]]) -> None:
    pair = Pair(resend_chunk=2, held_messages_max=3)
    play(pair, story)
    pair.heal()
    assert_same_story(pair)


@SETTINGS
@given(story=steps(*BROKEN))
def test_what_was_forgotten_is_filled_and_nothing_else_is_missing(
    story: list[tuple[Any, ...]],
) -> None:
    pair = Pair(kept_max=2)
    play(pair, story)
    pair.heal()
    assert_same_story(pair, may_fill=True)


@SETTINGS
@given(story=steps(*BROKEN, *WRONG_CLOCKS))
def test_with_wrong_clocks_what_is_not_delivered_was_rejected(
    story: list[tuple[Any, ...]],
) -> None:
    pair = Pair()
    play(pair, story)
    pair.heal()
    assert_same_story(pair, may_reject=True)
