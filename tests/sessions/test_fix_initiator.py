"""Initiator and acceptor joined by bytes under a virtual clock: nothing lost, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis.codecs.fix.layout import M_END, M_START, MSG_WORDS
from portcullis.sessions.fix_config import FixSessionConfig, Role
from portcullis.sessions.fix_events import Authenticate, Disconnect, FixEvent, LoggedOn
from portcullis.sessions.fix_initiator import FixInitiator
from portcullis.sessions.fix_states import State
from tests.support.clock import VirtualClock
from tests.support.fix_bench import tables
from tests.support.wire import fields, readable, split

SETTINGS = settings(max_examples=60, deadline=None)


class Collector:
    """An application that keeps the ClOrdID of each message."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.side: Side | None = None

    def on_messages(self, scanner: Any, first: int, count: int) -> int:
        for index in range(first, first + count):
            words = scanner.message[index * MSG_WORDS : (index + 1) * MSG_WORDS]
            found = fields(bytes(scanner.octets[words[M_START] : words[M_END]]))
            self.ids.append(found[11])
            assert self.side is not None
            self.side.machine.store.advance(int(found[34]) + 1)
        return count


class Side:
    """One end: its machine, what it was told, and the bytes on their way to the other."""

    def __init__(self, role: Role, comp_id: bytes, client: bytes, **settings: Any) -> None:
        config = FixSessionConfig(
            begin_string=b"FIX.4.4", comp_id=comp_id, client=client, role=role, **settings
        )
        self.application = Collector()
        self.machine = FixInitiator(config, self.application, tables())
        self.application.side = self
        self.wire = b""
        self.seen: list[FixEvent] = []
        self.sent: list[str] = []

    def settle(self, now_ns: int) -> bool:
        """Work through events, fill the wire; False: it wants to close."""
        stays = True
        while events := self.machine.events():
            self.seen += events
            for event in events:
                if isinstance(event, Authenticate):
                    self.machine.session.authenticated(True, now_ns)
                stays = stays and not isinstance(event, Disconnect)
        self.wire += self.machine.data_to_send()
        return stays

    def send(self, now_ns: int) -> None:
        identity = f"{self.machine.session.config.comp_id.decode()}-{len(self.sent)}"
        self.sent.append(identity)
        body = f"11={identity}|21=1|38=5|40=1|54=1|55=X|60=20260102-12:00:00|"
        self.machine.send(b"D", body.replace("|", "\x01").encode(), now_ns)


class Pair:
    """Both ends and what is between them."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.acceptor = Side(Role.ACCEPTOR, b"PORTCULLIS", b"CLIENT1", **settings)
        self.initiator = Side(Role.INITIATOR, b"CLIENT1", b"PORTCULLIS", **settings)
        self.sides = (self.initiator, self.acceptor)
        self.is_connected = False

    def connect(self) -> None:
        if self.is_connected:
            return
        self.is_connected = True
        self.acceptor.machine.connected(self.clock.now_ns)
        self.initiator.machine.connected(self.clock.now_ns)
        self.settle()

    def cut(self) -> None:
        """The connection breaks, and what is under way is lost."""
        if self.is_connected:
            self.is_connected = False
            for side in self.sides:
                side.machine.disconnected(self.clock.now_ns)
                side.settle(self.clock.now_ns)
                side.wire = b""

    def settle(self) -> None:
        stays = [side.settle(self.clock.now_ns) for side in self.sides]
        if not all(stays):
            self.cut()

    def deliver(self, sender: Side, length: int) -> None:
        """So many bytes of one direction arrive."""
        receiver = self.acceptor if sender is self.initiator else self.initiator
        part, sender.wire = sender.wire[:length], sender.wire[length:]
        if part:
            receiver.machine.feed(part, self.clock.now_ns)
        self.settle()

    def deliver_all(self) -> None:
        for _ in range(1000):
            if not any(side.wire for side in self.sides):
                return
            for side in self.sides:
                self.deliver(side, len(side.wire))
        raise AssertionError("the two sides never come to rest")

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for side in self.sides:
            if self.is_connected:
                side.machine.tick(self.clock.now_ns)
        self.settle()


def test_a_session_from_logon_to_logout() -> None:
    pair = Pair()
    pair.connect()
    assert [
        readable(message).partition("|49=")[0].partition("|35=")[2]
        for message in split(pair.initiator.wire)
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


def test_a_session_stays_alive_on_heartbeats_alone() -> None:
    pair = Pair()
    pair.connect()
    pair.deliver_all()
    for _ in range(300):
        pair.pass_time(1)
        pair.deliver_all()
    assert pair.is_connected
    # One Logon and a Heartbeat every thirty seconds, and no TestRequest.
    assert [side.machine.store.next_out for side in pair.sides] == [12, 12]


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
    pair.sides = (pair.initiator, pair.acceptor)
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


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 1)),
        st.tuples(st.just("deliver"), st.integers(0, 1), st.integers(1, 400)),
        st.tuples(st.just("all")),
        st.tuples(st.just("cut")),
        st.tuples(st.just("connect")),
        st.tuples(st.just("time"), st.sampled_from([0.5, 5, 31, 75])),
    ),
    max_size=60,
)


@pytest.mark.parametrize("next_expected", [False, True])
@pytest.mark.parametrize("held_messages_max", [2, 4096])
@SETTINGS
@given(steps=STEPS)
def test_nothing_is_lost_and_nothing_comes_twice(
    next_expected: bool, held_messages_max: int, steps: list[tuple[Any, ...]]
) -> None:
    pair = Pair(next_expected=next_expected, held_messages_max=held_messages_max)
    for step in steps:
        if step[0] == "send":
            pair.sides[step[1]].send(pair.clock.now_ns)
            pair.settle()
        elif step[0] == "deliver":
            pair.deliver(pair.sides[step[1]], step[2])
        elif step[0] == "all":
            pair.deliver_all()
        elif step[0] == "cut":
            pair.cut()
        elif step[0] == "connect":
            pair.connect()
        else:
            pair.pass_time(step[1])
    pair.cut()
    pair.connect()
    pair.deliver_all()
    pair.pass_time(11)
    pair.deliver_all()
    assert pair.is_connected
    assert pair.acceptor.application.ids == pair.initiator.sent
    assert pair.initiator.application.ids == pair.acceptor.sent
