"""Resends by the row store: in slices, live reports behind them, a connection that goes meanwhile.

The gateway's parts without sockets: each flush is a turn, and what a turn sends is looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.gateway.fix_peer import FixPeer
from portcullis.sessions.fix_states import Recovery
from portcullis.tools.benchmarks import orders
from portcullis.tools.benchmarks.orders import MAKER, TAKER
from portcullis.tools.benchmarks.stages import Chain, Wire
from portcullis.tools.gateway_process import CONFIG
from tests.support.wire import fields, split

RESEND_BYTES = 16 << 10
LIMITS = """
[journal]
segment_rows = 32768
[limits]
resend_bytes = "16KiB"
orders = 10000
ids = 20000
"""
MESSAGE_BYTES_MAX = 400
ORDERS = 600
LAST = 1 + ORDERS  # number of the last report: the Logon has the first


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    chain = Chain(tmp_path, CONFIG + LIMITS)
    yield chain
    chain.close()


def rests(chain: Chain) -> tuple[FixPeer, Wire]:
    """The maker, logged on, with orders that rest; their reports have been sent."""
    peer, wire = chain.log_on(MAKER)
    chain.feed(peer, b"".join(orders.maker_flow(10 * ORDERS).messages))
    assert numbers(wire) == list(range(1, LAST + 1))
    return peer, wire


def ask(chain: Chain, peer: FixPeer, sender: str, seq: int, begin: int, end: int = 0) -> None:
    when = orders.utc_now()
    chain.feed(peer, orders.message("2", seq, sender, when, f"7={begin}", f"16={end}"))


def order(sender: str, seq: int, side: str) -> bytes:
    when = orders.utc_now()
    body = ("38=1", "40=2", "44=100.00", f"54={side}", "55=BTC-USD", f"60={when}")
    return orders.message("D", seq, sender, when, f"11=X{seq}", *body)


def taken(wire: Wire) -> bytes:
    octets = b"".join(wire.written)
    wire.written.clear()
    return octets


def numbers(wire: Wire) -> list[int]:
    return [int(fields(message)[34]) for message in split(taken(wire))]


def turns(chain: Chain, wire: Wire) -> list[bytes]:
    """What has been sent, and what each turn sends until one sends nothing."""
    sent = [taken(wire)]
    while True:
        chain.turn.flush()
        if not wire.written:
            return sent
        sent.append(taken(wire))


def test_a_resend_to_infinity_goes_out_in_slices_and_others_are_answered_between(
    chain: Chain,
) -> None:
    maker, wire = rests(chain)
    taker, taker_wire = chain.log_on(TAKER)
    taken(taker_wire)
    ask(chain, maker, MAKER, LAST + 1, 1)
    slices = [taken(wire)]
    for seq in range(2, 6):  # an order and its fill are answered in the turn that they come in
        chain.feed(taker, order(TAKER, seq, "1"))
        assert len(numbers(taker_wire)) == 2
        slices.append(taken(wire))
    assert maker.session.recovery is Recovery.SERVING
    slices += turns(chain, wire)
    assert max(map(len, slices)) < RESEND_BYTES + MESSAGE_BYTES_MAX
    assert len(slices) > 8
    came = [fields(message) for message in split(b"".join(slices))]
    # First the Logon filled, then all that was asked for, then what came meanwhile.
    assert (came[0][35], came[0][36]) == ("4", "2")
    assert [int(one[34]) for one in came[1:]] == list(range(2, LAST + 5))
    assert [one.get(43) for one in came[1:]] == ["Y"] * ORDERS + [None] * 4
    assert maker.session.recovery is Recovery.IN_STEP


@pytest.mark.parametrize("end", [0, 2100, 999_999])
def test_a_run_of_session_messages_is_filled_by_one_however_long(chain: Chain, end: int) -> None:
    maker, wire = chain.log_on(MAKER)
    when = orders.utc_now()

    def asks_for_heartbeats(first: int, count: int) -> bytes:
        numbers = range(first, first + count)
        return b"".join(orders.message("1", n, MAKER, when, "112=X") for n in numbers)

    chain.feed(maker, asks_for_heartbeats(2, 2000))
    chain.feed(maker, order(MAKER, 2002, "2") + asks_for_heartbeats(2003, 100))
    taken(wire)
    ask(chain, maker, MAKER, 2103, 1, end)
    came = [fields(message) for message in split(b"".join(turns(chain, wire)))]
    last = end if end == 2100 else 2102
    assert [(one[35], one[34], one.get(36)) for one in came] == [
        ("4", "1", "2002"),
        ("8", "2002", None),
        ("4", "2003", str(last + 1)),
    ]


def test_a_resend_over_a_hole_in_the_numbers_goes_no_further_than_what_was_sent(
    chain: Chain,
) -> None:
    """After the machine has stopped numbers are passed over; the resend then found rows beyond."""
    maker, wire = chain.log_on(MAKER)
    maker.lost(chain.turn.begin())
    maker.store.skip(50_000)
    _, wire = chain.log_on(MAKER, 2)
    taken(wire)
    asked = orders.message("2", 3, MAKER, orders.utc_now(), "7=2", "16=0")
    chain.feed(maker, asked + order(MAKER, 4, "2"))
    came = [fields(message) for message in split(b"".join(turns(chain, wire)))]
    # The Logon is 50,000; the report was not sent yet, and so comes as new.
    assert [(one[35], one[34], one.get(43), one.get(36)) for one in came] == [
        ("4", "2", "Y", "50001"),
        ("8", "50001", None, None),
    ]


def test_resends_of_several_sessions_share_what_a_turn_may_send_again(chain: Chain) -> None:
    maker, wire = rests(chain)
    taker, taker_wire = chain.log_on(TAKER)
    chain.feed(taker, b"".join(orders.resting_flow(ORDERS).messages))
    taken(taker_wire)
    ask(chain, maker, MAKER, LAST + 1, 1)
    ask(chain, taker, TAKER, LAST + 1, 1)
    both = [taken(wire), taken(taker_wire)]
    for _ in range(5):
        chain.turn.flush()
        both = [taken(wire), taken(taker_wire)]
        assert all(0 < len(part) < RESEND_BYTES // 2 + MESSAGE_BYTES_MAX for part in both)


def test_both_sides_ask_at_once_each_is_served_and_asks_once(chain: Chain) -> None:
    maker, wire = rests(chain)
    ask(chain, maker, MAKER, LAST + 4, 1)  # three numbers ahead of its turn
    assert maker.session.recovery is Recovery.CROSSED
    later_ns = time.time_ns() + 20_000_000_000
    maker.tick(later_ns)
    sent = b"".join(turns(chain, wire))
    came = [fields(message) for message in split(sent)]
    requests = [one for one in came if one[35] == "2"]
    assert [(one[34], one[7]) for one in requests] == [(str(LAST + 1), str(LAST + 1))]
    assert came.index(requests[0]) == ORDERS + 1
    assert maker.session.recovery is Recovery.ASKING
    when = orders.utc_now()
    fill = ("43=Y", f"122={when}", f"36={LAST + 4}", "123=Y")
    chain.feed(maker, orders.message("4", LAST + 1, MAKER, when, *fill))
    assert maker.session.recovery is Recovery.IN_STEP
    assert maker.session.next_in == LAST + 5


def test_a_connection_lost_in_a_resend_takes_nothing_with_it(chain: Chain) -> None:
    maker, wire = rests(chain)
    ask(chain, maker, MAKER, LAST + 1, 2)
    got = numbers(wire)
    assert 0 < len(got) < ORDERS and maker.session.recovery is Recovery.SERVING
    maker.lost(time.time_ns())
    chain.turn.flush()
    assert maker.session.recovery is Recovery.IN_STEP
    assert taken(wire) == b""

    maker, wire = chain.log_on(MAKER, LAST + 2)
    assert numbers(wire) == [LAST + 1]  # the Logon alone: what is missing is asked for
    ask(chain, maker, MAKER, LAST + 3, got[-1] + 1, LAST)
    again = [fields(message) for message in split(b"".join(turns(chain, wire)))]
    assert got + [int(one[34]) for one in again] == list(range(2, LAST + 1))
    assert {one[43] for one in again} == {"Y"}


def test_a_full_socket_stops_a_resend_where_it_is(chain: Chain) -> None:
    maker, wire = rests(chain)
    ask(chain, maker, MAKER, LAST + 1, 2)
    maker.set_stopped(True)
    first = taken(wire)
    for _ in range(3):
        chain.turn.flush()
    assert taken(wire) == b""
    maker.set_stopped(False)
    whole = split(first + b"".join(turns(chain, wire)))
    assert [int(fields(message)[34]) for message in whole] == list(range(2, LAST + 1))


def test_what_waits_for_a_client_that_does_not_read_is_counted(chain: Chain) -> None:
    maker, wire = rests(chain)
    taker, _ = chain.log_on(TAKER)
    maker.set_stopped(True)
    for seq in range(2, 7):
        chain.feed(taker, order(TAKER, seq, "1"))
    assert maker.store.lag == 5
    maker.set_stopped(False)
    chain.turn.flush()
    assert maker.store.lag == 0 and numbers(wire) == list(range(LAST + 1, LAST + 6))
