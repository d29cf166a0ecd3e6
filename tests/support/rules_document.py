"""The parts of docs/rules-of-engagement.md that are made by running the code.

`python -m tests.support.rules_document` writes them anew between their marks; a test holds the
document to them.
"""

from __future__ import annotations

import re
from pathlib import Path

from portcullis.engine import why as why_codes
from portcullis.engine.why import WHYS
from portcullis.gateway.order_terms import markdown_table
from portcullis.sessions.fix_admin import REJECT_TEXTS
from tests.support.fix_bench import LOGON, ORDER, Bench
from tests.support.fix_desk import FixDesk
from tests.support.wire import readable, split

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules-of-engagement.md"

_NAMES = {code: name for name, code in vars(why_codes).items() if name.startswith("WHY_")}
_TIME = "60=20261121-00:00:00.000"
_BUY = f"D|11=buy-1|54=1|55=BTC-USD|38=1.5|40=2|44=50000.05|{_TIME}"
_SELL = f"D|11=sell-1|54=2|55=BTC-USD|38=0.5|40=2|44=49990|{_TIME}"
_REPLACE = f"G|11=buy-2|41=buy-1|54=1|55=BTC-USD|38=2|40=2|44=50000.10|{_TIME}"
_CANCEL = f"F|11=cancel-1|41=buy-1|54=1|55=BTC-USD|{_TIME}"

# Name of the example: what went before, then what is shown: session and message. The options are
# those of the session.
EXAMPLES: dict[str, tuple[list[tuple[int, str]], list[tuple[int, str]], dict[str, object]]] = {
    "accepted": ([], [(1, _BUY + "|526=strategy-7|58=opening")], {}),
    "trade": ([(1, _BUY)], [(2, _SELL)], {}),
    "decrement": ([(1, _BUY + "|1=SHARED")], [(2, _SELL + "|1=SHARED")], {}),
    "replace below": (
        [(1, _BUY), (2, _SELL)],
        [(1, _REPLACE.replace("38=2", "38=0.25"))],
        {},
    ),
    "immediate": ([], [(1, _BUY + "|59=3")], {}),
    "refused term": ([], [(1, _BUY + "|18=6")], {}),
    "refused value": ([], [(1, _BUY.replace("38=1.5", "38=1.50001"))], {}),
    "missing": ([], [(1, _BUY.replace("|38=1.5", ""))], {}),
    "missing j": ([], [(1, _BUY.replace("|38=1.5", ""))], {"missing_conditional": "j"}),
    "duplicate": ([(1, _BUY)], [(1, _BUY)], {}),
    "replaced": ([(1, _BUY)], [(1, _REPLACE)], {}),
    "cancelled": ([(1, _BUY)], [(1, _CANCEL)], {}),
    "cancel rejected": ([], [(1, _CANCEL)], {}),
    "status": ([(1, _BUY)], [(1, "H|11=buy-1|54=1|55=BTC-USD|790=ask-1")], {}),
    "status unknown": ([], [(1, "H|11=buy-1|54=1|55=BTC-USD|790=ask-1")], {}),
    "mass status": ([(1, _BUY)], [(1, "AF|584=all-1|585=7")], {}),
    "mass status none": ([], [(1, "AF|584=all-1|585=7")], {}),
    "mass cancel": ([(1, _BUY)], [(1, f"q|11=stop-1|530=7|{_TIME}")], {}),
    "mass cancel refused": ([], [(1, f"q|11=stop-1|530=3|{_TIME}")], {}),
}


def example(name: str) -> str:
    """What is sent and what is answered, each message whole, '|' for SOH."""
    before, shown, options = EXAMPLES[name]
    desk = FixDesk(**options)
    for session, text in before:
        desk.send(text, session=session)
    lines = []
    for session, text in shown:
        known = {number: len(rows) for number, rows in desk.sent.items()}
        number = desk.next_in[session]
        lines.append("> " + readable(desk.wire(text, session)))
        desk.next_in[session] = number
        desk.send(text, session=session)
        for receiver in (session, 3 - session):
            for row in desk.sent[receiver][known[receiver] :]:
                lines.append("< " + readable(desk.encode(receiver, [row])))
    return "```\n" + "\n".join(lines) + "\n```\n"


# Messages of a peer to a session that is logged on, but for the first: what is shown.
SESSION_EXAMPLES: dict[str, list[str]] = {
    "session logon": [f"35=A|34=1|{LOGON}"],
    "session gap": ["35=0|34=4", "35=4|34=2|43=Y|122=20260102-11:59:30.000|36=4|123=Y"],
    "session resend": ["35=2|34=2|7=1|16=0"],
    "session too low": ["35=0|34=1"],
    "session reject": [f"35=D|34=2|115=DESK|{ORDER.replace('54=1', '54=x')}"],
    "session unsupported": ["35=b|34=2|117=Q|297=0"],
}


def session_example(name: str) -> str:
    """The same for messages of the session itself."""
    bench = Bench()
    if name == "session logon":
        bench.connect()
    else:
        bench.logs_on()
    if name == "session resend":
        bench.store.send(b"8", b"17=20\x0137=18\x0139=0\x01150=0\x01")
        bench.store.take()
        bench.clock.advance(60)
    lines = []
    for text in SESSION_EXAMPLES[name]:
        octets = bench.message(text)
        lines.append("> " + readable(octets))
        bench.feed(octets)
        lines.extend("< " + readable(answer) for answer in split(bench.store.take()))
    return "```\n" + "\n".join(lines) + "\n```\n"


def rejects_table() -> str:
    """The texts of Reject(3)."""
    lines = ["| 373 | Text(58) |", "|---|---|"]
    return (
        "\n".join(lines + [f"| {code} | {text} |" for code, text in REJECT_TEXTS.items()]) + "\n"
    )


def codes_table() -> str:
    """Every reason with its codes and its text."""
    lines = ["| Text(58) | 103 of an 8 | 102 of a 9 | 378 |", "|---|---|---|---|"]
    used = _used_names()
    for code, why in WHYS.items():
        if why.text:
            restated = "" if why.restatement is None else str(why.restatement)
            codes = f"{why.ord_rej_reason} | {why.cxl_rej_reason} | {restated}"
            mark = "" if _NAMES[code] in used else " (not in this version)"
            lines.append(f"| {why.text}{mark} | {codes} |")
    return "\n".join(lines) + "\n"


def _used_names() -> set[str]:
    """Names of the reasons that some module gives, beside those that only say what they are."""
    sources = Path(why_codes.__file__).parents[1].rglob("*.py")
    telling = ("why.py", "ouch_reports.py")
    text = "".join(path.read_text() for path in sources if path.name not in telling)
    return set(re.findall(r"\bWHY_[A-Z_]+", text))


def rewrite(text: str) -> str:
    """The document with its made parts as the code makes them; an unknown name fails."""

    def part(match: re.Match[str]) -> str:
        name = match[1]
        if name == "order terms":
            made = markdown_table()
        elif name == "codes":
            made = codes_table()
        elif name == "rejects":
            made = rejects_table()
        elif name in SESSION_EXAMPLES:
            made = session_example(name)
        else:
            made = example(name)
        return f"<!-- begin {name} -->\n{made}<!-- end -->"

    return re.sub(r"<!-- begin ([a-z ]+) -->\n.*?<!-- end -->", part, text, flags=re.DOTALL)


if __name__ == "__main__":
    DOCUMENT.write_text(rewrite(DOCUMENT.read_text()))
