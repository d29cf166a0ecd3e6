"""The servers that fill subscribers' gaps: of each stream a retransmission port and a replay port.

Owns their making from the configuration and what they share: the check of passwords, and the
snapshots. What they serve from is the `ReportIndex` among the followers, which may fail and be
made anew behind them: while there is none, nothing is there to be had. Runs in the back office, on
sockets that the gateway has bound.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portcullis.gateway.admission import Admission, parse_networks
from portcullis.gateway.auth import PasswordChecker
from portcullis.gateway.back_office_watch import RefillSockets
from portcullis.gateway.config import Loaded
from portcullis.gateway.config_schema import Stream
from portcullis.gateway.control_port import answer
from portcullis.gateway.event_log import EventLog, Throttled
from portcullis.gateway.followers import Followed
from portcullis.gateway.replay_port import ReplayPort
from portcullis.gateway.replica import Replica
from portcullis.gateway.report_index import ReportIndex, StreamHistory
from portcullis.gateway.report_snapshot import SnapshotReading, Snapshots
from portcullis.gateway.retransmission import Retransmission
from portcullis.sessions.soup_session import SoupSettings

# Each takes 128 bytes for an open order.
_SNAPSHOTS_AT_ONCE = 4


class FollowedStream:
    """A stream as the index has it now. Implements `retransmission.Source`."""

    def __init__(self, index: Followed, name: str) -> None:
        self._index = index
        self._name = name

    @property
    def history(self) -> StreamHistory | None:
        follower = self._index.follower
        return follower.histories.get(self._name) if isinstance(follower, ReportIndex) else None

    @property
    def session(self) -> str:
        history = self.history
        return history.session if history is not None else ""

    def catch_up(self) -> None:
        self._index.poll()

    def next_sequence(self, session: str) -> int:
        history = self.history
        return history.next_sequence(session) if history is not None else 0

    def messages(self, session: str, sequence: int, count: int, bytes_max: int) -> Sequence[bytes]:
        history = self.history
        if history is None:
            return ()
        return history.messages(session, sequence, count, bytes_max)


class Refills:
    """All of them. sockets: of each stream by name, retransmission and replay, as far as there.

    Needs a running loop.
    """

    def __init__(
        self,
        loaded: Loaded,
        index: Followed,
        replica: Followed,
        sockets: RefillSockets,
        log: EventLog,
    ) -> None:
        limits = loaded.config.limits
        self._replica = replica
        self._log = Throttled(log)
        self._snapshots = Snapshots(_SNAPSHOTS_AT_ONCE)
        self._passwords = PasswordChecker(
            waiting_max=limits.credential_checks,
            waiting_per_address_max=limits.credential_checks_per_address,
        )
        self._loaded = loaded
        self._streams: dict[str, FollowedStream] = {}
        self._asked: dict[str, Retransmission] = {}
        self._replays: dict[str, ReplayPort] = {}
        for stream in loaded.config.refilled_streams():
            source = self._streams[stream.name] = FollowedStream(index, stream.name)
            asked, replayed = sockets.get(stream.name, (None, None))
            if asked is not None:
                self._asked[stream.name] = self._retransmission(stream, asked, source)
            if replayed is not None:
                self._replays[stream.name] = self._replay(stream, replayed, source)

    def _retransmission(
        self, stream: Stream, bound: socket.socket, source: FollowedStream
    ) -> Retransmission:
        return Retransmission(
            bound,
            source,
            networks=parse_networks(stream.addresses),
            per_client=stream.requests_per_second,
            in_all=stream.requests_per_second_in_all,
            packet_bytes=stream.packet_bytes,
            clock=time.monotonic_ns,
        )

    def _replay(self, stream: Stream, bound: socket.socket, source: FollowedStream) -> ReplayPort:
        limits = self._loaded.config.limits
        places = msgspec.structs.replace(
            limits,
            connections=stream.replay_connections,
            unauthenticated=min(limits.unauthenticated, stream.replay_connections),
        )
        return ReplayPort(
            bound,
            source,
            lambda: self._snapshot(source),
            admission=Admission(places),
            networks=parse_networks(stream.addresses),
            password=self._loaded.files.password(stream),
            passwords=self._passwords,
            settings=SoupSettings(login_timeout_ns=limits.logon_timeout),
            log=self._log,
            clock=time.monotonic_ns,
        )

    def pump(self) -> bool:
        """Send what is due; whether more could go now."""
        return any([port.pump() for port in self._replays.values()])

    def state(self) -> dict[str, Any]:
        """By stream: its sessions, each with the number behind its last, and what was asked."""
        found: dict[str, Any] = {}
        for name, source in self._streams.items():
            history = source.history
            shown = found[name] = {
                "session": source.session,
                "sessions": dict(history.sessions()) if history is not None else {},
            }
            if name in self._asked:
                shown["requests"] = self._asked[name].state()
            if name in self._replays:
                shown["replay"] = self._replays[name].state()
        return found

    def route(self) -> Route:
        """GET /streams: `state`."""

        async def streams(_request: Request) -> Response:
            return answer(self.state())

        return Route("/streams", streams)

    def close(self) -> None:
        for asked in self._asked.values():
            asked.close()
        for replay in self._replays.values():
            replay.close()
        self._passwords.close()

    def _snapshot(self, source: FollowedStream) -> SnapshotReading | None:
        history, replica = source.history, self._replica.follower
        if history is None or not isinstance(replica, Replica) or not replica.last_row:
            return None
        return self._snapshots.take(history, replica)
