"""The states of a FIX session and what moves it from one to the next: all of them, as data.

Beside its state a session that is up has a `Recovery`: who is behind whom. It is not stored, but
made of two facts: whether our ResendRequest is outstanding (`fix_gap`), and whether theirs is
being served (the store).

Must not know what is done on the way. A trigger with no entry for a state is a mistake of the
caller or of the machine, never of the peer: what a peer does wrong has a trigger.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """Where a session stands. Above OFFLINE a connection is attached."""

    OFFLINE = 0
    AWAIT_LOGON = 1  # acceptor: connected, nothing said yet
    AUTHENTICATING = 2  # acceptor: a Logon is being checked, off the loop
    LOGON_SENT = 3  # initiator: our Logon is out
    ACTIVE = 4
    LOGOUT_SENT = 5  # we want to end: their Logout is awaited, all else goes on as before
    FAULTED = 6  # they did what ends a session: only their Logout is awaited
    LOGOUT_ANSWERED = 7  # they wanted to end and have our answer: they close
    CLOSED = 8  # a Disconnect event is out; whatever comes is ignored


class Trigger(IntEnum):
    """What moves a session from state to state."""

    CONNECTED = 0
    CONNECTED_AS_INITIATOR = 1
    LOGON_ARRIVED = 2
    LOGON_ACCEPTED = 3
    LOGOUT_BEGUN = 4
    FAULT = 5
    LOGOUT_ARRIVED = 6
    CLOSING = 7
    CONNECTION_LOST = 8


class Recovery(IntEnum):
    """Who is behind whom. The end of a connection leads to IN_STEP from each of them.

    What was held, asked for or being sent again is then dropped, for the numbers alone say what is
    missing: the Logons that follow show each side its gap, and it is asked for anew.
    """

    IN_STEP = 0
    ASKING = 1  # they have our ResendRequest; what is ahead of the gap is held
    SERVING = 2  # we have theirs; what is new waits until all they asked for has gone out
    CROSSED = 3  # both: theirs is served first, and no time-out of ours runs meanwhile


# The states in which messages are taken in sequence.
UP = (State.ACTIVE, State.LOGOUT_SENT)

TRANSITIONS: dict[State, dict[Trigger, State]] = {
    State.OFFLINE: {
        Trigger.CONNECTED: State.AWAIT_LOGON,
        Trigger.CONNECTED_AS_INITIATOR: State.LOGON_SENT,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.AWAIT_LOGON: {
        Trigger.LOGON_ARRIVED: State.AUTHENTICATING,
        Trigger.CLOSING: State.CLOSED,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.AUTHENTICATING: {
        Trigger.LOGON_ACCEPTED: State.ACTIVE,
        Trigger.CLOSING: State.CLOSED,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.LOGON_SENT: {
        Trigger.LOGON_ACCEPTED: State.ACTIVE,
        Trigger.CLOSING: State.CLOSED,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.ACTIVE: {
        Trigger.LOGOUT_BEGUN: State.LOGOUT_SENT,
        Trigger.FAULT: State.FAULTED,
        Trigger.LOGOUT_ARRIVED: State.LOGOUT_ANSWERED,
        Trigger.CLOSING: State.CLOSED,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.LOGOUT_SENT: {
        Trigger.CLOSING: State.CLOSED,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.FAULTED: {
        Trigger.CLOSING: State.CLOSED,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.LOGOUT_ANSWERED: {
        Trigger.CLOSING: State.CLOSED,
        Trigger.CONNECTION_LOST: State.OFFLINE,
    },
    State.CLOSED: {Trigger.CONNECTION_LOST: State.OFFLINE},
}
