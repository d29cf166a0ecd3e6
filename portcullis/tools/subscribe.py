"""`portcullis subscribe`: the report stream on a terminal, or as JSON lines.

Owns how events look to people and to programs. Must not know how a stream is followed
(`client.reports`).
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import click

from portcullis.client.errors import ClientError, LoginRefused
from portcullis.client.replay import ReplayClient, Snapshot, take_snapshot
from portcullis.client.reports import (
    Began,
    Ended,
    Lost,
    Missing,
    ReplayRefused,
    Report,
    ReportStream,
    StreamEvent,
)
from portcullis.codecs.moldudp64.packets import SESSION_BYTES
from portcullis.codecs.sbe.messages import Value
from portcullis.gateway.config_values import Address, Address4
from portcullis.sessions.mold_subscriber import Counts
from portcullis.tools.conform.target import TargetConfigError, parse_address
from portcullis.tools.conform.values import SOH, number_of, utc
from portcullis.tools.message_log import readable

GROUP = "239.255.13.1:9881"
RETRANSMIT = "127.0.0.1:9882"
REPLAY = "127.0.0.1:9883"
_COUNTS_S = 1.0
# By field: the field that says its decimals.
_PLACES = {
    "price": "priceDecimals",
    "lastPx": "priceDecimals",
    "avgPx": "avgPxDecimals",
    "orderQty": "qtyDecimals",
    "lastQty": "qtyDecimals",
    "leavesQty": "qtyDecimals",
    "cumQty": "qtyDecimals",
    "boughtQty": "qtyDecimals",
    "soldQty": "qtyDecimals",
}
_BEGINNINGS: dict[str, dict[str, Any]] = {
    "first": {},
    "now": {"sequence": 0},
    "snapshot": {"snapshot": True},
}
# Of events, as the schema of reports would have them.
_NAMES = {"session": "streamSession", "is_complete": "isComplete"}
_SIDES = {"Buy": "buy", "Sell": "sell", "SellShort": "short", "SellShortExempt": "short ex."}


def _checked(
    _ctx: click.Context, param: click.Parameter, given: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Addresses with their ports, or one of an interface; empty where it says nothing."""
    of_host = param.name in ("interface", "source")
    spelling = (Address4 if of_host else Address).spelling
    for text in (given,) if isinstance(given, str) else given:
        try:
            if text:
                (Address4.parse if of_host else parse_address)(text)
        except (ValueError, TargetConfigError):
            raise click.BadParameter(f"expected {spelling}, got {text!r}") from None
    return given


def _place(_ctx: click.Context, _param: click.Parameter, start: str) -> dict[str, Any]:
    """Where to begin, as `ReportStream` has it; {"snapshot": True}: where one will say."""
    if start in _BEGINNINGS:
        return _BEGINNINGS[start]
    session, _, digits = start.partition(":")
    number = number_of(digits)
    if len(session) != SESSION_BYTES or not number:
        raise click.BadParameter(
            f"expected first, now, snapshot or SESSION:NUMBER such as 2026112101:1, got {start!r}"
        )
    return {"session": session, "sequence": number}


@click.command(name="subscribe")
@click.option(
    "--group",
    "groups",
    multiple=True,
    default=[GROUP],
    show_default=True,
    callback=_checked,
    metavar="ADDRESS:PORT",
    help="Multicast group; given twice: lines A and B.",
)
@click.option(
    "--interface",
    default="127.0.0.1",
    show_default=True,
    callback=_checked,
    help="Address of the one to listen on.",
)
@click.option("--source", default="", callback=_checked, help="Take packets of this sender only.")
@click.option(
    "--retransmit",
    default=RETRANSMIT,
    show_default=True,
    callback=_checked,
    metavar="ADDRESS:PORT",
    help='Where missing messages are asked for; "" for nowhere.',
)
@click.option(
    "--replay",
    default=REPLAY,
    show_default=True,
    callback=_checked,
    metavar="ADDRESS:PORT",
    help='Where they are replayed from; "" for nowhere.',
)
@click.option("--password", default="", help="Of the replay.")
@click.option(
    "--from",
    "start",
    default="first",
    show_default=True,
    callback=_place,
    metavar="first|now|snapshot|SESSION:NUMBER",
    help="Where to begin: the session's first message, what comes next, the open orders and"
    " positions and what follows them, or a message of a session.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many reports.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
def command(
    groups: tuple[str, ...],
    interface: str,
    source: str,
    retransmit: str,
    replay: str,
    password: str,
    start: dict[str, Any],
    count: int | None,
    as_json: bool,
) -> None:
    """Print execution reports as they are published, each once and in order.

    What the network lost is asked for, or replayed. A count of what was received, recovered and
    lost goes to standard error each second that brought something, and at the end. Ends at Ctrl-C.
    """
    settings: dict[str, Any] = {
        "interface": interface,
        "source": source,
        "retransmit": retransmit,
        "replay": replay,
        "password": password,
    }
    if start.get("snapshot") and not replay:
        raise click.UsageError("--from snapshot needs --replay, where they are taken")
    printer = Printer(as_json)
    try:
        asyncio.run(_run(groups, settings, start, count, printer))
    except BrokenPipeError:  # whoever read our output has seen enough
        raise
    except (OSError, ValueError, ClientError) as error:
        raise click.ClickException(str(error)) from None


async def _run(
    groups: tuple[str, ...],
    settings: dict[str, Any],
    place: dict[str, Any],
    count: int | None,
    printer: Printer,
) -> None:
    if place.get("snapshot"):
        host, port = parse_address(settings["replay"])
        snapshot = await take_snapshot(host, port, password=settings["password"])
        printer.snapshot(snapshot)
        place = {"session": snapshot.session, "sequence": snapshot.sequence}
    async with ReportStream(groups, **settings, **place) as stream:
        following = asyncio.create_task(_follow(stream, count, printer))
        loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, following.cancel)
        awaited = {following}
        if place.get("session") and settings["replay"]:
            awaited.add(asyncio.create_task(_look_for(place, settings)))
        try:
            while not following.done():
                done, _ = await asyncio.wait(
                    awaited, timeout=_COUNTS_S, return_when=asyncio.FIRST_COMPLETED
                )
                printer.counts(stream)
                for looked in done - {following}:
                    looked.result()
                awaited -= done
            if not following.cancelled():
                following.result()
        finally:
            printer.counts(stream, at_end=True)


async def _follow(stream: ReportStream, count: int | None, printer: Printer) -> None:
    reports = 0
    async for event in stream:
        printer.event(event)
        reports += isinstance(event, Report)
        if reports == count:
            return


async def _look_for(place: dict[str, Any], settings: dict[str, Any]) -> None:
    """Ask the replay for a place, until it answers. ClickException: it has no such place."""
    while True:
        try:
            async with _replay(settings, **place):
                return
        except LoginRefused:
            break
        except ClientError:  # nobody is there yet
            await asyncio.sleep(_COUNTS_S)
    try:
        async with _replay(settings) as live:
            session = live.session
    except ClientError:  # it lets nobody in, or has no session
        return
    asked = f"{place['session']}:{place['sequence']}"
    why = f"the live session is {session}"
    if session == place["session"]:
        why = "the live session has no such number yet"
    raise click.ClickException(f"nobody supplies {asked}: the replay refuses it, {why}")


def _replay(settings: dict[str, Any], **place: Any) -> ReplayClient:
    host, port = parse_address(settings["replay"])
    return ReplayClient(host, port, password=settings["password"], **place)


class Printer:
    """What a run says."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        # What was told of counts; before anything has come there is nothing to tell.
        self._told = self._counts_text(Counts(), False)
        self._has_told = False

    def event(self, event: StreamEvent) -> None:
        """A line for an event."""
        if self._as_json:
            self._line(event_fields(event))
        else:
            click.echo(event_text(event))

    def snapshot(self, snapshot: Snapshot) -> None:
        """A line for each open order and position."""
        for kind, found in (("order", snapshot.orders), ("position", snapshot.positions)):
            for values in found:
                if self._as_json:
                    self._line({"event": kind, **_readable(values)})
                else:
                    click.echo(f"{kind:<9} {_order_text(values, kind)}")

    def counts(self, stream: ReportStream, *, at_end: bool = False) -> None:
        """What came how, where the line for it has changed, and once at least."""
        told = self._counts_text(stream.counts, stream.is_silent)
        if told == self._told and (self._has_told or not at_end):
            return
        self._told, self._has_told = told, True
        click.echo(told, err=True)

    def _counts_text(self, counts: Counts, is_silent: bool) -> str:
        if self._as_json:
            return json.dumps({"event": "counts", **asdict(counts), "silent": is_silent})
        text = f"received {counts.received}, recovered {counts.recovered}, lost {counts.lost}"
        return text + (", the lines are silent" if is_silent else "")

    def _line(self, fields: Mapping[str, Any]) -> None:
        click.echo(json.dumps(fields))


def event_fields(event: StreamEvent) -> dict[str, Any]:
    """An event for programs; `session` is the order entry session of a report."""
    if isinstance(event, Report):
        place = {"streamSession": event.session, "sequence": event.sequence}
        return {
            "event": "report",
            **place,
            "way": event.way.name.lower(),
            **_readable(event.values),
        }
    fields = {_NAMES.get(name, name): value for name, value in event._asdict().items()}
    return {"event": type(event).__name__.lower(), **fields}


def event_text(event: StreamEvent) -> str:
    """An event for people."""
    if isinstance(event, Report):
        return f"{event.sequence:>9} {_report_text(event.values)}"
    if isinstance(event, Began):
        return f"--- session {event.session} from {event.sequence}"
    if isinstance(event, Ended):
        last = event.sequence - 1
        how = "complete" if event.is_complete else "its end was not seen"
        return f"--- session {event.session} has ended with {last}, {how}"
    if isinstance(event, ReplayRefused):
        return f"--- the replay refuses this place: {event.reason}"
    numbers = f"{event.sequence} to {event.end - 1}"
    if isinstance(event, Missing):
        return f"--- missing {numbers}"
    assert isinstance(event, Lost)
    return f"--- LOST {numbers}"


def _report_text(values: Mapping[str, Value]) -> str:
    """One line: when, what, its ExecID, whose, terms, what is left, why."""
    time_ns = values["engineTime"]
    assert isinstance(time_ns, int)
    return f"{utc(time_ns, 'us')} {values['execType']!s:<12} {_order_text(values, 'report')}"


def _order_text(values: Mapping[str, Value], kind: str) -> str:
    shown = _readable(values)
    if kind == "position":
        return "{account} {symbol} bought {boughtQty} sold {soldQty}".format(**shown)
    # An order of a snapshot is no report, and has no ExecID.
    number = f"exec {shown['execId']}" if shown.get("execId") else f"order {shown['orderId']}"
    parts = [number, str(shown.get("session") or "")]
    if shown.get("account") not in (None, shown.get("session")):
        parts.append(f"account {shown['account']}")
    # A cancel by OUCH, or ours, has no ClOrdID of its own.
    parts.append(str(shown.get("clOrdId") or shown.get("origClOrdId") or ""))
    side = values.get("side", values.get("aggressorSide"))
    # An order for a symbol that there is not is refused without it.
    parts += [
        _SIDES.get(str(side), ""),
        *(str(shown.get(key) or "") for key in ("orderQty", "symbol")),
    ]
    if shown.get("price") is not None:
        parts.append(f"@ {shown['price']}")
    if shown.get("lastQty") is not None:
        parts.append(f"fill {shown['lastQty']} @ {shown['lastPx']}")
    if "leavesQty" in shown:
        parts.append(f"leaves {shown['leavesQty']} cum {shown['cumQty']}")
    if shown.get("why") not in (None, "NoReason"):
        parts.append(f"({shown['why']})")
    if "text" in shown:
        parts.append(f'"{shown["text"]}"')
    parts.append(shown.get("carried", "").rstrip(SOH))
    return readable(" ".join(part for part in parts if part).encode("latin-1"))


def _readable(values: Mapping[str, Value]) -> dict[str, Any]:
    """Fields with prices and quantities as decimals; what is absent is left out."""
    shown: dict[str, Any] = {}
    for name, value in values.items():
        places = values.get(_PLACES.get(name, ""))
        if isinstance(value, int) and isinstance(places, int):
            shown[name] = format(Decimal(value).scaleb(-places).normalize(), "f")
        elif value is not None and name not in _PLACES.values():
            shown[name] = value
    return shown
