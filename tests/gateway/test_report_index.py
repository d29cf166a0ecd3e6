"""Messages asked for again: those of one walk along the rows, from any number, of any session."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from portcullis.gateway import report_index
from portcullis.gateway.report_index import ReportIndex, StreamHistory
from portcullis.gateway.report_messages import REPORT_BYTES, TRADE_BYTES, ReportMessages
from portcullis.gateway.report_stream import ReportStream
from portcullis.journal import rows as r
from portcullis.journal.segments import list_segments, segment_path
from portcullis.journal.tail import JournalTail
from tests.support.fix_desk import FixDesk
from tests.support.journals import EchoEngine, append_batch, open_journal
from tests.support.sbe_decoder import decode
from tests.support.streams import put_stream

TIME = "60=20261121-00:00:00.123"
DAY = 2026112101


class Walk:
    """All messages of a stream in one walk from the first row, by session: what is right."""

    def __init__(self, desk: FixDesk) -> None:
        self.logs: dict[str, list[bytes]] = {}
        stream = ReportStream(desk.table, 1, b"")
        stream.load({**stream.save(), "next": (0, 1, 1)})
        messages = ReportMessages(desk.table, desk.catalog)
        while stream.next_row < desk.table.tail:
            log = self.logs.setdefault(str(stream.day), [])
            count = stream.select(desk.table.tail)
            log += messages.encode(stream.content, stream.rows, 0, count)
            stream.pass_to(stream.reached, count)
        self.logs.setdefault(str(stream.day), [])
        self.logs.pop("0", None)


def trade_at_random(
    desk: FixDesk, dice: random.Random, count: int, name: str, texts: float = 0.2
) -> None:
    for number in range(count):
        side = dice.choice("12")
        quantity, price = dice.randint(1, 5), dice.randint(99, 101)
        terms = f"54={side}|55=BTC-USD|38={quantity}|40=2|44={price}|{TIME}"
        if dice.random() < texts:
            terms += f"|58={'x' * dice.choice((1, 300, 4000))}"
        desk.send(f"D|11={name}{number}|{terms}", session=dice.choice((1, 2)))


def history_of(desk: FixDesk, kept: int = 9) -> StreamHistory:
    return StreamHistory(desk.table, desk.catalog, 1, 1, kept)


@pytest.fixture(autouse=True)
def few_rows_between_anchors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_index, "ANCHOR_ROWS", 7)


@pytest.mark.parametrize("content", [r.STREAM_REPORTS, r.STREAM_ACCOUNTS, r.STREAM_TRADES])
def test_any_number_of_any_session_is_found_whatever_was_counted_when(content: int) -> None:
    dice = random.Random(content)
    desk = FixDesk()
    history = history_of(desk)
    put_stream(desk.table, 1, content, DAY, (2,))
    desk.run()
    for part in range(6):
        trade_at_random(desk, dice, dice.randint(1, 30), f"p{part}")
        if part == 2:
            put_stream(desk.table, 1, content, DAY + 1, (2,))
            desk.run()
        if dice.random() < 0.7:
            history.count()
    history.count()
    logs = Walk(desk).logs
    assert list(history.sessions()) == [(name, len(log) + 1) for name, log in logs.items()]
    for name, log in logs.items():
        for sequence in range(1, len(log) + 1):
            count = dice.randint(1, 40)
            found = history.messages(name, sequence, count, 1 << 20)
            assert found and list(found) == log[sequence - 1 :][: len(found)]
            assert len(found) == min(count, len(log) + 1 - sequence)
        for sequence in (0, len(log) + 1, 1 << 63):
            assert not history.messages(name, sequence, 1, 1 << 20)
    assert not history.messages("2026112109", 1, 1, 1 << 20)
    assert history.session == str(DAY + 1)


def test_answers_keep_within_their_bytes_but_hold_one_message_at_least() -> None:
    desk = FixDesk()
    history = history_of(desk)
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY)
    desk.run()
    trade_at_random(desk, random.Random(1), 20, "a", texts=0)
    history.count()
    for bytes_max, count in ((0, 1), (2 * (REPORT_BYTES + 3), 2), (3 * REPORT_BYTES, 2)):
        assert len(history.messages(str(DAY), 1, 99, bytes_max)) == count
    trade_at_random(desk, random.Random(2), 60, "b", texts=0.5)
    history.count()
    (log,) = Walk(desk).logs.values()
    for sequence in range(1, len(log) + 1):
        for bytes_max in (0, 600, 1452, 9000):
            found = history.messages(str(DAY), sequence, 99, bytes_max)
            expected = log[sequence - 1 : sequence]
            for message in log[sequence : sequence + 98]:
                if sum(3 + len(one) for one in (*expected, message)) > bytes_max:
                    break
                expected.append(message)
            assert list(found) == expected


def test_another_content_within_a_session_goes_on_with_its_numbers() -> None:
    dice = random.Random(5)
    desk = FixDesk()
    history = history_of(desk)
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY)
    desk.run()
    trade_at_random(desk, dice, 20, "a")
    put_stream(desk.table, 1, r.STREAM_TRADES, DAY, flags=0)
    desk.run()
    trade_at_random(desk, dice, 20, "b")
    history.count()
    (log,) = Walk(desk).logs.values()
    assert {TRADE_BYTES, REPORT_BYTES} <= {len(one) for one in log}
    for sequence in range(1, len(log) + 1):
        assert list(history.messages(str(DAY), sequence, 99, 1 << 20)) == log[sequence - 1 :]


def test_a_session_that_began_before_the_first_row_read_is_not_offered() -> None:
    desk = FixDesk()
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY)
    desk.run()
    trade_at_random(desk, random.Random(1), 5, "a")
    row = desk.table.tail
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY, flags=0)
    desk.run()
    trade_at_random(desk, random.Random(2), 5, "b")
    history = StreamHistory(desk.table, desk.catalog, 1, row, 9)
    history.count()
    assert (history.session, list(history.sessions())) == ("", [])
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY + 1)
    desk.run()
    trade_at_random(desk, random.Random(3), 5, "c")
    history.count()
    assert list(history.messages(str(DAY + 1), 1, 99, 1 << 20)) == Walk(desk).logs[str(DAY + 1)]


def test_only_so_many_sessions_are_kept_and_the_rows_that_they_need() -> None:
    desk = FixDesk()
    history = history_of(desk, kept=2)
    desk.send(f"D|11=gtc|54=1|55=BTC-USD|38=9|40=2|44=90|59=1|{TIME}")
    begun = []
    for day in range(4):
        begun.append(put_stream(desk.table, 1, r.STREAM_REPORTS, DAY + day))
        desk.run()
        desk.send(f"D|11=d{day}|54=1|55=BTC-USD|38=1|40=2|44=80|{TIME}")
        history.count()
    assert [name for name, _end in history.sessions()] == [str(DAY + 2), str(DAY + 3)]
    assert history.floor() == begun[2]
    # A report of today about an order of long ago needs the row that brought it.
    long_ago = next(
        row for row in range(1, begun[0]) if desk.table.word(row, r.W_HEAD) & 0xFF == r.NEW_ORDER
    )
    desk.send(f"F|11=cancel|41=gtc|54=1|55=BTC-USD|{TIME}")
    history.count()
    assert history.floor() == long_ago


def test_an_index_made_anew_at_its_floor_knows_the_same_when_earlier_rows_are_gone(
    tmp_path: Path,
) -> None:
    journal = open_journal(tmp_path)
    engine = EchoEngine(journal.table)
    for day in range(4):
        put_stream(journal.table, 1, r.STREAM_REPORTS, DAY + day)
        for batch in range(40):
            append_batch(journal, engine, 1 + batch % 4)
    journal.close()

    def read(next_row: int) -> ReportIndex:
        index = ReportIndex(tmp_path, {"stream1": 2}, next_row)
        reader = JournalTail(tmp_path, next_row)
        while index.poll(reader):
            pass
        return index

    before = read(1)
    sessions = list(before.histories["stream1"].sessions())
    assert [name for name, _end in sessions] == [str(DAY + 2), str(DAY + 3)]
    headers = list_segments(tmp_path)
    assert before.next_row in [header.first_row for header in headers[1:]]
    for header in headers:
        if header.end_row <= before.next_row:
            segment_path(tmp_path, header.number).unlink()
    after = read(before.next_row)
    assert list(after.histories["stream1"].sessions()) == sessions
    assert after.next_row == before.next_row


# --- what the messages add up to ----------------------------------------------------------------


def added_up(desk: FixDesk, log: list[bytes]) -> dict[tuple[str, str], list[int]]:
    """What a listener makes of a session's messages: bought and sold by account and symbol."""
    fills: dict[int, tuple[tuple[str, str], int, int]] = {}
    found: dict[tuple[str, str], list[int]] = {}
    for octets in log:
        _name, values = decode(octets)
        key, place = (values["account"], values["symbol"]), int(values["side"] != "Buy")
        if values["execType"] == "Trade":
            fills[values["execId"]] = (key, place, values["lastQty"])
            found.setdefault(key, [0, 0])[place] += values["lastQty"]
        elif values["execType"] in ("TradeCancel", "TradeCorrect"):
            key, place, before = fills[values["execRefId"]]
            now = values["lastQty"] if values["execType"] == "TradeCorrect" else 0
            found[key][place] += now - before
    return {key: both for key, both in found.items() if any(both)}


def positions(desk: FixDesk, history: StreamHistory) -> dict[tuple[str, str], list[int]]:
    tallied = history.tally(desk.table.tail)
    assert tallied is not None
    return {
        (
            desk.catalog.accounts.name(account).decode(),
            desk.catalog.symbols.name(instrument).decode(),
        ): [bought, sold]
        for account, instrument, bought, sold in tallied[1].positions()
    }


def amend(desk: FixDesk, report_row: int, kind: int, **words: int) -> None:
    """A BUST or CORRECT of a fill, as the operator's command writes it."""
    report = desk.table.row_words(report_row)
    order = desk.table.row_words(report[r.W_ORDER])
    named = {
        r.W_ID: order[r.W_ID],
        r.W_FILL_ROW: report_row,
        r.W_FILL_QTY: report[r.W_LAST_QTY],
        r.W_FILL_PRICE: report[r.W_LAST_PX],
        r.W_NEW_QTY: words.get("qty", 0),
        r.W_NEW_PRICE: report[r.W_LAST_PX],
        r.W_FILL_SUM: report[r.W_LAST_QTY] * report[r.W_LAST_PX],
        r.W_TERMS: order[r.W_TERMS],
    }
    desk.table.append_input(kind, order[r.W_HEAD] >> 32, words=named)
    desk.run()


def test_positions_are_what_a_listener_adds_up() -> None:
    dice = random.Random(3)
    desk = FixDesk()
    history = history_of(desk)
    assert history.tally(desk.table.tail) is None
    for day in range(2):
        put_stream(desk.table, 1, r.STREAM_REPORTS, DAY + day)
        desk.run()
        for part in range(3):
            trade_at_random(desk, dice, 20, f"t{day}{part}")
            assert history.tally(desk.table.tail) is None  # not counted yet
            history.count()
            expected = added_up(desk, Walk(desk).logs[str(DAY + day)])
            assert expected and positions(desk, history) == expected
    # As of a row before, too.
    assert history.tally(history._sessions[str(DAY)].first_row + 30) is not None
    assert positions(desk, history) == expected


@pytest.mark.parametrize(("kind", "qty"), [(r.BUST, 0), (r.CORRECT, 1)])
def test_a_trade_taken_back_or_corrected_moves_the_position(kind: int, qty: int) -> None:
    desk = FixDesk()
    history = history_of(desk)
    put_stream(desk.table, 1, r.STREAM_REPORTS, DAY)
    desk.run()
    for side, session in (("2", 1), ("1", 2)):
        terms = f"54={side}|55=BTC-USD|38=3|40=2|44=100|{TIME}"
        desk.send(f"D|11=x{session}|{terms}", session=session)
    fills = [
        row
        for row in range(1, desk.table.tail)
        if desk.table.word(row, r.W_HEAD) & 0xFF == r.REPORT
        and desk.table.word(row, r.W_STATE) & 0xFF == ord("F")
    ]
    amend(desk, fills[0], kind, qty=qty)
    history.count()
    log = Walk(desk).logs[str(DAY)]
    assert decode(log[-1])[1]["execType"] in ("TradeCancel", "TradeCorrect")
    assert positions(desk, history) == added_up(desk, log)
