"""`portcullis` under a wall clock that a test moves: the real one and an offset in a file.

The file named by PORTCULLIS_TEST_CLOCK holds the offset, nanoseconds in eight bytes.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

from portcullis.tools.main import main
from tests.support.fix_client import FixClient
from tests.support.gateway_process import GatewayProcess

VARIABLE = "PORTCULLIS_TEST_CLOCK"
SECOND_NS = 1_000_000_000


class ClockedGateway(GatewayProcess):
    """A gateway process whose clock begins at `now`, seconds since the epoch."""

    def __init__(self, directory: Path, config: str, now: float) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._clock_file = directory / "clock"
        self._clock_file.write_bytes(bytes(8))
        self._offset_ns = 0
        environment = {VARIABLE: str(self._clock_file), "PYTHONPATH": str(Path.cwd())}
        super().__init__(directory, config, environment, program=[__file__])
        self.set_clock(now)

    def set_clock(self, now: float) -> None:
        """Set the gateway's clock; it goes on from there."""
        self._offset_ns = round(now * SECOND_NS) - time.time_ns()
        with self._clock_file.open("r+b") as file:
            file.write(struct.pack("<q", self._offset_ns))

    def client(self, name: str) -> ClockedClient:
        """A client by the same clock."""
        return ClockedClient(name, self)


class ClockedClient(FixClient):
    """A client whose SendingTime(52) goes by the gateway's clock."""

    def __init__(self, name: str, gateway: ClockedGateway) -> None:
        super().__init__(name, gateway.port)
        self._gateway = gateway

    def frame(self, msg_type: str, *fields: str, seq: int | None = None) -> bytes:
        now = (time.time_ns() + self._gateway._offset_ns) // SECOND_NS
        sent = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now))
        return super().frame(msg_type, f"52={sent}", *fields, seq=seq)


def run() -> None:
    """The command line, under that clock."""
    with open(os.environ[VARIABLE], "r+b") as file:
        offset = mmap.mmap(file.fileno(), 8)
    real_ns = time.time_ns
    time.time_ns = lambda: real_ns() + struct.unpack("<q", offset)[0]
    main(prog_name="portcullis")


if __name__ == "__main__":
    run()
