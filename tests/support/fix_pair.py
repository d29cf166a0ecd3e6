"""Two session machines, initiator and acceptor, joined by bytes, each with a clock of its own.

What lies between them is a `Connection`: two streams and two ends, each of which closes by itself.
So one side may have a connection that the other has lost; what was sent before still arrives. The
acceptor does what a gateway does with a second connection of a live session: it drops it and
challenges the first.
"""

from __future__ import annotations

import re
from typing import Any

from portcullis.codecs.fix.layout import M_END, M_START, MSG_WORDS
from portcullis.sessions.fix_config import FixSessionConfig, Role
from portcullis.sessions.fix_events import Authenticate, Disconnect, FixEvent
from portcullis.sessions.fix_initiator import FixInitiator
from portcullis.sessions.memory_store import MemoryStore
from tests.support.clock import SECOND_NS, VirtualClock
from tests.support.fix_bench import tables
from tests.support.wire import fields

_GAP_FILL = re.compile(rb"\x0135=4\x0134=(\d+)\x01.*?\x0136=(\d+)\x01123=Y\x01")
_REJECT = re.compile(rb"\x0135=3\x01.*?\x0145=(\d+)\x01")


class Collector:
    """An application that keeps the ClOrdID of each message."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.store: MemoryStore | None = None

    def on_messages(self, scanner: Any, first: int, count: int) -> int:
        assert self.store is not None
        for index in range(first, first + count):
            words = scanner.message[index * MSG_WORDS : (index + 1) * MSG_WORDS]
            found = fields(bytes(scanner.octets[words[M_START] : words[M_END]]))
            self.ids.append(found[11])
            self.store.advance(int(found[34]) + 1)
        return count


class Connection:
    """What is between two sides. to: bytes on their way, by receiver; ends: who has it open."""

    def __init__(self, *sides: Side) -> None:
        self.to = {side: b"" for side in sides}
        self.ends = set(sides)


class Side:
    """One end: its machine, what it was told, and what became of what it sent."""

    def __init__(
        self, role: Role, comp_id: bytes, client: bytes, kept_max: int = 100_000, **settings: Any
    ) -> None:
        self.config = FixSessionConfig(
            begin_string=b"FIX.4.4", comp_id=comp_id, client=client, role=role, **settings
        )
        self.application = Collector()
        self.store = self.application.store = MemoryStore(self.config, kept_max=kept_max)
        self.machine = FixInitiator(self.config, self.application, tables(), store=self.store)
        self.connection: Connection | None = None
        # How far its clock is off.
        self.offset_ns = 0
        self.seen: list[FixEvent] = []
        # ClOrdIDs in the order of sending, and the number of each.
        self.sent: list[str] = []
        self.number: dict[str, int] = {}
        # Numbers of ours that we filled, and numbers of theirs that we rejected.
        self.filled: set[int] = set()
        self.rejected: set[int] = set()
        self.last_output = b""

    def restart(self) -> None:
        """Everything but the store is gone."""
        self.machine = FixInitiator(self.config, self.application, tables(), store=self.store)

    def work(self, now_ns: int) -> tuple[bytes, bool]:
        """Work through events; give what is to be sent, and whether the connection stays."""
        stays = True
        while events := self.machine.events():
            self.seen += events
            for event in events:
                if isinstance(event, Authenticate):
                    self.machine.session.authenticated(True, now_ns)
                stays = stays and not isinstance(event, Disconnect)
        output = self.machine.data_to_send()
        for first, end in _GAP_FILL.findall(output):
            self.filled.update(range(int(first), int(end)))
        self.rejected.update(int(number) for number in _REJECT.findall(output))
        return output, stays

    def send(self, now_ns: int) -> None:
        identity = f"{self.config.comp_id.decode()}-{len(self.sent)}"
        self.sent.append(identity)
        body = f"11={identity}|21=1|38=5|40=1|54=1|55=X|60=20260102-12:00:00|"
        self.number[identity] = self.machine.send(b"D", body.replace("|", "\x01").encode(), now_ns)


class Pair:
    """Both sides. Settings are those of both sessions."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.acceptor = Side(Role.ACCEPTOR, b"PORTCULLIS", b"CLIENT1", **settings)
        self.initiator = Side(Role.INITIATOR, b"CLIENT1", b"PORTCULLIS", **settings)

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.initiator, self.acceptor

    def now_ns(self, side: Side) -> int:
        return self.clock.now_ns + side.offset_ns

    @property
    def is_connected(self) -> bool:
        """Whether both have the same connection."""
        return (
            self.initiator.connection is not None
            and self.initiator.connection is self.acceptor.connection
        )

    # --- connections -----------------------------------------------------------------------------

    def connect(self) -> None:
        """The initiator connects, unless it thinks that it is."""
        if self.initiator.connection is not None:
            return
        self.initiator.connection = Connection(self.initiator, self.acceptor)
        self.initiator.machine.connected(self.now_ns(self.initiator))
        if self.acceptor.connection is None:
            self.acceptor.connection = self.initiator.connection
            self.acceptor.machine.connected(self.now_ns(self.acceptor))
        else:
            self.acceptor.machine.session.challenge(self.now_ns(self.acceptor))
            self.close(self.initiator)
        self.settle()

    def close(self, side: Side) -> None:
        """This end is gone; what was sent before still arrives at the other."""
        connection, side.connection = side.connection, None
        if connection is not None:
            connection.ends.discard(side)
            side.machine.disconnected(self.now_ns(side))
            side.work(self.now_ns(side))

    def cut(self) -> None:
        """The connection breaks for both, and what is under way is lost."""
        for side in self.sides:
            self.close(side)

    def restart(self, side: Side) -> None:
        self.close(side)
        side.restart()

    # --- bytes and time --------------------------------------------------------------------------

    def other(self, side: Side) -> Side:
        return self.acceptor if side is self.initiator else self.initiator

    def put(self, side: Side, octets: bytes) -> None:
        """Put bytes on the way from this side to the other."""
        if octets and side.connection is not None:
            side.last_output = octets
            side.connection.to[self.other(side)] += octets

    def settle(self) -> None:
        """Each side does what it was told and sends what it has to."""
        for side in self.sides:
            self.side_settles(side)

    def side_settles(self, side: Side) -> None:
        output, stays = side.work(self.now_ns(side))
        self.put(side, output)
        if not stays:
            self.close(side)

    def deliver(self, receiver: Side, length: int) -> None:
        """So many bytes arrive, or the end where there are none left."""
        connection = receiver.connection
        if connection is None:
            return
        octets = connection.to[receiver]
        part, connection.to[receiver] = octets[:length], octets[length:]
        if part:
            receiver.machine.feed(part, self.now_ns(receiver))
        elif self.other(receiver) not in connection.ends:
            self.close(receiver)
        self.settle()

    def deliver_all(self) -> None:
        for _ in range(1000):
            before = [side.connection for side in self.sides]
            waiting = [side for side in self.sides if side.connection is not None]
            lengths = [len(side.connection.to[side]) for side in waiting if side.connection]
            for side, length in zip(waiting, lengths, strict=True):
                self.deliver(side, length)
            if not any(lengths) and before == [side.connection for side in self.sides]:
                return
        raise AssertionError("the two sides never come to rest")

    def pass_time(self, seconds: float) -> None:
        """Let time pass in one step."""
        self.clock.advance(seconds)
        for side in self.sides:
            if side.connection is not None:
                side.machine.tick(self.now_ns(side))
        self.settle()

    def heal(self) -> None:
        """Right clocks, a fresh connection, and time for whatever is still to be asked for."""
        for side in self.sides:
            side.offset_ns = 0
        self.cut()
        for _ in range(4):
            self.connect()
            self.deliver_all()
            self.pass_time(11)
            self.deliver_all()

    def jump(self, side: Side, seconds: float) -> None:
        """Somebody sets this side's clock."""
        side.offset_ns += round(seconds * SECOND_NS)
