"""An SBE decoder made of `construct` declarations, generated from the schema file alone.

Shares nothing with the package but that file: it reads the XML by itself and lets construct place
the fields. What the gateway's encoders write is held against it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import construct as c

SCHEMA = Path(__file__).parents[2] / "portcullis" / "dictionaries" / "report_stream.xml"
PRIMITIVES = {
    "char": c.Int8ub,
    "uint8": c.Int8ul,
    "uint16": c.Int16ul,
    "uint32": c.Int32ul,
    "int64": c.Int64sl,
    "uint64": c.Int64ul,
}
NULLS = {"char": 0, "uint8": 0xFF, "uint32": 0xFFFFFFFF, "int64": -(2**63), "uint64": 2**64 - 1}
HEADER = c.Struct(
    "block_length" / c.Int16ul,
    "template_id" / c.Int16ul,
    "schema_id" / c.Int16ul,
    "version" / c.Int16ul,
)


def decode(octets: bytes) -> tuple[str, dict[str, Any]]:
    """The name of a message and its fields: enumerated values by name, None where absent."""
    head = HEADER.parse(octets)
    schema_id, version, messages = declarations()
    assert (head.schema_id, head.version) == (schema_id, version)
    name, block_length, layout, data = messages[head.template_id]
    assert head.block_length == block_length
    behind = HEADER.sizeof() + block_length
    found = {**layout.parse(octets[HEADER.sizeof() : behind]), **data.parse(octets[behind:])}
    return name, {key: value for key, value in found.items() if not key.startswith("_")}


@cache
def declarations() -> tuple[int, int, dict[int, tuple[str, int, Any, Any]]]:
    """Schema id, version, and by template id: name, block length, layout, and that of its data."""
    root = ET.parse(SCHEMA).getroot()
    types = {element.attrib["name"]: element for element in root.findall("./types/*")}
    messages = {}
    for message in root:
        if message.tag == "types":
            continue
        fields = [placed(one, types[one.attrib["type"]]) for one in message.findall("field")]
        data = [sized(one, types[one.attrib["type"]]) for one in message.findall("data")]
        assert [one.tag for one in message] == ["field"] * len(fields) + ["data"] * len(data)
        messages[int(message.attrib["id"])] = (
            message.attrib["name"],
            int(message.attrib["blockLength"]),
            c.Struct(*fields),
            c.Struct(*data, c.Terminated),
        )
    return int(root.attrib["id"]), int(root.attrib["version"]), messages


def sized(data: ET.Element, of: ET.Element) -> Any:
    length, octets = of
    assert (length.attrib["name"], octets.attrib["name"]) == ("length", "varData")
    raw = c.Prefixed(PRIMITIVES[length.attrib["primitiveType"]], c.GreedyBytes)

    def shown(value: bytes, _context: Any) -> str | None:
        return value.decode("latin-1") or None

    return data.attrib["name"] / c.ExprAdapter(raw, shown, lambda value, _context: value)


def placed(field: ET.Element, of: ET.Element) -> Any:
    primitive = of.get("primitiveType") or of.attrib["encodingType"]
    length = int(of.get("length", 1))
    raw = c.Bytes(length) if length > 1 else PRIMITIVES[primitive]
    null = None
    if "optional" in (field.get("presence"), of.get("presence")):
        null = int(of.get("nullValue", NULLS[primitive]))
    names = {}
    if of.tag == "enum":
        for value in of:
            assert value.text is not None
            wire = ord(value.text) if primitive == "char" else int(value.text)
            names[wire] = value.attrib["name"]

    def shown(value: Any, _context: Any) -> Any:
        if isinstance(value, bytes):
            text, _, padding = value.partition(b"\0")
            assert not padding.strip(b"\0"), value
            return text.decode("ascii") or None
        if value == null:
            return None
        return names[value] if names else value

    shaped = c.ExprAdapter(raw, shown, lambda value, _context: value)
    return field.attrib["name"] / c.Pointer(int(field.attrib["offset"]), shaped)
