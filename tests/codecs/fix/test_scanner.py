"""Frames, splitting and validation of inbound FIX, held to simplefix and to a naive validator."""

from __future__ import annotations

import importlib.util
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
import simplefix
from hypothesis import given, settings
from hypothesis import strategies as st

from portcullis import _build
from portcullis.codecs.fix import layout
from portcullis.codecs.fix.scanner import FixScanner
from portcullis.dictionaries import fix_tables
from portcullis.dictionaries.fix_tables import compile_tables
from portcullis.dictionaries.fix_xml import load_dictionary

_SPEC = importlib.util.spec_from_file_location(
    "naive_fix", Path(__file__).with_name("naive_fix.py")
)
assert _SPEC and _SPEC.loader
naive_fix = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(naive_fix)

DICTIONARY = load_dictionary("FIX44.xml")
TABLES = compile_tables(DICTIONARY)
NAIVE = naive_fix.NaiveValidator(DICTIONARY)
HEADER = "35=D|34=2|49=TW44|52=20261121-12:00:00|56=ISLD|"
ORDER = "11=ID|21=1|38=002000.00|40=1|54=1|55=INTC|60=20261121-12:00:00|"
WHOLE = HEADER + ORDER
EXAMPLES = 400 if _build.mode() == "compiled" else 100


def framed(body: str | bytes, begin_string: bytes = b"FIX.4.4") -> bytes:
    octets = body.encode("latin-1") if isinstance(body, str) else body
    octets = octets.replace(b"|", b"\x01")
    message = b"8=%s\x019=%d\x01%s" % (begin_string, len(octets), octets)
    return message + b"10=%03d\x01" % (sum(message) % 256)


def scan(data: bytes, tables: fix_tables.FixTables = TABLES, **options: int) -> FixScanner:
    scanner = FixScanner(tables, data, **options)
    scanner.scan(0, len(data))
    return scanner


def outcome(scanner: FixScanner, index: int = 0) -> tuple[int, int] | str:
    """(373, 371), "valid" or "garbled"."""
    status = scanner.word(index, layout.M_STATUS)
    if status != layout.MSG_OK:
        return {layout.MSG_GARBLED: "garbled", layout.MSG_TOO_LONG: "too long"}[status]
    reason = scanner.word(index, layout.M_REJECT_REASON)
    return "valid" if reason < 0 else (reason, scanner.word(index, layout.M_REJECT_TAG))


def messages(scanner: FixScanner) -> list[bytes]:
    """The bytes of the messages that were split."""
    return [
        scanner.message_bytes(index)
        for index in range(scanner.count)
        if scanner.word(index, layout.M_STATUS) == layout.MSG_OK
    ]


PARTY = "453=1|448=A|447=D|452=3|"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (WHOLE, "valid"),
        (WHOLE + "999=HI|", (0, 999)),
        (WHOLE + "0=HI|", (0, 0)),
        (WHOLE + "-1=HI|", (0, -1)),
        (WHOLE + "5000=HI|", (0, 5000)),
        (WHOLE + "058=HI|", (0, 58)),
        (WHOLE.replace("11=ID|", ""), (1, 11)),
        (WHOLE.replace("34=2|", ""), (1, 34)),
        (WHOLE + "41=X|", (2, 41)),
        (WHOLE.replace("55=INTC", "55="), (4, 55)),
        (WHOLE.replace("49=TW44", "49="), (4, 49)),
        (WHOLE.replace("21=1", "21=4"), (5, 21)),
        (WHOLE.replace("38=0", "38=+"), (6, 38)),
        (WHOLE.replace("60=20261121-12:00:00", "60=20261121"), (6, 60)),
        (WHOLE.replace("34=2", "34=-2"), (6, 34)),
        (WHOLE.replace("35=D", "35=ZZ"), (11, 35)),
        (WHOLE.replace("35=D", "35="), (4, 35)),
        (WHOLE + "40=2|", (13, 40)),
        (WHOLE + "35=D|", (14, 35)),
        ("35=D|" + ORDER + HEADER[5:], (14, 34)),
        ("35=D|55=MSFT|" + HEADER[5:] + "11=id|", (14, 34)),
        (WHOLE + "453=0|", "valid"),
        (WHOLE + PARTY, "valid"),
        (WHOLE + PARTY + "58=T|", "valid"),
        (WHOLE + PARTY.replace("453=1", "453=2"), (16, 453)),
        (WHOLE + PARTY + "448=B|447=D|452=1|", (16, 453)),
        (WHOLE + PARTY.replace("453=1", "453=-1"), (6, 453)),
        (WHOLE + "453=1|447=D|448=A|", (15, 447)),
        (WHOLE + "453=1|448=A|452=3|447=D|", (15, 447)),
        (WHOLE + "453=1|448=A|447=D|447=D|", (13, 447)),
        (WHOLE + PARTY + "802=2|523=X|803=5|523=Y|803=5|58=T|", "valid"),
        (WHOLE + PARTY + "802=2|523=X|803=5|58=T|", (16, 802)),
        (WHOLE + PARTY + "58=T|447=D|", (2, 447)),
        (WHOLE + "354=3|355=a\x01b|58=x|", "valid"),
        (WHOLE + "354=2|355=abc|58=x|", (5, 354)),
        (WHOLE + "354=99999|355=abc|58=x|", (5, 354)),
        (WHOLE + "355=abc|", (1, 354)),
        (WHOLE + "354=3|58=x|", (1, 355)),
        (WHOLE + "354=3|58=x|355=abc|", (1, 355)),
        (WHOLE + "18=A G|", "valid"),
        (WHOLE + "18=A  G|", (5, 18)),
        (WHOLE + "4garbled9=X|", "garbled"),
        (WHOLE + "=X|", "garbled"),
        (WHOLE + "-=X|", "garbled"),
        (WHOLE + "58|", "garbled"),
        (WHOLE + "1234567890=x|", "garbled"),
        ("34=2|" + WHOLE, "garbled"),
    ],
)
def test_each_fault_has_its_reason_and_its_tag(body: str, expected: object) -> None:
    assert outcome(scan(framed(body))) == expected


@pytest.mark.parametrize(
    ("switches", "body", "expected"),
    [
        ({"check_order": False}, "35=D|" + ORDER + HEADER[5:], "valid"),
        ({"allow_unknown": True}, WHOLE + "999=HI|41=X|", "valid"),
        ({"allow_unknown": True}, WHOLE + "0=HI|", (0, 0)),
        ({"check_user_defined": False}, WHOLE + "5000=HI|", "valid"),
        ({"check_user_defined": False}, WHOLE + "4999=HI|", (0, 4999)),
        ({"check_have_values": False}, WHOLE + "58=|", "valid"),
        ({"check_group_order": False}, WHOLE + "453=1|448=A|452=3|447=D|", "valid"),
    ],
)
def test_switches_loosen_one_check_each(
    switches: dict[str, bool], body: str, expected: object
) -> None:
    assert outcome(scan(framed(body), compile_tables(DICTIONARY, **switches))) == expected


def test_the_header_is_read_into_the_message_table() -> None:
    scanner = scan(framed(HEADER + "43=Y|97=Y|122=20261121-11:59:59.5|115=A|50=B|" + ORDER))
    word = {
        name: scanner.word(0, getattr(layout, name)) for name in dir(layout) if name[:2] == "M_"
    }
    assert word["M_MSG_SEQ_NUM"] == 2
    assert word["M_MSG_TYPE"] == ord("D")
    assert word["M_SENDING_TIME"] == 1795262400 * 10**9
    assert word["M_ORIG_SENDING_TIME"] == 1795262399 * 10**9 + 500_000_000
    assert word["M_FLAGS"] == (
        layout.FLAG_POSS_DUP
        | layout.FLAG_POSS_RESEND
        | layout.FLAG_ORIG_SENDING_TIME
        | layout.FLAG_ROUTED
        | layout.FLAG_OTHER_HEADER
    )
    assert scanner.value(word["M_SENDER_COMP_ID_FIELD"]) == b"TW44"
    assert scanner.value(word["M_TARGET_COMP_ID_FIELD"]) == b"ISLD"
    assert scanner.tag[word["M_FIRST_BODY_FIELD"]] == 11
    assert scanner.tag[word["M_FIRST_TRAILER_FIELD"]] == 10
    assert TABLES.msg_types[word["M_MESSAGE_INDEX"]] == b"D"


def test_times_within_a_minute_are_read_each_for_itself() -> None:
    clocks = ["00:00.000", "00:59.999", "00:60.001", "00:0x.000", "01:07.250", "01:07", "00:01.5"]
    data = b"".join(
        framed(WHOLE.replace("52=20261121-12:00:00", f"52=20261121-12:{clock}"))
        for clock in clocks
    )
    noon = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()) * 1000
    expected = [0, 59_999, 60_001, None, 67_250, 67_000, 1_500]
    scanner = scan(data)
    assert [scanner.word(index, layout.M_SENDING_TIME) for index in range(len(clocks))] == [
        -1 if after_ms is None else (noon + after_ms) * 1_000_000 for after_ms in expected
    ]
    assert [outcome(scanner, index) for index in range(len(clocks))] == [
        (6, 52) if after_ms is None else "valid" for after_ms in expected
    ]


def test_any_begin_string_is_framed_and_marked() -> None:
    scanner = scan(framed(WHOLE, b"FIX.4.1"))
    assert outcome(scanner) == "valid"
    assert scanner.word(0, layout.M_FLAGS) == layout.FLAG_BEGIN_STRING_DIFFERS


GOOD = framed(HEADER + ORDER)
BODY_BYTES = len(HEADER + ORDER)
NEXT = framed(WHOLE.replace("34=2", "34=3"))


@pytest.mark.parametrize(
    ("bad", "kept"),
    [
        (b"35=0\x01" + GOOD[:9] + b"\x019=3\x0134=2\x0110=121\x01", [NEXT]),
        (GOOD[:-4] + b"000\x01", [NEXT]),
        (GOOD[:-4] + b"0\x01", [NEXT]),
        (GOOD.replace(b"\x019=", b"\x019=x"), [NEXT]),
        (b"8=FIX.4.4\x0134=3\x019=5\x0135=0\x0110=000\x01", [NEXT]),
        (b"8=FIX.4.4\x019=30\x01" + GOOD.partition(b"\x0135")[2], [NEXT]),
        # Too long a length swallows the message behind it, as in scenario 2m.
        (GOOD.replace(b"\x019=%d" % BODY_BYTES, b"\x019=%d" % (BODY_BYTES + 10)), []),
        (b"58=8=x\x01108=8\x01", [NEXT]),
    ],
)
def test_what_is_garbled_is_skipped_and_the_stream_found_again(
    bad: bytes, kept: list[bytes]
) -> None:
    last = framed(WHOLE.replace("34=2", "34=4"))
    scanner = scan(bad + NEXT + last)
    assert messages(scanner) == [*kept, last]
    assert scanner.consumed == len(bad + NEXT + last)


@pytest.mark.parametrize("length", [b"100000000", b"99999999999999999999", b"65537"])
def test_a_length_beyond_the_bound_is_named_before_the_bytes_come(length: bytes) -> None:
    data = b"8=FIX.4.4\x019=" + length + b"\x01"
    assert outcome(scan(data)) == "too long"
    assert messages(scan(data + b"35=0\x01" + GOOD)) == [GOOD]


def test_a_partial_message_tells_what_it_needs() -> None:
    scanner = scan(NEXT + GOOD[:40])
    assert (scanner.count, scanner.consumed, scanner.needed) == (1, len(NEXT), len(GOOD))


def test_every_truncation_is_partial_and_every_split_gives_the_same() -> None:
    stream = NEXT + framed(WHOLE + PARTY) + GOOD
    whole = messages(scan(stream))
    assert len(whole) == 3
    for cut in range(len(stream)):
        buffer = bytearray(len(stream))
        buffer[:cut] = stream[:cut]
        scanner = FixScanner(TABLES, buffer)
        scanner.scan(0, cut)
        first, consumed = messages(scanner), scanner.consumed
        assert first == whole[: len(first)]
        assert consumed == len(b"".join(first))
        buffer[cut:] = stream[cut:]
        scanner.scan(consumed, len(stream))
        assert first + messages(scanner) == whole


def test_no_single_corrupt_byte_passes_the_checksum() -> None:
    for index in range(len(GOOD)):
        for octet in (GOOD[index] ^ 1, 1, 61, 48, 255):
            if octet == GOOD[index]:
                continue
            data = GOOD[:index] + bytes([octet]) + GOOD[index + 1 :]
            split = messages(scan(data + NEXT))
            assert GOOD not in split and data not in split


def test_a_full_table_ends_the_batch_and_the_next_goes_on() -> None:
    stream = GOOD * 10
    scanner = FixScanner(TABLES, stream, messages_max=4)
    assert (scanner.scan(0, len(stream)), scanner.full) == (4, True)
    assert (scanner.scan(scanner.consumed, len(stream)), scanner.full) == (4, True)
    assert (scanner.scan(scanner.consumed, len(stream)), scanner.full) == (2, False)


def test_offsets_outside_of_the_buffer_are_refused() -> None:
    with pytest.raises(IndexError, match="no bytes 0 to 11 in a buffer of 10"):
        FixScanner(TABLES, bytes(10)).scan(0, 11)


def test_fields_are_those_that_simplefix_finds() -> None:
    parser = simplefix.FixParser()
    parser.append_buffer(framed(WHOLE + PARTY))
    expected = [(int(tag), value) for tag, value in parser.get_message().pairs]
    assert scan(framed(WHOLE + PARTY)).fields(0) == expected


POOL = [field.encode() for field in (WHOLE + PARTY).strip("|").split("|")[1:]] + [
    b"58=", b"999=x", b"41=X", b"40=9", b"38=1.2.3", b"-5=x", b"93=3", b"802=1", b"523=a",
    b"803=1", b"18=A B", b"541=20260230", b"200=202613", b"10=000", b"627=1", b"628=h",
]  # fmt: skip


@given(
    st.lists(st.sampled_from(POOL), max_size=4),
    st.integers(0, 2**32),
    st.sampled_from([b"D", b"0", b"8", b"ZZ"]),
)
@settings(max_examples=EXAMPLES)
def test_the_first_fault_is_that_of_the_naive_validator(
    extra: list[bytes], seed: int, msg_type: bytes
) -> None:
    fields = [field.encode() for field in (WHOLE + PARTY).strip("|").split("|")[1:]]
    chooser = random.Random(seed)
    for field in extra:
        fields.insert(chooser.randrange(len(fields) + 1), field)
    if seed % 3 == 0:
        del fields[chooser.randrange(len(fields))]
    fields = [field for field in fields if field != b"93=3"]
    message = framed(b"35=" + msg_type + b"\x01" + b"\x01".join(fields) + b"\x01")
    pairs = [
        (int(tag), value)
        for tag, _, value in (f.partition(b"=") for f in message[:-1].split(b"\x01"))
    ]
    assert outcome(scan(message)) == (NAIVE.check(pairs) or "valid")


@given(st.binary(max_size=200), st.integers(0, 220))
@settings(max_examples=EXAMPLES)
def test_noise_neither_fails_nor_stalls(noise: bytes, at: int) -> None:
    data = GOOD[:at] + noise + GOOD[at:] + NEXT
    scanner = scan(data, max_message_bytes=512)
    assert scanner.consumed <= len(data)
    assert len(data) - scanner.consumed <= 512


def test_constants_are_the_same_for_compiled_modules() -> None:
    for module in (layout, fix_tables):
        assert Path(module.__file__).with_suffix(".pxd").read_text() == module.declarations()
