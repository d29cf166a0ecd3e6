"""A simulated OUCH client, simple on purpose: it shares no code with the gateway.

Owns a client's side of SoupBinTCP and OUCH 4.2: which session and which number it asks for, and
what it makes of messages. It keeps every sequenced message and holds each repetition against the
first. Where the gateway does not have the number that comes next, its last messages were lost
with the machine: the client reads that session again from its first message to its end, takes
back what is not there any more, and goes on with the session that there is now.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.simulation.ledger import Ledger, Order, Side, Told
from tests.simulation.network import Link
from tests.simulation.world import SECOND_NS, Violation, World

_ENTER = struct.Struct(">c14scI8sII4scccIcc")
_REPLACE = struct.Struct(">c14s14sIIIccI")
_CANCEL = struct.Struct(">c14sI")
_ACCEPTED = struct.Struct(">Q14scI8sII4scQccIccc")
_REPLACED = struct.Struct(">Q14scI8sII4scQccIcc14sc")
_CANCELED = struct.Struct(">Q14sIc")
_EXECUTED = struct.Struct(">Q14sIIcQ")
_BROKEN = struct.Struct(">Q14sQc")
_REJECTED = struct.Struct(">Q14sc")
_LETTERS = {
    "A": _ACCEPTED, "U": _REPLACED, "C": _CANCELED, "D": _CANCELED, "E": _EXECUTED, "J": _REJECTED,
    "B": _BROKEN,
}  # fmt: skip
_PATIENCE_NS = 12 * SECOND_NS
_HEARTBEAT_NS = SECOND_NS
# After a refusal: longer than a first connection may be silent and keep its place.
_RETRY_NS = 4 * SECOND_NS
_REFUSALS_MAX = 12
_OPEN_MAX = 30
_UNANSWERED_MAX = 200
_DAY, _IMMEDIATE = 99_999, 0
_SIDES = {b"B": "buy", b"S": "sell"}


class SimulatedOuchClient:
    """name: its username, and that of its account. connect: gives a connection, or None."""

    def __init__(
        self,
        name: str,
        world: World,
        ledger: Ledger,
        connect: Callable[[SimulatedOuchClient], Link | None],
    ) -> None:
        self.name = name
        self.wants_connection = True
        self._world = world
        self._chance = world.random
        self._ledger = ledger
        self._connect = connect
        self._link: Link | None = None
        self._is_up = False
        self._buffer = b""
        self._heard_ns = self._spoke_ns = 0
        self._not_before_ns = 0
        # The session it is in, "": none that it knows of; and the number that comes next.
        self._session = ""
        self._next = 1
        self._refusals = 0
        # Sessions that came and went while it was away, and the one after them: to be read first.
        self._ahead: list[str] = []
        self._last_session = ""
        # All messages of all sessions.
        self._came: dict[str, list[bytes]] = {}
        self._orders: list[Order] = ledger.orders.setdefault(name, [])
        ledger.half_told.add(name)
        self._by_token: dict[bytes, Order] = {}
        self._open: dict[str, Order] = {}
        # Entered on this connection and not answered yet.
        self._unanswered: set[bytes] = set()
        self._ids = 0
        # The order that comes back behind everything before it, and where it was entered.
        self._barrier = b""
        self._barrier_link: Link | None = None
        self.losses_allowed = 0
        self._losses = 0

    # --- the connection --------------------------------------------------------------------------

    def tick(self) -> None:
        """Do what time asks for: connect, show life, give up on the dead."""
        now_ns = self._world.now_ns
        if self._link is None:
            if self.wants_connection and now_ns >= self._not_before_ns:
                self._begin()
        elif now_ns - self._heard_ns > _PATIENCE_NS:
            self._hang_up()
        elif self._is_up:
            if self._barrier and self._barrier_link is not self._link and not self.is_at_rest:
                self._ask()
            elif now_ns - self._spoke_ns > _HEARTBEAT_NS:
                self._write(b"R", b"")

    def _begin(self) -> None:
        self._link = self._connect(self)
        if self._link is None:
            return
        self._buffer = b""
        self._heard_ns = self._world.now_ns
        self._unanswered.clear()
        if self._refusals > 1 and self._session:
            self._next = 1  # it may have lost the end of the session: see what there is
        login = f"{self.name:6}{'':10}{self._session:>10}{self._next:>20}"
        self._write(b"L", login.encode())

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        self._is_up = False
        if link is not None:
            link.close()

    def lost(self, link: Link) -> None:
        """The connection has ended."""
        if link is self._link:
            self._link = None
            self._is_up = False

    @property
    def is_up(self) -> bool:
        """Logged in, as far as it knows."""
        return self._is_up

    @property
    def link(self) -> Link | None:
        """The connection that it has."""
        return self._link

    def come_to_rest(self) -> None:
        """See to it that everything arrives; see `is_at_rest`."""
        self._barrier, self._barrier_link = b" ", None
        self.tick()

    @property
    def is_at_rest(self) -> bool:
        """Whether an order that finds no other side has come back, behind all before it."""
        order = self._by_token.get(self._barrier)
        return self._is_up and order is not None and order.state == "done"

    # --- what it sends ---------------------------------------------------------------------------

    def _write(self, letter: bytes, payload: bytes) -> None:
        assert self._link is not None
        self._spoke_ns = self._world.now_ns
        if letter == b"U":
            self._world.messages += 1
        self._link.send(struct.pack(">H", len(payload) + 1) + letter + payload)

    def trade(self) -> None:
        """Do something that a client does."""
        if not self._is_up or len(self._unanswered) > _UNANSWERED_MAX:
            return
        draw = self._chance.random()
        if self._open and (draw < 0.2 or len(self._open) > _OPEN_MAX):
            order = self._chance.choice(list(self._open.values()))
            # Down to what is executed, or to something between.
            left = self._chance.choice((0, order.cum_qty + 1))
            self._write(b"U", _CANCEL.pack(b"X", _token(order.cl_ord_id), left))
        elif self._open and draw < 0.3:
            order = self._chance.choice(list(self._open.values()))
            qty = order.cum_qty + self._chance.randint(1, 20)
            price = (order.price + self._chance.randint(-5, 5)) * 100
            self._write(
                b"U",
                _REPLACE.pack(
                    b"U", _token(order.cl_ord_id), self._new_token(), qty, price, _DAY, b"Y",
                    b"N", 0,
                ),
            )  # fmt: skip
        else:
            side = self._chance.choice((b"B", b"S"))
            price = self._chance.randint(9_950, 10_050) + (-10 if side == b"B" else 10)
            lasts = _IMMEDIATE if self._chance.random() < 0.1 else _DAY
            self._enter(self._new_token(), side, self._chance.randint(1, 20), price, lasts)

    def _new_token(self) -> bytes:
        self._ids += 1
        return _token(f"{self.name}-{self._ids}")

    def _ask(self) -> None:
        self._barrier, self._barrier_link = self._new_token(), self._link
        self._enter(self._barrier, b"B", 1, 1, _IMMEDIATE)

    def _enter(self, token: bytes, side: bytes, qty: int, price: int, lasts: int) -> None:
        order = Order(
            self.name, token.decode().strip(), _SIDES[side], qty, price, rests=lasts == _DAY
        )
        self._orders.append(order)
        self._by_token[token] = order
        self._unanswered.add(token)
        self._write(
            b"U",
            _ENTER.pack(
                b"O", token, side, qty, b"BTCUSD  ", price * 100, lasts, b"    ", b"Y", b"P",
                b"N", 0, b"N", b" ",
            ),
        )  # fmt: skip

    # --- what comes ------------------------------------------------------------------------------

    def received(self, link: Link, octets: bytes) -> None:
        """Bytes arrived."""
        if link is not self._link:
            return
        self._heard_ns = self._world.now_ns
        buffer = self._buffer + octets
        start = 0
        while len(buffer) - start >= 3:
            end = start + 2 + int.from_bytes(buffer[start : start + 2], "big")
            if end > len(buffer):
                break
            letter, payload = chr(buffer[start + 2]), buffer[start + 3 : end]
            start = end
            self._packet(letter, payload)
            if link is not self._link:
                return
        self._buffer = buffer[start:]

    def _packet(self, letter: str, payload: bytes) -> None:
        if letter == "S" and self._is_up:
            self._world.messages += 1
            self._message(payload)
        elif letter == "A" and not self._is_up:
            session, first = payload[:10].decode().strip(), int(payload[10:])
            if first != self._next or self._session not in ("", session):
                raise Violation(
                    f"{self.name}: asked for {self._session} {self._next}: {payload!r}"
                )
            if not self._session:
                if session in self._came:
                    raise Violation(f"{self.name}: session {session} began anew")
                self._ahead = [*_between(self._last_session, session), session]
                self._session, self._next = self._ahead.pop(0), 1
                if self._session != session:
                    self._hang_up()
                    return
            self._last_session = session
            self._refusals = 0
            self._came.setdefault(session, [])
            self._is_up = True
        elif letter == "J":
            if payload == b"A":
                self._hang_up()  # kept out until a person says otherwise
                self._not_before_ns = self._world.now_ns + _RETRY_NS
            else:
                self._refused()
        elif letter == "Z":
            self._session_ends()
        elif letter != "H":
            raise Violation(f"{self.name}: packet {letter} was not to be expected: {payload!r}")

    def _refused(self) -> None:
        """Another connection has the session still, or the session is not as long as it was."""
        self._refusals += 1
        if self._refusals > 1 and self._ahead:
            self._session = self._ahead.pop(0)  # there never was one of this name
            self._refusals = 0
        if self._refusals > _REFUSALS_MAX:
            raise Violation(f"{self.name}: session {self._session!r} cannot be had any more")
        self._not_before_ns = self._world.now_ns + _RETRY_NS
        self._hang_up()

    def _session_ends(self) -> None:
        came = self._came[self._session]
        last = self._next - 1
        if last < len(came):
            self._losses += 1
            if self._losses > self.losses_allowed:
                raise Violation(
                    f"{self.name}: session {self._session} ends at {last}, and {len(came)} came"
                )
            self._forget(self._session, last)
        self._session, self._next = self._ahead.pop(0) if self._ahead else "", 1
        self._hang_up()

    def _message(self, payload: bytes) -> None:
        came = self._came[self._session]
        number, self._next = self._next, self._next + 1
        if number <= len(came):
            if came[number - 1] != payload:
                raise Violation(
                    f"{self.name}: {self._session} {number} stands for {came[number - 1]!r} and "
                    f"{payload!r}"
                )
            return
        came.append(payload)
        letter = chr(payload[0])
        if letter == "S":
            return
        if letter not in _LETTERS:
            raise Violation(f"{self.name}: a message of a kind not to be expected: {payload!r}")
        fields = _LETTERS[letter].unpack_from(payload, 1)
        self._report(letter, (self._session, number), fields)

    def _report(self, letter: str, at: tuple[str, int], fields: tuple[int | bytes, ...]) -> None:
        token = fields[1]
        assert isinstance(token, bytes)
        identity = token.decode().strip()
        if letter == "U":
            old = fields[15]
            assert isinstance(old, bytes)
            order = self._by_token[token] = self._by_token[old]
            qty = order.cum_qty + _number(fields[3])
            told = Told(at, "replaced", identity, qty, _number(fields[5]) // 100)
        else:
            order = self._by_token[token]
        if letter == "A":
            self._unanswered.discard(token)
            price = _number(fields[5]) // 100
            told = Told(at, "accepted", identity, _number(fields[3]), price)
        elif letter == "J":
            self._unanswered.discard(token)
            told = Told(at, "refused", identity)
        elif letter in "CD":
            told = Told(at, "reduced", identity, _number(fields[2]))
        elif letter == "E":
            price, match = _number(fields[3]) // 100, _number(fields[5])
            told = Told(at, "traded", identity, _number(fields[2]), price, match)
            self._ledger.trade(match, Side(self.name, at, order.side, told.qty, price))
        elif letter == "B":
            broken = fields[2]
            fill = order.fill(lambda one: one.match == broken)
            told = Told(at, "amended", identity, 0, 0, fill.match, amends=fill.at)
            self._ledger.amended(fill.match, Side(self.name, at, order.side, 0, 0))
        order.take(told)
        if order.state == "open" and order.rests:
            self._open[order.sent_id] = order
        else:
            self._open.pop(order.sent_id, None)

    def _forget(self, session: str, last: int) -> None:
        """Take back what stands behind this number of a session."""
        del self._came[session][last:]
        self._ledger.forget(self.name, lambda at: at[0] != session or at[1] <= last)
        self._open = {
            order.sent_id: order for order in self._orders if order.state == "open" and order.rests
        }

    def forget(self, lost: frozenset[int]) -> None:
        """The gateway has lost rows. What of this client's, it finds out itself."""
        self.losses_allowed += 1

    def check(self) -> None:
        """At rest: everything that was entered on this connection was answered."""
        if self._unanswered:
            raise Violation(f"{self.name}: never answered: {sorted(self._unanswered)[:5]}")


def _between(before: str, after: str) -> list[str]:
    """Sessions that may have been between two: ids are dates, and two digits that count from 1."""
    if not before:
        return []
    first = int(before) + 1
    if before[:8] == after[:8]:
        return [str(number) for number in range(first, int(after))]
    later = range(int(after[:8]) * 100 + 1, int(after))
    return [str(number) for number in (*range(first, first + 3), *later)]


def _token(identity: str) -> bytes:
    return identity.encode().ljust(14)


def _number(field: int | bytes) -> int:
    assert isinstance(field, int)
    return field
