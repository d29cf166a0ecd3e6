"""A quoter by OUCH: keeps an offer in the book, and makes the next when the last one is gone.

    portcullis serve &
    python examples/quoter.py 127.0.0.1 9879 OUCH1 portcull

It comes back by itself when the connection is lost, or the gateway is, and goes on behind the last
message it had seen. Ctrl-C logs out; the offer stays.
"""

from __future__ import annotations

import asyncio
import sys
import time
from decimal import Decimal

from portcullis.client.ouch import (
    Accepted,
    AiqCanceled,
    Canceled,
    ConnectionLost,
    EnterOrder,
    Executed,
    LoginRefused,
    OuchClient,
    Rejected,
    Report,
)

STOCK = "BTCUSD"
LOTS = 5000
PRICE = Decimal("100.5")
RETRY_S = 1.0


class Quoter:
    """The offer that stands, by what the gateway says of it. token: "" where there is none."""

    def __init__(self, client: OuchClient) -> None:
        self.client = client
        self.token = ""
        self.open_lots = 0

    async def run(self) -> None:
        """Quote over any number of connections, and of days."""
        while True:
            try:
                async with self.client:
                    print(f"logged in to session {self.client.session}")
                    # Perhaps it was sent before and never arrived. If it did arrive, its token
                    # is known, and the gateway passes it over.
                    await self.offer(self.token or self.new_token())
                    async for message in self.client:
                        await self.hear(message)
                self.token = ""  # the day has ended, and with it the offer
            except ConnectionLost as lost:
                print(f"{lost}; again in {RETRY_S:g} s")
                await asyncio.sleep(RETRY_S)

    async def offer(self, token: str) -> None:
        """Send the offer."""
        self.token = token
        await self.client.send(
            EnterOrder(order_token=token, buy_sell="S", shares=LOTS, stock=STOCK, price=PRICE)
        )

    async def hear(self, message: Report) -> None:
        """Keep count of the offer; make the next one when nothing is left of it."""
        match message:
            case Accepted(order_token=self.token):
                self.open_lots = message.shares
                print(f"offering {message.shares} at {message.price}")
            case Executed(order_token=self.token):
                self.open_lots -= message.executed_shares
                print(f"sold {message.executed_shares} at {message.execution_price}")
            case Canceled(order_token=self.token) | AiqCanceled(order_token=self.token):
                self.open_lots -= message.decrement_shares
            case Rejected(order_token=self.token):
                sys.exit(f"the offer was rejected, reason {message.reason}")
            case _:
                return
        if not self.open_lots:
            await self.offer(self.new_token())

    def new_token(self) -> str:
        """One that no run of today has used: microseconds since the epoch, 14 characters."""
        return f"{time.time_ns() // 1000:x}"


if __name__ == "__main__":
    if len(sys.argv) != 5 or not sys.argv[2].isdigit():
        sys.exit("usage: quoter.py HOST PORT USERNAME PASSWORD")
    host, port, username, password = sys.argv[1:]
    try:
        asyncio.run(Quoter(OuchClient(host, int(port), username, password)).run())
    except LoginRefused as refused:
        sys.exit(f"login refused: {refused}")
    except KeyboardInterrupt:
        pass
