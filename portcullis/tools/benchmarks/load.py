"""The load client: raw sockets and prebuilt bytes, so that the server is what is measured.

Pipelined, a thread sends in one call and this one receives into memory taken before; what came
is counted after the clock has stopped. Round trips send one message and wait for its answer; with
client and server on one processor the time between is work, not the wake-up of another processor.
"""

from __future__ import annotations

import gc
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from portcullis.tools.benchmarks.orders import END, Flow, count_reports, end_request, logon

TIMEOUT_S = 120
_RECEIVE_BYTES = 1 << 20


class WrongAnswers(Exception):
    """The server answered, but not what the flow must bring."""


@contextmanager
def quiet() -> Iterator[None]:
    """No collection of garbage while something is timed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def connect(port: int) -> socket.socket:
    """A connection to a server on this machine, whose silence ends in a BlockingIOError.

    The kernel keeps the time-out: Python's own costs a poll() per call.
    """
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", TIMEOUT_S, 0))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def log_on(port: int, sender: str) -> socket.socket:
    """Connect and exchange Logons."""
    link = connect(port)
    link.sendall(logon(sender))
    answer = receive_message(link)
    if b"\x0135=A\x01" not in answer:
        raise WrongAnswers(f"{sender} was not let in: {answer!r}")
    return link


def receive_message(link: socket.socket) -> bytes:
    """Bytes up to the end of a message."""
    octets = b""
    while octets[-7:-4] != b"10=" or octets[-1:] != b"\x01":
        more = link.recv(65536)
        if not more:
            raise WrongAnswers(f"the server closed the connection after {octets!r}")
        octets += more
    return octets


def receive_to_end(link: socket.socket, room: bytearray, end: bytes = END) -> int:
    """Receive until the answer to `end_request`, which has `end`; give the bytes received."""
    view = memoryview(room)
    used = 0
    while True:
        count = link.recv_into(view[used:], min(_RECEIVE_BYTES, len(room) - used))
        if not count:
            raise WrongAnswers(f"the stream ended early, after {used} bytes: {room[:300]!r}")
        used += count
        if room.find(end, max(0, used - 64), used) >= 0:
            return used


def pipeline(link: socket.socket, sender: str, flow: Flow) -> float:
    """Send the flow at once; give the seconds until its last answer, which must all be right."""
    octets = b"".join((*flow.messages, end_request(sender, len(flow.messages) + 2)))
    room = bytearray(len(octets) * 4 + 65536)
    seconds, used = stream(link, octets, room)
    check_answers(room, used, flow.answers)
    return seconds


def stream(
    link: socket.socket, octets: bytes, room: bytearray, end: bytes = END
) -> tuple[float, int]:
    """Send at once what ends in an `end_request`; give the seconds until its answer has come, and
    the bytes received into `room`."""
    sending = threading.Thread(target=link.sendall, args=(octets,))
    with quiet():
        begin = time.perf_counter()
        sending.start()
        used = receive_to_end(link, room, end)
        seconds = time.perf_counter() - begin
    sending.join()
    return seconds, used


def _is_whole_fix(answer: bytes) -> bool:
    return answer[-7:-4] == b"10="


def check_answers(room: bytearray, used: int, expected: Counter[str]) -> None:
    """Compare what came with what the flow must bring."""
    counted = count_reports(room[:used])
    if counted != expected:
        raise WrongAnswers(f"reports by ExecType: {dict(counted)}, expected {dict(expected)}")


def round_trips(
    link: socket.socket,
    messages: Sequence[bytes],
    is_whole: Callable[[bytes], bool] = _is_whole_fix,
) -> list[int]:
    """Nanoseconds from sending each message to having its whole answer, ordered."""
    clock = time.perf_counter_ns
    times = []
    with quiet():
        for octets in messages:
            begin = clock()
            link.send(octets)
            answer = link.recv(65536)
            # An answer in two pieces is rare; wait for the rest of it.
            while answer and not is_whole(answer):
                answer += link.recv(65536)
            times.append(clock() - begin)
            if not answer:
                raise WrongAnswers("the server closed the connection")
    times.sort()
    return times


def echo_pipeline(link: socket.socket, octets: bytes) -> float:
    """Seconds until an echo server has given every byte back."""
    room = memoryview(bytearray(_RECEIVE_BYTES))
    sending = threading.Thread(target=link.sendall, args=(octets,))
    left = len(octets)
    with quiet():
        begin = time.perf_counter()
        sending.start()
        while left > 0:
            count = link.recv_into(room)
            if not count:
                raise WrongAnswers("the echo server closed the connection")
            left -= count
        seconds = time.perf_counter() - begin
    sending.join()
    return seconds


def work_ns(pid: int) -> int:
    """Processor time that a process has used, nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
