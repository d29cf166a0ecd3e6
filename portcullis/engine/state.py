"""An engine's whole state as numbers and buffers, and back: what a snapshot holds.

Owns the list of what is state. Buffers are views of the engine's own tables, cut to what is in
use; they are to be written before the engine runs on. Must not know files.

Slots, levels and ladders may go to an engine with larger tables: what stands in them has its place
by number. The id table may not: where an id stands depends on the table's size, and half of its
hash is not kept.
"""

# mypy: disable-error-code="valid-type,no-any-return"
from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from portcullis import _cython_shim as cython

if cython.compiled:
    from cython.cimports.portcullis.engine.layout import *
    from cython.cimports.portcullis.engine.matcher import Engine
    from cython.cimports.portcullis.journal.rows import *
else:
    from portcullis.engine.layout import *
    from portcullis.engine.matcher import Engine
    from portcullis.journal.rows import *

STATE_VERSION = 3


class StateError(ValueError):
    """A state that an engine of these tables can't take."""


def numbers(engine: Engine) -> dict[str, int]:
    """All that is a single number."""
    book = engine.book
    return {
        "state_version": STATE_VERSION,
        "cursor": engine.cursor,
        "rows_ignored": engine.rows_ignored,
        "amendments_ignored": engine.amendments.ignored,
        "order_capacity": book.order_capacity,
        "level_capacity": book.level_capacity,
        "instrument_capacity": book.instrument_capacity,
        "arena_used": book._arena_used,
        "free_slot": book._free_slot,
        "slots_used": book._slots_used,
        "free_level": book._free_level,
        "levels_used": book._levels_used,
        "orders_live": book.orders_live,
        "levels_live": book.levels_live,
        "id_capacity": engine.ids.capacity,
        "ids_used": engine.ids.used,
        "id_key_low": engine.ids._key_low,
        "id_key_high": engine.ids._key_high,
        "old_ids_stage": engine.old_ids.stage,
        "old_ids_index": engine.old_ids.index,
        "old_ids_day_row": engine.old_ids.day_row,
        "old_ids_last_row": engine.old_ids.last_row,
        "sweep_slot": engine.sweep.slot,
        "sweep_cause": engine.sweep.cause,
        "sweep_why": engine.sweep.why,
        "mass_slot": engine.sweep.mass_slot,
        "day_slot": engine.sweep.day_slot,
        "mass_row": engine.mass.row,
        "mass_sent": engine.mass.sent,
        "mass_total": engine.mass.total,
        "mass_waits": engine.mass.waits,
        "day": engine.day_roll.day,
        "day_row": engine.day_roll.row,
        "day_account": engine.day_roll.account,
        "day_session": engine.day_roll.session,
        "day_session_row": engine.day_roll.session_row,
        "is_closing": engine.reports.is_closing,
        "expire_row": engine._expire_row,
        "expiries": engine.sweep.expiries.count,
    }


def _tables(engine: Engine) -> list[tuple[str, memoryview, int]]:
    """Every table, and how many words of it are in use."""
    book, expiries = engine.book, engine.sweep.expiries
    return [
        ("orders", memoryview(book.orders), ORDER_WORDS * (book._slots_used + 1)),
        ("levels", memoryview(book.levels), LEVEL_WORDS * (book._levels_used + 1)),
        ("ladders", memoryview(book.ladders), LADDER_WORDS * book._arena_used),
        ("free_blocks", memoryview(book._free_blocks), len(book._free_blocks)),
        ("sides", memoryview(book.sides), len(book.sides)),
        ("accounts", memoryview(book.accounts), len(book.accounts)),
        ("instruments", memoryview(engine.instruments), len(engine.instruments)),
        ("sessions", memoryview(engine.reports.sessions), len(engine.reports.sessions)),
        ("waiting", memoryview(engine.mass.waiting), len(engine.mass.waiting)),
        ("ids", memoryview(engine.ids._entries), len(engine.ids._entries)),
        ("expiry_times", memoryview(expiries._times), expiries.count + 1),
        ("expiry_slots", memoryview(expiries._slots), expiries.count + 1),
        ("expiry_places", memoryview(expiries._places), book._slots_used + 1),
    ]


def buffers(engine: Engine) -> list[tuple[str, memoryview]]:
    """All that is a table, as far as it is in use."""
    return [(name, table[:used]) for name, table, used in _tables(engine)]


def load(engine: Engine, saved: dict[str, int], tables: dict[str, memoryview]) -> None:
    """Give a new engine the state that `numbers` and `buffers` gave of another.

    tables: bytes. StateError: of another version, or the engine's tables are too small, or its id
    table is of another size.
    """
    if saved["state_version"] != STATE_VERSION:
        raise StateError(f"state version {saved['state_version']}, expected {STATE_VERSION}")
    if len(tables["ids"]) != 8 * len(engine.ids._entries):
        raise StateError("its id table is of another size ([limits] key ids)")
    book = engine.book
    for name, target, _used in _tables(engine):
        source = tables[name]
        octets = target.cast("B")
        if len(source) > len(octets):
            raise StateError(f"its table of {name} is larger than ours")
        octets[: len(source)] = source
    engine.cursor = saved["cursor"]
    engine.rows_ignored = saved["rows_ignored"]
    engine.amendments.ignored = saved["amendments_ignored"]
    for what, name in (
        (LIMIT_ORDERS, "order_capacity"),
        (LIMIT_LEVELS, "level_capacity"),
        (LIMIT_INSTRUMENTS, "instrument_capacity"),
    ):
        if not book.limit(what, saved[name]):
            raise StateError(f"its {name} is above ours")
    book._arena_used = saved["arena_used"]
    book._free_slot = saved["free_slot"]
    book._slots_used = saved["slots_used"]
    book._free_level = saved["free_level"]
    book._levels_used = saved["levels_used"]
    book.orders_live = saved["orders_live"]
    book.levels_live = saved["levels_live"]
    engine.ids.limit(saved["id_capacity"])
    engine.ids.used = saved["ids_used"]
    engine.ids._key_low = saved["id_key_low"]
    engine.ids._key_high = saved["id_key_high"]
    engine.old_ids.stage = saved["old_ids_stage"]
    engine.old_ids.index = saved["old_ids_index"]
    engine.old_ids.day_row = saved["old_ids_day_row"]
    engine.old_ids.last_row = saved["old_ids_last_row"]
    engine.sweep.slot = saved["sweep_slot"]
    engine.sweep.cause = saved["sweep_cause"]
    engine.sweep.why = saved["sweep_why"]
    engine.sweep.mass_slot = saved["mass_slot"]
    engine.sweep.day_slot = saved["day_slot"]
    engine.mass.row = saved["mass_row"]
    engine.mass.sent = saved["mass_sent"]
    engine.mass.total = saved["mass_total"]
    engine.mass.waits = saved["mass_waits"]
    engine.day_roll.day = saved["day"]
    engine.day_roll.row = saved["day_row"]
    engine.day_roll.account = saved["day_account"]
    engine.day_roll.session = saved["day_session"]
    engine.day_roll.session_row = saved["day_session_row"]
    engine.reports.is_closing = saved["is_closing"]
    engine._expire_row = saved["expire_row"]
    engine.sweep.expiries.count = saved["expiries"]


def oldest_row(engine: Engine) -> int:
    """The first row that the engine may look at again: of live orders, of commands at work, of
    those that have ended while their ids are taken; 0: none.

    Replay without a row that was there when it was written would make other rows. O(id table).
    """
    table = engine._table
    found: cython.longlong = 0
    index: cython.longlong
    row: cython.longlong
    reference: cython.longlong
    for index in range(1, engine.book._slots_used + 1):
        found = _older(found, engine.book.orders[index * ORDER_WORDS + O_ROW])
    for index in range(engine.ids.size()):
        reference = engine.ids.reference(index)
        row = reference >> 2
        if reference & 3 != REF_CLOSED and reference & 3 != REF_BURNT:
            continue
        if engine.old_ids.is_old(index):
            continue
        found = _older(found, row)
        if table.has_row(row):
            found = _older(found, table.words[table.at(row) + W_ORDER])
            found = _older(found, table.words[table.at(row) + W_TERMS_ROW])
    at_work = (engine.mass.row, engine.day_roll.row, engine.sweep.cause, engine._expire_row)
    for row in at_work:
        found = _older(found, row)
    return found


@cython.cfunc
@cython.exceptval(check=False)
def _older(found: cython.longlong, row: cython.longlong) -> cython.longlong:
    """The lower of two row numbers, 0 not counted."""
    return row if row and (found == 0 or row < found) else found
