"""The reference mix as OUCH: 80 % rest, 10 % cancel, 10 % trade, as in `orders`.

The maker's sell orders rest first, outside of what is timed; the taker's trades meet one each. All
messages have the length that their type gives them, so every answer is known to the byte. Framed
here, not by our codec. Specification: NASDAQ OUCH 4.2 and SoupBinTCP 3.00.
"""

from __future__ import annotations

import struct
from collections import Counter

from portcullis.tools.benchmarks.orders import Flow

MAKER = "OUCH1"
TAKER = "OUCH2"
# In the answer behind all others: `end_request` is rejected, and nothing else is.
END_TOKEN = b"END".ljust(14)
# Bytes of a Sequenced Data packet by the message that it carries.
PACKET_BYTES = {"S": 13, "A": 69, "C": 31, "E": 43, "J": 27}
HEARTBEAT = b"\0\1R"
_TRADE_PRICE = 1_000_000  # four decimals
_ENTER = struct.Struct(">HcB14scI8sII4scccIcc")
_CANCEL = struct.Struct(">HcB14sI")


def login_request(username: str, session: str = "") -> bytes:
    """For a session, or the current one, from its first message on; no password."""
    fields = (username.encode().ljust(6), b" " * 10, session.encode().rjust(10), 1)
    return b"\0\x2fL%b%b%b%20d" % fields


def _enter(token: bytes, side: bytes, price: int, display: bytes = b"Y") -> bytes:
    return _ENTER.pack(
        _ENTER.size - 2, b"U", ord("O"), token, side, 10_000, b"BTCUSD  ", price, 99_999,
        b"    ", display, b"P", b"N", 0, b"N", b" ",
    )  # fmt: skip


def end_request(token: bytes = END_TOKEN) -> bytes:
    """An order that is rejected: what it asks of its display can't be."""
    return _enter(token.ljust(14), b"B", 10_000, display=b"?")


def maker_flow(size: int) -> Flow:
    """The orders that the taker's trades will meet."""
    count = (size + 9) // 10
    messages = [_enter(b"M%-13d" % i, b"S", _TRADE_PRICE) for i in range(count)]
    return Flow(messages, Counter({"A": count}))


def taker_flow(size: int) -> Flow:
    """The mix itself: of ten messages the fifth cancels the third, the tenth trades."""
    messages = []
    answers: Counter[str] = Counter()
    for i in range(size):
        kind = i % 10
        if kind == 4:
            messages.append(_CANCEL.pack(_CANCEL.size - 2, b"U", ord("X"), b"T%-13d" % (i - 2), 0))
            answers["C"] += 1
            continue
        # Resting orders spread over a hundred levels of one side.
        price = _TRADE_PRICE if kind == 9 else 400_000 + i % 100 * 1000
        messages.append(_enter(b"T%-13d" % i, b"B", price))
        answers["A"] += 1
        if kind == 9:
            answers["E"] += 1
    return Flow(messages, answers, passive_fills=answers["E"])


def resting_flow(size: int) -> Flow:
    """Orders that only rest, each answered by one message: for round trips one at a time."""
    messages = [_enter(b"T%-13d" % i, b"B", 400_000 + i % 100 * 1000) for i in range(size)]
    return Flow(messages, Counter({"A": size}))


def count_messages(octets: bytes | bytearray | memoryview) -> Counter[str]:
    """How many sequenced messages of each type are in a stream, but for rejections."""
    counted: Counter[int] = Counter()
    at = 0
    while at < len(octets):
        if octets[at + 2] == ord("S"):
            counted[octets[at + 3]] += 1
        at += 2 + (octets[at] << 8 | octets[at + 1])
    del counted[ord("J")]
    return Counter({chr(letter): count for letter, count in counted.items()})
