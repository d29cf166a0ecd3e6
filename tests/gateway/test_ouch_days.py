"""OUCH sessions over the ends of their days: rewound, ended, kept, and no longer kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis import _build
from portcullis.codecs.soupbintcp import packets
from portcullis.engine.layout import RUN_DONE, RUN_SLICE
from portcullis.gateway.config import Loaded, parse
from portcullis.gateway.operator_port import Request, call
from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import Replica
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal import rows
from portcullis.journal.retention import find_floor
from portcullis.journal.snapshots import KEPT
from portcullis.journal.tail import JournalTail
from portcullis.tools.benchmarks import ouch_orders
from portcullis.tools.benchmarks.load import WrongAnswers
from portcullis.tools.benchmarks.stages import Chain
from portcullis.tools.gateway_process import OUCH_CONFIG
from tests.engine.naive_matcher import Command
from tests.support.commands import append
from tests.support.gateway_process import GatewayProcess
from tests.support.ouch_client import OuchClient, enter

CONFIG = (
    OUCH_CONFIG
    + """
[day]
sessions_kept = 2

[journal]
segment_rows = 32768

[limits]
orders = 10000
ids = 20000
levels = 1000
"""
)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path, CONFIG) as gateway:
        yield gateway
        OuchClient.close_all()


def end_day(gateway: GatewayProcess) -> str:
    """The id of the day that has begun."""
    answer = call(gateway.data, Request(do="day end", who="test", why="a test of days", args={}))
    return f"{answer['day']:010}"


def trade(gateway: GatewayProcess, orders: int, session: str = "") -> OuchClient:
    """A client that has been there since the day's first message, and has so many orders."""
    client = OuchClient(gateway.ouch_port)
    assert client.log_in(session=session)[0] == "A"
    client.expect("S", event_code="S")
    for number in range(orders):
        client.send(enter(f"t{number}", "B", 1, 100 + 100 * number))
        client.expect("A", order_token=f"t{number}")
    return client


def rest(client: OuchClient) -> dict[int, bytes]:
    """What it is sent until its session ends, by number."""
    while client.next():
        pass
    assert client.ended
    assert client.is_closed_by_peer()
    return client.received


def rewound(gateway: GatewayProcess, session: str, sequence: int) -> dict[int, bytes]:
    client = OuchClient(gateway.ouch_port)
    assert client.log_in(session=session, sequence=sequence)[0] == "A"
    assert (client.session, client.next_sequence) == (session, sequence)
    return rest(client)


def answer(gateway: GatewayProcess, session: str, sequence: int = 1) -> tuple[str, bytes]:
    return OuchClient(gateway.ouch_port).log_in(session=session, sequence=sequence)


def test_a_day_that_ends_expires_its_orders_and_ends_the_session(gateway: GatewayProcess) -> None:
    client = trade(gateway, 3)
    following = end_day(gateway)
    for number in range(3):
        client.expect("C", order_token=f"t{number}", decrement_shares=1, reason="E")
    client.expect("S", event_code="E")
    first = rest(client)
    assert list(first) == list(range(1, 9))
    # The next day: another session, numbers from 1, tokens free again.
    again = trade(gateway, 3, session=following)
    assert again.session == following != client.session


def test_days_that_have_ended_are_sent_again_from_any_number_on(gateway: GatewayProcess) -> None:
    days: dict[str, dict[int, bytes]] = {}
    for orders in (300, 2):
        client = trade(gateway, orders)
        end_day(gateway)
        days[client.session] = rest(client)
    for _ in range(2):
        for session, received in days.items():
            last = len(received)
            for sequence in (1, 2, last // 2, last, last + 1):
                found = rewound(gateway, session, sequence)
                assert found == {
                    number: octets for number, octets in received.items() if number >= sequence
                }
            newest = OuchClient(gateway.ouch_port)
            newest.log_in(session=session, sequence=0)
            assert rest(newest) == {last: received[last]}
            assert answer(gateway, session, last + 2) == ("J", b"S")
        gateway.kill()
        gateway.start()


def live(chain: Chain) -> list[int]:
    """All live orders."""
    engine, accounts = chain.recovered.engine, chain.recovered.registry.catalog.accounts
    return [slot for number in range(1, accounts.count) for slot in engine.live_orders(number)]


def test_who_still_reads_a_day_that_has_ended_does_not_trade_in_the_next(tmp_path: Path) -> None:
    chain = Chain(tmp_path, CONFIG + 'write_bytes = "1KiB"\n')
    peer, wire = chain.log_in("OUCH1")
    day = chain.recovered.engine.day
    chain.feed(peer, b"".join(ouch_orders.resting_flow(100).messages))
    assert len(live(chain)) == 100
    chain.turn.append(rows.DAY, words={rows.W_DAY: day + 1})
    with pytest.raises(WrongAnswers, match="end of session"):  # the chain hears of the end so
        for _ in range(50):
            chain.turn.flush()
    assert wire.written[-1] == packets.END_OF_SESSION
    assert live(chain) == []

    peer, wire = chain.log_in("OUCH1", session=str(day))
    assert packets.END_OF_SESSION not in wire.written
    chain.feed(peer, b"".join(ouch_orders.resting_flow(5).messages))
    with pytest.raises(WrongAnswers, match="end of session"):  # the chain hears of the end so
        for _ in range(50):
            chain.turn.flush()
    assert wire.written[-1] == packets.END_OF_SESSION
    assert len(b"".join(wire.written)) == 33 + 13 + 100 * (69 + 31) + 13 + 3
    assert live(chain) == []
    chain.turn.settle()
    chain.close()


def test_so_many_days_are_kept_as_configured(gateway: GatewayProcess) -> None:
    days = []
    for _ in range(3):
        client = trade(gateway, 1)
        days.append(client.session)
        end_day(gateway)
        rest(client)
    for _ in range(2):
        assert answer(gateway, days[0]) == ("J", b"S")
        assert list(rewound(gateway, days[1], 1)) == [1, 2, 3, 4]
        assert list(rewound(gateway, days[2], 1)) == [1, 2, 3, 4]
        gateway.stop()
        gateway.start()


@pytest.mark.skipif(_build.is_pure(), reason="fills segments, for minutes")
def test_rows_of_days_that_are_kept_stay_when_segments_are_pruned(tmp_path: Path) -> None:
    loaded = Loaded(parse(CONFIG.format(port=0, ouch_port=0), "g.toml"), "g.toml", tmp_path)
    gateway = recover(loaded, tmp_path / "data")
    table, began = gateway.journal.table, []
    for day in range(6):
        for batch in range(10):
            for number in range(800):
                name = b"%d-%d-%d" % (day, batch, number)
                command = Command(rows.NEW_ORDER, 1, name, qty=1, price=100 + number, account=1)
                assert append(table, command)
            settle(gateway)
        began.append(table.tail)
        table.append_input(rows.DAY, words={rows.W_DAY: gateway.engine.day + 1})
        settle(gateway)
    sizes = {key: getattr(loaded.config.limits, key) for key in LIMITS}
    replica = Replica(tmp_path / "data", sizes, snapshot_every=1, days_kept=2)
    reader = JournalTail(tmp_path / "data", replica.next_row)
    for number in range(KEPT + 1):  # the floor is that of the oldest snapshot kept
        while replica.poll(reader):
            pass
        assert append(table, Command(rows.NEW_ORDER, 1, b"%d" % number, qty=1, price=1, account=1))
        settle(gateway)
    floor = find_floor(tmp_path / "data", keep_after_ns=1 << 62)
    assert "sessions_kept" in floor.why
    # The day at work, and two before it: theirs begin behind the third DAY row from the end.
    assert began[3] < floor.row < began[3] + 20_000
    assert floor.row == gateway.index.oldest_row()
    gateway.journal.abandon()


def settle(gateway: Recovered) -> None:
    state = RUN_SLICE
    while state != RUN_DONE:
        first = gateway.journal.table.batch_first
        state = gateway.engine.run()
        last = gateway.journal.seal()
        if last:
            gateway.index.observe(first, last)
