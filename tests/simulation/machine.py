"""The machine that a simulated gateway runs on: starts it, kills it, fails under it.

Owns one gateway process at a time and the folder that is its disk. The gateway is the one that
`portcullis serve` runs, `startup.recover` and `server.Server`; what stands in for the world around
it is its event loop, its disk, and the clocks. It can die between any two events, and at each use
of network or disk. Beside it a replica writes snapshots, as the back office has it do.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from portcullis.gateway import views
from portcullis.gateway.config import Loaded
from portcullis.gateway.event_log import EventLog
from portcullis.gateway.multicast import Multicast, Outlet
from portcullis.gateway.operator_port import OperatorError, Request
from portcullis.gateway.quarantine import Quarantine
from portcullis.gateway.registry import LIMITS
from portcullis.gateway.replica import Replica
from portcullis.gateway.saved_state import ENGINE_VERSION, latest, make_engine, start_of
from portcullis.gateway.server import Server
from portcullis.gateway.startup import Recovered, recover
from portcullis.journal import index_files
from portcullis.journal.fills import NoMatchError, find_match
from portcullis.journal.replay import replay
from portcullis.journal.rows import ROW_BYTES, W_SEAL_B
from portcullis.journal.segments import HEADER_BYTES, segment_path
from portcullis.journal.snapshots import KEPT, list_snapshots, snapshot_row
from portcullis.journal.tail import JournalTail
from portcullis.journal.writer import Journal
from tests.simulation.disk import SimulatedDisk
from tests.simulation.ledger import Deed, Live
from tests.simulation.network import Client, Link, ListeningSocket, Weather
from tests.simulation.process import SimulatedLoop
from tests.simulation.subscriber import SimulatedLine, SimulatedSubscriber
from tests.simulation.world import MILLISECOND_NS, SECOND_NS, Violation, World

# Of the sessions' index that a replica looks after each time.
_INDEX_FILES = 20


class _Killed(BaseException):
    """The process was killed at this moment."""


class _PoisonError(Exception):
    """A message brings the gateway down."""


class SimulatedServer(Server):
    """The gateway's server, where it asks the system for what a simulation has otherwise."""

    def __init__(self, *parts: Any, fatal: Callable[[BaseException], None]) -> None:
        self._told_fatal = fatal
        super().__init__(*parts)

    def unacknowledged(self, transport: asyncio.Transport) -> int:
        return transport.unacknowledged  # type: ignore[attr-defined,no-any-return]

    def _fatal(self, error: BaseException) -> None:
        if not self._loop.is_dead:  # type: ignore[attr-defined]
            self._fatal_error = error
            super()._fatal(error)

    def _end(self, code: int) -> None:
        self._told_fatal(self._fatal_error)

    def _allow_descriptors(self) -> None:
        """There are none."""


class SimulatedQuarantine(Quarantine):
    """Remembers whom it has to keep out, and of whom a loss of power may leave either."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.data)
        self._machine = machine

    def put(self, key: str, batch_row: int, error: BaseException, number: int = 0) -> Path:
        kept = super().put(key, batch_row, error, number)
        self._note(key, self._machine.kept_out.add)
        return kept

    def release(self, key: str) -> Path:
        kept = super().release(key)
        self._note(key, self._machine.kept_out.discard)
        return kept

    def _note(self, key: str, note: Callable[[str], None]) -> None:
        name = client_of(key)
        if self._machine.is_powerless:
            self._machine.perhaps_out.add(name)
        elif name:
            note(name)


def client_of(key: str) -> str:
    """The client of a session's key."""
    return re.split("[>:]", key)[-1]


@dataclass
class Running:
    """A gateway process."""

    loop: SimulatedLoop
    recovered: Recovered
    server: SimulatedServer
    task: asyncio.Task[int]
    log: EventLog
    doors: dict[str, ListeningSocket]


class Machine:
    """loaded: the gateway's configuration. folder: for all that it writes."""

    def __init__(self, world: World, loaded: Loaded, folder: Path, weather: Weather) -> None:
        self.weather = weather
        self.running: Running | None = None
        self.subscribers = [SimulatedSubscriber(one.name, world) for one in loaded.config.stream]
        # Why the process ended by itself; None: it did not.
        self.ended_by: BaseException | None = None
        # Up to this row all was on disk, as the gateway said, when the power failed last.
        self.synced_row = 0
        self.sync_ns_max = 2 * MILLISECOND_NS
        # Syncs so far, and before which of them the power fails; 0: before none.
        self.syncs = self.cut_at_sync = 0
        self.starts = self.snapshot_starts = self.kills = self.power_losses = self.losses = 0
        # Rows of the snapshots that stand, newest last, with their seals; those of them in which a
        # bit has turned.
        self.snapshots: dict[int, int] = {}
        self._spoilt: set[int] = set()
        # Clients that are kept out since a message of theirs was a fault; power may have failed
        # as these became so, or were released.
        self.kept_out: set[str] = set()
        self.perhaps_out: set[str] = set()
        # Uses of the disk until a follower dies; 0: it does not.
        self._follower_dies_in = 0
        # A fault that is due after so many uses of network and disk.
        self._fault_in = 0
        self._fault: Callable[[], None] | None = None
        self._world = world
        self._loaded = loaded
        self._folder = folder
        self._boots = 0
        self._is_starting = False
        self._next_data: Path | None = None
        # Connections of this process.
        self._links: list[Link] = []
        self.data = folder / "data-0"
        self.data.mkdir(parents=True)
        self._new_disk()
        world.fsync = self._fsync

    def _fsync(self, descriptor: int) -> None:
        if self._follower_dies_in:
            self._follower_dies_in -= 1
            if not self._follower_dies_in:
                raise _Killed
        self.disk.fsync(descriptor)

    def _new_disk(self) -> None:
        chance = self._world.random
        self._boots += 1
        self.disk = SimulatedDisk(
            self._world,
            self.data,
            boot=b"%016d" % self._boots,
            moment=self._moment,
            make_ns=lambda: chance.randrange(50 * MILLISECOND_NS),
            before_sync=self._before_sync,
        )

    def _before_sync(self) -> None:
        self.syncs += 1
        if self.syncs == self.cut_at_sync and not self.has_died:
            self.lose_power(lucky=False)

    # --- starting and stopping -------------------------------------------------------------------

    def start(self, *, accept_loss: bool = False) -> Recovered | None:
        """Start the gateway; None: it was killed before it was up. JournalError: see `recover`."""
        self.ended_by = None
        chance = self._world.random
        loop = SimulatedLoop(self._world, lambda: chance.randrange(self.sync_ns_max), self._moment)
        asyncio._set_running_loop(loop)
        log = EventLog.to_file(self._folder / "events.log")
        self.starts += 1
        self._is_starting = True
        try:
            recovered = recover(self._loaded, self.data, accept_loss=accept_loss, disk=self.disk)
        except BaseException as error:
            log.close()
            if not isinstance(error, _Killed):
                raise
            self._bury()
            return None
        finally:
            self._is_starting = False
        server = SimulatedServer(
            self._loaded, recovered, log, SimulatedQuarantine(self), fatal=self._fatal
        )
        self._check_start(recovered)
        outlets = []
        for settings, subscriber in zip(self._loaded.config.stream, self.subscribers, strict=True):
            subscriber.may_miss = True
            line = SimulatedLine(subscriber, loop)
            outlets.append(Outlet(settings, [line]))  # type: ignore[list-item]
        turn, day = server.turn, server.day
        server.multicast = Multicast(self._loaded, recovered, turn, day, outlets, log)
        doors = {"fix": ListeningSocket(), "ouch": ListeningSocket()}
        task = loop.create_task(server.run(doors))  # type: ignore[arg-type]
        self.running = Running(loop, recovered, server, task, log, doors)
        return recovered

    def _check_start(self, recovered: Recovered) -> None:
        """It began at the newest snapshot that is good, and keeps out whom it has to."""
        table, used = recovered.journal.table, recovered.snapshot_row
        # Where the row is lost, another may have come to its place.
        self.snapshots = {
            row: seal
            for row, seal in self.snapshots.items()
            if row < table.tail and table.word(row, W_SEAL_B) == seal
        }
        newest = max((row for row in self.snapshots if row not in self._spoilt), default=0)
        if used < newest or used in self._spoilt:
            raise Violation(
                f"it began at snapshot {used}, {newest} is the newest good one, spoilt are "
                f"{self._spoilt}: {recovered.refused_snapshots}"
            )
        self.snapshot_starts += bool(used)
        kept_out = {client_of(key) for key in Quarantine(self.data).keys()}
        if (kept_out ^ self.kept_out) - self.perhaps_out:
            raise Violation(f"{kept_out} are kept out, and {self.kept_out} were to be")
        self.kept_out, self.perhaps_out = kept_out, set()

    @property
    def is_powerless(self) -> bool:
        """Whether the power has failed under what still runs."""
        return self._next_data is not None

    @property
    def has_died(self) -> bool:
        """Whether the process has ended otherwise than by `stop`: `bury` it."""
        return self.running is not None and self.running.loop.is_dead

    def connect(self, client: Client, door: str) -> Link | None:
        """A connection to the gateway, or None where nobody listens."""
        link = Link(self._world, self.weather, client)
        if self.running is None or not self.running.doors[door].knock(link):
            return None
        self._links.append(link)
        return link

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        running = self.running
        assert running is not None
        running.loop.signal_handlers[signal.SIGTERM]()
        ended = self._world.run_until(lambda: running.task.done() or self.has_died, 60 * SECOND_NS)
        if not ended:
            raise Violation("the gateway did not stop within a minute")
        if not self.has_died and running.task.result() != 0:
            raise Violation(f"the gateway stopped with {running.task.result()}")
        running.loop.die()
        self.bury()

    def kill(self) -> None:
        """SIGKILL: what was written stays, as the pages are the system's."""
        self.kills += 1
        self._die(20 * MILLISECOND_NS)

    def lose_power(self, *, lucky: bool = True) -> None:
        """The machine stops, and boots again: what was not synced is there or not, not lucky: is
        gone."""
        self.power_losses += 1
        if self.running is not None:
            self.synced_row = self.running.recovered.journal.synced_row
        self._next_data = self._folder / f"data-{self._boots}"
        self.disk.fail(self._next_data, self._world.random, lucky=lucky)
        self._die(5 * SECOND_NS)

    def _die(self, learn_ns: int) -> None:
        """From this moment on, nobody hears of the process any more."""
        if self._is_starting:
            raise _Killed
        assert self.running is not None
        self.running.loop.die()
        for link in self._links:
            link.break_down(server_learns=False, delay_ns=learn_ns)

    def bury(self) -> None:
        """The process has died: let go of what Python still holds of it."""
        running, self.running = self.running, None
        if running is not None:
            running.task.cancel()
            running.loop.wind_up()
            running.task.get_coro().close()  # it may never have begun
            running.recovered.journal.abandon()
            running.log.close()
        self._bury()

    def abandon(self) -> None:
        """Whatever runs, let go of it: the run is over."""
        if self.running is not None:
            self.running.loop.die()
            self.bury()
        self.disk.close()

    def _bury(self) -> None:
        self.running = None
        self._fault = None
        self._links.clear()
        asyncio._set_running_loop(None)
        if self._next_data is not None:
            left = {path.name for path in list_snapshots(self._next_data)}
            for path in list_snapshots(self.data):
                if snapshot_row(path) in self.snapshots and path.name not in left:
                    raise Violation(f"{path.name} was on disk, and is lost")
            self.disk.close()
            shutil.rmtree(self.data)
            self.data, self._next_data = self._next_data, None
            self._new_disk()

    def _fatal(self, error: BaseException) -> None:
        self.ended_by = error
        self._die(20 * MILLISECOND_NS)

    # --- operators -------------------------------------------------------------------------------

    def operate(self, do: str, **args: int | str) -> bool:
        """Have an operator's command done; False: the gateway says why it can't be, or is down,
        which may mean either."""
        if self.running is None or self.has_died:
            return False
        request = Request(do=do, who="ann", why="simulated", args=args)
        try:
            self.running.server._operator.handle(request)
        except (OperatorError, _PoisonError):
            return False
        return not self.has_died

    def amend(self, exec_id: int, *, qty: int = 0, price: int = 0) -> Deed | None:
        """Have the trade of a fill busted, or corrected where a quantity is given; None: it can't
        be."""
        if self.running is None or self.has_died:
            return None
        try:
            match = find_match(self.data, exec_id)
        except NoMatchError:
            return None
        first, second = match.sums
        known = {"match": match.number, "looked_to": match.last_row}
        new = {"qty": qty, "price": price} if qty else {}
        do = "correct" if qty else "bust"
        if not self.operate(do, **known, sum=first, other_sum=second, **new):
            return None
        return Deed(self.running.recovered.journal.sealed_row, qty, price)

    def is_let_in(self, client: str) -> bool:
        """Whether a client is logged on."""
        if self.running is None or self.has_died:
            return False
        operator = self.running.server._operator
        sessions = [(one.client, one) for one in operator._peers]
        sessions += [(one.name, one) for one in operator._users]
        return any(name == client and one.is_connected for name, one in sessions)

    def numbers(self, client: str) -> tuple[int, int] | None:
        """The next number of a FIX session's client, and ours; None: the gateway is down."""
        if self.running is None or self.has_died:
            return None
        (peer,) = (one for one in self.running.server._peers if one.client == client)
        return peer.store.next_in, peer.store.next_out

    # --- faults that come at a moment ------------------------------------------------------------

    def arrange(self, uses: int, fault: Callable[[], None]) -> None:
        """Have a fault come after so many uses of network and disk."""
        self._fault_in, self._fault = uses, fault

    def _moment(self) -> None:
        if self._fault is None or self.has_died:
            return
        self._fault_in -= 1
        if self._fault_in <= 0:
            fault, self._fault = self._fault, None
            fault()

    def poison(self) -> None:
        """Have the next batch that brings a message be a fault."""
        if self.running is None or self.has_died:
            return
        journal, turn = self.running.recovered.journal, self.running.server.turn
        seal = journal.seal

        def fail(time_ns: int = 0) -> int:
            if not turn.message_at_work()[0]:
                return seal(time_ns)
            raise _PoisonError

        journal.seal = fail  # type: ignore[method-assign]

    def heal(self) -> None:
        """No message is a fault any more."""
        if self.running is not None:
            vars(self.running.recovered.journal).pop("seal", None)

    @property
    def is_poisoned(self) -> bool:
        """Whether such a message is what the process has ended by."""
        return isinstance(self.ended_by, _PoisonError)

    def take_snapshot(self, *, lies: bool = False, dies_in: int = 0) -> None:
        """Have a replica write a snapshot, from the newest one on.

        lies: the disk says that it has rows which it has not. dies_in: see `_follower_dies_in`.
        """
        config = self._loaded.config
        sizes = {key: getattr(config.limits, key) for key in LIMITS}
        replica = Replica(self.data, sizes, days_kept=config.day.sessions_kept)
        tail = JournalTail(self.data, replica.next_row)
        while replica.poll(tail):
            pass
        for _ in range(_INDEX_FILES):
            replica.poll(tail)
        if replica.last_row == replica.snapshot_row:
            return
        self.disk.lies, self._follower_dies_in = lies, dies_in
        try:
            path = replica.save(tail)
        except _Killed:
            return
        finally:
            self.disk.lies, self._follower_dies_in = False, 0
        if not self.is_powerless:
            row = snapshot_row(path)
            assert self.running is not None
            self.snapshots[row] = self.running.recovered.journal.table.word(row, W_SEAL_B)
            self.snapshots = dict(sorted(self.snapshots.items())[-KEPT:])
            self._spoilt.discard(row)

    def spoil_snapshot(self) -> None:
        """Turn a bit of the newest snapshot."""
        for path in list_snapshots(self.data)[-1:]:
            if snapshot_row(path) not in self._spoilt:  # else it might turn back
                self._spoil(path)
                self._spoilt.add(snapshot_row(path))

    def spoil_index(self) -> None:
        """Turn a bit of a file of the sessions' index, or cut its end off."""
        paths = sorted((self.data / index_files.FOLDER).glob("*.index"))
        if paths:
            path = self._world.random.choice(paths)
            self._spoil(path)
            if self._world.random.random() < 0.3:
                os.truncate(path, path.stat().st_size // 2)

    def _spoil(self, path: Path) -> None:
        """Turn a bit of a file, among those that stand for anything."""
        chance, octets = self._world.random, bytearray(path.read_bytes())
        if not any(octets):
            return  # the power has taken all of it
        at = chance.randrange(len(octets))
        while not octets[at]:
            at = (at + 1) % len(octets)
        octets[at] ^= 1 << chance.randrange(8)
        with path.open("rb+") as file:
            file.write(octets)
        self.disk.keep(path)

    def rows_to_read(self) -> range:
        """Rows that a start would read and that others stand behind, batches of them: the first
        half of what is behind the newest good snapshot."""
        sizes = {key: getattr(self._loaded.config.limits, key) for key in LIMITS}
        snapshot = latest(self.data, sizes, [])
        first = start_of(snapshot).next_row if snapshot else 1
        begins = [batch.first_row for batch in JournalTail(self.data, first).batches(1 << 30)]
        return range(first, begins[len(begins) // 2] if len(begins) > 3 else first)

    def turn_bit(self, row: int, bit: int) -> bool:
        """Turn a bit of a row as it is on disk; False: nothing was ever written there."""
        rows = self._loaded.config.journal.segment_rows
        at = HEADER_BYTES + (row - 1) % rows * ROW_BYTES
        with segment_path(self.data, (row - 1) // rows + 1).open("rb+") as file:
            file.seek(at)
            octets = bytearray(file.read(ROW_BYTES))
            is_written = any(octets)
            octets[bit // 8] ^= 1 << bit % 8
            if is_written:
                file.seek(at)
                file.write(octets)
        return is_written

    # --- what it knows ---------------------------------------------------------------------------

    def live(self) -> list[Live]:
        """The gateway's live orders."""
        assert self.running is not None
        recovered = self.running.recovered
        told = SimpleNamespace(
            engine=recovered.engine, registry=recovered.registry, table=recovered.journal.table
        )
        return [
            Live(
                shown["account"],
                shown["cl_ord_id"],
                shown["side"],
                round(float(shown["price"]) * 100),
                int(shown["leaves_qty"]),
                int(shown["cum_qty"]),
            )
            for shown in views.orders(told)  # type: ignore[arg-type]
        ]

    def check_book(self) -> None:
        """The best prices of the book do not cross."""
        assert self.running is not None
        book = self.running.recovered.engine.book
        bids, asks = book.depth(1, False), book.depth(1, True)
        if bids and asks and bids[0][0] >= asks[0][0]:
            raise Violation(f"the book is crossed: bid {bids[0]}, ask {asks[0]}")

    def replayed_hash(self) -> int:
        """The state hash of an engine that has run over the journal as it stands."""
        copy = self._folder / "replayed"
        shutil.copytree(self.data, copy, ignore=shutil.ignore_patterns("*.sock", "lock"))
        config = self._loaded.config
        nothing = SimulatedDisk(
            self._world, copy, boot=self.disk.boot_id(), moment=lambda: None, make_ns=lambda: 1
        )
        journal, batches = Journal.open(
            copy,
            segment_rows=config.journal.segment_rows,
            reserve_bytes=config.journal.address_space,
            engine_version=ENGINE_VERSION,
            disk=nothing,
        )
        try:
            tables = {key: getattr(config.limits, key) for key in LIMITS}
            engine = make_engine(journal.table, tables)
            for _ in replay(journal.table, engine, batches):
                pass
            return engine.state_hash()
        finally:
            journal.abandon()
            nothing.close()
            shutil.rmtree(copy)
