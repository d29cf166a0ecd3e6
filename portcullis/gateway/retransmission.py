"""Answers MoldUDP64 requests: a datagram in, at most one out, to where it came from.

Owns one stream's socket, what an address and all together may ask for in a second, and the counts
of what was asked. What stands at a number is the source's. Runs in the back office: whoever asks
too much, or nonsense, costs it some microseconds each, and the gateway nothing.

An answer holds as many whole messages as fit into a packet, and no more than asked. Asked behind
the last message of a session that has ended, it is told so, by an End of Session packet. All else
gets no answer: a number that has not been sent yet, a session that isn't kept, what is no request.
Specification: NASDAQ MoldUDP64 1.00; docs/subscribing.md.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Protocol

from portcullis.codecs.moldudp64 import packets
from portcullis.dictionaries.moldudp64_offsets import BLOCK_HEADER_BYTES, DOWNSTREAM_BYTES
from portcullis.gateway.admission import Network, address_of, is_allowed
from portcullis.gateway.message_rate import MessageRate, SharedRate

# Between two turns of the loop, some milliseconds' work: answers, and datagrams that have none. A
# flood is to be read faster than it fills the socket, or others' requests are lost there.
_ANSWERS_A_TURN = 64
_DATAGRAMS_A_TURN = 1024
_DATAGRAM_BYTES = 2048
# Asked of the kernel, which may grant less; a short datagram counts as some 768 there.
_RECEIVE_BUFFER_BYTES = 1 << 20
# Addresses whose rates are known; beyond it the one that asked longest ago is forgotten.
_ADDRESSES_MAX = 1024


class Source(Protocol):
    """A stream's messages, by session and number."""

    @property
    def session(self) -> str:
        """The live session; "" before there is one."""

    def catch_up(self) -> None:
        """Take in what the journal has by now. Bounded, and cheap where that is nothing."""

    def next_sequence(self, session: str) -> int:
        """The number behind a session's last message; 0: it isn't kept."""

    def messages(self, session: str, sequence: int, count: int, bytes_max: int) -> Sequence[bytes]:
        """Messages from a number on: at most so many, together not longer than that, but one.

        Empty where the first of them isn't kept, or not written yet.
        """


@dataclass(slots=True)
class RequestCounts:
    """Datagrams, by what became of them."""

    answered: int = 0
    ended: int = 0  # told that the session has ended
    unreadable: int = 0
    not_allowed: int = 0
    too_many: int = 0  # from one address, in a second
    too_many_in_all: int = 0
    unknown_session: int = 0
    nothing_there: int = 0  # before the first number, or behind the last
    not_sent: int = 0  # the socket was full, or the address can't be reached


class Retransmission:
    """Serves one stream on a bound socket, which it owns.

    networks: who may ask; none: anybody. per_client, in_all: requests looked at in a second, of
    an address and together. packet_bytes: of an answer.
    """

    def __init__(
        self,
        bound: socket.socket,
        source: Source,
        *,
        networks: Sequence[Network],
        per_client: int,
        in_all: int,
        packet_bytes: int,
        clock: Callable[[], int],
    ) -> None:
        self.counts = RequestCounts()
        self._socket = bound
        self._source = source
        self._networks = networks
        self._per_client = per_client
        self._in_all = SharedRate(in_all, _ADDRESSES_MAX)
        self._bytes_max = packet_bytes - DOWNSTREAM_BYTES
        self._clock = clock
        self._rates: dict[str, MessageRate] = {}
        # It takes longer than all else of a refusal.
        self._address_of = lru_cache(_ADDRESSES_MAX)(address_of)
        self._loop = asyncio.get_running_loop()
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._loop.add_reader(bound, self._read)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def state(self) -> dict[str, int]:
        """The counts, by name."""
        return asdict(self.counts)

    def _read(self) -> None:
        answers = 0
        for _ in range(_DATAGRAMS_A_TURN):
            try:
                datagram, peer = self._socket.recvfrom(_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an answer that could not be delivered
                self.counts.not_sent += 1
                continue
            answer = self.answer(datagram, peer[0], self._clock())
            if answer:
                try:
                    self._socket.sendto(answer, peer)
                except OSError:
                    self.counts.not_sent += 1
                answers += 1
                if answers == _ANSWERS_A_TURN:
                    return

    def answer(self, datagram: bytes, host: str, now_ns: int) -> bytes:
        """What a datagram is answered with; empty: with nothing. O(1) but for the messages."""
        counts = self.counts
        if not is_allowed(self._networks, host):
            counts.not_allowed += 1
            return b""
        address = self._address_of(host)
        if not self._rate(address).take(1, now_ns):
            counts.too_many += 1
            return b""
        if not self._in_all.take(address, now_ns):
            counts.too_many_in_all += 1
            return b""
        request = packets.parse_request(datagram)
        if request is None:
            counts.unreadable += 1
            return b""
        session = request.session.decode("latin-1").strip()
        end = self._source.next_sequence(session)
        if not end or (request.sequence >= end and session == self._source.session):
            # What was just published may have been heard before we looked.
            self._source.catch_up()
            end = self._source.next_sequence(session)
        if not end:
            counts.unknown_session += 1
            return b""
        if request.sequence >= end and session != self._source.session:
            counts.ended += 1
            return packets.end_of_session(request.session, end)
        found: Sequence[bytes] = ()
        if 1 <= request.sequence < end:
            # Each of them takes so much at least; so no more than fit are looked for.
            most = min(request.wanted, self._bytes_max // BLOCK_HEADER_BYTES)
            found = self._source.messages(session, request.sequence, most, self._bytes_max)
        if not found:
            counts.nothing_there += 1
            return b""
        counts.answered += 1
        return packets.downstream(request.session, request.sequence, found)

    def _rate(self, address: str) -> MessageRate:
        rate = self._rates.pop(address, None) or MessageRate(self._per_client)
        self._rates[address] = rate  # the latest stands last
        if len(self._rates) > _ADDRESSES_MAX:
            del self._rates[next(iter(self._rates))]
        return rate
