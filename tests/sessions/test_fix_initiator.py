"""Initiator and acceptor joined by bytes under a virtual clock: nothing lost, nothing twice."""

from __future__ import annotations

import itertools

import pytest

from portcullis.sessions.fix_config import Role
from portcullis.sessions.fix_events import Disconnect, LoggedOn
from portcullis.sessions.fix_states import State
from tests.support.clock import SECOND_NS
from tests.support.fix_pair import Pair, Side
from tests.support.wire import readable, split


def in_flight(pair: Pair) -> bytes:
    """What the initiator has sent and nobody has received."""
    connection = pair.initiator.connection
    assert connection is not None
    return connection.to[pair.acceptor]


def test_a_session_from_logon_to_logout() -> None:
    pair = Pair()
    pair.connect()
    assert [
        readable(message).partition("|49=")[0].partition("|35=")[2]
        for message in split(in_flight(pair))
    ] == ["A|34=1"]
    pair.deliver_all()
    assert [event for event in pair.initiator.seen] == [LoggedOn(reset=False)]
    pair.initiator.send(pair.clock.now_ns)
    pair.acceptor.send(pair.clock.now_ns)
    pair.settle()
    pair.deliver_all()
    assert pair.acceptor.application.ids == ["CLIENT1-0"]
    assert pair.initiator.application.ids == ["PORTCULLIS-0"]
    pair.initiator.machine.logout("done", pair.clock.now_ns)
    pair.settle()
    pair.deliver_all()
    assert not pair.is_connected
    assert [side.machine.session.state for side in pair.sides] == [State.OFFLINE] * 2
    assert [side.machine.session.next_in for side in pair.sides] == [4, 4]


@pytest.mark.parametrize("late_ns", [0, 70_000_000])
def test_a_day_of_heartbeats_does_not_drift(late_ns: int) -> None:
    """late_ns: how coarse the timer is that looks at deadlines."""
    pair = Pair()
    pair.connect()
    pair.deliver_all()
    begin_ns = pair.clock.now_ns
    heartbeats: dict[Side, list[int]] = {side: [begin_ns] for side in pair.sides}
    while True:
        due_ns = min(side.machine.tick(pair.clock.now_ns) for side in pair.sides) - begin_ns
        due_ns = -(-due_ns // late_ns) * late_ns if late_ns else due_ns
        if due_ns > 86_400 * SECOND_NS:
            break
        pair.clock.now_ns = begin_ns + due_ns
        for side in pair.sides:
            before = side.store.next_out
            side.machine.tick(pair.clock.now_ns)
            if side.store.next_out > before:
                heartbeats[side].append(pair.clock.now_ns)
        pair.settle()
        pair.deliver_all()
    assert pair.is_connected
    for side in pair.sides:
        # Logon, then nothing but Heartbeats, each due at its time to the nanosecond.
        assert side.store.next_out == 2 + len(heartbeats[side]) - 1
        pauses = {b - a for a, b in itertools.pairwise(heartbeats[side])}
        assert min(pauses) >= 30 * SECOND_NS and max(pauses) <= 30 * SECOND_NS + late_ns
        assert late_ns or len(heartbeats[side]) == 1 + 2880


@pytest.mark.parametrize("is_answered", [False, True])
def test_a_logout_that_is_lost_or_whose_answer_is_moves_no_numbers_apart(
    is_answered: bool,
) -> None:
    pair = Pair()
    pair.connect()
    pair.deliver_all()
    pair.initiator.machine.logout("", pair.clock.now_ns)
    pair.settle()
    if is_answered:
        pair.deliver(pair.acceptor, 10_000)
    pair.cut()
    pair.connect()
    pair.deliver_all()
    for side in pair.sides:
        side.send(pair.clock.now_ns)
    pair.settle()
    pair.deliver_all()
    assert pair.is_connected
    for side in pair.sides:
        assert pair.other(side).machine.session.next_in == side.store.next_out
        assert pair.other(side).application.ids == side.sent


def test_an_initiator_whose_logon_is_refused_counts_the_logout_and_says_why() -> None:
    pair = Pair()
    pair.connect()
    # As an acceptor refuses: a Logout in place of the Logon, under its next number.
    pair.acceptor.store.attach()
    pair.acceptor.store.send(b"5", b"58=not today\x01")
    pair.settle()
    pair.deliver(pair.initiator, 10_000)
    assert Disconnect("Logon was refused: not today") in pair.initiator.seen
    assert pair.initiator.machine.session.next_in == 2


def test_what_is_sent_while_offline_comes_after_the_next_logon() -> None:
    pair = Pair()
    pair.connect()
    pair.deliver_all()
    pair.cut()
    for side in pair.sides:
        side.send(pair.clock.now_ns)
    pair.connect()
    pair.deliver_all()
    assert pair.acceptor.application.ids == ["CLIENT1-0"]
    assert pair.initiator.application.ids == ["PORTCULLIS-0"]


def test_a_logon_with_reset_begins_anew_on_both_sides() -> None:
    pair = Pair()
    pair.initiator = Side(Role.INITIATOR, b"CLIENT1", b"PORTCULLIS", reset_on_logon=True)
    for _ in range(2):
        pair.connect()
        pair.deliver_all()
        pair.initiator.send(pair.clock.now_ns)
        pair.settle()
        pair.deliver_all()
        assert [side.machine.store.next_out for side in pair.sides] == [3, 2]
        pair.cut()
    assert pair.acceptor.application.ids == ["CLIENT1-0", "CLIENT1-1"]


def test_an_initiator_ends_a_session_whose_first_answer_is_no_logon() -> None:
    pair = Pair()
    pair.connect()
    pair.initiator.machine.feed(b"8=FIX.4.4\x019=5\x0135=0\x0110=163\x01", pair.clock.now_ns)
    assert any(isinstance(event, Disconnect) for event in pair.initiator.machine.events())
