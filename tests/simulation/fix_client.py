"""A simulated FIX client, simple on purpose: it shares no code with the gateway.

Owns a client's side of FIX 4.4: numbers, resends, heartbeats, and what it makes of reports. It
keeps all that it was sent and holds every repetition against the first. What it knows of the
gateway, it knows by protocol: when a connection is lost or the gateway has started again, it logs
on with its next number, and the rest follows from numbers.

Where numbers begin anew (141=Y, a schedule, an operator who calls), what it had not shown to
have comes again with PossResend, and new reports between: it puts them down until a TestRequest's
answer shows that all is there, then takes them in the order of ExecIDs. A request that is
unanswered then was never received.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache

from tests.simulation.ledger import Ledger, Order, Side, Told
from tests.simulation.network import Link
from tests.simulation.world import MILLISECOND_NS, SECOND_NS, Violation, World

HEART_BT_S = 10
_PATIENCE_NS = 25 * SECOND_NS
_OPEN_MAX = 40
_UNANSWERED_MAX = 200
_LENGTH = re.compile(rb"8=FIX\.4\.4\x019=(\d+)\x01")
_FIELD = re.compile("([^=\x01]+)=([^\x01]*)\x01")
# What is sent again where it is asked for; all else is filled.
_REQUESTS = {"D", "F", "G", "q", "AF"}
# What a repetition may differ in.
_PASSING = dict.fromkeys(("9", "10", "34", "43", "52", "97", "122"))
_SIDES = {"1": "buy", "2": "sell"}


def utc(now_ns: int) -> str:
    """SendingTime with milliseconds."""
    return f"{_second(now_ns // SECOND_NS)}.{now_ns // MILLISECOND_NS % 1000:03d}"


@lru_cache(16)
def _second(now_s: int) -> str:
    return f"{dt.datetime.fromtimestamp(now_s, dt.UTC):%Y%m%d-%H:%M:%S}"


def cents(price: str) -> int:
    """A price in hundredths."""
    whole, _, fraction = price.partition(".")
    return int(whole) * 100 + int(fraction.ljust(2, "0"))


class SimulatedFixClient:
    """name: its CompID, and that of its account. connect: gives a connection, or None."""

    def __init__(
        self,
        name: str,
        world: World,
        ledger: Ledger,
        connect: Callable[[SimulatedFixClient], Link | None],
        last_reset: Callable[[int], int] = lambda _now_ns: 0,
    ) -> None:
        self.name = name
        # Whether it sends mass cancels and mass status requests.
        self.sends_mass = False
        # Whether its numbers may be found not to fit: the clock was set across its schedule.
        self.may_misfit = False
        self._last_reset = last_reset
        self._reset_ns = world.wall_ns
        # Whether Logons ask for a reset, until one is answered.
        self._asks_reset = False
        # What came in a new numbering while the rest of the old one is to come; None: it is not.
        self._put_down: list[dict[str, str]] | None = None
        # Requests of a numbering that has ended.
        self._doubtful: set[str] = set()
        # Whether anything that was owed has come since it asked last.
        self._heard_owed = False
        self.wants_connection = True
        self._world = world
        self._chance = world.random
        self._ledger = ledger
        self._connect = connect
        self._link: Link | None = None
        self._is_up = False
        self._buffer = b""
        self._heard_ns = self._spoke_ns = 0
        self._next_in = 1
        self._next_out = 1
        # By number: what was sent (type, body, SendingTime), and what came.
        self._sent: dict[int, tuple[str, str, str]] = {}
        self._came: dict[int, dict[str, str]] = {}
        # Up to this number it has asked for what is missing; 0: nothing is.
        self._missing = 0
        self._orders: list[Order] = ledger.orders.setdefault(name, [])
        self._by_id: dict[str, Order] = {}
        self._by_order_id: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        # Ids of requests, and when each was answered: the row, 0 for an answer without ExecID.
        self._answers: dict[str, int] = {}
        self._unanswered: dict[str, str] = {}
        # Orders that mass cancels were said to reach, and those reported as cancelled by one.
        self._reached = self._swept = 0
        # Resting orders that have ended. By mass status request: how many had when it was sent,
        # and orders that it has told of.
        self._ended = 0
        self._ended_before: dict[str, int] = {}
        self._told_of: dict[str, int] = {}
        self._losses = 0
        self._ids = 0
        self._tests = 0
        # What is to be answered behind everything before it, and where that was asked.
        self._barrier = ""
        self._barrier_link: Link | None = None

    # --- the connection --------------------------------------------------------------------------

    def tick(self) -> None:
        """Do what time asks for: connect, show life, give up on the dead."""
        now_ns = self._world.now_ns
        if self._link is None:
            if self.wants_connection:
                self._begin()
        elif now_ns - self._heard_ns > _PATIENCE_NS:
            self._hang_up()
        elif self._is_up and self._barrier and self._barrier_link is not self._link:
            self._ask()
        elif self._is_up and now_ns - self._spoke_ns > HEART_BT_S * SECOND_NS * 8 // 10:
            self._send("0", "")

    def _begin(self) -> None:
        self._link = self._connect(self)
        if self._link is not None:
            self._buffer = b""
            self._missing = 0
            self._heard_ns = self._world.now_ns
            if self._asks_reset or self._is_behind_schedule():
                self.begin_numbers()
            flag = "141=Y\x01" if self._asks_reset else ""
            self._send("A", f"98=0\x01108={HEART_BT_S}\x01{flag}")

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        self._is_up = False
        if link is not None:
            link.close()

    def leave(self) -> None:
        """Hang up, and stay away until `wants_connection`."""
        self.wants_connection = False
        self._hang_up()

    def lost(self, link: Link) -> None:
        """The connection has ended."""
        if link is self._link:
            self._link = None
            self._is_up = False

    @property
    def is_up(self) -> bool:
        """Logged on, as far as it knows."""
        return self._is_up

    @property
    def link(self) -> Link | None:
        """The connection that it has."""
        return self._link

    def come_to_rest(self) -> None:
        """See to it that everything arrives; see `is_at_rest`."""
        self._set_barrier()
        self.tick()

    def _set_barrier(self) -> None:
        self._tests += 1
        self._barrier = f"{self.name}-{self._tests}"
        self._barrier_link = None

    def _ask(self) -> None:
        self._barrier_link = self._link
        self._heard_owed = False
        self._send("1", f"112={self._barrier}\x01")

    @property
    def is_at_rest(self) -> bool:
        """Whether its barrier was answered, and nothing is missing."""
        return self._is_up and not self._barrier and not self._missing and self._put_down is None

    # --- numbers that begin anew -----------------------------------------------------------------

    def ask_reset(self) -> None:
        """Log on again with ResetSeqNumFlag, until that is answered."""
        self._asks_reset = True
        self._hang_up()

    def begin_numbers(self, next_in: int = 1, next_out: int = 1) -> None:
        """Number anew from here on: agreed by protocol, by a schedule, or with an operator."""
        self._reset_ns = max(self._reset_ns, self._last_reset(self._world.wall_ns))
        self._next_in, self._next_out = next_in, next_out
        self._sent.clear()
        self._came.clear()
        self._doubtful |= set(self._unanswered)
        if self._put_down is None:
            self._put_down = []

    def skip_to(self, next_out: int) -> None:
        """Go on at a number agreed on with an operator: what has a lower one is not wanted."""
        if self._is_behind_schedule():
            self.begin_numbers()
        self._next_out = next_out
        self._sent.clear()
        self._doubtful |= set(self._unanswered)
        if self._put_down is None:
            self._put_down = []

    def _is_behind_schedule(self) -> bool:
        """Whether its schedule has had numbers begin anew since it last did that."""
        return self._last_reset(self._world.wall_ns) > self._reset_ns

    @property
    def next_out(self) -> int:
        """The number of its next message."""
        return self._next_out

    def rows_put_down(self) -> list[int]:
        """Rows of reports that have come and are not in the ledger yet."""
        return [int(one["17"]) for one in self._put_down or () if "17" in one]

    def _take_up(self) -> None:
        """All that was owed is there: take it in its order, and forget what was never received."""
        put_down, self._put_down = self._put_down or [], None
        for message in sorted(put_down, key=lambda one: int(one.get("17", 0))):
            self._report(message)
        for identity in self._doubtful & set(self._unanswered):
            del self._unanswered[identity]
            order = self._by_id.pop(identity, None)
            if order is not None and order.sent_id == identity:
                order.state = "never received"
        self._doubtful.clear()

    def _misfit(self, message: dict[str, str]) -> None:
        """The gateway's numbers are not those that it expects: begin anew, where that may be."""
        if not self.may_misfit:
            raise Violation(f"{self.name}: numbers do not fit, {self._next_in} is next: {message}")
        self.ask_reset()

    # --- what it sends ---------------------------------------------------------------------------

    def _send(self, msg_type: str, body: str) -> None:
        number = self._next_out
        self._next_out += 1
        now = utc(self._world.now_ns)
        if msg_type in _REQUESTS:
            self._sent[number] = (msg_type, body, now)
        if self._link is not None:
            self._write(msg_type, number, f"52={now}\x01", body)

    def _write(self, msg_type: str, number: int, times: str, body: str) -> None:
        assert self._link is not None
        text = f"35={msg_type}\x0134={number}\x0149={self.name}\x0156=PORTCULLIS\x01{times}{body}"
        octets = f"8=FIX.4.4\x019={len(text)}\x01{text}".encode("latin-1")
        self._spoke_ns = self._world.now_ns
        self._world.messages += 1
        self._link.send(octets + b"10=%03d\x01" % (sum(octets) % 256))

    def trade(self) -> None:
        """Do something that a client does."""
        if not self._is_up or self._put_down is not None:
            return
        if len(self._unanswered) > _UNANSWERED_MAX:
            return
        draw = self._chance.random()
        if self.sends_mass and self._chance.random() < 0.02:
            self._send_mass()
        elif self._open and (draw < 0.2 or len(self._open) > _OPEN_MAX):
            self._cancel()
        elif self._open and draw < 0.3:
            self._replace()
        else:
            self._enter()

    def _new_id(self, kind: str) -> str:
        self._ids += 1
        identity = f"{self.name}-{self._ids}"
        self._unanswered[identity] = kind
        return identity

    def _enter(self) -> None:
        chance = self._chance
        side = chance.choice("12")
        qty = chance.randint(1, 20)
        price = chance.randint(9_950, 10_050) + (-10 if side == "1" else 10)
        draw = chance.random()
        is_market = draw < 0.04
        time_in_force = "3" if draw < 0.1 else "4" if draw < 0.13 else chance.choice("01")
        identity = self._new_id("D")
        order = Order(
            self.name, identity, _SIDES[side], qty, 0 if is_market else price, is_market,
            time_in_force in "01" and not is_market,
        )  # fmt: skip
        self._orders.append(order)
        self._by_id[identity] = order
        limit = "40=1\x01" if is_market else f"40=2\x0144={price // 100}.{price % 100:02d}\x01"
        self._send(
            "D",
            f"11={identity}\x0138={qty}\x01{limit}54={side}\x0155=BTC-USD\x01"
            f"59={time_in_force}\x0160={utc(self._world.now_ns)}\x01",
        )

    def _cancel(self) -> None:
        order = self._chance.choice(list(self._open.values()))
        identity = self._new_id("F")
        side = "1" if order.side == "buy" else "2"
        self._send(
            "F",
            f"11={identity}\x0141={order.cl_ord_id}\x0154={side}\x0155=BTC-USD\x01"
            f"60={utc(self._world.now_ns)}\x01",
        )

    def _replace(self) -> None:
        order = self._chance.choice(list(self._open.values()))
        identity = self._new_id("G")
        qty = order.cum_qty + self._chance.randint(1, 20)
        price = order.price + self._chance.randint(-5, 5)
        side = "1" if order.side == "buy" else "2"
        self._by_id[identity] = order
        self._send(
            "G",
            f"11={identity}\x0138={qty}\x0140=2\x0141={order.cl_ord_id}\x01"
            f"44={price // 100}.{price % 100:02d}\x0154={side}\x0155=BTC-USD\x01"
            f"59=1\x0160={utc(self._world.now_ns)}\x01",
        )

    def _send_mass(self) -> None:
        """About all of its orders, or one side of them."""
        if self._chance.random() < 0.3:
            side = self._chance.choice(("", "54=1\x01", "54=2\x01"))
            identity = self._new_id("q")
            self._send("q", f"11={identity}\x01530=7\x01{side}60={utc(self._world.now_ns)}\x01")
        else:
            identity = self._new_id("AF")
            self._ended_before[identity] = self._ended
            self._send("AF", f"584={identity}\x01585=7\x01")

    # --- what comes ------------------------------------------------------------------------------

    def received(self, link: Link, octets: bytes) -> None:
        """Bytes arrived."""
        if link is not self._link:
            return
        self._heard_ns = self._world.now_ns
        buffer = self._buffer + octets
        start = 0
        while found := _LENGTH.match(buffer, start):
            end = found.end() + int(found[1]) + 7
            if end > len(buffer):
                break
            whole = buffer[start:end]
            if sum(whole[:-7]) % 256 != int(whole[-4:-1]):
                raise Violation(f"{self.name}: a wrong checksum: {whole!r}")
            start = end
            self._world.messages += 1
            fields = _FIELD.findall(whole.decode("latin-1"))
            if len(fields) != whole.count(b"\x01"):
                raise Violation(f"{self.name}: not all of it are fields: {whole!r}")
            self._take(dict(fields))
            if link is not self._link:
                return
        self._buffer = buffer[start:]
        if len(self._buffer) > 64 and not _LENGTH.match(self._buffer):
            raise Violation(f"{self.name}: no message begins like this: {self._buffer[:80]!r}")

    def _take(self, message: dict[str, str]) -> None:
        number, msg_type = int(message["34"]), message["35"]
        if not self._is_up and msg_type == "5" and "too low" in message.get("58", ""):
            self._misfit(message)
            return
        if msg_type == "A" and not self._is_up:
            if self._asks_reset and (message.get("141"), number) != ("Y", 1):
                raise Violation(f"{self.name}: a reset was asked for: {message}")
            if number < self._next_in:
                self._misfit(message)
                return
            self._is_up, self._asks_reset = True, False
            if self._put_down is not None and not self._barrier:
                self._set_barrier()
        elif msg_type == "2" and number >= self._next_in:
            self._send_again(int(message["7"]), int(message["16"]))
        if number > self._next_in:
            if not self._missing:
                self._missing = number
                self._send("2", f"7={self._next_in}\x0116=0\x01")
            return
        if number < self._next_in:
            self._repeated(number, message)
            return
        if msg_type == "4":
            if message.get("123") != "Y" or int(message["36"]) <= number:
                raise Violation(f"{self.name}: not a gap fill: {message}")
            self._next_in = int(message["36"])
        else:
            self._next_in = number + 1
            self._in_turn(number, msg_type, message)
        if self._next_in > self._missing:
            self._missing = 0

    def _repeated(self, number: int, message: dict[str, str]) -> None:
        """A number that was there before: it has to be marked, and say the same."""
        if message.get("43") != "Y":
            raise Violation(f"{self.name}: number {number} came again unmarked: {message}")
        first = self._came.get(number)
        if message["35"] == "4" or first is None:
            return
        if _content(first) != _content(message):
            raise Violation(f"{self.name}: number {number} stands for {first} and {message}")

    def _in_turn(self, number: int, msg_type: str, message: dict[str, str]) -> None:
        if msg_type in {"8", "9", "r"}:
            self._came[number] = message
            self._heard_owed |= "97" in message
            if self._put_down is None:
                self._report(message)
            else:
                self._put_down.append(message)
        elif msg_type == "1":
            self._send("0", f"112={message['112']}\x01")
        elif msg_type == "0":
            if message.get("112") == self._barrier:
                self._barrier = ""
                if self._heard_owed:
                    self.come_to_rest()
                elif self._put_down is not None:
                    self._take_up()
        elif msg_type == "5":
            if self._is_up:
                self._send("5", "")
            self._hang_up()
        elif msg_type not in "A2":
            raise Violation(f"{self.name}: a message was rejected: {message}")

    def _send_again(self, begin: int, end: int) -> None:
        """Answer a ResendRequest: orders again, all else filled."""
        last = self._next_out - 1 if end == 0 else min(end, self._next_out - 1)
        number = begin
        while number <= last:
            now = utc(self._world.now_ns)
            sent = self._sent.get(number)
            if sent is None:
                following = number + 1
                while following <= last and following not in self._sent:
                    following += 1
                times = f"43=Y\x0152={now}\x01122={now}\x01"
                self._write("4", number, times, f"123=Y\x0136={following}\x01")
                number = following
            else:
                msg_type, body, first = sent
                self._write(msg_type, number, f"43=Y\x0152={now}\x01122={first}\x01", body)
                number += 1

    # --- reports ---------------------------------------------------------------------------------

    def _report(self, message: dict[str, str]) -> None:
        is_again = message.get("97") == "Y"
        if message["35"] == "9":
            if not is_again or message["11"] in self._unanswered:
                self._answered(message["11"], 0)
            return
        if message["35"] == "r":
            if message["11"] in self._unanswered:
                self._answered(message["11"], 0)
                self._reached += int(message.get("533", "0"))
            return
        row = int(message["17"])
        if not self._ledger.exec_id(self.name, message["17"], _content(message)):
            if not is_again:
                raise Violation(f"{self.name}: a report came twice: {message}")
            return
        exec_type = message["150"]
        if exec_type == "I":
            self._status(message, row)
            return
        self._swept += message.get("58") == "Mass cancel"
        identity = message["11"]
        if exec_type in "08":
            order = self._by_id.get(identity)
        else:
            order = self._by_order_id.get(message["37"])
        if order is None:
            raise Violation(f"{self.name}: a report of an unknown order: {message}")
        price = cents(message["44"]) if "44" in message else 0
        sums = (int(message["14"]), int(message["151"]))
        if exec_type == "0":
            self._by_order_id[message["37"]] = order
            told = Told(row, "accepted", identity, int(message["38"]), price, 0, *sums)
        elif exec_type == "F":
            last = cents(message["31"])
            match = int(message["527"])
            told = Told(row, "traded", identity, int(message["32"]), last, match, *sums)
            side = Side(self.name, row, order.side, told.qty, last)
            self._ledger.trade(match, side)
        elif exec_type == "5":
            told = Told(row, "replaced", identity, int(message["38"]), price, 0, *sums)
        elif exec_type in "HG":
            told = self._amended(message, order, row, sums)
        elif exec_type in "4C":
            told = Told(row, "ended", identity, 0, 0, 0, *sums)
        elif exec_type == "8":
            told = Told(row, "refused", identity)
        else:
            raise Violation(f"{self.name}: a report of a kind not to be expected: {message}")
        order.take(told)
        if told.amends and abs(float(message["6"]) * order.cum_qty - order.value() / 100) > 0.01:
            raise Violation(f"{self.name}: AvgPx is wrong: {message} of {order.describe()}")
        if identity in self._unanswered and exec_type in "0458":
            self._answered(identity, row)
        if order.state == "open" and order.rests:
            self._open[order.sent_id] = order
        elif self._open.pop(order.sent_id, None) is not None:
            self._ended += 1

    def _amended(
        self, message: dict[str, str], order: Order, row: int, sums: tuple[int, int]
    ) -> Told:
        """A trade of an order was busted or corrected: of which, 19 says."""
        fill = order.fill(lambda one: one.at == int(message["19"]))
        qty, price = int(message.get("32", "0")), cents(message.get("31", "0"))
        if (message["150"] == "G") != bool(qty):
            raise Violation(f"{self.name}: {message} of {fill}")
        self._ledger.amended(fill.match, Side(self.name, row, order.side, qty, price))
        return Told(row, "amended", message["11"], qty, price, fill.match, *sums, fill.at)

    def _status(self, message: dict[str, str], row: int) -> None:
        """One of the reports that a mass status request brings: it says what is known already."""
        identity = message["584"]
        if message["37"] != "NONE":
            order = self._by_order_id[message["37"]]
            known = order.cl_ord_id, order.cum_qty, order.leaves_qty
            if known != (message["11"], int(message["14"]), int(message["151"])):
                raise Violation(f"{self.name}: {message} is not the state of {order.describe()}")
            self._told_of[identity] = self._told_of.get(identity, 0) + 1
        if message.get("912") == "Y":
            told = self._told_of.pop(identity, 0)
            # What ended behind the count is told of no more; then the last report is of no order.
            ended = self._ended - self._ended_before[identity] if message["37"] == "NONE" else 0
            if not told <= int(message["911"]) <= told + ended and not self._losses:
                raise Violation(f"{self.name}: {told} statuses came, and then {message}")
            self._answered(identity, row)

    def _answered(self, identity: str, row: int) -> None:
        if self._unanswered.pop(identity, None) is None and not self._losses:
            raise Violation(f"{self.name}: {identity} was answered twice")
        self._answers[identity] = row

    # --- what the world tells of the gateway -----------------------------------------------------

    def forget(self, lost: frozenset[int]) -> None:
        """The gateway has lost these rows: what was said by them is void."""
        self._losses += 1
        if self._put_down is not None:
            self._put_down = [one for one in self._put_down if int(one.get("17", 0)) not in lost]
        self._ledger.forget(self.name, lambda row: row not in lost)
        self._open = {
            order.sent_id: order for order in self._orders if order.state == "open" and order.rests
        }
        for identity, row in self._answers.items():
            if row in lost:
                self._unanswered[identity] = "?"

    def check(self) -> None:
        """At rest: everything was answered."""
        if self._unanswered:
            some = list(self._unanswered.items())[:5]
            raise Violation(f"{self.name}: never answered: {some}")
        if self._reached != self._swept and not self._losses:
            raise Violation(
                f"{self.name}: mass cancels reached {self._reached} orders, and {self._swept} "
                "were reported"
            )


def _content(message: dict[str, str]) -> str:
    """What of a message stays the same however often it is sent."""
    return str(_PASSING | message | _PASSING)  # in one order, whichever of them it has
