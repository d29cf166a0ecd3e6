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
from itertools import islice
from weakref import WeakSet

from portcullis.codecs.sbe.messages import Value, report_stream
from portcullis.engine import layout as x
from portcullis.gateway.catalog import AVG_PX_DECIMALS_EXTRA, AVG_PX_DECIMALS_MAX
from portcullis.gateway.replay_port import SNAPSHOT
from portcullis.gateway.replica import Replica
from portcullis.gateway.report_index import StreamHistory, session_name
from portcullis.gateway.views import cl_ord_id
from portcullis.journal import rows

_NAME_MAX = 16  # characters of names in messages

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
                orders.extend(replica.engine.book.orderzeroed(slot))
        self._last = len(orders) // x.ORDER_WORDS + len(positions) + 1
        end: Mapping[str, Value] = {"streamSession": session, "nextSequence": next_number}
        # Made by another, for a generator holds its object: whoever hangs up half-way would keep
        # its place among those at once until the collector runs.
        self._messages = _Maker(replica).made(orders, positions, end)

    def take(self, count: int, bytes_max: int) -> Sequence[bytes]:
        """The next messages; see `replay_port.Reading`."""
        codec = report_stream()
        most = max(min(count, bytes_max // codec.size("ExecutionReport")), 1)
        found = [codec.encode(name, values) for name, values in islice(self._messages, most)]
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
        self._keys = dict(replica.registry.sessions())

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
        terms = self._replica.table.row_words(terms_row)[rows.W_TERMS]
        decimals = self._decimals(instrument)
        averages = min(decimals["priceDecimals"] + AVG_PX_DECIMALS_EXTRA, AVG_PX_DECIMALS_MAX)
        key = self._keys.get(meta >> 32, b"")
        return {
            "engineTime": self._time_ns,
            "orderId": words[x.O_ROW],
            "execId": 0,  # it is no report
            "orderReference": terms_row,
            "price": words[x.O_PRICE] if meta >> 8 & 0xFF == x.TYPE_LIMIT else None,
            "orderQty": words[x.O_QTY],
            "leavesQty": words[x.O_LEAVES],
            "cumQty": words[x.O_CUM],
            "avgPx": words[x.O_AVG],
            "clOrdId": cl_ord_id(self._replica, terms_row),
            "symbol": catalog.symbols.name(instrument).decode(),
            "account": _name(catalog.accounts.name(words[x.O_REF] >> 32)),
            "session": _name(key.partition(b"->")[2] or key.removeprefix(b"OUCH:")),
            "sessionNumber": meta >> 32,
            **decimals,
            "avgPxDecimals": averages,
            "execType": "OrderStatus",
            "ordStatus": "PartiallyFilled" if words[x.O_CUM] else "New",
            "side": meta & 0xFF,
            "ordType": meta >> 8 & 0xFF,
            "timeInForce": meta >> 16 & 0xFF,
            "handlInst": terms >> 24 & 0xFF,
            "why": "NoReason",
        }

    def _decimals(self, instrument: int) -> dict[str, int]:
        packed = self._replica.engine.instruments[instrument * x.INSTRUMENT_WORDS + x.I_DECIMALS]
        return {"priceDecimals": packed & 0xFF, "qtyDecimals": packed >> 8 & 0xFF}


def _name(octets: bytes) -> str:
    return octets.decode("latin-1")[:_NAME_MAX]
