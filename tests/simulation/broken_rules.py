"""Rules of the gateway, each broken on purpose: what a simulation is worth that finds them.

Owns the breaking. Each rule is broken by putting something else in the place of one function, for
as long as the context lasts; `faults`, `sync` and `messages` are what a run needs to come across
it.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from portcullis.engine.layout import S_NEXT_OUT, SESSION_WORDS
from portcullis.gateway import quarantine, row_store, saved_state, startup
from portcullis.gateway.operator import Operator
from portcullis.gateway.ouch_store import OuchStore
from portcullis.gateway.server import Server
from portcullis.gateway.streams import Streams
from portcullis.gateway.trading_day import TradingDay
from portcullis.journal import snapshots
from portcullis.journal.recovery import Recovery
from portcullis.journal.rows import ROW_BYTES
from portcullis.journal.writer import Journal
from portcullis.sessions.fix_session import FixSession

_EVERY = 40  # of many chances to break a rule, one is taken


@dataclass(frozen=True)
class Rule:
    """A rule that can be broken. place: class or module, name: the function there."""

    text: str
    place: Any
    name: str
    # Given the right function, one that is wrong.
    spoil: Callable[[Callable[..., Any]], Callable[..., Any]]
    faults: tuple[str, ...]
    sync: str = "interval"
    messages: int = 6_000

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Break it for a while."""
        right = getattr(self.place, self.name)
        setattr(self.place, self.name, self.spoil(right))
        try:
            yield
        finally:
            setattr(self.place, self.name, right)


def _now_and_then(wrong: Callable[[Any], None]) -> Callable[..., Callable[..., Any]]:
    """Before some calls of a method, do something wrong to its object."""

    def spoil(right: Callable[..., Any]) -> Callable[..., Any]:
        calls = 0

        def spoilt(self: Any, *args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % _EVERY == 0:
                wrong(self)
            return right(self, *args)

        return spoilt

    return spoil


def _no_sync(_right: Callable[..., Any]) -> Callable[..., Any]:
    def sync(self: Journal) -> int:
        self.synced_row = self.sealed_row
        return self.sealed_row

    return sync


def _sync_of_the_last_segment(right: Callable[..., Any]) -> Callable[..., Any]:
    def sync(self: Journal) -> Any:
        for descriptor in self._unsynced[:-1]:
            os.close(descriptor)
        del self._unsynced[:-1]
        return right(self)

    return sync


def _skip_a_message(store: OuchStore) -> None:
    if 0 < store.next_sequence <= store._last(store._day):
        store.next_sequence += 1


def _send_a_message_again(store: OuchStore) -> None:
    if store.next_sequence > 1:
        store.next_sequence -= 1


def _skip_a_number(server: Server) -> None:
    server.turn.engine.reports.sessions[SESSION_WORDS + S_NEXT_OUT] += 1


def _any_checksum(_right: Callable[..., Any]) -> Callable[..., Any]:
    def valid_crc(self: Recovery, _first: int, last: int) -> int:
        end = (last + 1 - self._space.origin_row) * ROW_BYTES
        return int.from_bytes(self._octets[end - 4 : end], "little")

    return valid_crc


def _no_rows(_right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_args: 0


def _no_rows_told(_right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_args: iter(())


def _nothing(_right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_args: None


def _always(_right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_args: True


def _every_other(right: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    def spoilt(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 2:
            right(*args)

    return spoilt


def _no_unsent(_right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_args: array("q")


def _note_this_run(_right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: self.note_run()


RULES = (
    Rule("nothing leaves before it is on disk", Journal, "sync", _no_sync, ("power",), "batch"),
    Rule(
        "a sync is of all segments with rows that are not on disk", Journal, "sync",
        _sync_of_the_last_segment, ("power",), "batch", messages=50_000,
    ),
    Rule(
        "numbers that a loss took are passed over", startup, "_pass_over_numbers", _nothing,
        ("power",),
    ),
    Rule(
        "rows that a loss took are passed over", Journal, "pass_over", _no_rows,
        ("power",),
    ),
    Rule(
        "a loss is noted until it is dealt with", Journal, "note_loss", _note_this_run,
        ("power", "kill"),
    ),
    Rule(
        "a torn tail is cut", Recovery, "_cut", _nothing, ("power",), "none",
    ),
    Rule(
        "a batch is good by its checksum",
        Recovery,
        "_valid_crc",
        _any_checksum,
        ("kill", "flip"),
    ),
    Rule("no report is lost", OuchStore, "pump", _now_and_then(_skip_a_message), ()),
    Rule("no report comes twice", OuchStore, "pump", _now_and_then(_send_a_message_again), ()),
    Rule(
        "state is a function of the journal", Server, "_on_timer", _now_and_then(_skip_a_number),
        ("kill",),
    ),
    Rule(
        "a reset is on disk before anything is sent behind it", Journal, "is_on_disk",
        _always, ("reset", "power", "drop"), "none",
    ),
    Rule(
        "numbers that an operator sets are on disk before anybody is told", Journal, "force",
        _nothing, ("operator", "power"), "none",
    ),
    Rule(
        "what a reset may have cut off comes again", row_store, "unsent_behind",
        _no_unsent, ("reset", "drop"),
    ),
    Rule(
        "numbers that an operator sets are in force at once", FixSession, "take_numbers",
        _nothing, ("operator",),
    ),
    Rule(
        "a loss begins another session of each stream, and the one before gets no end",
        Streams, "anew", _no_rows_told, ("power",),
    ),
    Rule(
        "a trade is amended on both sides", Operator, "_append_amendment", _every_other,
        ("amend",),
    ),
    Rule(
        "a start takes no snapshot of rows that are lost", saved_state, "_has_batch", _always,
        ("snapshot", "power"), "none",
    ),
    Rule(
        "a snapshot is on disk when it is written", snapshots, "sync_directory", _nothing,
        ("snapshot", "power"), messages=3_000,
    ),
    Rule(
        "who brought the gateway down is kept out, whatever stops", quarantine, "sync_directory",
        _nothing, ("poison", "power"),
    ),
    Rule("a day's end is a row", TradingDay, "tick", _nothing, ("day",), messages=12_000),
)  # fmt: skip
