"""Rows to SBE: a decoder made of the schema alone reads what FIX's report of the row says."""

from __future__ import annotations

import datetime as dt
import random
from array import array
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portcullis.gateway.report_messages import REPORT_BYTES, ReportMessages
from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows as r
from tests.support.fix_desk import START_NS, FixDesk, parse
from tests.support.journals import open_journal
from tests.support.sbe_decoder import decode
from tests.support.streams import put_stream

TIME = "60=20261121-00:00:00.123"
ORDER = f"D|11=a|54=1|55=BTC-USD|38=1.5|40=2|44=50000.05|{TIME}"
SELL = ORDER.replace("11=a", "11=s").replace("54=1", "54=2")
FINE_TIME = "60=20261121-00:00:00.123456789012"
LEAP_TIME = "60=20261121-23:59:60"
PARTIES = "453=2|448=BROKER|447=D|452=1|448=FUND|447=D|452=3|802=1|523=desk|803=2"
CARRIED = [
    "15=USD",
    "58=a text",
    PARTIES,
    "528=A",
    "583=link",
    "854=0",
    "376=58=x",
    "22=8|48=BTC-USD",
]
LONG_ID = "thirty-six-characters-of-a-client-id"
DAY = 2026112101

# By field of the schema: tag and, where the wire value has a name, wire value by name.
CODES = {
    "execType": (150, dict(New="0", Canceled="4", Replaced="5", Rejected="8", Expired="C",
                           Restated="D", Trade="F", TradeCorrect="G", TradeCancel="H")),
    "ordStatus": (39, dict(New="0", PartiallyFilled="1", Filled="2", Canceled="4", Rejected="8",
                           Expired="C")),
    "side": (54, dict(Buy="1", Sell="2", SellShort="5", SellShortExempt="6", Undisclosed="7")),
    "ordType": (40, dict(Market="1", Limit="2")),
    "timeInForce": (59, dict(Day="0", GoodTillCancel="1", ImmediateOrCancel="3", FillOrKill="4")),
    "handlInst": (21, dict(AutomatedPrivate="1", AutomatedPublic="2", Manual="3")),
    "lastLiquidityInd": (851, dict(Added="1", Removed="2")),
}  # fmt: skip
TEXTS = {"clOrdId": 11, "origClOrdId": 41, "symbol": 55, "account": 1}
NUMBERS = {"orderId": 37, "execId": 17, "matchNumber": 527, "execRefId": 19}
REASONS = {"ordRejReason": 103, "execRestatementReason": 378}
PRICES = {"price": 44, "lastPx": 31}
HEADER = (8, 9, 35, 34, 49, 52, 56, 10)
QUANTITIES = {"orderQty": 38, "lastQty": 32, "leavesQty": 151, "cumQty": 14}


def desk_with_stream(content: int = r.STREAM_REPORTS, accounts: tuple[int, ...] = ()) -> FixDesk:
    desk = FixDesk()
    desk.stream = ReportStream(desk.table, 1, b"reports", next_row=desk.table.tail)
    desk.messages = ReportMessages(desk.table, desk.catalog)
    put_stream(desk.table, 1, content, DAY, accounts)
    desk.run()
    return desk


def published(desk: FixDesk) -> list[tuple[int, bytes]]:
    """Each row that has become a message since, and the message."""
    found = []
    stream, messages = desk.stream, desk.messages
    while stream.next_row < desk.table.tail:
        count = stream.select(desk.table.tail)
        rows = list(stream.rows[:count])
        octets = messages.encode(stream.content, stream.rows, 0, count)
        found += zip(rows, octets, strict=True)
        stream.pass_to(stream.reached, count)
    return found


def fields_said(values: dict[str, Any], *, echoed: bool) -> dict[int, list[str]]:
    """What a message says, as the fields of a FIX report would.

    echoed: translation refused the order, so its terms are said as they came, not from the block.
    """
    said: dict[int, list[str]] = {}
    for pair in (values["carried"] or "").split("\x01")[:-1]:
        tag, _, value = pair.partition("=")
        said.setdefault(int(tag), []).append(value)
    block: dict[int, Any] = {58: values["text"]}
    block |= {tag: wire.get(values[field]) for field, (tag, wire) in CODES.items()}
    block |= {tag: values[field] for field, tag in (TEXTS | NUMBERS | REASONS).items()}
    for fields, places in ((PRICES, "priceDecimals"), (QUANTITIES, "qtyDecimals")):
        block |= {tag: decimal(values[field], values[places]) for field, tag in fields.items()}
    block[6] = decimal(values["avgPx"], values["avgPxDecimals"])
    block[37] = block[37] or "NONE"
    if echoed:
        assert values["execType"] == "Rejected"
        block = {tag: block[tag] for tag in (6, 11, 14, 17, 37, 39, 58, 103, 150, 151)}
    for tag, value in block.items():
        # A ClOrdID that is too long stands whole among what is carried.
        if value is not None and tag not in said:
            said[tag] = [str(value)]
    return said


def decimal(value: int | None, places: int) -> str | None:
    return None if value is None else f"{Decimal(value).scaleb(-places).normalize():f}"


def assert_says_the_same(desk: FixDesk, row: int, octets: bytes) -> dict[str, Any]:
    """All fields of a message against all of the body of the same row's FIX report."""
    name, values = decode(octets)
    assert name == "ExecutionReport"
    session = desk.table.row_words(row)[r.W_HEAD] >> 32
    report: dict[int, list[str]] = {}
    for tag, value in parse(desk.encode(session, [row]))[0]:
        report.setdefault(tag, []).append(value)
    (client,) = report[56]
    for tag in HEADER:
        report.pop(tag, None)
    cause = desk.table.row_words(desk.table.word(row, r.W_CAUSE))
    echoed = bool(cause[0] & 0xFF == r.NEW_ORDER and cause[0] >> 8 & r.F_REFUSED)
    said = fields_said(values, echoed=echoed)
    # As the client wrote it, and nanoseconds here; else among what is carried.
    time = report.pop(60, None)
    if time is not None and 60 not in said:
        assert values["transactTime"] == nanoseconds(time[0])
    elif time is not None:
        assert said.pop(60) == time
    assert said == report, values
    assert values["session"] == client
    assert values["sessionNumber"] == session
    assert values["engineTime"] == desk.table.row_words(row)[r.W_TIME]
    assert values["publishTime"] == values["engineTime"]  # nothing is sealed here
    return values


def nanoseconds(text: str) -> int:
    second, _, fraction = text.partition(".")
    since = dt.datetime.strptime(second + "+0000", "%Y%m%d-%H:%M:%S%z")
    return int(since.timestamp()) * 10**9 + int(fraction.ljust(9, "0"))


def test_every_field_of_a_new_order_is_there() -> None:
    desk = desk_with_stream()
    desk.send(ORDER.replace("11=a", f"11={LONG_ID}") + "|21=1|59=1|15=USD|58=mine")
    ((row, octets),) = published(desk)
    assert len(octets) == REPORT_BYTES + len("mine") + len("15=USD.")
    assert decode(octets) == (
        "ExecutionReport",
        {
            "engineTime": START_NS,
            "publishTime": START_NS,
            "orderId": row - 2,  # the order, a row of text
            "execId": row,
            "orderReference": row - 2,
            "matchNumber": None,
            "execRefId": None,
            "transactTime": START_NS + 123_000_000,
            "price": 5000005,
            "orderQty": 15000,
            "lastPx": None,
            "lastQty": None,
            "leavesQty": 15000,
            "cumQty": 0,
            "avgPx": 0,
            "clOrdId": LONG_ID,
            "origClOrdId": None,
            "symbol": "BTC-USD",
            "account": "ACME",
            "session": "CLIENT1",
            "sessionNumber": 1,
            "priceDecimals": 2,
            "qtyDecimals": 4,
            "avgPxDecimals": 6,
            "execType": "New",
            "ordStatus": "New",
            "side": "Buy",
            "ordType": "Limit",
            "timeInForce": "GoodTillCancel",
            "handlInst": "AutomatedPrivate",
            "lastLiquidityInd": None,
            "ordRejReason": None,
            "execRestatementReason": None,
            "why": "NoReason",
            "text": "mine",
            "carried": "15=USD\x01",
        },
    )


def random_command(rng: random.Random, number: int) -> tuple[int, str]:
    """A session's command; side, symbol and session of an order follow from its number."""
    of, cl_ord_id = number, f"C{number}"
    kind = rng.choice("DDDDDDMLGGGFFRq")
    if kind in "GFR":
        of = max(0, number - rng.randrange(12))
    session, earlier = 1 + of // 2 % 2, f"C{of}"
    where = f"54={1 + of % 2}|55={'SHRT-USD' if of % 7 == 0 else 'BTC-USD'}"
    qty, price = rng.choice(["0.5", "1", "2.001"]), rng.choice(["100", "100.05", "99.95"])
    if kind == "M":
        text = f"D|11={cl_ord_id}|{where}|38={qty}|40=1"
    elif kind == "F":
        text = f"F|11={cl_ord_id}|41={earlier}|{where}"
    elif kind == "q":
        text = f"q|11={cl_ord_id}|530=7"
    elif kind == "R":  # refused, or a duplicate of a live order or one that has ended
        bad = rng.choice([(price, "0.00001"), ("1.01", qty), (price, qty)])
        text = f"D|11={earlier}|{where}|38={bad[1]}|40=2|44={bad[0]}"
    elif kind == "G":
        text = f"G|11={cl_ord_id}|41={earlier}|{where}|38={qty}|40=2|44={price}"
    else:
        if kind == "L":
            cl_ord_id = f"{LONG_ID[:-4]}{number:04}"
        text = f"D|11={cl_ord_id}|{where}|38={qty}|40=2|44={price}|59={rng.choice('0134')}"
        text += rng.choice(["", "|1=SHARED", "|21=1", "|526=two"])
    if kind not in "Fq" and rng.random() < 0.3:
        text += "|" + "|".join(rng.sample(CARRIED, rng.randint(1, 4)))
    return session, f"{text}|{rng.choice([TIME, TIME, FINE_TIME, LEAP_TIME])}"


@pytest.mark.parametrize("seed", range(4))
def test_every_report_says_what_its_fix_message_says(seed: int) -> None:
    rng = random.Random(seed)
    desk = desk_with_stream()
    seen = set()
    for number in range(200):
        sender, text = random_command(rng, number)
        desk.send(text, session=sender)
        desk.table.time_ns += 1_000_003
        for row, octets in published(desk):
            values = assert_says_the_same(desk, row, octets)
            seen.add((values["execType"], values["ordStatus"]))
    told = [row for sent in desk.sent.values() for row in sent]
    reports = [row for row in told if desk.table.word(row, 0) & 0xFF in (64, 69)]
    assert desk.stream.next_number == 1 + len(reports)
    assert {kind for kind, _ in seen} >= {"New", "Trade", "Canceled", "Replaced", "Rejected"}


def test_a_bust_names_its_fill_and_what_the_order_is_left_with() -> None:
    desk = desk_with_stream()
    desk.send(ORDER)
    desk.send(SELL, session=2)
    (match,) = [row for row, octets in published(desk) if is_aggressor(desk, row)]
    amend(desk, match, r.BUST, {})
    told = [decode(octets)[1] for _, octets in published(desk)]
    for values, side, fill in zip(told, ("Sell", "Buy"), (match, match + 1), strict=True):
        assert (values["execType"], values["side"]) == ("TradeCancel", side)
        assert (values["execRefId"], values["matchNumber"]) == (fill, None)
        assert (values["lastPx"], values["lastQty"]) == (5000005, 15000)
        assert (values["cumQty"], values["leavesQty"], values["avgPx"]) == (0, 0, 0)
        assert (values["ordStatus"], values["why"]) == ("Canceled", "Bust")


def test_a_message_says_when_its_batch_was_sealed(tmp_path: Path) -> None:
    """From the journal's rows alone: whichever message is encoded first, and in any order."""
    journal = open_journal(tmp_path, segment_rows=4096)
    table, catalog = journal.table, FixDesk().catalog
    rows: dict[int, int] = {}  # a report: when it may leave
    dice = random.Random(1)
    for batch in range(50):
        table.time_ns = START_NS + 1000 * batch
        # Clocks that went back, and batches of one row, say the time of the row.
        now_ns = table.time_ns + dice.randint(-50, 900)
        inputs = dice.choice((0, 1, 4))
        orders = [table.append_input(r.NEW_ORDER, 1) for _ in range(inputs)]
        for _ in range(dice.randint(1, 6)):
            place = (table.tail - 1) * r.ROW_WORDS
            memoryview(table.words)[place] = r.REPORT | 1 << 32
            memoryview(table.words)[place + r.W_TIME] = table.time_ns
            memoryview(table.words)[place + r.W_CAUSE] = orders[0] if orders else 1
            memoryview(table.words)[place + r.W_STATE] = 0x3030
            rows[table.tail] = max(now_ns, table.time_ns)
            table.tail += 1
        if table.tail - table.batch_first == 1:
            rows[table.tail - 1] = table.time_ns
        journal.seal(now_ns)
    assert len({time_ns % 1000 for time_ns in rows.values()}) > 20
    messages = ReportMessages(table, catalog)
    for shuffled in (list(rows), dice.sample(list(rows), len(rows))):
        told = messages.encode(r.STREAM_REPORTS, array("q", shuffled), 0, len(shuffled))
        for row, octets in zip(shuffled, told, strict=True):
            assert decode(octets)[1]["publishTime"] == rows[row]
            assert decode(octets)[1]["engineTime"] == table.word(row, r.W_TIME)
    journal.abandon()


def test_trades_are_told_once_without_names() -> None:
    desk = desk_with_stream(r.STREAM_TRADES)
    desk.send(ORDER)
    desk.send(SELL.replace("50000.05", "50000"), session=2)
    ((match, octets),) = published(desk)
    trade = {
        "engineTime": START_NS,
        "publishTime": START_NS,
        "execId": match,
        "matchNumber": match,
        "execRefId": None,
        "lastPx": 5000005,
        "lastQty": 15000,
        "symbol": "BTC-USD",
        "priceDecimals": 2,
        "qtyDecimals": 4,
        "execType": "Trade",
        "aggressorSide": "Sell",
    }
    assert decode(octets) == ("Trade", trade)
    amend(desk, match, r.CORRECT, {r.W_NEW_QTY: 10_000, r.W_NEW_PRICE: 4999990})
    ((row, octets),) = published(desk)
    corrected = {"execId": row, "execRefId": match, "lastPx": 4999990, "lastQty": 10_000}
    assert decode(octets) == ("Trade", trade | corrected | {"execType": "TradeCorrect"})


def test_a_stream_of_named_accounts_carries_theirs_alone() -> None:
    desk = desk_with_stream(r.STREAM_ACCOUNTS, (2, 3))
    desk.send(ORDER)
    desk.send(SELL, session=2)
    desk.send(ORDER.replace("11=a", "11=b") + "|1=SHARED")
    desk.send(ORDER.replace("D|11=a", "G|11=c|41=b").replace("1.5", "2"))  # names no account
    desk.send(ORDER.replace("11=a", "11=b"))  # a duplicate, under its own account
    told = [decode(octets)[1] for _, octets in published(desk)]
    assert [(one["account"], one["execType"]) for one in told] == [
        ("BETA", "New"),
        ("BETA", "Trade"),
        ("SHARED", "New"),
        ("SHARED", "Replaced"),
    ]


def test_only_so_many_bytes_of_messages_are_given_as_are_asked_for() -> None:
    desk = desk_with_stream()
    for number in range(3):
        desk.send(ORDER.replace("11=a", f"11=a{number}") + ("|58=mine" if number else ""))
    messages = [octets for _, octets in published(desk)]
    rows = array("q", desk.stream.rows[:3])
    sizes = [REPORT_BYTES, REPORT_BYTES + 4, REPORT_BYTES + 4]
    assert [len(one) for one in messages] == sizes
    for count in range(4):
        room = sum(sizes[:count]) + 3 * count
        for bytes_max, expected in ((room, count), (room - 1, count - 1)):
            found = desk.messages.encode(r.STREAM_REPORTS, rows, 0, 3, bytes_max, 3)
            assert found == messages[: max(expected, 0)]


@pytest.mark.parametrize("row", [0, 10**9])
def test_a_row_that_is_not_there_is_named(row: int) -> None:
    desk = desk_with_stream()
    desk.send(ORDER)
    ((known, _),) = published(desk)
    with pytest.raises(IndexError, match=f"row {row}, or one that it needs"):
        desk.messages.encode(r.STREAM_REPORTS, array("q", [known, row]), 0, 2)
    with pytest.raises(IndexError, match="no rows 1 to 4 of 2"):
        desk.messages.encode(r.STREAM_REPORTS, array("q", [known, row]), 1, 3)


@pytest.mark.parametrize(
    ("order", "text", "carried"),
    [
        (ORDER.replace("11=a", f"11={LONG_ID}+"), "ClOrdID(11) is longer than 36 characters",
         f"1=ACME|11={LONG_ID}+|38=1.5|40=2|44=50000.05|54=1|55=BTC-USD|{TIME}|"),
        (ORDER + "|58=mine|110=1", "Unsupported order term: MinQty(110)",
         f"1=ACME|38=1.5|40=2|44=50000.05|54=1|55=BTC-USD|{TIME}|"),
        (ORDER.replace("BTC", "DOGE") + "|526=b", "Unknown symbol",
         f"1=ACME|38=1.5|40=2|44=50000.05|54=1|55=DOGE-USD|{TIME}|526=b|"),
        (ORDER.replace(TIME, FINE_TIME) + f"|15=USD|{PARTIES}", None,
         f"15=USD|{FINE_TIME}|{PARTIES}|"),
    ],
)  # fmt: skip
def test_what_no_field_has_room_for_is_said_as_fix_says_it(
    order: str, text: str | None, carried: str
) -> None:
    desk = desk_with_stream()
    desk.send(order)
    ((row, octets),) = published(desk)
    values = assert_says_the_same(desk, row, octets)
    assert (values["text"], values["carried"]) == (text, carried.replace("|", "\x01"))


def test_what_an_order_carries_is_on_each_of_its_messages_until_it_is_replaced() -> None:
    desk = desk_with_stream()
    desk.send(ORDER + f"|58=mine|{PARTIES}")
    desk.send(SELL.replace("38=1.5", "38=0.5"), session=2)
    desk.send(ORDER.replace("D|11=a", "G|11=b|41=a") + "|583=link")
    desk.send(f"F|11=c|41=b|54=1|55=BTC-USD|{TIME}")
    told = [assert_says_the_same(desk, row, octets) for row, octets in published(desk)]
    mine = [(one["execType"], one["text"], one["carried"]) for one in told if one["side"] == "Buy"]
    parties = PARTIES.replace("|", "\x01") + "\x01"
    assert mine == [
        ("New", "mine", parties),
        ("Trade", "mine", parties),
        ("Replaced", None, "583=link\x01"),
        ("Canceled", None, "583=link\x01"),
    ]


def is_aggressor(desk: FixDesk, row: int) -> bool:
    return bool(desk.table.word(row, r.W_HEAD) >> 8 & r.F_AGGRESSOR)


def amend(desk: FixDesk, match: int, kind: int, words: dict[int, int]) -> None:
    """Bust or correct both sides of a match, the only fill of both orders, as an operator does."""
    for row in (match, match + 1):
        fill = desk.table.row_words(row)
        order = desk.table.row_words(fill[r.W_ORDER])
        named = {word: order[word] for word in (r.W_ID, r.W_ID + 1, r.W_ID + 2, r.W_TERMS)}
        told = {
            r.W_FILL_ROW: row,
            r.W_FILL_QTY: fill[r.W_LAST_QTY],
            r.W_FILL_PRICE: fill[r.W_LAST_PX],
            r.W_FILL_SUM: fill[r.W_LAST_QTY] * fill[r.W_LAST_PX],
        }
        flags = r.F_OF_AGGRESSOR if row == match else 0
        desk.table.append_input(kind, order[0] >> 32, flags=flags, words=named | told | words)
    desk.run()
