"""FIX text in, FIX messages out, with scanner, translation, engine and encoders in between.

The rows of memory stand for the journal; each `send` is one batch. What comes out is taken apart
by simplefix, never by our own scanner.
"""

from __future__ import annotations

from array import array
from pathlib import Path

import simplefix

import portcullis.dictionaries
from portcullis.codecs.fix.layout import M_REJECT_REASON, M_REJECT_TAG, M_STATUS, MSG_OK, MSG_WORDS
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tables import compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary
from portcullis.engine.layout import RUN_DONE
from portcullis.engine.matcher import Engine
from portcullis.gateway.catalog import Catalog
from portcullis.gateway.fix_door import FixDoor
from portcullis.gateway.fix_orders import FixOrders
from portcullis.gateway.fix_reports import FixReports
from portcullis.journal import rows as r
from portcullis.journal.table import RowTable

FIX44 = Path(portcullis.dictionaries.__file__).parent / "FIX44.xml"
TABLES = compile_tables(load_dictionary(FIX44))
START_NS = 1_795_219_200_000_000_000  # 2026-11-21 00:00:00 UTC
NO_BUDGET = 1 << 40

Fields = list[tuple[int, str]]


def parse(octets: bytes) -> list[Fields]:
    """Messages as lists of (tag, value), by simplefix; bytes that are no message fail."""
    parser = simplefix.FixParser()
    parser.append_buffer(octets)
    messages = []
    size = 0
    while (message := parser.get_message()) is not None:
        raw = message.encode(raw=True)
        size += len(raw)
        framed = simplefix.FixMessage()
        for tag, value in message.pairs:
            if tag not in (b"8", b"9", b"10"):
                framed.append_pair(tag, value)
            elif tag == b"8":
                framed.append_pair(8, value)
        assert framed.encode() == raw, "BodyLength or CheckSum is not what simplefix makes of it"
        messages.append([(int(tag), value.decode("latin-1")) for tag, value in message.pairs])
    assert size == len(octets), "bytes that are no whole message"
    return messages


def body(fields: Fields) -> str:
    """The fields behind the header, as text; header fields are known by their tags."""
    header = (8, 9, 35, 34, 43, 49, 52, 56, 97, 122, 115, 116, 128, 129, 144, 145, 369, 10)
    return "|".join(f"{tag}={value}" for tag, value in fields if tag not in header)


class FixDesk:
    """Sessions 1 and 2 (accounts ACME and BETA, both may name SHARED), BTC-USD and SHRT-USD."""

    def __init__(self, **door: object) -> None:
        self.table = RowTable(bytearray(r.ROW_BYTES * 40_000))
        self.table.time_ns = START_NS
        self.catalog = Catalog()
        self.engine = Engine(
            self.table,
            order_capacity=256,
            id_capacity=1024,
            level_capacity=256,
            session_capacity=4,
            instrument_capacity=4,
            account_capacity=4,
        )
        self.buffer = bytearray(1 << 20)
        self.scanner = FixScanner(TABLES, self.buffer)
        self.orders = FixOrders(self.table, self.catalog)
        self.reports = FixReports(self.table, self.catalog)
        self.doors = {
            number: FixDoor(
                number,
                comp_id=b"PORTCULLIS",
                client=b"CLIENT%d" % number,
                default_account=number,
                accounts=(3,),
                **door,
            )
            for number in (1, 2)
        }
        self.next_in = {1: 1, 2: 1}
        self.sent: dict[int, list[int]] = {1: [], 2: []}
        self._configure()

    def _configure(self) -> None:
        key = {r.W_KEY: 1, r.W_KEY + 1: 2, r.W_KEY + 2: 1}
        rows = [self.table.append_input(r.GENESIS, words=key)]
        for number, symbol, flags in (
            (1, b"BTC-USD", 0),
            (2, b"SHRT-USD", r.INSTRUMENT_SHORT_MARKING),
        ):
            words = {
                r.W_SUBJECT: number,
                r.W_DECIMALS: 2 | 4 << 8 | flags << 16,
                r.W_TICK: 5,
                r.W_LOT: 10,
                r.W_PRICE_MAX: 10**9,
                r.W_QTY_MAX: 10**9,
            }
            items = {r.ITEM_NAME: symbol}
            rows.append(self.table.append_input(r.INSTRUMENT, words=words, items=items))
        for number, name in ((1, b"ACME"), (2, b"BETA"), (3, b"SHARED"), (4, b"OTHER")):
            mode = r.STP_DECREMENT if name == b"SHARED" else r.STP_CANCEL_NEWEST
            words = {r.W_SUBJECT: number, r.W_STP: mode}
            items = {r.ITEM_NAME: name}
            rows.append(self.table.append_input(r.ACCOUNT, words=words, items=items))
        for number in (1, 2):
            words = {r.W_SUBJECT: number, r.W_ACCOUNT: number, r.W_SESSION_FLAGS: r.SESSION_FIX}
            items = {r.ITEM_NAME: b"CLIENT%d" % number}
            rows.append(self.table.append_input(r.SESSION, words=words, items=items))
        for row in rows:
            self.catalog.apply(self.table, row)
        self.run()

    def wire(self, text: str, session: int = 1, head: str = "") -> bytes:
        """Message bytes of "D|11=a|...": the header is added, with the next number."""
        msg_type, _, rest = text.partition("|")
        message = simplefix.FixMessage()
        message.append_pair(8, "FIX.4.4")
        pairs = [f"35={msg_type}", f"34={self.next_in[session]}", f"49=CLIENT{session}"]
        pairs += ["52=20261121-00:00:00.000", "56=PORTCULLIS"]
        for pair in [*pairs, *head.strip("|").split("|"), *rest.strip("|").split("|")]:
            if pair:
                tag, _, value = pair.partition("=")
                message.append_pair(int(tag), value.encode("latin-1"))
        self.next_in[session] += 1
        return message.encode()

    def scan(self, octets: bytes) -> int:
        """Put bytes into the scanner; all must be valid messages."""
        self.buffer[: len(octets)] = octets
        count = self.scanner.scan(0, len(octets))
        for index in range(count):
            at = index * MSG_WORDS
            words = [self.scanner.message[at + w] for w in (M_STATUS, M_REJECT_REASON)]
            assert words == [MSG_OK, -1], (octets, words, self.scanner.message[at + M_REJECT_TAG])
        return count

    def send(self, *texts: str, session: int = 1, head: str = "") -> list[Fields]:
        """Send messages in one batch; give what `session` is sent for them."""
        octets = b"".join(self.wire(text, session, head) for text in texts)
        count = self.scan(octets)
        assert self.orders.translate(self.scanner, 0, count, self.doors[session]) == count
        before = len(self.sent[session])
        self.run()
        return parse(self.encode(session, self.sent[session][before:]))

    def run(self) -> None:
        """Run the engine until nothing is left, a batch each time; note each session's rows."""
        first = self.table.tail
        while True:
            done = self.engine.run() == RUN_DONE
            self.table.open_batch()
            if done:
                break
        row = first
        while row < self.table.tail:
            words = self.table.row_words(row)
            if r.FIRST_OUTPUT <= words[r.W_HEAD] & 0xFF < r.TEXT and words[r.W_OUT_SEQ]:
                self.sent[words[r.W_HEAD] >> 32].append(row)
            row += 1

    def encode(self, session: int, rows: list[int]) -> bytes:
        """First sendings of rows."""
        self.reports.rows[: len(rows)] = memoryview(array("q", rows))
        done = self.reports.encode(self.doors[session], 0, len(rows), NO_BUDGET)
        assert done == len(rows)
        return self.reports.take()

    def resend(self, session: int, rows: list[int], next_seq: int, now_ns: int) -> bytes:
        """Resends of rows."""
        self.reports.rows[: len(rows)] = memoryview(array("q", rows))
        done = self.reports.resend(self.doors[session], 0, len(rows), next_seq, now_ns, NO_BUDGET)
        assert done == len(rows)
        return self.reports.take()
