"""A run of the simulation: clients trade, everything goes wrong, and then all has to be right.

Owns the order of a run. It is made of episodes: clients trade in bad weather until something
happens to the gateway, it starts again, the weather clears, and when nothing is on its way any
more, the promises are looked at. All of it is a function of the seed, the number of messages and
the faults: a failure says them, and they repeat it.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from portcullis.gateway.config import Loaded, parse
from portcullis.journal import index_files
from portcullis.journal.errors import DamageError
from portcullis.journal.rows import BATCH_ROWS, ROW_BYTES, W_HEAD
from tests.simulation.configuration import FIX_NAMES, OUCH_NAMES, SCHEDULED, configuration
from tests.simulation.fix_client import SimulatedFixClient
from tests.simulation.ledger import Ledger
from tests.simulation.machine import Machine
from tests.simulation.network import Weather
from tests.simulation.ouch_client import SimulatedOuchClient
from tests.simulation.world import MILLISECOND_NS, MONDAY_NS, SECOND_NS, Violation, World
from tests.support.streams import stream_messages

# What can go wrong.
FAULTS = {
    "split": "bytes arrive in any pieces",
    "stall": "a connection stands still for a while",
    "drop": "a connection breaks, and both ends learn it",
    "vanish": "a connection breaks, and the gateway does not learn it",
    "kill": "the gateway is killed",
    "stop": "the gateway is stopped and started",
    "power": "the machine loses what was not synced",
    "flip": "a bit turns in a row that was on disk, and is restored",
    "full": "no further journal segment can be made",
    "slow": "the disk takes its time",
    "clock": "somebody sets the clock",
    "day": "a trading day ends, with the gateway up or down",
    "reset": "numbers begin anew: by 141=Y, or by a schedule",
    "mass": "clients send mass cancels and mass status requests",
    "operator": "an operator resets, sets numbers, disconnects, ends the day",
    "amend": "an operator busts and corrects trades",
    "poison": "a message brings the gateway down, and its client is kept out until released",
    "snapshot": "a replica writes snapshots and files of the index; it dies as it does, and the "
    "disk spoils or forgets them",
}
_EPISODE_MESSAGES = 3000
_BLOCK_ROWS = 4096  # of a file of the sessions' index: a run has some tens of thousands
_REST_NS = 300 * SECOND_NS
_TICK_NS = 500 * MILLISECOND_NS
# Numbers begin anew by schedule so many seconds after the world has begun, and at these times of
# every day.
_RESETS_S = (20, 45, 75, 120, 180, 240, 330, 420, 540, 900)
_DAY_S = 86_400


@dataclass(frozen=True)
class Plan:
    """What a run is a function of. sync: the journal's policy, "": as the seed has it."""

    seed: int
    messages: int
    faults: tuple[str, ...] = tuple(FAULTS)
    sync: str = ""
    # The power fails as this sync begins, and all since the one before is gone; 0: not so.
    cut: int = 0

    def command(self) -> str:
        """What repeats it."""
        text = f"python -m tests.simulation --seed {self.seed} --messages {self.messages}"
        if self.faults != tuple(FAULTS):
            text += f" --faults {','.join(self.faults) or 'none'}"
        text += f" --sync {self.sync}" if self.sync else ""
        return text + (f" --cut {self.cut}" if self.cut else "")


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    messages: int
    orders: int
    starts: int
    snapshot_starts: int
    amended: int
    kills: int
    power_losses: int
    losses: int
    days: int
    syncs: int
    transcript: str


class Failed(AssertionError):
    """A run failed; the text says why, and what repeats it."""


def simulate(plan: Plan, folder: Path) -> Result:
    """Run it. Failed says what went wrong. Files stand in `folder`, which must not be there."""
    simulation = Simulation(plan, folder)
    try:
        with (
            simulation.world.in_charge(),
            patch.object(index_files, "BLOCK_ROWS", _BLOCK_ROWS),
        ):
            result = simulation.run()
    except Exception as error:
        raise Failed(
            f"seed {plan.seed}: {error!r}\nat {simulation.world.messages} messages, episode "
            f"{simulation.episode}; to repeat it: {plan.command()}"
        ) from error
    finally:
        simulation.machine.abandon()
    shutil.rmtree(folder)
    return result


class Simulation:
    """One run. episode: for a person, where it is."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.episode = 0
        # On a Monday; late in the evening, where the day is to end soon.
        second = 86_400 - 5 if "day" in plan.faults else 43_200
        self.world = World(plan.seed, MONDAY_NS + second * SECOND_NS)
        self._chance = self.world.random
        self.sync = plan.sync or self._chance.choice(("batch", "interval", "interval", "none"))
        # Room for an id in each message of a run, and no more: uncompiled, hashing it takes long.
        ids = 1 << min(max(plan.messages.bit_length(), 12), 16)
        resets = [(second + after) % _DAY_S for after in _RESETS_S]
        self._resets_s = sorted(resets) if "reset" in plan.faults else []
        text = configuration(self.sync, ids, self._resets_s)
        self._loaded = Loaded(parse(text, "simulation.toml"), "simulation.toml", folder)
        self.weather = Weather()
        self.machine = Machine(self.world, self._loaded, folder, self.weather)
        self.machine.cut_at_sync = plan.cut
        self.ledger = Ledger()
        self.clients: list[SimulatedFixClient | SimulatedOuchClient] = [
            *(
                SimulatedFixClient(
                    name,
                    self.world,
                    self.ledger,
                    lambda one: self.machine.connect(one, "fix"),
                    self._last_reset if name == SCHEDULED else lambda _now_ns: 0,
                )
                for name in FIX_NAMES
            ),
            *(
                SimulatedOuchClient(
                    name, self.world, self.ledger, lambda one: self.machine.connect(one, "ouch")
                )
                for name in OUCH_NAMES
            ),
        ]
        for one in self._fix_clients():
            one.sends_mass = "mass" in plan.faults
        self._is_trading = False
        self._days: set[int] = set()
        self._turns = 0
        # Whether a start has said that rows were lost since clients were told so.
        self._was_told = False

    # --- a run -----------------------------------------------------------------------------------

    def run(self) -> Result:
        """All of it."""
        self._start_at_last()
        for client in self.clients:
            self._keep_ticking(client)
            self._keep_trading(client)
        while self.world.messages < self.plan.messages:
            self.episode += 1
            self._go_wrong()
            self._rest()
        syncs, self.machine.cut_at_sync = self.machine.syncs, 0
        self._compare_replay()
        self.machine.stop()
        self._start()
        self._rest()
        self.machine.stop()
        return Result(
            messages=self.world.messages,
            orders=sum(len(orders) for orders in self.ledger.orders.values()),
            starts=self.machine.starts,
            snapshot_starts=self.machine.snapshot_starts,
            amended=len(self.ledger.deeds),
            kills=self.machine.kills,
            power_losses=self.machine.power_losses,
            losses=self.machine.losses,
            days=len(self._days),
            syncs=syncs,
            transcript=self.world.transcript,
        )

    def _keep_ticking(self, client: SimulatedFixClient | SimulatedOuchClient) -> None:
        client.tick()
        delay_ns = self._chance.randrange(_TICK_NS // 2, _TICK_NS)
        self.world.after(delay_ns, lambda: self._keep_ticking(client))

    def _keep_trading(self, client: SimulatedFixClient | SimulatedOuchClient) -> None:
        if self._is_trading:
            for _ in range(self._chance.choice((1, 1, 2, 5, 20))):
                client.trade()
            self._turns += 1
            if self._turns % 8 == 0 and self.machine.running and not self.machine.has_died:
                self.machine.check_book()
        delay_ns = self._chance.randrange(200_000, 20 * MILLISECOND_NS)
        if not self._is_trading:
            delay_ns *= 10  # nobody is in a hurry
        self.world.after(delay_ns, lambda: self._keep_trading(client))

    # --- what goes wrong -------------------------------------------------------------------------

    def _has(self, fault: str, chance: float) -> bool:
        return fault in self.plan.faults and self._chance.random() < chance

    def _go_wrong(self) -> None:
        """Trade in bad weather until something happens to the gateway, and get over that."""
        chance, world, machine = self._chance, self.world, self.machine
        self.weather.split = chance.random() * 0.3 if self._has("split", 0.7) else 0.0
        if self._has("stall", 0.4):
            self.weather.stall = chance.random() * 0.02
            self.weather.stall_ns_max = chance.choice((50 * MILLISECOND_NS, 40 * SECOND_NS))
        machine.sync_ns_max = chance.choice((50, 300)) * MILLISECOND_NS
        if not self._has("slow", 0.3):
            machine.sync_ns_max = 2 * MILLISECOND_NS
        machine.disk.is_full = self._has("full", 0.15)
        until = min(
            world.messages + chance.randrange(_EPISODE_MESSAGES // 4, _EPISODE_MESSAGES),
            self.plan.messages,
        )
        self._is_trading = True
        for _ in range(chance.randrange(4)):
            self._arrange_trouble()
        ends = [fault for fault in ("kill", "stop", "power") if fault in self.plan.faults]
        end = chance.choice(ends) if ends else "nothing"
        self._run_on(lambda: world.messages >= until)
        if end == "power" and not machine.has_died and self._has("snapshot", 0.4):
            machine.take_snapshot(lies=True)
        if end in ("kill", "power") and chance.random() < 0.7:
            self._arrange_death(end, chance.randrange(1, 60))
            self._run_on(lambda: machine.has_died)
        if end == "stop" and not machine.has_died:
            machine.stop()
        elif end != "nothing" or machine.has_died:
            if not machine.has_died:
                self._die(end)
            machine.bury()
        self._is_trading = chance.random() < 0.5
        if machine.running is None:
            self._come_back()

    def _run_on(self, end: Callable[[], bool]) -> None:
        """Let the world go on; violations of the gateway's own end it."""
        machine = self.machine
        self.world.run_until(lambda: end() or machine.has_died, 60 * SECOND_NS)
        if machine.ended_by is not None and not machine.is_poisoned:
            raise Violation(f"the gateway gave up: {machine.ended_by!r}") from machine.ended_by
        running = machine.running
        if running is not None and running.loop.stray:
            raise Violation("an exception left a callback") from running.loop.stray[0]
        for subscriber in machine.subscribers:
            if subscriber.fault is not None:
                raise subscriber.fault

    def _die(self, how: str) -> None:
        if how == "power":
            self.machine.lose_power()
        else:
            self.machine.kill()

    def _arrange_death(self, how: str, uses: int) -> None:
        self.machine.arrange(uses, lambda: self._die(how))

    def _arrange_trouble(self) -> None:
        """Something that happens to a client's connection, or to the clock, on the way."""
        chance, machine = self._chance, self.machine
        delay_ns = chance.randrange(2 * SECOND_NS)
        if self._has("drop", 0.5):
            self.world.after(delay_ns, lambda: self._break_down(server_learns=True))
        if self._has("vanish", 0.3):
            self.world.after(delay_ns, lambda: self._break_down(server_learns=False))
        if self._has("clock", 0.1):
            self.world.after(delay_ns, self._set_clock)
        if self._has("reset", 0.4):
            self.world.after(delay_ns, chance.choice(self._fix_clients()).ask_reset)
        if self._has("operator", 0.3):
            self.world.after(delay_ns, lambda: self._operate(chance.randrange(1, 15)))
        if self._has("amend", 0.5):
            self.world.after(delay_ns, self._amend)
        if self._has("poison", 0.2):
            self.world.after(delay_ns, machine.poison)
        if self._has("snapshot", 0.6):
            self.world.after(delay_ns, self._take_snapshot)

    def _break_down(self, *, server_learns: bool) -> None:
        link = self._chance.choice(self.clients).link
        if link is not None:
            link.break_down(server_learns=server_learns)

    def _set_clock(self) -> None:
        self.world.wall_offset_ns = self._chance.randrange(-20, 20) * SECOND_NS
        for client in self._fix_clients():
            # The gateway may have seen a time of its schedule that the client never has.
            client.may_misfit |= client.name == SCHEDULED

    def _fix_clients(self) -> list[SimulatedFixClient]:
        return [one for one in self.clients if isinstance(one, SimulatedFixClient)]

    def _last_reset(self, now_ns: int) -> int:
        """When the schedule last had numbers begin anew; 0: it never does."""
        day, now_s = divmod(now_ns // SECOND_NS, _DAY_S)
        passed = [one for one in self._resets_s if one <= now_s]
        if not self._resets_s:
            return 0
        last_s = passed[-1] if passed else self._resets_s[-1] - _DAY_S
        return (day * _DAY_S + last_s) * SECOND_NS

    def _operate(self, sure_s: int) -> None:
        """An operator does something, and tells those whom it concerns."""
        chance, machine = self._chance, self.machine
        client = chance.choice(self.clients)
        if chance.random() < 0.15:
            machine.operate("day end")
        elif isinstance(client, SimulatedOuchClient) or chance.random() < 0.3:
            machine.operate("sessions disconnect", session=client.name)
        else:
            client.leave()
            self.world.after(sure_s * SECOND_NS, lambda: self._renumber(client))

    def _amend(self) -> None:
        """An operator takes a trade back, or changes it: a late one, or an older."""
        chance, ledger = self._chance, self.ledger
        matches = list(ledger.trades)[-chance.choice((20, 400)) :]
        if not matches:
            return
        match = chance.choice(matches)
        (one, *_) = sides = ledger.trades[match]
        if chance.random() < 0.5:
            deed = self.machine.amend(match)
        else:
            # Who is not told of a correction is not to count otherwise by it.
            is_told = not ledger.half_told & {side.client for side in sides}
            qty = max(one.qty + chance.choice((-1, 0, 1)), 1) if is_told else one.qty
            price = one.price + chance.randint(-5, 5)
            deed = self.machine.amend(match, qty=qty, price=price)
        if deed is not None:
            if match in ledger.deeds:
                raise Violation(f"match {match} was amended twice: {ledger.deeds[match]}, {deed}")
            ledger.deeds[match] = deed

    def _take_snapshot(self) -> None:
        """A replica writes a snapshot, unless it dies as it does."""
        if self.machine.running is not None and not self.machine.has_died:
            dies_in = self._chance.choice((0, 0, 0, 1, 2, 3))
            self.machine.take_snapshot(dies_in=dies_in)

    def _release(self) -> None:
        """An operator lets those in again who were kept out: till now none of them was."""
        for name in sorted(self.machine.kept_out):
            if self.machine.is_let_in(name):
                raise Violation(f"{name} is kept out, and was let in")
            self.machine.operate("sessions release", session=name)

    def _renumber(self, client: SimulatedFixClient) -> None:
        """An operator gives a session other numbers, while its client is on the phone."""
        chance, machine = self._chance, self.machine
        how = chance.choice(("reset", "back", "in", "out"))
        numbers = machine.numbers(client.name)
        if numbers is not None:
            next_in, next_out = numbers
            ahead = chance.randint(1, 50)
            if how == "reset" and machine.operate("sessions reset", session=client.name):
                client.begin_numbers()
            elif how == "back" and next_out > ahead:
                wanted = {"next_in": ahead, "next_out": ahead}
                if machine.operate("sessions set-seq", session=client.name, **wanted):
                    client.begin_numbers(ahead, ahead)
            elif how == "in":
                next_in = max(next_in, client.next_out) + ahead
                if machine.operate("sessions set-seq", session=client.name, next_in=next_in):
                    client.skip_to(next_in)
            elif how == "out":
                # Nobody tells the client: it sees a gap, and has it filled.
                next_out += ahead
                machine.operate("sessions set-seq", session=client.name, next_out=next_out)
            # Without an answer, nobody knows what the numbers are.
            client.may_misfit |= machine.has_died
        client.wants_connection = True

    # --- and comes right again -------------------------------------------------------------------

    def _come_back(self) -> None:
        """Start the gateway again, perhaps after hours, perhaps at the third try."""
        chance, machine = self._chance, self.machine
        self.world.pass_time(chance.choice((1, 100, 8_000)) * MILLISECOND_NS)
        if self._has("day", 0.08):
            self.world.sleep(chance.choice((1, 30)) * 3_600 * SECOND_NS)
        while chance.random() < 0.3 and {"kill", "power"} & set(self.plan.faults):
            how = chance.choice([one for one in ("kill", "power") if one in self.plan.faults])
            self._arrange_death(how, chance.randrange(1, 12))
            self._start()
            if machine.running is None:
                continue
            self._run_on(lambda: machine.has_died)
            if not machine.has_died:
                self._die(how)
            machine.bury()
        machine.disk.is_full = False
        if self._has("snapshot", 0.2):
            machine.spoil_snapshot()
        if self._has("snapshot", 0.3):
            machine.spoil_index()
        if self._has("flip", 0.2):
            self._turn_a_bit()
        self._start_at_last()

    def _start_at_last(self) -> None:
        """Start it again each time that it dies while it starts."""
        while self.machine.running is None:
            self._start()

    def _turn_a_bit(self) -> None:
        """A bit turns in a row that is followed by others: no start goes on from there."""
        rows = self.machine.rows_to_read()
        if not rows:
            return
        row = self._chance.choice(rows)
        bit = self._chance.randrange(ROW_BYTES * 8)
        if not self.machine.turn_bit(row, bit):
            return
        try:
            self.machine.start()
        except DamageError as error:
            if not error.row <= row < error.row + BATCH_ROWS:
                raise Violation(
                    f"a bit of row {row} turned, and row {error.row} is blamed"
                ) from None
        else:
            raise Violation(f"a bit of row {row} turned, and nobody said so")
        self.machine.turn_bit(row, bit)

    def _start(self) -> None:
        """Start the gateway, see that it has what it must, and tell clients what it lost."""
        machine = self.machine
        try:
            recovered = machine.start()
        except DamageError as error:
            # Pages reached the disk in another order than they were written in. Only a person
            # can say that this is no damage, and does, where nothing is concerned that was synced.
            if error.row <= machine.synced_row:
                raise
            recovered = machine.start(accept_loss=True)
        if recovered is None:
            self._was_told = True  # if not to anybody who could hear it
            return
        self._days.add(recovered.engine.day)
        self._was_told |= bool(recovered.loss)
        machine.losses += bool(recovered.loss)
        synced, last_row = machine.synced_row, recovered.journal.report.last_row
        if last_row < synced:
            raise Violation(f"rows {last_row + 1} to {synced} were synced, and are lost")
        table = recovered.journal.table
        rows_told = self.ledger.rows()
        for client in self._fix_clients():
            rows_told += client.rows_put_down()

        def is_lost(row: int) -> bool:
            return row > synced and (row >= table.tail or not table.word(row, W_HEAD))

        lost = [row for row in rows_told if is_lost(row)]
        for match in [one for one, deed in self.ledger.deeds.items() if is_lost(deed.row)]:
            del self.ledger.deeds[match]
        if lost and (self.sync == "batch" or not machine.power_losses):
            raise Violation(f"rows that clients were told of are lost: {lost[:10]}")
        if lost and not self._was_told:
            raise Violation(f"nobody said that rows are lost: {lost[:10]}")
        if self._was_told:
            gone = frozenset(lost)
            for client in self.clients:
                client.forget(gone)
            for subscriber in machine.subscribers:
                subscriber.forget()
        self._was_told = False

    def _rest(self) -> None:
        """Clear the weather, wait until nothing is on its way, and look at the promises."""
        machine = self.machine
        self._is_trading = False
        self.weather.split = self.weather.stall = 0.0
        machine.disk.is_full = False
        machine.sync_ns_max = 2 * MILLISECOND_NS
        machine.heal()
        self.world.pass_time(SECOND_NS)
        self._release()
        for client in self.clients:
            client.come_to_rest()
        waited_ns = 0
        while not all(client.is_at_rest for client in self.clients):
            if waited_ns >= _REST_NS:
                restless = [client.name for client in self.clients if not client.is_at_rest]
                raise Violation(f"never came to rest: {restless}")
            self._run_on(lambda: all(client.is_at_rest for client in self.clients))
            waited_ns += 60 * SECOND_NS
            if machine.has_died:
                machine.bury()
                self._start_at_last()
            self._release()
        self.world.pass_time(10 * MILLISECOND_NS)
        if machine.has_died:  # at a sync of its timer
            machine.bury()
            self._start_at_last()
            self._rest()
            return
        assert machine.running is not None
        day = machine.running.recovered.engine.day
        self._days.add(day)
        date = dt.datetime.fromtimestamp((self.world.wall_ns - SECOND_NS) // SECOND_NS, dt.UTC)
        if day // 100 < int(f"{date:%Y%m%d}"):
            raise Violation(f"it is {date}, and the day is still {day}")
        for client in self.clients:
            client.check()
        self.ledger.check_trades()
        self.ledger.check_live(machine.live())

    def _compare_replay(self) -> None:
        """An engine that runs over the journal comes to the same state, and what streams said
        is what its rows are."""
        running = self.machine.running
        assert running is not None
        running.server.turn.settle()
        state = running.recovered.engine.state_hash()
        replayed = self.machine.replayed_hash()
        if state != replayed:
            raise Violation(f"the journal replays to state {replayed:x}, and it is {state:x}")
        told = stream_messages(self.machine.data)
        for subscriber in self.machine.subscribers:
            subscriber.check(told[subscriber.name])
