"""From a data directory to a gateway's state: recover, replay, and bring the journal up to date.

Owns the order of a start: the journal's batches are replayed through the engine (whose rows must
come out the same), registry and index follow them, then rows say that a start took place and what
the configuration changed. Must not know sockets or sessions' rules.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from portcullis import __version__, _build
from portcullis.engine.layout import RUN_DONE, RUN_MORE, S_FLAGS, SESSION_WORDS
from portcullis.gateway.config import Loaded
from portcullis.gateway.ouch_reports import SAID_WHOLE
from portcullis.gateway.registry import LIMITS, Registry
from portcullis.gateway.saved_state import (
    ENGINE_VERSION,
    Known,
    latest,
    load,
    make_engine,
    outgrown,
    start_of,
)
from portcullis.gateway.streams import Streams
from portcullis.gateway.trading_day import Calendar
from portcullis.gateway.unsent import UnsentRows
from portcullis.journal import rows
from portcullis.journal.disk import Disk
from portcullis.journal.index import SessionIndex
from portcullis.journal.index_files import IndexFiles
from portcullis.journal.replay import replay
from portcullis.journal.retention import forget_behind
from portcullis.journal.snapshots import Snapshot
from portcullis.journal.writer import Journal

LAYOUT_VERSION = 1
# Rows left for cancels once no further segment can be made.
_RESERVED_SEGMENTS = 8
# No configuration row has more TEXT rows behind it than this.
_CONFIG_ROWS_MAX = 1024


@dataclass(slots=True)
class Recovered(Known):
    """The state of a gateway, ready to be served, and the journal that it is of."""

    journal: Journal
    # What was lost, in words; "": nothing. Then so many row numbers were passed over.
    loss: str = ""
    passed_over: int = 0
    # Names of accounts that this start has made.
    new_accounts: list[str] = field(default_factory=list)
    seconds: float = 0.0
    # Last row of the snapshot it began at, 0: the first row; why others could not be used.
    snapshot_row: int = 0
    refused_snapshots: list[str] = field(default_factory=list)
    # Time of the last row before this start; 0: there was none.
    last_ns: int = 0


def recover(
    loaded: Loaded, directory: Path, *, accept_loss: bool = False, disk: Disk | None = None
) -> Recovered:
    """Open the journal of a directory and rebuild all state from it.

    disk: what stands for the machine's own. Raises JournalError (exit 3), ConfigError where the
    configuration contradicts the journal.
    """
    began = time.perf_counter()
    tables = {key: getattr(loaded.config.limits, key) for key in LIMITS}
    refused: list[str] = []
    snapshot = latest(directory, tables, refused)
    # Each further try is for a capacity above all before, met in the journal.
    while (recovered := _replayed(loaded, directory, tables, accept_loss, snapshot, disk)) is None:
        snapshot = latest(directory, tables, refused)
    recovered.seconds = time.perf_counter() - began
    recovered.snapshot_row = start_of(snapshot).last_row if snapshot else 0
    recovered.refused_snapshots = refused
    return recovered


def _replayed(
    loaded: Loaded,
    directory: Path,
    tables: dict[str, int],
    accept_loss: bool,
    snapshot: Snapshot | None,
    disk: Disk | None,
) -> Recovered | None:
    """Recover with tables of these sizes; None where the journal needs larger, put in `tables`."""
    config = loaded.config
    segment_rows = config.journal.segment_rows
    registry = Registry()
    journal, batches = Journal.open(
        directory,
        segment_rows=segment_rows,
        reserved_rows=segment_rows // _RESERVED_SEGMENTS,
        reserve_bytes=config.journal.address_space,
        engine_version=ENGINE_VERSION,
        sync=config.journal.sync,
        sync_interval_ns=config.journal.sync_interval,
        accept_loss=accept_loss,
        start=start_of(snapshot) if snapshot else None,
        # It then knows all that the journal keeps. Who names the wrong file loses nothing by it.
        before_cut=lambda: registry.check(loaded),
        disk=disk,
    )
    try:
        table = journal.table
        engine = make_engine(table, tables)
        index = SessionIndex(
            table,
            session_capacity=tables["sessions"],
            days_kept=config.day.sessions_kept,
            files=IndexFiles(directory),
        )
        unsent, streams = UnsentRows(table), Streams(table)
        recovered = Recovered(engine, index, registry, unsent, streams, journal)
        if snapshot is not None:
            load(snapshot, recovered)
        for batch in replay(table, engine, batches):
            recovered.registry.apply_batch(table, batch.first_row, batch.input_rows)
            if outgrown(tables, recovered.registry):
                journal.abandon()
                return None
            recovered.observe(batch)
        engine.take_unsaid()  # it was logged when it was new
        for why in SAID_WHOLE:
            engine.reports.said_whole[why] = 1
        report = journal.report
        if report.cut_row and accept_loss:
            recovered.loss = f"the journal was cut at row {report.cut_row}, as asked"
        elif report.loss_noted:
            recovered.loss = "rows were lost, and the start that found it did not come to its end"
        elif not (report.clean_stop or report.same_boot or recovered.registry.was_synced):
            recovered.loss = "the machine stopped, and what was not on disk by then is lost"
        _begin(recovered, loaded)
    except BaseException:
        journal.abandon()
        raise
    return recovered


def _begin(recovered: Recovered, loaded: Loaded) -> None:
    """Append what this start has to say, run the engine over it, seal."""
    recovered.registry.check(loaded)
    table = recovered.journal.table
    if recovered.loss:
        forget_behind(recovered.journal.directory, recovered.journal.report.last_row)
        recovered.journal.note_loss()
        recovered.passed_over = recovered.journal.pass_over()
    accounts = recovered.registry.catalog.accounts
    recovered.last_ns = table.time_ns
    table.time_ns = max(table.time_ns, time.time_ns())
    if table.tail == 1:
        first, second = (int.from_bytes(os.urandom(8), "little", signed=True) for _ in range(2))
        words = {rows.W_KEY: first, rows.W_KEY + 1: second, rows.W_KEY + 2: LAYOUT_VERSION}
        table.append_input(rows.GENESIS, words=words)
    said = f"portcullis {__version__} {_build.mode()}"
    words = {rows.W_SUBJECT: int(loaded.config.journal.sync == "batch")}
    table.append_input(rows.START, words=words, items={rows.ITEM_VALUE: said.encode()})
    calendar, registry = Calendar(loaded.config.day), recovered.registry
    is_over = not registry.day or calendar.end_after(registry.day_began_ns) <= table.time_ns
    if recovered.loss:
        _pass_over_numbers(recovered, calendar)
    for change in registry.changes(loaded):
        if table.input_limit - table.tail < _CONFIG_ROWS_MAX:
            _settle(recovered)
        name = change.items[rows.ITEM_NAME]
        if change.kind == rows.ACCOUNT and not accounts.number(name):
            recovered.new_accounts.append(name.decode())
        row = table.append_input(change.kind, words=change.words, items=change.items)
        registry.apply(table, row)
    if is_over:
        # The first of all, or one that ended while no gateway ran.
        _settle(recovered)
        words = {rows.W_DAY: calendar.day_after(registry.day, table.time_ns)}
        registry.apply(table, table.append_input(rows.DAY, words=words))
    _settle(recovered)
    for told in recovered.streams.changes(loaded.config.stream, accounts, registry.day):
        # Behind the expiries of the day that ended: they are its streams' last messages.
        table.append_input(rows.STREAM, flags=told.flags, words=told.words, items=told.items)
    _settle(recovered)
    # Ids and numbers that begin here must not begin again.
    recovered.journal.sync()
    recovered.journal.note_run()
    recovered.index.take_touched()


def _pass_over_numbers(recovered: Recovered, calendar: Calendar) -> None:
    """Let every session go on above all numbers that it may have been sent: none took less than a
    row, so there are no more of them than rows.

    Before the engine runs: what it has to finish is told by new numbers, too.
    """
    table, engine, registry = recovered.journal.table, recovered.engine, recovered.registry
    if registry.day:
        # Numbers of those that have them by the day begin anew with its new id.
        words = {rows.W_DAY: calendar.day_after(registry.day, recovered.last_ns)}
        row = table.append_input(rows.DAY, flags=rows.F_SAME_DAY, words=words)
        registry.apply(table, row)
        for told in recovered.streams.anew(registry.day):
            table.append_input(rows.STREAM, flags=told.flags, words=told.words, items=told.items)
    for session, _key in registry.sessions():
        if not engine.reports.sessions[session * SESSION_WORDS + S_FLAGS] & rows.SESSION_FIX:
            continue
        if table.input_limit - table.tail < _CONFIG_ROWS_MAX:
            _settle(recovered)
        words = {rows.W_NEXT_OUT: engine.next_out(session) + recovered.passed_over}
        table.append_input(rows.ADVANCE, session, words=words)


def _settle(recovered: Recovered) -> None:
    """Run the engine until all is done, what the last process left unfinished included."""
    state = RUN_MORE
    while state != RUN_DONE:
        first = recovered.journal.table.batch_first
        state = recovered.engine.run()
        last = recovered.journal.seal()
        if last:
            recovered.index.observe(first, last)
            recovered.streams.observe(first, last)
