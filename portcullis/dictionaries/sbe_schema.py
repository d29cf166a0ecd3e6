"""Reads an SBE schema whose messages are one block, with data behind: types, fields in place.

Owns what of SBE 1.0 such a schema uses; groups and constant fields are refused, for nothing here
writes them. `report_stream.xml` is the schema of the report stream: what compiled
encoders, `codecs.sbe` and other people's tools are made from. Must not know what a field means.
Specification: FIX Simple Binary Encoding 1.0, sections 2 to 4.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

REPORT_STREAM = Path(__file__).with_name("report_stream.xml")
_MESSAGE = "{http://fixprotocol.io/2016/sbe}message"
# By primitive type: its letter in `struct`, and the value that says "absent".
PRIMITIVES = {
    "char": ("c", 0),
    "int8": ("b", -(1 << 7)),
    "int16": ("h", -(1 << 15)),
    "int32": ("i", -(1 << 31)),
    "int64": ("q", -(1 << 63)),
    "uint8": ("B", (1 << 8) - 1),
    "uint16": ("H", (1 << 16) - 1),
    "uint32": ("I", (1 << 32) - 1),
    "uint64": ("Q", (1 << 64) - 1),
}


class SchemaError(ValueError):
    """A schema could not be read; the text names what, and what was expected."""


@dataclass(frozen=True, slots=True)
class SbeField:
    """A field of a block. letter: of `struct`; length: elements, above 1 a string.

    null: what stands for "absent"; None: the field is always there. values: of an enumeration,
    wire value to name.
    """

    name: str
    offset: int
    letter: str
    length: int
    null: int | None
    values: dict[int, str]

    @property
    def size(self) -> int:
        return struct.calcsize(f"<{self.letter}") * self.length


@dataclass(frozen=True, slots=True)
class SbeData:
    """Data of variable length behind a block. letter: of its length, as `struct` has it."""

    name: str
    letter: str

    @property
    def length_size(self) -> int:
        return struct.calcsize(f"<{self.letter}")


@dataclass(frozen=True, slots=True)
class SbeMessage:
    """A message: `block_length` bytes behind the header, then `data`."""

    name: str
    template_id: int
    block_length: int
    fields: tuple[SbeField, ...]
    data: tuple[SbeData, ...]

    @property
    def size(self) -> int:
        """Bytes behind the header where all data is empty."""
        return self.block_length + sum(one.length_size for one in self.data)


@dataclass(frozen=True, slots=True)
class SbeSchema:
    """A schema, little-endian."""

    schema_id: int
    version: int
    header: tuple[SbeField, ...]
    messages: tuple[SbeMessage, ...]

    @property
    def header_length(self) -> int:
        return sum(field.size for field in self.header)


def read_schema(path: Path = REPORT_STREAM) -> SbeSchema:
    """Read a schema file. SchemaError names what this reader does not take."""
    root = ET.parse(path).getroot()
    if root.get("byteOrder", "littleEndian") != "littleEndian":
        raise SchemaError(f"{path}: byteOrder is {root.get('byteOrder')}, expected littleEndian")
    types = {one.get("name", ""): one for group in root.findall("types") for one in group}
    header = types[root.get("headerType", "messageHeader")]
    return SbeSchema(
        int(root.attrib["id"]),
        int(root.attrib["version"]),
        _fields([(part.attrib["name"], part, part) for part in header]),
        tuple(_message(path, element, types) for element in root.findall(_MESSAGE)),
    )


def _message(path: Path, element: ET.Element, types: dict[str, ET.Element]) -> SbeMessage:
    name = element.attrib["name"]
    members, data = [], []
    for member in element:
        of = types.get(member.get("type", ""))
        if member.tag == "data" and of is not None and of.tag == "composite":
            data.append(_data(member, of))
            continue
        if member.tag != "field" or data or of is None or of.tag not in ("type", "enum"):
            raise SchemaError(f"{path}: {name} has a {member.tag} that this reader does not take")
        members.append((member.attrib["name"], member, of))
    fields = _fields(members)
    block_length = int(element.attrib["blockLength"])
    for before, field in itertools.pairwise(fields):
        if field.offset < before.offset + before.size:
            raise SchemaError(f"{path}: {name}.{field.name} begins within {before.name}")
    if fields[-1].offset + fields[-1].size > block_length:
        raise SchemaError(f"{path}: {name} has fields beyond its block of {block_length}")
    return SbeMessage(name, int(element.attrib["id"]), block_length, fields, tuple(data))


def _data(member: ET.Element, of: ET.Element) -> SbeData:
    length = next(part for part in of if part.attrib["name"] == "length")
    letter, _ = PRIMITIVES[length.attrib["primitiveType"]]
    return SbeData(member.attrib["name"], letter)


def _fields(
    members: list[tuple[str, ET.Element, ET.Element]],
) -> tuple[SbeField, ...]:
    """Members as name, the element that places it, and its type."""
    found = []
    offset = 0
    for name, member, of in members:
        letter, null = PRIMITIVES[of.get("primitiveType") or of.attrib["encodingType"]]
        optional = "optional" in (member.get("presence"), of.get("presence"))
        values = {}
        if of.tag == "enum":
            values = {_wire(letter, value.text or ""): value.attrib["name"] for value in of}
        offset = int(member.get("offset", offset))
        field = SbeField(
            name,
            offset,
            letter,
            int(of.get("length", 1)),
            int(of.get("nullValue", null)) if optional else None,
            values,
        )
        found.append(field)
        offset += field.size
    return tuple(found)


def _wire(letter: str, text: str) -> int:
    return ord(text) if letter == "c" else int(text)
