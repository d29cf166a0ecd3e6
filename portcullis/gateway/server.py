"""The gateway process: listens, serves, and stops in order.

Owns the event loop's listener and timer, and the connections. What a start recovers is in
`startup`, which peers there are in `fix_peers`, what a turn does in `turn`. The one other process
of a running gateway is the helper that makes journal segments, which `journal.writer` starts and
replaces; the back office is one more child (`back_office_watch`), never a thread in here.

Exit codes: 0 stopped, 2 configuration or an address in use, 3 the journal (full to the last
reserved row, too), 70 a fault of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import socket
import termios
from array import array
from collections import deque
from collections.abc import Callable, Mapping

from portcullis.gateway.admission import Admission
from portcullis.gateway.auth import PasswordChecker
from portcullis.gateway.authenticator import AuthenticatorError
from portcullis.gateway.back_office_watch import BackOfficeWatch
from portcullis.gateway.capture import Capture
from portcullis.gateway.config import ConfigError, Loaded
from portcullis.gateway.connection import Connection, Gate, Peer
from portcullis.gateway.deadlines import Deadlines
from portcullis.gateway.event_log import EventLog, Throttled
from portcullis.gateway.fix_gate import FixGate
from portcullis.gateway.fix_peer import Surroundings
from portcullis.gateway.fix_peers import FixPeers
from portcullis.gateway.journal_sync import JournalSync
from portcullis.gateway.listener import Listener
from portcullis.gateway.multicast import Multicast
from portcullis.gateway.operator import Operator
from portcullis.gateway.operator_port import OperatorPort
from portcullis.gateway.ouch_gate import OuchGate
from portcullis.gateway.quarantine import Quarantine
from portcullis.gateway.startup import Recovered
from portcullis.gateway.trading_day import Calendar, TradingDay
from portcullis.gateway.turn import Turn
from portcullis.journal import rows
from portcullis.journal.errors import JournalError, JournalFullError

EXIT_STOPPED = 0
EXIT_JOURNAL = 3
EXIT_FATAL = 70
_TIMER_S = 0.05  # heartbeats are seconds apart, and the journal is synced at most so often
_SECOND_NS = 1_000_000_000
_SPARE_DESCRIPTORS = 256  # for the journal, the log, pipes and what Python opens


class Server:
    """A gateway that has recovered; `run` serves until it is told to stop.

    quarantine: where the session that caused a fatal fault is remembered.
    """

    def __init__(
        self, loaded: Loaded, recovered: Recovered, log: EventLog, quarantine: Quarantine
    ) -> None:
        self.config = loaded.config
        limits = self.config.limits
        self.log = log
        self.buffer = memoryview(bytearray(limits.read_bytes))
        self.write_high_water: int = limits.write_high_water
        self.capture: Capture | None = None
        self.opening_bytes_max: int = 2 * limits.message_bytes
        self.exit_code = EXIT_STOPPED
        self._loop = asyncio.get_running_loop()
        self._quarantine = quarantine
        self._sync = JournalSync(recovered.journal, self._fatal)
        self.turn = Turn(
            recovered.journal,
            recovered.engine,
            recovered.index,
            call_soon=self._loop.call_soon,
            start_sync=self._sync.start,
            fatal=self._fatal,
            fault=self._output_failed,
            resend_bytes=limits.resend_bytes,
        )
        kept = self.config.capture
        if kept.enabled:
            folder = recovered.journal.directory
            self.capture = Capture(
                folder,
                self.turn,
                log,
                self.buffer,
                file_bytes=kept.file_bytes,
                files=kept.files,
            )
        self.day = TradingDay(
            Calendar(self.config.day), self.turn, recovered.registry.day_began_ns
        )
        self.day.on_roll.append(lambda day: log.emit("day", day=day))
        self._tls = None
        if self.config.listen.fix_tls is not None:
            self._tls = loaded.files.tls(self.config.tls)
        self._admission = Admission(limits)
        self._passwords = PasswordChecker(
            waiting_max=limits.credential_checks,
            waiting_per_address_max=limits.credential_checks_per_address,
        )
        # What strangers do reaches the log now and then.
        self._door_log = Throttled(log)
        self.deadlines = Deadlines()
        shared = Surroundings(self.turn, log, self.deadlines, self.config.journal.reserve_rate)
        self._peers = FixPeers(shared, loaded, recovered, quarantine.keys(), self.buffer)
        self._gate = FixGate(
            self._peers.first_scanner,
            self._peers,
            self._admission,
            self._passwords,
            self.turn,
            self._door_log,
        )
        self._ouch = OuchGate(
            shared,
            loaded,
            recovered,
            quarantine.keys(),
            self.buffer,
            self._admission,
            self._passwords,
            self._peers.cancels,
            self._door_log,
        )
        # The back office, if one is to run. Set before `run`.
        self.back_office: BackOfficeWatch | None = None
        # The streams of reports, if there are any. Set before `run`.
        self.multicast: Multicast | None = None
        told: dict[str, Callable[[], object]] = {
            "connections": lambda: len(self._connections),
            "back_office": lambda: self.back_office.state() if self.back_office else None,
            "streams": lambda: self.multicast.state() if self.multicast else [],
        }
        self._operator = Operator(
            self.turn, self.day, self._peers, self._ouch, quarantine, told, log
        )
        self._operator_port = OperatorPort(recovered.journal.directory, self._operator.handle)
        self._troubles: set[str] = set()
        # In the order they came, so that a run that is repeated takes the same turns.
        self._connections: dict[Connection, None] = {}
        # Those that have not logged on, oldest first, and those that are to go.
        self._strangers: dict[Connection, None] = {}
        self._leaving: deque[Connection] = deque()
        # Whom a fatal fault is laid to.
        self._speaker: Peer | None = None
        self._stopping = asyncio.Event()
        self._gone = asyncio.Event()
        self._next_second_ns = 0

    # --- serving ---------------------------------------------------------------------------------

    async def run(self, bound: Mapping[str, socket.socket]) -> int:
        """Serve on bound sockets, by their keys of [listen]; give the exit code once stopped.

        ConfigError, once stopped: another process listens on one of them by now.
        """
        self._allow_descriptors()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop)
        self._loop.add_signal_handler(signal.SIGUSR1, self._tell_state)
        self._loop.set_exception_handler(self._on_stray_error)
        self._peers.cancels.start(self.turn.begin())
        await self._operator_port.start()
        for authenticator in self._peers.authenticators.values():
            try:
                await authenticator.start()
            except AuthenticatorError as error:  # the others trade; each Logon tries again
                self.log.emit("authenticator_failed", error=str(error))
        listeners = [self._listener(key, one) for key, one in bound.items()]
        self._timer = self._loop.call_later(_TIMER_S, self._on_timer)
        refused = None
        try:
            for listener in reversed(listeners):  # who sees the first door open finds all open
                listener.start()
        except ConfigError as error:
            refused = error
            self.stop()
        try:
            await self._stopping.wait()
            for listener in listeners:
                listener.close()
            await self._say_goodbye()
        finally:
            for listener in listeners:
                listener.close()
            self._operator_port.close()
            self._passwords.close()
            for authenticator in self._peers.authenticators.values():
                await authenticator.close()
        # The loop may turn once more: nothing is to begin, above all no other back office.
        self._timer.cancel()
        self._close_journal()
        if self.capture is not None:
            self.capture.write()
            self.capture.close()
        if self.back_office is not None:
            self.back_office.close()
        if refused is not None:
            raise refused
        return self.exit_code

    def _listener(self, key: str, bound: socket.socket) -> Listener:
        gate: Gate = self._ouch if key == "ouch" else self._gate
        return Listener(
            bound,
            lambda place: Connection(self, gate, place),
            self._admission,
            self._door_log,
            tls=self._tls if key == "fix_tls" else None,
            timeout_s=self.config.limits.logon_timeout / _SECOND_NS,
        )

    def stop(self) -> None:
        """Begin to stop; a second time: do not wait for clients."""
        if self._stopping.is_set():
            self._gone.set()
        self._stopping.set()

    async def _say_goodbye(self) -> None:
        """Log everybody out, and wait for them within bounds."""
        self.log.emit("stopping", connections=len(self._connections))
        now_ns = self.turn.begin()
        for connection in list(self._strangers):
            connection.abort()
        for peer in self._peers:
            peer.logout("Gateway is stopping", now_ns)
        self._ouch.close("the gateway is stopping", now_ns)
        if self._connections:
            limit_s = self.config.limits.stop_timeout / _SECOND_NS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), limit_s)
        for connection in list(self._connections):
            connection.abort()
        while self._connections:  # a turn or two, until their ends have been told
            await asyncio.sleep(0)

    def _close_journal(self) -> None:
        """The last rows, sealed and synced, once the thread has no work in hand any more."""
        self._sync.close()
        self.turn.begin()
        self.turn.settle()
        self._ouch.tell_unsaid()
        self.turn.append(rows.STOP)
        self.turn.settle()
        last_row = self.turn.journal.sealed_row
        if self.multicast is not None:
            self.multicast.close()
        self.turn.journal.close()
        self.log.emit("stopped", last_row=last_row)

    def _tell_state(self) -> None:
        """SIGUSR1: one line of what the gateway holds. Takes a while: every id is looked at."""
        self.turn.settle()
        self.log.emit(
            "state",
            state=f"{self.turn.engine.state_hash():016x}",
            last_row=self.turn.journal.sealed_row,
            synced_row=self.turn.journal.synced_row,
            connections=len(self._connections),
        )

    # --- time ------------------------------------------------------------------------------------

    def _on_timer(self) -> None:
        self._timer = self._loop.call_later(_TIMER_S, self._on_timer)
        now_ns = self.turn.begin()
        step_ns = self.turn.watch_clock()
        if step_ns:
            self._go_on_after(step_ns)
        self.deadlines.run(now_ns)
        self.day.tick(now_ns)
        if 0 < self.turn.engine.expires_ns <= now_ns:
            self.turn.append(rows.EXPIRE)
        self._ouch.tell_unsaid()
        if self.multicast is not None:
            self.multicast.tick(now_ns)
        for connection in list(self._strangers):
            if connection.deadline_ns > now_ns:
                break  # oldest first
            self._door_log.emit("logon_timeout", host=connection.place.host)
            connection.abort()
        while self._leaving and self._leaving[0].deadline_ns <= now_ns:
            connection = self._leaving.popleft()
            if connection in self._connections:
                connection.abort()
        self.turn.sync()
        if self.capture is not None:
            self.capture.write()
        if now_ns >= self._next_second_ns:
            self._next_second_ns = now_ns + _SECOND_NS
            self._watch()
            self._peers.cut_slow(self.config.limits.max_lag)
            self._ouch.cut_slow(self.config.limits.max_lag)
            self.log.drain()

    def _watch(self) -> None:
        """Once a second: the back office, and what is amiss, said when it begins and ends."""
        if self.back_office is not None:
            self.back_office.tick()
        if not self.turn.has_rows:
            self.turn.journal.look_for_room()
        if gone := self.turn.journal.take_pruned():
            self._loop.run_in_executor(None, self.turn.journal.release, gone)
        self.turn.index.forget()
        found = {trouble["text"] for trouble in self._operator.troubles()}
        for text in sorted(found - self._troubles):
            self.log.emit("trouble", text=text)
        for text in sorted(self._troubles - found):
            self.log.emit("trouble_over", text=text)
        self._troubles = found

    def _go_on_after(self, step_ns: int) -> None:
        """Somebody set the clock by so much: time-outs run on as if nobody had."""
        self._next_second_ns += step_ns
        for connection in (*self._strangers, *self._leaving):
            connection.deadline_ns += step_ns
        for peer in self._peers:
            peer.session.pass_over(step_ns)
        self._ouch.pass_over(step_ns)
        self._peers.cancels.pass_over(step_ns)

    # --- connections (see connection.Hub) --------------------------------------------------------

    def opened(self, connection: Connection) -> bool:
        self._connections[connection] = None
        self._strangers[connection] = None
        connection.deadline_ns = self.turn.now_ns + self.config.limits.logon_timeout
        return not self._stopping.is_set()

    def authenticated(self, connection: Connection) -> None:
        self._strangers.pop(connection, None)
        self._admission.authenticated(connection.place)

    def closing(self, connection: Connection) -> None:
        connection.deadline_ns = self.turn.now_ns + self.config.limits.close_timeout
        self._leaving.append(connection)

    def closed(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._strangers.pop(connection, None)
        self._admission.release(connection.place)
        if not self._connections and self._stopping.is_set():
            self._gone.set()

    def unacknowledged(self, transport: asyncio.Transport) -> int:
        waiting = array("i", [0])
        number = transport.get_extra_info("socket").fileno()
        fcntl.ioctl(number, termios.TIOCOUTQ, waiting, True)
        return transport.get_write_buffer_size() + waiting[0]

    def failed(self, connection: Connection, error: BaseException) -> None:
        peer = connection.peer
        if self.turn.has_rows:
            self._speaker = peer
            self._fatal(error)
            return
        self.log.emit(
            "fault",
            session=peer.key if peer else "",
            error=repr(error),
            host=connection.place.host,
        )
        connection.abort()

    def _output_failed(self, session: int, error: Exception) -> None:
        """A session cannot be sent what it is owed: drop its connection."""
        self.log.emit("fault", session=self._peers.key_of(session), error=repr(error))
        for connection in self._connections:
            if connection.peer is not None and connection.peer.store.session == session:
                connection.abort()

    # --- the end that nobody wants ---------------------------------------------------------------

    def _on_stray_error(
        self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]
    ) -> None:
        """An exception left a callback of the loop: a timer, the end of a connection."""
        error = context.get("exception")
        if self.turn.has_rows and isinstance(error, BaseException):
            self._fatal(error)
        self.log.emit("fault", error=repr(error), what=context.get("message"))

    def _fatal(self, error: BaseException) -> None:
        """Rows stand that nobody can vouch for: say so, let nothing out, and end the process."""
        turn, key, number, code, kept = self.turn, "", 0, EXIT_FATAL, ""
        if isinstance(error, JournalFullError):
            code = EXIT_JOURNAL
        else:
            if not isinstance(error, (JournalError, OSError)):  # which are nobody's message
                speaker = self._speaker.store.session if self._speaker else 0
                session, number = turn.message_at_work(speaker)
                key = self._peers.key_of(session)
            try:
                kept = str(self._quarantine.put(key, turn.table.batch_first, error, number))
            except OSError as trouble:
                kept = f"could not be written: {trouble.strerror}"
        if self.capture is not None:
            self.capture.write()
        self.log.emit("fatal", error=repr(error), session=key, quarantine=kept)
        self._end(code)

    def _end(self, code: int) -> None:
        self.log.close()
        os._exit(code)

    def _allow_descriptors(self) -> None:
        """Ask for as many open files as connections may need."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.config.limits.connections + _SPARE_DESCRIPTORS
        if soft < wanted:
            granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
            if granted < wanted:
                self.log.emit("few_descriptors", wanted=wanted, granted=granted)
