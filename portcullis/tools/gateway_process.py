"""A gateway in a process of its own, on a port and a directory of its own.

For tests and benchmarks that come from outside, as clients do. Knows how the process is started
and stopped and nothing of what it serves.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

# For a machine that has much else to do: they only end a wait for what never comes.
START_S = 60.0
STOP_S = 60.0
POLL_S = 0.05
PROGRAM = ("-m", "portcullis.tools.main")

# `accounts` apart, so that the two may trade with each other.
CONFIG = """
[gateway]
name = "PORTCULLIS"

[listen]
fix = "127.0.0.1:{port}"

[back_office]
enabled = false

[[instrument]]
symbol = "BTC-USD"
tick = "0.01"
lot = "0.0001"

[[session]]
protocol = "fix"
client = "CLIENT1"
account = "CLIENT1"

[[session]]
protocol = "fix"
client = "CLIENT2"
account = "CLIENT2"
"""

# The same with a second door: three users, whose passwords nobody asks, trade with CLIENT1 and 2.
OUCH_CONFIG = CONFIG.replace(
    '"127.0.0.1:{port}"', '"127.0.0.1:{port}"\nouch = "127.0.0.1:{ouch_port}"'
).replace('"BTC-USD"', '"BTC-USD"\nouch = "BTCUSD"\nshort_marking = true') + "".join(
    f"""
[[session]]
protocol = "ouch"
username = "OUCH{number}"
account = "{account}"
firm = "ACME"
"""
    for number, account in ((1, "OUCH1"), (2, "OUCH2"), (3, "CLIENT1"))
)


# Sockets that keep ports from others: more than anybody has in use at a time.
_HELD_MAX = 64
_held: deque[int] = deque()
# Below those that Linux gives who asks for any.
_DATAGRAM_PORTS = range(16_384, 32_768)


def free_port(kind: int = socket.SOCK_STREAM, host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on; of another kind of socket, one that none has.

    No other process gets it from here, nor from the system as any free one, until this one has
    asked for 64 more: between two starts of a gateway, too. Who listens on it does so with
    SO_REUSEADDR, as servers do.
    """
    if kind != socket.SOCK_STREAM:
        return _free_datagram_port(kind, host)
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, 0))
    port: int = held.getsockname()[1]
    _hold(held)
    return port


def _free_datagram_port(kind: int, host: str) -> int:
    """Of those that nobody is given who asks for any; who holds it for TCP has it."""
    while True:
        port = random.SystemRandom().choice(_DATAGRAM_PORTS)
        token = socket.socket()
        try:
            token.bind(("127.0.0.1", port))
            with socket.socket(type=kind) as probe:
                probe.bind((host, port))
        except OSError:  # somebody has it
            token.close()
        else:
            _hold(token)
            return port


def _hold(bound: socket.socket) -> None:
    _held.append(bound.detach())
    if len(_held) > _HELD_MAX:
        os.close(_held.popleft())


def free_group() -> str:
    """A multicast group and port whose port no UDP socket has now."""
    port = free_port(socket.SOCK_DGRAM, "")
    return f"239.255.{port >> 8}.{port & 0xFF}:{port}"


class GatewayProcess:
    """`portcullis serve` on a directory; as a context manager it is stopped at the end.

    config: TOML text; {port} and {ouch_port} in it stand for the ports chosen. environment:
    variables beside our own. program: what Python runs, before the arguments of `portcullis`.
    Ports and data outlive `stop` and `kill`: `start` again is a restart. What the process wrote
    stands in `log`, and is shown where the context ends with an error.
    """

    def __init__(
        self,
        directory: Path,
        config: str = CONFIG,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.ouch_port = free_port()
        self.data = directory / "data"
        self.log = directory / "gateway.log"
        self._environment = os.environ | dict(environment or {})
        self._program = program
        self._config = directory / "gateway.toml"
        self.configure(config)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, config: str) -> None:
        """Take another configuration, for the next start."""
        self._config.write_text(config.format(port=self.port, ouch_port=self.ouch_port))

    def start(self) -> None:
        """Start it and return once it accepts connections."""
        command = [sys.executable, *self._program, "serve"]
        command += ["--config", str(self._config), "--data", str(self.data)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._environment
            )
        for _ in range(int(START_S / POLL_S)):
            try:
                self._process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        return
            else:
                raise RuntimeError(f"the gateway did not start:\n{self.log.read_text()}")
        self.kill()
        raise RuntimeError(f"the gateway did not listen:\n{self.log.read_text()}")

    def stop(self) -> int:
        """Ask it to stop, as an operator would; give its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: int) -> None:
        """Send it a signal and go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; give its exit code."""
        assert self._process is not None
        return self._process.wait(STOP_S)

    def kill(self) -> None:
        """Stop it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_S)

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """What it has logged so far, the lines of JSON; of one event alone where it is named."""
        lines = self.log.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in found if name in ("", event["event"])]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def memory_bytes(self) -> int:
        """Real memory that it holds, files not counted."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) * 1024

    def __enter__(self) -> GatewayProcess:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        if error is not None:
            print(self.log.read_text(), file=sys.stderr)
