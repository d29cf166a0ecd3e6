"""Ids that a day's end frees: free at once, while their entries leave the table bit by bit."""

from __future__ import annotations

import random

from portcullis.engine import state
from portcullis.engine.layout import FREED_A_SEARCH, REF_CLOSED
from portcullis.engine.why import WHY_DUPLICATE_ID
from portcullis.journal import rows as r
from tests.engine.naive_matcher import Command
from tests.support.commands import Venue

FIRST_DAY = 2026112101
DAYS = 4
COMMANDS_A_DAY = 300
# A table so large that the walks through it last longer than these, and one where they are done
# at once.
LARGE, SMALL = 9000, 1000
LARGE_ENTRIES = 1 << 15


def open_venue(ids: int) -> Venue:
    venue = Venue(rows=12_000, orders=1000, ids=ids)
    venue.instrument()
    venue.put(r.DAY, {r.W_DAY: FIRST_DAY})
    venue.session(1, 1)
    venue.run()
    return venue


def order(name: bytes, **terms: object) -> Command:
    given = {"qty": 5, "price": 100, "account": 1} | terms
    return Command(r.NEW_ORDER, 1, name, **given)  # type: ignore[arg-type]


def end_day(venue: Venue, day: int) -> None:
    assert venue.table.append_input(r.DAY, words={r.W_DAY: FIRST_DAY + day})
    venue.run()


class Model:
    """Names that are taken, by the order they belong to: a plain dict."""

    def __init__(self) -> None:
        self.current: dict[bytes, bytes] = {}  # live orders: present name to first
        self.lasting: set[bytes] = set()  # first names of those that are good till cancelled
        self.chains: dict[bytes, list[bytes]] = {}  # first name to all
        self.ended_today: set[bytes] = set()

    @property
    def taken(self) -> set[bytes]:
        live = (name for first in self.current.values() for name in self.chains[first])
        return self.ended_today.union(live)

    def enter(self, name: bytes, lasts: bool) -> None:
        self.current[name] = name
        self.chains[name] = [name]
        if lasts:
            self.lasting.add(name)

    def replace(self, name: bytes, fresh: bytes) -> None:
        first = self.current[fresh] = self.current.pop(name)
        self.chains[first].append(fresh)

    def end(self, name: bytes) -> None:
        first = self.current.pop(name)
        self.ended_today.update(self.chains.pop(first))
        self.lasting.discard(first)

    def end_day(self) -> None:
        for name, first in list(self.current.items()):
            if first not in self.lasting:
                self.end(name)
        self.ended_today.clear()


def test_however_slowly_old_ids_leave_an_id_is_free_or_taken_alike(seed: int) -> None:
    draw = random.Random(seed)
    venues = open_venue(LARGE), open_venue(SMALL)
    large, model, names = venues[0], Model(), [b"%d" % number for number in range(400)]
    for day in range(1, DAYS + 1):
        for number in range(COMMANDS_A_DAY):
            live = sorted(model.current)
            name, fresh = draw.choice(names), draw.choice((draw.choice(names), b"%x" % number))
            kind = draw.choice((r.NEW_ORDER, r.REPLACE, r.CANCEL))
            lasts = draw.random() < 0.3
            if kind == r.NEW_ORDER:
                command = order(name, time_in_force="1" if lasts else "0")
                expected = "8" if name in model.taken else "0"
                if expected == "0":
                    model.enter(name, lasts)
            else:
                target = draw.choice(live) if live and draw.random() < 0.7 else name
                first = model.current.get(target)
                terms: dict[str, object] = {"qty": 4, "price": 100, "account": 1}
                terms["time_in_force"] = "1" if first in model.lasting else "0"
                command = Command(kind, 1, fresh, target, **terms)  # type: ignore[arg-type]
                expected = ""
                if first is not None and fresh not in model.taken:
                    expected = "4" if kind == r.CANCEL else "5"
                    if kind == r.CANCEL:
                        model.end(target)
                    else:
                        model.replace(target, fresh)
            made, other = (venue.do(command) for venue in venues)
            assert made == other
            (report,) = made
            if expected:
                assert report.exec_type == expected, (day, number, command, report)
            else:
                assert report.kind == r.CANCEL_REJECT, (day, number, command)
        for venue in venues:
            end_day(venue, day)
        model.end_day()
        assert large.engine.state_hash() == venues[1].engine.state_hash()
        assert large.engine.old_ids.stage
        assert loaded_from(large).engine.state_hash() == large.engine.state_hash()
    for name in names:
        if name in model.taken:
            assert large.do(order(name))[0].why == WHY_DUPLICATE_ID
    for _ in range(2 * LARGE_ENTRIES // FREED_A_SEARCH):
        large.do(Command(r.CANCEL, 1, b"", b"nobody's"))
    assert not large.engine.old_ids.stage
    assert large.engine.ids.used == len(model.taken)
    assert all(large.engine.ids.lookup(1, name) for name in model.taken)


def loaded_from(venue: Venue) -> Venue:
    """Another engine with the state of a snapshot, in the middle of a walk."""
    fresh = Venue(rows=1, orders=1000, ids=LARGE)
    tables = {name: memoryview(bytes(octets)) for name, octets in state.buffers(venue.engine)}
    state.load(fresh.engine, state.numbers(venue.engine), tables)
    assert fresh.engine.old_ids.index == venue.engine.old_ids.index
    return fresh


def test_a_table_full_of_old_ids_refuses_none_of_todays() -> None:
    venue = open_venue(LARGE)
    for number in range(LARGE):
        assert venue.engine.ids.enter(1, b"old %d" % number, 1 << 2 | REF_CLOSED)
    assert venue.do(order(b"late"))[0].exec_type == "8"
    end_day(venue, 1)
    assert venue.engine.old_ids.stage
    for number in range(20):
        assert venue.do(order(b"new %d" % number))[0].exec_type == "0"
    assert venue.do(order(b"old 1"))[0].exec_type == "0"
