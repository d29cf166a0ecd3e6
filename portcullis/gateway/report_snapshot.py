"""The state of a stream for who comes late: open orders and positions before one of its numbers.

Owns what a snapshot holds and in which order: an ExecutionReport, ExecType OrderStatus, for each
open order that the stream tells of, oldest first by account; a Position for each account and
instrument that traded in the session; an EndOfSnapshot with the number at which the stream goes
on. Orders are the replica's, positions those of the stream's own messages, both as of one row.
What is open is noted at once, and made into messages as its reader takes them. Must not know how
they are sent.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from weakref import WeakSet

from portcullis.codecs.sbe.messages import Value, report_stream
from portcullis.engine import layout as x
from portcullis.gateway.config import STREAM_NAME_MAX
from portcullis.gateway.decimals import avg_px_decimals
from portcullis.gateway.replay_port import SNAPSHOT
from portcullis.gateway.replica import Replica
from portcullis.gateway.report_index import StreamHistory, session_name
from portcullis.gateway.views import cl_ord_id
from portcullis.journal import rows

_SOH = b"\x01"

Messages = Iterator[tuple[str, Mapping[str, Value]]]


class Snapshots:
    """Makes them, so many at once: each notes 128 bytes for an open order."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._taken: WeakSet[SnapshotReading] = WeakSet()

    def take(self, history: StreamHistory, replica: Replica) -> SnapshotReading | None:
        """One as of the replica's last row.

        None: too many are being read, the index is behind the replica, or the stream is one of
        trades without names, of which nothing is open.
        """
        if len(self._taken) >= self._at_once:
            return None
        found = history.tally(replica.last_row + 1)
        if found is None:
            return None
        stream, tally = found
        if stream.content not in (rows.STREAM_REPORTS, rows.STREAM_ACCOUNTS):
            return None
        taken = SnapshotReading(
            replica,
            list(tally.positions()),
            stream.accounts if stream.content == rows.STREAM_ACCOUNTS else None,
            session_name(stream.day),
            stream.next_number,
        )
        self._taken.add(taken)
        return taken


class SnapshotReading:
    """Implements `replay_port.Reading`. accounts: of these only; None: of all."""

    def __init__(
        self,
        replica: Replica,
        positions: Sequence[tuple[int, int, int, int]],
        accounts: Sequence[int] | None,
        session: str,
        next_number: int,
    ) -> None:
        self.session = SNAPSHOT
        self.next_sequence = 1
        orders = array("q")
        if accounts is None:
            accounts = range(1, replica.registry.catalog.accounts.count)
        for account in accounts:
            for slot in replica.engine.live_orders(account):
                orders.extend(replica.engine.book.order_words(slot))
        self._last = len(orders) // x.ORDER_WORDS + len(positions) + 1
        end: Mapping[str, Value] = {"streamSession": session, "nextSequence": next_number}
        # Made by another, for a generator holds its object: whoever hangs up half-way would keep
        # its place among those at once until the collector runs.
        codec, made = report_stream(), _Maker(replica).made(orders, positions, end)
        self._messages = (codec.encode(name, values) for name, values in made)
        # One that has been made and not taken.
        self._next: bytes | None = None

    def take(self, count: int, bytes_max: int) -> Sequence[bytes]:
        """The next messages; see `replay_port.Reading`."""
        found: list[bytes] = []
        while len(found) < count:
            made = self._next or next(self._messages, None)
            bytes_max -= len(made or b"")
            self._next = made if found and bytes_max < 0 else None
            if made is None or self._next is not None:
                break
            found.append(made)
        self.next_sequence += len(found)
        return found

    def has_ended(self) -> bool:
        """Whether all was taken."""
        return self.next_sequence > self._last


class _Maker:
    """Makes the messages of what was noted."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._time_ns = replica.time_ns

    def made(
        self,
        orders: array[int],
        positions: Sequence[tuple[int, int, int, int]],
        end: Mapping[str, Value],
    ) -> Messages:
        for at in range(0, len(orders), x.ORDER_WORDS):
            yield "ExecutionReport", self._order(orders[at : at + x.ORDER_WORDS])
        catalog = self._replica.registry.catalog
        for account, instrument, bought, sold in positions:
            yield (
                "Position",
                {
                    "account": _name(catalog.accounts.name(account)),
                    "symbol": catalog.symbols.name(instrument).decode(),
                    "boughtQty": bought,
                    "soldQty": sold,
                    **self._decimals(instrument),
                },
            )
        yield "EndOfSnapshot", end

    def _order(self, words: array[int]) -> Mapping[str, Value]:
        catalog = self._replica.registry.catalog
        instrument, meta = words[x.O_REF] & x.ID_MASK, words[x.O_META]
        terms_row = words[x.O_TERMS]
        row = self._replica.table.row_words(terms_row)
        terms = row[rows.W_TERMS]
        decimals = self._decimals(instrument)
        return {
            "engineTime": self._time_ns,
            "publishTime": self._time_ns,
            "orderId": words[x.O_ROW],
            "execId": 0,  # it is no report
            "orderReference": terms_row,
            "transactTime": row[rows.W_TRANSACT] if terms >> 48 & 0xFF <= 9 else None,
            "price": words[x.O_PRICE] if meta >> 8 & 0xFF == x.TYPE_LIMIT else None,
            "orderQty": words[x.O_QTY],
            "leavesQty": words[x.O_LEAVES],
            "cumQty": words[x.O_CUM],
            "avgPx": words[x.O_AVG],
            "clOrdId": cl_ord_id(self._replica, terms_row),
            "symbol": catalog.symbols.name(instrument).decode(),
            "account": _name(catalog.accounts.name(words[x.O_REF] >> 32)),
            "session": _name(catalog.client(meta >> 32)),
            "sessionNumber": meta >> 32,
            **decimals,
            "avgPxDecimals": avg_px_decimals(decimals["priceDecimals"]),
            "execType": "OrderStatus",
            "ordStatus": "PartiallyFilled" if words[x.O_CUM] else "New",
            "side": meta & 0xFF,
            "ordType": meta >> 8 & 0xFF,
            "timeInForce": meta >> 16 & 0xFF,
            "handlInst": terms >> 24 & 0xFF,
            "why": "NoReason",
            **self._carried(terms_row),
        }

    def _carried(self, terms_row: int) -> Mapping[str, Value]:
        """What stands with the terms in text items, as reports of the order say it."""
        table = self._replica.table
        fields = (table.item(terms_row, rows.ITEM_CARRIED) or b"").split(_SOH)[:-1]
        text = [field for field in fields if field.startswith(b"58=")]
        fields = [field for field in fields if field not in text]
        time = table.item(terms_row, rows.ITEM_TRANSACT)
        if time is not None:
            place = sum(int(field.partition(b"=")[0]) < 60 for field in fields)
            fields.insert(place, b"60=" + time)
        carried = b"".join(field + _SOH for field in fields)
        return {
            "text": b"".join(text)[3:].decode("latin-1") or None,
            "carried": carried.decode("latin-1") or None,
        }

    def _decimals(self, instrument: int) -> dict[str, int]:
        packed = self._replica.engine.instruments[instrument * x.INSTRUMENT_WORDS + x.I_DECIMALS]
        return {"priceDecimals": packed & 0xFF, "qtyDecimals": packed >> 8 & 0xFF}


def _name(octets: bytes) -> str:
    return octets.decode("latin-1")[:STREAM_NAME_MAX]
