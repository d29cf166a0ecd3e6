"""The parts of docs/rules-of-engagement.md that are made by running the code.

`python -m tests.support.rules_document` writes them anew between their marks; a test holds the
document to them.
"""

from __future__ import annotations

import re
from pathlib import Path

from portcullis.engine.why import WHYS
from portcullis.gateway.order_terms import markdown_table
from tests.support.fix_desk import FixDesk
from tests.support.wire import readable

DOCUMENT = Path(__file__).parents[2] / "docs" / "rules-of-engagement.md"

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


def codes_table() -> str:
    """Every reason with its codes and its text."""
    lines = ["| Text(58) | 103 of an 8 | 102 of a 9 | 378 |", "|---|---|---|---|"]
    for why in WHYS.values():
        if why.text:
            restated = "" if why.restatement is None else str(why.restatement)
            codes = f"{why.ord_rej_reason} | {why.cxl_rej_reason} | {restated}"
            lines.append(f"| {why.text} | {codes} |")
    return "\n".join(lines) + "\n"


def rewrite(text: str) -> str:
    """The document with its made parts as the code makes them; an unknown name fails."""

    def part(match: re.Match[str]) -> str:
        name = match[1]
        if name == "order terms":
            made = markdown_table()
        elif name == "codes":
            made = codes_table()
        else:
            made = example(name)
        return f"<!-- begin {name} -->\n{made}<!-- end -->"

    return re.sub(r"<!-- begin ([a-z ]+) -->\n.*?<!-- end -->", part, text, flags=re.DOTALL)


if __name__ == "__main__":
    DOCUMENT.write_text(rewrite(DOCUMENT.read_text()))
