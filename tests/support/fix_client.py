"""A FIX client for tests that come from outside: simplefix over a blocking socket.

Keeps its own numbers and checks those of the gateway. Does nothing by itself: no heartbeat, no
answer, so that a test says all that happens.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time

import simplefix

# Only ends a wait for what never comes, on a machine that has much else to do.
TIMEOUT_S = 60.0
GATEWAY = "PORTCULLIS"


def utc_now() -> str:
    """SendingTime with milliseconds."""
    now_ns = time.time_ns()
    date = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now_ns // 1_000_000_000))
    return f"{date}.{now_ns // 1_000_000 % 1000:03d}"


class Splitter:
    """Cuts messages without data fields. simplefix looks at each byte in Python: too slow for
    megabytes."""

    def __init__(self) -> None:
        self._buffer = b""

    def append_buffer(self, octets: bytes) -> None:
        self._buffer += octets

    def get_message(self) -> simplefix.FixMessage | None:
        end = self._buffer.find(b"\x0110=") + 8
        if end < 8 or end > len(self._buffer):
            return None
        octets, self._buffer = self._buffer[: end - 1], self._buffer[end:]
        message = simplefix.FixMessage()
        for field in octets.split(b"\x01"):
            message.append_pair(*field.split(b"=", 1))
        return message


class FixClient:
    """One client; its numbers outlive connections. `messages` keeps all that was received."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.next_out = 1
        # The number that the gateway's next new message must have.
        self.next_in = 1
        self.messages: list[dict[int, str]] = []
        self._socket: socket.socket | None = None
        self._parser: simplefix.FixParser | Splitter = simplefix.FixParser()

    # --- the connection ------------------------------------------------------------------------

    def connect(self) -> FixClient:
        self.close()
        self._socket = socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)
        self._parser = simplefix.FixParser()
        return self

    def expect_much(self) -> None:
        """On this connection megabytes are to come. Nothing has come that was not received."""
        self._parser = Splitter()

    def log_on(self, *fields: str) -> dict[int, str]:
        """Connect, log on, and give the Logon that answers."""
        self.connect()
        self.send("A", "98=0", "108=30", *fields)
        return self.expect("A")

    def log_out(self) -> None:
        """Log out and close, as the standard has it."""
        self.send("5")
        self.expect("5")
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def link(self) -> socket.socket:
        assert self._socket is not None
        return self._socket

    def is_closed_by_peer(self) -> bool:
        """Wait for the end of the connection; false where something is said instead."""
        try:
            return self.link.recv(1) == b""
        except ConnectionError:
            return True

    # --- messages --------------------------------------------------------------------------------

    def frame(self, msg_type: str, *fields: str, seq: int | None = None) -> bytes:
        """One message; fields as "tag=value", the header's among them."""
        message = simplefix.FixMessage()
        message.append_pair(8, "FIX.4.4")
        message.append_pair(35, msg_type)
        number = seq
        if number is None:
            number = self.next_out
            self.next_out += 1
        header = {34: str(number), 49: self.name, 52: utc_now(), 56: GATEWAY}
        pairs = [field.partition("=")[::2] for field in fields]
        for tag, value in pairs:
            if int(tag) in (34, 43, 49, 52, 56, 97, 122):
                header[int(tag)] = value
        for tag_number, value in header.items():
            message.append_pair(tag_number, value)
        for tag, value in pairs:
            if int(tag) not in header:
                message.append_pair(tag, value)
        octets: bytes = message.encode()
        return octets

    def send(self, msg_type: str, *fields: str, seq: int | None = None) -> None:
        self.link.sendall(self.frame(msg_type, *fields, seq=seq))

    def order(self, cl_ord_id: str, side: str, qty: str, price: str, *more: str) -> bytes:
        """A limit order, framed and not sent."""
        return self.frame(
            "D", f"11={cl_ord_id}", f"38={qty}", "40=2", f"44={price}", f"54={side}",
            "55=BTC-USD", f"60={utc_now()}", *more,
        )  # fmt: skip

    def receive(self) -> dict[int, str]:
        """The next message. A new one must have the next number.

        Heartbeats that nobody asked for are passed over: they come where a test takes its time.
        """
        while True:
            while (found := self._parser.get_message()) is None:
                octets = self.link.recv(1 << 16)
                if not octets:
                    raise EOFError(f"the gateway hung up on {self.name}")
                self._parser.append_buffer(octets)
            fields = self._take(found)
            if fields[35] != "0" or 112 in fields:
                return fields

    def available(self) -> list[dict[int, str]]:
        """What has come, without waiting; also what came before the other side died."""
        came = []
        with contextlib.suppress(ConnectionError):
            while select.select([self.link], [], [], 0)[0] and (octets := self.link.recv(1 << 16)):
                self._parser.append_buffer(octets)
        while (found := self._parser.get_message()) is not None:
            came.append(self._take(found))
        return came

    def _take(self, found: simplefix.FixMessage) -> dict[int, str]:
        fields = {int(tag): value.decode("latin-1") for tag, value in found.pairs}
        self.messages.append(fields)
        number = int(fields[34])
        if fields.get(43) != "Y":
            assert number == self.next_in, f"{self.name} expected {self.next_in}: {fields}"
            self.next_in = number + 1
        return fields

    def expect(self, msg_type: str, **tags: str) -> dict[int, str]:
        """The next message, of that type and with those tags: expect("8", t150="0")."""
        fields = self.receive()
        found = {tag: fields.get(int(tag[1:])) for tag in tags}
        assert (fields[35], found) == (msg_type, tags), fields
        return fields

    def barrier(self) -> list[dict[int, str]]:
        """Send a TestRequest; give all that came before the Heartbeat that answers it."""
        self.send("1", "112=BARRIER")
        came = []
        while (message := self.receive()).get(112) != "BARRIER" or message[35] != "0":
            came.append(message)
        return came
