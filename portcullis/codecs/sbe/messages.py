"""SBE messages of one block and data behind it, both ways, by the schema: one at a time.

Owns the header, and the way between a field's bytes and a Python value. An absent value is None,
a string comes without its padding, an enumerated value is its name, or where a later schema has
it, the bare number. Data is text of which each character is a byte (Latin-1), None where empty. A
longer block of a later version, or data behind the last, is read as far as it is known here. The
gateway's own encoder of reports is `gateway.report_messages`, which works by batches.
Specification: FIX Simple Binary Encoding 1.0; docs/multicast.md.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from portcullis.dictionaries.sbe_schema import (
    SbeData,
    SbeField,
    SbeMessage,
    SbeSchema,
    read_schema,
)

Value = int | str | None


class SbeError(ValueError):
    """Bytes or values that are no message of the schema; the text says why."""


class Decoded(NamedTuple):
    """A message: its name in the schema, and its fields in order."""

    name: str
    values: dict[str, Value]


class SbeCodec:
    """Encodes and decodes the messages of a schema."""

    def __init__(self, schema: SbeSchema) -> None:
        self.schema = schema
        self._header = _layout(schema.header)
        self._by_id = {message.template_id: message for message in schema.messages}
        self._by_name = {message.name: message for message in schema.messages}
        self._layouts = {one.name: _layout(one.fields) for one in schema.messages}

    def size(self, name: str) -> int:
        """Bytes of a message whose data is empty, its header counted."""
        return self.schema.header_length + self._by_name[name].size

    def decode(self, octets: bytes | bytearray | memoryview) -> Decoded:
        """Read one message. SbeError: it is of another schema, unknown, or too short."""
        view = memoryview(octets)
        length = self.schema.header_length
        if len(view) < length:
            raise SbeError(f"a message has {length} bytes at least, not {len(view)}")
        block_length, template_id, schema_id, version = self._header.unpack_from(view)
        message = self._by_id.get(template_id)
        if schema_id != self.schema.schema_id or message is None:
            raise SbeError(f"template {template_id} of schema {schema_id} is not known")
        if block_length < message.block_length or len(view) < length + block_length:
            raise SbeError(
                f"{message.name} of version {version} has {message.block_length} bytes behind "
                f"its header at least, not {min(block_length, len(view) - length)}"
            )
        found = self._layouts[message.name].unpack_from(view, length)
        values = {
            field.name: _value(field, raw)
            for field, raw in zip(message.fields, found, strict=True)
        }
        return Decoded(message.name, values | _read_data(message, view, length + block_length))

    def encode(self, name: str, values: Mapping[str, Value]) -> bytes:
        """A message; fields left out are absent. SbeError names a value that does not fit."""
        message = self._by_name[name]
        unknown = values.keys() - {field.name for field in message.fields}
        unknown -= {one.name for one in message.data}
        if unknown:
            raise SbeError(f"{name} has no field {min(unknown)}")
        block = self._layouts[name].pack(
            *(_raw(message, field, values.get(field.name)) for field in message.fields)
        )
        schema = self.schema
        header = self._header.pack(
            message.block_length, message.template_id, schema.schema_id, schema.version
        )
        data = b"".join(_data(message, one, values.get(one.name)) for one in message.data)
        return header + block.ljust(message.block_length, b"\0") + data


@cache
def report_stream() -> SbeCodec:
    """The codec of the report stream's messages."""
    return SbeCodec(read_schema())


def _layout(fields: tuple[SbeField, ...]) -> struct.Struct:
    """The fields of a block, what lies between them left out."""
    parts = ["<"]
    at = 0
    for field in fields:
        letter = f"{field.length}s" if field.length > 1 else field.letter.replace("c", "B")
        parts.append(f"{field.offset - at}x{letter}")
        at = field.offset + field.size
    return struct.Struct("".join(parts))


def _read_data(message: SbeMessage, view: memoryview, at: int) -> dict[str, Value]:
    """The data behind a block, which ends at `at`."""
    found: dict[str, Value] = {}
    for one in message.data:
        begin = at + one.length_size
        at = begin + int.from_bytes(view[at:begin], "little")
        if at > len(view):
            raise SbeError(f"{message.name}.{one.name} ends at byte {at} of {len(view)}")
        found[one.name] = bytes(view[begin:at]).decode("latin-1") or None
    return found


def _data(message: SbeMessage, one: SbeData, value: Value) -> bytes:
    """Data with its length; the highest that its type has means "none" and is never written."""
    text = value or ""
    longest = (1 << 8 * one.length_size) - 2
    if not isinstance(text, str) or len(text) > longest:
        name = f"{message.name}.{one.name}"
        raise SbeError(f"{name} was {value!r}, expected up to {longest} characters")
    octets = text.encode("latin-1")
    return len(octets).to_bytes(one.length_size, "little") + octets


def _value(field: SbeField, raw: int | bytes) -> Value:
    if isinstance(raw, bytes):
        return raw.rstrip(b"\0").decode("latin-1") or None
    if raw == field.null:
        return None
    return field.values.get(raw, raw)


def _raw(message: SbeMessage, field: SbeField, value: Value) -> int | bytes:
    name = f"{message.name}.{field.name}"
    if field.length > 1:
        text = value or ""
        if not isinstance(text, str) or len(text) > field.length:
            raise SbeError(f"{name} was {value!r}, expected up to {field.length} characters")
        return text.encode("latin-1")
    if value is None:
        if field.null is None:
            raise SbeError(f"{name} is missing")
        return field.null
    if isinstance(value, str):
        for number, known in field.values.items():
            if known == value:
                return number
        raise SbeError(f"{name} was {value!r}, expected one of {list(field.values.values())}")
    low, high = _range(field)
    if not low <= value <= high:
        raise SbeError(f"{name} was {value}, expected {low} to {high}")
    return value


def _range(field: SbeField) -> tuple[int, int]:
    bits = 8 * field.size
    if field.letter in "cBHIQ":
        return 0, (1 << bits) - 1
    return -1 << bits - 1, (1 << bits - 1) - 1
