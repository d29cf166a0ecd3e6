"""How the report stream looks on a terminal and to programs."""

from __future__ import annotations

import asyncio
import json

import pytest
from click import ClickException
from click.testing import CliRunner

from portcullis.client.replay import Snapshot
from portcullis.client.reports import (
    Began,
    Ended,
    Lost,
    Missing,
    ReplayRefused,
    Report,
    ReportStream,
    StreamEvent,
    Way,
)
from portcullis.codecs.sbe.messages import Value, report_stream
from portcullis.tools.main import main
from portcullis.tools.subscribe import Printer, _run, event_fields, event_text
from tests.client.test_reports import SESSION, Venue
from tests.client.test_reports import run as run_at_venue

REPORT: dict[str, Value] = {
    "engineTime": 1_795_219_200_123_456_789,
    "publishTime": 1_795_219_200_123_500_000,
    "orderId": 17,
    "execId": 23,
    "price": 1010,
    "orderQty": 15_000,
    "lastPx": 1000,
    "lastQty": 5_000,
    "leavesQty": 10_000,
    "cumQty": 5_000,
    "avgPx": 10_000_000,
    "clOrdId": "mine-1",
    "symbol": "BTC-USD",
    "account": "ACME",
    "session": "CLIENT1",
    "sessionNumber": 1,
    "priceDecimals": 2,
    "qtyDecimals": 4,
    "avgPxDecimals": 6,
    "execType": "Trade",
    "ordStatus": "PartiallyFilled",
    "side": "Buy",
    "why": "NoReason",
}

FIFTH = "        5 20261121-00:00:00.123456"


def report(**changed: Value) -> Report:
    octets = report_stream().encode("ExecutionReport", {**REPORT, **changed})
    return Report("2026112101", 5, octets, Way.ANSWER)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            report(),
            f"{FIFTH} Trade        exec 23 CLIENT1 account ACME mine-1 buy 1.5 BTC-USD @ 10.1"
            " fill 0.5 @ 10 leaves 1 cum 0.5",
        ),
        (
            report(
                execType="Rejected", lastPx=None, lastQty=None, leavesQty=0, cumQty=0, why="Tick"
            ),
            f"{FIFTH} Rejected     exec 23 CLIENT1 account ACME mine-1 buy 1.5 BTC-USD @ 10.1"
            " leaves 0 cum 0 (Tick)",
        ),
        (
            report(
                execType="Rejected",
                price=None,
                orderQty=None,
                lastPx=None,
                lastQty=None,
                leavesQty=0,
                cumQty=0,
                symbol=None,
                why="UnknownSymbol",
            ),
            f"{FIFTH} Rejected     exec 23 CLIENT1 account ACME mine-1 buy"
            " leaves 0 cum 0 (UnknownSymbol)",
        ),
        (
            report(
                execType="Canceled",
                clOrdId=None,
                origClOrdId="token-1",
                lastPx=None,
                lastQty=None,
                leavesQty=0,
                cumQty=0,
            ),
            f"{FIFTH} Canceled     exec 23 CLIENT1 account ACME token-1 buy 1.5 BTC-USD @ 10.1"
            " leaves 0 cum 0",
        ),
        (
            report(account="CLIENT1", lastPx=None, lastQty=None, carried="58=a\x01453=1\x01"),
            f"{FIFTH} Trade        exec 23 CLIENT1 mine-1 buy 1.5 BTC-USD @ 10.1"
            " leaves 1 cum 0.5 58=a|453=1",
        ),
        (Began("2026112101", 3), "--- session 2026112101 from 3"),
        (Missing(3, 7), "--- missing 3 to 6"),
        (Lost(3, 4), "--- LOST 3 to 3"),
        (ReplayRefused("no"), "--- the replay refuses this place: no"),
        (Ended("2026112101", 9, True), "--- session 2026112101 has ended with 8, complete"),
    ],
)
def test_each_event_is_a_line_for_people(event: StreamEvent, text: str) -> None:
    assert event_text(event) == text


def test_a_report_is_an_object_with_decimals_for_programs() -> None:
    shown = event_fields(report())
    assert {key: shown[key] for key in ("event", "streamSession", "sequence", "way")} == {
        "event": "report",
        "streamSession": "2026112101",
        "sequence": 5,
        "way": "answer",
    }
    assert (shown["price"], shown["lastQty"], shown["avgPx"]) == ("10.1", "0.5", "10")
    assert "priceDecimals" not in shown and "origClOrdId" not in shown
    json.dumps(shown)


def test_a_snapshot_is_a_line_an_order_and_a_line_a_position(
    capsys: pytest.CaptureFixture[str],
) -> None:
    position: dict[str, Value] = {
        "account": "ACME",
        "symbol": "BTC-USD",
        "boughtQty": 5_000,
        "soldQty": 0,
        "priceDecimals": 2,
        "qtyDecimals": 4,
    }
    order = {**REPORT, "execId": 0, "lastPx": None, "lastQty": None}
    snapshot = Snapshot("2026112101", 9, [order], [position])
    Printer(as_json=False).snapshot(snapshot)
    assert capsys.readouterr().out == (
        "order     order 17 CLIENT1 account ACME mine-1 buy 1.5 BTC-USD @ 10.1 leaves 1 cum 0.5\n"
        "position  ACME BTC-USD bought 0.5 sold 0\n"
    )
    Printer(as_json=True).snapshot(snapshot)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["order", "position"]
    assert lines[1]["boughtQty"] == "0.5"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "snapshot", "--replay", "127.0.0.1:1"], "127.0.0.1:1"),
        (["--interface", "192.0.2.77"], "No such device"),
    ],
)
def test_what_cannot_be_followed_is_said_in_one_line(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["subscribe", *arguments])
    assert result.exit_code == 1
    assert result.output.startswith("portcullis: ") and said in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "yesterday"], "'--from': expected first, now, snapshot or SESSION:NUMBER"),
        (["--from", "2026112101:0"], "'--from': expected first, now"),
        (["--from", "2026112101:²"], "'--from': expected first, now"),
        (["--from", "2026112101:" + "9" * 5000], "'--from': expected first, now"),
        (["--from", "20261121:5"], "SESSION:NUMBER such as 2026112101:1, got '20261121:5'"),
        (["--from", "snapshot", "--replay", ""], "--from snapshot needs --replay"),
        (["--group", "239.255.13.1"], "'--group': expected an address such as"),
        (["--retransmit", "here"], "'--retransmit': expected an address such as"),
        (["--interface", "eth0"], "'--interface': expected an IPv4 address such as"),
    ],
)
def test_an_option_that_cannot_be_is_named(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["subscribe", *arguments])
    assert result.exit_code == 2
    assert result.output.startswith("Usage: ")
    last = result.output.splitlines()[-1]
    assert last.startswith("portcullis: ") and said in last


def test_events_for_programs_are_named_as_reports_are() -> None:
    shown = event_fields(Ended("2026112101", 9, True))
    assert shown == {
        "event": "ended",
        "streamSession": "2026112101",
        "sequence": 9,
        "isComplete": True,
    }


def test_counts_are_told_when_something_came_and_once_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def run() -> None:
        stream, printer = ReportStream(["239.255.13.1:9881"]), Printer(as_json=False)
        printer.counts(stream)
        assert capsys.readouterr().err == ""
        printer.counts(stream, at_end=True)
        assert capsys.readouterr().err == "received 0, recovered 0, lost 0\n"
        stream.counts.received = 1
        printer.counts(stream)
        stream.counts.requests = 7  # which the line does not say
        printer.counts(stream)
        printer.counts(stream, at_end=True)
        assert capsys.readouterr().err == "received 1, recovered 0, lost 0\n"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("session", "sequence", "why"),
    [
        ("2000010101", 7, f"the live session is {SESSION}"),
        (SESSION, 4, "the live session has no such number yet"),
    ],
)
def test_a_place_that_nobody_has_ends_with_what_was_asked_and_why(
    session: str, sequence: int, why: str
) -> None:
    async def test(venue: Venue) -> None:
        venue.source.logs[SESSION] = [b"a", b"b"]
        place = {"session": session, "sequence": sequence}
        await _run(groups_of(venue), settings_of(venue), place, None, Printer(as_json=False))

    with pytest.raises(ClickException) as raised:
        run_at_venue(test)
    assert raised.value.exit_code == 1
    asked = f"{session}:{sequence}"
    assert raised.value.message == f"nobody supplies {asked}: the replay refuses it, {why}"


def test_the_next_number_of_the_live_session_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def test(venue: Venue) -> None:
        venue.source.logs[SESSION] = [b"a", b"b"]
        place = {"session": SESSION, "sequence": 3}
        running = asyncio.create_task(
            _run(groups_of(venue), settings_of(venue), place, 1, Printer(as_json=False))
        )
        while not venue.port.logins:
            await asyncio.sleep(0.01)
        venue.publish(report().octets)
        await running

    run_at_venue(test)
    begun, told = capsys.readouterr().out.splitlines()
    assert begun == f"--- session {SESSION} from 3" and told.startswith(f"{3:>9} ")


def groups_of(venue: Venue) -> tuple[str, ...]:
    return ("{}:{}".format(*venue.group),)


def settings_of(venue: Venue) -> dict[str, str]:
    return {
        "interface": "127.0.0.1",
        "source": "",
        "retransmit": venue.retransmit,
        "replay": venue.replay,
        "password": "",
    }
