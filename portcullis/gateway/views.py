"""What the replica's state looks like to people and programs: sessions, orders, books.

Owns how engine words become names and decimals. Lags the gateway by what the replica does, so each
answer says up to which row it is true, and since when the gateway has been silent, 0: it is not.

    GET /sessions
    GET /instruments
    GET /orders?session=KEY or a part of it&account=NAME&symbol=SYMBOL&limit=1000
    GET /book?symbol=SYMBOL&levels=10
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portcullis.engine.layout import (
    I_DECIMALS,
    ID_MASK,
    INSTRUMENT_WORDS,
    O_AVG,
    O_CUM,
    O_LEAVES,
    O_META,
    O_PRICE,
    O_QTY,
    O_REF,
    O_ROW,
    O_TERMS,
    TYPE_LIMIT,
)
from portcullis.gateway.control_port import answer
from portcullis.gateway.decimals import avg_px_decimals, decimal
from portcullis.gateway.followers import Followed
from portcullis.gateway.registry import key_meant
from portcullis.gateway.replica import Replica
from portcullis.journal import rows

LIMIT = 1000
LIMIT_MOST = 100_000
LEVELS = 10
_ID_BYTES = 24
_SIDES = {"1": "buy", "2": "sell", "5": "sell short", "6": "sell short exempt"}
_TIMES = {"0": "day", "1": "gtc", "3": "ioc", "4": "fok"}
_EVENTS = {
    0: "never logged on",
    rows.EVENT_LOGGED_ON: "logged on",
    rows.EVENT_LOGGED_OUT: "disconnected",  # the two come in either order
    rows.EVENT_DISCONNECTED: "disconnected",
}


class BadQuestionError(ValueError):
    """A parameter that is not understood; the text names it."""


def _decimals(replica: Replica, instrument: int) -> tuple[int, int]:
    """Of prices and of quantities."""
    packed = replica.engine.instruments[instrument * INSTRUMENT_WORDS + I_DECIMALS]
    return packed & 0xFF, packed >> 8 & 0xFF


def sessions(replica: Replica) -> list[dict[str, Any]]:
    """All sessions that the journal knows."""
    engine = replica.engine
    return [
        {
            "session": number,
            "key": key.decode(),
            "state": _state(replica, number),
            "next_in": engine.next_in(number),
            "next_out": engine.next_out(number),
        }
        for number, key in sorted(replica.registry.sessions())
    ]


def _state(replica: Replica, session: int) -> str:
    event, time_ns = replica.engine.last_event(session)
    # Nobody was left to say so when the gateway was killed.
    if event == rows.EVENT_LOGGED_ON and time_ns < replica.registry.started_ns:
        event = rows.EVENT_DISCONNECTED
    return _EVENTS[event]


def instruments(replica: Replica) -> dict[int, dict[str, Any]]:
    """Every instrument's symbol and decimals, by its number."""
    catalog = replica.registry.catalog
    return {
        number: {
            "symbol": catalog.symbols.name(number).decode(),
            "price_decimals": _decimals(replica, number)[0],
            "qty_decimals": _decimals(replica, number)[1],
        }
        for number in range(1, catalog.symbols.count)
    }


def orders(
    replica: Replica, *, session: str = "", account: str = "", symbol: str = ""
) -> Iterator[dict[str, Any]]:
    """Live orders, by account, oldest first."""
    catalog = replica.registry.catalog
    accounts = range(1, catalog.accounts.count)
    if account:
        number = catalog.accounts.number(account.encode())
        if not number:
            raise BadQuestionError(f"account: there is none called {account!r}")
        accounts = range(number, number + 1)
    keys = {number: key.decode() for number, key in replica.registry.sessions()}
    if session:
        try:
            session = key_meant(session, keys.values())
        except ValueError as error:
            raise BadQuestionError(f"session: {error}") from None
    if symbol and not catalog.symbols.number(symbol.encode()):
        raise BadQuestionError(f"symbol: there is none called {symbol!r}")
    for number in accounts:
        for slot in replica.engine.live_orders(number):
            shown = _order(replica, replica.engine.book.order_words(slot), keys)
            if session in ("", shown["session"]) and symbol in ("", shown["symbol"]):
                yield shown


def _order(replica: Replica, words: list[int], keys: dict[int, str]) -> dict[str, Any]:
    catalog = replica.registry.catalog
    instrument, account = words[O_REF] & ID_MASK, words[O_REF] >> 32
    prices, quantities = _decimals(replica, instrument)
    meta = words[O_META]
    is_limit = meta >> 8 & 0xFF == TYPE_LIMIT
    return {
        "order_id": words[O_ROW],
        "session": keys[meta >> 32],
        "account": catalog.accounts.name(account).decode(),
        "cl_ord_id": cl_ord_id(replica, words[O_TERMS]),
        "symbol": catalog.symbols.name(instrument).decode(),
        "side": _SIDES[chr(meta & 0xFF)],
        "price": decimal(words[O_PRICE], prices) if is_limit else "market",
        "order_qty": decimal(words[O_QTY], quantities),
        "leaves_qty": decimal(words[O_LEAVES], quantities),
        "cum_qty": decimal(words[O_CUM], quantities),
        "avg_px": decimal(words[O_AVG], avg_px_decimals(prices)),
        "time_in_force": _TIMES[chr(meta >> 16 & 0xFF)],
    }


def cl_ord_id(replica: Replica, terms_row: int) -> str:
    """The id that the row of an order's terms brought."""
    table = replica.table
    words = table.row_words(terms_row)
    if words[rows.W_HEAD] >> 8 & rows.F_LONG_ID:
        return (table.item(terms_row, rows.ITEM_CL_ORD_ID) or b"").decode("latin-1")
    start = (terms_row - table.origin_row) * rows.ROW_BYTES + rows.W_ID * 8
    length = min(words[rows.W_TERMS] >> 32 & 0xFF, _ID_BYTES)
    return bytes(table.octets[start : start + length]).decode("latin-1")


def book(replica: Replica, symbol: str, levels: int) -> dict[str, Any]:
    """Both sides of an instrument's book, best first."""
    catalog = replica.registry.catalog
    instrument = catalog.symbols.number(symbol.encode())
    if not instrument:
        raise BadQuestionError(f"symbol: there is none called {symbol!r}")
    prices, quantities = _decimals(replica, instrument)

    def side(sells: bool) -> list[dict[str, Any]]:
        return [
            {"price": decimal(price, prices), "qty": decimal(qty, quantities), "orders": count}
            for price, qty, count in replica.engine.book.depth(instrument, sells)[:levels]
        ]

    return {"symbol": symbol, "bids": side(False), "asks": side(True)}


# --- HTTP ---------------------------------------------------------------------------------------


def view_routes(followed: Followed, silent_since_ns: Callable[[], int]) -> list[Route]:
    """The routes that ask the replica."""

    def route(path: str, ask: Callable[[Replica, Request], dict[str, Any]]) -> Route:
        async def endpoint(request: Request) -> Response:
            replica = followed.follower
            if not isinstance(replica, Replica) or not replica.last_row:
                return answer({"error": "the back office has not read the journal yet"}, 503)
            try:
                shown = ask(replica, request)
            except BadQuestionError as error:
                return answer({"error": str(error)}, 400)
            known = {"row": replica.last_row, "time_ns": replica.time_ns}
            return answer({**known, "gateway_silent_since_ns": silent_since_ns(), **shown})

        return Route(path, endpoint)

    return [
        route("/sessions", lambda replica, _request: {"sessions": sessions(replica)}),
        route("/instruments", lambda replica, _request: {"instruments": instruments(replica)}),
        route("/orders", _ask_orders),
        route("/book", _ask_book),
    ]


def _ask_orders(replica: Replica, request: Request) -> dict[str, Any]:
    asked = request.query_params
    limit = _number(request, "limit", LIMIT, LIMIT_MOST)
    filters = {key: asked.get(key, "") for key in ("session", "account", "symbol")}
    found: list[dict[str, Any]] = []
    for shown in orders(replica, **filters):
        if len(found) == limit:
            return {"orders": found, "more": True}
        found.append(shown)
    return {"orders": found, "more": False}


def _ask_book(replica: Replica, request: Request) -> dict[str, Any]:
    levels = _number(request, "levels", LEVELS, LIMIT_MOST)
    return book(replica, request.query_params.get("symbol", ""), levels)


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    # Python reads no number of thousands of digits.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not is_number or not 1 <= int(text) <= most:
        raise BadQuestionError(f"{name}: expected a number from 1 to {most}, got {text!r}")
    return int(text)
