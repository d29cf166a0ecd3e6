"""The engine against the naive matcher, against itself replayed, and in both modes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from portcullis import _build
from portcullis.engine.layout import RUN_DONE, RUN_SLICE, SLICE_ORDERS
from portcullis.engine.why import WHY_BUSY, WHY_DISCONNECT, WHY_MASS_CANCEL
from portcullis.journal import rows as r
from tests.engine.naive_matcher import Command
from tests.engine.streams import Stream, play
from tests.support.commands import Venue, signed

LONG = 10_000 if _build.is_pure() else 60_000
SHORT = 1_000 if _build.is_pure() else 5_000


def agree(stream: Stream) -> None:
    """Reports alike, and books alike."""
    for place, (mine, naive) in enumerate(
        zip(stream.venue.reports(), stream.naive.reports, strict=True)
    ):
        assert mine == naive, f"report {place}"
    for (instrument, side), ranks in stream.naive.books.items():
        depth = [
            (abs(rank), sum(order.leaves for order in orders), len(orders))
            for rank, orders in ranks.items()
        ]
        assert stream.venue.engine.book.depth(instrument, side == "S") == depth


def test_a_long_stream_gives_the_oracles_reports(seed: int) -> None:
    stream = play(seed, LONG, batch_rows=1024, input_rows=512)
    agree(stream)
    assert stream.venue.engine.rows_ignored == 0
    for session, number in stream.naive.next_out.items():
        assert stream.venue.engine.next_out(session) == number
    for session, number in stream.naive.next_in.items():
        assert stream.venue.engine.next_in(session) == number


@pytest.mark.parametrize("batch_rows", [17, 25, 40])
def test_tiny_batches_change_no_report(batch_rows: int, seed: int) -> None:
    stream = play(seed, SHORT, batch_rows=batch_rows, input_rows=12)
    agree(stream)
    codes = Counter(batch.code for batch in stream.venue.batches)
    assert codes.total() > codes[RUN_DONE] > 0


def test_quantity_is_conserved(seed: int) -> None:
    stream = play(seed, SHORT)
    fills = [one for one in stream.venue.reports() if one.exec_type == "F"]
    for aggressor, passive in zip(fills[::2], fills[1::2], strict=True):
        assert (aggressor.flags, passive.flags) == (r.F_AGGRESSOR, r.F_PASSIVE)
        assert aggressor[7:9] == passive[7:9]
        assert aggressor.cause == passive.cause
    for one in stream.venue.reports():
        if one.kind == r.REPORT and one.ord_status in "012":
            assert one.order_qty == one.cum + one.leaves
        if one.kind == r.REPORT and one.ord_status in "248":
            assert one.leaves == 0


def test_previous_rows_chain_each_sessions_numbers_without_a_gap(seed: int) -> None:
    venue = play(seed, 500).venue
    for session in range(1, 7):
        row, number = venue.engine.head_row(session), venue.engine.next_out(session) - 1
        while row:
            words = venue.table.row_words(row)
            assert (words[0] >> 32, words[r.W_OUT_SEQ]) == (session, number)
            row, number = words[r.W_PREV], number - 1
        assert number == 0


def test_replaying_the_inputs_batch_by_batch_gives_the_same_bytes_and_state(seed: int) -> None:
    replay_alike(seed)


def test_a_day_that_ends_behind_a_full_batch_needs_no_run_without_rows() -> None:
    replay_alike(3598511853)


def replay_alike(seed: int) -> None:
    """What a stream made, a second engine makes of its inputs, batch by batch."""
    first = play(seed, SHORT, batch_rows=60, input_rows=24).venue
    again = Venue(
        len(first.memory) // r.ROW_BYTES,
        batch_rows=60,
        input_rows=24,
        orders=SHORT + 1,
        ids=SHORT + 1,
        levels=5000,
        instruments=3,
    )
    # What the constructor appended is part of the first batch's inputs.
    again.table.tail = 1
    for batch in first.batches:
        assert batch.first == again.table.tail
        start, end = ((row - 1) * r.ROW_BYTES for row in (batch.first, batch.inputs_end))
        again.memory[start:end] = first.memory[start:end]
        again.table.tail = batch.inputs_end
        assert again.engine.run() == batch.code
        assert again.table.tail == batch.end
        again.table.open_batch(60, 24)
    size = (first.table.tail - 1) * r.ROW_BYTES
    assert again.memory[:size] == first.memory[:size]
    assert again.engine.state_hash() == first.engine.state_hash()


def test_the_state_hash_tells_states_apart(seed: int) -> None:
    stream = play(seed, 200)
    before = stream.venue.engine.state_hash()
    stream.venue.send(Command(r.NEW_ORDER, 1, b"one more", qty=1, price=1, account=1))
    stream.venue.run()
    assert stream.venue.engine.state_hash() != before


@pytest.mark.skipif(bool(_build.missing_extensions()), reason="only one mode to compare")
def test_both_modes_write_the_same_bytes(seed: int) -> None:
    digests = set()
    for pure in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.engine.streams", str(seed), "1500"],
            env={**os.environ, "PORTCULLIS_PURE": pure, "PORTCULLIS_REQUIRE_COMPILED": "0"},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


# --- commands over many orders -------------------------------------------------------------------


def crowded(orders: int) -> Venue:
    """A venue where session 1 has so many orders."""
    venue = Venue(8 * orders + 4000, orders=orders + 10, ids=2 * orders + 50, sessions=32)
    venue.instrument()
    for session in (1, 2):
        venue.session(session, session)
    for number in range(orders):
        identifier = b"a%d" % number
        venue.send(Command(r.NEW_ORDER, 1, identifier, qty=5, price=50, account=1))
    venue.run()
    return venue


def test_a_mass_cancel_goes_on_in_slices_and_others_come_between() -> None:
    venue = crowded(2 * SLICE_ORDERS + 10)
    first = venue.table.tail
    venue.send(Command(r.MASS_CANCEL, 1, b"q", scope="7"))
    assert venue.run_once() == RUN_SLICE
    sell = Command(r.NEW_ORDER, 2, b"s", side="2", qty=5, price=50, account=2)
    venue.send(sell)
    assert venue.run_once() == RUN_SLICE
    assert venue.run_once() == RUN_DONE
    answers = venue.reports(first)
    assert answers[0].kind == r.MASS_CANCEL_REPORT
    assert answers[0].last_px == 2 * SLICE_ORDERS + 10
    cancelled = [one for one in answers if one.why == WHY_MASS_CANCEL]
    # The seller came after the first slice and before the second, and took one of those left.
    assert len(cancelled) == 2 * SLICE_ORDERS + 9
    assert [one.exec_type for one in answers if one.session == 2] == ["0", "F"]
    assert venue.engine.live_orders(1) == []


def test_a_session_s_next_message_comes_before_the_next_slice() -> None:
    venue = crowded(2 * SLICE_ORDERS + 10)
    venue.send(Command(r.MASS_CANCEL, 1, b"q", scope="7"))
    assert venue.run_once() == RUN_SLICE
    expected, first = venue.engine.next_out(1), venue.table.tail
    venue.put(r.SEND, {}, 1)
    assert venue.run_once() == RUN_SLICE
    assert venue.reports(first)[0].kind == r.SENT
    assert venue.table.word(first + 1, r.W_OUT_SEQ) == expected


def test_orders_that_come_after_a_mass_cancel_are_not_its_business() -> None:
    venue = crowded(SLICE_ORDERS + 5)
    venue.send(Command(r.MASS_CANCEL, 1, b"q", scope="7"))
    venue.send(Command(r.NEW_ORDER, 1, b"later", qty=5, price=50, account=1))
    venue.run()
    assert len(venue.engine.live_orders(1)) == 1


def test_the_last_report_of_a_mass_status_is_marked_though_its_orders_end_meanwhile() -> None:
    venue = crowded(SLICE_ORDERS + 1)
    first = venue.table.tail
    venue.send(Command(r.MASS_STATUS, 1, b"m", scope="7"))
    last = Command(r.CANCEL, 1, b"c", b"a%d" % SLICE_ORDERS, account=1)
    venue.send(last)
    venue.run()
    answers = [one for one in venue.reports(first) if one.kind == r.STATUS_REPORT]
    assert len(answers) == SLICE_ORDERS + 1
    assert [bool(one.flags & r.F_LAST) for one in answers] == [False] * SLICE_ORDERS + [True]
    assert answers[-1].order_id == 0


def mass(venue: Venue, *commands: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Send mass commands (kind, session) at once; per answer its kind, session and why."""
    first = venue.table.tail
    for number, (kind, session) in enumerate(commands):
        venue.send(Command(kind, session, b"q%d" % number, scope="7"))
    venue.run()
    return [
        (one.kind, one.session, one.why)
        for one in venue.reports(first)
        if one.kind == r.MASS_CANCEL_REPORT or one.flags & (r.F_ANSWER | r.F_LAST)
    ]


def many_sessions(venue: Venue) -> Venue:
    for session in range(3, 33):
        venue.session(session, 1)
    venue.run()
    return venue


def test_mass_commands_beyond_the_queue_are_refused_and_the_rest_is_done_in_turn() -> None:
    venue = many_sessions(crowded(SLICE_ORDERS + 1))
    first = venue.table.tail
    for number in range(18):
        venue.send(Command(r.MASS_CANCEL, number + 3, b"q%d" % number, scope="7"))
    venue.run()
    answers = [one for one in venue.reports(first) if one.kind == r.MASS_CANCEL_REPORT]
    assert [one.why for one in answers].count(WHY_BUSY) == 1
    assert [one.last_px for one in answers if one.why == 0] == [SLICE_ORDERS + 1] + [0] * 16


def test_a_session_has_one_mass_status_at_a_time_and_keeps_nobody_from_a_mass_cancel() -> None:
    venue = crowded(SLICE_ORDERS + 1)
    burst = [(r.MASS_STATUS, 1)] * 40
    assert mass(venue, *burst, (r.MASS_CANCEL, 2)) == [
        *[(r.STATUS_REPORT, 1, WHY_BUSY)] * 39,
        (r.STATUS_REPORT, 1, 0),
        (r.MASS_CANCEL_REPORT, 2, 0),
    ]
    # And the next one is as good as the first.
    assert mass(venue, (r.MASS_STATUS, 1)) == [(r.STATUS_REPORT, 1, 0)]


def test_a_mass_status_that_waits_is_the_only_one_too() -> None:
    venue = crowded(SLICE_ORDERS + 1)
    answers = mass(venue, (r.MASS_CANCEL, 1), (r.MASS_STATUS, 1), (r.MASS_STATUS, 1))
    assert [one for one in answers if one[0] == r.STATUS_REPORT] == [
        (r.STATUS_REPORT, 1, WHY_BUSY),
        (r.STATUS_REPORT, 1, 0),
    ]


def test_two_mass_commands_of_a_session_wait_and_a_third_is_refused() -> None:
    venue = crowded(SLICE_ORDERS + 1)
    answers = mass(venue, *[(r.MASS_CANCEL, 1)] * 4, (r.MASS_CANCEL, 2))
    cancel = (r.MASS_CANCEL_REPORT, 1, 0)
    refused = (r.MASS_CANCEL_REPORT, 1, WHY_BUSY)
    assert answers == [cancel, refused, cancel, cancel, (r.MASS_CANCEL_REPORT, 2, 0)]


def test_mass_statuses_leave_half_of_the_queue_to_mass_cancels() -> None:
    venue = many_sessions(crowded(SLICE_ORDERS + 1))
    statuses = [(r.MASS_STATUS, session) for session in range(3, 14)]
    cancels = [(r.MASS_CANCEL, session) for session in range(14, 23)]
    answers = mass(venue, *statuses, *cancels)
    busy = [one for one in answers if one[2] == WHY_BUSY]
    # One at work and eight that wait; then eight cancels find a place, and the ninth none.
    assert busy == [
        (r.STATUS_REPORT, 12, WHY_BUSY),
        (r.STATUS_REPORT, 13, WHY_BUSY),
        (r.MASS_CANCEL_REPORT, 22, WHY_BUSY),
    ]


def test_mass_cancels_that_wait_come_before_mass_statuses_that_wait() -> None:
    venue = many_sessions(crowded(SLICE_ORDERS + 1))
    answers = mass(
        venue,
        (r.MASS_STATUS, 3),
        (r.MASS_STATUS, 4),
        (r.MASS_CANCEL, 5),
        (r.MASS_STATUS, 6),
        (r.MASS_CANCEL, 7),
    )
    assert [session for _, session, _ in answers] == [3, 5, 7, 4, 6]


def test_the_gateways_own_cancel_finds_a_place_and_reaches_its_sessions_orders_alone() -> None:
    venue = many_sessions(crowded(SLICE_ORDERS + 1))
    venue.send(Command(r.NEW_ORDER, 3, b"own", qty=5, price=50, account=1))
    venue.run()
    first = venue.table.tail
    venue.send(Command(r.MASS_STATUS, 4, b"m", scope="7"))
    for number in range(17):
        cancel = Command(r.MASS_CANCEL, number + 5, b"q%d" % number, scope="7", account=2)
        venue.send(cancel)
    venue.send(Command(r.CANCEL_ALL, 3, scope="7", account=1, refused=WHY_DISCONNECT))
    venue.run()
    answers = [one for one in venue.reports(first) if one.session == 3]
    assert [(one.kind, one.exec_type, one.reason, one.why) for one in answers] == [
        (r.REPORT, "4", 8, WHY_DISCONNECT)
    ]
    assert len(venue.engine.live_orders(1)) == SLICE_ORDERS + 1
    # Of the clients' commands one too many came.
    assert [one.why for one in venue.reports(first)].count(WHY_BUSY) == 1


# --- sessions and rows that can't be -------------------------------------------------------------


def test_advance_and_reset_move_a_sessions_numbers() -> None:
    venue = Venue()
    venue.put(r.ADVANCE, {r.W_NEXT_IN: 7}, session=3)
    venue.put(r.SEND, {r.W_IN_SEQ: 9, r.W_MSG_TYPE: ord("0")}, session=3)
    venue.run()
    assert (venue.engine.next_in(3), venue.engine.next_out(3)) == (10, 2)
    head = venue.engine.head_row(3)
    assert venue.table.row_words(head)[0] & 0xFF == r.SENT
    venue.put(r.RESET, {r.W_NEXT_IN: 2, r.W_NEXT_OUT: 5}, session=3)
    venue.run()
    assert (venue.engine.next_in(3), venue.engine.next_out(3)) == (2, 5)
    assert venue.engine.head_row(3) == 0


@pytest.mark.parametrize(
    ("kind", "session", "words"),
    [
        (r.NEW_ORDER, 0, {}),
        (r.NEW_ORDER, 2**31 - 1, {}),
        (r.SEND, 17, {}),
        (r.INSTRUMENT, 0, {r.W_SUBJECT: 99}),
        (r.INSTRUMENT, 0, {r.W_SUBJECT: 1, r.W_PRICE_MAX: 2**40, r.W_QTY_MAX: 2**22}),
        (r.INSTRUMENT, 0, {r.W_SUBJECT: 1, r.W_PRICE_MAX: 2**61, r.W_QTY_MAX: 1}),
        (r.INSTRUMENT, 0, {r.W_SUBJECT: 1, r.W_PRICE_MAX: 0, r.W_QTY_MAX: 1}),
        (r.ACCOUNT, 0, {r.W_SUBJECT: 9, r.W_STP: 1}),
        (r.ACCOUNT, 0, {r.W_SUBJECT: 1, r.W_STP: 5}),
        (r.SESSION, 0, {r.W_SUBJECT: -1}),
    ],
)
def test_a_row_that_cannot_be_is_counted_and_changes_nothing(
    kind: int, session: int, words: dict[int, int]
) -> None:
    venue = Venue()
    venue.run()
    before = venue.engine.state_hash()
    venue.put(kind, {word: signed(value) for word, value in words.items()}, session=session)
    tail = venue.table.tail
    venue.run()
    assert venue.engine.rows_ignored == 1
    assert venue.table.tail == tail
    assert venue.engine.state_hash() == before


@pytest.mark.parametrize("far", [-5, 0, 1, 100, 1 << 62])
def test_a_run_goes_on_at_the_row_that_a_closed_segment_names(far: int) -> None:
    """What lies between is empty, and there may be a million of it. Never back, never too far."""
    venue = Venue()
    venue.run()
    venue.put(r.ROLL, {r.W_NEXT_ROW: venue.table.tail + far})
    for _ in range(99):
        venue.put(r.EMPTY, {})
    assert venue.table.tail < venue.table.batch_limit
    venue.run()
    assert venue.engine.cursor == venue.table.tail
    assert venue.engine.rows_ignored == (99 if far < 2 else 0)
