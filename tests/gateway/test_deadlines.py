"""The heap of deadlines: nobody is looked at late, nobody twice for one deadline."""

from __future__ import annotations

from portcullis.gateway.deadlines import Deadlines


class Peer:
    """Says when it was looked at, and gives the deadlines it was made with, one after another."""

    def __init__(self, *deadlines: int) -> None:
        self.armed_ns = 0
        self.looked_at: list[int] = []
        self._deadlines = list(deadlines)

    def tick(self, now_ns: int) -> int:
        self.looked_at.append(now_ns)
        return self._deadlines.pop(0) if self._deadlines else 0


def test_each_is_looked_at_when_its_time_has_come() -> None:
    deadlines, early, late = Deadlines(), Peer(), Peer()
    deadlines.arm(late, 20)
    deadlines.arm(early, 10)
    for now_ns in (9, 10, 11, 20, 21):
        deadlines.run(now_ns)
    assert (early.looked_at, late.looked_at) == ([10], [20])


def test_the_next_deadline_is_the_one_that_a_look_gives() -> None:
    deadlines, peer = Deadlines(), Peer(15, 30)
    deadlines.arm(peer, 10)
    for now_ns in range(10, 40):
        deadlines.run(now_ns)
    assert peer.looked_at == [10, 15, 30]


def test_a_deadline_that_comes_nearer_counts_and_the_old_one_does_not() -> None:
    deadlines, peer = Deadlines(), Peer()
    deadlines.arm(peer, 50)
    deadlines.arm(peer, 10)
    deadlines.arm(peer, 40)  # later than what is armed: no need
    for now_ns in range(60):
        deadlines.run(now_ns)
    assert peer.looked_at == [10]


def test_no_deadline_is_no_look() -> None:
    deadlines, peer = Deadlines(), Peer()
    deadlines.arm(peer, 0)
    deadlines.run(1 << 60)
    assert peer.looked_at == []


def test_a_clock_that_is_set_back_puts_nobody_off() -> None:
    deadlines, first, second = Deadlines(), Peer(6), Peer()
    deadlines.arm(first, 110)
    deadlines.arm(first, 105)
    deadlines.arm(second, 120)
    deadlines.run(100)
    for now_ns in range(3, 8):
        deadlines.run(now_ns)
    assert (first.looked_at, second.looked_at) == ([3, 6], [3])
