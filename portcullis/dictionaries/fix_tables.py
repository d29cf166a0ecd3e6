"""A FIX dictionary as flat tables: what the scanner needs to validate a message in one pass.

Owns the translation of a `FixDictionary` into arrays of integers that compiled code reads without
touching a Python object. Knows nothing of bytes on a wire.

A `tag_info` word describes a tag wherever it occurs; tags get small slots, so that sparse
dictionaries stay small. A member map is a row of `members`, one word per slot: the body of a
message, the header, the trailer, or a repeating group. Groups of the same shape share a map.
Bit positions are constants of this file, shared with the scanner through `fix_tables.pxd`
(`python -m portcullis.dictionaries.fix_tables` makes it).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from portcullis.dictionaries.fix_dictionary import FixDictionary, FixField, FixMember

# FNV-1a within 31 bits: hash of MsgTypes and of enumerated values.
HASH_BASIS = 18652613
HASH_PRIME = 16777619
HASH_MASK = 0x7FFFFFFF

# tag_info: slot u16 | type u8 | section u8 | enumeration u16 (0: none); word 0: unknown
INFO_TYPE_SHIFT = 16
INFO_SECTION_SHIFT = 24
INFO_ENUM_SHIFT = 32
SECTION_HEADER = 1
SECTION_BODY = 2
SECTION_TRAILER = 3

# members: group map u14 (0: not a group) | position u12 (from 1) | required bit u6; 0: no member
MEMBER_GROUP_MASK = 0x3FFF
MEMBER_POSITION_SHIFT = 14
MEMBER_POSITION_MASK = 0xFFF
MEMBER_REQUIRED_SHIFT = 26  # number of a bit in the mask of fields seen; bit 0 is nobody's

REQUIRED_MAX = 62  # required fields of one map: a mask of 64 bits, its first and last unused

MAP_HEADER = 1
MAP_TRAILER = 2

# How a value is checked. Types of one format share a code; those above are in `_TYPE_CODES`.
TYPE_STRING = 1
TYPE_CHAR = 2
TYPE_INT = 3
TYPE_UNSIGNED = 4
TYPE_FLOAT = 5
TYPE_BOOLEAN = 6
TYPE_LENGTH = 7
TYPE_DATA = 8
TYPE_MULTIPLE_STRING = 9
TYPE_UTC_TIMESTAMP = 10
TYPE_UTC_DATE = 11
TYPE_UTC_TIME = 12
TYPE_LOCAL_DATE = 13
TYPE_MONTH_YEAR = 14
TYPE_DAY_OF_MONTH = 15
TYPE_GROUP_COUNT = 16
TYPE_MULTIPLE_CHAR = 17

# Switches, as bits of `FixTables.switches`.
CHECK_ORDER = 1
CHECK_GROUP_ORDER = 2
CHECK_HAVE_VALUES = 4
CHECK_USER_DEFINED = 8
ALLOW_UNKNOWN = 16

USER_DEFINED_FIRST = 5000
# A dictionary may define tags up to here: `tag_info` is an array over them all.
TAG_MAX = 99_999
# Entries a hashed table has per key, so that a probe is short.
_SPREAD = 4

_TYPE_CODES = {
    "STRING": TYPE_STRING,
    "CHAR": TYPE_CHAR,
    "INT": TYPE_INT,
    "SEQNUM": TYPE_UNSIGNED,
    "TAGNUM": TYPE_INT,  # RefTagID(371) may name a tag that is no tag: 0, -1
    "LENGTH": TYPE_LENGTH,
    "NUMINGROUP": TYPE_GROUP_COUNT,
    "DAYOFMONTH": TYPE_DAY_OF_MONTH,
    "FLOAT": TYPE_FLOAT,
    "QTY": TYPE_FLOAT,
    "QUANTITY": TYPE_FLOAT,
    "PRICE": TYPE_FLOAT,
    "PRICEOFFSET": TYPE_FLOAT,
    "AMT": TYPE_FLOAT,
    "PERCENTAGE": TYPE_FLOAT,
    "BOOLEAN": TYPE_BOOLEAN,
    "DATA": TYPE_DATA,
    "XMLDATA": TYPE_DATA,
    "MULTIPLEVALUESTRING": TYPE_MULTIPLE_STRING,
    "MULTIPLESTRINGVALUE": TYPE_MULTIPLE_STRING,
    "MULTIPLECHARVALUE": TYPE_MULTIPLE_CHAR,
    "UTCTIMESTAMP": TYPE_UTC_TIMESTAMP,
    "TIME": TYPE_UTC_TIMESTAMP,
    "UTCDATE": TYPE_UTC_DATE,
    "UTCDATEONLY": TYPE_UTC_DATE,
    "UTCTIMEONLY": TYPE_UTC_TIME,
    "LOCALMKTDATE": TYPE_LOCAL_DATE,
    "DATE": TYPE_LOCAL_DATE,
    "MONTHYEAR": TYPE_MONTH_YEAR,
}


def pack(value: bytes) -> int:
    """At most seven bytes as a little-endian number: how MsgType(35) is compared."""
    if len(value) > 7:
        raise ValueError(f"message type {value!r} is longer than seven bytes")
    return int.from_bytes(value, "little")


def hash_octets(seed: int, value: bytes) -> int:
    """FNV-1a over the bytes, beginning with `seed`: the scanner computes the same."""
    result = ((seed * HASH_PRIME) ^ HASH_BASIS) & HASH_MASK
    for octet in value:
        result = ((result ^ octet) * HASH_PRIME) & HASH_MASK
    return result


@dataclass(frozen=True, slots=True, eq=False)
class FixTables:
    """Flat tables of one dictionary and the switches its sessions validate with.

    `members[map * slot_count + slot]` is a member word; no tag has slot 0, so a map's first word
    is the mask of the required bits that must have been seen, in the order of the dictionary.
    `length_pair[slot]`: of a LENGTH field the tag of its data, of DATA that of its length, else 0.
    """

    begin_string: bytes
    switches: int
    tag_info: memoryview
    slot_count: int
    length_pair: memoryview
    members: memoryview
    # MsgType: hash table of (packed type, map, place in msg_types), three words each. The sizes of
    # hash tables are powers of two; see `_hash_table`.
    type_table: memoryview
    msg_types: tuple[bytes, ...]
    # Enumerations: four words of single-byte values each (a bit per byte value), and a hash table
    # of (enumeration, offset in enum_octets, length), three words each, for the longer ones.
    enum_bits: memoryview
    enum_table: memoryview
    enum_octets: memoryview


class _Builder:
    """Collects maps while a dictionary is walked once."""

    def __init__(self, tags: Iterable[int]) -> None:
        self.slots = {tag: slot for slot, tag in enumerate(sorted(tags), 1)}
        self.slot_count = len(self.slots) + 1
        # Map 0 is nobody's: that of a message whose body the dictionary does not tell.
        self.maps = [array("q", bytes(8 * self.slot_count)) for _ in range(3)]
        self.map_of_group: dict[_Shape, int] = {}

    def add_map(self, members: tuple[FixMember, ...]) -> int:
        """A new map of these members; give its index."""
        index = len(self.maps)
        self.maps.append(array("q", bytes(8 * self.slot_count)))
        self.fill_map(index, members)
        return index

    def fill_map(self, index: int, members: tuple[FixMember, ...]) -> None:
        row, required = self.maps[index], 0
        for position, member in enumerate(members, 1):
            word = position << MEMBER_POSITION_SHIFT
            if member.is_group:
                word |= self.group_map(member.members)
            if member.required:
                required += 1
                if required > REQUIRED_MAX:
                    raise ValueError(f"more than {REQUIRED_MAX} required fields at {member.tag}")
                word |= required << MEMBER_REQUIRED_SHIFT
            row[self.slots[member.tag]] = word
        row[0] = (2 << required) - 2

    def group_map(self, members: tuple[FixMember, ...]) -> int:
        # FixField holds a mapping and so has no hash: the shape is told in tags.
        shape = _shape(members)
        if shape not in self.map_of_group:
            self.map_of_group[shape] = self.add_map(members)
        return self.map_of_group[shape]


_Shape: TypeAlias = "tuple[tuple[int, bool, _Shape], ...]"


def _shape(members: tuple[FixMember, ...]) -> _Shape:
    return tuple((member.tag, member.required, _shape(member.members)) for member in members)


def _type_code(field: FixField) -> int:
    """The format of a field's type; a type this file does not know is any text."""
    return _TYPE_CODES.get(field.type.upper(), TYPE_STRING)


def _hash_table(keys: list[int], rows: list[tuple[int, ...]]) -> memoryview:
    """Open addressing over `keys` (hashes), linear probing; a first word of 0 is a free row."""
    width = len(rows[0]) if rows else 3
    size = 8
    while size < _SPREAD * len(rows):
        size *= 2
    table = array("q", bytes(8 * width * size))
    for key, row in zip(keys, rows, strict=True):
        place = key & (size - 1)
        while table[place * width]:
            place = (place + 1) & (size - 1)
        table[place * width : (place + 1) * width] = array("q", row)
    return memoryview(table)


def compile_tables(
    dictionary: FixDictionary,
    *,
    check_order: bool = True,
    check_group_order: bool = True,
    check_have_values: bool = True,
    check_user_defined: bool = True,
    allow_unknown: bool = False,
) -> FixTables:
    """Tables of `dictionary`; the switches are those that QuickFIX users know.

    check_order: header, body and trailer in this order (ValidateFieldsOutOfOrder).
    check_group_order: members of a group in the order of the dictionary.
    check_have_values: an empty value is a fault (ValidateFieldsHaveValues).
    check_user_defined: tags of 5000 and more must be defined, too (ValidateUserDefinedFields).
    allow_unknown: fields the message does not have are no fault (AllowUnknownMsgFields).
    Raises ValueError naming the tag where a dictionary goes beyond what the tables hold.
    """
    highest = max(dictionary.fields)
    if highest > TAG_MAX:
        raise ValueError(f"tag {highest} is above the highest that is supported, {TAG_MAX}")
    builder = _Builder(dictionary.fields)
    builder.fill_map(MAP_HEADER, dictionary.header)
    builder.fill_map(MAP_TRAILER, dictionary.trailer)
    msg_types = tuple(sorted(dictionary.messages))
    message_maps = [
        0 if message.is_named_only else builder.add_map(message.members)
        for message in (dictionary.messages[msg_type] for msg_type in msg_types)
    ]
    enums = _Enumerations()
    sections = dict.fromkeys(_tags(dictionary.header), SECTION_HEADER)
    sections |= dict.fromkeys(_tags(dictionary.trailer), SECTION_TRAILER)
    tag_info = array("q", bytes(8 * (highest + 1)))
    length_pair = array("q", bytes(8 * builder.slot_count))
    for tag, slot in builder.slots.items():
        field = dictionary.fields[tag]
        tag_info[tag] = (
            slot
            | _type_code(field) << INFO_TYPE_SHIFT
            | sections.get(tag, SECTION_BODY) << INFO_SECTION_SHIFT
            | enums.add(field) << INFO_ENUM_SHIFT
        )
        length_pair[slot] = field.length_tag or field.data_tag
    switches = (
        CHECK_ORDER * check_order
        | CHECK_GROUP_ORDER * check_group_order
        | CHECK_HAVE_VALUES * check_have_values
        | CHECK_USER_DEFINED * check_user_defined
        | ALLOW_UNKNOWN * allow_unknown
    )
    members = array("q")
    for row in builder.maps:
        members.extend(row)
    return FixTables(
        begin_string=dictionary.version.encode(),
        switches=switches,
        tag_info=memoryview(tag_info),
        slot_count=builder.slot_count,
        length_pair=memoryview(length_pair),
        members=memoryview(members),
        type_table=_hash_table(
            [hash_octets(0, msg_type) for msg_type in msg_types],
            [
                (pack(msg_type), index, place)
                for place, (msg_type, index) in enumerate(
                    zip(msg_types, message_maps, strict=True)
                )
            ],
        ),
        msg_types=msg_types,
        enum_bits=memoryview(enums.bits),
        enum_table=_hash_table(enums.keys, enums.rows),
        enum_octets=memoryview(bytes(enums.octets) or b"\0"),
    )


class _Enumerations:
    """The values each enumerated field may have; enumeration 0 is that of fields without one."""

    def __init__(self) -> None:
        self.bits = array("q", bytes(8 * 4))
        self.keys: list[int] = []
        self.rows: list[tuple[int, ...]] = []
        self.octets = bytearray()
        self.known: dict[tuple[bytes, ...], int] = {}

    def add(self, field: FixField) -> int:
        """The number of this field's enumeration; fields with the same values share one."""
        values = tuple(field.values)
        if field.open:
            return 0
        if values in self.known:
            return self.known[values]
        number = self.known[values] = len(self.known) + 1
        words = [0, 0, 0, 0]
        for octets in values:
            if len(octets) == 1:
                words[octets[0] >> 6] |= 1 << (octets[0] & 63)
            else:
                self.keys.append(hash_octets(number, octets))
                self.rows.append((number, len(self.octets), len(octets)))
                self.octets += octets
        self.bits.frombytes(b"".join(word.to_bytes(8, "little") for word in words))
        return number


def _tags(members: Iterable[FixMember]) -> list[int]:
    """The tags of members and of the groups among them."""
    tags = []
    for member in members:
        tags.append(member.tag)
        tags += _tags(member.members)
    return tags


def declarations() -> str:
    """The text of fix_tables.pxd: every constant above as an anonymous C enumeration."""
    lines = [
        "# Made from fix_tables.py by `python -m portcullis.dictionaries.fix_tables`;",
        "# not edited by hand.",
        "",
        "cdef enum:",
    ]
    lines += [
        f"    {name} = {value}"
        for name, value in globals().items()
        if name.isupper() and name[0] != "_" and type(value) is int
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    Path(__file__).with_suffix(".pxd").write_text(declarations())
