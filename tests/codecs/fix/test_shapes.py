"""A message is read alike whether or not one of its shape came before it."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis import _build
from portcullis.codecs.fix import layout
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries.fix_tables import compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary

TABLES = compile_tables(load_dictionary("FIX44.xml"))
EXAMPLES = 1500 if _build.mode() == "compiled" else 300
HEADER = "34=2|49=TW44|52=20261121-12:00:00.125|56=ISLD|"
BODIES = [
    "35=D|" + HEADER + "11=ID|21=1|38=002000.00|40=2|44=1.5|54=1|55=INTC|60=20261121-11:59:59|",
    "35=F|" + HEADER + "11=ID2|41=ID|54=1|55=INTC|60=20261121-12:00:00.123456789|",
    "35=G|" + HEADER + "11=I3|21=1|22=8|38=5|40=1|41=ID|48=X|54=1|55=A|60=20261121-12:00:59|",
    "35=H|" + HEADER.replace("00.125", "60.125") + "11=ID|54=1|55=A|",
    "35=1|" + HEADER + "112=ARE YOU THERE|",
    "35=0|" + HEADER,
]
VALUES = [
    b"", b"1", b"x", b"-1", b"1.5", b"1.", b".", b"1.5.", b"Y", b"9", b"99999999999999999999",
    b"20261121-12:00:01.250", b"20261121-12:00:60.250", b"20261121-12:00:60", b"20261121-12:01:00",
    b"20261121-11:59:58",
    b"20261121-12:00:0x.125", b"20261121-12:00:00.12x", b"20261121", b"a\x0158=b", b"1\x0110=000",
]  # fmt: skip


def framed(body: bytes) -> bytes:
    message = b"8=FIX.4.4\x019=%d\x01%s" % (len(body), body)
    return message + b"10=%03d\x01" % (sum(message) % 256)


def reading(scanner: FixScanner, index: int) -> tuple[dict[str, int], list[tuple[int, bytes]]]:
    """All that the tables say of a message, wherever in buffer and tables it stands."""
    words = {
        name: scanner.word(index, getattr(layout, name))
        for name in dir(layout)
        if name.startswith("M_")
    }
    first, start = words.pop("M_FIRST_FIELD"), words.pop("M_START")
    words["M_END"] -= start
    for name, word in words.items():
        if name.endswith("_FIELD") and word >= 0:
            words[name] = word - first
    return words, scanner.fields(index)


def check(body: str, other: bytes) -> None:
    known, message = framed(body.replace("|", "\x01").encode()), framed(other)
    scanner = FixScanner(TABLES, known + message + known + message)
    alone = FixScanner(TABLES, message)
    if scanner.scan(0, len(scanner.octets)) != 4 or alone.scan(0, len(message)) != 1:
        return  # its length or its end is no longer where it was
    assert reading(scanner, 0) == reading(scanner, 2)
    assert reading(scanner, 1) == reading(scanner, 3) == reading(alone, 0)


@given(st.sampled_from(BODIES), st.data())
@settings(max_examples=EXAMPLES)
def test_a_byte_of_any_other_value_is_judged_alike(body: str, data: st.DataObject) -> None:
    octets = bytearray(body.replace("|", "\x01").encode())
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    check(body, bytes(octets))


@given(st.sampled_from(BODIES), st.data())
@settings(max_examples=EXAMPLES)
def test_fields_put_in_left_out_and_changed_are_judged_alike(
    body: str, data: st.DataObject
) -> None:
    fields = body.encode().split(b"|")[:-1]
    place = data.draw(st.integers(1, len(fields) - 1))
    tag, _, value = fields[place].partition(b"=")
    change = data.draw(st.sampled_from(["put in", "leave out", "change", "change two", "swap"]))
    if change == "put in":
        fields.insert(place, data.draw(st.sampled_from([*fields, b"58=text", b"43=N", b"5000=x"])))
    elif change == "leave out":
        del fields[place]
    elif change == "swap":
        fields[place - 1 : place + 1] = fields[place], fields[place - 1]
    else:
        fields[place] = tag + b"=" + data.draw(st.sampled_from([value, *VALUES]))
        if change == "change two":
            fields[-1] = fields[-1].partition(b"=")[0] + b"=" + data.draw(st.sampled_from(VALUES))
    check(body, b"\x01".join(fields) + b"\x01")


def test_types_whose_letters_share_a_place_are_told_apart() -> None:
    # D is 0x44 and d 0x64: one place among the shapes.
    order, definition = (f"35={letter}|{HEADER}11=ID|".replace("|", "\x01") for letter in "Dd")
    scanner = FixScanner(TABLES, framed(order.encode()) + framed(definition.encode()))
    scanner.scan(0, len(scanner.octets))
    assert [scanner.word(index, layout.M_MSG_TYPE) for index in (0, 1)] == [0x44, 0x64]


@given(st.text("0159.:/ \x7f\x80\xff", min_size=1, max_size=20), st.booleans())
@settings(max_examples=EXAMPLES)
def test_numbers_of_any_length_are_judged_as_the_types_say(text: str, is_known: bool) -> None:
    text = text.strip(" ") or "0"
    known = BODIES[0].replace("|", "\x01").encode()
    seq, price = (
        known.replace(was, tag + text.encode("latin-1") + b"\x01")
        for was, tag in ((b"34=2\x01", b"34="), (b"44=1.5\x01", b"44="))
    )
    scanner = FixScanner(
        TABLES, (framed(known) if is_known else b"") + framed(seq) + framed(price)
    )
    count = scanner.scan(0, len(scanner.octets))
    is_valid = scanner.word(count - 1, layout.M_REJECT_REASON) == -1
    assert is_valid == (re.fullmatch(r"[0-9]+\.?[0-9]*|\.[0-9]+", text) is not None)
    if re.fullmatch("[0-9]{1,18}", text):
        assert scanner.word(count - 2, layout.M_MSG_SEQ_NUM) == int(text)
    else:
        assert scanner.word(count - 2, layout.M_MSG_SEQ_NUM) == -1 or text.isdecimal()
