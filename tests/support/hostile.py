"""Messages that mean harm: valid ones of every type, changed in every way that anybody thought of.

Most changes leave a session alive, so that the next message is looked at as well; a few end it.
Every choice comes from the generator handed in.
"""

from __future__ import annotations

import random

from tests.fuzz.fuzz_fix_scanner import PARTS

GATEWAY = b"PORTCULLIS"
_TIME = b"20260102-12:00:00"
_ORDER = b"38=1|40=2|44=10|54=1|55=BTC-USD|59=3|60=" + _TIME
# MsgType, body. Orders are immediate-or-cancel, so that what gets through does not pile up.
CORPUS = tuple(
    (msg_type, body.replace(b"|", b"\x01").split(b"\x01"))
    for msg_type, body in (
        (b"D", b"11=%d|" + _ORDER),
        (b"D", b"11=%d|" + _ORDER + b"|453=2|448=A|447=D|452=1|448=B|447=D|452=3"),
        (b"D", b"11=%d|354=5|355=a\x01b=c|58=text|" + _ORDER),
        (b"G", b"11=%d|41=1|" + _ORDER),
        (b"F", b"11=%d|41=1|54=1|55=BTC-USD|60=" + _TIME),
        (b"H", b"11=%d|54=1|55=BTC-USD"),
        (b"q", b"11=%d|530=7|60=" + _TIME),
        (b"AF", b"584=%d|585=7"),
        (b"0", b"112=%d"),
        (b"1", b"112=%d"),
        (b"2", b"7=1|16=3"),
        (b"3", b"45=%d|371=35|372=D|373=5|58=no"),
        (b"j", b"45=%d|372=D|380=3"),
        (b"b", b"117=%d|297=0"),
        (b"d", b"320=1|322=2|323=1|55=BTC-USD"),
        (b"ZZ", b"58=%d"),
    )
)
_VALUES = (
    b"", b"-1", b"0", b"+1", b"1e9", b"1.", b".", b"9" * 20, b"9" * 400, b"4611686018427387905",
    b"Y", b"\x00", b"\xff\xfe", b"=", b"x" * 5000, b"20261350-99:99:99", b"8=FIX.4.4", b"10=000",
)  # fmt: skip
_TAGS = (b"0", b"-1", b"00", b"5000", b"9" * 12, b"", b"x", b"8", b"9", b"10", b"34", b"35", b"49")
_TAGS += (b"43", b"97", b"115", b"122", b"128", b"212", b"354", b"369", b"453", b"627")


# Share of the messages that end the session.
ENDING = 0.002


def framed(fields: list[bytes]) -> bytes:
    """A message around its fields, the first of them MsgType(35); length and sum are right."""
    content = b"\x01".join(fields) + b"\x01"
    start = b"8=FIX.4.4\x019=%d\x01%b" % (len(content), content)
    return b"%b10=%03d\x01" % (start, sum(start) % 256)


def header(name: bytes, msg_type: bytes, seq: int, when: bytes) -> list[bytes]:
    return [b"35=" + msg_type, b"34=%d" % seq, b"49=" + name, b"52=" + when, b"56=" + GATEWAY]


def mutated(rng: random.Random, name: bytes, seq: int, when: bytes) -> bytes:
    """One message, most often no longer what it was."""
    msg_type, body = rng.choice(CORPUS)
    fields = [field % seq if b"%d" in field else field for field in body]
    head = header(name, msg_type, seq, when)
    kind = rng.randrange(100)
    if rng.random() < ENDING:
        head = header(name, msg_type, rng.choice((1, 2**62 + 1, 10**30)), when)
        if rng.random() < 0.5:
            head[rng.randrange(2, 5)] = rng.choice((b"49=X", b"56=X", b"52=" + _TIME, b"52="))
    elif kind < 10:
        pass  # as it should be
    elif kind < 45:
        at = rng.randrange(len(fields))
        tag, _, value = fields[at].partition(b"=")
        change = rng.randrange(5)
        if change == 0:
            fields[at] = tag + b"=" + rng.choice(_VALUES)
        elif change == 1:
            fields[at] = rng.choice(_TAGS) + b"=" + value
        elif change == 2:
            fields.insert(at, fields[rng.randrange(len(fields))])
        elif change == 3:
            del fields[at]
        else:
            rng.shuffle(fields)
    elif kind < 55:
        fields.insert(
            rng.randrange(len(fields) + 1), rng.choice(_TAGS) + b"=" + rng.choice(_VALUES)
        )
    elif kind < 60:
        head.append(rng.choice(_TAGS[13:]) + b"=" + rng.choice((*_VALUES, b"1", _TIME)))
    message = framed(head + fields)
    if kind >= 60:
        behind_header = message.index(b"35=") + len(b"\x01".join(head)) + 1
        message = _damaged(rng, message, behind_header if kind < 94 else 0)
    return message


def _damaged(rng: random.Random, message: bytes, low: int) -> bytes:
    """Bytes changed from `low` on, and the frame put right again; from 0 on together with it."""
    octets = bytearray(message)
    high = len(octets) - 7 if low else len(octets)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(low, max(high, low + 1))
        new = bytes([rng.randrange(256)]) if rng.random() < 0.7 else rng.choice(PARTS)
        octets[at : at + rng.randrange(2)] = new.replace(b"|", b"\x01")
    if low:
        content = bytes(octets[octets.index(b"35=") : -7])
        return framed(content.removesuffix(b"\x01").split(b"\x01"))
    return bytes(octets)
