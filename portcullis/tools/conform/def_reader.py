"""Reads the scenario language of QuickFIX: `.def` files, unchanged.

One command a line: `I` send, `E` expect, `i` act, `e` wait for an action; a digit and a comma
behind the letter name a connection. What is sent is completed as QuickFIX's runner does it:
BodyLength and CheckSum where they are missing, `<TIME>`, `<TIME+n>`, `<FILE:path>`.
Must not know how anything is compared or sent.
"""

from __future__ import annotations

import re
from pathlib import Path

from portcullis.tools.conform.scenario import Scenario, ScenarioError, Step, Timing, Verb, is_tag
from portcullis.tools.conform.values import LENGTH_MARK, SOH, SUM_MARK

# QuickFIX's runner waits so long for a close.
CLOSE_S = 10.0
FILE_BYTES_MAX = 1 << 20
_LINE = re.compile(r"([IEie])(?:(\d),)?(.*)", re.DOTALL)
_FILE = re.compile(r"<FILE:([^>]*)>")
_ACTIONS = {
    ("i", "CONNECT"): Verb.CONNECT,
    ("i", "DISCONNECT"): Verb.DISCONNECT,
    ("e", "CONNECT"): Verb.ACCEPT,
    ("e", "DISCONNECT"): Verb.CLOSED,
}


def read(path: Path, corpus: str) -> Scenario:
    """The scenario of a file; ScenarioError where a line is none of the language's."""
    steps = []
    # Only LF ends a line: a value may hold what Python would split at, such as NEL.
    for number, line in enumerate(path.read_bytes().decode("latin-1").split("\n"), 1):
        line = line.removesuffix("\r")
        if line and not line.startswith("#"):
            steps.append(_step(path, number, line))
    if not steps:
        raise ScenarioError(path, 0, "no commands in it: expected lines such as iCONNECT")
    case = path.stem.split("_")[0]
    return Scenario(
        corpus=corpus,
        name=path.stem,
        title=path.stem.replace("_", " "),
        path=path,
        line=1,
        steps=tuple(steps),
        area=corpus,
        quickfix_cases=(case,) if case[:1].isdigit() else (),
        rule=_opening_comment(path),
        clients=tuple(dict.fromkeys(step.client for step in steps)),
        identity=_identity(steps),
        role=_role(steps),
    )


def _step(path: Path, number: int, line: str) -> Step:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ScenarioError(
            path, number, f"{line[:20]!r} begins with none of I (send), E (expect), i, e (actions)"
        )
    letter, client, rest = found[1], found[2] or "1", found[3]
    text = line.replace(SOH, "|")
    if letter in "ie":
        verb = _ACTIONS.get((letter, rest.strip()))
        if verb is None:
            raise ScenarioError(
                path,
                number,
                f"unknown action {letter}{rest.strip()}: expected iCONNECT, iDISCONNECT, eCONNECT"
                " or eDISCONNECT",
            )
        timing = Timing(0.0, CLOSE_S) if verb is Verb.CLOSED else None
        return Step(number, text, verb, client, timing=timing)
    rest = _FILE.sub(lambda match: _inlined(path, number, match[1]), rest)
    if letter == "I":
        return Step(number, text, Verb.RAW, client, argument=_completed(rest), in_order=True)
    fields = tuple(_pair(path, number, piece) for piece in rest.split(SOH) if piece)
    types = [value for tag, value in fields if tag == "35"]
    if not types:
        raise ScenarioError(path, number, "an expected message needs its MsgType(35)")
    return Step(number, text, Verb.EXPECT, client, types[0], fields, in_order=True)


def _pair(path: Path, number: int, piece: str) -> tuple[str, str]:
    tag, equals, value = piece.partition("=")
    if not equals or not is_tag(tag):
        raise ScenarioError(path, number, f"{piece[:40]!r} is no tag=value; is SOH missing?")
    return tag, value


def _completed(text: str) -> str:
    """With marks for BodyLength and CheckSum where a message leaves them out."""
    if not text.startswith("8="):
        return text
    if f"{SOH}9=" not in text:
        begin, _, rest = text.partition(SOH)
        text = f"{begin}{SOH}9={LENGTH_MARK}{SOH}{rest}"
    if f"{SOH}10=" not in text:
        text = text.removesuffix(SOH) + f"{SOH}10={SUM_MARK}{SOH}"
    return text


def _inlined(path: Path, number: int, name: str) -> str:
    """The bytes of a file beside the scenario; none elsewhere, for they are sent to a stranger."""
    folder = path.parent.resolve()
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise ScenarioError(path, number, f"<FILE:{name}> lies outside the folder of the scenario")
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise ScenarioError(path, number, f"<FILE:{name}>: {error.strerror}") from None
    if len(octets) > FILE_BYTES_MAX:
        raise ScenarioError(path, number, f"<FILE:{name}> has more than {FILE_BYTES_MAX} bytes")
    return octets.decode("latin-1")


def _opening_comment(path: Path) -> str:
    lines = []
    for line in path.read_text("latin-1").split("\n"):
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)


def _identity(steps: list[Step]) -> str:
    """Who speaks: SenderCompID and TargetCompID of the first message sent or expected."""
    for step in steps:
        pairs = step.fields or tuple(
            (tag, value) for tag, _, value in (p.partition("=") for p in step.argument.split(SOH))
        )
        names = dict(pairs)
        if "49" in names:
            return "/".join(sorted((names["49"], names.get("56", ""))))
    return ""


def _role(steps: list[Step]) -> str:
    """The venue's where the first connection is waited for, as in QuickFIX's runner."""
    for step in steps:
        if step.verb in (Verb.CONNECT, Verb.ACCEPT):
            return "venue" if step.verb is Verb.ACCEPT else "client"
    return "client"
