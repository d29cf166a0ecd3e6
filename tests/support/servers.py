"""Servers of others, started and stopped: QuickFIX's acceptor, and whatever is a module."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from portcullis.tools.gateway_process import free_port

ROOT = Path(__file__).parent.parent.parent
SETTINGS = """
[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort={port}
FileStorePath={directory}/store
StartTime=00:00:00
EndTime=00:00:00
BeginString=FIX.4.4
SenderCompID=PORTCULLIS
UseDataDictionary=Y
DataDictionary={dictionary}
"""


@contextlib.contextmanager
def quickfix_acceptor(directory: Path, clients: Sequence[str], application: str) -> Iterator[int]:
    """Gives its port. application: "echo" or "venue", see `quickfix_acceptor`."""
    port = free_port()
    dictionary = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
    text = SETTINGS.format(port=port, directory=directory, dictionary=dictionary)
    path = directory / "acceptor.cfg"
    path.write_text(text + "".join(f"[SESSION]\nTargetCompID={name}\n" for name in clients))
    with process("tests.support.quickfix_acceptor", str(path), application, port=port):
        yield port


@contextlib.contextmanager
def process(module: str, *arguments: str, port: int) -> Iterator[None]:
    """A module as a process that listens on the port before it is used, and is killed after."""
    with subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT) as server:
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    raise RuntimeError(f"it ended: {server.wait(0.1)}")
            yield
        finally:
            server.kill()
