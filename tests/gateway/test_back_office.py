"""The back office beside a gateway that trades: what it shows, and that its end costs nothing."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from portcullis.gateway.back_office import STALE_S, BackOffice
from portcullis.gateway.config import load
from portcullis.gateway.control_port import CONNECTIONS_MAX
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.operator_port import OperatorError, Request, Value, call
from portcullis.journal.fills import Match, find_match
from portcullis.journal.reader import verify
from portcullis.journal.retention import CURSOR_SUFFIX, FOLLOWERS
from portcullis.journal.rows import ROW_BYTES
from portcullis.journal.segments import HEADER_BYTES, segment_path
from portcullis.tools import operator_calls
from portcullis.tools.gateway_process import CONFIG, free_port
from portcullis.tools.main import main
from portcullis.tools.slowed_process import slowed
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess
from tests.support.journals import turn_a_bit

WAIT_S = 120.0
SMALL = """
[journal]
segment_rows = 32768
[limits]
orders = 20000
ids = 40000
levels = 1000
sessions = 10
accounts = 10
instruments = 10
"""


def wait_for(what: Callable[[], Any]) -> Any:
    """What it gives once that is true; bounded."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come about")


SLOWED_S = 0.7  # some moments of a back office that is slowed


class Venue:
    """A gateway with a back office, two clients, and ways to look at it.

    journal: what [journal] has beside.
    """

    def __init__(self, directory: Path, journal: str = "") -> None:
        self.control = free_port()
        config = CONFIG.replace("enabled = false", "enabled = true").replace(
            "[back_office]", f'control = "127.0.0.1:{self.control}"\n[back_office]'
        )
        self.gateway = GatewayProcess(
            directory, config + SMALL.replace("[limits]", f"{journal}\n[limits]")
        )

    def log_on(self) -> None:
        self.buyer, self.seller = (
            FixClient(name, self.gateway.port) for name in ("CLIENT1", "CLIENT2")
        )
        for client in (self.buyer, self.seller):
            client.log_on()

    def get(self, path: str) -> tuple[int, Any]:
        link = http.client.HTTPConnection("127.0.0.1", self.control, timeout=WAIT_S)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            link.close()

    def caught_up(self) -> dict[str, Any]:
        """Health, once all is well and every follower has read what is sealed now."""
        row = self.state()["last_row"]

        def look() -> dict[str, Any] | None:
            _, found = self.get("/health")
            rows = [one["row"] for one in found["followers"].values()]
            return found if min(rows) >= row and found["status"] == "ok" else None

        found: dict[str, Any] = wait_for(look)
        return found

    def state(self) -> dict[str, Any]:
        return call(self.gateway.data, Request(do="state"))

    def run(self, *arguments: str) -> str:
        """A command of the operator's; its output."""
        line = [*arguments, "--data", str(self.gateway.data)]
        result = CliRunner().invoke(main, line, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    venue = Venue(tmp_path)
    with venue.gateway:
        venue.log_on()
        yield venue
        for client in (venue.buyer, venue.seller):
            client.close()


def trade(venue: Venue, count: int, name: str) -> None:
    """So many trades, each answered to both."""
    for number in range(count):
        venue.seller.link.sendall(venue.seller.order(f"s{name}{number}", "2", "1", "100"))
        venue.seller.expect("8", t150="0")
        venue.buyer.link.sendall(venue.buyer.order(f"b{name}{number}", "1", "1", "100"))
        venue.buyer.expect("8", t150="0")
        venue.buyer.expect("8", t150="F")
        venue.seller.expect("8", t150="F")


def test_an_operator_sees_and_acts(venue: Venue) -> None:
    venue.buyer.link.sendall(venue.buyer.order("rests", "1", "2", "99.5"))
    venue.buyer.expect("8", t150="0")
    trade(venue, 1, "x")
    venue.caught_up()
    assert venue.get("/ready") == (200, {"ready": True})
    assert venue.get("/orders?limit=" + "9" * 5000)[0] == 400

    found = json.loads(venue.run("orders", "--json"))
    (order,) = found["orders"]
    assert found["row"] == venue.state()["last_row"] and not found["more"]
    assert json.loads(venue.run("orders", "--session", "CLIENT1", "--json"))["orders"] == [order]
    assert json.loads(venue.run("orders", "--session", "CLIENT2", "--json"))["orders"] == []
    assert venue.run("orders", "--session", "CLIENT2") == "none\n"
    for name, said in (("CLIENT", "may be any of"), ("NOBODY", "there is none called")):
        line = ["orders", "--session", name, "--data", str(venue.gateway.data)]
        refused = CliRunner().invoke(main, line)
        assert refused.exit_code == 1 and said in refused.output
        unknown = refused.output
    line = ["sessions", "disconnect", "NOBODY", "--why", "x", "--data", str(venue.gateway.data)]
    assert CliRunner().invoke(main, line).output == unknown  # and where one sees who there is
    assert (order["cl_ord_id"], order["price"], order["leaves_qty"]) == ("rests", "99.5", "2")
    book = json.loads(venue.run("book", "BTC-USD", "--json"))
    assert book["bids"] == [{"price": "99.5", "qty": "2", "orders": 1}] and book["asks"] == []
    shown = json.loads(venue.run("sessions", "show", "--json"))
    assert [one["state"] for one in shown["sessions"]] == ["logged on", "logged on"]
    assert shown["row"] == json.loads(venue.run("day", "show", "--json"))["row"]
    for command in (("orders",), ("book", "BTC-USD"), ("sessions", "show"), ("day", "show")):
        assert venue.run(*command)
    assert venue.run("book", "BTC-USD").startswith("BTC-USD\n")

    # A trade is taken back, and another made dearer.
    fill = next(r for r in venue.buyer.messages if r.get(150) == "F")
    told = json.loads(venue.run("bust", fill[17], "--why", "price out of line", "--json"))
    parties = {
        side: f"FIX.4.4:PORTCULLIS->CLIENT{n}" for side, n in (("aggressor", 1), ("passive", 2))
    }
    terms = {"symbol": "BTC-USD", "qty": "1", "price": "100"}
    assert told == {"match": int(fill[17]), **terms, **parties}
    for client in (venue.buyer, venue.seller):
        busted = client.expect("8", t150="H", t14="0")
        assert int(busted[19]) in (int(fill[17]), int(fill[17]) + 1)
    trade(venue, 1, "y")
    fill = [r for r in venue.buyer.messages if r.get(150) == "F"][-1]
    venue.caught_up()
    line = ["correct", fill[17], "--price", "100.5", "--why", "typed wrong", "--json"]
    new = {"new_qty": "1", "new_price": "100.5"}
    assert json.loads(venue.run(*line)) == {"match": int(fill[17]), **terms, **parties, **new}
    for client in (venue.buyer, venue.seller):
        client.expect("8", t150="G", t31="100.5", t6="100.5")
    again = CliRunner().invoke(
        main, ["bust", fill[17], "--why", "again", "--data", str(venue.gateway.data)]
    )
    assert again.exit_code == 1 and "amended before" in again.output

    line = ["sessions", "disconnect", "CLIENT2", "--why", "asked for by phone", "--json"]
    assert json.loads(venue.run(*line)) == {
        "session": parties["passive"],
        "state": "being logged out",
    }
    venue.seller.expect("5", t58="Disconnected by the operator")
    venue.seller.send("5")
    assert venue.seller.is_closed_by_peer()
    wait_for(lambda: venue.state()["logged_on"] == 1)
    line = ["sessions", "set-seq", "CLIENT2", "--why", "their log is lost", "--next-out"]
    assert venue.run(*line, "200").endswith(" next out 200\n")
    assert venue.run(*line, "100").endswith(" next out 100; nothing sent before is sent again\n")
    venue.seller.next_in = 100
    venue.seller.log_on()
    with pytest.raises(OperatorError, match="connected"):
        call(
            venue.gateway.data,
            Request(do="sessions reset", why="x", args={"session": "CLIENT2"}),
        )

    # The day ends: the order that rests goes, and every command stands in the journal.
    said = venue.run("day", "end", "--why", "early close")
    assert said.endswith(" has begun; orders live before: 1, of which those for the day expire\n")
    venue.buyer.expect("8", t150="C", t39="C", t11="rests")
    venue.caught_up()
    assert venue.run("book", "BTC-USD") == "BTC-USD: empty\n"
    dumped = CliRunner().invoke(
        main,
        ["journal", "dump", "--data", str(venue.gateway.data), "--kind", "operator", "--json"],
    )
    told = [json.loads(line)["items"] for line in dumped.output.splitlines()]
    assert [one["name"] for one in told] == [
        "bust",
        "correct",
        "sessions disconnect",
        "sessions set-seq",
        "sessions set-seq",
        "day end",
    ]
    assert all(one["who"] and one["why"] for one in told)
    lines = venue.gateway.log.read_text().splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    events = [one for one in logged if one["event"] == "operator"]
    assert [(one["action"], one["who"], one["why"]) for one in events] == [
        (one["name"], one["who"], one["why"]) for one in told
    ]
    bust, correct, disconnect, *_, end = events
    # The seller's order is the older: the buyer's fill is the aggressor's, which names the match.
    assert bust["match"] == int(busted[19]) - 1 and correct["match"] == int(fill[17])
    assert disconnect["session"] == "FIX.4.4:PORTCULLIS->CLIENT2"
    assert end["day"] == venue.state()["day"] - 1
    # What comes of it stands behind it.
    assert [one["event"] for one in logged[logged.index(disconnect) :]].index("logged_out") > 0


def test_nobody_is_logged_on_behind_a_kill_who_has_not_come_back(venue: Venue) -> None:
    venue.gateway.kill()
    venue.gateway.start()
    venue.caught_up()

    def states() -> list[str]:
        shown = json.loads(venue.run("sessions", "show", "--json"))["sessions"]
        return [one["state"] for one in shown]

    assert states() == ["disconnected", "disconnected"]
    venue.seller.log_on()
    venue.caught_up()
    assert states() == ["disconnected", "logged on"]


def test_a_command_looks_again_where_another_amendment_was_faster(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer, seller, data = venue.buyer, venue.seller, venue.gateway.data
    buyer.link.sendall(buyer.order("B1", "1", "3", "100"))
    buyer.barrier()
    fills = []
    for name in ("S1", "S2"):
        seller.link.sendall(seller.order(name, "2", "1", "100"))
        fills += [one[17] for one in seller.barrier() if one.get(150) == "F"]
    looks: list[int] = []
    venue.caught_up()

    def late(directory: Path, exec_id: int) -> Match:
        """Between the first look and its deed, the other trade is busted."""
        match = find_match(directory, exec_id)
        if not looks:
            other = find_match(directory, int(fills[1]))
            sums = {"sum": other.sums[0], "other_sum": other.sums[1]}
            args: dict[str, Value] = {"match": other.number, "looked_to": other.last_row, **sums}
            call(data, Request(do="bust", why="test", args=args))
        looks.append(exec_id)
        return match

    monkeypatch.setattr(operator_calls, "find_match", late)
    why = ["--data", str(data), "--why", "test"]
    result = CliRunner().invoke(main, ["correct", fills[0], "--price", "99", *why])
    assert result.exit_code == 0, result.output
    assert looks == [int(fills[0])] * 2
    told = [(one[150], one[14], one[6]) for one in buyer.barrier() if one[150] in "GH"]
    assert told == [("H", "1", "100"), ("G", "1", "99")]


def test_a_trade_is_amended_on_both_sides_or_none_and_as_it_is_now(venue: Venue) -> None:
    buyer, seller = venue.buyer, venue.seller

    def order(client: FixClient, name: str, side: str, qty: str, *more: str) -> list[str]:
        """Give ExecIDs of its fills."""
        client.link.sendall(client.order(name, side, qty, "100", *more))
        return [one[17] for one in client.barrier() if one.get(150) == "F"]

    def amend(match: Match, do: str = "bust", **new: int) -> None:
        sums = {"sum": match.sums[0], "other_sum": match.sums[1]}
        args: dict[str, Value] = {
            "match": match.number,
            **sums,
            "looked_to": match.last_row,
            **new,
        }
        call(venue.gateway.data, Request(do=do, why="test", args=args))

    def refused(text: str, match: Match, do: str = "bust", **new: int) -> None:
        """Nobody is told of a thing, and nothing is written."""
        row = venue.state()["last_row"]
        with pytest.raises(OperatorError, match=text):
            amend(match, do, **new)
        assert venue.state()["last_row"] == row

    # Two look at once, both act: the second finds that it has been done.
    order(buyer, "B1", "1", "3")
    (exec_id,) = order(seller, "S1", "2", "1")
    order(seller, "S2", "2", "1")
    buyer.barrier()
    match = find_match(venue.gateway.data, int(exec_id))
    amend(match)
    assert [one[14] for one in buyer.barrier() + seller.barrier()] == ["1", "0"]
    refused("moved on", match)

    # It trades to its end behind a look: the sum of its fills is another by now.
    (exec_id,) = order(seller, "S3", "2", "0.5")
    match = find_match(venue.gateway.data, int(exec_id))
    order(seller, "S4", "2", "0.5")
    refused("moved on", match)
    match = find_match(venue.gateway.data, int(exec_id))
    refused("price_max", match, "correct", qty=match.qty, price=1 << 40)
    amend(match)
    assert [one[6] for one in buyer.barrier()][-1] == "100"
    seller.barrier()

    # One of the two lives on into the next day; then ids are others'.
    order(buyer, "B2", "1", "2", "59=1")
    (half,) = order(seller, "S5", "2", "1")
    order(buyer, "B3", "1", "1", "59=1")
    (past,) = order(seller, "S6", "2", "2")[1:]
    venue.run("day", "end", "--why", "test")
    buyer.barrier(), seller.barrier()
    order(buyer, "B3", "1", "2")
    order(seller, "S6", "2", "1")
    buyer.barrier()
    for exec_id in (half, past):
        refused("day .* has ended", find_match(venue.gateway.data, int(exec_id)))


def test_a_correction_is_of_what_the_orders_could_have_traded(venue: Venue) -> None:
    buyer, seller, data = venue.buyer, venue.seller, venue.gateway.data

    def correct(exec_id: str, *options: str) -> Any:
        line = ["correct", exec_id, *options, "--why", "test", "--data", str(data)]
        return CliRunner().invoke(main, line)

    def refused(exec_id: str, text: str, *options: str) -> None:
        row = venue.state()["last_row"]
        result = correct(exec_id, *options)
        assert result.exit_code == 1 and text in result.output
        assert venue.state()["last_row"] == row

    # The buyer's order lives and has had 1.5 of 3; the seller's have all they asked for.
    buyer.link.sendall(buyer.order("B1", "1", "3", "100"))
    buyer.barrier()
    fills = {}
    for name, qty in (("S1", "0.5"), ("S2", "1")):
        seller.link.sendall(seller.order(name, "2", qty, "100"))
        fills[name] = next(one for one in seller.barrier() if one.get(150) == "F")
    venue.caught_up()
    half, whole = fills["S1"][17], fills["S2"][17]
    beyond = f"at most 0.5, with which CumQty(14) of its aggressor, OrderID {fills['S1'][37]},"
    refused(half, f"quantity 99999: expected {beyond}", "--qty", "99999")
    refused(half, "expected a change, and it is of 0.5 at 100 already", "--qty", "0.5")
    refused(half, "expected a change", "--price", "100.00")
    highest = "10000000"  # 10^9 units of the last price digit, where nothing is configured
    refused(half, f"expected at most {highest}, the instrument's price_max", "--price", "10000001")
    assert correct(half, "--qty", "0.4", "--price", "99").exit_code == 0
    told = [one for one in buyer.barrier() if one[150] == "G"]
    assert [(one[14], one[38], one[151]) for one in told] == [("1.4", "2.9", "1.5")]
    refused(half, "amended before", "--qty", "0.3")

    # Below what it was is always its own to have been.
    assert correct(whole, "--qty", "0.9").exit_code == 0
    assert [one[14] for one in seller.barrier() if one[150] == "G"] == ["0.4", "0.9"]

    # The aggressor had room for more than it got, the other side had not.
    buyer.link.sendall(buyer.order("B2", "1", "0.5", "100"))
    buyer.barrier()
    seller.link.sendall(seller.order("S3", "2", "4", "100", "59=3"))
    first, last = (one[17] for one in seller.barrier() if one.get(150) == "F")
    refused(first, "expected at most 1.5, with which CumQty(14) of its passive", "--qty", "2")
    assert correct(first, "--qty", "1").exit_code == 0
    assert correct(last, "--price", "99").exit_code == 0
    assert [one[14] for one in seller.barrier() if one[150] == "G"] == ["1.5", "1.5"]


def test_orders_that_live_on_are_restated_where_a_session_wants_it(tmp_path: Path) -> None:
    config = CONFIG.replace('client = "CLIENT1"', 'client = "CLIENT1"\ngtc_restate = true')
    with GatewayProcess(tmp_path, config + SMALL) as gateway:
        wants, other = (FixClient(name, gateway.port) for name in ("CLIENT1", "CLIENT2"))
        for client in (wants, other):
            client.log_on()
            client.link.sendall(client.order("lives", "2", "3", "100", "59=1", "58=note"))
            client.expect("8", t150="0")
        other.link.sendall(other.order("takes", "1", "1", "100"))
        other.expect("8", t150="0")
        other.expect("8", t150="F")
        wants.expect("8", t150="F", t151="2")
        call(gateway.data, Request(do="day end", why="test"))
        # FIX 4.4: GT orders on the days after their first, DayOrderQty(424) to DayAvgPx(426).
        said = wants.expect("8", t150="D", t39="1", t378="1", t11="lives", t14="1", t151="2")
        assert [said[tag] for tag in (38, 424, 425, 426)] == ["3", "2", "0", "0"]
        assert 41 not in said and wants.barrier() == [] and other.barrier() == []
        wants.send("F", "11=c", "41=lives", "54=2", "55=BTC-USD", "60=20260102-12:00:00")
        wants.expect("8", t150="4", t14="1")
        for client in (wants, other):
            client.close()


def test_a_back_office_that_runs_for_moments_holds_up_no_trade_and_catches_up(
    venue: Venue,
) -> None:
    """Slowed a thousandfold: it is let run for moments, and stopped a thousand times as long."""
    trade(venue, 1, "a")
    venue.caught_up()
    began, before = time.monotonic(), venue.state()["last_row"]
    with slowed(venue.state()["back_office"]["process"]) as told:
        for number in count():
            trade(venue, 10, f"b{number}-")
            if number >= 20 and time.monotonic() - began > SLOWED_S:
                break
    assert told.run_s, "it was let run for a moment"
    assert venue.state()["last_row"] - before > 1000
    found = venue.caught_up()
    assert {one["behind_rows"] for one in found["followers"].values()} == {0}
    assert venue.state()["back_office"]["starts"] == 1
    # What it knows is what was traded: both sides have nothing left, and the same numbers.
    assert venue.run("orders") == "none\n"
    shown = {one["key"]: one for one in venue.get("/sessions")[1]["sessions"]}
    for client in (venue.buyer, venue.seller):
        assert shown[f"FIX.4.4:PORTCULLIS->{client.name}"]["next_out"] == client.next_in


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_a_back_office_leaves_the_processor_that_the_gateway_is_bound_to(venue: Venue) -> None:
    venue.caught_up()
    process, all_of_them = venue.state()["back_office"]["process"], os.sched_getaffinity(0)
    first = {min(all_of_them)}
    os.sched_setaffinity(venue.gateway.pid, first)
    wait_for(lambda: os.sched_getaffinity(process) == all_of_them - first)
    os.kill(process, signal.SIGKILL)  # and so does the one after it
    wait_for(lambda: venue.state()["back_office"]["starts"] == 2)
    process = venue.state()["back_office"]["process"]
    assert os.sched_getaffinity(process) == all_of_them - first
    os.sched_setaffinity(venue.gateway.pid, all_of_them)
    wait_for(lambda: os.sched_getaffinity(process) == all_of_them)


def test_a_back_office_killed_or_stopped_holds_up_no_trade(venue: Venue) -> None:
    trade(venue, 5, "a")
    venue.caught_up()
    before = venue.state()["back_office"]
    os.kill(before["process"], signal.SIGSTOP)
    trade(venue, 50, "b")
    os.kill(before["process"], signal.SIGCONT)
    venue.caught_up()
    os.kill(before["process"], signal.SIGKILL)
    trade(venue, 50, "c")
    wait_for(lambda: venue.state()["back_office"]["starts"] == 2)
    trade(venue, 5, "d")
    wait_for(lambda: venue.get("/health")[0] == 200)
    found = venue.caught_up()
    assert found["status"] == "ok", found
    assert found["followers"]["replica"]["behind_rows"] == 0


def test_who_looks_is_told_which_of_the_two_processes_hangs(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue.caught_up()
    process = venue.state()["back_office"]["process"]
    line = ["--data", str(venue.gateway.data)]
    monkeypatch.setattr(operator_calls, "WAIT_S", 0.2)
    os.kill(process, signal.SIGSTOP)
    hangs = CliRunner().invoke(main, ["sessions", *line])
    os.kill(process, signal.SIGCONT)
    assert hangs.exit_code == 1
    assert f"it hangs; trading goes on: kill it (process {process}), and" in hangs.output
    monkeypatch.setattr(operator_calls, "WAIT_S", WAIT_S)
    venue.caught_up()
    assert CliRunner().invoke(main, ["sessions", *line]).stderr == ""

    venue.gateway.signal(signal.SIGSTOP)
    try:
        told = wait_for(lambda: CliRunner().invoke(main, ["sessions", *line]).stderr)
        assert told.startswith("portcullis: the gateway has not answered since 20")
        for command in (["sessions"], ["orders"], ["book", "BTC-USD"]):
            result = CliRunner().invoke(main, [*command, "--json", *line])
            assert result.exit_code == 0 and result.stderr == told
            assert json.loads(result.stdout)["gateway_silent_since_ns"] > 0
    finally:
        venue.gateway.signal(signal.SIGCONT)
    venue.caught_up()
    assert json.loads(venue.run("orders", "--json"))["gateway_silent_since_ns"] == 0


def test_without_a_back_office_connections_are_refused_and_none_waits_for_ever(
    venue: Venue,
) -> None:
    venue.caught_up()
    process, place = venue.state()["back_office"]["process"], ("127.0.0.1", venue.control)
    os.kill(process, signal.SIGSTOP)  # the system takes connections in its place
    waiting = socket.create_connection(place, timeout=WAIT_S)
    waiting.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    os.kill(process, signal.SIGKILL)
    with waiting, suppress(ConnectionResetError):
        assert waiting.recv(1) == b""

    def is_refused() -> bool:
        try:
            socket.create_connection(place, timeout=WAIT_S).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_for(is_refused)
    wait_for(lambda: not is_refused())
    assert venue.get("/health")[0] in (200, 503)  # at first the gateway has not been asked yet
    assert venue.state()["back_office"]["starts"] == 2


def test_damage_while_it_runs_is_named_and_over_once_it_is_mended(venue: Venue) -> None:
    trade(venue, 2, "a")
    venue.caught_up()
    process = venue.state()["back_office"]["process"]
    os.kill(process, signal.SIGSTOP)
    row = venue.state()["last_row"] + 1
    trade(venue, 2, "b")
    path = segment_path(venue.gateway.data, 1)
    turn_a_bit(path, HEADER_BYTES + (row - 1) * ROW_BYTES + 9)
    os.kill(process, signal.SIGCONT)

    def troubles() -> list[dict[str, str]]:
        found: list[dict[str, str]] = venue.get("/health")[1]["troubles"]
        return found

    wait_for(lambda: len(troubles()) == 2)
    for trouble, name in zip(troubles(), ("replica", "message-logs"), strict=True):
        assert trouble["code"] == "journal_damaged"
        assert f"damaged at row {row}: follower {name} stands" in trouble["text"]
    wait_for(lambda: f"damaged at row {row}" in venue.gateway.log.read_text())
    assert venue.run("orders") == "none\n"  # what it has read is shown
    trade(venue, 1, "c")
    turn_a_bit(path, HEADER_BYTES + (row - 1) * ROW_BYTES + 9)
    assert venue.caught_up()["status"] == "ok"
    assert "follower_failed" not in venue.gateway.log.read_text()


def test_damage_before_the_snapshot_of_a_start_is_told_until_a_back_office_finds_none(
    venue: Venue,
) -> None:
    trade(venue, 2, "a")
    fill = int(next(one for one in venue.buyer.messages if one.get(150) == "F")[17])
    for client in (venue.buyer, venue.seller):
        client.log_out()
    assert venue.gateway.stop() == 0
    venue.run("journal", "snapshot")
    path, at = segment_path(venue.gateway.data, 1), HEADER_BYTES + (fill - 1) * ROW_BYTES + 40
    turn_a_bit(path, at)
    row = verify(venue.gateway.data).row
    assert 0 < row <= fill

    venue.gateway.start()
    said = f"damaged at row {row}, before the snapshot"
    wait_for(lambda: said in str(troubles(venue)))
    wait_for(lambda: {one["code"] for one in troubles(venue)} == {"journal_damaged"})
    wait_for(lambda: said in venue.gateway.log.read_text())

    turn_a_bit(path, at)  # mended: that is known once all has been looked at again
    wait_for(lambda: len(troubles(venue)) == 1)  # the message logs, which stood there, go on
    assert said in str(troubles(venue))
    assert not venue.gateway.events("rows_checked")
    os.kill(venue.state()["back_office"]["process"], signal.SIGKILL)
    (checked,) = wait_for(lambda: venue.gateway.events("rows_checked"))
    assert checked["before_row"] > fill
    assert "row-check" not in venue.caught_up()["followers"]


def troubles(venue: Venue) -> list[dict[str, str]]:
    """What /health tells; nothing where nobody answers."""
    with suppress(OSError):
        return list(venue.get("/health")[1]["troubles"])
    return []


def test_who_holds_connections_to_the_control_port_keeps_nobody_from_asking(venue: Venue) -> None:
    venue.caught_up()
    held = [
        socket.create_connection(("127.0.0.1", venue.control)) for _ in range(2 * CONNECTIONS_MAX)
    ]
    held[-1].sendall(b"GET /health HTTP/1.1\r\nHost:")
    assert venue.get("/health")[0] == 200
    assert "CLIENT1" in venue.run("sessions", "show")
    closed = [link for link in held if select.select([link], [], [], 0)[0]]
    assert len(closed) > CONNECTIONS_MAX
    for link in held:
        link.close()


def test_a_stop_begins_no_other_back_office(venue: Venue) -> None:
    venue.caught_up()
    # It does not end by itself, so that the stop takes longer than the timer's turn.
    os.kill(venue.state()["back_office"]["process"], signal.SIGSTOP)
    for client in (venue.buyer, venue.seller):
        client.log_out()
    assert venue.gateway.stop() == 0
    events = [event["event"] for event in venue.gateway.events()]
    assert events.count("back_office_started") == 1
    assert events[-1] == "stopped"


def test_cursors_that_a_power_loss_left_empty_stop_no_follower(venue: Venue) -> None:
    trade(venue, 1, "a")
    venue.caught_up()
    folder = venue.gateway.data / FOLLOWERS
    cursors = wait_for(lambda: list(folder.glob(f"*{CURSOR_SUFFIX}")))  # once a second
    venue.gateway.kill()
    cursors.append(venue.gateway.data / "logs" / "capture.json")
    for path in cursors:
        path.write_text("")
    venue.gateway.start()
    venue.caught_up()
    assert "follower_failed" not in venue.gateway.log.read_text()


def test_a_number_that_no_row_can_hold_is_refused(venue: Venue) -> None:
    trade(venue, 1, "a")
    for name in ("qty", "price", "match", "sum", "other_sum"):
        args: dict[str, Value] = dict.fromkeys(("qty", "price", "match", "sum", "other_sum"), 1)
        args[name] = 1 << 63
        with pytest.raises(OperatorError, match=f"{name}: expected a number up to"):
            call(venue.gateway.data, Request(do="correct", why="test", args=args))


def test_a_number_that_is_no_exec_id_is_named(tmp_path: Path) -> None:
    for text in ("zzz", "0", "-5", "1.5", "9" * 5000):
        line = ["bust", "--why", "x", "--data", str(tmp_path), "--", text]
        refused = CliRunner().invoke(main, line)
        assert refused.exit_code == 2
        assert f"expected ExecID(17) of a fill, a number from 1, got '{text}'" in refused.output


def test_without_a_gateway_a_command_says_so(tmp_path: Path) -> None:
    for command in (("day", "show"), ("orders",), ("sessions", "reset", "X", "--why", "y")):
        for data in (tmp_path, tmp_path / "missing"):
            result = CliRunner().invoke(main, [*command, "--data", str(data)])
            assert result.exit_code == 1
            assert result.output.startswith("portcullis: ") and str(data) in result.output
            assert "Errno" not in result.output


def test_a_follower_that_has_just_begun_does_not_stand_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart it may stand at row 0 of a journal with rows: since when is not known."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    office = BackOffice(load(None), tmp_path, EventLog(os.open(os.devnull, os.O_WRONLY)))
    office.gateway, office.gateway_trouble = {"last_row": 100}, ""
    assert office.troubles() == []
    now[0] += STALE_S + 1
    assert {trouble["code"] for trouble in office.troubles()} == {"follower_stale"}
