"""A listener of a MoldUDP64 stream without I/O: packets in, each message once and in order out.

    state      means                        left when
    WAITING    no packet has been seen      the first one names the session
    IN_STEP    nothing is missing           a packet or a heartbeat is ahead of its turn
    ASKING     numbers are missing          they came, or asking does not get on: REPLAYING
    REPLAYING  a replay over TCP is wanted  nothing is missing, and the lines speak
    ENDED      the session is complete      a packet of the next session

Owns the session, the number of the next message, what came ahead of its turn, and the counts.
Lines A and B, answers to requests and a replay are four ways for the same numbers: the first copy
counts. What is missing is asked for in packets (`requests`); where that brings nothing, where too
much is missing to be asked for piece by piece, and where the lines are silent, a replay is wanted
(`wants_replay`), until there is nothing to replay. What nobody can supply for `give_up_ns` is
lost, and said to be; with nobody to ask, once it can no longer be a packet that was overtaken.
Must not know sockets, nor what a message says.

A packet of another session means that ours has ended. Whether we have all of it only its end
tells: an End of Session packet, as answer to a request too, or the end of the replay. So requests
go on behind the last number seen until one of them says so, and the sessions that follow wait.

Invariants: every number is delivered or lost, once, in order. What is held lies above the next
number and within its bounds; what does not fit is dropped, and asked for again.
Specification: NASDAQ MoldUDP64 1.00.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from portcullis.codecs.moldudp64 import packets
from portcullis.sessions.mold_gaps import Gaps, GapSettings

SECOND_NS = 1_000_000_000
# Sessions that are over, of which late packets are known, and those that wait for their turn.
_SESSIONS_KEPT = 16


class Way(IntEnum):
    """How a message came."""

    LINE_A = 0
    LINE_B = 1
    ANSWER = 2
    REPLAY = 3


class State(IntEnum):
    """Where a subscriber stands."""

    WAITING = 0
    IN_STEP = 1
    ASKING = 2
    REPLAYING = 3
    ENDED = 4


class Began(NamedTuple):
    """A session, and the number of its first message that will be delivered."""

    session: str
    sequence: int


class Message(NamedTuple):
    """A message of the session. The octets are the caller's."""

    sequence: int
    octets: bytes
    way: Way


class Missing(NamedTuple):
    """A gap was noticed, up to the number before `end`."""

    sequence: int
    end: int


class Lost(NamedTuple):
    """Nobody supplies these numbers, up to the one before `end`, which is delivered next."""

    sequence: int
    end: int


class Ended(NamedTuple):
    """The session is over. is_complete: its end was seen, and `sequence` would have been next."""

    session: str
    sequence: int
    is_complete: bool


Event = Began | Message | Missing | Lost | Ended


@dataclass(frozen=True, slots=True)
class SubscriberSettings:
    """Times in nanoseconds.

    has_requests, has_replay: whether there is a server for them. replay_above: where more numbers
    are missing, a replay is wanted at once. requests_max: so is one after so many requests in a
    row that bring nothing. give_up_ns: how long numbers are missing, while none of them comes,
    before they are lost; without any server that is the gaps' patience. silence_ns: a stream says
    something each second; its lines are dead after so long. held_max: messages held ahead of
    their turn, and held_bytes_max their bytes.
    """

    gaps: GapSettings = field(default_factory=GapSettings)
    has_requests: bool = True
    has_replay: bool = True
    replay_above: int = 2_000
    requests_max: int = 6
    give_up_ns: int = 60 * SECOND_NS
    silence_ns: int = 3 * SECOND_NS
    held_max: int = 65_536
    held_bytes_max: int = 32 << 20


@dataclass(slots=True)
class Counts:
    """Of all sessions so far. received: over the lines. duplicated: copies of what was had."""

    received: int = 0
    recovered: int = 0
    lost: int = 0
    duplicated: int = 0
    dropped: int = 0  # held by nobody, since the buffer was full; asked for again
    unreadable: int = 0  # packets
    requests: int = 0
    replays: int = 0


class MoldSubscriber:
    """One stream. Times are nanoseconds on any clock that never runs back.

    session: the one to go on with; empty: the first that is seen. sequence: the first number
    wanted of it; 0: of the first packet seen, and those before are nobody's concern.

    After each call write `requests`, look at `events` and `wants_replay`, and call `tick` at the
    time that the last `tick` gave.
    """

    def __init__(
        self, settings: SubscriberSettings, now_ns: int, *, session: str = "", sequence: int = 1
    ) -> None:
        self.counts = Counts()
        self.session = session
        # Number of the next message to be delivered.
        self.next_sequence = sequence
        # Whether a replay is to be begun, or to go on, from `next_sequence` of `session`.
        self.wants_replay = False
        # Whether no line has said anything for silence_ns.
        self.is_silent = False
        self._settings = settings
        # With nobody to ask only the other line, or a packet that was overtaken, brings it.
        has_source = settings.has_requests or settings.has_replay
        wait_ns = settings.give_up_ns
        self._give_up_ns = wait_ns if has_source else min(wait_ns, settings.gaps.patience_ns)
        self._gaps = Gaps(settings.gaps)
        # What lies behind every number seen, delivered, held or missing.
        self._seen_end = sequence
        # Behind the last number of the session; 0: not known. And whether that was said.
        self._end = 0
        self._has_ended = False
        self._held: dict[int, Message] = {}
        self._held_bytes = 0
        self._heard_ns = now_ns
        # When a number last came that was missing.
        self._gained_ns = now_ns
        # When a replay was last wanted anew, or brought something.
        self._replayed_ns = now_ns
        self._past: deque[str] = deque(maxlen=_SESSIONS_KEPT)
        self._following: list[str] = []
        # Since when the session is known to be over.
        self._over_ns = 0
        # Of a session that is over: requests for what may follow the last number seen.
        self._probes = 0
        self._probe_ns = 0
        self._requests: list[bytes] = []
        self._events: list[Event] = []
        if session:
            self._begin(session, sequence)

    @property
    def state(self) -> State:
        """Where it stands now."""
        if self._is_complete():
            return State.ENDED
        if self.wants_replay:
            return State.REPLAYING
        if not self.session:
            return State.WAITING
        return State.ASKING if self._gaps or self._following else State.IN_STEP

    @property
    def missing(self) -> int:
        """How many numbers are known to be missing."""
        return self._gaps.missing

    # --- what comes in ---------------------------------------------------------------------------

    def receive(self, octets: bytes, way: Way, now_ns: int) -> None:
        """Take a datagram."""
        packet = packets.parse_downstream(octets)
        if packet is None or packet.sequence < 1:
            self.counts.unreadable += 1
            return
        if way != Way.ANSWER:
            self._heard_ns = now_ns
        session = packet.session.decode("latin-1").strip()
        if not self.session:
            if packet.ends:  # nobody begins with what is over
                return
            self._begin(session, self.next_sequence or packet.sequence)
        if session == self.session:
            self._take(packet.sequence, packet.messages, way, now_ns)
            if packet.ends:
                self._end = packet.sequence
        elif way != Way.ANSWER and session not in self._past and session not in self._following:
            if len(self._following) < _SESSIONS_KEPT:
                self._following.append(session)
            self._over_ns = self._over_ns or now_ns
        self._settle(now_ns)

    def replayed(
        self, session: str, sequence: int, messages: Sequence[bytes], now_ns: int
    ) -> None:
        """Take messages of a replay, from a number on."""
        self._replayed_ns = now_ns
        if not self.session:
            self._begin(session, self.next_sequence or sequence)
        if session == self.session:
            self._take(sequence, messages, Way.REPLAY, now_ns)
            self._settle(now_ns)

    def replay_ended(self, session: str, sequence: int, now_ns: int) -> None:
        """The replay has told the end of a session: `sequence` would have been next."""
        if session == self.session:
            self._take(sequence, (), Way.REPLAY, now_ns)
            self._end = sequence
            self._settle(now_ns)

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the next deadline."""
        self._settle(now_ns)
        settings = self._settings
        since_ns = max(self._over_ns, self._gained_ns)
        deadlines = [self._heard_ns + settings.silence_ns, now_ns + settings.silence_ns]
        if self._gaps:
            since_ns = max(self._gaps.front()[1].noticed_ns, self._gained_ns)
            deadlines.append(self._gaps.deadline())
        deadlines += [self._probe_ns, since_ns + self._give_up_ns]
        return min(deadline for deadline in deadlines if deadline > now_ns)

    # --- what goes out ---------------------------------------------------------------------------

    def requests(self) -> list[bytes]:
        """Datagrams for the retransmission server."""
        requests, self._requests = self._requests, []
        return requests

    def events(self) -> list[Event]:
        """What happened since the last call, messages among it, in order."""
        events, self._events = self._events, []
        return events

    # --- numbers ---------------------------------------------------------------------------------

    def _take(self, sequence: int, messages: Sequence[bytes], way: Way, now_ns: int) -> None:
        """Numbers from `sequence` on; without messages: that number is next to be sent."""
        end = sequence + len(messages)
        is_wanted = way >= Way.ANSWER
        runs = self._gaps.fill(sequence, end, now_ns, is_answer=is_wanted) if self._gaps else []
        if runs:
            self._gained_ns = now_ns
        if end > self._seen_end or sequence > self._seen_end:
            fresh = max(sequence, self._seen_end)
            if fresh > self._seen_end:
                self._gaps.add(self._seen_end, fresh, now_ns)
                self._events.append(Missing(self._seen_end, fresh))
            if fresh < end:
                runs.append((fresh, end))
            self._seen_end = end
        self.counts.duplicated += len(messages) - sum(high - low for low, high in runs)
        for low, high in runs:
            for number in range(low, high):
                message = Message(number, messages[number - sequence], way)
                if number == self.next_sequence:
                    self._deliver(message)
                elif not self._hold(message):
                    self.counts.dropped += high - number
                    self._gaps.restore(number, high, now_ns)
                    break
            self._deliver_held()

    def _deliver(self, message: Message) -> None:
        self.next_sequence += 1
        if message.way < Way.ANSWER:
            self.counts.received += 1
        else:
            self.counts.recovered += 1
        self._events.append(message)

    def _hold(self, message: Message) -> bool:
        size = self._held_bytes + len(message.octets)
        if len(self._held) >= self._settings.held_max or size > self._settings.held_bytes_max:
            return False
        self._held[message.sequence] = message
        self._held_bytes = size
        return True

    def _deliver_held(self) -> None:
        while (message := self._held.pop(self.next_sequence, None)) is not None:
            self._held_bytes -= len(message.octets)
            self._deliver(message)

    # --- what is due -----------------------------------------------------------------------------

    def _settle(self, now_ns: int) -> None:
        """Ask for what is missing, give up what has been for too long, go on to what follows."""
        settings = self._settings
        self.is_silent = now_ns - self._heard_ns >= settings.silence_ns
        self._give_up(now_ns)
        if self._is_complete() and not self._has_ended:
            self._has_ended = True
            self._events.append(Ended(self.session, self._end, True))
        while self._following and (self._is_complete() or self._is_unknowable(now_ns)):
            self._go_on(now_ns)
        wanted = settings.has_replay and not self._is_complete() and self._needs_replay(now_ns)
        if wanted and not self.wants_replay:
            self.counts.replays += 1
            self._replayed_ns = now_ns
        self.wants_replay = wanted
        # Both at once would bring everything twice.
        is_replaying = wanted and now_ns - self._replayed_ns < SECOND_NS
        if settings.has_requests and self.session and not is_replaying:
            # What comes of the first range is never held.
            has_room = len(self._held) + settings.gaps.piece <= settings.held_max
            for first, count in self._gaps.ask(now_ns, settings.gaps.window if has_room else 1):
                self._request(first, count)
            if self._following and not self._end and not self._gaps and now_ns >= self._probe_ns:
                self._request(self._seen_end, 1)
                self._probes += 1
                self._probe_ns = now_ns + settings.gaps.retry_ns

    def _needs_replay(self, now_ns: int) -> bool:
        """Whether asking does not get on. A replay that goes on does so until it is caught up."""
        if self.is_silent or (self.wants_replay and self._gaps):
            return True
        settings = self._settings
        if not settings.has_requests:
            return bool(self._following or (self._gaps and self._gaps.deadline() <= now_ns))
        return (
            self._gaps.missing > settings.replay_above
            or max(self._gaps.requests_most(), self._probes) > settings.requests_max
        )

    def _request(self, first: int, count: int) -> None:
        self.counts.requests += 1
        self._requests.append(packets.request(self.session.encode("latin-1"), first, count))

    def _give_up(self, now_ns: int) -> None:
        """Give up what has been missing for too long."""
        while self._gaps:
            _first, front = self._gaps.front()
            if now_ns - max(front.noticed_ns, self._gained_ns) < self._give_up_ns:
                return
            self._lose()

    def _lose(self) -> None:
        """The first range is lost; go on behind it."""
        first, end = self._gaps.give_up()
        self.counts.lost += end - first
        self._events.append(Lost(first, end))
        self.next_sequence = end
        self._deliver_held()

    # --- sessions --------------------------------------------------------------------------------

    def _is_complete(self) -> bool:
        return bool(self._end) and self.next_sequence >= self._end

    def _is_unknowable(self, now_ns: int) -> bool:
        """Whether nobody has told the end of a session that is over, for long."""
        if self._gaps:
            return False
        return now_ns - max(self._over_ns, self._gained_ns) >= self._give_up_ns

    def _begin(self, session: str, sequence: int) -> None:
        self.session = session
        self.next_sequence = self._seen_end = sequence
        self._events.append(Began(session, sequence))

    def _go_on(self, now_ns: int) -> None:
        """The next session, from its first number."""
        while self._gaps:  # behind what is said to be the end
            self._lose()
        if not self._has_ended:
            self._events.append(Ended(self.session, self.next_sequence, False))
        self._past.append(self.session)
        self._gaps = Gaps(self._settings.gaps)
        self._end = self._probes = self._probe_ns = 0
        self._has_ended = False
        self._begin(self._following.pop(0), 1)
        self._gained_ns = now_ns
        self._over_ns = now_ns if self._following else 0
