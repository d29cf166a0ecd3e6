"""Logs of messages as people read them: ours, of FIX and OUCH, and those of QuickFIX's engines.

Owns the reading of their lines, the names of fields and values, and the choice of messages. A line
is a time in one of the spellings of QuickFIX (C++, /J, /Go), perhaps none, and a message or an
event. Secrets go before anything is looked at, whoever wrote the log. Must not know files or
terminals.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from portcullis.codecs.ouch.text import NAMES as OUCH_NAMES
from portcullis.dictionaries.fix_dictionary import FixDictionary
from portcullis.gateway.redaction import redact

# QuickFIX: "20260102-12:00:00.123 : "; QuickFIX/J: "20260102-12:00:00: "; QuickFIX/Go:
# "2026/01/02 12:00:00.123456 ".
_START = re.compile(
    rb"(?P<time>\d{8}-\d\d:\d\d:\d\d(?:\.\d+)?|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?)"
    rb"(?: ?: ?| )(?P<text>.*)",
    re.DOTALL,
)
_END = re.compile(rb"\x0110=\d{3}\x01?\Z")
_END_MAX = 16  # bytes that an end has at most, a carriage return included
# A message may hold line ends; one longer than that is shown as it is so far.
_MESSAGE_MAX = 1 << 20
# Told by the line as a whole: BeginString, BodyLength, MsgType, CheckSum.
_LEFT_OUT = frozenset((8, 9, 35, 10))

CAME_IN, WENT_OUT, EVENT, UNKNOWN = "in", "out", "event", "message"
_OUCH_WAYS = {b"in": CAME_IN, b"out": WENT_OUT}
# What is new with a replacement has another token than the order it replaces.
_OUCH_TOKEN = re.compile(r"\b\w*order_token=(.*?)(?= \w+=|$)")
# Behind the session in the name of a file.
_FILE_KIND = re.compile(r"\.(?:messages|event|log)\b")


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. way: CAME_IN, WENT_OUT, UNKNOWN, or EVENT. An event, and a message of OUCH, has
    text and no fields. log: the session that its file is called after."""

    time: str
    way: str
    text: str
    fields: tuple[tuple[int, bytes], ...] = ()
    log: str = ""

    def get(self, tag: int) -> bytes:
        """The first value of a field; empty where it is absent."""
        return next((value for number, value in self.fields if number == tag), b"")


class LineReader:
    """Takes the bytes of one log as they come. prefix: how its file's name begins."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self.log = _FILE_KIND.split(prefix)[0]
        self._rest = b""
        # Lines of a message whose end has not come, and their size. From _MESSAGE_MAX on it has
        # been shown as it is, and what follows up to its end is not: it may be a secret.
        self._open: list[bytes] = []
        self._size = 0
        self._is_shown = False

    def feed(self, octets: bytes) -> Iterator[Line]:
        """Entries that are whole. O(octets)."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            begins = _begins(line)
            if self._open and begins and _START.match(line):
                yield from self._take()  # the one before was never finished
            if not self._open and not begins:
                if line.strip():
                    yield self._entry(line.rstrip(b"\r"))
                continue
            if not self._is_shown:
                self._open.append(line)
                self._size += len(line) + 1
            if _END.search(line[-_END_MAX:].rstrip(b"\r")):
                yield from self._take()
            elif self._size >= _MESSAGE_MAX and not self._is_shown:
                self._is_shown = True
                yield self._entry(b"\n".join(self._open))

    def end(self) -> Iterator[Line]:
        """What is left though its line end has not come."""
        left, self._rest = self._rest, b""
        if self._open:
            self._open.append(left)
            yield from self._take()
        elif left.strip():
            yield self._entry(left)

    def _take(self) -> Iterator[Line]:
        """The open message, unless it was too long and has been shown."""
        if not self._is_shown:
            yield self._entry(b"\n".join(self._open).rstrip(b"\r\n"))
        self._open, self._size, self._is_shown = [], 0, False

    def _entry(self, line: bytes) -> Line:
        match = _START.match(line)
        time, text = (match["time"].decode(), match["text"]) if match else ("", line)
        if self._prefix.startswith(b"OUCH-") and b".messages." in self._prefix:
            direction, _, said = text.partition(b" ")
            return Line(time, _OUCH_WAYS.get(direction, UNKNOWN), readable(said), log=self.log)
        text = redact(text)
        if not text.startswith(b"8=FIX"):
            return Line(time, EVENT, readable(text), log=self.log)
        fields = tuple(_fields(text))
        values = dict(reversed(fields))
        sender, target = values.get(49, b""), values.get(56, b"")
        way = UNKNOWN
        if self._prefix.startswith(b"%b-%b-%b" % (values[8], sender, target)):
            way = WENT_OUT
        elif self._prefix.startswith(b"%b-%b-%b" % (values[8], target, sender)):
            way = CAME_IN
        return Line(time, way, readable(text), fields, self.log)


def _begins(line: bytes) -> bool:
    """Whether a message begins with this line."""
    start = line.find(b"8=FIX")
    return (start == 0 or (start > 0 and _START.match(line) is not None)) and b"\x01" in line


def _fields(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Fields in their order. Data with delimiters in it is cut there: it is shown, not used."""
    for pair in text.split(b"\x01"):
        tag, equals, value = pair.partition(b"=")
        if equals and tag.isdigit() and len(tag) < 10:
            yield int(tag), value


def readable(octets: bytes) -> str:
    """Text that a terminal only shows: | for delimiters, escapes for what is not printable."""
    text = octets.replace(b"\x01", b"|").decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def is_wanted(line: Line, cl_ord_ids: frozenset[bytes], types: frozenset[bytes | str]) -> bool:
    """Whether an entry is one of these types, and about one of these orders; empty: all are.

    types: as `type_named` gives them. About an order: ClOrdID(11) or OrigClOrdID(41) is its id, or
    a token of OUCH.
    """
    if types and not types & {line.get(35), _ouch_name(line)}:
        return False
    if not cl_ord_ids:
        return True
    if line.fields:
        return bool({line.get(11), line.get(41)} & cl_ord_ids)
    tokens: list[str] = [] if line.way == EVENT else _OUCH_TOKEN.findall(line.text)
    return any(token.encode() in cl_ord_ids for token in tokens)


def _ouch_name(line: Line) -> str:
    """What a message of OUCH, or a packet around it, is called; "": it is none."""
    if line.fields or line.way == EVENT:
        return ""
    # One of ours has its number in front, behind either stand fields.
    words = re.split(r" \w+=", line.text.lstrip("0123456789 "), maxsplit=1)
    return words[0]


def type_named(text: str, dictionary: FixDictionary) -> bytes | str:
    """A MsgType(35), by itself or by its name in the dictionary; or a message of OUCH, its name.

    A type of one or two characters may be one that the dictionary does not know. Blanks and
    capitals of OUCH's names do not matter. ValueError: it is nothing of these.
    """
    found = dictionary.messages_by_name.get(text)
    if found is not None:
        return found.msg_type
    if 0 < len(text) <= 2:
        return text.encode()
    named = {_folded(name): name for name in OUCH_NAMES}
    if _folded(text) in named:
        return named[_folded(text)]
    close = difflib.get_close_matches(text, [*dictionary.messages_by_name, *named.values()], 1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"no message is called {text!r}: expected a MsgType, or a name of FIX or OUCH{meant}"
    )


def _folded(name: str) -> str:
    return name.replace(" ", "").lower()


def title(line: Line, dictionary: FixDictionary) -> str:
    """The name and type of a message."""
    msg_type = line.get(35)
    found = dictionary.messages.get(msg_type)
    return f"{found.name if found else 'Unknown'}({readable(msg_type)})"


def named_fields(line: Line, dictionary: FixDictionary) -> Iterator[str]:
    """Each field of a message as Name(tag)=value, with what an enumerated value means."""
    for tag, value in line.fields:
        if tag in _LEFT_OUT:
            continue
        described = dictionary.fields.get(tag)
        if described is None:
            yield f"{tag}={readable(value)}"
            continue
        meaning = described.values.get(value, "")
        yield f"{described.name}({tag})={readable(value)}" + (f" {meaning}" if meaning else "")
