"""A FIX session, acceptor or initiator: the state machine, without I/O and without a clock.

Owns which message calls for what, and in which order it is asked. It says what to send through
the `SequenceStore` handed in, what happened through `events()`, and hands application messages in
sequence to the `Application`. Time is an argument: nanoseconds since the Unix epoch, UTC; it may
be set back and forth. Which FIX version is spoken is data: the configuration's BeginString and the
dictionary of the scanner. Must not know sockets, rows or orders. The states stand as a table in
`fix_states`.

Order in which a message of a session that is up is looked at (docs/rules-of-engagement.md): frame;
BeginString; header fields present and not empty; SendingTime and CompIDs; sequence; then, when its
turn comes, its body against the dictionary. Before the Logon is authenticated no number moves and
nothing is sent.
"""

from __future__ import annotations

from collections import deque

from portcullis.dictionaries.fix_tags import (
    GAP_FILL_FLAG,
    PASSWORD,
    SENDING_TIME,
    TEST_REQ_ID,
    USERNAME,
)
from portcullis.sessions import fix_admin as admin
from portcullis.sessions import fix_handshake as handshake
from portcullis.sessions import fix_recovery as recovery
from portcullis.sessions.fix_config import FixSessionConfig, Role
from portcullis.sessions.fix_events import Application, Authenticate, FixEvent, LoggedOut
from portcullis.sessions.fix_link import FixLink
from portcullis.sessions.fix_logon import (
    asks_reset,
    header_fault,
    outside_window,
    silent_fault,
    wrong_comp_ids,
)
from portcullis.sessions.fix_message import FixMessage, Scanner, Scratch
from portcullis.sessions.fix_states import UP, Recovery, State, Trigger
from portcullis.sessions.store import SequenceStore

# One fixed text, whatever was wrong, so that nothing is learned from it.
_LOGON_REFUSED = "Logon refused"


class FixSession:
    """One session over its connections, one at a time. It lives as long as its process.

    scratch: where messages that were held are scanned when their turn comes; all sessions of a
    process and a dictionary may share it.
    """

    def __init__(
        self,
        config: FixSessionConfig,
        store: SequenceStore,
        application: Application,
        scratch: Scratch,
    ) -> None:
        self.config = config
        self._application = application
        self._scratch = scratch
        self._link = FixLink(config, store)
        self._lane = self._link.lane
        # The Logon that is being authenticated, and what came behind it.
        self._logon: FixMessage | None = None
        self._early: deque[bytes] = deque()
        self._early_bytes = 0
        # Why application messages are answered by a BusinessMessageReject; "": they are taken.
        self.refusal = ""
        # Messages that the lane did not take: whoever keeps what came looks twice at those.
        self.slow_messages = 0
        # Whether the application had no room for a message that waits in the session.
        self.is_stalled = False

    # --- what the owner asks and tells -----------------------------------------------------

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._link.state

    @property
    def recovery(self) -> Recovery:
        """Who is behind whom."""
        return self._link.recovery

    @property
    def is_connected(self) -> bool:
        """Whether a connection is attached: another one is not let in, see `challenge`."""
        return self._link.state is not State.OFFLINE

    @property
    def is_logged_on(self) -> bool:
        """Whether both sides have logged on and nobody has begun to log out."""
        return self._link.state is State.ACTIVE

    @property
    def is_closed(self) -> bool:
        """Whether a Disconnect event was given: what still arrives is of no interest."""
        return self._link.state is State.CLOSED

    @property
    def next_in(self) -> int:
        """The next inbound number expected: the live one, see `store`."""
        number: int = self._lane.next_in
        return number

    @property
    def has_events(self) -> bool:
        """Whether `events` would give any."""
        return bool(self._link.events)

    def has_parted(self, took_all: bool) -> bool:
        """Whether they ended this connection in order, and so have all that was sent on it.

        They do who answer our Logout, or who log out and then close it having read all of it.
        took_all: whether the connection was closed like that.
        """
        return self._link.they_answered or (self._link.they_parted and took_all)

    def events(self) -> list[FixEvent]:
        """What happened since the last call, in order."""
        events, self._link.events = self._link.events, []
        return events

    def connected(self, now_ns: int) -> None:
        """A connection was made. Acceptor: its first message is yet to be given to `receive`."""
        link = self._link
        if self.config.role is Role.ACCEPTOR:
            link.go(Trigger.CONNECTED)
        else:
            link.go(Trigger.CONNECTED_AS_INITIATOR)
        now_ns = link.observe(now_ns)
        link.begin(now_ns)
        link.limit(now_ns, self.config.logon_timeout_ns)
        if self.config.role is Role.INITIATOR:
            handshake.send_logon(link, now_ns)

    def challenge(self, now_ns: int) -> None:
        """A second connection named this session. Drop that one; this one must show life.

        A TestRequest goes out, at most one in probe_interval_ns; without a message within
        probe_timeout_ns this connection ends.
        """
        if self._link.state in UP:
            self._link.note("a second connection named this session")
            self._link.probe(self._link.observe(now_ns))

    def receive(self, scanner: Scanner, first: int, count: int, now_ns: int) -> int:
        """Take scanned messages; give how many were taken.

        Fewer than count: the application had no room; run the engine, seal, call again with the
        rest. Then, while `is_stalled`, make room and call `resume`. What arrives after a
        Disconnect event is taken and ignored.
        """
        link, lane, gap = self._link, self._lane, self._link.gap
        now_ns = link.observe(now_ns)
        index, end = first, first + count
        while index < end:
            if self._early or gap.highest >= lane.next_in:
                if not self._settled(now_ns):
                    break
            if link.is_up and gap.highest < lane.next_in and not self.refusal:
                ready = lane.accept(scanner, index, end - index, link.wall_ns)
                if ready:
                    taken = self._application.on_messages(scanner, index, ready)
                    lane.next_in += taken
                    link.heard(now_ns)
                    index += taken
                    if taken < ready:
                        break
                    continue
            elif link.state is State.CLOSED:
                return count
            if not self._take(FixMessage(scanner, index), scanner, index, now_ns):
                break
            index += 1
        if self._early or gap.highest >= lane.next_in:
            self._settled(now_ns)
        return index - first

    def resume(self, now_ns: int) -> None:
        """The application has room again: offer it what waits in the session."""
        self._settled(self._link.observe(now_ns))

    def authenticated(self, ok: bool, now_ns: int) -> None:
        """The answer to an Authenticate event; ignored if its connection has gone meanwhile."""
        message, self._logon = self._logon, None
        now_ns = self._link.observe(now_ns)
        if message is None or self._link.state is not State.AUTHENTICATING:
            return
        if ok:
            handshake.accept_logon(self._link, message, now_ns)
            self._settled(now_ns)
        elif self.config.logon_reject == "logout":
            handshake.refuse_logon(self._link, _LOGON_REFUSED, now_ns)
        else:
            self._link.close("Logon was not authenticated")

    def refuse(self, text: str, now_ns: int) -> None:
        """The answer to an Authenticate event: authentic, but not now. A Logout with this text."""
        self._logon = None
        if self._link.state is State.AUTHENTICATING:
            handshake.refuse_logon(self._link, text, now_ns)

    def logout(self, text: str, now_ns: int) -> None:
        """Begin to log out: Logout with text, wait for theirs within bounds, Disconnect."""
        link = self._link
        now_ns = link.observe(now_ns)
        if link.state is State.ACTIVE:
            link.go(Trigger.LOGOUT_BEGUN)
            link.send(admin.LOGOUT, admin.logout_body(text), now_ns)
            link.limit(now_ns, self.config.logout_timeout_ns)
        elif link.state in (State.AWAIT_LOGON, State.AUTHENTICATING, State.LOGON_SENT):
            link.close(text)

    def reset(self) -> None:
        """Begin both numbers at 1, by schedule or operator; only while no connection is there."""
        if self.is_connected:
            raise RuntimeError("numbers of a connected session cannot be reset: log it out first")
        self._link.reset_numbers()

    def take_numbers(self) -> None:
        """Expect what the store does, which an operator has changed; only while no connection is
        there."""
        if self.is_connected:
            raise RuntimeError("numbers of a connected session cannot be set: log it out first")
        self._lane.next_in = self._link.store.next_in
        self._link.gap.clear()

    def pass_over(self, step_ns: int) -> None:
        """The wall clock was set by so much since the last call: no time-out runs by that."""
        self._link.pass_over(step_ns)

    def disconnected(self, now_ns: int) -> None:
        """The connection is gone, whoever closed it. Numbers stay."""
        link = self._link
        if link.state in UP:
            if link.recovery is not Recovery.IN_STEP:
                link.note(f"lost the connection while {link.recovery.name.lower()}")
            link.events.append(LoggedOut("connection lost"))
        link.go(Trigger.CONNECTION_LOST)
        link.store.detach()
        link.forget()
        self._logon = None
        self._early.clear()
        self._early_bytes = 0
        self.is_stalled = False

    def tick(self, now_ns: int) -> int:
        """Do what is due; give the time of the next deadline, 0 where there is none."""
        link = self._link
        now_ns = link.observe(now_ns)
        link.end_overdue(now_ns)
        if link.state is State.ACTIVE:
            if link.recovery is Recovery.CROSSED:
                link.gap.put_off(now_ns)  # our request goes out behind what they asked for
            if link.gap.expire(link.lane.next_in, now_ns):
                recovery.request_missing(link, now_ns)
                link.keep_alive(now_ns)
            else:
                link.fault("ResendRequest was not answered", now_ns)
        return link.next_deadline()

    # --- messages, as they arrive -------------------------------------------------------------

    def _settled(self, now_ns: int) -> bool:
        """Whether nothing waits that could be taken: what came before what comes now."""
        link = self._link
        if self._early or link.gap.highest >= self._lane.next_in:
            self.is_stalled = not self._drain(now_ns)
            return not self.is_stalled
        return True

    def _drain(self, now_ns: int) -> bool:
        """Work through what waits: early messages, held ones. False: the application is full."""
        while self._early and self._link.state is not State.AUTHENTICATING:
            octets = self._early[0]
            if not self._take(*self._scratch.scan(octets), now_ns):
                return False
            self._early.popleft()
            self._early_bytes -= len(octets)
            if not self._release(now_ns):
                return False
        return self._release(now_ns)

    def _release(self, now_ns: int) -> bool:
        """Take held messages whose turn has come, then ask for what is missing."""
        link = self._link
        while link.state in UP and link.gap.holds(link.lane.next_in):
            next_in = link.lane.next_in
            octets = link.gap.peek(next_in)
            if octets is None:
                link.advance(next_in + 1, now_ns)
            elif not self._in_turn(*self._scratch.scan(octets), now_ns):
                return False
            elif link.lane.next_in == next_in and link.gap.holds(next_in):
                # A SequenceReset that was rejected: it is done, its number is still expected.
                link.gap.drop(next_in)
        recovery.request_missing(link, now_ns)
        return True

    def _take(self, message: FixMessage, scanner: Scanner, index: int, now_ns: int) -> bool:
        """Take one message as it arrives; False: the application has no room for it."""
        self.slow_messages += 1
        link = self._link
        if link.state in UP:
            return self._take_up(message, scanner, index, now_ns)
        if link.state is State.AWAIT_LOGON:
            self._take_logon(message, now_ns)
        elif link.state is State.AUTHENTICATING:
            self._keep_early(message)
        elif link.state is State.LOGON_SENT:
            handshake.take_logon_answer(link, message, now_ns)
        elif link.state is State.FAULTED and message.msg_type == admin.LOGOUT:
            link.they_answered = True
            link.count(message, now_ns)
            link.close("logged out after a fault")
        return True

    def _take_logon(self, message: FixMessage, now_ns: int) -> None:
        fault = silent_fault(self.config, message, self._link.wall_ns)
        if fault:
            self._link.close(fault)
            return
        self._logon = message
        self._link.go(Trigger.LOGON_ARRIVED)
        self._link.events.append(
            Authenticate(message.get(USERNAME) or b"", message.get(PASSWORD) or b"")
        )

    def _keep_early(self, message: FixMessage) -> None:
        size = len(message.octets)
        if (
            len(self._early) >= self.config.held_messages_max
            or self._early_bytes + size > self.config.held_bytes_max
        ):
            self._link.close("too much before the Logon was answered")
            return
        self._early.append(message.octets)
        self._early_bytes += size

    def _take_up(self, message: FixMessage, scanner: Scanner, index: int, now_ns: int) -> bool:
        link = self._link
        if message.is_garbled:
            link.note("ignored a garbled message")
            return True
        link.heard(now_ns)
        if self._ends_session(message, now_ns) or self._has_bad_header(message, now_ns):
            return True
        number = message.msg_seq_num
        if message.msg_type == admin.LOGOUT and not (
            message.poss_dup and number < link.lane.next_in
        ):
            handshake.take_logout(link, message, now_ns)
        elif message.msg_type == admin.SEQUENCE_RESET and message.get(GAP_FILL_FLAG) != b"Y":
            recovery.take_reset(link, message, now_ns)
        elif message.msg_type == admin.LOGON and asks_reset(message) and not message.poss_dup:
            handshake.take_reset_logon(link, message, now_ns)
        elif number > link.lane.next_in:
            recovery.take_ahead(link, message, now_ns)
        elif number < link.lane.next_in:
            recovery.take_behind(link, message, now_ns)
        else:
            return self._in_turn(message, scanner, index, now_ns)
        return True

    def _ends_session(self, message: FixMessage, now_ns: int) -> bool:
        """What is wrong with the frame or cannot be referred to ends the session with a text."""
        if message.is_too_long:
            self._link.fault("Message is too long", now_ns)
        elif message.begin_string_differs:
            self._link.fault("Incorrect BeginString", now_ns)
        elif message.msg_seq_num < 0:
            self._link.fault("Received message without MsgSeqNum", now_ns)
        else:
            return False
        return True

    def _has_bad_header(self, message: FixMessage, now_ns: int) -> bool:
        """Reject what is missing in the header, or says that the peer or its clock is not ours."""
        link = self._link
        tag = header_fault(message)
        if tag:
            missing = message.get(tag) is None
            reason = admin.REQUIRED_TAG_MISSING if missing else admin.TAG_WITHOUT_VALUE
            link.reject(message, reason, tag, now_ns)
        elif message.sending_time_ns < 0:
            link.reject(message, admin.INCORRECT_FORMAT, SENDING_TIME, now_ns)
        elif outside_window(self.config, message, link.wall_ns):
            link.reject_and_fault(message, admin.SENDING_TIME_PROBLEM, now_ns)
        elif wrong_comp_ids(self.config, message):
            link.reject_and_fault(message, admin.COMP_ID_PROBLEM, now_ns)
        else:
            return False
        return True

    # --- messages, in their turn ----------------------------------------------------------------

    def _in_turn(self, message: FixMessage, scanner: Scanner, index: int, now_ns: int) -> bool:
        """Take the expected message; False: the application has no room for it."""
        link = self._link
        msg_type = message.msg_type
        is_reset = msg_type == admin.SEQUENCE_RESET
        if message.poss_dup and not is_reset and not link.is_true_duplicate(message, now_ns):
            return True
        if message.reject_reason >= 0:
            # A rejected SequenceReset never moves the expected number.
            link.reject(
                message, message.reject_reason, message.reject_tag, now_ns, counts=not is_reset
            )
        elif msg_type in self.config.application_types and self.refusal:
            link.send(
                admin.BUSINESS_MESSAGE_REJECT,
                admin.refusal_body(message, self.refusal),
                now_ns,
                in_seq=message.msg_seq_num,
                header=admin.turned_route(message),
            )
        elif msg_type in self.config.application_types:
            if not self._application.on_messages(scanner, index, 1):
                return False
            link.move(message.msg_seq_num + 1, now_ns)
        elif msg_type in admin.ADMIN_TYPES:
            self._take_admin(message, now_ns)
        elif msg_type == admin.BUSINESS_MESSAGE_REJECT:
            # Answered by another, two gateways would go on for ever.
            link.note(f"they rejected a message: {handshake.text_of(message)}")
            link.count(message, now_ns)
        else:
            link.send(
                admin.BUSINESS_MESSAGE_REJECT,
                admin.unsupported_type_body(message),
                now_ns,
                in_seq=message.msg_seq_num,
                header=admin.turned_route(message),
            )
        return True

    def _take_admin(self, message: FixMessage, now_ns: int) -> None:
        link = self._link
        if message.msg_type == admin.TEST_REQUEST:
            body = admin.heartbeat_body(message.get(TEST_REQ_ID) or b"")
            link.send(admin.HEARTBEAT, body, now_ns, in_seq=message.msg_seq_num)
        elif message.msg_type == admin.RESEND_REQUEST:
            recovery.take_resend_request(link, message, now_ns)
        elif message.msg_type == admin.SEQUENCE_RESET:
            recovery.take_gap_fill(link, message, now_ns)
        elif message.msg_type == admin.LOGON:
            link.fault("Logon while logged on", now_ns)
        else:
            if message.msg_type == admin.REJECT:
                link.note(f"they rejected a message: {handshake.text_of(message)}")
            link.count(message, now_ns)
