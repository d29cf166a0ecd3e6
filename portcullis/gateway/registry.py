"""Names and numbers: which instruments, accounts, sessions and settings the journal knows.

Owns the way from a configuration to rows: what the file says differently from the journal is
appended at start, and an id is given once, to a name, never by a position in a file. Holds the
`Catalog` of instruments and accounts that translation and encoders read. Must not know sockets.

What is no longer configured stays known, for its rows and orders live on: an instrument is
halted, a session has nobody to log on to it. An instrument's decimals never change, since prices
in the journal are counted in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from portcullis.gateway.catalog import Catalog
from portcullis.gateway.config import OUCH_DECIMALS, PRODUCT_MAX, ConfigError, Loaded
from portcullis.gateway.config_schema import Account, Config, Instrument
from portcullis.gateway.config_sessions import FixClient, OuchClient
from portcullis.gateway.timetables import resets_mark
from portcullis.journal import rows
from portcullis.journal.table import RowTable

_CONFIG_KINDS = frozenset((rows.INSTRUMENT, rows.ACCOUNT, rows.SESSION, rows.SETTING))
_KINDS = _CONFIG_KINDS | {rows.DAY, rows.START}

# The words that each kind is described by, besides its id.
_WORDS = {
    rows.INSTRUMENT: (
        rows.W_DECIMALS,
        rows.W_TICK,
        rows.W_LOT,
        rows.W_PRICE_MAX,
        rows.W_QTY_MAX,
        rows.W_STOCK,
    ),
    rows.ACCOUNT: (rows.W_STP,),
    rows.SESSION: (rows.W_ACCOUNT, rows.W_SESSION_FLAGS, rows.W_SCHEDULE),
    rows.SETTING: (),
}
# Keys of [limits] that decide what is refused, or how large tables are.
LIMITS = {
    "orders": rows.LIMIT_ORDERS,
    "ids": rows.LIMIT_IDS,
    "levels": rows.LIMIT_LEVELS,
    "sessions": rows.LIMIT_SESSIONS,
    "instruments": rows.LIMIT_INSTRUMENTS,
    "accounts": rows.LIMIT_ACCOUNTS,
}
_SELF_TRADE = {
    "none": rows.STP_NONE,
    "cancel_newest": rows.STP_CANCEL_NEWEST,
    "cancel_oldest": rows.STP_CANCEL_OLDEST,
    "cancel_both": rows.STP_CANCEL_BOTH,
    "decrement": rows.STP_DECREMENT,
}


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """A row to append: what it describes and as what."""

    kind: int
    words: dict[int, int]
    items: dict[int, bytes]


@dataclass(slots=True)
class _Known:
    """Ids of one kind by name, and the words last written for each."""

    ids: dict[bytes, int] = field(default_factory=dict)
    words: dict[bytes, dict[int, int]] = field(default_factory=dict)

    def put(self, name: bytes, words: dict[int, int]) -> None:
        self.ids[name] = words[rows.W_SUBJECT]
        self.words[name] = words

    def id_of(self, name: bytes) -> int:
        """The name's id, or the next free one."""
        return self.ids.get(name) or max(self.ids.values(), default=0) + 1


class Registry:
    """What the journal's rows say of configuration and day; fed row by row, in recovery and at
    start."""

    def __init__(self, *, remember: bool = False) -> None:
        # All rows it was fed, as they stand, with their TEXT rows; None: they are not kept.
        self.told: bytearray | None = bytearray() if remember else None
        self.catalog = Catalog()
        self.settings: dict[bytes, bytes] = {}
        # The trading day, YYYYMMDDNN, and the row time it began at; 0: none has.
        self.day = 0
        self.day_began_ns = 0
        # Whether the last run sent nothing before it was on disk.
        self.was_synced = False
        # Row time of the last start; 0: none.
        self.started_ns = 0
        # By LIMIT_ code: the largest ever in force.
        self.largest: dict[int, int] = {}
        # By session: since when it goes by its present reset times, nanoseconds since the epoch.
        self.scheduled_ns: dict[int, int] = {}
        self._known = {kind: _Known() for kind in _CONFIG_KINDS}

    def load(self, told: bytes | memoryview) -> None:
        """Take in the rows that another was `told`."""
        table = RowTable(bytearray(told) + bytes(rows.ROW_BYTES * rows.BATCH_ROWS))
        end = 1 + len(told) // rows.ROW_BYTES
        table.tail = end
        row = 1
        while row < end:
            self.apply(table, row)
            row += 1 + (table.word(row, rows.W_HEAD) >> 16 & 0xFFFF)

    def apply_batch(self, table: RowTable, first_row: int, input_rows: int) -> None:
        """Take in the configuration rows among a batch's inputs. O(rows), so for starts only."""
        start = (first_row - table.origin_row) * rows.ROW_BYTES
        kinds = bytes(table.octets[start : start + input_rows * rows.ROW_BYTES : rows.ROW_BYTES])
        for index, kind in enumerate(kinds):
            if kind in _KINDS:
                self.apply(table, first_row + index)

    def apply(self, table: RowTable, row: int) -> None:
        """Take in one configuration row."""
        words = table.row_words(row)
        kind = words[rows.W_HEAD] & 0xFF
        if self.told is not None:
            start = (row - table.origin_row) * rows.ROW_BYTES
            count = 1 + (words[rows.W_HEAD] >> 16 & 0xFFFF)
            self.told += table.octets[start : start + count * rows.ROW_BYTES]
        if kind == rows.DAY:
            self.day, self.day_began_ns = words[rows.W_DAY], words[rows.W_TIME]
            return
        if kind == rows.START:
            self.was_synced = words[rows.W_SUBJECT] == 1
            self.started_ns = words[rows.W_TIME]
            return
        name = table.item(row, rows.ITEM_NAME) or b""
        if kind == rows.SETTING:
            self.settings[name] = table.item(row, rows.ITEM_VALUE) or b""
            code, limit = words[rows.W_SUBJECT], words[rows.W_LIMIT]
            self.largest[code] = max(limit, self.largest.get(code, 0))
            return
        if kind == rows.SESSION:
            before = self._known[kind].words.get(name)
            if before is None or before[rows.W_SCHEDULE] != words[rows.W_SCHEDULE]:
                self.scheduled_ns[words[rows.W_SUBJECT]] = words[rows.W_TIME]
        described = {index: words[index] for index in (rows.W_SUBJECT, *_WORDS[kind])}
        self._known[kind].put(name, described)
        self.catalog.apply(table, row)

    def session(self, key: bytes) -> int:
        """The id of a session by its key; KeyError where it has none."""
        return self._known[rows.SESSION].ids[key]

    def sessions(self) -> list[tuple[int, bytes]]:
        """Every session's id and key."""
        return [(number, key) for key, number in self._known[rows.SESSION].ids.items()]

    def account_of(self, key: bytes) -> str:
        """The default account of a session that the journal knows, by its key."""
        number = self._known[rows.SESSION].words[key][rows.W_ACCOUNT]
        account: bytes = self.catalog.accounts.name(number)
        return account.decode()

    # --- from a configuration to rows -----------------------------------------------------------

    def check(self, loaded: Loaded) -> None:
        """ConfigError where a configuration contradicts what the journal says for ever."""
        config = loaded.config
        for number, instrument in enumerate(config.instrument, 1):
            try:
                self._instrument_words(instrument)
            except ValueError as error:
                raise ConfigError(f"{loaded.source}: [[instrument]] {number} {error}") from None
        for kind, key, names in (
            (rows.INSTRUMENT, "instruments", [one.symbol for one in config.instrument]),
            (rows.ACCOUNT, "accounts", [one.name for one in _accounts(config)]),
            (rows.SESSION, "sessions", [session_key(config, one) for one in config.session]),
        ):
            # Ids are from 1, so a table of n places holds n - 1 of them.
            known = len(self._known[kind].ids.keys() | {name.encode() for name in names})
            if known >= getattr(config.limits, key):
                raise ConfigError(
                    f"{loaded.source}: [limits] key {key}: expected more than {known}, for so "
                    "many are named here or known to the journal"
                )

    def changes(self, loaded: Loaded) -> Iterator[ConfigRow]:
        """What to append so that the journal says what the configuration says.

        `check` first. Append and `apply` each before taking the next: later ones need the ids of
        earlier ones.
        """
        config = loaded.config
        for key, code in LIMITS.items():
            limit: int = getattr(config.limits, key)
            name, value = f"limits.{key}".encode(), b"%d" % limit
            if self.settings.get(name) != value:
                words = {rows.W_SUBJECT: code, rows.W_LIMIT: limit}
                yield ConfigRow(
                    rows.SETTING, words, {rows.ITEM_NAME: name, rows.ITEM_VALUE: value}
                )
        for instrument in config.instrument:
            words = self._instrument_words(instrument)
            yield from self._change(rows.INSTRUMENT, instrument.symbol, words)
        yield from self._halts(config)
        for account in _accounts(config):
            words = {rows.W_STP: _SELF_TRADE[account.self_trade]}
            yield from self._change(rows.ACCOUNT, account.name, words)
        for session in config.fix_sessions():
            yield from self._session_change(config, session)
        for user in config.ouch_sessions():
            words = {
                rows.W_ACCOUNT: self._known[rows.ACCOUNT].ids[user.account.encode()],
                rows.W_SESSION_FLAGS: rows.SESSION_OUCH,
                rows.W_SCHEDULE: 0,
            }
            yield from self._change(rows.SESSION, session_key(config, user), words)

    def session_changes(self, config: Config, session: FixClient) -> Iterator[ConfigRow]:
        """The same for one session that is not in the configuration, and accounts new with it.

        ValueError where there is no room for it.
        """
        names = (session.account, *session.accounts)
        accounts = self._known[rows.ACCOUNT].ids
        new = [name for name in dict.fromkeys(names) if name.encode() not in accounts]
        if new and config.account:
            raise ValueError(f"account {new[0]} is no [[account]] of the configuration")
        sessions = {*self._known[rows.SESSION].ids, session_key(config, session).encode()}
        if len(accounts) + len(new) >= config.limits.accounts:
            raise ValueError("no room for more accounts: [limits] accounts")
        if len(sessions) >= config.limits.sessions:
            raise ValueError("no room for more sessions: [limits] sessions")
        for name in new:
            words = {rows.W_STP: _SELF_TRADE[Account(name=name).self_trade]}
            yield from self._change(rows.ACCOUNT, name, words)
        yield from self._session_change(config, session)

    def _session_change(self, config: Config, session: FixClient) -> Iterator[ConfigRow]:
        words = {
            rows.W_ACCOUNT: self._known[rows.ACCOUNT].ids[session.account.encode()],
            rows.W_SESSION_FLAGS: _session_flags(session),
            rows.W_SCHEDULE: resets_mark(config, session.schedule),
        }
        yield from self._change(rows.SESSION, session_key(config, session), words)

    def _change(self, kind: int, name: str, words: dict[int, int]) -> Iterator[ConfigRow]:
        key = name.encode()
        known = self._known[kind]
        words = {rows.W_SUBJECT: known.id_of(key), **words}
        if known.words.get(key) != words:
            yield ConfigRow(kind, words, {rows.ITEM_NAME: key})

    def _instrument_words(self, instrument: Instrument) -> dict[int, int]:
        prices, quantities = instrument.price_places, instrument.qty_places
        known = self._known[rows.INSTRUMENT].words.get(instrument.symbol.encode())
        if known is not None:
            packed = known[rows.W_DECIMALS]
            for key, needed, fixed in (
                ("tick", prices, packed & 0xFF),
                ("lot", quantities, packed >> 8 & 0xFF),
            ):
                if needed > fixed:
                    raise ValueError(
                        f"key {key}: expected at most {fixed} decimals, with which "
                        f"{instrument.symbol} was first used"
                    )
            prices, quantities = packed & 0xFF, packed >> 8 & 0xFF
        price_max = instrument.price_units_max(prices)
        qty_max = instrument.qty_units_max(quantities)
        if price_max * qty_max >= PRODUCT_MAX:
            raise ValueError(
                f"keys price_max, qty_max: expected a product below 2^62 in units of {prices} and "
                f"{quantities} decimals, with which {instrument.symbol} was first used"
            )
        lot = instrument.lot.scaled(quantities)
        stock = int.from_bytes((instrument.ouch or "").encode(), "little")
        if known is not None:
            _check_stock(instrument, known, lot, stock)
        for name, words in self._known[rows.INSTRUMENT].words.items():
            if stock and words[rows.W_STOCK] == stock and name != instrument.symbol.encode():
                raise ValueError(
                    f"key ouch: expected another, for it is that of {name.decode()} for ever"
                )
        flags = rows.INSTRUMENT_SHORT_MARKING if instrument.short_marking else 0
        flags |= rows.INSTRUMENT_HALTED if instrument.halted else 0
        return {
            rows.W_DECIMALS: prices | quantities << 8 | flags << 16,
            rows.W_TICK: instrument.tick.scaled(prices),
            rows.W_LOT: lot,
            rows.W_PRICE_MAX: price_max,
            rows.W_QTY_MAX: qty_max,
            rows.W_STOCK: stock,
        }

    def _halts(self, config: Config) -> Iterator[ConfigRow]:
        """Halt what is no longer configured: its orders may go, none may come."""
        configured = {instrument.symbol.encode() for instrument in config.instrument}
        for name, words in list(self._known[rows.INSTRUMENT].words.items()):
            if name not in configured:
                halted = words[rows.W_DECIMALS] | rows.INSTRUMENT_HALTED << 16
                changed = {**words, rows.W_DECIMALS: halted}
                yield from self._change(rows.INSTRUMENT, name.decode(), changed)


def _check_stock(instrument: Instrument, known: dict[int, int], lot: int, stock: int) -> None:
    """What OUCH has said of an instrument must stay sayable, in the same numbers: ValueError."""
    before = known[rows.W_STOCK]
    if before and stock != before:
        name = before.to_bytes(8, "little").rstrip(b"\0").decode()
        raise ValueError(f"key ouch: expected {name!r}, for it cannot change")
    if before and lot != known[rows.W_LOT]:
        raise ValueError("key lot: expected what it was, for OUCH counts its shares in lots")
    if stock and not before and (lot != 1 or known[rows.W_DECIMALS] & 0xFF > OUCH_DECIMALS):
        raise ValueError(
            f"key ouch: expected none, for {instrument.symbol} has been used without, and its "
            "orders may have quantities between lots or prices of more than four decimals"
        )


def session_key(config: Config, session: FixClient | OuchClient) -> str:
    """How a session is named for ever: FIX.4.4:OURS->THEIRS, as FIX engines do, or OUCH:USER."""
    if isinstance(session, OuchClient):
        return f"OUCH:{session.username.upper()}"
    return f"{session.version}:{config.comp_id_of(session)}->{session.client}"


def key_meant(name: str, keys: Iterable[str]) -> str:
    """The key of the session that a name stands for: the key, or a part that no other has.

    ValueError: there is none, or there are several.
    """
    found = sorted(key for key in keys if name in key)
    ends = [key for key in found if name == key or key.endswith((f"->{name}", f":{name}"))]
    if len(ends or found) == 1:
        return (ends or found)[0]
    if found:
        raise ValueError(f"{name!r} may be any of {', '.join(ends or found)}")
    raise ValueError(no_session(name))


def no_session(name: str) -> str:
    """That no session is called so, and where one sees those that are."""
    return f"there is none called {name!r}; `portcullis sessions` lists them"


def _accounts(config: Config) -> list[Account]:
    """Every account: those described, then those that sessions name, in the order of the file."""
    found = {account.name: account for account in config.account}
    for one in config.fix_sessions():
        for name in (one.account, *one.accounts):
            found.setdefault(name, Account(name=name))
    for user in config.ouch_sessions():
        found.setdefault(user.account, Account(name=user.account))
    for stream in config.stream:
        for name in stream.accounts:
            found.setdefault(name, Account(name=name))
    return list(found.values())


def _session_flags(session: FixClient) -> int:
    own = rows.SESSION_MASS_CANCEL_OWN if session.mass_cancel_scope == "session" else 0
    restated = rows.SESSION_GTC_RESTATE if session.gtc_restate else 0
    return rows.SESSION_FIX | own | restated
