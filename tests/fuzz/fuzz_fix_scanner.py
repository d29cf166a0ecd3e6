"""Fuzzes the scanner: no input fails, stalls, or reads a message that is not framed right.

With atheris installed: python tests/fuzz/fuzz_fix_scanner.py [atheris options]. Without it, or
with --seed or --count, it mutates a few messages itself: --seed 1 --count 10000.
"""

from __future__ import annotations

import argparse
import random
import sys

from portcullis.codecs.fix.layout import M_STATUS, MSG_OK
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tables import compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary

TABLES = compile_tables(load_dictionary("FIX44.xml"))
MAX_MESSAGE_BYTES = 1024
SEEDS = (
    b"35=D|34=2|49=C|52=20261121-12:00:00|56=P|11=ID|21=1|38=1|40=1|54=1|55=X|60=20261121-12:00:00|",
    b"35=D|34=2|49=C|52=20261121-12:00:00.123|56=P|453=1|448=A|447=D|452=3|802=1|523=X|803=1|",
    b"35=A|34=1|49=C|52=20261121-12:00:00|56=P|95=3|96=a|b|98=0|108=30|",
)  # fmt: skip
PARTS = (b"8=FIX.4.4|", b"9=", b"10=000|", b"=", b"|", b"-1=", b"453=2|", b"95=9|96=", b"58=8=|")


def check_input(data: bytes) -> None:
    """One input: every message that comes out is framed right, and the scanner goes forward."""
    scanner = FixScanner(TABLES, data, max_message_bytes=MAX_MESSAGE_BYTES)
    start = 0
    while True:
        count = scanner.scan(start, len(data))
        for index in range(count):
            message = scanner.message_bytes(index)
            assert message, "a message of no bytes"
            if scanner.word(index, M_STATUS) == MSG_OK:
                assert int(message[-4:-1]) == sum(message[:-7]) % 256
                fields = b"".join(b"%d=%s\x01" % field for field in scanner.fields(index))
                assert len(fields) <= len(message), "fields overlap"
        assert start <= scanner.consumed <= len(data)
        if not scanner.full:
            break
        assert scanner.consumed > start, "no way forward"
        start = scanner.consumed
    assert len(data) - scanner.consumed <= MAX_MESSAGE_BYTES


def mutated(chooser: random.Random) -> bytes:
    """A few messages with a few bytes changed, some of them framed anew."""
    stream = b""
    for _ in range(chooser.randrange(1, 4)):
        body = bytearray(chooser.choice(SEEDS).replace(b"|", b"\x01"))
        for _ in range(chooser.randrange(4)):
            at = chooser.randrange(len(body))
            body[at : at + chooser.randrange(3)] = chooser.choice(
                (bytes([chooser.randrange(256)]), chooser.choice(PARTS).replace(b"|", b"\x01"))
            )
        message = b"8=FIX.4.4\x019=%d\x01%s" % (len(body) + chooser.choice((0, 0, 0, 5, -5)), body)
        stream += message + b"10=%03d\x01" % (sum(message) % 256)
    return stream[chooser.choice((0, 0, 0, 3)) :]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args(arguments)
    for number in range(options.count):
        data = mutated(random.Random(f"{options.seed}/{number}"))
        try:
            check_input(data)
        except BaseException:
            print(f"input {number} of seed {options.seed}: {data!r}", file=sys.stderr)
            raise


if __name__ == "__main__":
    try:
        import atheris
    except ModuleNotFoundError:
        atheris = None
    if atheris is None or "--seed" in sys.argv or "--count" in sys.argv:
        main(sys.argv[1:])
    else:
        atheris.Setup(sys.argv, check_input)
        atheris.Fuzz()
