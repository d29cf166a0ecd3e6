"""Rows to FIX: each kind of message by a reading of its own; resends against the first."""

from __future__ import annotations

import random

import pytest

from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.gateway.fix_reports import FixReports
from portcullis.journal import rows as r
from tests.gateway.test_order_terms import FIELDS
from tests.support.fix_desk import FIX44, NO_BUDGET, START_NS, Fields, FixDesk, body, parse

TIME = "60=20261121-00:00:00.123"
ORDER = f"D|11=a|54=1|55=BTC-USD|38=1.5|40=2|44=50000.05|{TIME}"
SELL = ORDER.replace("11=a", "11=s").replace("54=1", "54=2")


def group_aside(fields: Fields) -> list[int]:
    """Body tags, of the party group only the counter."""
    members = {448, 447, 452, 802, 523, 803}
    header = {8, 9, 35, 34, 43, 49, 52, 56, 97, 122, 10}
    return [tag for tag, _ in fields if tag not in members and tag not in header]


def test_a_new_order_is_reported_in_full() -> None:
    (report,) = FixDesk().send(ORDER + "|21=1|15=USD|58=mine|453=1|448=F|447=D|452=1|526=two")
    assert report[:2] == [(8, "FIX.4.4"), (9, report[1][1])]
    assert [tag for tag, _ in report[2:7]] == [35, 34, 49, 52, 56]
    assert dict(report)[52] == "20261121-00:00:00.000"
    order, own = 18, 20
    assert body(report) == (
        f"1=ACME|6=0|11=a|14=0|15=USD|17={own}|21=1|37={order}|38=1.5|39=0|40=2|44=50000.05|54=1|"
        f"55=BTC-USD|58=mine|59=0|{TIME}|150=0|151=1.5|453=1|448=F|447=D|452=1|526=two"
    )


def test_a_trade_is_reported_to_both_sides_with_one_match_number() -> None:
    desk = FixDesk()
    desk.send(ORDER)
    new, fill = desk.send(SELL.replace("38=1.5", "38=0.5").replace("50000.05", "49999"), session=2)
    (passive,) = parse(desk.encode(1, desk.sent[1][-1:]))
    assert dict(new)[150] == "0"
    match = dict(fill)[17]
    assert body(fill) == (
        f"1=BETA|6=50000.05|11=s|14=0.5|17={match}|31=50000.05|32=0.5|37={dict(new)[37]}|38=0.5|"
        f"39=2|40=2|44=49999|54=2|55=BTC-USD|59=0|{TIME}|150=F|151=0|527={match}|851=2"
    )
    assert body(passive) == (
        f"1=ACME|6=50000.05|11=a|14=0.5|17={int(match) + 1}|31=50000.05|32=0.5|37=18|38=1.5|"
        f"39=1|40=2|44=50000.05|54=1|55=BTC-USD|59=0|{TIME}|150=F|151=1|527={match}|851=1"
    )


def test_an_average_price_is_rounded_half_up_and_canonical() -> None:
    desk = FixDesk()
    for cl_ord_id, price in (("a", "100"), ("b", "100.05"), ("c", "100.05")):
        desk.send(ORDER.replace("11=a", f"11={cl_ord_id}").replace("50000.05", price))
    reports = desk.send(SELL.replace("38=1.5", "38=4.5").replace("50000.05", "99"), session=2)
    # 100.05 twice, then (200.1 + 100) / 3 = 100.0333..., six digits.
    assert [dict(m)[6] for m in reports] == ["0", "100.05", "100.05", "100.033333"]


def test_a_market_order_has_no_price_and_its_rest_is_cancelled() -> None:
    new, end = FixDesk().send(ORDER.replace("40=2|44=50000.05", "40=1"))
    assert 44 not in dict(new)
    assert (dict(end)[150], dict(end)[39], dict(end)[58]) == ("4", "4", "Rest of a market order")


def test_a_replacement_names_both_ids_and_the_new_terms() -> None:
    desk = FixDesk()
    desk.send(ORDER + "|526=one")
    replace = ORDER.replace("D|11=a", "G|11=b|41=a").replace("38=1.5", "38=2.001") + "|526=two"
    (report,) = desk.send(replace)
    assert body(report) == (
        "1=ACME|6=0|11=b|14=0|17=23|37=18|38=2.001|39=0|40=2|41=a|44=50000.05|54=1|55=BTC-USD|"
        f"59=0|{TIME}|150=5|151=2.001|526=two"
    )


def test_an_unknown_order_is_rejected_without_an_order_id() -> None:
    (report,) = FixDesk().send(f"F|11=c|41=zz|54=1|55=BTC-USD|{TIME}")
    assert body(report) == "11=c|37=NONE|39=8|41=zz|58=Unknown order|102=1|434=1"


def test_a_status_answer_carries_the_request_id() -> None:
    desk = FixDesk()
    desk.send(ORDER + "|583=link")
    (known,) = desk.send("H|11=a|54=1|55=BTC-USD|790=req")
    (unknown,) = desk.send("H|11=q|54=2|55=BTC-USD|790=req")
    assert body(known).endswith("150=I|151=1.5|583=link|790=req")
    assert dict(unknown)[39] == "8" and dict(unknown)[103] == "5" and dict(unknown)[54] == "2"
    assert body(unknown).endswith("150=I|151=0|790=req")


def test_a_duplicate_gets_the_state_of_the_order_that_has_the_id() -> None:
    desk = FixDesk()
    (first,) = desk.send(ORDER)
    (again,) = desk.send(ORDER.replace("38=1.5", "38=7"))
    fields = dict(again)
    assert (fields[150], fields[103], fields[39]) == ("8", "6", "0")
    assert (fields[37], fields[151], fields[38]) == (dict(first)[37], "1.5", "7")
    assert fields[58] == "Duplicate ClOrdID(11)"


def every_kind() -> FixDesk:
    """A desk that has sent session 1 every kind of message, admin runs between."""
    desk = FixDesk(timestamp_digits=6)

    def sent(msg_type: str, text: bytes, header: bytes = b"", **words: int) -> None:
        items = {r.ITEM_BODY: text} | ({r.ITEM_HEADER: header} if header else {})
        packed = int.from_bytes(msg_type.encode(), "little")
        desk.table.append_input(
            r.SEND,
            1,
            flags=words.pop("flags", 0),
            words={r.W_MSG_TYPE: packed, r.W_REISSUE: words.pop("reissue", 0)},
            items=items,
        )
        desk.run()

    def step() -> None:
        desk.table.time_ns += 1_234_567_891

    sent("A", b"98=0\x01108=30\x01")
    party = "|21=1|15=USD|58=mine|453=2|448=F|447=D|452=1|802=1|523=x|803=1|448=G|447=D|452=3"
    desk.send(ORDER.replace("11=a", "11=" + "l" * 30) + party + "|526=two|581=1|583=z")
    step()
    sent("0", b"")
    sent("0", b"112=ping\x01")
    desk.send(ORDER, ORDER.replace("38=1.5", "38=0"), ORDER + "|18=1", ORDER)
    step()
    desk.send(SELL.replace("38=1.5", "38=1"), session=2)
    desk.send(ORDER.replace("D|11=a", "G|11=b|41=" + "l" * 30))
    sent("3", b"45=1\x01")
    desk.send("H|11=b|54=1|55=BTC-USD", "H|11=no|54=1|55=BTC-USD|790=q", "AF|584=s|585=7")
    step()
    desk.send(f"F|11=c|41=nothing|54=1|55=BTC-USD|{TIME}", f"q|11=m|530=7|{TIME}")
    desk.send(f"q|11=n|530=6|336=x|{TIME}", "AF|584=s|585=7")
    sent("j", b"45=3\x0158=no\x01372=B\x01380=3\x01", b"115=X\x01129=Y\x01", flags=r.F_POSS_RESEND)
    sent("8", b"", reissue=desk.sent[1][1])
    sent("5", b"58=bye\x01")
    return desk


def test_a_resend_is_the_first_sending_but_for_what_resends_change() -> None:
    desk = every_kind()
    rows = desk.sent[1]
    first = {dict(m)[34]: m for m in parse(desk.encode(1, rows))}
    assert list(first) == [str(n + 1) for n in range(len(rows))]
    now = desk.table.time_ns + 60_000_000_000
    again = parse(desk.resend(1, rows, 1, now))
    assert {dict(m)[35] for m in first.values()} == set("80A359rj")
    changed = {9, 10, 43, 52, 122}
    expected = 1
    for message in again:
        fields = dict(message)
        assert fields[43] == "Y" and fields[52].startswith("20261121-00:01:0")
        assert int(fields[34]) == expected
        if fields[35] == "4":
            assert fields[123] == "Y"
            assert all(dict(first[str(n)])[35] in "0A35" for n in range(expected, int(fields[36])))
            expected = int(fields[36])
            continue
        original = first[fields[34]]
        assert fields[122] == dict(original)[52]
        assert [f for f in message if f[0] not in changed] == [
            f for f in original if f[0] not in changed
        ]
        expected += 1
    assert expected == len(rows) + 1


def test_any_part_of_the_numbers_is_resent_alike(seed: int) -> None:
    desk = every_kind()
    rows = desk.sent[1]
    now = desk.table.time_ns
    whole = {dict(m)[34]: m for m in parse(desk.resend(1, rows, 1, now)) if dict(m)[35] != "4"}
    chance = random.Random(seed)
    for _ in range(30):
        begin = chance.randrange(len(rows))
        end = chance.randrange(begin, len(rows)) + 1
        part = parse(desk.resend(1, rows[begin:end], begin + 1, now))
        expected = begin + 1
        for message in part:
            fields = dict(message)
            assert int(fields[34]) == expected
            expected = int(fields[36]) if fields[35] == "4" else expected + 1
            if fields[35] != "4":
                assert message == whole[fields[34]]
        assert expected == end + 1 == desk.reports.next_seq


def test_fields_of_every_report_are_defined_and_ascending() -> None:
    desk = every_kind()
    dictionary = load_dictionary(FIX44)
    for message in parse(desk.encode(1, desk.sent[1])):
        if dict(message)[35] == "8":
            tags = group_aside(message)
            assert tags == sorted(tags) and len(tags) == len(set(tags))
            assert set(tags) <= set(FIELDS["8"])
            required = {m.field.tag for m in dictionary.messages[b"8"].members if m.required}
            assert required <= set(tags)


def test_a_hole_in_the_numbers_is_gap_filled() -> None:
    desk = FixDesk()
    desk.send(ORDER)
    messages = parse(desk.resend(1, desk.sent[1], -4, START_NS))
    assert [dict(m)[35] for m in messages] == ["4", "8"]
    assert (dict(messages[0])[34], dict(messages[0])[36]) == ("-4", "1")
    desk.reports.fill(desk.doors[1], 2, 1002, START_NS)
    (tail,) = parse(desk.reports.take())
    assert body(tail) == "36=1002|123=Y"
    assert dict(tail)[122] == dict(tail)[52]


def test_a_budget_stops_the_cursor_and_it_goes_on_there() -> None:
    desk = every_kind()
    rows = desk.sent[1]
    whole = desk.encode(1, rows)
    for index, row in enumerate(rows):
        desk.reports.rows[index] = row
    pieces = []
    position = 0
    while position < len(rows):
        before = position
        position = desk.reports.encode(desk.doors[1], position, len(rows) - position, 400)
        assert position > before
        pieces.append(desk.reports.take())
    assert b"".join(pieces) == whole
    assert len(pieces) > 3
    position = desk.reports.resend(desk.doors[1], 0, len(rows), 1, START_NS, 400)
    assert 0 < position < len(rows)
    assert desk.reports.next_seq == position + 1


def test_how_far_we_are_stands_in_each_header_where_it_is_agreed_on() -> None:
    desk = FixDesk(says_processed=True)
    desk.doors[1].last_processed = 41
    desk.send(ORDER)
    items = {r.ITEM_HEADER: b"128=DESK\x01", r.ITEM_BODY: b"58=no\x01"}
    desk.table.append_input(r.SEND, 1, words={r.W_MSG_TYPE: ord("3")}, items=items)
    desk.run()
    first = parse(desk.encode(1, desk.sent[1]))
    assert [[tag for tag, _ in message][7:10] for message in first] == [
        [369, 1, 6],
        [128, 369, 58],
    ]
    desk.doors[1].last_processed = 42
    again = parse(desk.resend(1, desk.sent[1], 1, START_NS))
    assert [dict(message)[369] for message in first + again] == ["41", "41", "42", "42"]
    assert [tag for tag, _ in again[1]][3:11] == [34, 43, 49, 52, 56, 122, 369, 36]


def test_a_resend_after_the_clock_was_set_back_was_not_first_sent_later() -> None:
    desk = every_kind()
    for message in parse(desk.resend(1, desk.sent[1], 1, START_NS - 60_000_000_000)):
        assert dict(message)[52] == dict(message)[122] == "20261120-23:59:00.000000"


@pytest.mark.parametrize(("again", "types"), [(False, "4"), (True, "34")])
def test_rejects_are_sent_again_where_it_is_agreed_on(again: bool, types: str) -> None:
    desk = FixDesk(resends_rejects=again)
    for msg_type in "30":
        words = {r.W_MSG_TYPE: ord(msg_type)}
        desk.table.append_input(r.SEND, 1, words=words, items={r.ITEM_BODY: b"58=x\x01"})
    desk.run()
    messages = parse(desk.resend(1, desk.sent[1], 1, START_NS))
    assert "".join(dict(message)[35] for message in messages) == types


@pytest.mark.parametrize("digits", [0, 3, 6, 9])
def test_times_have_as_many_digits_as_the_session_asks(digits: int) -> None:
    desk = FixDesk(timestamp_digits=digits)
    desk.table.time_ns = START_NS + 86_399_123_456_789
    (report,) = desk.send(ORDER)
    fraction = "." + "123456789"[:digits] if digits else ""
    assert dict(report)[52] == "20261121-23:59:59" + fraction


@pytest.mark.parametrize("size", [1, 600, 5000, 60_000])
def test_a_body_of_any_length_is_framed(size: int) -> None:
    desk = FixDesk()
    items = {r.ITEM_BODY: b"58=" + b"x" * size + b"\x01"}
    desk.table.append_input(r.SEND, 1, words={r.W_MSG_TYPE: ord("5")}, items=items)
    desk.run()
    (message,) = parse(desk.encode(1, desk.sent[1]))
    assert dict(message)[58] == "x" * size


def test_the_buffer_grows_with_what_is_to_be_sent() -> None:
    desk = FixDesk()
    small = FixReports(desk.table, desk.catalog, byte_capacity=256)
    desk.send(ORDER + "|58=" + "x" * 4000)
    rows = desk.sent[1] * 40
    for index, row in enumerate(rows):
        small.rows[index] = row
    assert small.encode(desk.doors[1], 0, len(rows), NO_BUDGET) == len(rows)
    assert len(parse(small.take())) == 40


def amended(desk: FixDesk, kind: int, fill: Fields, new: dict[int, int] | None = None) -> Fields:
    """Bust or correct a fill of session 1's order `a` by an operator's row; give the report."""
    row = int(dict(fill)[17])
    words = desk.table.row_words(row)
    order = int(dict(fill)[37])
    desk.table.append_input(
        kind,
        1,
        words={
            r.W_ID: int.from_bytes(b"a", "little"),
            r.W_FILL_ROW: row,
            r.W_FILL_QTY: words[r.W_LAST_QTY],
            r.W_FILL_PRICE: words[r.W_LAST_PX],
            r.W_TERMS: desk.table.row_words(order)[r.W_TERMS],
            r.W_REF: desk.table.row_words(order)[r.W_REF],
        }
        | (new or {}),
    )
    before = len(desk.sent[1])
    desk.run()
    (report,) = parse(desk.encode(1, desk.sent[1][before:]))
    return report


def half_filled() -> tuple[FixDesk, Fields]:
    """A desk where 0.5 of order `a` for 1.5 has traded, and the report of that fill."""
    desk = FixDesk()
    desk.send(ORDER)
    desk.send(SELL.replace("38=1.5", "38=0.5"), session=2)
    (fill,) = parse(desk.encode(1, desk.sent[1][-1:]))
    return desk, fill


def test_a_bust_names_its_fill_and_takes_the_quantity_out_of_the_order() -> None:
    desk, fill = half_filled()
    fields = dict(amended(desk, r.BUST, fill))
    assert (fields[150], fields[19], fields[37]) == ("H", dict(fill)[17], dict(fill)[37])
    assert (fields[14], fields[151], fields[6], fields[11]) == ("0", "1", "0", "a")
    assert 41 not in fields and 31 not in fields and 527 not in fields


def test_a_correction_names_its_fill_and_tells_it_anew() -> None:
    desk, fill = half_filled()
    new = {r.W_NEW_QTY: 4000, r.W_NEW_PRICE: 4_000_005}
    fields = dict(amended(desk, r.CORRECT, fill, new))
    assert (fields[150], fields[19], fields[37]) == ("G", dict(fill)[17], dict(fill)[37])
    assert (fields[31], fields[32]) == ("40000.05", "0.4")
    assert (fields[14], fields[151], fields[6], fields[39]) == ("0.4", "1", "40000.05", "1")


def test_an_order_decremented_against_its_own_account_is_restated() -> None:
    desk = FixDesk()
    words = {r.W_SUBJECT: 1, r.W_STP: r.STP_DECREMENT}
    desk.table.append_input(r.ACCOUNT, words=words, items={r.ITEM_NAME: b"ACME"})
    desk.run()
    desk.send(ORDER)
    reports = [dict(m) for m in desk.send(SELL.replace("38=1.5", "38=0.5"))]
    assert [(m[150], m[11]) for m in reports] == [("0", "s"), ("4", "s"), ("D", "a")]
    restated = reports[2]
    assert (restated[378], restated[38], restated[151], restated[14]) == ("5", "1", "1", "0")
    assert restated[58] == "Self-trade prevention" and 41 not in restated


def test_a_session_that_manages_accounts_cancels_by_order_id_for_another() -> None:
    desk = FixDesk(manages_account=True)
    (new,) = desk.send(ORDER + "|1=SHARED")
    cancel = f"F|11=c|41=a|37={dict(new)[37]}|54=1|55=BTC-USD|{TIME}"
    before = len(desk.sent[1])
    (answer,) = desk.send(cancel, session=2)
    (told,) = parse(desk.encode(1, desk.sent[1][before:]))
    fields = dict(answer)
    assert (fields[150], fields[11], fields[41], fields[37]) == ("4", "c", "a", dict(new)[37])
    # The owner learns of it by the name that the order has there.
    assert (dict(told)[150], dict(told)[11], dict(told)[37]) == ("4", "a", dict(new)[37])
    assert 41 not in dict(told) and dict(told)[17] != fields[17]


@pytest.mark.parametrize(
    ("manages", "account", "named"),
    [(False, "SHARED", True), (True, "ACME", True), (True, "SHARED", False)],
)
def test_no_other_session_reaches_an_order(manages: bool, account: str, named: bool) -> None:
    desk = FixDesk(manages_account=manages)
    (new,) = desk.send(f"{ORDER}|1={account}")
    order_id = f"37={dict(new)[37]}|" if named else ""
    before = len(desk.sent[1])
    (answer,) = desk.send(f"F|11=c|41=a|{order_id}54=1|55=BTC-USD|{TIME}", session=2)
    assert (dict(answer)[35], dict(answer)[102]) == ("9", "1")
    assert desk.sent[1][before:] == []
