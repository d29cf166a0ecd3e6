"""The reference mix as prebuilt bytes: 80 % rest, 10 % cancel, 10 % trade.

Two clients take part. The maker's sell orders rest first, outside of what is timed; the taker then
sends the mix, and each of its trades meets one of the maker's orders. So every answer is known in
advance, and counting them checks the whole run. Framed here, not by our codec.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

MAKER = "CLIENT1"
TAKER = "CLIENT2"
GATEWAY = "PORTCULLIS"
END = b"112=END\x01"
_TRADE_PRICE = "100.00"


@dataclass(frozen=True)
class Flow:
    """Messages in the order of sending, and how many reports of each ExecType they bring.

    answers: to the sender; passive_fills: to the other client.
    """

    messages: list[bytes]
    answers: Counter[str]
    passive_fills: int = 0


def utc_now() -> str:
    """SendingTime with milliseconds."""
    now_ns = time.time_ns()
    date = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(now_ns // 1_000_000_000))
    return f"{date}.{now_ns // 1_000_000 % 1000:03d}"


def frame(body: str) -> bytes:
    """A FIX message around fields from 35 on, each ended by SOH."""
    octets = body.encode("ascii")
    head = b"8=FIX.4.4\x019=%d\x01%b" % (len(octets), octets)
    return b"%b10=%03d\x01" % (head, sum(head) % 256)


def message(msg_type: str, seq: int, sender: str, when: str, *fields: str) -> bytes:
    """One message of a client's; fields as "tag=value"."""
    header = (f"35={msg_type}", f"34={seq}", f"49={sender}", f"52={when}", f"56={GATEWAY}")
    return frame("\x01".join((*header, *fields, "")))


def logon(sender: str, seq: int = 1) -> bytes:
    return message("A", seq, sender, utc_now(), "98=0", "108=60")


def end_request(sender: str, seq: int) -> bytes:
    """A TestRequest: the Heartbeat that answers it comes behind all reports before it."""
    return message("1", seq, sender, utc_now(), "112=END")


def _new(seq: int, sender: str, when: str, cl_ord_id: str, side: str, price: str) -> bytes:
    return message(
        "D", seq, sender, when,
        f"11={cl_ord_id}", "21=1", "38=1", "40=2", f"44={price}", f"54={side}",
        "55=BTC-USD", f"60={when}",
    )  # fmt: skip


def maker_flow(size: int) -> Flow:
    """The orders that the taker's trades will meet."""
    when = utc_now()
    count = (size + 9) // 10
    messages = [_new(2 + i, MAKER, when, f"M{i:08d}", "2", _TRADE_PRICE) for i in range(count)]
    return Flow(messages, Counter({"0": count}))


def taker_flow(size: int) -> Flow:
    """The mix itself: of ten messages the fifth cancels the third, the tenth trades."""
    when = utc_now()
    messages = []
    answers: Counter[str] = Counter()
    for i in range(size):
        seq = 2 + i
        kind = i % 10
        if kind == 4:
            cancel = (f"11=T{i:08d}", f"41=T{i - 2:08d}", "54=1", "55=BTC-USD", f"60={when}")
            messages.append(message("F", seq, TAKER, when, *cancel))
            answers["4"] += 1
            continue
        # Resting orders spread over a hundred levels of one side.
        price = _TRADE_PRICE if kind == 9 else f"{40 + i % 100 / 10:.2f}"
        messages.append(_new(seq, TAKER, when, f"T{i:08d}", "1", price))
        answers["0"] += 1
        if kind == 9:
            answers["F"] += 1
    return Flow(messages, answers, passive_fills=answers["F"])


def resting_flow(size: int) -> Flow:
    """Orders that only rest, each answered by one report: for round trips one at a time."""
    when = utc_now()
    prices = [f"{40 + i / 10:.2f}" for i in range(100)]
    messages = [_new(2 + i, TAKER, when, f"T{i:08d}", "1", prices[i % 100]) for i in range(size)]
    return Flow(messages, Counter({"0": size}))


def count_reports(octets: bytes | bytearray) -> Counter[str]:
    """How many reports of each ExecType(150) are in a stream; "8" are refusals."""
    counted = {code: octets.count(f"\x01150={code}\x01".encode()) for code in "04F8"}
    return Counter({code: count for code, count in counted.items() if count})
