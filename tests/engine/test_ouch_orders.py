"""Orders of OUCH in the engine: sizes in shares, silence, times that run out, days and numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portcullis.engine import why as w
from portcullis.engine.layout import RUN_DONE
from portcullis.engine.messages import SAID, silent_in_ouch
from portcullis.journal import rows as r
from portcullis.journal.dtype import KIND_NAMES
from tests.engine.naive_matcher import Report
from tests.support.commands import Venue, id_words

OUCH, FIX = 3, 4
SECOND_NS = 10**9
LOT = 10


class Door(Venue):
    """A venue with instrument 1 (lot 10, prices of two decimals), session 3 of OUCH, 4 of FIX."""

    def __init__(self, **settings: int) -> None:
        super().__init__(**settings)
        self.put(
            r.INSTRUMENT,
            {
                r.W_SUBJECT: 1,
                r.W_DECIMALS: 2 | 4 << 8 | r.INSTRUMENT_SHORT_MARKING << 16,
                r.W_TICK: 5,
                r.W_LOT: LOT,
                r.W_PRICE_MAX: 10**7,
                r.W_QTY_MAX: 10**8,
            },
        )
        self.put(r.DAY, {r.W_DAY: 2026112101})
        self.session(OUCH, 1, r.SESSION_OUCH)
        self.session(FIX, 2)
        self.run()

    def command(
        self, kind: int, session: int, words: dict[int, int], flags: int = 0
    ) -> list[Report]:
        self.run()
        first = self.table.tail
        assert self.table.append_input(kind, session, words=words, flags=flags)
        self.run()
        return self.reports(first + 1)

    def enter(
        self,
        token: bytes,
        *,
        side: str = "1",
        lots: int = 10,
        price: int = 100,
        time_in_force: str = "0",
        seconds: int = 99999,
        session: int = OUCH,
    ) -> list[Report]:
        words = id_words(r.W_ID, token) | {
            r.W_QTY: lots * LOT,
            r.W_PRICE: price,
            r.W_REF: 1 | (session - 2) << 32,
            r.W_TERMS: ord(side)
            | ord("2") << 8
            | ord(time_in_force) << 16
            | len(token) << 32
            | 255 << 48,
            r.W_OUCH: seconds,
        }
        return self.command(r.NEW_ORDER, session, words)

    def change(
        self,
        kind: int,
        orig: bytes,
        shares: int,
        *,
        token: bytes = b"",
        side: str = "\0",
        price: int = 0,
        refused: int = 0,
    ) -> list[Report]:
        words = id_words(r.W_ORIG, orig) | {
            r.W_QTY: shares,
            r.W_TERMS: ord(side) | len(token) << 32 | len(orig) << 40 | refused << 56,
        }
        if kind == r.REPLACE:
            words |= id_words(r.W_ID, token)
            words[r.W_PRICE] = price
            words[r.W_TERMS] |= ord("2") << 8 | ord("0") << 16
            words[r.W_OUCH] = 99999
        return self.command(kind, OUCH, words, r.F_SHARES | (r.F_REFUSED if refused else 0))


@pytest.fixture
def door() -> Door:
    return Door()


def told(reports: list[Report], session: int = OUCH) -> list[tuple[int, str, int, int]]:
    """What a session hears: number, ExecType, LeavesQty, LastQty."""
    return [
        (one.out_seq, one.exec_type, one.leaves, one.last_qty)
        for one in reports
        if one.session == session
    ]


def test_a_session_begins_with_its_day_and_an_order_follows(door: Door) -> None:
    assert door.engine.next_out(OUCH) == 2
    assert told(door.enter(b"A")) == [(2, "0", 100, 0)]


def test_a_token_that_is_known_is_passed_over_without_a_number(door: Door) -> None:
    door.enter(b"A")
    (report,) = door.enter(b"A")
    assert (report.kind, report.out_seq, report.why) == (
        r.REFUSED_DUPLICATE,
        0,
        w.WHY_DUPLICATE_ID,
    )
    assert door.engine.next_out(OUCH) == 3


@pytest.mark.parametrize(
    ("shares", "heard"),
    [
        (0, [(4, "4", 0, 0)]),
        (4, [(4, "4", 0, 0)]),
        (3, [(4, "4", 0, 0)]),
        (7, [(4, "D", 30, 30)]),
        (10, [(0, "\0", 60, 0)]),
        (11, [(0, "\0", 60, 0)]),
        (0xFFFFFFFF, [(0, "\0", 60, 0)]),
    ],
)
def test_a_cancel_lowers_the_order_to_a_size_but_never_below_what_is_executed(
    door: Door, shares: int, heard: list[tuple[int, str, int, int]]
) -> None:
    door.enter(b"A")
    door.enter(b"S", session=FIX, side="2", lots=4)
    assert told(door.change(r.CANCEL, b"A", shares)) == heard


def test_a_partial_cancel_keeps_the_place(door: Door) -> None:
    door.enter(b"A")
    door.enter(b"B")
    door.change(r.CANCEL, b"A", 5)
    fills = [
        one for one in door.enter(b"S", session=FIX, side="2", lots=6) if one.exec_type == "F"
    ]
    assert [(one.session, one.last_qty) for one in fills] == [
        (FIX, 50),
        (OUCH, 50),
        (FIX, 10),
        (OUCH, 10),
    ]


def test_a_replacement_counts_the_whole_chain_and_loses_its_place(door: Door) -> None:
    door.enter(b"A")
    door.enter(b"B")
    door.enter(b"S", session=FIX, side="2", lots=4)
    assert told(door.change(r.REPLACE, b"A", 10, token=b"A2", price=10000)) == [(5, "5", 60, 0)]
    fills = door.enter(b"S2", session=FIX, side="2", lots=11)
    owners = [one.order_id for one in fills if one.session == OUCH]
    assert len(owners) == 2
    assert owners[0] > owners[1]  # B first
    assert told(door.change(r.CANCEL, b"A", 0)) == [(0, "\0", 50, 0)]  # not its token any more
    assert told(door.change(r.CANCEL, b"A2", 0)) == [(8, "4", 0, 0)]


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"shares": 4}, w.WHY_QTY_BELOW_CUM),
        ({"price": 10001}, w.WHY_TICK),  # 1.0001: no two decimals
        ({"price": 10100}, w.WHY_TICK),  # 1.01: the tick is 0.05
        ({"price": 10**9 + 500}, w.WHY_BAD_PRICE),
        ({"shares": 10**7 + 1}, w.WHY_BAD_QTY),
        ({"refused": w.WHY_DISPLAY}, w.WHY_DISPLAY),
    ],
)
def test_a_replacement_that_cannot_be_cancels_and_leaves_its_token_free(
    door: Door, terms: dict[str, int], why: int
) -> None:
    door.enter(b"A")
    door.enter(b"S", session=FIX, side="2", lots=4)
    given = {"shares": 10, "price": 10000, **terms}
    (report,) = door.change(r.REPLACE, b"A", given.pop("shares"), token=b"N", **given)
    assert (report.out_seq, report.exec_type, report.why, report.leaves) == (4, "4", why, 0)
    assert report.order_qty - report.cum == 60
    assert told(door.enter(b"N")) == [(5, "0", 100, 0)]


def test_a_replacement_of_what_is_not_live_or_under_a_known_token_is_passed_over(
    door: Door,
) -> None:
    door.enter(b"A")
    door.enter(b"B")
    assert told(door.change(r.REPLACE, b"A", 10, token=b"B", price=10000))[0][0] == 0
    assert told(door.change(r.REPLACE, b"C", 10, token=b"D", price=10000))[0][0] == 0
    assert told(door.change(r.CANCEL, b"A", 0)) == [(4, "4", 0, 0)]
    assert told(door.change(r.REPLACE, b"A", 10, token=b"D", price=10000))[0][0] == 0
    assert told(door.enter(b"D")) == [(5, "0", 100, 0)]


@pytest.mark.parametrize("new", ["2", "5", "6"])
@pytest.mark.parametrize("old", ["2", "5", "6"])
def test_a_sale_becomes_another_kind_of_sale_in_its_place(door: Door, old: str, new: str) -> None:
    door.enter(b"A", side=old)
    door.enter(b"B", side="2")
    (report,) = door.change(r.MODIFY, b"A", 8, side=new)
    assert told([report]) == [(4, "D", 80, 0)]
    side = door.table.row_words(door.table.tail - 1)[r.W_STATE] >> 32
    assert chr(side) == new
    fills = door.enter(b"P", session=FIX, lots=9)
    assert [one.last_qty for one in fills if one.session == OUCH] == [80, 10]


@pytest.mark.parametrize(
    ("side", "new", "shares", "why"),
    [
        ("1", "2", 10, w.WHY_SIDE),
        ("2", "1", 10, w.WHY_SIDE),
        ("2", "x", 10, w.WHY_SIDE),
        ("2", "5", 11, w.WHY_BAD_QTY),
        ("2", "5", 0, w.WHY_QTY_BELOW_CUM),
    ],
)
def test_a_change_of_side_that_cannot_be_is_passed_over(
    door: Door, side: str, new: str, shares: int, why: int
) -> None:
    door.enter(b"A", side=side)
    (report,) = door.change(r.MODIFY, b"A", shares, side=new)
    assert (report.out_seq, report.kind, report.why) == (0, r.CANCEL_REJECT, why)


def test_an_order_whose_time_runs_out_is_cancelled_in_order_of_time(door: Door) -> None:
    door.table.time_ns = 100 * SECOND_NS
    door.run()
    for token, seconds in ((b"A", 30), (b"B", 10), (b"C", 20), (b"D", 99998), (b"E", 10)):
        door.enter(token, seconds=seconds)
    door.change(r.CANCEL, b"E", 0)
    assert door.engine.expires_ns == 110 * SECOND_NS
    door.table.time_ns = 120 * SECOND_NS
    reports = door.command(r.EXPIRE, 0, {})
    assert [(one.exec_type, one.why) for one in reports] == [("C", w.WHY_TIME_OUT)] * 2
    assert [one.leaves for one in reports] == [0, 0]
    assert door.engine.expires_ns == 130 * SECOND_NS
    door.change(r.REPLACE, b"A", 10, token=b"A2", price=10000)
    assert door.engine.expires_ns == 0


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), max_size=40))
def test_whatever_comes_and_goes_the_times_run_out_in_order(
    orders: list[tuple[int, bool]],
) -> None:
    door = Door()
    left: list[int] = []
    for index, (seconds, ends) in enumerate(orders):
        token = b"%d" % index
        door.enter(token, seconds=seconds)
        if ends:
            door.change(r.CANCEL, token, 0)
        else:
            left.append(seconds)
    for seconds in sorted(set(left)):
        assert door.engine.expires_ns == seconds * SECOND_NS
        door.table.time_ns = seconds * SECOND_NS
        assert len(door.command(r.EXPIRE, 0, {})) == left.count(seconds)
    assert door.engine.expires_ns == 0


def test_a_day_that_ends_expires_orders_says_so_and_numbers_from_one(door: Door) -> None:
    door.enter(b"A")
    first = door.table.tail
    door.put(r.DAY, {r.W_DAY: 2026112201})
    door.run()
    reports = door.reports(first)
    assert [(one.session, one.kind, one.out_seq, one.exec_type) for one in reports] == [
        (OUCH, r.REPORT, 3, "C"),
        (OUCH, r.SYSTEM_EVENT, 4, "E"),
        (OUCH, r.SYSTEM_EVENT, 1, "S"),
    ]
    assert door.engine.session_day(OUCH) == 2026112201
    assert told(door.enter(b"A")) == [(2, "0", 100, 0)]


def test_a_day_that_goes_on_under_a_new_id_gives_the_old_numbers_no_end(door: Door) -> None:
    door.enter(b"A")
    first = door.table.tail
    assert door.table.append_input(r.DAY, flags=r.F_SAME_DAY, words={r.W_DAY: 2026112102})
    door.run()
    assert [(one.out_seq, one.exec_type) for one in door.reports(first)] == [(1, "S")]
    assert told(door.change(r.CANCEL, b"A", 0)) == [(2, "4", 0, 0)]


def test_while_a_day_ends_no_order_of_ouch_is_taken() -> None:
    door = Door(rows=20000, batch_rows=4096, input_rows=2048)
    for index in range(600):
        door.enter(b"%d" % index)
    door.put(r.DAY, {r.W_DAY: 2026112201})
    assert door.run_once() != RUN_DONE  # more orders than a slice
    words = id_words(r.W_ID, b"NEW") | {r.W_QTY: 10, r.W_TERMS: ord("1") | 3 << 32}
    row = door.table.append_input(r.NEW_ORDER, OUCH, words=words)
    door.run_once()
    refused = [one for one in door.reports(row) if one.cause == row]
    assert [(one.exec_type, one.why) for one in refused] == [("8", w.WHY_CLOSED)]
    door.run()
    assert told(door.enter(b"0")) == [(2, "0", 100, 0)]


def test_fix_may_cancel_but_not_replace_what_ouch_has_entered(door: Door) -> None:
    (accepted,) = door.enter(b"A")
    words = id_words(r.W_ID, b"F1") | id_words(r.W_ORIG, b"A")
    words |= {
        r.W_QTY: 100,
        r.W_PRICE: 105,
        r.W_TERMS: ord("1") | ord("2") << 8 | ord("0") << 16 | 2 << 32 | 1 << 40,
        r.W_REF: 1 | 1 << 32,
    }
    items = {r.ITEM_FOR_SESSION: OUCH.to_bytes(8, "little")}
    first = door.table.tail
    door.table.append_input(r.REPLACE, FIX, flags=r.F_FOR_SESSION, words=words, items=items)
    door.run()
    (report,) = door.reports(first)
    assert (report.session, report.kind, report.why) == (FIX, r.CANCEL_REJECT, w.WHY_OTHER_DOOR)
    first = door.table.tail
    door.table.append_input(r.CANCEL, FIX, flags=r.F_FOR_SESSION, words=words, items=items)
    door.run()
    assert told(door.reports(first)) == [(3, "4", 0, 0)]
    assert accepted.order_id == door.reports(first)[0].order_id


def test_what_ouch_is_not_told_is_kept_for_the_log_within_a_bound(door: Door) -> None:
    door.enter(b"A")
    door.enter(b"A")
    door.change(r.CANCEL, b"X", 0)
    rows, missed = door.engine.take_unsaid()
    assert [door.table.row_words(row)[0] & 0xFF for row in rows] == [
        r.REFUSED_DUPLICATE,
        r.CANCEL_REJECT,
    ]
    assert missed == 0
    assert door.engine.take_unsaid() == ([], 0)
    for _ in range(1030):
        door.table.append_input(r.CANCEL, OUCH, words=id_words(r.W_ORIG, b"X"))
        door.run()
    assert (len(door.engine.take_unsaid()[0]), door.engine.take_unsaid()) == (1024, ([], 0))


def test_what_a_message_says_whole_is_not_kept_for_the_log(door: Door) -> None:
    door.engine.reports.said_whole[w.WHY_IOC_REST] = 1
    for _ in range(2):
        door.enter(b"A", time_in_force="3")
    rows, missed = door.engine.take_unsaid()
    # The rest of the first is a message; the token is known by then, and that is none.
    assert [door.table.row_words(row)[0] & 0xFF for row in rows] == [r.REFUSED_DUPLICATE]
    assert missed == 0


def test_the_table_of_messages_names_every_kind_of_row() -> None:
    kinds = {
        value
        for name, value in vars(r).items()
        if name.isupper() and r.FIRST_OUTPUT <= value < r.TEXT and name in _KINDS
    }
    assert {said.kind for said in SAID} == kinds
    silent = silent_in_ouch()
    for said in SAID:
        assert silent[said.kind << 8 | said.exec_type] == (not said.ouch)


_KINDS = (
    "REPORT",
    "STATUS_REPORT",
    "CANCEL_REJECT",
    "MASS_CANCEL_REPORT",
    "SENT",
    "REFUSED_DUPLICATE",
    "SYSTEM_EVENT",
)


def test_the_table_of_messages_stands_in_the_rules() -> None:
    rules = Path(__file__).parents[2] / "docs" / "ouch.md"
    shown = re.findall(r"^\| `(\w+)` \| (\S+).*? \| (.*?) ?\| (.*?) ?\|$", rules.read_text(), re.M)
    assert shown == [
        (
            KIND_NAMES[said.kind],
            chr(said.exec_type) if said.exec_type else "any",
            said.fix,
            " ".join(f"`{letter}`" for letter in said.ouch.split()),
        )
        for said in SAID
    ]
