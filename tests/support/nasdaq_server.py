"""An OUCH venue made of nasdaq-protocols, as a process: it accepts whatever is entered.

Arguments: the module that its generator made of `ouch42.xml`, a port. Sessions end by an order
with the token END. In a process of its own, because the library's tasks do not end when they are
told to.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from typing import Any

from nasdaq_protocols import common, soup

SESSION = "TODAY"
PASSWORD = "secret"


def load(path: str) -> Any:
    """The generated module."""
    spec = importlib.util.spec_from_file_location("venue", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server(soup.SoupServerSession, session_type="server"):  # type: ignore[misc]
    """One connection; the session's messages are those of all."""

    messages: list[bytes] = []  # noqa: RUF012
    venue: Any = None

    async def on_login(self, msg: Any) -> Any:
        if msg.password != PASSWORD:
            return soup.LoginRejected(soup.LoginRejectReason.NOT_AUTHORIZED)
        sequence = int(msg.sequence)
        asyncio.get_running_loop().call_soon(self.replay, sequence)
        return soup.LoginAccepted(SESSION, sequence)

    def replay(self, sequence: int) -> None:
        for octets in self.messages[sequence - 1 :]:
            self.send_seq_msg(octets)

    async def on_unsequenced(self, msg: Any) -> None:
        _, terms = self.venue.EnterOrder.BodyRecord.from_bytes(msg.data[1:])
        if terms.order_token == "END":
            self.end_session()
            return
        answer = self.venue.Accepted()
        for field in self.venue.Accepted.BodyRecord.Fields:
            if field.name in self.venue.EnterOrder.BodyRecord.IndexedFields:
                setattr(answer, field.name, getattr(terms, field.name))
        answer.timestamp = 1
        answer.order_reference_number = len(self.messages) + 1
        answer.order_state, answer.bbo_weight_indicator = "L", " "
        self.messages.append(answer.to_bytes()[1])
        self.send_seq_msg(self.messages[-1])


async def main() -> None:
    Server.venue = load(sys.argv[1])
    await common.start_server(("127.0.0.1", int(sys.argv[2])), Server)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
