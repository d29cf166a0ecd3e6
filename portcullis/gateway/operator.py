"""What an operator can do to a running gateway, and what a gateway says of itself.

Owns the list of commands. Each that changes something is journaled first, as an OPERATOR row with
who and why, then as the rows that do it; so what an operator did replays like everything else. The
event log is told of it at the same place.
Must not know where a command came from (`operator_port`). Runs on the loop of the gateway: what
takes long (orders, books) is asked of the back office instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from portcullis import __version__, _build
from portcullis.engine import layout as x
from portcullis.gateway.decimals import decimal
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.fix_peer import FixPeer
from portcullis.gateway.fix_peers import FixPeers
from portcullis.gateway.operator_port import MovedOnError, OperatorError, Request
from portcullis.gateway.ouch_gate import OuchGate
from portcullis.gateway.ouch_peer import OuchUser
from portcullis.gateway.quarantine import Quarantine
from portcullis.gateway.registry import no_session
from portcullis.gateway.trading_day import DayError, TradingDay
from portcullis.gateway.turn import Turn
from portcullis.journal import rows

SEQ_MAX = (1 << 31) - 1
_WORD_MAX = (1 << 63) - 1  # what a word of a row holds


class Operator:
    """Does commands. told: what else `state` shows, each by a name."""

    def __init__(
        self,
        turn: Turn,
        day: TradingDay,
        peers: FixPeers,
        users: OuchGate,
        quarantine: Quarantine,
        told: dict[str, Callable[[], object]],
        log: EventLog,
    ) -> None:
        self._turn = turn
        self._day = day
        self._peers = peers
        self._users = users
        self._quarantine = quarantine
        self._told = told
        self._log = log
        self._began = time.monotonic()
        # The last row that amended a trade; those of earlier processes lie before this.
        self._amended_row: int = turn.journal.sealed_row
        self._commands: dict[str, Callable[[Request], dict[str, Any]]] = {
            "state": self._state,
            "day end": self._end_day,
            "sessions set-seq": self._set_seq,
            "sessions reset": self._reset,
            "sessions disconnect": self._disconnect,
            "sessions release": self._release,
            "bust": self._bust,
            "correct": self._correct,
        }

    def handle(self, request: Request) -> dict[str, Any]:
        """Do a command; give what it brought. OperatorError says why it can't be done."""
        command = self._commands.get(request.do)
        if command is None:
            known = ", ".join(self._commands)
            raise OperatorError(f"unknown command {request.do!r}; expected one of {known}")
        return command(request)

    # --- what is -----------------------------------------------------------------------------

    def troubles(self) -> list[dict[str, str]]:
        """All that is not as it should be: a code for programs, a text for people."""
        journal = self._turn.journal
        found = []
        if not journal.can_take_orders:
            found.append(
                {
                    "code": "journal_full",
                    "text": "new orders are refused, cancels pass: no next journal segment can be "
                    f"made ({journal.trouble})",
                }
            )
        elif journal.trouble:
            found.append(
                {
                    "code": "journal_no_next_segment",
                    "text": "orders are taken as long as the open journal segment has room: the "
                    f"next can't be made ({journal.trouble})",
                }
            )
        if (path := self._quarantine.unexplained()) is not None:
            found.append(
                {
                    "code": "fault_before",
                    "text": "the gateway was down by a fault that no session's message caused; "
                    f"look at {path}, then remove it",
                }
            )
        for key in sorted(self._quarantine.keys()):
            found.append(
                {
                    "code": "quarantined",
                    "text": f"session {key} brought the gateway down and may not log on; look at "
                    f"its file in quarantine/, then: portcullis sessions release {key!r}",
                }
            )
        return found

    def _state(self, _request: Request) -> dict[str, Any]:
        journal = self._turn.journal
        return {
            "version": __version__,
            "mode": _build.mode(),
            "uptime_s": round(time.monotonic() - self._began, 3),
            "day": self._day.day,
            "day_end_ns": self._day.end_ns,
            "last_row": journal.sealed_row,
            "synced_row": journal.synced_row,
            "can_take_orders": journal.can_take_orders,
            "maker_deaths": journal.maker_deaths,
            "cold_segments": journal.cold_segments,
            "sessions": len([*self._peers, *self._users]),
            "logged_on": sum(one.is_connected for one in (*self._peers, *self._users)),
            "troubles": self.troubles(),
            **{name: tell() for name, tell in self._told.items()},
        }

    # --- what changes something --------------------------------------------------------------

    def _journal(
        self, request: Request, peer: FixPeer | OuchUser | None = None, **subject: int
    ) -> None:
        """The OPERATOR row, and the event; OperatorError where nobody says why."""
        if not request.why.strip():
            raise OperatorError("expected a reason (--why), for the journal")
        self._turn.begin()
        items = {
            rows.ITEM_NAME: request.do.encode(),
            rows.ITEM_VALUE: msgspec.json.encode(request.args),
            rows.ITEM_WHO: request.who.encode(),
            rows.ITEM_WHY: request.why.encode(),
        }
        self._turn.append(rows.OPERATOR, peer.store.session if peer else 0, items=items)
        about = {"session": peer.key} if peer else subject
        self._log.emit("operator", action=request.do, **about, who=request.who, why=request.why)

    def _end_day(self, request: Request) -> dict[str, Any]:
        try:
            self._day.following()
        except DayError as error:
            raise OperatorError(str(error)) from None
        self._journal(request, day=self._day.day)
        # How many of them expire is known only when the last has: some at a time do, in between.
        live = self._turn.engine.book.orders_live
        return {"day": self._day.end(), "live_before": live}

    def _session(self, request: Request) -> FixPeer | OuchUser:
        """What `session` names: its key, or its client's CompID or username if no other has it."""
        name = str(request.args.get("session"))
        found: list[FixPeer | OuchUser] = [
            peer for peer in self._peers if name in (peer.key, peer.client)
        ]
        found += [user for user in self._users if name.upper() in (user.key, user.name)]
        if not found:
            raise OperatorError(f"session: {no_session(name)}")
        if len(found) > 1:
            several = ", ".join(one.key for one in found)
            raise OperatorError(f"session: {name!r} may be any of {several}")
        return found[0]

    def _peer_at_rest(self, request: Request) -> FixPeer:
        peer = self._session(request)
        if isinstance(peer, OuchUser):
            raise OperatorError(f"{peer.key}: numbers of OUCH begin at 1 each day, and stay so")
        if peer.is_connected:
            raise OperatorError(f"{peer.key} is connected: disconnect it first")
        return peer

    def _set_seq(self, request: Request) -> dict[str, Any]:
        peer = self._peer_at_rest(request)
        next_in, next_out = (_number(request, name) for name in ("next_in", "next_out"))
        if next_in is None and next_out is None:
            raise OperatorError("expected next_in, next_out or both")
        self._journal(request, peer)
        present = peer.store.next_out
        is_lower = next_out is not None and next_out < present
        if next_out is not None and is_lower:
            peer.store.reset(next_out, next_in or peer.store.next_in)
        else:
            if next_out is not None and next_out > present:
                peer.store.skip(next_out)
            if next_in is not None:
                peer.store.advance(next_in)
        return self._agreed(peer, resends_earlier=not is_lower)

    def _reset(self, request: Request) -> dict[str, Any]:
        peer = self._peer_at_rest(request)
        self._journal(request, peer)
        peer.store.reset(1, 1)
        return self._agreed(peer, resends_earlier=False)

    def _agreed(self, peer: FixPeer, *, resends_earlier: bool) -> dict[str, Any]:
        """A session's numbers, in force at once, and on disk before anybody is told of them.

        resends_earlier: whether what was sent before is sent again where it is asked for.
        """
        peer.session.take_numbers()
        store = peer.store
        self._turn.settle()
        self._turn.journal.force()
        return {
            "session": peer.key,
            "next_in": store.next_in,
            "next_out": store.next_out,
            "resends_earlier": resends_earlier,
        }

    def _disconnect(self, request: Request) -> dict[str, Any]:
        peer = self._session(request)
        if not peer.is_connected:
            raise OperatorError(f"{peer.key} is not connected")
        self._journal(request, peer)
        peer.logout("Disconnected by the operator", self._turn.now_ns)
        return {"session": peer.key, "state": "being logged out"}

    def _release(self, request: Request) -> dict[str, Any]:
        peer = self._session(request)
        if peer.key not in self._quarantine.keys():
            raise OperatorError(f"{peer.key} is not in quarantine")
        self._journal(request, peer)
        kept = self._quarantine.release(peer.key)
        peer.quarantined = False
        return {"session": peer.key, "report": str(kept)}

    # --- trades ------------------------------------------------------------------------------

    def _bust(self, request: Request) -> dict[str, Any]:
        return self._amend(request, rows.BUST, {})

    def _correct(self, request: Request) -> dict[str, Any]:
        qty, price = (_number(request, name) for name in ("qty", "price"))
        if qty is None or price is None:
            raise OperatorError("expected qty and price, in units of the instrument")
        return self._amend(request, rows.CORRECT, {rows.W_NEW_QTY: qty, rows.W_NEW_PRICE: price})

    def _amend(self, request: Request, kind: int, words: dict[int, int]) -> dict[str, Any]:
        """Bust or correct both sides of a match.

        match: the row of its aggressor's fill. sums: of the two orders, price x quantity over
        their fills, aggressor's first; whoever asks has added them up, for that takes a while.
        looked_to: the last row that this took in, and which shows that it is amended once.
        """
        match, looked_to = _number(request, "match"), _number(request, "looked_to")
        sum_, other_sum = _number(request, "sum"), _number(request, "other_sum")
        if match is None or looked_to is None or sum_ is None or other_sum is None:
            raise OperatorError("expected match, sum, other_sum and looked_to")
        table, amendments = self._turn.table, self._turn.engine.amendments
        self._turn.begin()
        self._turn.settle()
        for row, flag in ((match, rows.F_AGGRESSOR), (match + 1, rows.F_PASSIVE)):
            if not table.oldest_row <= row < table.tail:
                raise OperatorError(f"row {row} is not in the journal, or no longer")
            head = table.row_words(row)[rows.W_HEAD]
            if head & 0xFF != rows.REPORT or not head >> 8 & flag:
                raise OperatorError(f"row {row} is no fill of a match that begins at row {match}")
        sides = ((match, sum_), (match + 1, other_sum))
        new = words.get(rows.W_NEW_QTY, 0), words.get(rows.W_NEW_PRICE, 0)
        # Both sides or none, and not by what has become wrong since it was looked at.
        stands = [amendments.standing(row, total, *new) for row, total in sides]
        if x.STANDS_GONE in stands:
            raise OperatorError(f"match {match}: the day of one of its orders has ended")
        if max(*stands, self._amended_row) > looked_to:
            raise MovedOnError(
                f"match {match} or its orders have moved on behind row {looked_to}: try again"
            )
        if kind == rows.CORRECT:
            self._check_correction(match, *new)
        if x.STANDS_OUT_OF_RANGE in stands:
            raise OperatorError(f"match {match}: an order can't have such a quantity or price")
        self._journal(request, match=match)
        for row, total in sides:
            self._append_amendment(kind, row, {**words, rows.W_FILL_SUM: total})
        self._turn.settle()
        self._amended_row = self._turn.journal.sealed_row
        return {"match": match}

    def _check_correction(self, match: int, qty: int, price: int) -> None:
        """OperatorError where it would change nothing, or its terms could never have traded.

        Only here: the engine applies what a journal has, also of before this was asked.
        """
        table, engine = self._turn.table, self._turn.engine
        fill = table.row_words(match)
        order = table.row_words(fill[rows.W_ORDER])
        record = (order[rows.W_REF] & x.ID_MASK) * x.INSTRUMENT_WORDS
        decimals = engine.instruments[record + x.I_DECIMALS]
        prices, quantities = decimals & 0xFF, decimals >> 8 & 0xFF
        old_qty, old_price = fill[rows.W_LAST_QTY], fill[rows.W_LAST_PX]
        if (qty, price) == (old_qty, old_price):
            shown = f"{decimal(qty, quantities)} at {decimal(price, prices)}"
            raise OperatorError(f"match {match}: expected a change, and it is of {shown} already")
        highest = engine.instruments[record + x.I_PRICE_MAX]
        if price > max(highest, old_price):
            raise OperatorError(
                f"match {match}: price {decimal(price, prices)}: expected at most"
                f" {decimal(highest, prices)}, the instrument's price_max"
            )
        most, row = min((engine.amendments.qty_most(row), row) for row in (match, match + 1))
        if qty > max(most, old_qty):
            words = table.row_words(row)
            side = "aggressor" if row == match else "passive side"
            raise OperatorError(
                f"match {match}: quantity {decimal(qty, quantities)}: expected at most"
                f" {decimal(most, quantities)}, with which CumQty(14) of its {side},"
                f" OrderID {words[rows.W_ORDER]}, reaches OrderQty(38)"
            )

    def _append_amendment(self, kind: int, fill_row: int, words: dict[int, int]) -> None:
        """A BUST or CORRECT row: it names the order by the id that brought it."""
        table = self._turn.table
        fill = table.row_words(fill_row)
        order = table.row_words(fill[rows.W_ORDER])
        flags = order[rows.W_HEAD] >> 8 & rows.F_LONG_ID
        items = {}
        if flags:
            items[rows.ITEM_CL_ORD_ID] = table.item(fill[rows.W_ORDER], rows.ITEM_CL_ORD_ID) or b""
        named = (rows.W_ID, rows.W_ID + 1, rows.W_ID + 2, rows.W_TERMS)
        words = words | {
            **{word: order[word] for word in named},
            rows.W_FILL_ROW: fill_row,
            rows.W_FILL_QTY: fill[rows.W_LAST_QTY],
            rows.W_FILL_PRICE: fill[rows.W_LAST_PX],
        }
        if fill[rows.W_HEAD] >> 8 & rows.F_AGGRESSOR:
            flags |= rows.F_OF_AGGRESSOR
        session = order[rows.W_HEAD] >> 32
        self._turn.append(kind, session, flags=flags, words=words, items=items)


def _number(request: Request, name: str) -> int | None:
    value = request.args.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise OperatorError(f"{name}: expected a number from 1")
    most = SEQ_MAX if name.startswith("next") else _WORD_MAX
    if value > most:
        raise OperatorError(f"{name}: expected a number up to {most}")
    return value
