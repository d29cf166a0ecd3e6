"""Commands as rows, and output rows as reports: an engine over memory, driven batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

from portcullis.engine.layout import RUN_DONE
from portcullis.engine.matcher import Engine
from portcullis.journal import rows as r
from portcullis.journal.table import RowTable
from tests.engine.naive_matcher import Command, Report


def id_words(word: int, identifier: bytes) -> dict[int, int]:
    """An id of up to 24 bytes in three words from `word`."""
    padded = identifier.ljust(24, b"\0")
    return {
        word + index: int.from_bytes(padded[8 * index : 8 * index + 8], "little", signed=True)
        for index in range(3)
    }


def signed(value: int) -> int:
    """A 64-bit pattern as the table holds it."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def append(table: RowTable, command: Command) -> int:
    """Write a command as translation would; give its row, or 0 where the batch is full."""
    flags = 0
    items: dict[int, bytes] = {}
    words = {r.W_IN_SEQ: command.in_seq, r.W_QTY: command.qty}
    words[r.W_REF] = command.instrument | command.account << 32
    if len(command.cl_ord_id) <= 24:
        words |= id_words(r.W_ID, command.cl_ord_id)
    else:
        flags |= r.F_LONG_ID
        items[r.ITEM_CL_ORD_ID] = command.cl_ord_id
    if command.kind in (r.CANCEL, r.REPLACE):
        if len(command.orig) <= 24:
            words |= id_words(r.W_ORIG, command.orig)
        else:
            flags |= r.F_LONG_ORIG
            items[r.ITEM_ORIG_CL_ORD_ID] = command.orig
    if command.kind in (r.MASS_CANCEL, r.MASS_STATUS, r.CANCEL_ALL):
        words[r.W_SCOPE] = ord(command.scope) | ord(command.scope_side or "\0") << 8
    if command.kind in (r.BUST, r.CORRECT):
        fill = (r.W_FILL_ROW, r.W_FILL_QTY, r.W_FILL_PRICE, r.W_NEW_QTY, r.W_NEW_PRICE)
        words |= dict(zip((*fill, r.W_FILL_SUM), command.fill, strict=True))
    else:
        words[r.W_PRICE] = command.price
    words[r.W_TERMS] = signed(
        ord(command.side)
        | ord(command.ord_type) << 8
        | ord(command.time_in_force) << 16
        | len(command.cl_ord_id) << 32
        | len(command.orig) << 40
        | command.refused << 56
    )
    if command.order_id:
        flags |= r.F_ORDER_ID
        items[r.ITEM_ORDER_ID] = command.order_id.to_bytes(8, "little")
    if command.for_session:
        flags |= r.F_FOR_SESSION
        items[r.ITEM_FOR_SESSION] = command.for_session.to_bytes(8, "little")
    if command.refused and command.kind != r.CANCEL_ALL:
        flags |= r.F_REFUSED
    if command.poss_resend:
        flags |= r.F_POSS_RESEND
    return table.append_input(command.kind, command.session, flags=flags, words=words, items=items)


def report(table: RowTable, row: int) -> Report:
    """An output row as the oracle would give it."""
    word = table.row_words(row)
    state = word[r.W_STATE]
    return Report(
        word[0] & 0xFF,
        word[0] >> 8 & 0xFF,
        word[0] >> 32,
        word[r.W_OUT_SEQ],
        word[r.W_CAUSE],
        word[r.W_TERMS_ROW],
        word[r.W_ORDER],
        word[r.W_LAST_PX],
        word[r.W_LAST_QTY],
        word[r.W_LEAVES_QTY],
        word[r.W_CUM_QTY],
        word[r.W_AVG_PX],
        word[r.W_ORDER_QTY],
        chr(state & 0xFF),
        chr(state >> 8 & 0xFF),
        state >> 16 & 0xFF,
        state >> 24 & 0xFF,
    )


@dataclass(frozen=True)
class Batch:
    """One run: rows [first, inputs_end) came in, [inputs_end, end) went out."""

    first: int
    inputs_end: int
    end: int
    code: int


class Venue:
    """An engine over memory, with one instrument (1) and accounts 1 to 8 named by number."""

    def __init__(
        self,
        rows: int = 4096,
        *,
        batch_rows: int = 1024,
        input_rows: int = 512,
        orders: int = 1000,
        ids: int = 4000,
        levels: int = 500,
        instruments: int = 4,
        sessions: int = 16,
    ) -> None:
        self.memory = bytearray(r.ROW_BYTES * (rows + batch_rows + 1))
        self.batch_rows, self.input_rows = batch_rows, input_rows
        self.table = RowTable(self.memory, batch_rows=batch_rows, input_rows=input_rows)
        self.engine = Engine(
            self.table,
            order_capacity=orders,
            id_capacity=ids,
            level_capacity=levels,
            session_capacity=sessions,
            instrument_capacity=instruments,
            account_capacity=8,
        )
        self.batches: list[Batch] = []
        self.put(r.GENESIS, {r.W_KEY: 0x0706050403020100, r.W_KEY + 1: 0x0F0E0D0C0B0A0908})

    def put(self, kind: int, words: dict[int, int], session: int = 0) -> int:
        """Append any row, running the engine where the batch is full."""
        row = self.table.append_input(kind, session, words=words)
        if not row:
            self.run()
            row = self.table.append_input(kind, session, words=words)
        assert row
        return row

    def instrument(
        self,
        instrument: int = 1,
        *,
        price_decimals: int = 2,
        price_max: int = 10**9,
        qty_max: int = 10**9,
        flags: int = 0,
    ) -> None:
        self.put(
            r.INSTRUMENT,
            {
                r.W_SUBJECT: instrument,
                r.W_DECIMALS: price_decimals | 4 << 8 | flags << 16,
                r.W_TICK: 1,
                r.W_LOT: 1,
                r.W_PRICE_MAX: price_max,
                r.W_QTY_MAX: qty_max,
            },
        )

    def account(self, account: int, stp: int) -> None:
        self.put(r.ACCOUNT, {r.W_SUBJECT: account, r.W_STP: stp})

    def session(self, session: int, account: int, flags: int = r.SESSION_FIX) -> None:
        words = {r.W_SUBJECT: session, r.W_ACCOUNT: account, r.W_SESSION_FLAGS: flags}
        self.put(r.SESSION, words)

    def send(self, command: Command) -> int:
        """Append a command; give its row."""
        row = append(self.table, command)
        if not row:
            self.run()
            row = append(self.table, command)
        assert row
        return row

    def run_once(self) -> int:
        """One run and its seal."""
        first, inputs_end = self.table.batch_first, self.table.tail
        code = self.engine.run()
        if self.table.tail > first:
            self.batches.append(Batch(first, inputs_end, self.table.tail, code))
        self.table.open_batch(self.batch_rows, self.input_rows)
        return code

    def run(self) -> None:
        """Run until nothing is left to do."""
        while self.run_once() != RUN_DONE:
            pass

    def do(self, command: Command) -> list[Report]:
        """Send one command and give what it caused."""
        self.run()
        first = self.table.tail
        self.send(command)
        self.run()
        return self.reports(first)

    def reports(self, first: int = 1) -> list[Report]:
        """All output rows from `first` on."""
        return [
            report(self.table, row)
            for row in range(first, self.table.tail)
            if r.FIRST_OUTPUT <= self.table.row_words(row)[0] & 0xFF < r.TEXT
        ]
