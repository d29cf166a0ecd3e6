"""`portcullis serve`: runs the gateway in the foreground until it is told to stop.

Owns the order in which a start may fail and the exit code of each failure: configuration before
anything is touched, the address before the journal is opened, the journal before anybody can
connect. What it says goes to standard error as one line for a person; the event log is JSON.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

import click
import uvloop

from portcullis import __version__, _build
from portcullis.gateway.back_office_watch import BackOfficeWatch, RefillSockets
from portcullis.gateway.config import ConfigError, Loaded, load
from portcullis.gateway.config_values import Address
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.listener import begin, listen, listen_datagrams
from portcullis.gateway.multicast import Multicast, open_outlets
from portcullis.gateway.quarantine import Quarantine
from portcullis.gateway.server import Server
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal.errors import JournalError

EXIT_CONFIG = 2
EXIT_JOURNAL = 3
# The back office of a gateway that was killed holds its sockets until it has noticed; on a machine
# with much else to do that takes seconds.
_LET_GO_S = 20.0


@click.command(name="serve")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Configuration, TOML. Default: one embedded, on loopback.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Data directory. Default: as the configuration says.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Cut a damaged journal at the damage. What came after it is lost.",
)
def command(config_file: Path | None, data: Path | None, accept_loss: bool) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    Exit codes: 0 stopped, 2 configuration or address, 3 journal, 70 a fault of the gateway.
    """
    try:
        loaded = load(config_file)
        bound = _bind(loaded)
        control = _control(loaded)
        outlets = open_outlets(loaded)
        refills = _refills(loaded)
        log = _event_log(loaded)
    except ConfigError as error:
        _fail(EXIT_CONFIG, error)
    directory = data or loaded.path(loaded.config.gateway.data_dir)
    for path in directory.glob("*.sock"):
        if path.is_dir():  # a file or a socket left over is replaced
            _fail(EXIT_JOURNAL, f"{path} is a folder, where a socket of the gateway's has to be")
    try:
        recovered = recover(loaded, directory, accept_loss=accept_loss)
    except ConfigError as error:
        _fail(EXIT_CONFIG, error)
    except JournalError as error:
        _fail(EXIT_JOURNAL, error)
    except OSError as error:
        culprit = error.filename or directory
        _fail(EXIT_JOURNAL, f"{culprit} can't hold the gateway's data: {error.strerror}")
    quarantine = Quarantine(directory)

    async def serve() -> int:
        server = Server(loaded, recovered, log, quarantine)
        if outlets:
            server.multicast = Multicast(loaded, recovered, server.turn, server.day, outlets, log)
        if loaded.config.back_office.enabled:
            server.back_office = BackOfficeWatch(loaded, directory, control, refills, log)
        _greet(loaded, recovered, directory, bound, log, quarantine)
        # What stands now stands until the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        return await server.run(bound)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(serve())
    except ConfigError as error:
        _fail(EXIT_CONFIG, error)
    finally:
        log.close()
    sys.exit(code)


def _control(loaded: Loaded) -> socket.socket | None:
    """The control port's socket, bound here so that an address in use stops the start."""
    address = loaded.config.listen.control
    if not address or not loaded.config.back_office.enabled:
        return None
    return _listening(address)


def _listening(address: Address) -> socket.socket:
    """A socket for the back office: who connects before that has started waits for it."""
    taken = listen(address, wait_s=_LET_GO_S)
    begin(taken)
    return taken


def _refills(loaded: Loaded) -> RefillSockets:
    """The sockets of streams that the back office serves, bound here as the control port's."""
    if not loaded.config.back_office.enabled:
        return {}
    return {
        one.name: (
            listen_datagrams(one.retransmit, wait_s=_LET_GO_S) if one.retransmit else None,
            _listening(one.replay) if one.replay else None,
        )
        for one in loaded.config.stream
    }


def _fail(code: int, error: object) -> NoReturn:
    click.echo(f"portcullis: {error}", err=True)
    sys.exit(code)


def _bind(loaded: Loaded) -> dict[str, socket.socket]:
    """The addresses of [listen], taken; ConfigError where one can't be had."""
    settings = loaded.config.listen
    wanted = {"fix": settings.fix, "fix_tls": settings.fix_tls, "ouch": settings.ouch}
    return {key: listen(address) for key, address in wanted.items() if address is not None}


def _event_log(loaded: Loaded) -> EventLog:
    """The log the configuration asks for; ConfigError where its file can't be opened."""
    settings = loaded.config.log
    if settings.file is None:
        return EventLog(sys.stderr.fileno(), queue_max=settings.queue)
    try:
        return EventLog.to_file(loaded.path(settings.file), queue_max=settings.queue)
    except OSError as error:
        raise ConfigError(f"{loaded.source}: [log] key file: {error.strerror}") from None


def _greet(
    loaded: Loaded,
    recovered: Recovered,
    directory: Path,
    bound: dict[str, socket.socket],
    log: EventLog,
    quarantine: Quarantine,
) -> None:
    """Say where the gateway listens and what it found: a line for people, one for the log."""
    report = recovered.journal.report
    places = {key: "{}:{}".format(*one.getsockname()[:2]) for key, one in bound.items()}
    where = places["fix"]
    where += f", over TLS on {places['fix_tls']}" if "fix_tls" in places else ""
    where += f", for OUCH on {places['ouch']}" if "ouch" in places else ""
    click.echo(
        f"portcullis {__version__} ({_build.mode()}) listens for FIX on {where}, "
        f"data in {directory}, {report.rows:,} rows recovered in {recovered.seconds:.1f} s",
        err=True,
    )
    if _build.is_pure():
        click.echo(
            "portcullis: not compiled, 20 to 60 times slower; `make build` compiles", err=True
        )
    if warning := _build.stale_warning():
        click.echo(f"portcullis: {warning}", err=True)
    log.emit(
        "started",
        version=__version__,
        mode=_build.mode(),
        process=os.getpid(),
        **places,
        data=str(directory),
        rows=report.rows,
        batches=report.batches,
        last_row=report.last_row,
        snapshot_row=recovered.snapshot_row,
        clean_stop=report.clean_stop,
        seconds=round(recovered.seconds, 3),
    )
    if report.cut_row:
        log.emit("journal_cut", found=str(report))
    for text in recovered.refused_snapshots:
        log.emit("snapshot_refused", text=text)
    if recovered.loss:
        log.emit("loss", text=recovered.loss, row_numbers_passed_over=recovered.passed_over)
    if recovered.new_accounts:
        log.emit("accounts_new", accounts=recovered.new_accounts)
    for key in sorted(quarantine.keys()):
        log.emit("quarantined", session=key, note="remove its file in quarantine/ to release it")
