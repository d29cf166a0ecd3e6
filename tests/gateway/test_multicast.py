"""Reports by multicast, from outside: each once, in order, numbered over kills and days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portcullis.gateway.config import ConfigError, load
from portcullis.gateway.multicast import open_outlets
from portcullis.gateway.operator_port import Request, call
from portcullis.tools.gateway_process import CONFIG, OUCH_CONFIG, free_group
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess
from tests.support.multicast_listener import MulticastListener
from tests.support.ouch_client import OuchClient, enter, replace
from tests.support.sbe_decoder import decode
from tests.support.streams import stream_messages

STREAM = """
[[stream]]
name = "{name}"
groups = [{groups}]
heartbeat = "100ms"
end_of_session = "5s"
{more}
"""
LISTENERS: list[MulticastListener] = []
CLIENTS: list[FixClient] = []


def stream(name: str, *groups: str, more: str = "") -> str:
    return STREAM.format(name=name, groups=", ".join(f'"{one}"' for one in groups), more=more)


def listener(group: str) -> MulticastListener:
    LISTENERS.append(MulticastListener(group))
    return LISTENERS[-1]


def client(gateway: GatewayProcess, name: str = "CLIENT1") -> FixClient:
    CLIENTS.append(FixClient(name, gateway.port))
    CLIENTS[-1].log_on()
    return CLIENTS[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    for one in (*LISTENERS, *CLIENTS):
        one.close()
    LISTENERS.clear()
    CLIENTS.clear()


def test_every_report_is_published_once_over_a_kill_and_a_stop(tmp_path: Path) -> None:
    group = free_group()
    listening = listener(group)
    with GatewayProcess(tmp_path, CONFIG + stream("reports", group)) as gateway:
        maker, taker = client(gateway), client(gateway, "CLIENT2")
        listening.receive()  # a heartbeat: it is up
        total = 0
        for number in range(30):
            maker.link.sendall(maker.order(f"m{number}", "1", "1", "100"))
            maker.expect("8", t150="0")
            taker.link.sendall(taker.order(f"t{number}", "2", "1", "100"))
            taker.expect("8", t150="0")
            taker.expect("8", t150="F")
            maker.expect("8", t150="F")
            total += 4
            if number == 10:
                listening.until_number(total)
                gateway.kill()
            elif number == 20:
                listening.until_number(total)
                for one in (maker, taker):
                    one.log_out()
                assert gateway.stop() == 0
            if number in (10, 20):
                gateway.start()
                for one in (maker, taker):
                    one.log_on()
        messages = listening.until_number(total)
        assert len(messages) == total
        day = int(listening.packets[-1].session)
        assert not any(packet.ends for packet in listening.packets)
        assert gateway.stop() == 0
        assert stream_messages(gateway.data)["reports"] == {day: messages}
        reports = [one for one in maker.messages + taker.messages if one[35] == "8"]
        told = [decode(octets)[1] for octets in messages]
        assert sorted(one["execId"] for one in told) == sorted(int(one[17]) for one in reports)
        assert [one["execId"] for one in told] == sorted(one["execId"] for one in told)


@pytest.mark.parametrize("sync", ["interval", "batch"])
def test_both_lines_say_the_same_and_a_heartbeat_says_what_comes_next(
    tmp_path: Path, sync: str
) -> None:
    groups = [free_group(), free_group()]
    lines = [listener(group) for group in groups]
    config = CONFIG + stream("reports", *groups) + f'[journal]\nsync = "{sync}"\n'
    with GatewayProcess(tmp_path, config) as gateway:
        maker = client(gateway)
        octets = b"".join(maker.order(f"m{number}", "1", "1", "100") for number in range(400))
        maker.link.sendall(octets)
        for line in lines:
            line.until_number(400)
            sizes = [len(datagram) for datagram in line.datagrams if len(datagram) > 20]
            assert max(sizes) == 20 + 5 * 279
            assert len(sizes) < 200
            while (packet := line.receive()).messages:
                pass
            assert (packet.sequence, packet.ends) == (401, False)
        first, second = (line.messages(lines[0].packets[-1].session) for line in lines)
        assert first == second
        state = call(gateway.data, Request(do="state", who="test", why="", args={}))
        (told,) = state["streams"]
        assert (told["name"], told["next_number"]) == ("reports", 401)
        assert [line["lost"] for line in told["lines"]] == [0, 0]


def test_a_day_ends_behind_its_last_expiry_and_the_next_begins_at_one(tmp_path: Path) -> None:
    group, other = free_group(), free_group()
    listening, trades = listener(group), listener(other)
    config = CONFIG + stream("reports", group) + stream("tape", other, more='content = "trades"')
    with GatewayProcess(tmp_path, config) as gateway:
        maker, taker = client(gateway), client(gateway, "CLIENT2")
        count = 300  # more than one slice of expiries
        maker.link.sendall(
            b"".join(maker.order(f"m{number}", "1", "1", "100") for number in range(count))
        )
        taker.link.sendall(taker.order("t", "2", "1", "100"))
        for _ in range(2):
            taker.expect("8")
        before = int(listening.receive().session)
        answer = call(gateway.data, Request(do="day end", who="test", why="a test", args={}))
        after = b"%d" % answer["day"]
        assert int(after) == before + 1
        while not listening.receive().ends:
            pass
        taker.link.sendall(taker.order("u", "2", "1", "200"))
        listening.until_number(1, after)
        told = listening.messages(b"%d" % before)
        # Each taken, both sides of the fill, the taker taken, all but the filled one expired.
        assert len(told) == count + 2 + 1 + count - 1
        assert {decode(octets)[1]["execType"] for octets in told[-count + 1 :]} == {"Expired"}
        while sum(packet.ends for packet in listening.packets) < 2:
            listening.receive()
        ends = [packet for packet in listening.packets if packet.ends]
        assert {(packet.session, packet.sequence) for packet in ends} == {
            (b"%d" % before, len(told) + 1)
        }
        (trade,) = trades.until_number(1, b"%d" % before)
        name, values = decode(trade)
        assert (name, values["execType"], values["aggressorSide"]) == ("Trade", "Trade", "Sell")
        assert gateway.stop() == 0
        by_day = stream_messages(gateway.data)["reports"]
        assert by_day == {before: told, int(after): listening.messages(after)}
        gateway.start()
        while listening.receive().session != after or listening.packets[-1].messages:
            pass
        assert listening.packets[-1].sequence == len(by_day[int(after)]) + 1


def test_another_filter_goes_on_with_the_days_numbers(tmp_path: Path) -> None:
    group = free_group()
    listening = listener(group)
    with GatewayProcess(tmp_path, CONFIG + stream("reports", group)) as gateway:
        maker = client(gateway)
        maker.link.sendall(maker.order("a", "1", "1", "100"))
        maker.expect("8")
        listening.until_number(1)
        maker.log_out()
        gateway.stop()
        gateway.configure(CONFIG + stream("reports", group, more='accounts = ["CLIENT2"]'))
        gateway.start()
        for one in (maker, FixClient("CLIENT2", gateway.port)):
            CLIENTS.append(one)
            one.log_on()
            one.link.sendall(one.order("b", "1", "1", "99"))
            one.expect("8")
        told = [decode(octets)[1] for octets in listening.until_number(2)]
        assert [one["account"] for one in told] == ["CLIENT1", "CLIENT2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (stream("a", "10.0.0.1:9"), "[[stream]] 1 key groups: expected an IPv4 multicast group"),
        (stream("a", "239.1.1.1:0"), "[[stream]] 1 key groups: expected an IPv4 multicast group"),
        (
            stream("a", "239.1.1.1:9") + stream("b", "239.1.1.1:9"),
            "[[stream]] 2 key groups: 239.1.1.1:9 stands twice",
        ),
        (
            stream("a", "239.1.1.1:9", more='interface = "203.0.113.7"'),
            "[[stream]] 1 key interface: expected one to send multicast from, got '203.0.113.7'",
        ),
        (
            stream("a", "239.1.1.1:9", more='content = "trades"\naccounts = ["CLIENT1"]'),
            "[[stream]] 1 key accounts: expected none, for trades are told without names",
        ),
        (
            stream("a", "239.1.1.1:9")
            + '[[session]]\nprotocol = "fix"\nclient = "C"\naccount = "SEVENTEEN-LETTERS"\n',
            "[[session]] 3 key account: expected at most 16 characters",
        ),
    ],
)
def test_a_stream_that_cannot_be_is_refused_by_name(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG.format(port=1) + text)
    with pytest.raises(ConfigError) as raised:
        open_outlets(load(path))
    assert expected in str(raised.value)


def test_orders_by_ouch_are_told_with_token_and_reference(tmp_path: Path) -> None:
    group = free_group()
    listening = listener(group)
    with GatewayProcess(tmp_path, OUCH_CONFIG + stream("reports", group)) as gateway:
        user = OuchClient(gateway.ouch_port, "OUCH1")
        assert user.log_in()[0] == "A"
        user.expect("S", event_code="S")
        user.send(enter("A", "B", 7, 1005000, firm="ACME"))
        first = user.expect("A", order_token="A")["order_reference_number"]
        user.send(replace("A", "B", 9, 1010000))
        second = user.expect("U", replacement_order_token="B")["order_reference_number"]
        seller = client(gateway)
        seller.link.sendall(seller.order("s", "2", "0.0002", "101"))
        match = user.expect("E", order_token="B")["match_number"]
        user.send(enter("C", "B", 1, 1005001, firm="ELSE"))
        user.expect("J", order_token="C")
        OuchClient.close_all()
        told = [decode(octets)[1] for octets in listening.until_number(6)]
    new, replaced, _, aggressor, passive, refused = told
    assert (new["clOrdId"], new["orderId"], new["orderReference"]) == ("A", first, first)
    assert (new["price"], new["orderQty"], new["timeInForce"]) == (10050, 7, "Day")
    assert (replaced["clOrdId"], replaced["origClOrdId"]) == ("B", "A")
    assert (replaced["orderId"], replaced["orderReference"]) == (first, second)
    assert (replaced["price"], replaced["orderQty"], replaced["leavesQty"]) == (10100, 9, 9)
    assert (aggressor["matchNumber"], aggressor["lastLiquidityInd"]) == (match, "Removed")
    assert (passive["matchNumber"], passive["lastLiquidityInd"]) == (match, "Added")
    assert (passive["session"], passive["account"], passive["transactTime"]) == (
        ("OUCH1", "OUCH1", None)
    )
    assert (refused["execType"], refused["why"], refused["clOrdId"]) == ("Rejected", "Firm", "C")
