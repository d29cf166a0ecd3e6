"""What every handler of a FIX session works on: state, numbers, timers, and how to answer.

Owns the parts that belong together whatever arrives: moving through the states, sending through
the store, counting numbers, rejecting, ending. Must not know which message calls for which: that
is `fix_session`, `fix_handshake` and `fix_recovery`.

Time: handlers get `now_ns` by the clock of `observe`, which never runs back, so that a wall clock
that is set back puts no time-out off; what is compared with a peer's time takes `wall_ns`.

Numbers: `lane.next_in` is the live expected number. Each handler that takes a message sends an
answer with in_seq, or calls `count`, or leaves it to the application.
"""

from __future__ import annotations

from portcullis.dictionaries.fix_tags import ORIG_SENDING_TIME
from portcullis.sessions import fix_admin as admin
from portcullis.sessions.fix_config import FixSessionConfig
from portcullis.sessions.fix_events import Disconnect, FixEvent, LoggedOut, Noted
from portcullis.sessions.fix_gap import Gap
from portcullis.sessions.fix_lane import FixLane
from portcullis.sessions.fix_message import FixMessage
from portcullis.sessions.fix_states import TRANSITIONS, UP, Recovery, State, Trigger
from portcullis.sessions.store import SequenceStore

# TestReqID(112) of the TestRequests that we send.
_TEST_REQ_ID = b"TEST"


class FixLink:
    """State of one session. Times in nanoseconds since the Unix epoch, UTC."""

    def __init__(self, config: FixSessionConfig, store: SequenceStore) -> None:
        self.config = config
        self.store = store
        self.state = State.OFFLINE
        # Whether state is one of UP: asked for with every read.
        self.is_up = False
        self.lane = FixLane(
            config.client,
            config.comp_id,
            config.application_types,
            config.sending_time_window_ns,
        )
        self.lane.next_in = store.next_in
        self.gap = Gap(
            config.held_messages_max,
            config.held_bytes_max,
            config.resend_timeout_ns,
            config.resend_requests_max,
            config.resend_chunk,
        )
        self.events: list[FixEvent] = []
        self.heart_bt_ns = 0
        # The wall clock when it was last told, and how far time has come since, never back.
        self.wall_ns = 0
        self._now_ns = 0
        # Whether they logged out of this connection, and whether they answered our Logout.
        self.they_parted = False
        self.they_answered = False
        self._received_ns = 0
        self._sent_ns = 0
        # What the store said when it was last asked, by the wall clock.
        self._store_sent_ns = 0
        self._test_request_sent = False
        # Time-outs; 0: none. _limit_ns ends the present state; _probe_ns is the end of the
        # patience with a connection that another one wants to replace.
        self._limit_ns = 0
        self._probe_ns = 0
        self._next_probe_ns = 0

    def observe(self, wall_ns: int) -> int:
        """The wall clock now; give the time by which time-outs run."""
        step_ns = wall_ns - self.wall_ns
        self.wall_ns = wall_ns
        if step_ns > 0:
            self._now_ns += step_ns
        return self._now_ns

    def pass_over(self, step_ns: int) -> None:
        """The wall clock was set: no time has passed by that."""
        if step_ns > 0:  # one set back is seen for what it is
            self.wall_ns += step_ns

    # --- states ------------------------------------------------------------------------------

    @property
    def recovery(self) -> Recovery:
        """Who is behind whom."""
        asking = Recovery.ASKING if self.gap.is_asked else Recovery.IN_STEP
        serving = Recovery.SERVING if self.store.is_resending else Recovery.IN_STEP
        return Recovery(asking | serving)

    def go(self, trigger: Trigger) -> None:
        """Move to the state that the table names; RuntimeError where it names none."""
        state = TRANSITIONS[self.state].get(trigger)
        if state is None:
            raise RuntimeError(f"{trigger.name} cannot happen to a session {self.state.name}")
        self.state = state
        self.is_up = state in UP

    def limit(self, now_ns: int, timeout_ns: int) -> None:
        """The present state ends after timeout_ns; 0: it may last."""
        self._limit_ns = now_ns + timeout_ns if timeout_ns else 0

    def note(self, text: str) -> None:
        """Something for the event log."""
        self.events.append(Noted(text))

    def begin(self, now_ns: int) -> None:
        """A connection was made."""
        self._received_ns = self._sent_ns = now_ns
        self._store_sent_ns = self.store.last_sent_ns
        self._test_request_sent = False
        self.they_parted = self.they_answered = False

    def forget(self) -> None:
        """Drop what belongs to a connection that has ended."""
        self.gap.clear()
        self._limit_ns = self._probe_ns = self.heart_bt_ns = 0

    def close(self, reason: str) -> None:
        """End the connection, as soon as what was sent is written."""
        if self.state in UP:
            self.events.append(LoggedOut(reason))
        self.go(Trigger.CLOSING)
        self.forget()
        self.events.append(Disconnect(reason))

    def fault(self, text: str, now_ns: int, *, reason: str = "") -> None:
        """What they did ends the session: Logout with text, a bounded wait for theirs, close."""
        if self.state is State.LOGOUT_SENT:
            self.close(text or reason)
            return
        self.send(admin.LOGOUT, admin.logout_body(text), now_ns)
        self.events.append(LoggedOut(text or reason))
        self.go(Trigger.FAULT)
        self.gap.clear()
        self.limit(now_ns, self.config.logout_timeout_ns)

    # --- numbers and answers -------------------------------------------------------------------

    def send(
        self, msg_type: bytes, body: bytes, now_ns: int, *, in_seq: int = 0, header: bytes = b""
    ) -> None:
        """Send a message; in_seq: the number of the expected message that it answers."""
        self._sent_ns = now_ns
        self.store.send(msg_type, body, header=header, in_seq=in_seq)
        if in_seq:
            self.move(in_seq + 1, now_ns)

    def move(self, next_in: int, now_ns: int) -> None:
        """The expected number is now next_in; the store knows, or is told by the caller."""
        self.lane.next_in = next_in
        self.gap.moved(next_in, now_ns)

    def advance(self, next_in: int, now_ns: int) -> None:
        """The expected number is now next_in; the store is told."""
        self.move(next_in, now_ns)
        self.store.advance(next_in)

    def count(self, message: FixMessage, now_ns: int) -> None:
        """This message is dealt with: its number is done if it was the expected one."""
        if message.msg_seq_num == self.lane.next_in:
            self.advance(message.msg_seq_num + 1, now_ns)

    def reset_numbers(self, *, asked: bool = False) -> None:
        """Both numbers begin at 1 again; asked: by their Logon."""
        self.store.reset(1, 1, asked=asked)
        self.lane.next_in = 1
        self.gap.clear()

    def reject(
        self,
        message: FixMessage,
        reason: int,
        tag: int | None,
        now_ns: int,
        *,
        counts: bool = True,
    ) -> None:
        """Reject(3); the number is done if it was the expected one. A Reject is only counted."""
        if message.msg_type == admin.REJECT:
            self.count(message, now_ns)
            return
        expected = counts and message.msg_seq_num == self.lane.next_in
        self.note(f"rejected message {message.msg_seq_num}: reason {reason}, tag {tag}")
        self.send(
            admin.REJECT,
            admin.reject_body(message, reason, tag),
            now_ns,
            in_seq=message.msg_seq_num if expected else 0,
            header=admin.turned_route(message),
        )

    def reject_and_fault(self, message: FixMessage, reason: int, now_ns: int) -> None:
        """Reject(3), then a Logout without text."""
        self.reject(message, reason, None, now_ns)
        self.fault("", now_ns, reason=admin.REJECT_TEXTS[reason])

    def is_true_duplicate(self, message: FixMessage, now_ns: int) -> bool:
        """Whether 43=Y goes with an OrigSendingTime(122) not later than 52; else reject it."""
        if message.get(ORIG_SENDING_TIME) is None:
            self.reject(message, admin.REQUIRED_TAG_MISSING, ORIG_SENDING_TIME, now_ns)
            return False
        if message.orig_sending_time_ns > message.sending_time_ns:
            self.reject_and_fault(message, admin.SENDING_TIME_PROBLEM, now_ns)
            return False
        return True

    # --- time --------------------------------------------------------------------------------

    def heard(self, now_ns: int) -> None:
        """A message came: they live."""
        self._received_ns = now_ns
        self._test_request_sent = False
        self._probe_ns = 0

    def probe(self, now_ns: int) -> None:
        """Ask for a sign of life, now and then; without one the connection ends."""
        if self._probe_ns == 0 and now_ns >= self._next_probe_ns:
            self.send(admin.TEST_REQUEST, admin.test_request_body(_TEST_REQ_ID), now_ns)
            self._probe_ns = now_ns + self.config.probe_timeout_ns
            self._next_probe_ns = now_ns + self.config.probe_interval_ns

    def end_overdue(self, now_ns: int) -> None:
        """Close what has lasted too long: a state with a limit, a silence."""
        if self._limit_ns and now_ns >= self._limit_ns:
            self.close(f"no answer in time while {self.state.name}")
        elif self.state in UP and self._probe_ns and now_ns >= self._probe_ns:
            self.close("silent while a second connection waits")
        elif self.state in UP and self.heart_bt_ns and now_ns >= self._silence_limit_ns():
            self.close("nothing received for 2.4 heartbeat intervals")

    def keep_alive(self, now_ns: int) -> None:
        """TestRequest after 1.2 intervals of their silence, Heartbeat after one of ours."""
        if not self.heart_bt_ns:
            return
        if not self._test_request_sent and now_ns >= self._test_request_due_ns():
            self._test_request_sent = True
            self.send(admin.TEST_REQUEST, admin.test_request_body(_TEST_REQ_ID), now_ns)
        if now_ns >= self._heartbeat_due_ns():
            self.send(admin.HEARTBEAT, admin.heartbeat_body(b""), now_ns)

    def next_deadline(self) -> int:
        """When something is due next, by the wall clock; 0: nothing is."""
        deadlines = [self._limit_ns]
        if self.state in UP:
            deadlines.append(self._probe_ns)
            if self.heart_bt_ns:
                deadlines.append(self._silence_limit_ns())
        if self.state is State.ACTIVE:
            deadlines.append(self.gap.deadline_ns)
            if self.heart_bt_ns:
                deadlines.append(self._heartbeat_due_ns())
                if not self._test_request_sent:
                    deadlines.append(self._test_request_due_ns())
        first = min((deadline for deadline in deadlines if deadline), default=0)
        return first and first - self._now_ns + self.wall_ns

    def _heartbeat_due_ns(self) -> int:
        sent_ns = self.store.last_sent_ns
        if sent_ns != self._store_sent_ns:
            self._store_sent_ns = sent_ns
            ago_ns = max(self.wall_ns - sent_ns, 0)
            self._sent_ns = max(self._sent_ns, self._now_ns - ago_ns)
        return self._sent_ns + self.heart_bt_ns

    def _test_request_due_ns(self) -> int:
        return self._received_ns + self.heart_bt_ns * 12 // 10

    def _silence_limit_ns(self) -> int:
        return self._received_ns + self.heart_bt_ns * 24 // 10
