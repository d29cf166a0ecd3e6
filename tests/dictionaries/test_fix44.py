"""FIX44.xml against facts typed from the FIX 4.4 standard, and properties that it must have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import simplefix

from portcullis.dictionaries.fix_dictionary import FixMember
from portcullis.dictionaries.fix_msg_types import ADMIN_MSG_TYPES
from portcullis.dictionaries.fix_xml import load_dictionary

FIX44 = load_dictionary("FIX44")

SESSION = {b"0", b"1", b"2", b"3", b"4", b"5", b"A"}
ORDERS = {b"D", b"F", b"G", b"H", b"q", b"r", b"AF", b"8", b"9", b"j", b"Q", b"d", b"C"}

# Tag, name, type, required: FIX 4.4 volume 2, standard header and trailer.
HEADER = """
    8 BeginString STRING Y, 9 BodyLength LENGTH Y, 35 MsgType STRING Y, 49 SenderCompID STRING Y,
    56 TargetCompID STRING Y, 115 OnBehalfOfCompID STRING N, 128 DeliverToCompID STRING N,
    90 SecureDataLen LENGTH N, 91 SecureData DATA N, 34 MsgSeqNum SEQNUM Y,
    50 SenderSubID STRING N, 142 SenderLocationID STRING N, 57 TargetSubID STRING N,
    143 TargetLocationID STRING N,
    116 OnBehalfOfSubID STRING N, 144 OnBehalfOfLocationID STRING N, 129 DeliverToSubID STRING N,
    145 DeliverToLocationID STRING N, 43 PossDupFlag BOOLEAN N, 97 PossResend BOOLEAN N,
    52 SendingTime UTCTIMESTAMP Y, 122 OrigSendingTime UTCTIMESTAMP N, 212 XmlDataLen LENGTH N,
    213 XmlData DATA N, 347 MessageEncoding STRING N, 369 LastMsgSeqNumProcessed SEQNUM N,
    627 NoHops NUMINGROUP N
"""
TRAILER = "93 SignatureLength LENGTH N, 89 Signature DATA N, 10 CheckSum STRING Y"

# Tags required in the body, and some that are not; volumes 2 and 4. The required members of
# Instrument, OrderQtyData and Parties are none.
REQUIRED = {
    b"0": set(),
    b"1": {112},
    b"2": {7, 16},
    b"3": {45},
    b"4": {36},
    b"5": set(),
    b"A": {98, 108},
    b"D": {11, 54, 60, 40},
    b"F": {41, 11, 54, 60},
    b"G": {41, 11, 54, 60, 40},
    b"H": {11, 54},
    b"q": {11, 530, 60},
    b"r": {37, 530, 531},
    b"AF": {584, 585},
    b"8": {37, 17, 150, 39, 54, 151, 14, 6},
    b"9": {37, 11, 41, 39, 434},
    b"j": {372, 380},
    b"Q": {37, 17, 127, 54},
    b"d": {320, 322, 323},
    b"C": {164, 94, 147, 33},
}
OPTIONAL = {
    b"0": {112},
    b"1": set(),
    b"2": set(),
    b"3": {371, 372, 373, 58, 354, 355},
    b"4": {123},
    b"5": {58, 354, 355},
    b"A": {95, 96, 141, 789, 383, 384, 464, 553, 554},
    b"D": {55, 48, 22, 38, 152, 44, 99, 59, 432, 126, 168, 1, 581, 660, 21, 18, 110, 111, 210}
    | {100, 528, 529, 582, 114, 77, 203, 117, 23, 15, 58, 526, 583, 453, 78, 386, 211, 218, 235},
    b"F": {37, 55, 38, 586, 1, 453, 58},
    b"G": {37, 55, 38, 586, 44, 99, 59, 432, 126, 18, 110, 111, 1, 453, 78, 386},
    b"H": {37, 55, 790, 1, 453},
    b"q": {336, 625, 55, 311, 54, 58, 526},
    b"r": {11, 532, 533, 534, 336, 55, 54, 60, 58},
    b"AF": {453, 1, 660, 336, 55, 311, 54},
    b"8": {11, 41, 19, 32, 31, 30, 29, 851, 103, 378, 38, 40, 44, 99, 59, 18, 1, 528, 110, 111, 60}
    | {636, 790, 584, 911, 912, 198, 526, 527, 424, 425, 426, 58, 382, 518, 555, 136, 797},
    b"9": {102, 60, 58, 1, 198, 526, 66, 586},
    b"j": {45, 379, 58, 354, 355},
    b"Q": {55, 38, 32, 31, 58, 555, 711},
    b"d": {55, 15, 336, 58, 555, 711, 870, 827, 561, 562},
    b"C": {42, 37, 11, 146, 215, 555, 711, 95, 96, 356, 357},
}
ABSENT = {
    b"D": {20, 37, 41, 150},
    b"F": {44, 40, 59},
    b"H": {41, 60},
    b"q": {1, 453, 37},
    b"8": {20},
    b"9": {54, 55, 150},
    b"j": {371, 373},
}

# Group -> its members in their order, a group's own groups by their count.
GROUPS = {
    384: [372, 385],
    627: [628, 629, 630],
    453: [448, 447, 452, 802],
    802: [523, 803],
    78: [79, 661, 736, 467, 539, 80],
    539: [524, 525, 538, 804],
    804: [545, 805],
    386: [336, 625],
    534: [41, 535, 536],
    382: [375, 337, 437, 438, 655],
    518: [519, 520, 521],
    136: [137, 138, 139, 891],
    232: [233, 234],
    454: [455, 456],
    864: [865, 866, 867, 868],
    870: [871, 872],
    33: [58, 354, 355],
    215: [216, 217],
    683: [688, 689],
    887: [888, 889],
}

# Tag -> enumerated values, all of them.
VALUES = {
    18: "0 1 2 3 4 5 6 7 8 9 A B C D E F G H I J K L M N O P Q R S U V W X Y Z a b c d e",
    21: "1 2 3",
    35: "0 1 2 3 4 5 6 7 8 9 A B C D E F G H J K L M N P Q R S T V W X Y Z "
    "a b c d e f g h i j k l m n o p q r s t u v w x y z AA AB AC AD AE AF AG AH AI AJ AK AL "
    "AM AN AO AP AQ AR AS AT AU AV AW AX AY AZ BA BB BC BD BE BF BG BH",
    39: "0 1 2 3 4 6 7 8 9 A B C D E",
    40: "1 2 3 4 6 7 8 9 D E G I J K L M P",
    54: "1 2 3 4 5 6 7 8 9 A B C D E F G",
    59: "0 1 2 3 4 5 6 7",
    94: "0 1 2",
    98: "0 1 2 3 4 5 6",
    102: "0 1 2 3 4 5 6 99",
    103: "0 1 2 3 4 5 6 7 8 9 10 11 13 14 15 99",
    127: "A B C D E F Z",
    150: "0 3 4 5 6 7 8 9 A B C D E F G H I",
    201: "0 1",
    347: "ISO-2022-JP EUC-JP Shift_JIS UTF-8",
    373: "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 99",
    378: "0 1 2 3 4 5 6 7 8 9 10 99",
    380: "0 1 2 3 4 5 6 7",
    385: "R S",
    434: "1 2",
    447: "1 2 3 4 5 6 7 8 9 A B C D E F G H I",
    528: "A G I P R W",
    529: "1 2 3 4 5 6 7 8 9 A",
    530: "1 2 3 4 5 6 7",
    531: "0 1 2 3 4 5 6 7",
    532: "0 1 2 3 4 5 6 99",
    582: "1 2 3 4",
    585: "1 2 3 4 5 6 7 8",
    851: "1 2 3",
}

TYPES = {
    "STRING": [11, 41, 37, 17, 55, 58, 112, 372, 448, 1, 532],
    "CHAR": [54, 40, 59, 39, 150, 21, 434, 530, 531, 447],
    "INT": [98, 108, 371, 373, 380, 102, 103, 378, 452, 585, 911, 533],
    "SEQNUM": [34, 45, 7, 16, 36, 369, 789],
    "LENGTH": [9, 95, 354, 383],
    "NUMINGROUP": [453, 78, 384, 555, 534],
    "QTY": [38, 151, 14, 32, 110, 111],
    "PRICE": [44, 99, 6, 31],
    "AMT": [12, 381],
    "FLOAT": [211, 155],
    "PERCENTAGE": [516, 223],
    "BOOLEAN": [43, 97, 123, 141, 464, 636, 912, 114],
    "UTCTIMESTAMP": [52, 122, 60, 126, 168, 586],
    "LOCALMKTDATE": [432, 64, 75, 541],
    "MONTHYEAR": [200, 667],
    "CURRENCY": [15, 120],
    "EXCHANGE": [100, 207, 30],
    "COUNTRY": [470],
    "MULTIPLEVALUESTRING": [18, 529],
    "DATA": [96, 355, 349, 89, 91, 213],
}


def walk(members: tuple[FixMember, ...]) -> Iterator[FixMember]:
    for member in members:
        yield member
        yield from walk(member.members)


def sections() -> dict[str, tuple[FixMember, ...]]:
    bodies = {message.name: message.members for message in FIX44.messages.values()}
    return {"header": FIX44.header, "trailer": FIX44.trailer} | bodies


def members_of(msg_type: bytes) -> dict[int, FixMember]:
    return {member.tag: member for member in FIX44.messages[msg_type].members}


def text_of(members: tuple[FixMember, ...]) -> set[str]:
    return {f"{m.tag} {m.field.name} {m.field.type} {'Y' if m.required else 'N'}" for m in members}


# --- facts -------------------------------------------------------------------------------------


def test_the_version_is_fix_44() -> None:
    assert FIX44.version == "FIX.4.4"


@pytest.mark.parametrize(
    ("members", "text"), [(FIX44.header, HEADER), (FIX44.trailer, TRAILER)], ids=["header", "end"]
)
def test_header_and_trailer_are_those_of_the_standard(
    members: tuple[FixMember, ...], text: str
) -> None:
    assert text_of(members) == {" ".join(entry.split()) for entry in text.split(",")}


def test_the_first_three_and_the_last_stand_as_on_the_wire() -> None:
    assert [member.tag for member in FIX44.header[:3]] == [8, 9, 35]
    assert FIX44.trailer[-1].tag == 10


def test_every_message_type_is_named_and_those_spoken_have_a_body() -> None:
    assert set(FIX44.messages) == set(VALUES[35].encode().split())
    assert len(FIX44.messages) == 93
    detailed = {msg_type for msg_type, m in FIX44.messages.items() if not m.is_named_only}
    assert detailed == SESSION | ORDERS


def test_message_names_agree_with_the_values_of_msg_type() -> None:
    values = FIX44.fields[35].values
    assert {t: m.name for t, m in FIX44.messages.items()} == dict(values)


def test_session_messages_are_the_admin_ones() -> None:
    assert ADMIN_MSG_TYPES == SESSION
    assert {t for t, m in FIX44.messages.items() if m.is_admin} == SESSION


@pytest.mark.parametrize("msg_type", sorted(SESSION | ORDERS))
def test_required_members_are_those_of_the_standard(msg_type: bytes) -> None:
    members = members_of(msg_type)
    assert {tag for tag, member in members.items() if member.required} == REQUIRED[msg_type]
    assert OPTIONAL[msg_type] <= set(members) - REQUIRED[msg_type]
    assert not ABSENT.get(msg_type, set()) & set(members)


@pytest.mark.parametrize("msg_type", sorted(SESSION - {b"A"}))
def test_session_messages_have_no_other_members(msg_type: bytes) -> None:
    assert set(members_of(msg_type)) == REQUIRED[msg_type] | OPTIONAL[msg_type]


@pytest.mark.parametrize(("count", "order"), GROUPS.items())
def test_groups_have_their_members_in_order(count: int, order: list[int]) -> None:
    found = [m for members in sections().values() for m in walk(members) if m.tag == count]
    assert found
    for group in found:
        assert [member.tag for member in group.members] == order
        assert group.delimiter == order[0]


def test_groups_of_instruments_begin_with_their_symbol() -> None:
    begins = {146: 55, 711: 311, 555: 600}
    for members in sections().values():
        for member in walk(members):
            assert member.delimiter == begins.get(member.tag, member.delimiter)


@pytest.mark.parametrize(("tag", "values"), VALUES.items())
def test_values_are_those_of_the_standard(tag: int, values: str) -> None:
    field = FIX44.fields[tag]
    assert set(field.values) == set(values.encode().split())
    assert not field.open


@pytest.mark.parametrize(("kind", "tags"), TYPES.items())
def test_types_are_those_of_the_standard(kind: str, tags: list[int]) -> None:
    assert {FIX44.fields[tag].type for tag in tags} == {kind}


def test_tags_agree_with_another_library() -> None:
    """simplefix names the tags of its constants TAG_ and the field in capitals."""
    named = {
        name[4:].replace("_", ""): int(value)
        for name, value in vars(simplefix.constants).items()
        if name.startswith("TAG_")
    }
    ours = {name.upper(): field.tag for name, field in FIX44.fields_by_name.items()}
    shared = named.keys() & ours.keys()
    assert len(shared) > 25
    assert {name: ours[name] for name in shared} == {name: named[name] for name in shared}


# --- properties --------------------------------------------------------------------------------


@pytest.mark.parametrize("section", sections())
def test_no_tag_stands_twice_in_a_section_or_in_a_groups_entry(section: str) -> None:
    members = sections()[section]
    for level in [members, *(member.members for member in walk(members))]:
        tags = [member.tag for member in level]
        assert len(tags) == len(set(tags))


def test_no_body_holds_a_field_of_header_or_trailer() -> None:
    frame = {member.tag for member in (*walk(FIX44.header), *walk(FIX44.trailer))}
    for message in FIX44.messages.values():
        assert not frame & {member.tag for member in walk(message.members)}


def test_a_group_is_counted_by_a_field_that_counts_groups() -> None:
    for members in sections().values():
        for member in walk(members):
            assert member.is_group == (member.field.type == "NUMINGROUP")


def test_every_data_field_has_a_length_that_stands_before_it() -> None:
    for field in FIX44.fields.values():
        if field.is_data:
            assert FIX44.fields[field.length_tag].type == "LENGTH"
            assert FIX44.fields[field.length_tag].data_tag == field.tag
    for members in sections().values():
        for level in [members, *(member.members for member in walk(members))]:
            for before, member in zip((None, *level), level, strict=False):
                if member.field.is_data:
                    assert before is not None
                    assert before.tag == member.field.length_tag


def test_every_value_is_described_and_fits_its_type() -> None:
    for field in FIX44.fields.values():
        assert all(field.values.values()), field.name
        if field.type in ("CHAR", "BOOLEAN") or field.is_multiple:
            assert {len(value) for value in field.values} <= {1}, field.name
        if field.type == "INT":
            assert all(value.isdigit() for value in field.values), field.name


def test_all_fields_of_fix_44_are_listed() -> None:
    assert len(FIX44.fields) == 912
    assert min(FIX44.fields) == 1
    assert max(FIX44.fields) == 956
    assert list(FIX44.fields) == sorted(FIX44.fields)
